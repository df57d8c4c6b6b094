"""One call of the benchmark: every case and every peer, as often as asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.bench.cases import Suite
from tools.bench.measurement import Measurement
from tools.bench.peers.peer import Peer
from tools.bench.peers.race import PeerRun, Race
from tools.bench.results import Results
from tools.bench.runner import Runner, dataset_file
from tools.bench.stack import BenchStack, open_stack
from tools.chaos.source import expected_contacts
from tools.kaggle_simulator.generator import SIZES, Profile
from tools.local_stack.console import console
from tools.local_stack.errors import StackError

_ONLY_THE_PORTAL = frozenset({"hubspot"})


@dataclass(frozen=True, slots=True)
class Plan:
    """What a call runs."""

    suite: Suite
    peers: Sequence[Peer]
    repeat: int


@dataclass(frozen=True, slots=True)
class Session:
    """Runs a plan and keeps the results on disk after each run: a long benchmark may be broken off."""

    plan: Plan
    results: Results
    path: Path
    environ: Mapping[str, str]

    def play(self) -> None:
        """Measure everything.

        Raises:
            StackError: a part of the stack does not start or answer, or a run that only leads to a case fails.
        """
        parts = frozenset() if self.plan.suite.cases else _ONLY_THE_PORTAL
        with open_stack(self.environ, parts=parts) as stack:
            if self.plan.suite.cases:
                self._play_cases(stack)
            if self.plan.peers:
                self._play_peers(stack)

    def _play_cases(self, stack: BenchStack) -> None:
        runner = Runner(stack, self.plan.suite)
        runner.warm_up()
        for number in range(1, self.plan.repeat + 1):
            for case in self.plan.suite.cases:
                if number <= case.most_repeats:
                    measurement = runner.play(case)
                    self.results.cases.setdefault(case.name, []).append(measurement)
                    self._keep(f"{case.name} {number}: {describe(measurement)}")

    def _play_peers(self, stack: BenchStack) -> None:
        file = dataset_file(stack.versions, SIZES[Profile.BENCHMARK])
        contacts = list(expected_contacts(file).values())
        race = Race(stack.portal, stack.place.stack.hubspot_url, stack.place.stack.hubspot_token, contacts)
        for number in range(1, self.plan.repeat + 1):
            for peer in self.plan.peers:
                run = race.run(peer)
                if not run.api_s:
                    raise StackError(f"peer {peer.name} sent nothing that the portal logged")
                self.results.peers.setdefault(peer.name, []).append(run)
                self._keep(f"{peer.name} {number}: {describe_peer(run)}")

    def _keep(self, line: str) -> None:
        self.results.write(self.path)
        console.print(line, markup=False, highlight=False)


def describe(run: Measurement) -> str:
    """Return the figures of a run in one line."""
    ratio = "" if run.ratio is None else f", {run.ratio:.2f} of the floor"
    return (
        f"wall {run.wall_s:.1f} s, deliver {run.deliver_s:.1f} s{ratio}, {run.request_count} requests, "
        f"{run.http_429} answers 429, {run.most_in_10s} in 10 s; {'; '.join(run.problems) or 'every count as expected'}"
    )


def describe_peer(run: PeerRun) -> str:
    """Return the figures of a peer's run in one line."""
    return (
        f"{run.sample} contacts in {run.api_s:.1f} s, {run.records_per_s:.1f} per s, {run.http_429} answers 429, "
        f"{run.most_in_10s} in 10 s; {'; '.join(run.problems) or 'every contact arrived'}"
    )
