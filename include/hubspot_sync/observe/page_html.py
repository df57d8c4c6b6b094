"""The page as HTML: values in, text out. Every value is escaped by the template engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import jinja2

from include.hubspot_sync.observe.history import History, Span
from include.hubspot_sync.observe.history_plots import history_plots
from include.hubspot_sync.observe.plan_status import PlanStatus
from include.hubspot_sync.observe.run_status import (
    NotableBatch,
    Progress,
    RejectedRecords,
    RunStatus,
    ShardProgress,
    SyncStatus,
)
from include.hubspot_sync.records import BatchState, LedgerState, OutboxState, Phase, RunState

_FOLDER = Path(__file__).parent

STATIC_FILES: Mapping[str, tuple[Path, str]] = {
    "page.css": (_FOLDER / "static" / "page.css", "text/css; charset=utf-8"),
    "page.js": (_FOLDER / "static" / "page.js", "text/javascript; charset=utf-8"),
}
"""Files that the page refers to: name → path and media type."""

COUNT_GROUPS: Mapping[str, Mapping[str, str]] = {
    "Records": {
        "records": "Records",
        "created": "Created",
        "updated": "Updated",
        "unchanged": "Unchanged",
        "rejected": "Rejected",
        "quarantined": "Quarantined",
        "open": "Open",
    },
    "Proof": {"verified": "Verified by read-back", "mismatched": "Mismatched", "archived": "Archived"},
    "Source": {
        "source_rows": "Source rows",
        "quarantined_lines": "Quarantined lines",
        "suppressed_lines": "Lines of erased people",
    },
    "Requests": {
        "api_calls": "API calls",
        "write_calls": "Write calls",
        "http_429": "429 answers",
        "deliver_s": "Delivery, seconds",
    },
    "Plan": {
        "planned_create": "Creates",
        "planned_update": "Updates",
        "planned_archive": "Archives",
        "planned_calls": "Requests",
        "planned_s": "Seconds at the limit",
    },
}
"""Fields of the RESULT line in the order of the page; a field that is missing here appears under its own name."""
_IN_THE_HEADER = frozenset({"run_id", "mode", "state", "message", "note", "plan_page"})
_PHASES = "phases"
PHASE_GROUPS: Mapping[str, Mapping[Phase, str]] = {
    "One after the other": {
        Phase.SCHEDULE: "Airflow, between tasks",
        Phase.PREFLIGHT: "Preflight",
        Phase.LAND: "Land",
        Phase.STAGE: "Stage",
        Phase.DELTA: "Delta",
        Phase.DELIVER: "Deliver",
    },
    "Within the tasks, all requests together": {
        Phase.VALIDATE: "Checking lines",
        Phase.LOAD: "Loading",
        Phase.SNAPSHOT: "Snapshot",
        Phase.SETTLE: "Settling doubts",
        Phase.LIMIT_WAIT: "Waiting for the limit",
        Phase.ANSWER_WAIT: "Waiting for HubSpot",
        Phase.COMMIT: "MySQL",
        Phase.READ_BACK: "Reading back",
    },
}
"""Every phase, in the order of the page."""

_STEPS = ("Check and land", "Stage", "Compare", "Deliver", "Finish")
_STEP_OF_STATE: Mapping[RunState, int] = {
    RunState.PREFLIGHT: 0,
    RunState.LANDING: 1,
    RunState.STAGED: 2,
    RunState.PLANNED: 3,
    RunState.AWAITING_APPROVAL: 3,
    RunState.DELIVERING: 3,
}
"""The states say what is finished, so the next part is under way."""

_TONES: Mapping[str, str] = {
    RunState.DONE: "good",
    RunState.FAILED: "bad",
    RunState.SUPERSEDED: "quiet",
    RunState.AWAITING_APPROVAL: "warn",
    BatchState.READY: "quiet",
    LedgerState.ACTIVE: "good",
    LedgerState.ARCHIVED: "quiet",
    LedgerState.UNCERTAIN: "warn",
    OutboxState.PENDING: "quiet",
    OutboxState.VERIFIED: "good",
    OutboxState.REJECTED: "bad",
    OutboxState.MISMATCHED: "bad",
}
SPAN_NAMES: Mapping[Span, str] = {Span.DAY: "Last 24 hours", Span.WEEK: "Last 7 days", Span.MONTH: "Last 30 days"}
NOTHING = "\N{EN DASH}"
"""Stands where there is no value."""
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses as the browser needs them, below whatever path Airflow is served from."""

    page: str
    """Path of this page without a slash at the end."""
    airflow: str
    """Path of Airflow's UI without a slash at the end; empty for the root of the host."""

    def overview(self) -> str:
        """Return the address of the list of syncs."""
        return f"{self.page}/"

    def static(self, name: str) -> str:
        """Return the address of a file of `STATIC_FILES`."""
        return f"{self.page}/static/{name}"

    def sync(self, dag_id: str) -> str:
        """Return the address of a sync's runs."""
        return f"{self.page}/dags/{_part(dag_id)}"

    def run(self, dag_id: str, run_id: int) -> str:
        """Return the address of one run."""
        return f"{self.sync(dag_id)}/runs/{run_id}"

    def plan(self, dag_id: str, run_id: int) -> str:
        """Return the address of what a run was going to do."""
        return f"{self.run(dag_id, run_id)}/plan"

    def progress(self, dag_id: str, run_id: int) -> str:
        """Return the address of the part of a run's page that is loaded again and again."""
        return f"{self.run(dag_id, run_id)}/progress"

    def history(self, dag_id: str, span: str) -> str:
        """Return the address of a sync's runs with the history of that span."""
        return f"{self.sync(dag_id)}?{urlencode({'span': span})}"

    def rejects(self, dag_id: str, **chosen: str | int | None) -> str:
        """Return the address of the list of rejected records, chosen by what is given."""
        return f"{self.sync(dag_id)}/rejects{_query(chosen)}"

    def rejects_file(self, dag_id: str, **chosen: str | int | None) -> str:
        """Return the address of the same list as a file."""
        return f"{self.sync(dag_id)}/rejects.csv{_query(chosen)}"

    def lineage(self, dag_id: str, name: str = "") -> str:
        """Return the address of the search for a name, or of what is known about one."""
        return f"{self.sync(dag_id)}/lineage{_query({'name': name})}"

    def replay(self, dag_id: str, **chosen: str | int | None) -> str:
        """Return the address where a replay is confirmed and, by POST, started."""
        return f"{self.sync(dag_id)}/replay{_query(chosen)}"

    def started(self, dag_id: str, dag_run_id: str) -> str:
        """Return the address that waits for the run of a DAG run that was just started."""
        return f"{self.sync(dag_id)}/started/{_part(dag_run_id)}"

    def dag(self, dag_id: str) -> str:
        """Return the address of the DAG in Airflow's UI."""
        return f"{self.airflow}/dags/{_part(dag_id)}"

    def dag_run(self, dag_id: str, dag_run_id: str) -> str:
        """Return the address of the DAG run with its tasks in Airflow's UI."""
        return f"{self.dag(dag_id)}/runs/{_part(dag_run_id)}"

    def shards(self, dag_id: str, dag_run_id: str) -> str:
        """Return the address of the mapped tasks that deliver."""
        return f"{self.dag_run(dag_id, dag_run_id)}/tasks/deliver/mapped"


