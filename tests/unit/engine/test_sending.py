"""Repeating a request: when, how often, and what stays in doubt."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from include.hubspot_sync.destination.protocol import Answer, Verdict
from include.hubspot_sync.engine.gate import SendCheck
from include.hubspot_sync.engine.sending import Sender, Sent
from include.hubspot_sync.errors import LeaseLostError


class OpenGate:
    """Lets everything pass and remembers it."""

    def __init__(self) -> None:
        self.writes: list[bool] = []
        self.reported: list[Answer] = []

    async def wait(self, *, is_write: bool, check: SendCheck | None = None) -> None:
        self.writes.append(is_write)
        if check is not None:
            check.prove(None)  # type: ignore[arg-type]

    async def report(self, answer: Answer) -> None:
        self.reported.append(answer)


def send(answers: Sequence[Answer], *, max_attempts: int = 5, check=None) -> tuple[Sent[Answer], OpenGate, list[float]]:
    gate, slept, queue = OpenGate(), [], list(answers)

    async def request() -> Answer:
        return queue.pop(0)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    sender = Sender(gate, max_attempts, sleep)
    options = {"check": check} if check else {}
    return asyncio.run(sender.send(request, is_write=True, **options)), gate, slept


SETTLED = Answer(Verdict.SETTLED, status=200)
TIMEOUT = Answer(Verdict.RETRY, sent=True)
REFUSED = Answer(Verdict.RETRY, sent=False)


def test_settled_answer_is_final():
    sent, gate, slept = send([SETTLED])

    assert sent == Sent(SETTLED, in_doubt=False)
    assert (gate.writes, slept) == ([True], [])


def test_every_attempt_passes_the_gate_and_reports():
    sent, gate, slept = send([REFUSED, REFUSED, SETTLED])

    assert sent == Sent(SETTLED, in_doubt=False)
    assert len(gate.writes) == len(gate.reported) == 3
    assert len(slept) == 2


def test_unanswered_attempt_leaves_a_doubt_even_after_a_good_answer():
    sent, _, _ = send([TIMEOUT, SETTLED])

    assert sent == Sent(SETTLED, in_doubt=True)


def test_attempts_are_bounded():
    sent, gate, _ = send([REFUSED] * 5, max_attempts=4)

    assert sent.answer is REFUSED
    assert len(gate.writes) == 4


def test_undocumented_status_gets_three_attempts():
    strange = Answer(Verdict.RETRY, status=599, capped=True)

    sent, gate, _ = send([strange] * 5)

    assert sent.in_doubt
    assert len(gate.writes) == 3


def test_credential_is_tried_once_more_without_waiting():
    reauth = Answer(Verdict.REAUTH, status=401, sent=False)

    sent, gate, slept = send([reauth, reauth, SETTLED])

    assert sent == Sent(reauth, in_doubt=False)
    assert len(gate.writes) == 2
    assert slept == [0]


@pytest.mark.parametrize("verdict", [Verdict.STOP, Verdict.DEFER])
@pytest.mark.parametrize("was_sent", [True, False])
def test_hopeless_answer_ends_at_once_and_keeps_its_doubt(verdict: Verdict, *, was_sent: bool):
    answer = Answer(verdict, sent=was_sent)

    sent, gate, _ = send([answer, SETTLED])

    assert sent == Sent(answer, in_doubt=was_sent)
    assert len(gate.writes) == 1


def test_waiting_time_of_the_service_is_a_floor():
    _, _, slept = send([Answer(Verdict.RETRY, sent=False, retry_after_s=7), SETTLED])

    assert slept[0] >= 7


def test_lost_lease_prevents_the_send():
    def lost(_transaction: object) -> None:
        raise LeaseLostError("gone")

    with pytest.raises(LeaseLostError):
        send([], check=SendCheck(lost, 30))
