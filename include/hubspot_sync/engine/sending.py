"""Send one request through the gate, again while that makes sense."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from include.hubspot_sync.destination.protocol import AnswerHead, Verdict
from include.hubspot_sync.engine.gate import Gate, SendCheck, Sleep
from include.hubspot_sync.engine.stopwatch import spent_on
from include.hubspot_sync.records import Phase

A = TypeVar("A", bound=AnswerHead)

_CAPPED_ATTEMPTS = 3
_BACKOFF_MAX_S = 20.0
_ANSWERED = frozenset({Verdict.SETTLED, Verdict.SPLIT})
_HOPELESS = frozenset({Verdict.STOP, Verdict.DEFER})


@dataclass(frozen=True, slots=True)
class Sent(Generic[A]):
    """The last answer of a request, and whether an earlier one was left unanswered."""

    answer: A
    in_doubt: bool
    """True when a request may have been applied, or may still be, without an answer that says so."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Paces, sends and repeats requests."""

    gate: Gate
    max_attempts: int
    sleep: Sleep = asyncio.sleep

    async def send(
        self,
        request: Callable[[], Awaitable[A]],
        *,
        is_write: bool = False,
        check: SendCheck | None = None,
    ) -> Sent[A]:
        """Send until the answer is final or the attempts are used up.

        Args:
            request: Sends exactly one HTTP request.
            is_write: Whether it changes the portal.
            check: Proven immediately before each send; None for requests that change nothing.

        Raises:
            LeaseLostError: from `check`.
        """
        in_doubt = False
        refused_credential = False
        attempt = 0
        while True:
            attempt += 1
            answer = await self._once(request, is_write=is_write, check=check)
            if answer.verdict in _ANSWERED:
                return Sent(answer, in_doubt)
            in_doubt = in_doubt or answer.sent
            if answer.verdict in _HOPELESS:
                return Sent(answer, in_doubt)
            if answer.verdict is Verdict.REAUTH and refused_credential:
                return Sent(answer, in_doubt)
            refused_credential = refused_credential or answer.verdict is Verdict.REAUTH
            if attempt >= (_CAPPED_ATTEMPTS if answer.capped else self.max_attempts):
                return Sent(answer, in_doubt)
            await self.sleep(_backoff_s(attempt, answer))

    async def _once(self, request: Callable[[], Awaitable[A]], *, is_write: bool, check: SendCheck | None) -> A:
        await self.gate.wait(is_write=is_write, check=check)
        with spent_on(Phase.ANSWER_WAIT):
            answer = await request()
        await self.gate.report(answer)
        return answer


def _backoff_s(attempt: int, answer: AnswerHead) -> float:
    """Return a full-jitter backoff; the gate has the wait of a SLOW answer, a new token needs none."""
    if answer.verdict is not Verdict.RETRY:
        return 0
    longest = min(_BACKOFF_MAX_S, 2.0 ** (attempt - 1))
    floor = min(answer.retry_after_s or 0, _BACKOFF_MAX_S)
    return floor + random.uniform(0.2, longest)  # noqa: S311  jitter, no secret
