"""A portal in memory with the destination's contract, for tests of the engine; faults are queued per call."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from include.hubspot_sync.destination.protocol import Answer, ReadAnswer, Reason, RecordLimit, SearchAnswer, Verdict
from include.hubspot_sync.records import Change, Outcome, RecordOutcome, StoredRecord

Fault = Callable[["MemoryPortal", Sequence[Change]], Answer]


@dataclass
class MemoryPortal:
    """Contacts by key; `faults` answer the next upserts instead of the portal."""

    contacts: dict[str, StoredRecord] = field(default_factory=dict)
    faults: deque[Fault] = field(default_factory=deque)
    bad_keys: set[str] = field(default_factory=set)
    """Keys that are refused by row."""
    poison_keys: set[str] = field(default_factory=set)
    """Keys whose whole batch is refused."""
    lose_writes_of: dict[str, int] = field(default_factory=dict)
    """Key → how many more writes are acknowledged without being stored."""
    upserts: list[list[str]] = field(default_factory=list)
    history: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    archived: list[int] = field(default_factory=list)
    searches: list[tuple[int, int | None]] = field(default_factory=list)
    """Limits of each page that was asked for."""
    reads: int = 0
    room: int | None = None
    """Contacts that the portal may hold."""
    _ids: itertools.count = field(default_factory=lambda: itertools.count(1000))

    async def upsert(self, changes: Sequence[Change]) -> Answer:
        await asyncio.sleep(0)
        self.upserts.append([change.key_text for change in changes])
        if self.faults:
            return self.faults.popleft()(self, changes)
        return self.apply(changes)

    def apply(self, changes: Sequence[Change]) -> Answer:
        if any(change.key_text in self.poison_keys for change in changes):
            return Answer(Verdict.SPLIT, status=400, sent=False, reason="batch_refused", message="the batch is refused")
        return Answer(Verdict.SETTLED, status=200, outcomes=tuple(map(self._apply_one, changes)))

    def _apply_one(self, change: Change) -> RecordOutcome:
        if change.key_text in self.bad_keys:
            return RecordOutcome(change.key_text, Outcome.REJECTED, reason="INVALID_OPTION", reason_text="no option")
        known = self.contacts.get(change.key_text)
        hubspot_id = known.hubspot_id if known else next(self._ids)
        if self.lose_writes_of.get(change.key_text, 0) > 0:
            self.lose_writes_of[change.key_text] -= 1
        else:
            self.contacts[change.key_text] = StoredRecord(change.key_text, hubspot_id, dict(change.properties))
            self.history.append((change.key_text, dict(change.properties)))
        return RecordOutcome(change.key_text, Outcome.DELIVERED, hubspot_id)

    async def archive(self, hubspot_ids: Sequence[int]) -> Answer:
        await asyncio.sleep(0)
        self.archived.extend(hubspot_ids)
        self.contacts = {k: c for k, c in self.contacts.items() if c.hubspot_id not in set(hubspot_ids)}
        return Answer(Verdict.SETTLED, status=204)

    async def read(self, key_texts: Sequence[str]) -> ReadAnswer:
        await asyncio.sleep(0)
        self.reads += 1
        found = {key: self.contacts[key] for key in key_texts if key in self.contacts}
        return ReadAnswer(Verdict.SETTLED, status=200, found=found, missing=frozenset(key_texts) - frozenset(found))

    async def record_limit(self) -> RecordLimit:
        return RecordLimit(limit=self.room, usage=len(self.contacts))

    async def search_total(self, property_name: str) -> int:
        return len(self.contacts)

    async def search_keys(self, after_id: int, up_to_id: int | None = None) -> SearchAnswer:
        """Answer two contacts a page, so that small tests have several pages."""
        await asyncio.sleep(0)
        self.searches.append((after_id, up_to_id))
        end = up_to_id or max((contact.hubspot_id for contact in self.contacts.values()), default=0)
        ids = {
            contact.hubspot_id: key for key, contact in self.contacts.items() if after_id < contact.hubspot_id <= end
        }
        page = dict(sorted(ids.items())[:2])
        return SearchAnswer(Verdict.SETTLED, status=200, key_texts=page, is_last=len(page) == len(ids))


def applied_but_unanswered(portal: MemoryPortal, changes: Sequence[Change]) -> Answer:
    """The write happened, the answer was lost."""
    portal.apply(changes)
    return Answer(Verdict.RETRY, sent=True, reason=Reason.TIMEOUT, message="no answer in time")


def never_arrived(portal: MemoryPortal, changes: Sequence[Change]) -> Answer:
    return Answer(Verdict.RETRY, sent=False, reason=Reason.CONNECT_FAILED, message="cannot connect")


def half_named(portal: MemoryPortal, changes: Sequence[Change]) -> Answer:
    """The answer names only the first half of the rows; all were applied."""
    outcomes = list(portal.apply(changes).outcomes)
    half = len(outcomes) // 2
    unnamed = [RecordOutcome(change.key_text, Outcome.UNKNOWN) for change in changes[half:]]
    return Answer(Verdict.SETTLED, status=207, outcomes=(*outcomes[:half], *unnamed))


def daily_limit(portal: MemoryPortal, changes: Sequence[Change]) -> Answer:
    return Answer(Verdict.DEFER, status=429, sent=False, reason=Reason.DAILY_LIMIT, message="daily limit reached")


def unauthorized(portal: MemoryPortal, changes: Sequence[Change]) -> Answer:
    return Answer(Verdict.REAUTH, status=401, sent=False, reason="token_refused", message="token refused")
