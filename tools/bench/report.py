"""`python -m tools.bench.report`: writes the tables of docs/performance.md from bench/results.json."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.bench.cases import CASES, Case
from tools.bench.figures import Spread
from tools.bench.growth_plot import growth_points, growth_svg
from tools.bench.measurement import TASK_PHASES, Measurement
from tools.bench.peers.race import PEERS, PeerRun
from tools.bench.results import Results
from tools.local_stack.layout import ROOT

PAGE = ROOT / "docs" / "performance.md"
RESULTS = ROOT / "bench" / "results.json"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
_PLOT = "growth.svg"
_COMPARED = "full_writes_only"
"""The case that peers are compared with: they read nothing back either."""
_PARTS = ("validate", "load", "snapshot", "limit_wait", "answer_wait", "commit", "read_back")
_NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Row:
    """A case and its runs."""

    case: Case
    runs: Sequence[Measurement]

    def spread(self, value: Callable[[Measurement], float | None], digits: int = 1) -> str:
        """Return median, least and most of a figure, a dash when some run has none."""
        values = [value(run) for run in self.runs]
        return _NOTHING if None in values else Spread.of(one for one in values if one is not None).text(digits)

    def median(self, value: Callable[[Measurement], float]) -> float:
        """Return the median of a figure."""
        return Spread.of(value(run) for run in self.runs).median

    def most(self, value: Callable[[Measurement], int]) -> int:
        """Return the largest value of a count: an exceeded limit must not vanish in a median."""
        return max(value(run) for run in self.runs)

    @property
    def verdict(self) -> str:
        """Return the number to reach and by how much it is missed."""
        target = self.case.target
        if target is None:
            return _NOTHING
        limit = target.limit_s(self.case.floor_s)
        median = self.median(lambda run: float(getattr(run, target.figure)))
        what = f"{target.figure.removesuffix('_s')} ≤ {limit:.1f} s"
        return f"{what}: yes" if median <= limit else f"{what}: missed by {median - limit:.1f} s"


def write_page(results: Results, page: Path = PAGE) -> None:
    """Replace what stands between the markers of the page, and the plot beside it.

    Raises:
        ValueError: the page has no markers.
    """
    plot = growth_svg(growth_points(results.cases))
    if plot:
        page.with_name(_PLOT).write_text(plot, encoding="utf-8")
    page.write_text(replace_between(page.read_text(encoding="utf-8"), render(results)), encoding="utf-8")


def replace_between(text: str, content: str) -> str:
    """Return the text with other content between its markers.

    Raises:
        ValueError: a marker is missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page needs the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{content}\n{END}{after}"


