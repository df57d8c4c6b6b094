"""Which rows go and which stay, in how large steps, by which index, and who has to wait: on a real server."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import MySQLdb
import MySQLdb.cursors
import pytest

from include.hubspot_sync.config import Retention, SyncDefinition
from include.hubspot_sync.engine.retention import PurgeWork, purge
from include.hubspot_sync.records import RejectedLine, RunMode
from include.hubspot_sync.store import rejects, retention, runs
from include.hubspot_sync.store.connection import Database, Transaction
from include.hubspot_sync.store.migrate import migrate
from include.hubspot_sync.store.rejects import RejectedChange
from include.hubspot_sync.store.retention import RunTable
from include.hubspot_sync.store.runs import Run
from include.hubspot_sync.store.statements import statement
from tests.support.rows import PORTAL, SourceRow, open_run, stage
from tests.support.whole_runs import close, deliver_all, plan, whole_run

pytestmark = pytest.mark.sql

T = TypeVar("T")

NAMES = ("Ada", "Bea", "Cleo", "Dora", "Eve")
MANY = 120_000
COUNTS = {
    "outbox": "SELECT run_id, COUNT(*) FROM outbox GROUP BY run_id",
    "snapshot": "SELECT run_id, COUNT(*) FROM snapshot GROUP BY run_id",
    "batch": "SELECT run_id, COUNT(*) FROM batch GROUP BY run_id",
    "run_plan": "SELECT run_id, COUNT(*) FROM run_plan GROUP BY run_id",
}
UNTOUCHED = (
    "SELECT * FROM sync_run", "SELECT * FROM run_lock", "SELECT * FROM ledger", "SELECT * FROM audit_event",
    "SELECT * FROM api_usage", "SELECT * FROM run_end", "SELECT * FROM run_phase", "SELECT * FROM api_error",
    "SELECT * FROM api_answer", "SELECT * FROM early_request", "SELECT * FROM chore",
    "SELECT * FROM rate_limit", "SELECT * FROM staging_baby_names",
    "SELECT * FROM rejected_record",
)  # fmt: skip
FILL = (
    """
    INSERT INTO outbox (run_id, seq, batch_no, operation, record_key, key_text, row_hash, properties, state, updated_at)
    SELECT :run, 1000 + n.n, 1000 + n.n DIV 100, 'create', UNHEX(LPAD(HEX(n.n), 32, '0')), CONCAT('k', n.n),
      UNHEX(SHA2(n.n, 256)), JSON_OBJECT('firstname', 'Ada', 'total_births', n.n), 'verified', NOW(6)
    FROM (:numbers) n
    """,
    """
    INSERT INTO snapshot (run_id, record_key, key_text, row_hash, properties, first_line, line_count)
    SELECT run_id, record_key, key_text, row_hash, properties, 2, 1 FROM outbox WHERE run_id = :run AND seq >= 1000
    """,
    """
    INSERT INTO batch (run_id, batch_no, kind, shard, first_seq, last_seq, row_count, state, updated_at)
    SELECT run_id, batch_no, 'upsert', 0, MIN(seq), MAX(seq), COUNT(*), 'done', '2020-01-01'
    FROM outbox WHERE run_id = :run AND seq >= 1000 GROUP BY run_id, batch_no
    """,
)
COPY_SNAPSHOT = """
    INSERT INTO snapshot
    SELECT :old, record_key, key_text, row_hash, properties, 2, 1 FROM snapshot WHERE run_id = :new
"""
"""What is left of the run that was the accepted one until the next ended well."""
DIGIT = "(" + " UNION ALL ".join(["SELECT 0 AS d", *(f"SELECT {digit}" for digit in range(1, 10))]) + ")"
NUMBERS = """
    SELECT n FROM (
      SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d + 100000 * g.d AS n
      FROM :digit a, :digit b, :digit c, :digit e, :digit f, :digit g
    ) every
    WHERE n < :rows
