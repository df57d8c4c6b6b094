"""The rules of delivery hold in every order of steps, and each protection is needed: without it the model breaks."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from types import ModuleType

import pytest

from include.hubspot_sync.records import BatchState, LedgerState, OutboxState
from include.hubspot_sync.store import delta, ledger, lock, outbox
from tests.support.delivery_model import Rules, Scenario, Search, search

BOTH_SERVE_ONE_RUN = ((1,), (1,))
ONE_WORKER = ((1,), ())
BOTH_SERVE_BOTH_RUNS = ((1, 2), (1, 2))

BACK_TO_THE_OLD_VALUE = Scenario("a", "b", "a")
CHANGED_THEN_REMOVED = Scenario("a", "b", "")
CLEARED_WITH_A_NEW_FILE = Scenario("a", "b", "a", is_cleared_run=True)
TWO_TRIES_OF_A_REMOVAL = Scenario("a", "", "", serves=BOTH_SERVE_ONE_RUN)
LEDGER_IS_LOST = Scenario("a", "b", "", ledger_is_lost=True, serves=ONE_WORKER)
STRAY_IS_FOUND = Scenario("a", "", "", ledger_is_lost=True, is_resync=True, serves=ONE_WORKER)
PLAN_IS_SHOWN_ONLY = Scenario("a", "b", "", first_is_shown_only=True, serves=ONE_WORKER)
WRITES_ARE_LOST_OR_REFUSED = Scenario("a", "b", "", loses_writes=True, refuses=True, serves=ONE_WORKER)
TWO_TRIES_WRITES_ARE_LOST = Scenario("a", "b", "", loses_writes=True, serves=BOTH_SERVE_ONE_RUN)

QUICK: Mapping[str, Scenario] = {
    "the source goes back to the old value": BACK_TO_THE_OLD_VALUE,
    "a run is cleared and finds a new file": CLEARED_WITH_A_NEW_FILE,
    "two tries of a removal": TWO_TRIES_OF_A_REMOVAL,
    "the ledger is lost": LEDGER_IS_LOST,
    "a resync finds a contact that the ledger does not know": STRAY_IS_FOUND,
    "a plan is only shown": PLAN_IS_SHOWN_ONLY,
    "writes are lost or refused": WRITES_ARE_LOST_OR_REFUSED,
}
LONG: Mapping[str, Scenario] = {
    "changed, then removed": CHANGED_THEN_REMOVED,
    "two tries, writes are lost": TWO_TRIES_WRITES_ARE_LOST,
    "both workers serve both runs": Scenario("a", "b", "a", serves=BOTH_SERVE_BOTH_RUNS),
    "both workers serve both plans of a cleared run": Scenario(
        "a", "b", "c", is_cleared_run=True, serves=BOTH_SERVE_BOTH_RUNS
    ),
    "two runs, writes are lost": Scenario("a", "b", "c", loses_writes=True),
}

FALSE_LEDGER = "the ledger is certain of something that HubSpot does not hold"
NO_LEASE = "a request is on its way under no lease"
LEFT_OUT = "the newest plan leaves out a record that differs"
NOTHING_TO_SEND = "a batch can be claimed that has nothing to send"


@pytest.fixture(scope="module")
def found() -> dict[str, Search]:
    """What the search of each quick scenario found, with all protections."""
    return {name: search(Rules(), scenario) for name, scenario in QUICK.items()}


@pytest.mark.parametrize("name", QUICK)
def test_every_promise_holds_in_every_order_of_steps(found: dict[str, Search], name: str):
    assert (found[name].broken, found[name].path) == ("", ())


def test_the_searches_are_large_enough_to_mean_something(found: dict[str, Search]):
    assert sum(result.states for result in found.values()) > 50_000


@pytest.mark.chaos
@pytest.mark.parametrize("name", LONG)
def test_every_promise_holds_in_the_larger_scenarios(name: str):
    result = search(Rules(), LONG[name])

    assert (result.broken, result.path) == ("", ())


# protection taken away, where it shows, what breaks, steps of the shortest way there
WITHOUT = [
    pytest.param(
        Rules(ledger_after_answer=False), BACK_TO_THE_OLD_VALUE, FALSE_LEDGER, 4, id="ledger before the answer"
    ),
    pytest.param(Rules(doubts_timeouts=False), BACK_TO_THE_OLD_VALUE, FALSE_LEDGER, 8, id="timeout taken for success"),
    pytest.param(
        Rules(keeps_lease_in_doubt=False), BACK_TO_THE_OLD_VALUE, NO_LEASE, 8, id="lease freed after a timeout"
    ),
    pytest.param(Rules(checks_lease=False), BACK_TO_THE_OLD_VALUE, NO_LEASE, 9, id="no lease check before a send"),
    pytest.param(Rules(drain=0), BACK_TO_THE_OLD_VALUE, FALSE_LEDGER, 13, id="no drain"),
    pytest.param(
        Rules(next_run_drains=False), BACK_TO_THE_OLD_VALUE, FALSE_LEDGER, 12, id="next run ignores old leases"
    ),
    pytest.param(Rules(fences=False), TWO_TRIES_OF_A_REMOVAL, NO_LEASE, 14, id="no fence"),
    pytest.param(Rules(reads_doubt=False), BACK_TO_THE_OLD_VALUE, LEFT_OUT, 13, id="doubt is not read before the plan"),
    pytest.param(Rules(fences_planner=False), BACK_TO_THE_OLD_VALUE, LEFT_OUT, 11, id="a stopped planner goes on"),
    pytest.param(
        Rules(supersedes_before_drain=False), CLEARED_WITH_A_NEW_FILE, FALSE_LEDGER, 13, id="old plan can still be sent"
    ),
    pytest.param(Rules(ends_claims=False), BACK_TO_THE_OLD_VALUE, FALSE_LEDGER, 16, id="claims outlive the lock"),
    pytest.param(
        Rules(keeps_doubt_of_unsent=False),
        TWO_TRIES_OF_A_REMOVAL,
        FALSE_LEDGER,
        20,
        id="doubt is lost with an unsent row",
    ),
    pytest.param(
        Rules(drains_reopened=False),
        WRITES_ARE_LOST_OR_REFUSED,
        NO_LEASE,
        18,
        id="second send does not drain the first",
    ),
    pytest.param(
        Rules(read_back_moves_delivered=False),
        TWO_TRIES_WRITES_ARE_LOST,
        NOTHING_TO_SEND,
        12,
        id="late read-back moves rows",
    ),
    # not a protection but the assumption that no rule can replace: HubSpot cannot refuse an older write
    pytest.param(Rules(bounded_pause=False), BACK_TO_THE_OLD_VALUE, NO_LEASE, 9, id="pause between check and send"),
]


@pytest.mark.parametrize(("rules", "scenario", "broken", "steps"), WITHOUT)
def test_without_a_protection_the_model_breaks(rules: Rules, scenario: Scenario, broken: str, steps: int):
    result = search(rules, scenario)

    assert result.broken == broken
    assert len(result.path) == steps, "\n".join(result.path)


@pytest.mark.parametrize("name", ["LEDGER_IS_LOST", "WRITES_ARE_LOST_OR_REFUSED"])
@pytest.mark.parametrize(
    "rules", [Rules(checks_lock=False), Rules(ledger_is_monotonic=False)], ids=["lock", "monotonic"]
)
def test_protections_that_others_back_up_are_not_needed_alone(rules: Rules, name: str):
    """The lock's look at the lease check and the ledger's order of runs are second lines of defence."""
    assert search(rules, globals()[name]).broken == ""


def public_moves(module: ModuleType) -> Iterator[str]:
    """Yield the public functions of a store module that change rows, by themselves or by a helper of theirs."""
    functions = {
        node.name: node for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.FunctionDef)
    }
    for name in functions:
        if not name.startswith("_") and _writes(name, functions):
            yield f"{module.__name__.rpartition('.')[2]}.{name}"


def _writes(name: str, functions: Mapping[str, ast.FunctionDef]) -> bool:
    for node in ast.walk(functions[name]):
        if isinstance(node, ast.Attribute) and node.attr in {"execute", "execute_many"}:
            return True
        calls = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else name
        if calls != name and calls in functions and _writes(calls, functions):
            return True
    return False


def test_the_model_makes_every_move_of_the_store_and_no_other(found: dict[str, Search]):
    moves = {name for module in (delta, ledger, lock, outbox) for name in public_moves(module)}

    assert {name for result in found.values() for name in result.moves} == moves


def test_the_model_reaches_every_state_of_the_store_and_no_other(found: dict[str, Search]):
    assert {state for result in found.values() for state in result.batch_states} == set(BatchState)
    assert {state for result in found.values() for state in result.row_states} == set(OutboxState)
    assert {state for result in found.values() for state in result.ledger_states} == set(LedgerState)
