"""Send the rows of one claim and work out what each answer means for each row."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from include.hubspot_sync.destination.failure import error_from
from include.hubspot_sync.destination.protocol import Answer, AnswerHead, Destination, Verdict
from include.hubspot_sync.engine.gate import SendCheck
from include.hubspot_sync.engine.recover import read_keys
from include.hubspot_sync.engine.sending import Sender
from include.hubspot_sync.errors import SyncError, TransientError
from include.hubspot_sync.records import Change, Outcome, RecordOutcome
from include.hubspot_sync.store.outbox import Claim, Settlement
from include.hubspot_sync.store.rejects import RejectedChange

MERGED_REASON = "merged_contact"
_SENDS_OF_AN_OPEN_ROW = 2


@dataclass(slots=True)
class ClaimDelivery:
    """The delivery of one claim: what is known about each row so far."""

    claim: Claim
    destination: Destination
    sender: Sender
    check: SendCheck
    error: SyncError | None = None
    """Why the rest of the rows was not sent."""
    has_sent: bool = False
    """Whether any request that changes the portal has left."""
    _delivered: dict[int, int | None] = field(default_factory=dict)
    _rejected: dict[int, RejectedChange] = field(default_factory=dict)
    _in_doubt: set[int] = field(default_factory=set)
    """Rows of which a request of this claim may still be applied."""
    _head: AnswerHead | None = None

    async def send(self) -> Settlement:
        """Send every row and return what to store; `error` tells why rows are left."""
        if self.claim.batch.kind == "archive":
            await self._archive(list(self.claim.changes))
        else:
            await self._upsert_all()
        return self._settlement()

    async def _upsert_all(self) -> None:
        groups: list[tuple[list[Change], int]] = [(list(self.claim.changes), 1)]
        while groups and self.error is None:
            group, sends = groups.pop()
            answer = await self._write(group, partial(self.destination.upsert, group))
            if answer.verdict is Verdict.SPLIT:
                groups.extend((half, sends) for half in self._halves(group, answer))
            elif answer.verdict is Verdict.SETTLED:
                again = self._take_outcomes(group, answer)
                if again:
                    self._follow_up(again, sends, groups)

    async def _write(self, rows: Sequence[Change], request: Callable[[], Awaitable[Answer]]) -> Answer:
        """Send a request that changes the portal and note which rows it leaves in doubt."""

        def leave() -> Awaitable[Answer]:
            self.has_sent = True
            return request()

        sent = await self.sender.send(leave, is_write=True, check=self.check)
        self._head = sent.answer
        if sent.in_doubt:
            self._in_doubt.update(row.seq for row in rows)
        if sent.answer.verdict not in {Verdict.SETTLED, Verdict.SPLIT}:
            self.error = error_from(sent.answer)
        return sent.answer

    def _halves(self, rows: list[Change], answer: Answer) -> list[list[Change]]:
        """Halve a refused request; a single refused row is the bad one."""
        if len(rows) == 1:
            self._reject(rows[0], answer.reason, answer.message, answer.correlation_id)
            return []
        middle = len(rows) // 2
        return [rows[:middle], rows[middle:]]

    def _take_outcomes(self, rows: Sequence[Change], answer: Answer) -> list[Change]:
        """Store each row's outcome and return the rows to send once more."""
        again = []
        for row, outcome in zip(rows, answer.outcomes, strict=True):
            match outcome.outcome:
                case Outcome.DELIVERED:
                    self._delivered[row.seq] = outcome.hubspot_id
                case Outcome.REJECTED:
                    self._reject_by(row, outcome, answer)
                case Outcome.RETRYABLE:
                    again.append(row)
                case Outcome.UNKNOWN:
                    self._in_doubt.add(row.seq)
                    again.append(row)
        return again

    def _reject_by(self, row: Change, outcome: RecordOutcome, answer: Answer) -> None:
        self._reject(row, outcome.reason, outcome.reason_text, answer.correlation_id)

    def _reject(self, row: Change, reason: str, text: str, correlation_id: str) -> None:
        self._rejected[row.seq] = RejectedChange(row.seq, row.key_text, reason, text, correlation_id)

    def _follow_up(self, rows: list[Change], sends: int, groups: list[tuple[list[Change], int]]) -> None:
        """Send rows again that an answer left open, once; then leave them to the next try."""
        if sends < _SENDS_OF_AN_OPEN_ROW:
            groups.append((rows, sends + 1))
        else:
            self.error = TransientError(f"hubspot's answers left {len(rows)} rows neither done nor refused")

    async def _archive(self, rows: list[Change]) -> None:
        """Archive by the id that the key has now; a merged contact is reported, never archived."""
        try:
            found = (await read_keys(self.sender, self.destination, [row.key_text for row in rows])).found
        except SyncError as error:
            self.error = error
            return
        active = []
        for row in rows:
            stored = found.get(row.key_text)
            if stored is None:
                self._delivered[row.seq] = None
            elif stored.merged:
                text = f"contact {stored.hubspot_id} holds merged contacts and is not archived: archive it by hand"
                self._reject(row, MERGED_REASON, text, "")
            else:
                active.append((row, stored.hubspot_id))
        await self._archive_ids(active)

    async def _archive_ids(self, pairs: list[tuple[Change, int]]) -> None:
        if not pairs:
            return
        rows = [row for row, _ in pairs]
        ids = [hubspot_id for _, hubspot_id in pairs]
        answer = await self._write(rows, lambda: self.destination.archive(ids))
        if answer.verdict is Verdict.SETTLED:
            self._delivered.update({row.seq: hubspot_id for row, hubspot_id in pairs})
        elif answer.verdict is Verdict.SPLIT:
            for half in self._halves(rows, answer):
                chosen = {row.seq for row in half}
                await self._archive_ids([pair for pair in pairs if pair[0].seq in chosen])

    def _settlement(self) -> Settlement:
        """Sum up: named rows, refused rows, rows that certainly never arrived; the others stay in flight."""
        settled = set(self._delivered) | set(self._rejected)
        # a row that an earlier claim may have sent stays in flight, or the next claim would not know of the doubt
        open_to_doubt = self._in_doubt | self.claim.doubtful
        unsent = frozenset(row.seq for row in self.claim.changes if row.seq not in settled | open_to_doubt)
        refused = frozenset(self._rejected) - open_to_doubt
        head = self._head
        return Settlement(
            delivered=self._delivered,
            rejected=tuple(self._rejected.values()),
            unsent=unsent,
            certain=unsent | refused,
            is_clean=not self._in_doubt,
            http_status=head.status if head else None,
            latency_ms=head.latency_ms if head else None,
            correlation_id=head.correlation_id if head else "",
            reason=head.reason if head else "",
        )
