"""Bring the source in: Kaggle → S3 (`land`), S3 → validated staging rows → snapshot (`stage`)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from include.hubspot_sync.config import Guards, SyncDefinition
from include.hubspot_sync.engine.guards import lines_trip, records_trip, rows_trip
from include.hubspot_sync.engine.run_plan import refuse_other_version
from include.hubspot_sync.engine.stopwatch import spent_on
from include.hubspot_sync.errors import (
    GuardError,
    LeaseLostError,
    SourceDataError,
    SourceUnavailableError,
    SupersededError,
)
from include.hubspot_sync.records import Phase, PlanBasis, RejectedLine, RunMode, RunState, record_key
from include.hubspot_sync.source.archive import unpack
from include.hubspot_sync.source.csv_reader import FileCheck, check_beginning, validate_file
from include.hubspot_sync.source.kaggle import KaggleClient
from include.hubspot_sync.source.kaggle_answers import DatasetVersion
from include.hubspot_sync.source.landing import Landing, LandingKeys, Manifest, sha256_of
from include.hubspot_sync.store import dataset_versions, erasure, lock, rejects, runs
from include.hubspot_sync.store.connection import Database, Transaction
from include.hubspot_sync.store.runs import Run, SourcePin
from include.hubspot_sync.store.snapshot import SnapshotCount, build_snapshot
from include.hubspot_sync.store.staging import load_staging, staged_sums

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LandWork:
    """The collaborators of `land`."""

    definition: SyncDefinition
    database: Database
    kaggle: KaggleClient
    landing: Landing
    dag_run_key: str
    folder: Path
    """Empty folder for the download."""
    allow_older_version: bool
    wanted_version: int | None = None
    """The version to bring; None = the newest."""
    applies: PlanBasis | None = None
    """What the plan was made of that this run has to apply; None = it applies none."""


@dataclass(frozen=True, slots=True)
class StageWork:
    """The collaborators of `stage`."""

    definition: SyncDefinition
    database: Database
    landing: Landing
    dag_run_key: str
    folder: Path
    guards_approved: bool


def land(work: LandWork) -> str | None:
    """Bring the current version to S3 and pin it in the run.

    Returns:
        The manifest's key, or None when nothing changed and nothing is left over from earlier runs.

    Raises:
        SupersededError: the version is older than one that was synced before.
        PlanMovedOnError: the plan to apply is of another version.
        SyncError: Kaggle or S3 cannot be used.
    """
    run = work.database.run(lambda transaction: _begin(transaction, work))
    version = work.kaggle.get_dataset_version(work.wanted_version)
    if work.applies is not None:
        refuse_other_version(work.applies, version.version, version.last_updated, is_newest=version.is_newest)
    work.database.run(lambda transaction: _note_and_refuse_older(transaction, work, run, version))
    accepted = work.database.run(lambda transaction: _unchanged_basis(transaction, work, run))
    if accepted and (accepted.source_version, accepted.source_last_updated) == (version.version, version.last_updated):
        _end_unchanged(work, run, accepted, version)
        return None
    manifest = _landed(work, version)
    if accepted and accepted.source_sha256 == bytes.fromhex(manifest.sha256):
        _end_unchanged(work, run, accepted, version)
        return None
    pin = _pin(work.definition, version, bytes.fromhex(manifest.sha256))
    work.database.run(lambda transaction: _pin_source(transaction, work, run, pin))
    return pin.manifest_key


def _begin(transaction: Transaction, work: LandWork) -> Run:
    run = runs.get_run(transaction, work.dag_run_key)
    delivery = work.definition.delivery
    lock.take_lock(transaction, run, lease_s=delivery.run_lease_s, drain_s=delivery.request_timeout_s)
    return runs.get_run(transaction, work.dag_run_key)


_FURTHER_ON = frozenset({RunState.STAGED, RunState.PLANNED, RunState.DELIVERING})


def _prove_first(transaction: Transaction, work: LandWork, run: Run) -> None:
    """Join the lock until the commit and check that no other try has brought the run past `land`.

    Raises:
        LeaseLostError: this try was stopped for so long that another one did its work.
    """
    now = _begin(transaction, work)
    if now.state in _FURTHER_ON:
        raise LeaseLostError(
            f"run {run.run_id} is {now.state} already and keeps its file: clear the whole run to start over"
        )


def _pin_source(transaction: Transaction, work: LandWork, run: Run, pin: SourcePin) -> None:
    _prove_first(transaction, work, run)
    runs.pin_source(transaction, run.run_id, pin, is_unchanged=False)


def _pin(definition: SyncDefinition, version: DatasetVersion, sha256: bytes) -> SourcePin:
    keys = LandingKeys.of(definition.source.dataset, version.version, definition.source.file)
    return SourcePin(version.version, version.last_updated, sha256, keys.manifest, keys.data, definition.mapping_hash())


def _note_and_refuse_older(transaction: Transaction, work: LandWork, run: Run, version: DatasetVersion) -> None:
    dataset_versions.note_version(transaction, run.sync_name, version.version, version.last_updated)
    newest = runs.newest_planned_version(transaction, run.sync_name, run.portal_id)
    if newest is not None and version.version < newest and not work.allow_older_version:
        raise SupersededError(
            f"the run is to bring version {version.version} of {work.definition.source.dataset}, but version {newest} "
            "has been synced: nothing was written; to go back on purpose give a reason in the parameter "
            "allow_older_version"
        )


def _unchanged_basis(transaction: Transaction, work: LandWork, run: Run) -> Run | None:
    """Return the accepted run that an unchanged file may be compared with; None forces the whole way."""
    definition = work.definition
    if work.applies is not None:
        return None  # only the whole way shows whether the plan still fits
    accepted = runs.accepted_run(transaction, run.sync_name, run.portal_id)
    if accepted is None or run.mode is not RunMode.INCREMENTAL or accepted.mapping_hash != definition.mapping_hash():
        return None
    left = runs.leftovers(transaction, accepted)
    if left.exist:
        log.info("earlier runs left work, going the whole way run_id=%d %s", run.run_id, left)
        return None
    return accepted


def _end_unchanged(work: LandWork, run: Run, accepted: Run, version: DatasetVersion) -> None:
    """The run ends here; its numbers are those of the accepted run."""
    pin = _pin(work.definition, version, accepted.source_sha256 or b"")

    def store(transaction: Transaction) -> None:
        _prove_first(transaction, work, run)
        runs.mark_staged(
            transaction,
            run.run_id,
            source_rows=accepted.source_rows or 0,
            quarantined_lines=accepted.quarantined_lines or 0,
            unreadable_key_lines=accepted.unreadable_key_lines or 0,
            suppressed_lines=accepted.suppressed_lines or 0,
            records=accepted.records or 0,
            quarantined=accepted.quarantined or 0,
        )
        runs.pin_source(transaction, run.run_id, pin, is_unchanged=True)

    work.database.run(store)
    log.info("source unchanged run_id=%d version=%d", run.run_id, version.version)


def _landed(work: LandWork, version: DatasetVersion) -> Manifest:
    """Return the manifest of a version, downloading it when it is not in S3 yet."""
    source = work.definition.source
    keys = LandingKeys.of(source.dataset, version.version, source.file)
    existing = work.landing.read_manifest(keys.manifest)
    if existing is not None and (existing.last_updated == version.last_updated or not version.is_newest):
        log.info("version is landed already version=%d", version.version)
        return existing
    if not version.is_ready:
        raise SourceUnavailableError(
            f"version {version.version} of {source.dataset} is not ready yet (status {version.status}): "
            "the next try waits"
        )
    download = work.kaggle.download_file(version.version, source.file, work.folder)
    unpacked = unpack(download.path, source, work.folder)
    # a landed version is kept for good, so a web page or an empty file must not become one
    check_beginning(unpacked.path, source)
    manifest = Manifest(
        dataset=source.dataset,
        version=version.version,
        last_updated=version.last_updated,
        file=source.file,
        key=keys.data,
        size_bytes=unpacked.size_bytes,
        sha256=sha256_of(unpacked.path),
        source_md5=download.md5,
        source_etag=download.etag,
        source_generation=download.generation,
        created_at=datetime.now(tz=UTC).isoformat(),
        run=work.dag_run_key,
    )
    return work.landing.land(unpacked.path, manifest)


def stage(work: StageWork, manifest_key: str) -> int:
    """Validate the landed file, load it, build the snapshot; return the number of records.

    Raises:
        SourceDataError: the file is not what the definition expects.
        GuardError: its numbers look wrong; nothing was loaded.
        SyncError: S3 or MySQL cannot be used.
    """
    run = work.database.run(lambda transaction: runs.get_run(transaction, work.dag_run_key))
    manifest = work.landing.read_manifest(manifest_key)
    if manifest is None:
        raise SourceDataError(
            f"the manifest {manifest_key} is gone from S3: clear the task `land` to fetch the file again"
        )
    raw, clean = work.folder / "source.csv", work.folder / "clean.csv"
    work.landing.fetch_to_file(manifest, raw)
    definition = work.definition
    lines: list[RejectedLine] = []
    with spent_on(Phase.VALIDATE):
        check = validate_file(raw, definition.source, definition.record, clean, lines.append)
    erased = work.database.run(lambda transaction: erasure.suppressed_keys(transaction, run.sync_name))
    refused = [line for line in lines if not _is_of(line, erased)]
    work.database.run(
        lambda transaction: rejects.insert_rejected_lines(transaction, run.run_id, run.sync_name, manifest.key, refused)
    )
    accepted = work.database.run(lambda transaction: runs.accepted_run(transaction, run.sync_name, run.portal_id))
    if _is_guarded(work, run):
        guard_file(check, accepted, definition.guards, lines)

    def load(transaction: Transaction) -> SnapshotCount:
        _prove_pinned(transaction, work, run, manifest_key)
        return _load(transaction, work, run, _Staged(check, clean, len(lines) - len(refused), bool(erased)), accepted)

    count = work.database.run(load)
    log.info(
        "staged run_id=%d rows=%d quarantined_lines=%d records=%d notes=%s",
        run.run_id,
        check.rows,
        check.rejected_lines,
        count.records,
        dict(check.notes),
    )
    return count.records


@dataclass(frozen=True, slots=True)
class _Staged:
    """A validated file on its way into the staging table."""

    check: FileCheck
    clean: Path
    suppressed_lines: int
    """Bad lines of erased people, which are kept nowhere."""
    has_erased: bool
    """Whether the sync has erased anybody at all."""


def _is_of(line: RejectedLine, erased: frozenset[bytes]) -> bool:
    return bool(erased) and line.key_text is not None and record_key(line.key_text) in erased


def _is_guarded(work: StageWork, run: Run) -> bool:
    """A run that only plans sends nothing: its plan says which guards would stop it."""
    return not work.guards_approved and run.mode is not RunMode.PLAN_ONLY


def _prove_pinned(transaction: Transaction, work: StageWork, run: Run, manifest_key: str) -> None:
    """Join the lock until the commit: a late try must not replace what a newer run or file has staged.

    Raises:
        LeaseLostError: the run works on another file now.
    """
    delivery = work.definition.delivery
    lock.take_lock(transaction, run, lease_s=delivery.run_lease_s, drain_s=delivery.request_timeout_s)
    now = runs.get_run(transaction, work.dag_run_key)
    if now.manifest_key != manifest_key:
        raise LeaseLostError(f"run {run.run_id} works on {now.manifest_key} now; nothing of {manifest_key} was loaded")


def _load(transaction: Transaction, work: StageWork, run: Run, staged: _Staged, accepted: Run | None) -> SnapshotCount:
    """Load, hash and count in one transaction: a half-loaded file is never seen, nor a line of an erased person."""
    check, suppressed_lines = staged.check, staged.suppressed_lines
    before = staged_sums(transaction, work.definition, tuple(check.sums))
    for text in sum_warnings(before, check.sums, work.definition.guards):
        log.warning("%s run_id=%d", text, run.run_id)
    with spent_on(Phase.LOAD):
        load_staging(transaction, work.definition, run.run_id, staged.clean, rows=check.rows, sums=check.sums)
    if staged.has_erased:
        suppressed_lines += erasure.drop_suppressed_lines(transaction, work.definition, run.run_id)
    keep = accepted.run_id if accepted else run.run_id
    with spent_on(Phase.SNAPSHOT):
        count = build_snapshot(transaction, work.definition, run.run_id, keep)
    if _is_guarded(work, run):
        guard_records(count, check, accepted, work.definition.guards)
    runs.mark_staged(
        transaction,
        run.run_id,
        source_rows=check.source_rows,
        quarantined_lines=check.rejected_lines - staged.suppressed_lines,
        suppressed_lines=suppressed_lines,
        unreadable_key_lines=check.unreadable_key_lines,
        records=count.records + count.withheld,
        quarantined=count.withheld,
    )
    return count


_APPROVE = "nothing was loaded; check the file, or approve with the run parameter approve_guards and a reason"


def guard_file(check: FileCheck, accepted: Run | None, guards: Guards, refused: list[RejectedLine]) -> None:
    """Stop before a suspicious file is loaded.

    Raises:
        GuardError: names the number, the limit and the way to approve.
    """
    if trip := lines_trip(check.rejected_lines, check.source_rows, guards):
        first = refused[0]
        raise GuardError(
            f"{trip.text}; the first is line {first.line_no}, column {first.column or '-'}: "
            f"{first.reason_text}{_unreadable_keys(check)}; {_APPROVE}"
        )
    if trip := rows_trip(check.source_rows, accepted, guards):
        raise GuardError(f"{trip.text}{_wrong_lines(check)}; {_APPROVE}")


def _wrong_lines(check: FileCheck) -> str:
    """Say how many lines of the file are wrong, for a guard that has counted something else."""
    if not check.rejected_lines:
        return ""
    return f"; {check.rejected_lines} of its lines are wrong{_unreadable_keys(check)}"


def _unreadable_keys(check: FileCheck) -> str:
    """Say how many lines belong to nobody: who approves should know that such a run archives nothing."""
    if not check.unreadable_key_lines:
        return ""
    return f"; lines without a readable key: {check.unreadable_key_lines}, and with such lines a run archives nothing"


def sum_warnings(before: Mapping[str, int], now: Mapping[str, int], guards: Guards) -> list[str]:
    """Return a sentence for each column whose sum moved further than usual; it is no reason to stop."""
    return [
        f"the sum of {name} went from {old} to {now[name]} (guards.warn_sum_change {guards.warn_sum_change:g}): "
        "compare the file with the one before"
        for name, old in before.items()
        if abs(now[name] - old) > guards.warn_sum_change * abs(old)
    ]


def guard_records(count: SnapshotCount, check: FileCheck, accepted: Run | None, guards: Guards) -> None:
    """Stop when too many records are gone.

    Raises:
        GuardError: names the number, the limit and the way to approve.
    """
    if trip := records_trip(count.records + count.withheld, accepted, guards):
        raise GuardError(f"{trip.text}{_wrong_lines(check)}; {_APPROVE}")
