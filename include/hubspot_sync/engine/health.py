"""Judge a run at its end: every record exactly once, nothing open, nothing different."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace

from include.hubspot_sync.config import OnRemoval, ReadBack, SyncDefinition
from include.hubspot_sync.engine.run_plan import trips_text
from include.hubspot_sync.records import Operation, OutboxState, RunMode, RunPlan, RunState
from include.hubspot_sync.store import pacing, plans, rejects, report, runs
from include.hubspot_sync.store.connection import Transaction
from include.hubspot_sync.store.runs import Run

_BEFORE_THE_PLAN = frozenset({RunState.PREFLIGHT, RunState.LANDING, RunState.STAGED})


@dataclass(frozen=True, slots=True)
class Summary:
    """The numbers of a run; records = created + updated + unchanged + rejected + quarantined + open."""

    run_id: int
    mode: str
    state: str
    """success, failed or superseded."""
    source_rows: int = 0
    records: int = 0
    created: int = 0
    updated: int = 0
    archived: int = 0
    unchanged: int = 0
    open: int = 0
    rejected: int = 0
    quarantined: int = 0
    quarantined_lines: int = 0
    suppressed_lines: int = 0
    """Lines left out because their person was erased; their records are in no other count."""
    verified: int = 0
    mismatched: int = 0
    api_calls: int = 0
    write_calls: int = 0
    http_429: int = 0
    deliver_s: float = 0.0
    planned_create: int = 0
    """By the kept plan, also of one that a guard stopped; 0 when no plan was made, like the four below."""
    planned_update: int = 0
    planned_archive: int = 0
    planned_calls: int = 0
    """Requests that the plan takes, the read-back included."""
    planned_s: float = 0.0
    """The least seconds for them at the portal's limit."""
    plan_page: str = ""
    """Path of the kept plan below Airflow's address; empty when there is none."""
    message: str = ""
    """Why the run is no success."""
    note: str = ""
    """What a person should know of a run, good or not."""
    phases: Mapping[str, float] = field(default_factory=dict)
    """Phase → seconds; see `Phase`."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Everything that is counted at the end of a run."""

    outcomes: report.Outcomes
    untouched: report.Untouched
    usage: pacing.Usage
    deliver_s: float
    unverified: int
    """Delivered rows that should have been read back and were not."""

    @property
    def open(self) -> int:
        """Return the records that are still to deliver."""
        return self.outcomes.in_state(OutboxState.PENDING, OutboxState.IN_FLIGHT, upserts_only=True)

    @property
    def open_archives(self) -> int:
        """Return the archives that are still to do; they stand outside the sum of records."""
        return self.outcomes.in_state(OutboxState.PENDING, OutboxState.IN_FLIGHT) - self.open


def judge(transaction: Transaction, definition: SyncDefinition, run: Run, failed_tasks: Sequence[str]) -> Summary:
    """Count the outcome of a run and decide whether it is a success.

    Args:
        transaction: Open transaction.
        definition: The run's sync.
        run: The run.
        failed_tasks: Tasks of the DAG run that did not end well.
    """
    if run.state is RunState.SUPERSEDED:
        return _plain(run, "superseded", run.reason_text or "a newer run took over")
    if run.is_unchanged:
        return _unchanged(transaction, run, failed_tasks)
    counts = _count(transaction, definition, run)
    problems = _problems(run, counts, failed_tasks)
    plan = plans.find_plan(transaction, run.sync_name, run.run_id)
    summary = replace(_full(run, counts, "; ".join(problems)), note=_note(definition, run, counts, plan))
    return _with_plan(summary, plan) if plan else summary


def _with_plan(summary: Summary, plan: RunPlan) -> Summary:
    """Add what the kept plan says: the run's own columns know nothing of a plan that was refused."""
    return replace(
        summary,
        planned_create=plan.changes.get(Operation.CREATE, 0),
        planned_update=plan.changes.get(Operation.UPDATE, 0),
        planned_archive=plan.changes.get(Operation.ARCHIVE, 0),
        planned_calls=plan.cost.calls,
        planned_s=plan.cost.seconds,
    )


def _plain(run: Run, state: str, message: str) -> Summary:
    return Summary(run_id=run.run_id, mode=run.mode, state=state, message=message)