""".replace(":digit", DIGIT)
MANY_RUNS = """
    INSERT INTO sync_run (dag_run_key, sync_name, portal_id, mode, state, epoch, planned, planned_at, started_at)
    SELECT n, IF(n < 100, 'baby_names', n), 1, 'incremental', 'done', n, '{}', NOW(6), '2020-01-01' FROM (:numbers) n
"""


@dataclass(frozen=True)
class Tables:
    """A schema that a test looks into and changes behind the product's back."""

    connect: Callable[[], MySQLdb.connections.Connection]

    def run(self, sql: str, **values: int) -> list[tuple[Any, ...]]:
        for name, value in values.items():
            sql = sql.replace(f":{name}", str(value))
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            rows = list(cursor.fetchall())
            connection.commit()
            return rows

    def counts(self, run_id: int) -> dict[str, int]:
        """Count what a purge may remove of a run."""
        return {table: dict(self.run(sql)).get(run_id, 0) for table, sql in COUNTS.items()}

    def age(self, run_id: int, days: int) -> None:
        """Let a run have ended that long ago."""
        end = "UPDATE sync_run SET finished_at = NOW(6) - INTERVAL :days DAY WHERE run_id = :run"
        self.run(end, run=run_id, days=days)
        moves = "UPDATE batch SET updated_at = NOW(6) - INTERVAL :days DAY WHERE run_id = :run"
        self.run(moves, run=run_id, days=days)

    def fill(self, run_id: int, rows: int) -> None:
        """Give a run that many more changes, records and one batch for every hundred."""
        for sql in FILL:
            self.run(sql.replace(":numbers", NUMBERS), run=run_id, rows=rows)


class WatchedDatabase(Database):
    """Remembers what each transaction returned; may fail instead of beginning the next one."""

    def __init__(self, connect: Callable[[], object], *, transactions: int = 1_000_000) -> None:
        super().__init__(connect, attempts=1)
        self.results: list[Any] = []
        self._left = transactions

    def run(self, work: Callable[[Transaction], T]) -> T:
        if not self._left:
            raise KeyboardInterrupt
        self._left -= 1
        result = super().run(work)
        self.results.append(result)
        return result


@pytest.fixture
def tables(connect: Callable[[], MySQLdb.connections.Connection]) -> Tables:
    return Tables(connect)


@pytest.fixture
def finish_run(database: Database, definition: SyncDefinition, tmp_path: Path) -> Callable[..., Run]:
    """Plan, deliver, verify and close runs; every one changes every record."""

    def finish(name: str, births: int) -> Run:
        rows: list[SourceRow] = [(1900, girl, "F", births) for girl in NAMES]
        return whole_run(database, definition, tmp_path, name, births, rows)

    return finish


@pytest.fixture
def old(finish_run: Callable[..., Run], tables: Tables) -> Run:
    """A run whose rows nobody needs, because of `new`."""
    run = finish_run("old", 10)
    tables.age(run.run_id, 31)
    return run


@pytest.fixture
def new(old: Run, finish_run: Callable[..., Run], tables: Tables) -> Run:
    run = finish_run("new", 20)
    # a stage keeps no other snapshot than that of the accepted run
    tables.run(COPY_SNAPSHOT, old=old.run_id, new=run.run_id)
    return run


def purge_of(database: Database, definition: SyncDefinition, **rules: Any) -> dict[str, int]:
    rules = {"run_days": 30, "keep_runs": 1, "reject_days": 90, "chunk_rows": 5_000, "pause_s": 0} | rules
    wanted = definition.model_copy(update={"retention": Retention(**rules)})
    return purge(PurgeWork(wanted, database, sleep=lambda _: None))


