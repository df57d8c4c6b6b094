"""What is wrong with Kaggle, S3, HubSpot, their credentials, and Airflow around a run."""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from include.hubspot_sync.config import load_definitions
from include.hubspot_sync.engine.plan import requests_at_once
from include.hubspot_sync.source.landing import Landing, LandingKeys, Manifest
from tests.support.airflow_runs import DAGS, SyncStack
from tests.support.bad_files import CONTENT, FILE
from tests.support.bad_surroundings import edited_definition
from tests.support.outcomes import Outcome, Seen, seen_of
from tests.unit.source.scripted_server import Answer, scripted_server
from tools.kaggle_simulator.dataset import read_csv, write_csv
from tools.kaggle_simulator.generator import make_dataset
from tools.kaggle_simulator.revision import next_version

WRONG_SECRET = "pat-na1-wrong-and-very-secret"
FULL_TOKEN = "pat-sim-full-access"
PORTAL_PROPERTIES = "crm/v3/properties/contacts"
APPROVAL = "a test looks at what the guards leave alone"


@dataclass(frozen=True, slots=True)
class Bench:
    """Real servers, the DAG, and the file that Kaggle offers as version 1."""

    stack: SyncStack
    source: Path
    """600 rows of 200 contacts."""
    folder: Path


Act = Callable[[Bench], Seen]


def unknown_key_in_airflow(bench: Bench) -> Seen:
    """The DAG file itself reports it: Airflow shows the line as an import error."""
    from airflow.dag_processing.dagbag import DagBag

    edited_definition(bench.folder, lambda content: content.update(delivery={"btach_size": 50}))
    bench.stack.monkeypatch.setattr(load_definitions, "__defaults__", (bench.folder,))
    bag = DagBag(dag_folder=str(DAGS), known_pools={"hubspot_api", "default_pool"})
    outcome = Outcome.ACCEPT if "baby_names_to_hubspot" in bag.dags else Outcome.STOP
    return Seen(outcome, " ".join(bag.import_errors.values()))


def reconnect(bench: Bench, name: str, **changes: Any) -> None:
    """Change fields of an Airflow connection."""
    variable = f"AIRFLOW_CONN_{name.upper()}"
    connection = json.loads(os.environ[variable])
    bench.stack.monkeypatch.setenv(variable, json.dumps(connection | changes))


def with_password(name: str, password: str) -> Callable[[Bench], None]:
    """Return the arrangement of another secret in a connection."""
    return lambda bench: reconnect(bench, name, password=password)


def with_blank_around(name: str) -> Callable[[Bench], None]:
    """Return the arrangement of a secret that was pasted with its line end."""

    def arrange(bench: Bench) -> None:
        password = json.loads(os.environ[f"AIRFLOW_CONN_{name.upper()}"])["password"]
        reconnect(bench, name, password=f" {password}\n")

    return arrange


def without_connection(name: str) -> Callable[[Bench], None]:
    """Return the arrangement of a connection that nobody made."""
    return lambda bench: bench.stack.monkeypatch.delenv(f"AIRFLOW_CONN_{name.upper()}")


def _s3_refuses(code: str, status: int) -> Callable[[Bench], Seen]:
    """S3 answers as it does to such a credential; the local S3 takes every one."""

    def act(bench: Bench) -> Seen:
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()
        answer = Answer(status, body, {"Content-Type": "application/xml"})
        with scripted_server() as server:
            server.will(answer, answer, answer)
            extra = json.loads(os.environ["AIRFLOW_CONN_AWS"])["extra"]
            reconnect(bench, "aws", extra=extra | {"endpoint_url": server.url})
            keys = LandingKeys.of("owner/names", 1, FILE)
            seen = seen_of(
                lambda: landing_of(bench).read_manifest(keys.manifest),
                otherwise=lambda manifest: Seen(Outcome.ACCEPT, str(manifest)),
            )
            assert len(server.asked) == 1, "a refused credential is not tried again"
            return seen

    return act


wrong_aws_key = _s3_refuses("InvalidAccessKeyId", 403)
wrong_aws_secret = _s3_refuses("SignatureDoesNotMatch", 403)
expired_aws_token = _s3_refuses("ExpiredToken", 400)


