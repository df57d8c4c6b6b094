"""What the exporter reads, on a real server: rows that the store wrote in, samples out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import MySQLdb
import pytest

from include.hubspot_sync.config import ReadBack, SyncDefinition
from include.hubspot_sync.destination.protocol import AnswerHead, Verdict
from include.hubspot_sync.engine.answer_tally import AnswerTally
from include.hubspot_sync.engine.async_store import AsyncStore
from include.hubspot_sync.engine.gate import Gate
from include.hubspot_sync.errors import ConfigError, StoreUnavailableError
from include.hubspot_sync.observe import metrics
from include.hubspot_sync.orchestration.metrics_exporter import READ_TIMEOUT_S, TimedReader, open_reader
from include.hubspot_sync.records import Chore, HeardAnswer, Phase, RejectedLine, RunMode, RunState
from include.hubspot_sync.store import chores, dataset_versions, delta, lock, outbox, pacing, phases, rejects, runs
from include.hubspot_sync.store.connection import Database, Transaction
from include.hubspot_sync.store.outbox import Settlement, Writer
from include.hubspot_sync.store.rejects import RejectedChange
from include.hubspot_sync.store.runs import Run
from tests.support.mysql_server import TestServer
from tests.support.rows import PORTAL, SourceRow, open_run, stage
from tests.support.samples import Samples
from tools.local_stack.mysql import MysqlAddress

pytestmark = pytest.mark.sql

ROWS: list[SourceRow] = [(1900, name, "F", 10) for name in ("Ada", "Bea", "Cleo", "Dora", "Eve")]
SYNCS = ("baby_names",)
COUNTS = {"records": 12, "created": 5, "updated": 3, "archived": 2, "unchanged": 1, "rejected": 1, "quarantined": 1}
PURGE = (
    "DELETE FROM outbox",
    "DELETE FROM batch",
    "DELETE FROM snapshot",
    "DELETE FROM rejected_record",
    "DELETE FROM staging_baby_names",
    "DELETE FROM audit_event",
)
"""What may be emptied; runs, their ends, their requests and their phases stay."""


@pytest.fixture
def read(schema: MysqlAddress) -> Callable[[], Samples]:
    reader = open_reader(schema.url, SYNCS)
    return lambda: Samples.of(reader())


@pytest.fixture
def execute(connect: Callable[[], MySQLdb.connections.Connection]) -> Callable[..., None]:
    def run(*statements: str) -> None:
        with closing(connect()) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            connection.commit()

    return run


@pytest.fixture
def run(database: Database, definition: SyncDefinition) -> Run:
    return open_run(database, definition, "dag:first")


@pytest.fixture
def planned_run(database: Database, definition: SyncDefinition, run: Run, tmp_path: Path) -> Run:
    """Five creates in batches of 2, 2 and 1, all of one shard."""
    staged = stage(database, definition, run, tmp_path, ROWS)

    def plan(transaction: Transaction) -> None:
        first = delta.queue_changes(transaction, staged, batch_size=2, is_resync=False, with_archives=True)
        delta.cut_batches(transaction, staged, first_batch_no=first, shard_count=1, plan_hash=b"p" * 32)

    database.run(plan)
    return staged


def close(database: Database, run: Run, state: RunState, counts: Mapping[str, Any] | None = None) -> None:
    is_accepted = state is RunState.DONE and run.mode is not RunMode.PLAN_ONLY
    database.run(lambda t: runs.close_run(t, run.run_id, state, counts or {}, text="", is_accepted=is_accepted))
    database.run(lambda t: lock.release_lock(t, run, drain_s=0))


def settle_next(database: Database, run: Run, **settlement: Any) -> outbox.Claim:
    writer = Writer(run.run_id, run.sync_name, PORTAL, run.epoch or 0, 1, 0, "try 1", 30, 1, ReadBack.FULL)
    batch = database.run(lambda t: outbox.open_batches(t, writer))[0]
    claim = database.run(lambda t: outbox.claim_batch(t, writer, batch))
    assert claim is not None
    answer = Settlement(**{"delivered": {change.seq: 1 for change in claim.changes}, "is_clean": True} | settlement)
    database.run(lambda t: outbox.settle_batch(t, writer, claim, answer))
    return claim


def refuse(database: Database, run: Run, seq: int, key_text: str, reason: str) -> None:
    change = RejectedChange(seq, key_text, reason, "no such option", "corr-1")
    database.run(lambda t: rejects.insert_rejected_changes(t, run.run_id, run.sync_name, [change]))


def quarantine(database: Database, run: Run, reasons: list[str]) -> None:
    lines = [RejectedLine(number, "Number", reason, "wrong", "raw", None) for number, reason in enumerate(reasons, 2)]
    database.run(lambda t: rejects.insert_rejected_lines(t, run.run_id, run.sync_name, "v1", lines))


def ends(samples: Samples, mode: str = "incremental") -> tuple[float, float, float]:
    return tuple(samples(f"{name}_total", mode=mode) for name in ("success", "failure", "superseded"))


def test_every_counter_of_a_known_sync_is_there_before_its_first_run(read: Callable[[], Samples]):
    samples = read()

    assert ends(samples) == (0, 0, 0)
    assert set(samples.counters().values()) == {0}
    assert samples("queue_depth") == samples("new_version_age_seconds") == 0
    assert not samples.has("last_finished_timestamp_seconds")


def test_rows_of_an_unknown_sync_are_no_series(schema: MysqlAddress, database: Database, planned_run: Run):
    close(database, planned_run, RunState.DONE, COUNTS)

    samples = Samples.of(open_reader(schema.url, ["other"])())

    assert {labels["sync"] for labels in (dict(key[1]) for key in samples.values)} == {"other"}
    assert set(samples.counters().values()) == {0}


def test_counts_of_a_good_run(database: Database, run: Run, read: Callable[[], Samples]):
    close(database, run, RunState.DONE, COUNTS | {"verified": 9, "mismatched": 1, "open": 4})

    samples = read()

    assert ends(samples) == (1, 0, 0)
    delivered = [
        samples("records_total", operation=name, outcome="delivered") for name in ("create", "update", "archive")
    ]
    assert delivered == [5, 3, 2]
    left = [
        samples("records_total", operation="none", outcome=name) for name in ("unchanged", "rejected", "quarantined")
    ]
    assert left == [1, 1, 1]
    assert samples("records_total", operation="none", outcome="open") == 4
    assert (samples("verified_total"), samples("mismatched_total")) == (9, 1)


def test_times_are_those_of_the_database(
    database: Database, run: Run, read: Callable[[], Samples], execute: Callable[..., None]
):
    close(database, run, RunState.DONE, COUNTS)
    execute("UPDATE run_end SET started_at = '2026-03-01 00:00:00', ended_at = '2026-03-01 00:01:30.5'")

    samples = read()

    assert samples("last_success_timestamp_seconds") == samples("last_finished_timestamp_seconds") == 1772323290.5
    buckets = [samples("duration_seconds_bucket", mode="incremental", le=le) for le in ("60", "120", "14400", "+Inf")]
    assert buckets == [0, 1, 1, 1]
    assert samples("duration_seconds_sum", mode="incremental") == 90.5
    assert samples("duration_seconds_count", mode="incremental") == 1


def test_duration_on_a_bound_is_inside_and_one_above_all_bounds_is_counted(
    database: Database, definition: SyncDefinition, read: Callable[[], Samples], execute: Callable[..., None]
):
    for name in ("dag:a", "dag:b"):
        close(database, open_run(database, definition, name), RunState.DONE, COUNTS)
    execute(
        "UPDATE run_end SET ended_at = started_at + INTERVAL 60 SECOND WHERE run_id = 1",
        "UPDATE run_end SET ended_at = started_at + INTERVAL 2 DAY WHERE run_id = 2",
    )

    samples = read()

    buckets = [samples("duration_seconds_bucket", mode="incremental", le=le) for le in ("30", "60", "14400", "+Inf")]
    assert buckets == [0, 1, 1, 2]
    assert samples("duration_seconds_sum", mode="incremental") == 60 + 172_800


def test_run_that_failed_and_is_cleared_counts_both_ends(
    database: Database, definition: SyncDefinition, run: Run, read: Callable[[], Samples]
):
    close(database, run, RunState.FAILED, {"created": 3, "open": 2})
    failed = read()
    again = open_run(database, definition, "dag:first")
    cleared = read()
    close(database, again, RunState.DONE, {"created": 5, "open": 0})
    done = read()

    assert [ends(samples) for samples in (failed, cleared, done)] == [(0, 1, 0), (0, 1, 0), (1, 1, 0)]
    created = [samples("records_total", operation="create", outcome="delivered") for samples in (failed, cleared, done)]
    assert created == [3, 3, 5]
    # the time until somebody cleared it is no duration
    assert done("duration_seconds_count", mode="incremental") == 0
    assert done("last_failure_timestamp_seconds") < done("last_success_timestamp_seconds")


def test_no_counter_falls_when_a_cleared_run_counts_fewer(
    database: Database, definition: SyncDefinition, run: Run, read: Callable[[], Samples]
):
    close(database, run, RunState.FAILED, COUNTS)
    before = read().counters()
    close(database, open_run(database, definition, "dag:first"), RunState.DONE, {"created": 1})

    after = read().counters()

    assert {key: (value, after[key]) for key, value in before.items() if after[key] < value} == {}


def test_transaction_that_runs_again_after_a_lost_commit_counts_once(
    database: Database, run: Run, read: Callable[[], Samples]
):
    for _ in range(2):
        close(database, run, RunState.FAILED, COUNTS)

    assert ends(read()) == (0, 1, 0)


def test_end_that_only_finish_counts_anew_raises_the_counts(database: Database, run: Run, read: Callable[[], Samples]):
    close(database, run, RunState.FAILED, {"created": 3})
    close(database, run, RunState.FAILED, {"created": 4})

    samples = read()

    assert ends(samples) == (0, 1, 0)
    assert samples("records_total", operation="create", outcome="delivered") == 4


def test_plan_that_is_only_shown_is_no_delivery(
    database: Database, definition: SyncDefinition, read: Callable[[], Samples]
):
    shown = open_run(database, definition, "dag:plan", mode=RunMode.PLAN_ONLY)
    close(database, shown, RunState.DONE, COUNTS)

    samples = read()

    assert ends(samples, "plan_only") == (1, 0, 0)
    assert samples("records_total", operation="create", outcome="delivered") == 0
    assert not samples.has("last_finished_timestamp_seconds")


def test_queue_depth_and_age_follow_the_open_rows(
    database: Database, planned_run: Run, read: Callable[[], Samples], execute: Callable[..., None]
):
    execute("UPDATE sync_run SET planned_at = NOW(6) - INTERVAL 10 MINUTE")
    depths = [read()("queue_depth")]
    settle_next(database, planned_run)
    halfway = read()
    depths.append(halfway("queue_depth"))
    settle_next(database, planned_run)
    settle_next(database, planned_run)
    samples = read()

    assert [*depths, samples("queue_depth")] == [5, 3, 0]
    assert 600 <= halfway("oldest_pending_age_seconds") < 660
    assert samples("oldest_pending_age_seconds") == 0


def claim_next(database: Database, run: Run) -> None:
    writer = Writer(run.run_id, run.sync_name, PORTAL, run.epoch or 0, 1, 0, "try 1", 30, 1, ReadBack.FULL)
    batch = database.run(lambda t: outbox.open_batches(t, writer))[0]
    assert database.run(lambda t: outbox.claim_batch(t, writer, batch)) is not None


def test_every_change_of_a_claimed_batch_of_the_largest_size_counts(
    database: Database, definition: SyncDefinition, run: Run, tmp_path: Path, read: Callable[[], Samples]
):
    largest = 100
    rows: list[SourceRow] = [(1900, f"Name{number}", "F", 10) for number in range(largest + 1)]
    staged = stage(database, definition, run, tmp_path, rows)

    def plan(transaction: Transaction) -> None:
        first = delta.queue_changes(transaction, staged, batch_size=largest, is_resync=False, with_archives=True)
        delta.cut_batches(transaction, staged, first_batch_no=first, shard_count=1, plan_hash=b"p" * 32)

    database.run(plan)
    claim_next(database, staged)

    assert read()("queue_depth") == largest + 1


def test_queue_depth_leaves_out_what_a_later_run_took_over(
    database: Database, planned_run: Run, read: Callable[[], Samples]
):
    database.run(lambda t: runs.set_state(t, planned_run.run_id, RunState.SUPERSEDED))

    assert read()("queue_depth") == 0


def test_requests_waits_and_refusals_are_summed_over_runs_and_shards(
    database: Database, definition: SyncDefinition, read: Callable[[], Samples]
):
    for name in ("dag:a", "dag:b"):
        run = open_run(database, definition, name)
        for shard in (-1, 0):
            usage = pacing.Usage(calls=10, write_calls=4, http_429=1, wait_ms=1500, answer_ms=250)
            database.run(partial(pacing.add_usage, run_id=run.run_id, shard=shard, usage=usage))
        close(database, run, RunState.DONE)

    samples = read()

    assert (samples("api_requests_total", kind="read"), samples("api_requests_total", kind="write")) == (24, 16)
    assert samples("rate_limit_hits_total") == 4
    assert samples("rate_limit_wait_seconds_total") == 6


async def nothing(_: float) -> None:
    """Wait for nothing."""


def report(database: Database, run: Run, *answers: tuple[int | None, int], shard: int = 0) -> None:
    """Let the gate learn from answers of this status and latency in milliseconds."""

    async def learn() -> None:
        store = AsyncStore(database)
        tally = AnswerTally()
        gate = Gate(store, portal_id=PORTAL, run_id=run.run_id, shard=shard, share=0.9, tally=tally, sleep=nothing)
        for status, latency_ms in answers:
            tally.hear(HeardAnswer(status, latency_ms))
            await gate.report(AnswerHead(Verdict.RETRY, status=status, latency_ms=latency_ms))
        store.close()

    asyncio.run(learn())


def test_answers_are_counted_by_status(database: Database, run: Run, read: Callable[[], Samples]):
    report(database, run, *((status, 5) for status in (200, 207, 302, 503, 503, 429, 418, 599, None)))

    samples = read()
    counts = {dict(key[1])["status"]: value for key, value in samples.values.items() if "api_answers_total" in key[0]}
    assert {status: count for status, count in counts.items() if count} == {
        "2xx": 2,
        "3xx": 1,
        "503": 2,
        "429": 1,
        "4xx": 1,
        "5xx": 1,
        "none": 1,
    }
    assert samples("rate_limit_hits_total") == 1


def latency_classes(samples: Samples) -> dict[str, float]:
    """Return upper bound → answers of that class alone."""
    name = "hubspot_sync_api_latency_seconds_bucket"
    below = {dict(labels)["le"]: value for (found, labels), value in samples.values.items() if found == name}
    bounds = sorted(below, key=float)
    return {bound: below[bound] - below.get(lower, 0) for lower, bound in zip(["", *bounds], bounds, strict=False)}


def test_latency_is_counted_in_its_class_over_shards_and_runs(
    database: Database, definition: SyncDefinition, read: Callable[[], Samples]
):
    first = open_run(database, definition, "dag:a")
    report(database, first, (200, 0), (200, 50), (503, 51))
    report(database, first, (207, 50), (None, 10_000), shard=1)
    close(database, first, RunState.DONE)
    report(database, open_run(database, definition, "dag:b"), (200, 10_001), shard=-1)

    samples = read()

    assert {bound: count for bound, count in latency_classes(samples).items() if count} == {
        "0.05": 3,
        "0.1": 1,
        "10": 1,
        "+Inf": 1,
    }
    assert samples("api_latency_seconds_count") == 6
    assert samples("api_latency_seconds_sum") == pytest.approx(20.152)


def test_class_that_was_taken_away_joins_the_next_larger_one(
    database: Database, run: Run, read: Callable[[], Samples], execute: Callable[..., None]
):
    report(database, run, (200, 40))
    execute("UPDATE api_answer SET bound_ms = 60")

    assert latency_classes(read())["0.1"] == 1


def test_time_by_phase_is_summed(database: Database, run: Run, read: Callable[[], Samples]):
    for shard in (0, 1):
        database.run(
            partial(phases.add_phases, dag_run_key="dag:first", shard=shard, seconds={Phase.DELIVER: 1.5}, elapsed_s=2)
        )

    samples = read()

    assert samples("phase_seconds_total", phase="deliver") == 3
    assert samples("phase_seconds_total", phase="load") == 0


def test_daily_quota_is_that_of_the_portal(
    database: Database, run: Run, read: Callable[[], Samples], execute: Callable[..., None]
):
    before = read()
    database.run(lambda t: pacing.open_pacing(t, PORTAL, pacing.Pace(1, 1, 100)))
    execute("UPDATE rate_limit SET daily_limit = 625000, daily_remaining = 600000")

    samples = read()

    assert not before.has("daily_quota_used")
    assert (samples("daily_quota_used"), samples("daily_quota_limit")) == (25_000, 625_000)


def test_rejects_are_counted_by_stage_and_reason_while_they_are_open(
    database: Database, planned_run: Run, read: Callable[[], Samples]
):
    claim = settle_next(database, planned_run, delivered={}, is_clean=False)
    for change in claim.changes:
        refuse(database, planned_run, change.seq, change.key_text, "INVALID_OPTION")
    quarantine(database, planned_run, ["not_an_integer", "not a code: Ada"])
    samples = read()
    database.run(lambda t: rejects.release_rejects(t, "baby_names", rejects.EVERY_REJECT))
    released = read()

    assert samples("rejected_records", stage="deliver", reason="INVALID_OPTION") == 2
    assert samples("rejected_records", stage="validate", reason="not_an_integer") == 1
    assert samples("rejected_records", stage="validate", reason="other") == 1
    assert ("INVALID_OPTION" in str(released.values)) is False


def test_many_reasons_stay_few_series(database: Database, planned_run: Run, read: Callable[[], Samples]):
    quarantine(database, planned_run, [f"code_{number}" for number in range(500)])

    samples = read()

    named = [key for key in samples.values if key[0] == "hubspot_sync_rejected_records"]
    assert len(named) == metrics.REASONS_MAX + 2
    assert samples("rejected_records", stage="validate", reason="other") == 500 - metrics.REASONS_MAX


def test_four_syncs_with_every_reason_stay_below_a_thousand_series(
    schema: MysqlAddress, database: Database, planned_run: Run
):
    quarantine(database, planned_run, [f"code_{number}" for number in range(100)])
    claim = settle_next(database, planned_run, delivered={}, is_clean=False)
    refuse(database, planned_run, claim.changes[0].seq, claim.changes[0].key_text, "INVALID_OPTION")
    close(database, planned_run, RunState.FAILED, COUNTS)

    samples = Samples.of(open_reader(schema.url, ["baby_names", "b", "c", "d"])())

    most_per_sync = sum(1 for key in samples.values if ("sync", "baby_names") in key[1]) + metrics.REASONS_MAX
    assert len(samples.values) < 4 * most_per_sync < 1_000


def test_newer_version_waits_since_the_first_run_that_found_it(
    database: Database, definition: SyncDefinition, run: Run, read: Callable[[], Samples], execute: Callable[..., None]
):
    first_load = read()("new_version_age_seconds")
    close(database, run, RunState.DONE)
    close(database, open_run(database, definition, "dag:same"), RunState.FAILED)
    delivered = read()("new_version_age_seconds")
    second = open_run(database, definition, "dag:second", version=2)
    close(database, second, RunState.FAILED)
    third = open_run(database, definition, "dag:third", version=2)
    execute("UPDATE sync_run SET started_at = NOW(6) - INTERVAL 2 HOUR WHERE dag_run_key = 'dag:second'")
    waiting = read()("new_version_age_seconds")
    close(database, third, RunState.DONE)
    done = read()("new_version_age_seconds")

    assert 0 < first_load < 60
    assert 7200 <= waiting < 7260
    assert (delivered, done) == (0, 0)


def test_version_that_only_the_probe_has_seen_waits_since_then(
    database: Database, run: Run, read: Callable[[], Samples], execute: Callable[..., None]
):
    database.run(lambda t: dataset_versions.note_version(t, run.sync_name, 1, "2026-01-01"))
    close(database, run, RunState.DONE)
    delivered = read()("new_version_age_seconds")
    database.run(lambda t: dataset_versions.note_version(t, run.sync_name, 2, "2026-02-02"))
    execute(
        "UPDATE sync_run SET started_at = NOW(6) - INTERVAL 1 DAY",
        "UPDATE dataset_version SET seen_at = NOW(6) - INTERVAL 2 HOUR",
    )

    assert delivered == 0
    assert 7200 <= read()("new_version_age_seconds") < 7260


def test_older_version_that_was_approved_is_not_behind(
    database: Database, definition: SyncDefinition, read: Callable[[], Samples]
):
    for name, version in (("dag:a", 5), ("dag:b", 3)):
        close(database, open_run(database, definition, name, version=version), RunState.DONE)

    assert read()("new_version_age_seconds") == 0


def test_no_counter_falls_when_old_rows_are_purged(
    database: Database, planned_run: Run, read: Callable[[], Samples], execute: Callable[..., None]
):
    settle_next(database, planned_run)
    database.run(lambda t: pacing.add_usage(t, planned_run.run_id, 0, pacing.Usage(calls=7, write_calls=3)))
    quarantine(database, planned_run, ["not_an_integer"])
    close(database, planned_run, RunState.DONE, COUNTS | {"verified": 2})
    before = read()
    execute(*PURGE)

    after = read()

    assert after.counters() == before.counters()
    assert (after("verified_total"), after("api_requests_total", kind="write")) == (2, 3)
    assert after("last_success_timestamp_seconds") == before("last_success_timestamp_seconds")


def test_runs_that_ended_before_the_table_existed_are_taken_over_once(
    database: Database, definition: SyncDefinition, run: Run, read: Callable[[], Samples], execute: Callable[..., None]
):
    close(database, run, RunState.DONE, COUNTS)
    open_run(database, definition, "dag:open")
    # the end is noted a moment before the run is closed
    execute("UPDATE sync_run r JOIN run_end e ON e.run_id = r.run_id SET r.finished_at = e.ended_at")
    before = read().counters()
    execute("DELETE FROM run_end")
    for _ in range(2):
        database.run(lambda t: t.execute("runs/insert_past_ends.sql"))

    assert read().counters() == before


@pytest.fixture
def onlooker(mysql: TestServer, schema: MysqlAddress) -> Iterator[MysqlAddress]:
    """A user who may only look."""
    if mysql.private is None:
        pytest.skip("the root user of the server in HUBSPOT_SYNC_MYSQL_URL is not known, so no user can be made")
    mysql.execute_as_root(
        "CREATE USER 'onlooker'@'%' IDENTIFIED BY 'a-Password-1'",
        f"GRANT SELECT ON `{schema.database}`.* TO 'onlooker'@'%'",
    )
    yield replace(schema, user="onlooker", password="a-Password-1")
    mysql.execute_as_root("DROP USER 'onlooker'@'%'")


def test_user_who_may_only_select_is_enough(onlooker: MysqlAddress):
    assert Samples.of(open_reader(onlooker.url, SYNCS)())("queue_depth") == 0


def test_transaction_is_refused_every_write(schema: MysqlAddress, monkeypatch: pytest.MonkeyPatch):
    def write(reader: TimedReader, syncs: object) -> list[Any]:
        reader._transaction.execute("runs/insert_past_ends.sql")
        return []

    monkeypatch.setattr("include.hubspot_sync.orchestration.metrics_exporter.read_metrics", write)

    with pytest.raises(MySQLdb.Error, match="READ ONLY transaction"):
        open_reader(schema.url, SYNCS)()


def test_schema_without_tables_names_the_migration(mysql: TestServer):
    with mysql.fresh_database() as address, pytest.raises(ConfigError, match=r"store\.migrate"):
        open_reader(address.url, SYNCS)()


def test_no_statement_begins_when_the_time_is_up(database: Database):
    times = iter([0.0, 1.0, READ_TIMEOUT_S + 0.1])

    def look(transaction: Transaction) -> None:
        reader = TimedReader(transaction, clock=lambda: next(times))
        reader.rows("metrics/count_run_ends.sql")
        reader.rows("metrics/count_durations.sql")

    with pytest.raises(StoreUnavailableError, match="longer than 5 s before metrics/count_durations"):
        database.run(look)


def test_age_of_a_run_counts_while_it_is_under_way(
    database: Database, run: Run, read: Callable[[], Samples], execute: Callable[..., None]
):
    execute("UPDATE sync_run SET started_at = NOW(6) - INTERVAL 10 MINUTE")
    under_way = read()
    close(database, run, RunState.FAILED)

    assert 600 <= under_way("run_age_seconds") < 660
    assert read()("run_age_seconds") == 0


def test_age_of_a_cleared_run_counts_since_its_last_task_began(
    database: Database, definition: SyncDefinition, run: Run, read: Callable[[], Samples], execute: Callable[..., None]
):
    close(database, run, RunState.FAILED)
    execute(
        "UPDATE run_end SET ended_at = NOW(6) - INTERVAL 3 DAY",
        "UPDATE sync_run SET started_at = NOW(6) - INTERVAL 4 DAY",
    )
    again = open_run(database, definition, "dag:first")
    database.run(lambda t: phases.add_phases(t, again.dag_run_key, -1, {Phase.PREFLIGHT: 2}, elapsed_s=120))

    assert again.run_id == run.run_id
    assert 120 <= read()("run_age_seconds") < 180


def test_only_the_newest_run_can_be_late_and_no_plan_that_is_shown(
    database: Database, definition: SyncDefinition, run: Run, read: Callable[[], Samples], execute: Callable[..., None]
):
    execute("UPDATE sync_run SET started_at = NOW(6) - INTERVAL 1 DAY", "DELETE FROM run_lock")
    open_run(database, definition, "dag:later")
    age_s = read()("run_age_seconds")
    execute("UPDATE sync_run SET mode = 'plan_only', started_at = NOW(6) - INTERVAL 1 DAY")

    assert 0 <= age_s < 60
    assert read()("run_age_seconds") == 0


def test_ends_of_the_work_beside_the_runs_are_counted_with_their_time(database: Database, read: Callable[[], Samples]):
    def end(chore: Chore, *, is_good: bool) -> None:
        database.run(lambda t: chores.count_end(t, "baby_names", chore, is_good=is_good))

    end(Chore.PROBE, is_good=True)
    end(Chore.PROBE, is_good=False)
    end(Chore.MAINTENANCE, is_good=False)
    end(Chore.MAINTENANCE, is_good=False)

    samples = read()
    counts = {
        (chore, end): samples(f"chore_{end}_total", chore=chore) for chore in Chore for end in ("success", "failure")
    }
    assert counts == {
        ("probe", "success"): 1,
        ("probe", "failure"): 1,
        ("maintenance", "success"): 0,
        ("maintenance", "failure"): 2,
    }
    probe = [samples(f"chore_last_{end}_timestamp_seconds", chore="probe") for end in ("success", "failure")]
    assert probe[0] < probe[1]
    key = (
        "hubspot_sync_chore_last_success_timestamp_seconds",
        frozenset({("sync", "baby_names"), ("chore", "maintenance")}),
    )
    assert key not in samples.values