def _unchanged(transaction: Transaction, run: Run, failed_tasks: Sequence[str]) -> Summary:
    """Nothing had to be done: the numbers are those of the accepted run."""
    accepted = runs.accepted_run(transaction, run.sync_name, run.portal_id)
    records = (accepted.records or 0) if accepted else 0
    quarantined = (accepted.quarantined or 0) if accepted else 0
    rejected = rejects.count_current_rejects(transaction, run.sync_name)
    usage = pacing.total_usage(transaction, run.run_id)
    return Summary(
        run_id=run.run_id,
        mode=run.mode,
        state="failed" if failed_tasks else "success",
        source_rows=(accepted.source_rows or 0) if accepted else 0,
        records=records,
        unchanged=records - rejected - quarantined,
        rejected=rejected,
        quarantined=quarantined,
        quarantined_lines=(accepted.quarantined_lines or 0) if accepted else 0,
        suppressed_lines=(accepted.suppressed_lines or 0) if accepted else 0,
        api_calls=usage.calls,
        write_calls=usage.write_calls,
        http_429=usage.http_429,
        message=_task_problem(failed_tasks),
    )


def _count(transaction: Transaction, definition: SyncDefinition, run: Run) -> Counts:
    outcomes = report.count_outcomes(transaction, run.run_id)
    is_full = definition.delivery.read_back is ReadBack.FULL
    return Counts(
        outcomes=outcomes,
        untouched=report.count_untouched(transaction, run),
        usage=pacing.total_usage(transaction, run.run_id),
        deliver_s=runs.delivery_seconds(transaction, run.run_id),
        unverified=outcomes.in_state(OutboxState.DELIVERED) if is_full else 0,
    )


def _task_problem(failed_tasks: Sequence[str]) -> str:
    names = ", ".join(sorted(set(failed_tasks)))
    return f"tasks failed: {names} (the line `error:` in the log has the reason)" if names else ""


def _problems(run: Run, counts: Counts, failed_tasks: Sequence[str]) -> list[str]:
    """Name everything that keeps the run from being a success."""
    mismatched = counts.outcomes.in_state(OutboxState.MISMATCHED)
    is_planned = run.state not in _BEFORE_THE_PLAN and bool(run.plan_hash or run.planned)
    candidates = (
        (_task_problem(failed_tasks), bool(failed_tasks)),
        (f"the run ended in state {run.state}", not is_planned),
        (f"{counts.open} records are still to deliver", counts.open > 0),
        (f"{counts.open_archives} archives are still to do", counts.open_archives > 0),
        (f"{counts.unverified} delivered rows were not read back", counts.unverified > 0),
        (f"{mismatched} rows differ in HubSpot", mismatched > 0),
        (f"{counts.untouched.unexplained} records are in no count", is_planned and _unexplained(run, counts) > 0),
    )
    problems = [text for text, is_true in candidates if is_true]
    # without a kind, the text is the message of an earlier judgement
    return [*problems, run.reason_text] if problems and run.reason and run.reason_text else problems


def _note(definition: SyncDefinition, run: Run, counts: Counts, plan: RunPlan | None) -> str:
    stops = trips_text(plan.trips) if plan and run.mode is RunMode.PLAN_ONLY else ""
    planned = plan.note if plan else ""
    return "; ".join(text for text in (stops, planned, _left_out(definition, run, counts)) if text)


def _left_out(definition: SyncDefinition, run: Run, counts: Counts) -> str:
    if run.is_limited:
        left = counts.untouched.unexplained
        return f"a limited run: {left} changed records and every removal were left for a run without limits"
    if definition.destination.on_removal is OnRemoval.ARCHIVE and run.unreadable_key_lines:
        return f"nothing was archived, lines without a readable key: {run.unreadable_key_lines}"
    return ""


def _unexplained(run: Run, counts: Counts) -> int:
    return 0 if run.mode == "plan_only" or run.is_limited else counts.untouched.unexplained


def _full(run: Run, counts: Counts, message: str) -> Summary:
    outcomes, untouched = counts.outcomes, counts.untouched
    return Summary(
        run_id=run.run_id,
        mode=run.mode,
        state="failed" if message else "success",
        source_rows=run.source_rows or 0,
        records=run.records or 0,
        created=outcomes.confirmed(Operation.CREATE),
        updated=outcomes.confirmed(Operation.UPDATE),
        archived=outcomes.confirmed(Operation.ARCHIVE),
        unchanged=untouched.unchanged,
        open=counts.open + untouched.unexplained,
        rejected=outcomes.in_state(OutboxState.REJECTED, upserts_only=True) + untouched.carried_rejects,
        quarantined=run.quarantined or 0,
        quarantined_lines=run.quarantined_lines or 0,
        suppressed_lines=run.suppressed_lines or 0,
        verified=outcomes.in_state(OutboxState.VERIFIED),
        mismatched=outcomes.in_state(OutboxState.MISMATCHED),
        api_calls=counts.usage.calls,
        write_calls=counts.usage.write_calls,
        http_429=counts.usage.http_429,
        deliver_s=round(counts.deliver_s, 3),
        message=message,
    )


def as_fields(summary: Summary) -> dict[str, object]:
    """Return the summary as the fields of the `RESULT` line."""
    return asdict(summary)


FIELD_NAMES = tuple(field.name for field in fields(Summary))