def test_run_that_nobody_needs_loses_its_rows_and_nothing_else(
    database: Database, definition: SyncDefinition, tables: Tables, old: Run, new: Run
):
    others = {sql: tables.run(sql) for sql in UNTOUCHED}
    kept, before = tables.counts(new.run_id), tables.counts(old.run_id)
    assert before == {"outbox": 5, "snapshot": 5, "batch": 3, "run_plan": 1}

    removed = purge_of(database, definition)

    assert removed == {"runs": 1, "rejected_record": 0, **before}
    assert tables.counts(old.run_id) == {"outbox": 0, "snapshot": 0, "batch": 0, "run_plan": 0}
    assert tables.counts(new.run_id) == kept
    assert {sql: tables.run(sql) for sql in UNTOUCHED} == others


NEEDED = {
    "unfinished": "UPDATE sync_run SET state = 'delivering' WHERE run_id = :old",
    "cleared": "UPDATE sync_run SET state = 'preflight', finished_at = NULL, is_accepted = 0 WHERE run_id = :old",
    "ended_29_days_ago": "UPDATE sync_run SET finished_at = NOW(6) - INTERVAL 29 DAY WHERE run_id = :old",
    "batch_was_claimed_29_days_ago": "UPDATE batch SET updated_at = NOW(6) - INTERVAL 29 DAY WHERE run_id = :old "
    "AND batch_no = 2",
    "accepted": "UPDATE sync_run SET is_accepted = 0 WHERE run_id = :new",
    "no_later_plan": "UPDATE sync_run SET planned_at = NULL WHERE run_id = :new",
    "later_plan_is_of_another_portal": "UPDATE sync_run SET portal_id = 7 WHERE run_id = :new",
    "later_plan_is_of_another_sync": "UPDATE sync_run SET sync_name = 'other' WHERE run_id = :new",
    "plan_is_of_an_earlier_epoch": "UPDATE sync_run SET epoch = 0 WHERE run_id = :new",
    "batch_is_open": "UPDATE batch SET state = 'ready' WHERE run_id = :old AND batch_no = 2",
    "request_is_under_way": "UPDATE batch SET state = 'leased' WHERE run_id = :old AND batch_no = 3",
    "key_in_doubt": "UPDATE ledger SET run_id = :old, state = 'uncertain' WHERE key_text = 'bea-f'",
    "key_unverified": "UPDATE ledger SET run_id = :old, verified_at = NULL WHERE key_text = 'bea-f'",
}


@pytest.mark.parametrize("change", NEEDED.values(), ids=NEEDED.keys())
def test_run_that_may_be_needed_keeps_every_row(
    database: Database, definition: SyncDefinition, tables: Tables, old: Run, new: Run, change: str
):
    # the new run stays the newest with a plan, so that only the rule that is meant protects the old one
    tables.run("UPDATE sync_run SET is_accepted = 1 WHERE run_id = :old", old=old.run_id)
    tables.run("INSERT INTO sync_run (dag_run_key, sync_name, portal_id, mode, state, planned, started_at) "
               "VALUES ('newest', 'baby_names', 9, 'plan_only', 'done', '{}', NOW(6))")  # fmt: skip
    before = tables.counts(old.run_id)
    tables.run(change, old=old.run_id, new=new.run_id)

    assert purge_of(database, definition)["runs"] == 0
    assert tables.counts(old.run_id) == before


def test_samples_of_a_plan_go_with_the_rows_of_their_run_also_when_nothing_else_is_left(
    database: Database, definition: SyncDefinition, tables: Tables, old: Run, new: Run
):
    tables.run("DELETE FROM outbox WHERE run_id = :old", old=old.run_id)
    tables.run("DELETE FROM snapshot WHERE run_id = :old", old=old.run_id)
    tables.run("DELETE FROM batch WHERE run_id = :old", old=old.run_id)
    tables.run("UPDATE sync_run SET started_at = NOW(6) - INTERVAL 31 DAY WHERE run_id = :old", old=old.run_id)

    removed = purge_of(database, definition)

    assert (removed["runs"], removed["run_plan"]) == (1, 1)
    assert tables.run("SELECT run_id FROM run_plan") == [(new.run_id,)]


