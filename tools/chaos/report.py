"""What a chaos run found: one JSON file for programs, one table for people."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from tools.chaos.injected import Injected
from tools.chaos.sequence import SequenceResult


@dataclass
class Report:
    """All sequences of a chaos run."""

    seed: int
    sequences: list[tuple[str, SequenceResult]] = field(default_factory=list)
    """Level and result."""
    highest_window: int = 0
    broken_off: str = ""
    """Why the run did not come to its end."""

    @property
    def faults(self) -> list[Injected]:
        """Return every fault that was injected."""
        return [fault for _, result in self.sequences for fault in result.faults]

    @property
    def is_good(self) -> bool:
        """Tell whether every promise held and the run came to its end."""
        return not self.broken_off and not any(result.violations for _, result in self.sequences)

    def as_json(self) -> dict[str, Any]:
        """Return the content of results.json."""
        results = [result for _, result in self.sequences]
        return {
            "seed": self.seed,
            "faults": len(self.faults),
            "faults_by_kind": self._by_kind(),
            "violations": [asdict(violation) for result in results for violation in result.violations],
            "stale_writes_by_stopped_processes": sum(len(result.stale_writes) for result in results),
            "sequences": len(results),
            "runs": sum(len(result.runs) for result in results),
            "failed_runs": sum(result.failed_runs for result in results),
            "repeated_rows": sum(result.repeated_rows for result in results),
            "highest_requests_in_10s": self.highest_window,
            "skipped": {kind: why for result in results for kind, why in result.skipped.items()},
            "wall_s": round(sum(result.wall_s for result in results)),
            "broken_off": self.broken_off,
        }

    def _by_kind(self) -> dict[str, dict[str, Any]]:
        grouped: dict[str, list[Injected]] = defaultdict(list)
        for fault in self.faults:
            grouped[f"{fault.level}.{fault.kind}"].append(fault)
        return {name: _figures(faults) for name, faults in sorted(grouped.items())}

    def write(self, folder: Path) -> Path:
        """Write results.json and return its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "results.json"
        path.write_text(json.dumps(self.as_json(), indent=2) + "\n", encoding="utf-8")
        return path

    def table(self) -> Table:
        """Return the faults by kind, and how long it took until rows were confirmed again."""
        table = Table(box=None, caption="seconds from fault (from its end) to the first newly confirmed row")
        table.add_column("fault", no_wrap=True)
        for heading in ("times", "measured", "p50", "p95", "p50 end", "p95 end"):
            table.add_column(heading, justify="right")
        for name, figures in self._by_kind().items():
            seconds = (figures["recovery_s"], figures["recovery_after_outage_s"])
            cells = [_shown(part[which]) for part in seconds for which in ("p50", "p95")]
            table.add_row(name, str(figures["times"]), str(figures["measured"]), *cells)
        return table


def _figures(faults: Sequence[Injected]) -> dict[str, Any]:
    """Return how often, and the recovery times of those faults that nothing else disturbed."""
    alone = [fault for fault in faults if fault.is_alone and fault.recovered_at]
    return {
        "times": len(faults),
        "measured": len(alone),
        "recovery_s": percentiles(fault.recovery_s for fault in alone),
        "recovery_after_outage_s": percentiles(fault.recovery_after_s for fault in alone),
    }


def percentiles(values: Iterable[float | None]) -> dict[str, float | None]:
    """Return p50 and p95 by nearest rank, None when there is nothing to measure."""
    ordered = sorted(value for value in values if value is not None)
    return {name: _rank(ordered, share) for name, share in (("p50", 0.5), ("p95", 0.95))}


def _rank(ordered: Sequence[float], share: float) -> float | None:
    return round(ordered[math.ceil(share * len(ordered)) - 1], 1) if ordered else None


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"
