"""What counts as recovered, what a stopped process explains, and the figures of the report."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from tools.chaos.injected import Injected
from tools.chaos.invariants import Violation
from tools.chaos.kinds import ENGINE_KINDS, STACK_KINDS, Kind, draw_kinds
from tools.chaos.report import Report, percentiles
from tools.chaos.sequence import SequenceResult
from tools.chaos.tables import Confirmation, Owner

NOON = datetime(2026, 1, 1, 12)  # noqa: DTZ001  as the tables write it
VICTIM = Owner(1, 2, "deliver[2] try 1")
NEXT_TRY = Owner(1, 2, "deliver[2] try 2")
SIBLING = Owner(1, 3, "deliver[3] try 1")


def at(seconds: float, owner: Owner) -> Confirmation:
    return Confirmation(NOON + timedelta(seconds=seconds), owner)


def recovery(fault: Injected, *confirmations: Confirmation) -> float | None:
    fault.look(confirmations)
    return fault.recovery_s


def test_killed_task_has_recovered_when_another_try_confirms_a_row_of_its_shard():
    fault = Injected(Kind.KILL_TASK, "stack", victim=VICTIM, began=NOON)

    assert recovery(fault, at(-1, NEXT_TRY), at(1, SIBLING), at(2, VICTIM)) is None
    assert recovery(fault, at(2, VICTIM), at(7, NEXT_TRY), at(9, NEXT_TRY)) == 7


def test_same_shard_of_another_run_is_no_recovery():
    fault = Injected(Kind.KILL_TASK, "stack", victim=VICTIM, began=NOON)

    assert recovery(fault, at(5, Owner(2, 2, "deliver[2] try 1"))) is None


def test_killed_scheduler_has_recovered_when_a_new_try_confirms():
    fault = Injected(Kind.KILL_SCHEDULER, "stack", before=frozenset({(1, VICTIM.name), (1, SIBLING.name)}), began=NOON)

    assert recovery(fault, at(1, VICTIM), at(2, SIBLING)) is None
    assert recovery(fault, at(30, NEXT_TRY)) == 30


def test_outage_has_recovered_with_any_row_after_its_end():
    fault = Injected(Kind.KILL_DATABASE, "stack", is_outage=True, began=NOON)

    assert recovery(fault, at(1, SIBLING)) is None
    fault.over = NOON + timedelta(seconds=10)
    assert recovery(fault, at(9, SIBLING), at(14, VICTIM)) == 14
    assert fault.recovery_after_s == 4


@pytest.mark.parametrize(
    ("kind", "seconds_after_waking", "explained"),
    [(Kind.ZOMBIE, 1, True), (Kind.ZOMBIE, -1, False), (Kind.ZOMBIE, 60, False), (Kind.KILL_TASK, 1, False)],
)
def test_only_a_process_that_just_woke_explains_a_stale_write(
    kind: Kind,
    seconds_after_waking: int,
    explained: bool,  # noqa: FBT001  a column of the table above
):
    fault = Injected(kind, "stack", began=NOON, over=NOON + timedelta(seconds=20))
    moment = NOON.replace(tzinfo=UTC) + timedelta(seconds=20 + seconds_after_waking)

    assert fault.explains_write_at(round(moment.timestamp() * 1000)) is explained


def test_every_kind_is_drawn_equally_often_and_the_seed_decides_the_order():
    drawn, again, other = (draw_kinds(STACK_KINDS, 40, random.Random(seed)) for seed in (7, 7, 8))  # noqa: S311

    assert {kind: drawn.count(kind) for kind in STACK_KINDS} == dict.fromkeys(STACK_KINDS, 5)
    assert drawn == again
    assert drawn != other
    assert {*STACK_KINDS, *ENGINE_KINDS} == set(Kind)


def test_percentiles_by_nearest_rank():
    assert percentiles([]) == {"p50": None, "p95": None}
    assert percentiles([3.0, None, 1.0]) == {"p50": 1.0, "p95": 3.0}
    assert percentiles(float(value) for value in range(1, 101)) == {"p50": 50.0, "p95": 95.0}


def test_report_with_a_violation_or_broken_off_is_not_good():
    clean = SequenceResult(faults=[Injected(Kind.STALL, "engine")])

    assert Report(1, [("engine", clean)]).is_good
    assert not Report(1, [("engine", clean)], broken_off="TimeoutError").is_good
    assert not Report(1, [("engine", SequenceResult(violations=[Violation("I3", "two")]))]).is_good


def test_report_counts_recovery_only_of_undisturbed_faults():
    calm = Injected(Kind.STALL, "engine", began=NOON, recovered_at=NOON + timedelta(seconds=2))
    disturbed = Injected(Kind.STALL, "engine", began=NOON, recovered_at=NOON + timedelta(seconds=90), is_alone=False)

    figures = Report(1, [("engine", SequenceResult(faults=[calm, disturbed]))]).as_json()["faults_by_kind"]

    assert figures["engine.stall"]["times"] == 2
    assert figures["engine.stall"]["recovery_s"] == {"p50": 2.0, "p95": 2.0}