def missing_aws_credentials(bench: Bench) -> Seen:
    """Neither the connection nor the machine has any."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        bench.stack.monkeypatch.delenv(name, raising=False)
    bench.stack.monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    bench.stack.monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(bench.folder / "none"))
    reconnect(bench, "aws", login="", password="")
    keys = LandingKeys.of("owner/names", 1, FILE)
    return seen_of(
        lambda: landing_of(bench).read_manifest(keys.manifest),
        otherwise=lambda manifest: Seen(Outcome.ACCEPT, str(manifest)),
    )


def token_expires_midway(bench: Bench) -> Seen:
    """The third write is refused: nobody storms the portal, and the rows stay open."""
    fault = {"match": {"path_regex": "batch/upsert", "nth": [2]}, "phase": "pre", "action": {"type": "token_expire"}}
    bench.stack.hubspot("faults", fault | {"times": 1})
    bench.stack.monkeypatch.setattr(
        load_definitions,
        "__defaults__",
        (edited_definition(bench.folder, lambda content: content.update(delivery={"batch_size": 20})).parent,),
    )
    result = bench.stack.run()
    statuses = [request["status"] for request in _requests(bench)]
    assert result.state == "failed"
    assert result.summary["open"] > 0
    assert result.summary["created"] + result.summary["open"] == 200
    # of each request under way one call, and one with the token fetched anew
    assert 1 <= statuses.count(401) <= 2 * requests_at_once(1, load_definitions()["baby_names"].delivery)
    return Seen(Outcome.STOP, _reason(bench))


def _requests(bench: Bench) -> list[dict[str, Any]]:
    return [json.loads(line) for line in bench.stack.hubspot("requests").text.splitlines()]


def _reason(bench: Bench) -> str:
    """Return why the newest run stopped."""
    rows = bench.stack.query("SELECT reason_text FROM sync_run ORDER BY run_id DESC LIMIT 1")
    return str(rows[0][0])


def kaggle_fault(fault: str, **order: Any) -> Callable[[Bench], None]:
    """Return the arrangement of a fault of the simulator that stays."""

    def arrange(bench: Bench) -> None:
        body = {"fault": fault, **order}
        httpx.post(f"{bench.stack.kaggle_url}/__sim", json=body).raise_for_status()

    return arrange


def offer(bench: Bench, content: bytes) -> None:
    """Let Kaggle offer this file as its newest version."""
    path = bench.folder / FILE
    path.write_bytes(content)
    bench.stack.new_version(path=path)


def cut_gzip(bench: Bench) -> None:
    """Kaggle sends the file as it is, not packed once more."""
    offer(bench, gzip.compress(CONTENT * 9, mtime=0)[:-9])
    httpx.post(f"{bench.stack.kaggle_url}/__sim", json={"zip": False}).raise_for_status()


def offers(content: bytes) -> Callable[[Bench], None]:
    """Return the arrangement of a new version with this content."""
    return lambda bench: offer(bench, content)


def half_the_rows(bench: Bench) -> None:
    lines = bench.source.read_bytes().splitlines(keepends=True)
    offer(bench, b"".join(lines[: len(lines) // 2 + 1]))


def ten_times_the_rows(bench: Bench) -> None:
    path = bench.folder / "large.csv"
    write_csv(make_dataset(rows=6_000, contacts=2_000, seed=1), path)
    bench.stack.new_version(path=path)


def _records(source: Path) -> dict[tuple[bytes, bytes], list[bytes]]:
    """Return the lines of a file by name and sex."""
    found: dict[tuple[bytes, bytes], list[bytes]] = {}
    for line in source.read_bytes().splitlines(keepends=True)[1:]:
        _, name, sex, _ = line.split(b",")
        found.setdefault((name, sex), []).append(line)
    return found


def without_small_records(bench: Bench) -> None:
    """Take out records with few lines: fewer groups, hardly fewer rows."""
    smallest = sorted(_records(bench.source).values(), key=len)[:20]
    gone = {line for lines in smallest for line in lines}
    lines = bench.source.read_bytes().splitlines(keepends=True)
    offer(bench, b"".join(line for line in lines if line not in gone))


def without_a_few_records(bench: Bench) -> None:
    """Take out 4 % of the records: fewer than the guard of records, more than that of removals."""
    path = bench.folder / "fewer.csv"
    write_csv(next_version(read_csv(bench.source), 3, removed=0.04), path)
    bench.stack.new_version(path=path)


def with_most_values_changed(bench: Bench) -> None:
    """Raise every number by one, so that every contact gets other values."""
    header, *lines = bench.source.read_text(encoding="utf-8").splitlines()
    raised = [f"{start},{int(number) + 1}" for start, _, number in (line.rpartition(",") for line in lines)]
    offer(bench, "\n".join([header, *raised, ""]).encode())


def same_bytes_as_a_new_version(bench: Bench) -> Seen:
    before = bench.stack.stats()["write_calls"]
    bench.stack.new_version(path=bench.source)
    result = bench.stack.run()
    assert result.state == "success"
    assert bench.stack.stats()["write_calls"] == before
    assert result.tasks["stage"] == "skipped"
    return Seen(Outcome.ACCEPT, f"unchanged {result.summary['unchanged']} of {result.summary['records']}")


def every_number_doubled(bench: Bench) -> Seen:
    """The sum is no reason to stop, so only a plan is made; the guards have cases of their own."""
    header, *lines = bench.source.read_text(encoding="utf-8").splitlines()
    doubled = [f"{start},{2 * int(number)}" for start, _, number in (line.rpartition(",") for line in lines)]
    offer(bench, "\n".join([header, *doubled, ""]).encode())
    with logged("include.hubspot_sync.engine.ingest") as lines_logged:
        result = bench.stack.run(mode="plan_only", approve_guards=APPROVAL)
    assert result.state == "success"
    assert result.summary["planned_update"] == 200
    return Seen(Outcome.NORMALISE, "\n".join(lines_logged))


@contextmanager
def logged(name: str) -> Iterator[list[str]]:
    """Collect the warnings of a logger."""
    lines: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    handler, logger = Collector(logging.WARNING), logging.getLogger(name)
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)


def landing_of(_bench: Bench) -> Landing:
    """Return the landing area that the tasks use, from the Airflow connection."""
    from include.hubspot_sync.orchestration.s3_landing import open_landing

    return open_landing(load_definitions()["baby_names"])


def _landed(bench: Bench, version: int) -> tuple[Landing, Manifest]:
    keys = LandingKeys.of("owner/names", version, FILE)
    path = bench.folder / "names.csv"
    path.write_bytes(CONTENT)
    manifest = Manifest(
        dataset="owner/names",
        version=version,
        last_updated="2026-01-01T00:00:00Z",
        file=FILE,
        key=keys.data,
        size_bytes=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        source_md5=None,
        source_etag=None,
        source_generation=None,
        created_at=datetime.now(tz=UTC).isoformat(),
        run="test",
    )
    landing = landing_of(bench)
    return landing, landing.land(path, manifest)


def _replaced(content: bytes, version: int) -> Act:
    def act(bench: Bench) -> Seen:
        landing, manifest = _landed(bench, version)
        landing.client.put_object(Bucket=landing.bucket, Key=manifest.key, Body=content)
        return seen_of(
            lambda: landing.fetch_to_file(manifest, bench.folder / "copy"),
            otherwise=lambda _: Seen(Outcome.ACCEPT, "the object was taken"),
        )

    return act


object_overwritten = _replaced(CONTENT.replace(b"Mary", b"Anna"), version=901)
object_half_uploaded = _replaced(CONTENT[: len(CONTENT) // 2], version=902)


def _portal(bench: Bench, method: str, path: str, body: dict[str, Any]) -> None:
    httpx.request(
        method, f"{bench.stack.hubspot_url}/{path}", json=body, headers={"Authorization": f"Bearer {FULL_TOKEN}"}
    ).raise_for_status()


def _new_portal(bench: Bench) -> None:
    bench.stack.hubspot("reset", {})


def properties_missing(bench: Bench) -> None:
    _new_portal(bench)
    reconnect(bench, "hubspot", password="pat-sim-no-schema-scopes")


def with_property(name: str, **fields: Any) -> Callable[[Bench], None]:
    """Return the arrangement of a portal in which a property was made by somebody else."""

    def arrange(bench: Bench) -> None:
        _new_portal(bench)
        body = {"name": name, "label": name, "type": "string", "fieldType": "text", "groupName": "contactinformation"}
        _portal(bench, "POST", PORTAL_PROPERTIES, body | fields)

    return arrange


def read_only_property(bench: Bench) -> None:
    """The definition maps a property that HubSpot fills in itself."""
    _new_portal(bench)

    def edit(content: dict[str, Any]) -> None:
        content["destination"]["properties"][2].update(name="hs_object_id")
        content["destination"]["filters"] = []

    folder = edited_definition(bench.folder, edit).parent
    bench.stack.monkeypatch.setattr(load_definitions, "__defaults__", (folder,))


def property_limit_reached(bench: Bench) -> None:
    _new_portal(bench)
    bench.stack.hubspot("config", {"custom_property_limit": 3})


def contact_limit_reached(bench: Bench) -> None:
    """The portal has room for 50 contacts more, the file for 200."""
    _new_portal(bench)
    bench.stack.hubspot("config", {"contact_limit": 50})


def portal_suspended(bench: Bench) -> None:
    fault = {"match": {"path_regex": "."}, "phase": "pre", "action": {"type": "status", "code": 403}}
    bench.stack.hubspot("faults", fault)


def _with_row_error(code: str, regex: str) -> dict[str, Any]:
    match = {"path_regex": "batch/upsert", "row": {"prop": "baby_name_key", "regex": regex}}
    action = {"type": "row_error", "category": "VALIDATION_ERROR", "error_code": code}
    return {"match": match, "phase": "pre", "action": action}


def option_removed_midway(bench: Bench) -> Seen:
    """HubSpot refuses one record for its option; the others arrive, and the record is kept with its line."""
    _, name, sex, _ = bench.source.read_text(encoding="utf-8").splitlines()[1].split(",")
    key = f"{name}-{sex}".lower()
    bench.stack.hubspot("faults", _with_row_error("INVALID_OPTION", f"^{key}$"))
    result = bench.stack.run()
    assert result.state == "success"
    assert (result.summary["created"], result.summary["rejected"]) == (199, 1)
    ((found, file, line_no, reason),) = bench.stack.query(
        "SELECT key_text, source_file, line_no, reason FROM rejected_record"
    )
    assert (found, line_no) == (key, 2)
    return Seen(Outcome.QUARANTINE, f"{file} line {line_no}: {reason}")


def limit_reached_midway(bench: Bench) -> Seen:
    """HubSpot counts marketing contacts apart; when it refuses for a limit, nothing is booked as rejected."""
    bench.stack.hubspot("faults", _with_row_error("LIMIT_EXCEEDED", "."))
    result = bench.stack.run()
    assert result.state == "failed"
    assert (result.summary["created"], result.summary["rejected"], result.summary["open"]) == (0, 0, 200)
    return Seen(Outcome.STOP, _reason(bench))


def suspended_midway(bench: Bench) -> Seen:
    """The portal is closed after the plan was made: the rows stay open, and the next run sends them."""
    fault = {"match": {"path_regex": "batch/upsert"}, "phase": "pre", "action": {"type": "status", "code": 403}}
    (fault_id,) = bench.stack.hubspot("faults", fault).json()["ids"]
    result = bench.stack.run()
    assert (result.state, result.summary["open"], result.summary["rejected"]) == ("failed", 200, 0)
    reason = _reason(bench)
    httpx.delete(f"{bench.stack.hubspot_url}/__sim/faults/{fault_id}").raise_for_status()
    bench.stack.let_drain()
    assert bench.stack.run().summary["created"] == 200
    return Seen(Outcome.STOP, reason)


def pool_missing(_bench: Bench) -> Seen:
    """Airflow itself reports it with the DAG and never starts a task of that pool."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(DAGS), known_pools={"default_pool"})
    warnings = [warning.message for warning in bag.dag_warnings]
    return Seen(Outcome.STOP if warnings else Outcome.ACCEPT, " ".join(warnings))


_RUN_ONCE = """
    import warnings; warnings.simplefilter("ignore")
    from tests.support.airflow_runs import load_dag
    load_dag().test()
"""


def metadata_database_down(bench: Bench) -> Seen:
    """No task starts without Airflow's own database, so nothing is written; Airflow names the trouble."""
    before = bench.stack.stats()["write_calls"]
    environ = os.environ | {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{bench.folder}/missing/airflow.db"}
    program = textwrap.dedent(_RUN_ONCE)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environ,
        cwd=DAGS.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert bench.stack.stats()["write_calls"] == before
    return Seen(Outcome.STOP if done.returncode else Outcome.ACCEPT, " ".join(done.stderr.strip().splitlines()[-3:]))
