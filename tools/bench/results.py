"""bench/results.json: every figure of every run, from which the table and the plot are made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tools.bench.cases import SEED
from tools.bench.machine import Machine
from tools.bench.measurement import Measurement
from tools.bench.peers.race import PeerRun


@dataclass
class Results:
    """All runs of one call."""

    machine: Machine
    command: str
    commit: str
    """Empty outside of a git checkout; ends in `+` when files differed from it."""
    day: str
    """ISO 8601."""
    cases: dict[str, list[Measurement]] = field(default_factory=dict)
    peers: dict[str, list[PeerRun]] = field(default_factory=dict)

    @property
    def problems(self) -> list[str]:
        """Return everything that was wrong, with the name of the case or peer."""
        runs: Mapping[str, list[Any]] = {**self.cases, **self.peers}
        return [f"{name}: {text}" for name, many in runs.items() for run in many for text in run.problems]

    def write(self, path: Path) -> None:
        """Write the file, complete or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "machine": asdict(self.machine),
            "command": self.command,
            "commit": self.commit,
            "day": self.day,
            "seed": SEED,
            "cases": {name: [run.as_json() for run in runs] for name, runs in self.cases.items()},
            "peers": {name: [run.as_json() for run in runs] for name, runs in self.peers.items()},
        }
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        fresh.replace(path)

    @classmethod
    def read(cls, path: Path) -> Results:
        """Read the file."""
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            machine=Machine(**content["machine"]),
            command=content["command"],
            commit=content["commit"],
            day=content["day"],
            cases={name: [Measurement.from_json(run) for run in runs] for name, runs in content["cases"].items()},
            peers={name: [PeerRun.from_json(run) for run in runs] for name, runs in content["peers"].items()},
        )