def render(results: Results) -> str:
    """Return the generated part of the page."""
    rows = [Row(case, results.cases[case.name]) for case in CASES if case.name in results.cases]
    parts = [f"Measured on {results.day} with `{results.command}`, commit {results.commit}: {results.machine.text()}."]
    if rows:
        parts += [_case_table(rows), _phase_table(rows), _process_table(rows)]
    if results.peers:
        parts.append(_peer_table(results))
    if growth_svg(growth_points(results.cases)):
        parts.append(f"![Milliseconds per contact by number of contacts]({_PLOT})")
    return "\n\n".join(parts)


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; every column but the first is for numbers."""
    lines = [heading, ["---", *["---:"] * (len(heading) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _case_table(rows: Sequence[Row]) -> str:
    heading = ["case", "runs", "to send", "floor s", "wall s", "deliver s", "API ÷ floor", "contacts per s"]
    heading += ["requests", "429", "most in 10 s", "payload MB", "to reach"]
    return "### Cases\n\n" + table(heading, map(_case_line, rows))


def _case_line(row: Row) -> list[str]:
    case = row.case
    return [
        f"`{case.name}`: {case.says}",
        str(len(row.runs)),
        f"{case.changes:,}",
        f"{case.floor_s:.1f}",
        row.spread(lambda run: run.wall_s),
        row.spread(lambda run: run.deliver_s),
        row.spread(lambda run: run.ratio, digits=2),
        row.spread(lambda run: run.records_per_s, digits=0),
        row.spread(lambda run: run.request_count, digits=0),
        str(row.most(lambda run: run.http_429)),
        f"{row.most(lambda run: run.most_in_10s)} of {case.portal.limit}",
        row.spread(lambda run: None if run.payload_bytes is None else run.payload_bytes / 1e6),
        row.verdict,
    ]


def _phase_table(rows: Sequence[Row]) -> str:
    found = {name for row in rows for run in row.runs for name in run.phases}
    names = [name for name in (*TASK_PHASES, *_PARTS) if name in found]
    heading = ["case", "between tasks", "around bodies", *(name.replace("_", " ") for name in names)]
    return "### Seconds by phase\n\n" + table(heading, (_phase_line(row, names) for row in rows))


def _phase_line(row: Row, names: Sequence[str]) -> list[str]:
    airflow = [row.spread(lambda run: run.between_tasks_s), row.spread(lambda run: run.around_bodies_s)]
    return [f"`{row.case.name}`", *airflow, *(_phase(row, name) for name in names)]


def _phase(row: Row, name: str) -> str:
    return row.spread(lambda run: run.phases.get(name))


def _process_table(rows: Sequence[Row]) -> str:
    kinds = sorted({kind for row in rows for run in row.runs for kind in run.processes})
    lines = ([f"`{row.case.name}`", *(_use(row, kind) for kind in kinds)] for row in rows)
    return "### CPU seconds / peak MB by kind of process\n\n" + table(["case", *kinds], lines)


def _use(row: Row, kind: str) -> str:
    cpu_s = row.median(lambda run: run.processes[kind].cpu_s)
    peak_mb = row.median(lambda run: run.processes[kind].peak_mb)
    return f"{cpu_s:.1f} / {peak_mb:.0f}"


def _peer_table(results: Results) -> str:
    measured = results.cases.get(_COMPARED)
    ours = Spread.of(run.api_s for run in measured) if measured else None
    case = next(case for case in CASES if case.name == _COMPARED)
    heading = ["way", "contacts sent", "runs", "contacts per s", "429", "most in 10 s"]
    heading += [f"{case.changes:,} contacts take", *(["compared"] if ours else [])]
    lines = [
        _peer_line(peer.says, results.peers[peer.name], case.changes, ours)
        for peer in PEERS
        if peer.name in results.peers
    ]
    if measured and ours:
        rates = Row(case, measured).spread(lambda run: run.records_per_s, digits=0)
        refused, window = (max(one) for one in zip(*((run.http_429, run.most_in_10s) for run in measured), strict=True))
        own = [f"this product (`{_COMPARED}`)", f"{case.changes:,}", str(ours.runs), rates, str(refused), str(window)]
        lines.append([*own, duration(ours.median), "1"])
    return "### Other ways\n\n" + table(heading, lines)


def _peer_line(says: str, runs: Sequence[PeerRun], contacts: int, ours: Spread | None) -> list[str]:
    whole = Spread.of(run.seconds_for(contacts) for run in runs)
    line = [
        says,
        f"{runs[0].sample:,}",
        str(len(runs)),
        Spread.of(run.records_per_s for run in runs).text(),
        str(max(run.http_429 for run in runs)),
        str(max(run.most_in_10s for run in runs)),
        f"{duration(whole.median)} (extrapolated)",
    ]
    return [*line, f"{whole.median / ours.median:.0f} times as long"] if ours else line


def duration(seconds: float) -> str:
    """Return seconds in the unit in which people think of them."""
    minute, hour = 60, 3600
    if seconds < 2 * minute:
        return f"{seconds:.0f} s"
    return f"{seconds / minute:.0f} min" if seconds < 2 * hour else f"{seconds / hour:.1f} h"


def main() -> None:
    """Write the page."""
    write_page(Results.read(RESULTS))


if __name__ == "__main__":
    main()