@dataclass(frozen=True, slots=True)
class NextRun:
    """When Airflow starts the DAG by itself."""

    at: datetime | None
    """UTC; None when it has no schedule."""
    is_paused: bool


@dataclass(frozen=True, slots=True)
class SyncLine:
    """One line of the overview: a sync, and where it stands or why that cannot be read."""

    name: str
    dag_id: str
    description: str
    status: SyncStatus | None
    problem: str = ""
    next_run: NextRun | None = None
    """None when Airflow does not know the DAG yet."""


def _part(text: str) -> str:
    return quote(text, safe="")


def _query(values: Mapping[str, str | int | None]) -> str:
    """Return the query of an address; what is empty is left out."""
    given = {name: value for name, value in values.items() if value not in ("", None)}
    return f"?{urlencode(given)}" if given else ""


def _number(value: Any) -> str:  # noqa: ANN401  a number, a text or nothing, from JSON
    if value is None or value == "":
        return NOTHING
    return f"{value:,}" if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


def _duration(seconds: float | None) -> str:
    """Return a length of time in its two largest units."""
    if seconds is None:
        return NOTHING
    whole = max(0, round(seconds))
    units = ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "min"), (1, "s"))
    parts = []
    for size, name in units:
        count, whole = divmod(whole, size)
        parts.append((count, name))
    first = next((place for place, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count} {name}" for count, name in parts[first : first + 2] if count or name == parts[first][1])


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else NOTHING


def _machine_moment(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}Z"


def _tone(state: str) -> str:
    return _TONES.get(state, "busy")


def _share(progress: ShardProgress) -> int:
    """Return the whole per cent that are done; 100 only when nothing is left."""
    return progress.done_rows * 100 // progress.total_rows if progress.total_rows else 0


def _average(rows: int, seconds: object) -> str:
    """Return rows per second; the summary of an old run may lack the seconds."""
    return f"{rows / seconds:,.1f}" if isinstance(seconds, (int, float)) and seconds > 0 else NOTHING


def _percent(part: int, whole: int) -> str:
    return f"{part * 100 / whole:.1f} %" if whole else NOTHING


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=_number,
        duration=_duration,
        moment=_moment,
        machine_moment=_machine_moment,
        tone=_tone,
        share=_share,
        percent=_percent,
        average=_average,
    )
    return environment


