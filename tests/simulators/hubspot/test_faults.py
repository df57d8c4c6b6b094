"""Every fault action, its phase, its matchers, and every scenario."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from tests.simulators.hubspot.harness import (
    CONTACTS,
    FULL_ACCESS,
    PROPERTIES,
    UPSERT,
    Simulator,
    SimulatorProcess,
    build,
    row,
    rows,
)
from tools.hubspot_simulator.fault_plan import PHASES
from tools.hubspot_simulator.scenarios import SCENARIOS

STATUSES = ["423", "477", "500", "502", "503", "504", *(str(code) for code in range(520, 527))]
CONNECTION_ACTIONS = {"drop", "hang"}
TESTED_BY_NAME = {
    "status", "429", "delay", "bad_json", "html_200", "empty_2xx", "lost_row", "wrong_value", "row_error",
    "apply_half", "delayed_apply", "duplicate_delivery", "results_without_trace", "wrong_count", "foreign_result",
    "token_expire", "token_rotate", "scope_removed", "property_archived", "portal_rule_on", "tier_change",
    "daily_exhaust",
}  # fmt: skip


def test_the_tests_below_know_every_action() -> None:
    assert set(PHASES) == TESTED_BY_NAME | CONNECTION_ACTIONS | set(STATUSES)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize(("phase", "stored"), [("pre_auth", 0), ("pre", 0), ("post_commit", 3)])
def test_a_status_before_and_after_the_commit(sim: Simulator, status: str, phase: str, stored: int) -> None:
    sim.fault({"type": status, "retry_after": 30}, phase, times=1)

    reply = sim.upsert(rows(3))

    assert (reply.status, reply.headers["retry-after"]) == (int(status), "30")
    assert reply.json()["status"] == "error"
    assert len(sim.dump()) == stored
    assert sim.upsert(rows(3)).status == 200


@pytest.mark.parametrize(
    ("body", "start"),
    [("json", b'{"status":"error"'), ("minimal", b'{"status"'), ("html", b"<!DOCTYPE"), ("empty", b"")],
)
def test_bodies_of_a_forced_status(sim: Simulator, body: str, start: bytes) -> None:
    sim.fault({"type": "status", "code": 418, "body": body, "headers": {"X-Cut": "1"}})

    reply = sim.get(CONTACTS)

    assert (reply.status, reply.headers["x-cut"]) == (418, "1")
    assert reply.content.startswith(start)
    assert bool(reply.content) == bool(start)


def test_a_forced_429_names_policy_and_wait(sim: Simulator) -> None:
    sim.fault({"type": "429", "policy": "DAILY", "retry_after": 7})

    reply = sim.get(CONTACTS)

    assert (reply.status, reply.json()["policyName"], reply.headers["retry-after"]) == (429, "DAILY", "7")


def test_a_delay_takes_time_and_changes_nothing(sim: Simulator) -> None:
    sim.fault({"type": "delay", "ms": 1500})

    assert sim.get(CONTACTS).status == 200
    assert sim.log()[-1]["latency_ms"] == 1500


@pytest.mark.parametrize(("phase", "stored"), [("pre", 0), ("post_commit", 3)])
@pytest.mark.parametrize("action", ["bad_json", "html_200", "empty_2xx"])
def test_a_200_that_says_nothing(sim: Simulator, action: str, phase: str, stored: int) -> None:
    sim.fault(action, phase)

    reply = sim.upsert(rows(3))

    assert reply.status == 200
    assert len(sim.dump()) == stored
    if action == "empty_2xx":
        assert reply.json()["results"] == []
    else:
        with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
            reply.json()


def test_a_lost_row_is_answered_but_not_stored(sim: Simulator) -> None:
    sim.fault("lost_row", row={"prop": "baby_name_key", "regex": "00001"})

    reply = sim.upsert(rows(3))

    assert len(reply.json()["results"]) == 3
    assert sorted(c["properties"]["baby_name_key"] for c in sim.dump()) == ["name00000-f", "name00002-f"]


def test_a_wrong_value_is_stored_otherwise_than_answered(sim: Simulator) -> None:
    sim.fault("wrong_value", row={"regex": "00001"})

    reply = sim.upsert(rows(3, total_births="5"))

    assert [item["properties"]["total_births"] for item in reply.json()["results"]] == ["5"] * 3
    assert sorted(c["properties"]["total_births"] for c in sim.dump()) == ["5", "5", "6"]


def test_a_row_error_hits_its_rows_only(sim: Simulator) -> None:
    sim.fault({"type": "row_error", "category": "VALIDATION_ERROR", "error_code": "CUSTOM"}, row={"regex": "0000[12]"})

    partial, whole = sim.upsert(rows(4)), sim.upsert(rows(4, traced=False))

    traces = [entry["context"]["objectWriteTraceId"] for entry in partial.json()["errors"]]
    assert (partial.status, traces) == (207, [["t1"], ["t2"]])
    assert (whole.status, whole.json()["errors"][0]["code"]) == (400, "CUSTOM")


def test_half_of_a_request_is_applied(sim: Simulator) -> None:
    sim.fault("apply_half", times=1)

    reply = sim.upsert(rows(10))

    assert reply.status == 504
    assert len(sim.dump()) == 5
    assert sim.upsert(rows(10)).status == 200
    assert len(sim.dump()) == 10


def test_a_delayed_request_is_applied_later(sim: Simulator) -> None:
    sim.fault({"type": "delayed_apply", "s": 5}, times=1)

    reply = sim.upsert(rows(2))
    before = len(sim.dump())
    sim.advance(4)
    not_yet = len(sim.dump())
    sim.advance(2)

    assert (reply.status, before, not_yet, len(sim.dump())) == (504, 0, 0, 2)
    assert sim.log()[-1]["applied"] == "all"
    assert sim.log()[-1]["applied_at"] - sim.log()[-1]["answered"] == 5000


def test_a_request_is_delivered_twice(sim: Simulator) -> None:
    sim.fault({"type": "duplicate_delivery", "ms": 100}, times=1)

    reply = sim.upsert(rows(3))
    sim.advance(1)

    assert reply.status == 200
    assert len(sim.dump()) == 3
    assert sim.stats()["dup_row_writes"] == 3


def test_results_and_errors_without_trace(sim: Simulator) -> None:
    sim.config(echo_trace_id="true")
    sim.fault("results_without_trace")

    body = sim.upsert([row("a", "1"), row("b", "2", baby_sex="Q")]).json()

    assert "objectWriteTraceId" not in body["results"][0]
    assert "objectWriteTraceId" not in body["errors"][0]["context"]


def test_a_wrong_count_and_a_foreign_result(sim: Simulator) -> None:
    sim.fault("wrong_count", times=1)
    short = sim.upsert(rows(3)).json()
    sim.fault("foreign_result", times=1)
    foreign = sim.upsert(rows(3)).json()

    assert (len(short["results"]), short["numErrors"]) == (2, 1)
    assert len(foreign["results"]) == 4
    assert "999999999999" in {item["id"] for item in foreign["results"]}


def test_a_token_expires_midway(sim: Simulator) -> None:
    sim.fault("token_expire", nth=[2])

    assert [sim.get(CONTACTS).status for _ in range(3)] == [200, 401, 401]


def test_a_token_is_rotated(sim: Simulator) -> None:
    sim.fault({"type": "token_rotate", "new_token": "pat-sim-second"}, times=1)

    old = sim.get(CONTACTS)
    new = sim.get(CONTACTS, token="pat-sim-second")

    assert (old.status, new.status) == (401, 200)


def test_a_scope_is_removed(sim: Simulator) -> None:
    sim.fault({"type": "scope_removed", "scope": "crm.objects.contacts.write"}, times=1)

    assert (sim.upsert(rows(1)).status, sim.get(CONTACTS).status) == (403, 200)


def test_a_property_is_archived_midway(sim: Simulator) -> None:
    sim.fault({"type": "property_archived", "prop": "total_births"}, times=1, nth=[2])

    statuses = [sim.upsert([row("a", "1", total_births="1")]).status for _ in range(2)]

    assert statuses == [200, 207]
    assert sim.get(f"{PROPERTIES}/total_births").status == 404
    assert sim.get(f"{PROPERTIES}/total_births?archived=true").status == 200


def test_a_portal_rule_is_switched_on(sim: Simulator) -> None:
    rule = {"name": "r", "if_prop": "baby_sex", "equals": "F", "then_required": "lastname"}
    sim.fault({"type": "portal_rule_on", "rule": rule}, times=1)

    assert sim.upsert([row("a", "1", baby_sex="F"), row("b", "2")]).status == 207


def test_the_tier_changes(sim: Simulator) -> None:
    sim.fault({"type": "tier_change", "tier": "free"}, times=1)

    assert sim.get(CONTACTS).headers["x-hubspot-ratelimit-max"] == "100"


def test_the_day_is_used_up(sim: Simulator) -> None:
    sim.fault("daily_exhaust", "pre_auth", times=1)

    assert sim.get(CONTACTS).json()["policyName"] == "DAILY"


@pytest.mark.parametrize(
    ("match", "hits"),
    [
        ({"method": "POST"}, [0, 1, 0, 1, 0, 1, 0, 1]),
        ({"path_regex": "batch/upsert$"}, [0, 1, 0, 1, 0, 1, 0, 1]),
        ({"nth": [1, 4]}, [1, 0, 0, 1, 0, 0, 0, 0]),
        ({"every": 3}, [0, 0, 1, 0, 0, 1, 0, 0]),
        ({"p": 0.0}, [0] * 8),
        ({"row": {"prop": "baby_name_key", "regex": "^name00000"}}, [0, 1, 0, 1, 0, 1, 0, 1]),
        ({"row": {"prop": "baby_name_key", "regex": "^x"}}, [0] * 8),
        ({"after_s": 4}, [0, 0, 0, 0, 1, 1, 1, 1]),
        ({"for_s": 2}, [1, 1, 0, 0, 0, 0, 0, 0]),
    ],
)
def test_matchers(sim: Simulator, match: dict[str, Any], hits: list[int]) -> None:
    sim.fault("503", **match)

    statuses = []
    for place in range(8):
        reply = sim.upsert(rows(1)) if place % 2 else sim.get(CONTACTS)
        statuses.append(int(reply.status == 503))
        sim.advance(1)

    assert statuses == hits


def test_probability_depends_on_the_request_not_on_the_order(sim: Simulator) -> None:
    sim.fault("503", p=0.5)
    calls = [f"{CONTACTS}?limit={n}" for n in range(1, 61)]

    forward = {call: sim.get(call).status for call in calls}
    sim.post("/__sim/reset", {"keep_properties": True})
    sim.fault("503", p=0.5)
    backward = {call: sim.get(call).status for call in reversed(calls)}

    assert forward == backward
    assert 15 < list(forward.values()).count(503) < 45


def test_faults_can_be_listed_and_removed(sim: Simulator) -> None:
    fault_id = sim.fault("503", times=2)
    sim.get(CONTACTS)

    listed = sim.get("/__sim/faults").json()
    removed = sim.request("DELETE", f"/__sim/faults/{fault_id}")

    assert [(fault["id"], fault["hits"]) for fault in listed] == [(fault_id, 1)]
    assert removed.status == 204
    assert sim.get(CONTACTS).status == 200
    assert sim.request("DELETE", "/__sim/faults/f99").status == 400


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"action": {"type": "nothing"}},
        {"action": {"type": "503"}, "phase": "later"},
        {"action": {"type": "lost_row"}, "phase": "post_commit"},
        {"action": {"type": "503", "codes": 1}},
        {"action": {"type": "status", "code": 99}},
        {"action": {"type": "503", "body": "xml"}},
        {"action": {"type": "tier_change", "tier": "gold"}},
        {"action": {"type": "portal_rule_on", "rule": {"name": "x"}}},
        {"action": {"type": "503"}, "match": {"path_regex": "("}},
        {"action": {"type": "503"}, "match": {"row": {"p": "often"}}},
        {"action": {"type": "503"}, "match": {"nth": ["one"]}},
        {"action": {"type": "503"}, "times": 0},
        {"scenario": "hurricane"},
    ],
)
def test_a_wrong_fault_is_refused(sim: Simulator, spec: dict[str, Any]) -> None:
    assert sim.post("/__sim/faults", spec).status == 400
    assert sim.get("/__sim/faults").json() == []


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_scenarios_can_be_switched_on(sim: Simulator, name: str) -> None:
    reply = sim.post("/__sim/faults", {"scenario": name})

    assert (reply.status, len(reply.json()["ids"])) == (201, len(SCENARIOS[name]))


def test_what_some_scenarios_do() -> None:
    sim = build()
    sim.post("/__sim/faults", {"scenario": "outage"})
    during = sim.get("/crm/limits/2026-09/records").status
    sim.advance(61)
    after = sim.get("/crm/limits/2026-09/records").status
    sim.post("/__sim/reset", {"keep_properties": True})
    sim.post("/__sim/faults", {"scenario": "poison_rows"})
    first, second = (sim.upsert(rows(100, start=n)) for n in (0, 0))

    poisoned = [{e["context"]["objectWriteTraceId"][0] for e in r.json().get("errors", [])} for r in (first, second)]
    assert (during, after) == (503, 200)
    assert poisoned[0] == poisoned[1]
    sim.close()


def test_named_scenarios_with_a_lasting_effect(sim: Simulator) -> None:
    sim.post("/__sim/faults", {"scenario": "migration_477"})
    moved = sim.get(CONTACTS)
    sim.request("DELETE", "/__sim/faults")
    sim.post("/__sim/faults", {"scenario": "daily_exhausted"})
    exhausted = sim.get(CONTACTS)
    sim.post("/__sim/reset", {"keep_properties": True})
    sim.post("/__sim/faults", {"scenario": "token_revoked_midway"})
    statuses = [sim.get(CONTACTS).status for _ in range(52)]

    assert (moved.status, moved.headers["retry-after"]) == (477, "86400")
    assert exhausted.json()["policyName"] == "DAILY"
    assert statuses == [200] * 49 + [401] * 3


def add_fault(server: SimulatorProcess, action: dict[str, Any], phase: str = "pre") -> None:
    spec = {"action": action, "phase": phase, "times": 1, "match": {"path_regex": "^/crm/objects"}}
    assert server.client.post("/__sim/faults", json=spec).status_code == 201


@pytest.mark.parametrize(("phase", "is_stored"), [("pre", False), ("post_commit", True)])
@pytest.mark.parametrize("action", [{"type": "drop"}, {"type": "drop", "reset": True}, {"type": "hang", "s": 0.05}])
def test_a_dropped_connection(server: SimulatorProcess, action: dict[str, Any], phase: str, is_stored: bool) -> None:  # noqa: FBT001
    server.client.post("/__sim/reset", json={"keep_properties": True})
    add_fault(server, action, phase)

    with pytest.raises(httpx.HTTPError) as caught:
        server.client.post(UPSERT, json={"inputs": rows(3)})

    expected = httpx.ReadError if action.get("reset") else httpx.RemoteProtocolError
    assert isinstance(caught.value, expected)
    assert len(server.client.get("/__sim/contacts").text.splitlines()) == (3 if is_stored else 0)
    assert server.client.get("/__sim/stats").json()["dropped"] == 1
    assert server.client.post(UPSERT, json={"inputs": rows(3)}).status_code == 200


def test_a_delayed_apply_can_drop_the_connection(server: SimulatorProcess) -> None:
    server.client.post("/__sim/reset", json={"keep_properties": True})
    add_fault(server, {"type": "delayed_apply", "ms": 10, "then": "drop"})

    with pytest.raises(httpx.ReadError):
        server.client.post(UPSERT, json={"inputs": rows(3)})

    deadline = time.monotonic() + 5
    while not server.client.get("/__sim/contacts").text and time.monotonic() < deadline:
        pass
    assert len(server.client.get("/__sim/contacts").text.splitlines()) == 3


def test_truncated_and_dripping_bodies(server: SimulatorProcess) -> None:
    add_fault(server, {"type": "500", "body": "truncated"})
    with pytest.raises(httpx.RemoteProtocolError):
        server.client.get(CONTACTS)

    add_fault(server, {"type": "500", "body": "slow_drip"})
    started = time.monotonic()
    reply = server.client.get(CONTACTS)

    assert reply.json()["status"] == "error"
    assert time.monotonic() - started > 1


def test_a_client_that_leaves_does_not_stop_the_application(server: SimulatorProcess) -> None:
    server.client.post("/__sim/reset", json={"keep_properties": True})
    add_fault(server, {"type": "delay", "ms": 200})

    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            server.url + UPSERT,
            json={"inputs": rows(3)},
            headers={"Authorization": f"Bearer {FULL_ACCESS}"},
            timeout=httpx.Timeout(5, read=0.05),
            trust_env=False,
        )

    deadline = time.monotonic() + 5
    log: list[str] = []
    while not log and time.monotonic() < deadline:
        log = server.client.get("/__sim/requests").text.splitlines()
    assert '"applied":"all"' in log[0]
    assert '"answer_sent":false' in log[0]
