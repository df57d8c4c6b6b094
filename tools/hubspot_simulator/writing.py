"""Batch upsert, update and create: refuse, store in one transaction, answer."""

from __future__ import annotations

from collections import defaultdict

from tools.hubspot_simulator.answers import Answer, ApiError, Json
from tools.hubspot_simulator.calls import Call, RowInput, RowPick
from tools.hubspot_simulator.clock import iso
from tools.hubspot_simulator.contacts import Contact, HistoryEntry, UniqueRef, WriteSet
from tools.hubspot_simulator.planning import Planner, RowOutcome, RowPlan, WriteKind
from tools.hubspot_simulator.properties import COMPUTED
from tools.hubspot_simulator.validation import RowError
from tools.hubspot_simulator.world import Portal


class BatchWriter:
    """Writes rows."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def apply(
        self,
        call: Call,
        rows: list[RowInput],
        kind: WriteKind,
        *,
        is_partial: bool,
        counted: bool = True,
    ) -> list[RowPlan]:
        """Store the good rows and return what became of every row.

        Raises:
            ApiError: 400 or 409, a bad row refuses the whole request.
        """
        if call.effects.half:
            rows = rows[: len(rows) // 2]
        planner = Planner(self._portal, call, kind)
        plans = planner.plan(rows)
        if not is_partial:
            _refuse_bad_row(plans)
        self._store(call, plans, planner.next_id)
        if counted:
            self._count(call, plans)
        return plans

    def answer(self, call: Call, plans: list[RowPlan], kind: WriteKind) -> Answer:
        """Return the batch answer: results in any order, then the errors."""
        settings = self._portal.settings
        good = [plan for plan in plans if plan.contact is not None]
        results = [self.result(plan, kind) for plan in good]
        if settings.shuffle_results and len(results) > 1:
            call.chance.stream("shuffle").shuffle(results)
        body = self.envelope(call, results)
        bad = [plan for plan in plans if plan.error is not None]
        if not bad:
            return Answer(201 if kind is WriteKind.CREATE else 200, body)
        entries = self._error_entries(bad)
        rows_count = settings.numerrors_mode == "rows"
        body["numErrors"] = len(bad) if rows_count else len(entries)
        body["errors"] = entries
        return Answer(int(settings.partial_status), body)

    def envelope(self, call: Call, results: list[Json]) -> dict[str, Json]:
        """Return the frame of every batch answer."""
        return {
            "status": "COMPLETE",
            "results": results,
            "startedAt": iso(call.arrived_ms),
            "completedAt": iso(self._portal.clock.now_ms()),
        }

    def result(self, plan: RowPlan, kind: WriteKind) -> dict[str, Json]:
        """Return one entry of `results[]`."""
        contact, row, settings = plan.contact, plan.row, self._portal.settings
        assert contact is not None  # noqa: S101 - good rows only
        names = set(contact.props) if settings.return_all_props else set(row.values)
        if settings.echo_key and row.id_property:
            names.add(row.id_property)
        names.update(COMPUTED)
        shown = object_json(contact, sorted(names))
        if kind is WriteKind.UPSERT:
            shown["new"] = plan.outcome is RowOutcome.NEW
        if settings.echo_trace_id == "true" and row.trace_id:
            shown["objectWriteTraceId"] = row.trace_id
        return shown

    def _error_entries(self, bad: list[RowPlan]) -> list[Json]:
        settings = self._portal.settings
        groups: dict[object, list[RowPlan]] = defaultdict(list)
        for place, plan in enumerate(bad):
            error = plan.error
            assert error is not None  # noqa: S101 - bad rows only
            together = settings.group_errors or error.missing_ids
            key = (error.category, "" if error.missing_ids else error.message)
            groups[key if together else place].append(plan)
        return [self._error_entry(group) for group in groups.values()]

    def _error_entry(self, group: list[RowPlan]) -> Json:
        errors = [plan.error for plan in group if plan.error is not None]
        context: dict[str, list[str]] = {}
        missing = [missing for error in errors for missing in error.missing_ids]
        if missing:
            context["ids"] = missing
        traces = [plan.row.trace_id for plan in group if plan.row.trace_id]
        if traces and self._portal.settings.echo_trace_id != "false":
            context["objectWriteTraceId"] = traces
        return {
            "status": "error",
            "category": errors[0].category,
            "message": errors[0].message,
            "context": context,
            "errors": [detail.as_json() for detail in errors[0].details],
            "links": {},
        }

    def _store(self, call: Call, plans: list[RowPlan], next_id: int) -> None:
        work, restored = self._work(call, plans)
        with self._portal.store.transaction():
            for contact_id, refs in restored.items():
                self._portal.table.forget_archived(contact_id, refs)
            self._portal.table.write(work)
            self._portal.next_id = next_id
            self._portal.save_progress()
        call.applied_ms = self._portal.clock.now_ms()
        self._portal.live_contacts += len(work.new) + len(restored)

    def _work(self, call: Call, plans: list[RowPlan]) -> tuple[WriteSet, dict[int, list[UniqueRef]]]:
        """Collect what has to be written; a contact may occur in several rows."""
        work = WriteSet()
        restored: dict[int, list[UniqueRef]] = {}
        new: dict[int, Contact] = {}
        changed: dict[int, Contact] = {}
        for plan in plans:
            contact = plan.contact
            if contact is None or _hit(call.effects.lost, plan):
                continue
            if _hit(call.effects.wrong, plan):
                contact = _falsified(plan, contact)
            if plan.outcome is RowOutcome.NEW:
                new[contact.id] = contact
            else:
                self._note_change(work, plan, call)
                if self._must_write(plan):
                    (new if contact.id in new else changed)[contact.id] = contact
            if plan.restored:
                restored[contact.id] = plan.archived_refs
            work.unique_gone += plan.unique_gone
            work.unique_new += plan.unique_new
        work.new, work.changed = list(new.values()), list(changed.values())
        return work, restored

    def _must_write(self, plan: RowPlan) -> bool:
        changed = plan.outcome is RowOutcome.UPDATED
        return changed or plan.first_write or self._portal.settings.touch_unchanged

    def _note_change(self, work: WriteSet, plan: RowPlan, call: Call) -> None:
        if plan.changes and plan.contact is not None:
            contact = plan.contact
            work.history.append(HistoryEntry(contact.id, call.seq, contact.updated_ms, plan.changes))

    def _count(self, call: Call, plans: list[RowPlan]) -> None:
        counters = self._portal.statistics.counters
        outcomes = [plan.outcome for plan in plans]
        failed = outcomes.count(RowOutcome.FAILED)
        counters.rows_new += outcomes.count(RowOutcome.NEW)
        counters.rows_updated += outcomes.count(RowOutcome.UPDATED)
        counters.rows_unchanged += outcomes.count(RowOutcome.UNCHANGED)
        counters.rows_failed += failed
        first = sum(plan.first_write for plan in plans)
        counters.unique_contacts += first
        counters.dup_row_writes += len(plans) - failed - first
        call.rows(len(plans) - failed, failed)


def object_json(contact: Contact, names: list[str]) -> dict[str, Json]:
    """Return a contact as HubSpot shows it, with the named properties."""
    shown: dict[str, Json] = {
        "id": str(contact.id),
        "properties": {name: contact.value(name) for name in names},
        "createdAt": iso(contact.created_ms),
        "updatedAt": iso(contact.updated_ms),
        "archived": contact.archived_ms is not None,
    }
    if contact.archived_ms is not None:
        shown["archivedAt"] = iso(contact.archived_ms)
    return shown


def whole_refusal(error: RowError) -> ApiError:
    """Return the refusal of a whole request because of one row."""
    status = 409 if error.category == "CONFLICT" else 400
    return ApiError(status, error.category, error.message, details=error.details)


def _refuse_bad_row(plans: list[RowPlan]) -> None:
    for plan in plans:
        if plan.error is not None and not plan.error.missing_ids:
            raise whole_refusal(plan.error)


def _hit(picks: list[RowPick], plan: RowPlan) -> bool:
    return any(pick(plan.row) for pick in picks)


def _falsified(plan: RowPlan, contact: Contact) -> Contact:
    """Return a copy whose first written plain value differs from the answer."""
    copy = contact.copy()
    keys = {ref[0] for ref in plan.unique_new} | {plan.row.id_property}
    for name in sorted(plan.row.values.keys() & copy.props.keys() - keys):
        value = copy.props[name]
        copy.props[name] = str(int(value) + 1) if value.isdigit() else f"{value}~"
        break
    return copy