_TEMPLATES = _environment()


def render(template: str, links: Links, **values: object) -> str:
    """Return a template of this package, filled."""
    return _TEMPLATES.get_template(template).render(links=links, **values)


def overview_page(links: Links, lines: Sequence[SyncLine]) -> str:
    """Return the page with all syncs."""
    return render("overview.html", links, lines=lines)


def sync_page(links: Links, line: SyncLine, runs: Sequence[RunStatus], history: History | None = None) -> str:
    """Return the page with the latest runs of one sync and, when it is given, its history."""
    plots = history_plots(history) if history and runs else ()
    span = history.span if history else None
    return render("sync.html", links, line=line, runs=runs, plots=plots, span=span, spans=SPAN_NAMES)


def run_page(
    links: Links,
    dag_id: str,
    run: RunStatus,
    progress: Progress,
    batches: Sequence[NotableBatch],
    rejected: RejectedRecords,
    *,
    may_replay: bool = False,
) -> str:
    """Return the page of one run.

    Args:
        links: Addresses.
        dag_id: DAG of the sync.
        run: The run.
        progress: How far its delivery is.
        batches: Those to look at.
        rejected: The first rejected records.
        may_replay: the user may trigger the DAG.
    """
    return render(
        "run.html",
        links,
        dag_id=dag_id,
        run=run,
        count_groups=_count_groups(run.counts),
        phase_groups=_phase_groups(run.counts.get(_PHASES) or progress.phases),
        progress=progress,
        batches=batches,
        rejected=rejected,
        steps=_steps(run.state),
        may_replay=may_replay,
    )


def progress_part(links: Links, dag_id: str, run: RunStatus, progress: Progress) -> str:
    """Return the part of a run's page that changes while it delivers."""
    return render("progress.html", links, dag_id=dag_id, run=run, progress=progress, steps=_steps(run.state))


def plan_page(links: Links, dag_id: str, run: RunStatus, status: PlanStatus | None) -> str:
    """Return the page of what a run was going to do."""
    return render("plan.html", links, dag_id=dag_id, run=run, status=status)


def error_page(links: Links, status: int, text: str, *, login: str = "") -> str:
    """Return the page that says why there is no other one, with a way to the login where that helps."""
    return render("error.html", links, status=status, text=text, login=login)


def _steps(state: RunState) -> list[tuple[str, str]]:
    """Return the parts of a run that is under way, each `done`, `now` or `later`; a run that is over has none."""
    if state not in _STEP_OF_STATE:
        return []
    current = _STEP_OF_STATE[state]
    words = ["done"] * current + ["now"] + ["later"] * len(_STEPS)
    return list(zip(_STEPS, words, strict=False))


def _count_groups(counts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the counts that a run has, by group and label."""
    groups = {
        title: {label: counts[name] for name, label in labels.items() if name in counts}
        for title, labels in COUNT_GROUPS.items()
    }
    named = _IN_THE_HEADER.union({_PHASES}, *COUNT_GROUPS.values())
    groups["Other"] = {name: value for name, value in counts.items() if name not in named}
    return {title: values for title, values in groups.items() if values}


def _phase_groups(phases: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Return the seconds of the phases that a run had, by group and label."""
    groups = {
        title: {label: phases[phase] for phase, label in labels.items() if phase in phases}
        for title, labels in PHASE_GROUPS.items()
    }
    return {title: values for title, values in groups.items() if values}