def test_waived_key_keeps_nothing(database: Database, definition: SyncDefinition, tables: Tables, old: Run, new: Run):
    tables.run("UPDATE ledger SET run_id = :old, verified_at = NULL, is_waived = 1", old=old.run_id)

    assert purge_of(database, definition)["runs"] == 1


def test_superseded_run_whose_end_nobody_noted_is_as_old_as_its_beginning(
    database: Database, definition: SyncDefinition, tables: Tables, old: Run, new: Run
):
    tables.run("UPDATE sync_run SET state = 'superseded', finished_at = NULL WHERE run_id = :old", old=old.run_id)
    assert purge_of(database, definition)["runs"] == 0

    tables.run("UPDATE sync_run SET started_at = NOW(6) - INTERVAL 31 DAY WHERE run_id = :old", old=old.run_id)
    assert purge_of(database, definition)["runs"] == 1


@pytest.mark.parametrize(("keep_runs", "left"), [(1, [4]), (2, [3, 4]), (4, [1, 2, 3, 4]), (9, [1, 2, 3, 4])])
def test_newest_runs_with_a_plan_keep_their_rows_however_old_they_are(
    database: Database, definition: SyncDefinition, tables: Tables, finish_run: Callable[..., Run],
    keep_runs: int, left: list[int],
):  # fmt: skip
    made = [finish_run(f"run {number}", number) for number in range(1, 5)]
    for run in made:
        tables.age(run.run_id, 400)
    for number in range(5):
        # runs that found nothing new take no places
        database.run(partial(runs.open_run, dag_run_key=f"unchanged {number}", sync_name="baby_names",
                             portal_id=PORTAL, mode=RunMode.INCREMENTAL))  # fmt: skip
    tables.run("UPDATE sync_run SET state = 'done', finished_at = NOW(6) WHERE planned IS NULL")

    purge_of(database, definition, keep_runs=keep_runs)

    assert [number for number, run in enumerate(made, 1) if tables.counts(run.run_id)["outbox"]] == left


def test_rows_of_another_sync_are_left_to_its_own_definition(
    database: Database, definition: SyncDefinition, tables: Tables, old: Run, new: Run
):
    other = definition.model_copy(update={"name": "other"})

    assert purge_of(database, other)["runs"] == 0
    assert tables.counts(old.run_id)["outbox"] == 5


