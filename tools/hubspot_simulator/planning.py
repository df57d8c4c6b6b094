"""Plans a batch write in memory: which contact, which changes, which error. Nothing is stored here."""

from __future__ import annotations

import enum
import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from tools.hubspot_simulator.answers import Detail
from tools.hubspot_simulator.calls import Call, RowInput
from tools.hubspot_simulator.contacts import Contact, UniqueRef
from tools.hubspot_simulator.properties import Property
from tools.hubspot_simulator.settings import PortalRule
from tools.hubspot_simulator.validation import RowError, values_not_valid
from tools.hubspot_simulator.world import Portal

_ID_STEP = 500
_RULES_SINCE = "2026-09"


class WriteKind(enum.StrEnum):
    """What a batch write does with each row."""

    UPSERT = "upsert"
    UPDATE = "update"
    CREATE = "create"


class RowOutcome(enum.StrEnum):
    """What became of one row."""

    NEW = "new"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    FAILED = "failed"


@dataclass(slots=True)
class RowPlan:
    """One row, its contact as it will be, and what has to be written for it."""

    row: RowInput
    outcome: RowOutcome
    contact: Contact | None = None
    error: RowError | None = None
    changes: dict[str, list[str | None]] = field(default_factory=dict)
    unique_gone: list[UniqueRef] = field(default_factory=list)
    unique_new: list[tuple[str, str, int]] = field(default_factory=list)
    archived_refs: list[UniqueRef] = field(default_factory=list)
    """Unique values under which a restored contact was archived."""
    restored: bool = False
    first_write: bool = False


