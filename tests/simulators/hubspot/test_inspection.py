"""`/__sim`: counters, dump, history, checksum, seed, edit, reset, snapshot, tokens, metrics."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests.simulators.hubspot.harness import CONTACTS, PROPERTIES, UPSERT, Simulator, build, row, rows


def test_the_control_is_neither_counted_nor_logged(sim: Simulator) -> None:
    sim.post("/__sim/reset", {"keep_properties": True})

    for path in ("stats", "health", "timeline", "contacts", "metrics", "config"):
        assert sim.get(f"/__sim/{path}").status == 200

    assert sim.stats()["requests"] == 0
    assert sim.log() == []


def test_stats_count_what_happened(sim: Simulator) -> None:
    sim.post("/__sim/reset", {"keep_properties": True})
    sim.upsert(rows(3))
    sim.upsert([row("bad", "1", baby_sex="Q")])
    sim.get(f"{CONTACTS}/5")
    contact = sim.dump()[0]["id"]
    sim.request("DELETE", f"{CONTACTS}/{contact}")

    stats = sim.stats()

    assert stats["by_status"] == {"200": 1, "204": 1, "207": 1, "404": 1}
    assert (stats["accepted"], stats["requests"], stats["error_rate"]) == (4, 4, 0.25)
    assert (stats["rows_new"], stats["rows_failed"], stats["rows_archived"], stats["live_contacts"]) == (3, 1, 1, 2)
    assert stats["write_calls_by_path"] == {UPSERT: 2, f"{CONTACTS}/{{id}}": 1}
    assert stats["write_calls"] == 3
    assert stats["max_in_any_10s_window"] == 4


def test_the_log_says_what_was_applied(sim: Simulator) -> None:
    reply = sim.upsert([*rows(2), row("bad", "1", baby_sex="Q")])

    entry = sim.log()[-1]
    assert (entry["n_inputs"], entry["n_ok"], entry["n_err"], entry["applied"]) == (3, 2, 1, "part")
    assert entry["correlation_id"] == reply.headers["x-hubspot-correlation-id"]
    assert (entry["status"], entry["version"], entry["app_id"]) == (207, "2026-09", 1001)


def test_the_timeline_is_per_second(sim: Simulator) -> None:
    sim.post("/__sim/reset", {"keep_properties": True})
    sim.upsert(rows(4))
    sim.advance(3)
    sim.upsert(rows(2))

    timeline = sim.get("/__sim/timeline").json()

    assert [(second["requests"], second["rows"]) for second in timeline] == [(1, 4), (1, 2)]
    assert timeline[1]["second"] - timeline[0]["second"] == 3


def test_dump_pages_and_properties(sim: Simulator) -> None:
    sim.upsert(rows(5, firstname="Mary"))
    first = sim.dump()[0]["id"]

    lines = sim.get(f"/__sim/contacts?after={first}&limit=2&props=firstname,lastname").content.splitlines()

    assert len(lines) == 2
    assert json.loads(lines[0])["properties"] == {"firstname": "Mary", "lastname": None}
    assert sim.get("/__sim/contacts?after=x").status == 400


def test_history_keeps_every_value_with_its_request(sim: Simulator) -> None:
    for number in ("1", "2", "2", "3"):
        sim.upsert([row("mary-f", "1", total_births=number)])
    sim.upsert([row("mary-f", "1", total_births="")])

    history = sim.get("/__sim/history/baby_name_key/mary-f").json()[0]["history"]

    values = [(entry["value"], entry["seq"]) for entry in history["total_births"]]
    first = values[0][1]
    assert values == [("1", first), ("2", first + 1), ("3", first + 3), (None, first + 4)]
    assert [entry["value"] for entry in history["baby_name_key"]] == ["mary-f"]
    assert sim.get("/__sim/history/baby_name_key/nobody").json() == []


def test_the_checksum_can_be_computed_elsewhere(sim: Simulator) -> None:
    sim.upsert([row("mary-f", "1", firstname="Märy"), row("john-m", "2")])
    sim.post(CONTACTS, {"properties": {"firstname": "keyless"}})

    reply = sim.get("/__sim/checksum?props=baby_name_key,firstname").json()

    texts = ["6:mary-f;5:Märy;", "6:john-m;0:;"]
    expected = sum(int(hashlib.sha256(text.encode()).hexdigest()[:16], 16) for text in texts) % (1 << 64)
    assert (reply["count"], reply["sum"]) == (2, f"{expected:016x}")
    assert sim.get("/__sim/checksum").status == 400


def test_the_checksum_does_not_depend_on_the_order() -> None:
    sums = []
    for inputs in (rows(30), list(reversed(rows(30)))):
        sim = build(seed=len(sums) + 1)
        sim.upsert(inputs)
        sums.append(sim.get("/__sim/checksum?props=baby_name_key").json()["sum"])
        sim.close()

    assert sums[0] == sums[1]


def test_seeded_contacts_are_found_by_key_and_are_not_counted(sim: Simulator) -> None:
    lines = [
        {"properties": {"firstname": "Keyless"}},
        {"properties": {"baby_name_key": "mary-f", "firstname": "Mary"}},
        {"properties": {"baby_name_key": "old-f"}, "archived": True},
    ]
    body = "\n".join(json.dumps(line) for line in lines).encode()

    seeded = sim.post("/__sim/seed", body).json()
    reply = sim.upsert([row("mary-f", "1"), row("old-f", "2")])

    assert seeded == {"seeded": 3}
    assert {i["properties"]["baby_name_key"]: i["new"] for i in reply.json()["results"]} == {
        "mary-f": False,
        "old-f": True,
    }
    stats = sim.stats()
    assert (stats["live_contacts"], stats["rows_new"], stats["unique_contacts"]) == (3, 1, 2)
    assert sim.post("/__sim/seed", b"nonsense").status == 400


def test_edit_as_a_portal_user(sim: Simulator) -> None:
    sim.upsert([row("mary-f", "1"), row("john-m", "2"), row("anna-f", "3")])
    before = sim.stats()["rows_updated"]
    mary = {"prop": "baby_name_key", "value": "mary-f"}
    john, anna = (sim.by_key(key)[0]["id"] for key in ("john-m", "anna-f"))

    changed = sim.post("/__sim/edit", {**mary, "properties": {"firstname": "Maria"}})
    archived = sim.post("/__sim/edit", {**mary, "action": "archive"})
    binned = sim.by_key("mary-f")[0]["archived"]
    restored = sim.post("/__sim/edit", {**mary, "action": "restore"})
    merged = sim.post("/__sim/edit", {"id": john, "action": "merge", "into": anna})

    assert [r.status for r in (changed, archived, restored, merged)] == [200] * 4
    assert binned is True
    assert sim.by_key("mary-f")[0]["properties"]["firstname"] == "Maria"
    assert sim.get(f"{CONTACTS}/{john}").json()["id"] == merged.json()["id"]
    assert sim.stats()["rows_updated"] == before
    assert sim.upsert([row("mary-f", "1")]).json()["results"][0]["new"] is False


@pytest.mark.parametrize(
    "body",
    [
        {"id": "1"},
        {"prop": "baby_name_key", "value": "nobody"},
        {"prop": "baby_name_key", "value": "mary-f", "action": "paint"},
        {"prop": "baby_name_key", "value": "mary-f", "properties": {"baby_sex": "Q"}},
        {"prop": "baby_name_key", "value": "mary-f", "properties": []},
    ],
)
def test_impossible_edits(sim: Simulator, body: dict[str, object]) -> None:
    sim.upsert([row("mary-f", "1")])

    assert sim.post("/__sim/edit", body).status == 400


def test_reset_keeps_or_drops_properties(sim: Simulator) -> None:
    sim.upsert(rows(3))
    sim.fault("503")

    sim.post("/__sim/reset", {"keep_properties": True})
    kept = sim.get(f"{PROPERTIES}/baby_name_key").status
    stats = sim.stats()
    sim.post("/__sim/reset", {})
    dropped = sim.get(f"{PROPERTIES}/baby_name_key").status

    assert (kept, dropped) == (200, 404)
    assert (stats["live_contacts"], stats["rows_new"], stats["write_calls"]) == (0, 0, 0)
    assert sim.dump() == []


def test_snapshot_and_restore(sim: Simulator) -> None:
    sim.upsert(rows(3))
    sim.post("/__sim/snapshot", {"name": "three"})
    sim.upsert(rows(9))

    restored = sim.post("/__sim/restore", {"name": "three"})

    assert restored.status == 200
    assert sim.stats()["live_contacts"] == 3
    assert sim.upsert(rows(9)).json()["status"] == "COMPLETE"
    assert sim.post("/__sim/restore", {"name": "nothing"}).status == 400


def test_config_is_all_or_nothing(sim: Simulator) -> None:
    wrong = sim.post("/__sim/config", {"tier": "free", "burts_override": 5})
    fixed = sim.post("/__sim/config", {"port": 1})
    good = sim.post("/__sim/config", {"tier": "free", "daily_used": 249_999})

    assert (wrong.status, fixed.status, good.status) == (400, 400, 200)
    assert "did you mean burst_override?" in wrong.json()["error"]
    assert sim.get(CONTACTS).headers["x-hubspot-ratelimit-max"] == "100"
    assert sim.get(CONTACTS).json()["policyName"] == "DAILY"


def test_usage_follows_the_day_and_can_fail(sim: Simulator) -> None:
    sim.config(daily_used=1000, time_zone="UTC")
    path = "/account-info/2026-09/api-usage/daily/private-apps"

    good = sim.get(path).json()["results"][0]
    sim.config(usage_fetch_status="FAILURE")
    bad = sim.get(path).json()["results"][0]

    assert (good["usageLimit"], good["currentUsage"], good["fetchStatus"]) == (625_000, 1001, "SUCCESS")
    assert good["resetsAt"].endswith("T00:00:00.000Z")
    assert (bad["fetchStatus"], "resetsAt" in bad) == ("FAILURE", False)


def test_metrics_are_prometheus_text(sim: Simulator) -> None:
    sim.upsert(rows(2))

    lines = sim.get("/__sim/metrics").content.decode().splitlines()

    assert "hubspot_sim_rows_new 2" in lines
    assert 'hubspot_sim_answers_total{status="200"} 1' in lines


def test_a_token_needs_its_text(sim: Simulator) -> None:
    assert sim.post("/__sim/tokens", {"kind": "oauth"}).status == 400
    assert sim.post("/__sim/tokens", {"token": "pat-x", "kind": "cookie"}).status == 400


def test_a_real_clock_cannot_be_advanced() -> None:
    sim = build(clock="real")

    assert sim.post("/__sim/clock/advance", {"s": 1}).status == 400
    sim.close()
