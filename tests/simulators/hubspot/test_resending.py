"""A careful client survives `flaky`; a careless one is caught by the history."""

from __future__ import annotations

import hashlib
import json
from itertools import pairwise
from typing import Any

from tests.simulators.hubspot.harness import Simulator, build, row


def source() -> dict[str, dict[str, str]]:
    return {f"name{n:04d}-f": {"firstname": f"Name {n}", "total_births": str(n * 7)} for n in range(2000)}


def checksum(records: dict[str, dict[str, str]]) -> str:
    total = 0
    for key, values in records.items():
        text = "".join(f"{len(v.encode())}:{v};" for v in (key, values["firstname"], values["total_births"]))
        total += int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return f"{total % (1 << 64):016x}"


def send_until_acknowledged(sim: Simulator, batch: list[dict[str, Any]]) -> int:
    """Send the same batch again until it is answered with 200; return the number of tries."""
    for attempt in range(1, 50):
        sim.advance(2.5)
        try:
            if sim.upsert(batch).status == 200:
                return attempt
        except ConnectionResetError:
            continue
    raise AssertionError("never acknowledged")


def test_resending_through_flaky_ends_equal_and_without_doubles() -> None:
    sim = build(seed=3)
    sim.post("/__sim/faults", {"scenario": "flaky"})
    # ten times the rates of the scenario, so that 20 batches meet every fault
    sim.fault("502", p=0.1)
    sim.fault({"type": "drop", "reset": True}, "post_commit", p=0.2)
    records = source()
    inputs = [row(key, key, **values) for key, values in records.items()]

    tries = [send_until_acknowledged(sim, inputs[start : start + 100]) for start in range(0, 2000, 100)]

    found = sim.get("/__sim/checksum?props=baby_name_key,firstname,total_births").json()
    assert max(tries) > 1
    assert sim.stats()["dropped"] > 0
    assert (found["count"], found["sum"]) == (2000, checksum(records))
    assert len(sim.dump()) == 2000
    sim.close()


def stale_values(sim: Simulator, key: str) -> list[str]:
    """Return values that an older request wrote over those of a newer one."""
    history = sim.get(f"/__sim/history/baby_name_key/{key}").json()[0]["history"]["total_births"]
    return [late["value"] for early, late in pairwise(history) if late["seq"] < early["seq"]]


def overwrite(sim: Simulator, wait_s: float) -> list[str]:
    """Send 1, see it fail, wait, send 2; then let every delayed request arrive."""
    sim.post("/__sim/faults", {"scenario": "late_writes"})
    sim.upsert([row("mary-f", "0", total_births="0")])
    sim.fault({"type": "delayed_apply", "s": 20}, times=1)
    first = sim.upsert([row("mary-f", "1", total_births="1")])
    sim.advance(wait_s)
    second = sim.upsert([row("mary-f", "2", total_births="2")])
    sim.advance(60)
    assert (first.status, second.status) == (504, 200)
    return stale_values(sim, "mary-f")


def test_late_writes_catch_a_careless_client() -> None:
    sim = build()

    assert overwrite(sim, wait_s=1) == ["1"]
    assert sim.by_key("mary-f")[0]["properties"]["total_births"] == "1"
    sim.close()


def test_late_writes_spare_a_client_that_waits_long_enough() -> None:
    sim = build()

    assert overwrite(sim, wait_s=45) == []
    assert sim.by_key("mary-f")[0]["properties"]["total_births"] == "2"
    sim.close()


def test_the_silent_scenario_needs_a_read_back_to_be_seen() -> None:
    sim = build(seed=11)
    sim.post("/__sim/faults", {"scenario": "silent"})
    records = source()
    inputs = [row(key, key, **values) for key, values in records.items()]

    replies = [sim.upsert(inputs[start : start + 100]) for start in range(0, 2000, 100)]

    stored = {json.loads(json.dumps(c["properties"]))["baby_name_key"]: c["properties"] for c in sim.dump()}
    differing = [key for key, values in records.items() if stored.get(key) != {"baby_name_key": key, **values}]
    assert {reply.status for reply in replies} == {200}
    assert 1 <= len(differing) <= 150
    sim.close()