class Planner:
    """Plans the rows of one request in input order; later rows see the earlier ones."""

    def __init__(self, portal: Portal, call: Call, kind: WriteKind) -> None:
        self._portal = portal
        self._call = call
        self._kind = kind
        self._now = portal.clock.now_ms()
        self._owners: dict[UniqueRef, Contact] = {}
        self._archived: dict[UniqueRef, Contact] = {}
        self._unique = portal.registry.unique_names()
        self._usable: dict[str, Property] = {}
        self._steps: random.Random | None = None
        self._rules = self._active_rules()
        self._created = 0
        self.next_id = portal.next_id

    def plan(self, rows: list[RowInput]) -> list[RowPlan]:
        """Return one plan per row."""
        self._prefetch(rows)
        return [self._plan_row(row) for row in rows]

    def _active_rules(self) -> tuple[PortalRule, ...]:
        settings = self._portal.settings
        is_new_enough = self._call.version != "v3" and self._call.version >= _RULES_SINCE
        return settings.portal_rules if is_new_enough or settings.enforce_rules_all else ()

    def _prefetch(self, rows: list[RowInput]) -> None:
        norm = self._portal.table.norm
        names = {row.id_property for row in rows}.union(*(row.values for row in rows))
        self._usable = self._portal.checker.usable(names, self._now)
        refs: set[UniqueRef] = set()
        for row in rows:
            if row.id_property:
                refs.add((row.id_property, norm(row.id_property, row.id)))
            for name in self._unique & row.values.keys():
                value = row.values[name]
                if value:
                    refs.add((name, norm(name, value)))
        self._owners = self._portal.table.resolve(refs)
        if self._kind is WriteKind.UPSERT and self._portal.settings.archived_upsert != "create_new":
            self._archived = self._portal.table.resolve(refs, archived=True)

    def _plan_row(self, row: RowInput) -> RowPlan:
        error = self._call.effects.row_error(row)
        if error is not None:
            return _failed(row, error)
        contact = self._find(row)
        if contact is None and self._must_exist(row):
            message = f"Could not find 0-1 with {row.id_property} {row.id}"
            return _failed(row, RowError("OBJECT_NOT_FOUND", message, missing_ids=(row.id,)))
        restored = None if contact else self._archived_match(row)
        if restored is not None and self._portal.settings.archived_upsert == "error409":
            return _failed(row, RowError("CONFLICT", "The contact with this id is archived"))
        return self._check_and_merge(row, contact or restored, restored=restored is not None)

    def _find(self, row: RowInput) -> Contact | None:
        if not row.id_property:
            return None
        ref = (row.id_property, self._portal.table.norm(row.id_property, row.id))
        return self._owners.get(ref)

    def _must_exist(self, row: RowInput) -> bool:
        by_record_id = row.id_property == "hs_object_id"
        return self._kind is WriteKind.UPDATE or (self._kind is WriteKind.UPSERT and by_record_id)

    def _archived_match(self, row: RowInput) -> Contact | None:
        ref = (row.id_property, self._portal.table.norm(row.id_property, row.id))
        return self._archived.get(ref)

    def _check_and_merge(self, row: RowInput, contact: Contact | None, *, restored: bool) -> RowPlan:
        values = row.values
        if contact is None and row.id_property:
            values = {row.id_property: row.id, **values}
        clean, wrong = self._portal.checker.check(values, self._usable)
        if wrong:
            return _failed(row, values_not_valid(wrong))
        error = self._conflict(clean, contact) or self._cap_reached(contact)
        if error is not None:
            return _failed(row, error)
        merged = dict(contact.props) if contact else {}
        _merge(merged, clean)
        error = self._portal.checker.broken_rule(self._rules, merged)
        if error is not None:
            return _failed(row, error)
        return self._settle(row, contact, merged, restored=restored)

    def _conflict(self, clean: dict[str, str | None], contact: Contact | None) -> RowError | None:
        for name in clean.keys() & self._unique:
            value = clean[name]
            if value is None:
                continue
            if name == "email" and self._portal.table.is_blocked(value):
                return values_not_valid([Detail("email: this address was deleted for privacy", "INVALID_EMAIL", name)])
            owner = self._owners.get((name, self._portal.table.norm(name, value)))
            if owner is not None and owner is not contact:
                return self._taken(name, owner)
        return None

    def _taken(self, name: str, owner: Contact) -> RowError:
        if name == "email" or self._kind is WriteKind.CREATE:
            return RowError("CONFLICT", f"Contact already exists. Existing ID: {owner.id}")
        text = f"{name}: another contact, {owner.id}, already has this value"
        return RowError("VALIDATION_ERROR", text, (Detail(text, "CONFLICTING_UNIQUE_VALUE", name),))

    def _cap_reached(self, contact: Contact | None) -> RowError | None:
        limit = self._portal.settings.contact_limit
        if contact is not None or self._portal.live_contacts + self._created < limit:
            return None
        text = f"The portal's limit of {limit} contacts is reached"
        return RowError("VALIDATION_ERROR", text, (Detail(text, "LIMIT_EXCEEDED"),))

    def _settle(self, row: RowInput, contact: Contact | None, merged: dict[str, str], *, restored: bool) -> RowPlan:
        if contact is None:
            return self._settle_new(row, merged)
        plan = RowPlan(row, RowOutcome.UNCHANGED, contact, restored=restored)
        plan.first_write = contact.last_seq == 0
        if merged != contact.props or restored:
            plan.changes = differences(contact.props, merged)
            self._note_unique(plan, contact, restored=restored)
            contact.props = merged
            plan.outcome = RowOutcome.UPDATED
        self._touch(plan, contact)
        return plan

    def _settle_new(self, row: RowInput, merged: dict[str, str]) -> RowPlan:
        target = self._new_contact()
        target.props, target.last_seq = merged, self._call.seq
        plan = RowPlan(row, RowOutcome.NEW, target, first_write=True)
        for name in self._unique & merged.keys():
            ref = (name, self._portal.table.norm(name, merged[name]))
            plan.unique_new.append((*ref, target.id))
            self._owners[ref] = target
        self._created += 1
        return plan

    def _touch(self, plan: RowPlan, target: Contact) -> None:
        if plan.outcome is not RowOutcome.UNCHANGED or self._portal.settings.touch_unchanged:
            target.updated_ms = self._now
        target.last_seq = self._call.seq
        if plan.restored:
            target.archived_ms = None
            self._created += 1

    def _new_contact(self) -> Contact:
        if self._steps is None:
            self._steps = self._call.chance.stream("ids")
        number = self.next_id
        self.next_id += int(self._steps.random() * _ID_STEP) + 1
        return Contact(number, self._now, self._now, created_seq=self._call.seq)

    def _note_unique(self, plan: RowPlan, target: Contact, *, restored: bool) -> None:
        norm = self._portal.table.norm
        names: Iterable[str] = self._unique & plan.changes.keys()
        for name in names:
            old, new = plan.changes[name]
            if old and not restored:
                ref = (name, norm(name, old))
                plan.unique_gone.append(ref)
                self._owners.pop(ref, None)
            if new:
                ref = (name, norm(name, new))
                plan.unique_new.append((*ref, target.id))
                self._owners[ref] = target
        if restored:
            plan.archived_refs = self._portal.table.refs(target)
            unchanged = (self._unique & target.props.keys()) - plan.changes.keys()
            plan.unique_new += [(n, norm(n, target.props[n]), target.id) for n in unchanged]


def differences(before: dict[str, str], after: dict[str, str]) -> dict[str, list[str | None]]:
    """Return property → [old, new] where two states of a contact differ."""
    return {
        name: [before.get(name), after.get(name)]
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    }


def _merge(props: dict[str, str], clean: dict[str, str | None]) -> None:
    for name, value in clean.items():
        if value is None:
            props.pop(name, None)
        else:
            props[name] = value


def _failed(row: RowInput, error: RowError) -> RowPlan:
    return RowPlan(row, RowOutcome.FAILED, error=error)