def test_large_run_goes_in_bounded_transactions_with_a_rest_after_each(
    connect: Callable[[], MySQLdb.connections.Connection],
    definition: SyncDefinition,
    tables: Tables,
    old: Run,
    new: Run,
):
    tables.fill(old.run_id, MANY)
    before = tables.counts(old.run_id)
    assert before == {"outbox": MANY + 5, "snapshot": MANY + 5, "batch": MANY // 100 + 3, "run_plan": 1}
    rests: list[float] = []
    rules = Retention(run_days=30, keep_runs=1, chunk_rows=5_000, pause_s=0.25)
    database = WatchedDatabase(connect)

    with closing(database):
        removed = purge(PurgeWork(definition.model_copy(update={"retention": rules}), database, sleep=rests.append))

    chunks = [count for count in database.results if isinstance(count, int) and count]
    assert max(chunks) == 5_000
    assert sum(chunks) == sum(before.values())
    assert len(chunks) == 25 + 25 + 1 + 1
    assert rests == [0.25] * len(chunks)
    assert removed == {"runs": 1, "rejected_record": 0, **before}
    assert sum(tables.counts(old.run_id).values()) == 0


@pytest.mark.parametrize("transactions", range(1, 9))
def test_purge_that_ends_at_any_transaction_is_finished_by_the_next(
    connect: Callable[[], MySQLdb.connections.Connection], definition: SyncDefinition, tables: Tables,
    old: Run, new: Run, transactions: int,
):  # fmt: skip
    before = tables.counts(old.run_id)
    with closing(WatchedDatabase(connect, transactions=transactions)) as database, pytest.raises(KeyboardInterrupt):
        purge_of(database, definition, chunk_rows=2)
    left = tables.counts(old.run_id)
    assert sum(before.values()) - sum(left.values()) <= 2 * (transactions - 1)

    with closing(WatchedDatabase(connect)) as database:
        removed = purge_of(database, definition, chunk_rows=2)

    assert {table: removed[table] for table in left} == left
    assert sum(tables.counts(old.run_id).values()) == 0


STATEMENTS = [
    ("retention/delete_outbox.sql", "outbox", "PRIMARY"),
    ("retention/delete_batch.sql", "batch", "PRIMARY"),
    ("retention/delete_snapshot.sql", "snapshot", "PRIMARY"),
    ("retention/delete_rejects.sql", "rejected_record", "PRIMARY"),
    ("retention/delete_run_plan.sql", "run_plan", "PRIMARY"),
    ("retention/select_removable_run.sql", "r", "PRIMARY"),
    ("retention/select_removable_run.sql", "b", "batch_shard|PRIMARY"),
    ("retention/select_removable_run.sql", "p", "sync_run_sync"),
    ("retention/select_removable_run.sql", "a", "sync_run_sync"),
    ("retention/select_old_runs.sql", "r", "sync_run_sync|PRIMARY"),
    ("retention/select_old_runs.sql", "k", "sync_run_sync|PRIMARY"),
    ("retention/select_old_runs.sql", "o", "PRIMARY|outbox_record"),
    ("retention/select_old_runs.sql", "c", "PRIMARY|batch_shard"),
    ("retention/select_old_runs.sql", "b", "PRIMARY|batch_shard"),
    ("retention/select_old_runs.sql", "s", "PRIMARY"),
    ("retention/select_old_runs.sql", "n", "PRIMARY"),
    ("retention/select_unsettled_runs.sql", "ledger", "PRIMARY"),
    ("retention/select_old_rejects.sql", "rejected_record", "rejected_record_\\w+"),
]


@pytest.fixture(scope="module")
def filled(mysql: Any, definition: SyncDefinition) -> Iterator[Tables]:
    """Many runs with many rows each, and their statistics."""
    with mysql.fresh_database() as address:
        migrate(address.url, [definition])
        tables = Tables(address.connect)
        tables.run(MANY_RUNS.replace(":numbers", NUMBERS), rows=2_000)
        (first,) = tables.run("SELECT MIN(run_id) FROM sync_run")[0]
        tables.run(
            "INSERT INTO run_plan (run_id, fingerprint, plan, samples, made_at) "
            "SELECT run_id, UNHEX(SHA2(run_id, 256)), '{}', '[]', NOW(6) FROM sync_run"
        )
        for run_id in range(first, first + 10):
            tables.fill(run_id, 4_000)
        tables.run(
            "INSERT INTO ledger (sync_name, record_key, key_text, state, run_id, run_epoch) SELECT 'baby_names', "
            "record_key, key_text, 'active', run_id, 1 FROM outbox WHERE run_id = :run",
            run=first,
        )
        tables.run(
            "INSERT INTO rejected_record (sync_name, fingerprint, run_id, stage, source_file, column_name, record_key, "
            "reason, reason_text, payload, first_seen_at, last_seen_at, resolved_at) SELECT IF(seq < 3000, "
            "'baby_names', seq), record_key, run_id, 'deliver', '', '', record_key, '', '', '', NOW(6), NOW(6), "
            "IF(seq % 3, NOW(6), NULL) FROM outbox WHERE run_id = :run",
            run=first,
        )
        tables.run("ANALYZE TABLE sync_run, outbox, batch, snapshot, ledger, rejected_record, run_plan")
        yield tables


@pytest.mark.parametrize(
    ("name", "table", "index"), STATEMENTS, ids=[f"{name}-{table}" for name, table, _ in STATEMENTS]
)
def test_every_statement_finds_its_rows_by_an_index(filled: Tables, name: str, table: str, index: str):
    (run_id,) = filled.run("SELECT MIN(run_id) FROM sync_run")[0]
    (ids,) = filled.run("SELECT GROUP_CONCAT(id) FROM (SELECT id FROM rejected_record LIMIT 50) some")[0]
    values = {
        "run_id": run_id, "chunk_rows": 1_000, "sync_name": "baby_names", "run_days": 30, "newer_runs": 9,
        "reject_days": 90, "ids": [int(number) for number in ids.split(",")],
    }  # fmt: skip
    with closing(filled.connect()) as connection, connection.cursor(MySQLdb.cursors.DictCursor) as cursor:
        cursor.execute("EXPLAIN FORMAT=TRADITIONAL " + statement(name), values)
        plan = [{key.lower(): value for key, value in row.items()} for row in cursor.fetchall()]

    steps = [step for step in plan if step["table"] == table]
    assert steps, plan
    for step in steps:
        assert re.fullmatch(index, step["key"] or ""), plan
        assert step["type"] not in {"ALL", "index"}, plan


@contextmanager
def open_chunk(connect: Callable[[], Any], run_id: int, table: RunTable) -> Iterator[None]:
    """A purge between its removal and its commit."""
    with closing(connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        connection.commit()
        assert retention.delete_run_rows(Transaction(connection), run_id, table, 2)
        yield
        connection.rollback()


def impatient(connect: Callable[[], MySQLdb.connections.Connection]) -> Database:
    """A database that gives up at the first wait for a lock."""

    class Impatient(Database):
        def run(self, work: Callable[[Transaction], T]) -> T:
            def hurried(transaction: Transaction) -> T:
                with transaction._connection.cursor() as cursor:
                    cursor.execute("SET SESSION innodb_lock_wait_timeout = 1")
                return work(transaction)

            return super().run(hurried)

    return Impatient(connect, attempts=1)


@pytest.fixture
def running(database: Database, definition: SyncDefinition, tables: Tables, old: Run, new: Run, tmp_path: Path) -> Run:
    """A run that is planned, beside an old one whose snapshot is still there."""
    rows: list[SourceRow] = [(1900, girl, "F", 30) for girl in (*NAMES, "Fay")]
    run = stage(database, definition, open_run(database, definition, "running", version=30), tmp_path, rows)
    tables.run(COPY_SNAPSHOT, old=old.run_id, new=run.run_id)
    plan(database, run)
    return run


@pytest.mark.parametrize("table", RunTable)
def test_delivery_waits_for_nothing_while_a_chunk_is_open(
    connect: Callable[[], MySQLdb.connections.Connection], tables: Tables, old: Run, running: Run, table: RunTable
):
    with open_chunk(connect, old.run_id, table), closing(impatient(connect)) as database:
        deliver_all(database, running)
        reject_all(database, running)
        database.run(partial(close, run=running))

    states = tables.run("SELECT state, COUNT(*) FROM outbox WHERE run_id = :run GROUP BY state", run=running.run_id)
    assert states == [("verified", 6)]


def test_sync_and_purge_at_the_same_time_lose_nothing_and_never_deadlock(
    connect: Callable[[], MySQLdb.connections.Connection], definition: SyncDefinition, finish_run: Callable[..., Run],
    tables: Tables, old: Run, new: Run,
):  # fmt: skip
    tables.fill(old.run_id, 20_000)
    removed: list[dict[str, int]] = []
    begun, errors = threading.Event(), list[BaseException]()

    def purge_all() -> None:
        # one try: a wait that was too long, or a deadlock, would end it here
        with closing(WatchedDatabase(connect)) as database:
            work = definition.model_copy(update={"retention": Retention(keep_runs=1, chunk_rows=200, pause_s=0)})
            try:
                removed.append(purge(PurgeWork(work, database, sleep=lambda _: begun.set())))
            except BaseException as error:  # noqa: BLE001  for the test's own thread
                errors.append(error)
                begun.set()

    thread = threading.Thread(target=purge_all)
    thread.start()
    assert begun.wait(30)
    overlapping = 0
    for births in range(30, 40):
        run = finish_run(f"run {births}", births)
        overlapping += thread.is_alive()
        states = tables.run("SELECT state, COUNT(*) FROM outbox WHERE run_id = :run GROUP BY state", run=run.run_id)
        assert states == [("verified", 5)]
    thread.join(120)

    assert errors == []
    assert overlapping > 0
    assert removed[0]["outbox"] == 20_005
    ledger = tables.run("SELECT state, JSON_VALUE(properties, '$.total_births'), COUNT(*) FROM ledger GROUP BY 1, 2")
    assert ledger == [("active", "39", 5)]


def reject_all(database: Database, run: Run) -> None:
    lines = [RejectedLine(number, "Number", "not_a_number", "wrong", "raw", None) for number in range(2, 6)]
    database.run(lambda t: rejects.insert_rejected_lines(t, run.run_id, run.sync_name, "v1", lines))
    change = RejectedChange(1, "ada-f", "INVALID_OPTION", "no such option", "corr-1")
    database.run(lambda t: rejects.insert_rejected_changes(t, run.run_id, run.sync_name, [change]))


def test_rejects_go_long_after_they_were_resolved_and_open_ones_never(
    database: Database, definition: SyncDefinition, tables: Tables, old: Run
):
    reject_all(database, old)
    tables.run("UPDATE rejected_record SET first_seen_at = '2020-01-01', last_seen_at = '2020-01-01'")
    assert purge_of(database, definition)["rejected_record"] == 0

    tables.run("UPDATE rejected_record SET resolved_at = NOW(6) - INTERVAL 89 DAY WHERE line_no IN (2, 4)")
    tables.run("UPDATE rejected_record SET resolved_at = NOW(6) - INTERVAL 91 DAY WHERE line_no = 5")
    tables.run("UPDATE rejected_record SET released_at = NOW(6) WHERE stage = 'deliver'")
    assert purge_of(database, definition.model_copy(update={"name": "other"}))["rejected_record"] == 0
    assert purge_of(database, definition)["rejected_record"] == 1
    assert tables.run("SELECT stage, line_no FROM rejected_record ORDER BY id") == [
        ("validate", 2), ("validate", 3), ("validate", 4), ("deliver", 3),
    ]  # fmt: skip


def test_rejects_go_in_bounded_transactions(
    connect: Callable[[], MySQLdb.connections.Connection], database: Database, definition: SyncDefinition,
    tables: Tables, old: Run,
):  # fmt: skip
    reject_all(database, old)
    tables.run("UPDATE rejected_record SET resolved_at = '2020-01-01'")
    watched = WatchedDatabase(connect)

    with closing(watched):
        removed = purge_of(watched, definition, chunk_rows=2)

    assert removed["rejected_record"] == 5
    assert [count for count in watched.results if isinstance(count, int)] == [2, 2, 1, 0]


def test_reject_that_is_refused_again_while_it_is_looked_at_stays(
    database: Database, definition: SyncDefinition, tables: Tables, old: Run
):
    reject_all(database, old)
    tables.run("UPDATE rejected_record SET resolved_at = '2020-01-01' WHERE line_no < 4 AND stage = 'validate'")
    params = {"sync_name": "baby_names", "reject_days": 90, "chunk_rows": 10}

    def interrupted(transaction: Transaction) -> int:
        ids = [row["id"] for row in transaction.rows("retention/select_old_rejects.sql", params)]
        assert len(ids) == 2
        tables.run("UPDATE rejected_record SET resolved_at = NULL WHERE line_no = 3")
        return transaction.execute("retention/delete_rejects.sql", params | {"ids": ids})

    assert database.run(interrupted) == 1
    assert tables.run("SELECT COUNT(*) FROM rejected_record WHERE line_no = 3 AND stage = 'validate'") == [(1,)]
