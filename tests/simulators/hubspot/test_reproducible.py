"""The same seed and the same requests give the same bytes."""

from __future__ import annotations

from typing import Any

from tests.simulators.hubspot.harness import CONTACTS, PROPERTIES, READ, build, row, rows


def transcript(**knobs: Any) -> list[tuple[int, dict[str, str], bytes]]:
    sim = build(latency="default", apply_at="random", retry_after_on_429="sometimes(0.5)", **knobs)
    sim.post("/__sim/faults", {"scenario": "flaky"})
    sim.fault("503", p=0.2)
    read = {"properties": ["firstname"], "propertiesWithHistory": ["firstname"], "idProperty": "baby_name_key"}
    replies = []
    for turn in range(6):
        replies += [
            sim.upsert([*rows(40, start=turn * 20, firstname=f"n{turn}"), row("bad", "x", baby_sex="Q")]),
            sim.post(READ, {**read, "inputs": [{"id": f"name{n:05d}-f"} for n in range(50)]}),
            sim.post(f"{CONTACTS}/search", {"query": "n1", "limit": 10}),
            sim.get(f"{CONTACTS}?limit=5"),
            sim.get(f"{PROPERTIES}/baby_sex"),
            sim.upsert([row("same", "1"), row("same", "2")]),
        ]
    replies.append(sim.get("/__sim/checksum?props=baby_name_key,firstname"))
    sim.close()
    return [(reply.status, reply.headers, reply.content) for reply in replies]


def test_same_seed_same_bytes() -> None:
    assert transcript(seed=7) == transcript(seed=7)


def test_another_seed_gives_other_bytes() -> None:
    assert transcript(seed=7) != transcript(seed=8)


def test_a_reset_portal_repeats_itself() -> None:
    sim = build(latency="default")
    sim.post("/__sim/reset", {"keep_properties": True})
    first = sim.upsert(rows(20)).json()["results"]
    sim.post("/__sim/reset", {"keep_properties": True})

    again = sim.upsert(rows(20)).json()["results"]

    assert [item["id"] for item in again] == [item["id"] for item in first]
    sim.close()


def test_the_default_latency_has_the_promised_shape() -> None:
    sim = build(latency="default", burst_override=100_000)
    for turn in range(300):
        sim.upsert(rows(100, start=turn * 100))

    took = sorted(entry["latency_ms"] for entry in sim.log() if entry["n_inputs"] == 100)

    assert 480 < took[len(took) // 2] < 650
    assert 1100 < took[int(len(took) * 0.95)] < 2200
    sim.close()
