"""What is measured: one row per case, each with the state that it starts from."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from tools.bench.figures import floor_s
from tools.hubspot_simulator.limiter import BURST_BY_TIER
from tools.kaggle_simulator.generator import SIZES, Profile, Size
from tools.kaggle_simulator.revision import contacts_for

SEED = 1
CHANGED_SHARE = 0.01
_BENCHMARK, _REAL, _SMALL = SIZES[Profile.BENCHMARK], SIZES[Profile.FULL], SIZES[Profile.SMALL]
_ROWS_PER_CONTACT = 3
_HUGE_LIMIT = 1900


class Source(enum.StrEnum):
    """What Kaggle has when the run begins."""

    FIRST = "first"
    """A dataset that was never synced; portal and ledger are empty."""
    CHANGED = "changed"
    """A new version in which some contacts changed."""
    SAME = "same"
    """The version that was synced last."""


@dataclass(frozen=True, slots=True)
class PortalKnobs:
    """How the simulated portal behaves."""

    tier: str = "pro"
    burst_override: int | None = None
    """Requests per 10 s instead of the tier's."""
    latency: str = "default"

    @property
    def limit(self) -> int:
        """Return the requests that the portal allows in any 10 s."""
        return self.burst_override or BURST_BY_TIER[self.tier]


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure should stay below: a multiple of the case's floor, and seconds on top."""

    figure: str
    """Name of a field of `Measurement`."""
    floors: float = 0.0
    plus_s: float = 0.0

    def limit_s(self, floor: float) -> float:
        """Return the seconds for a case with this floor."""
        return self.floors * floor + self.plus_s


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the benchmark."""

    name: str
    says: str
    size: Size
    source: Source = Source.FIRST
    after: str = ""
    """Name of the case whose end is this one's beginning; empty: everything is empty."""
    read_back: str = "full"
    portal: PortalKnobs = PortalKnobs()
    slots: int = 5
    """Slots of the Airflow pool, and shards at once."""
    batch_size: int = 100
    target: Target | None = None
    most_repeats: int = 99
    """Repetitions at most: only what has a number to reach is worth the time of three runs."""

    @property
    def changes(self) -> int:
        """Return how many contacts the run has to send."""
        match self.source:
            case Source.FIRST:
                return self.size.contacts
            case Source.CHANGED:
                return contacts_for(CHANGED_SHARE, self.size.contacts)
            case Source.SAME:
                return 0

    @property
    def batches(self) -> int:
        """Return the write requests that are necessary."""
        return -(-self.changes // self.batch_size)

    @property
    def floor_s(self) -> float:
        """Return the seconds that the limit alone takes."""
        return floor_s(self.batches * (2 if self.read_back == "full" else 1), self.portal.limit)

    @property
    def delivery(self) -> Mapping[str, Any]:
        """Return the delivery settings that the case decides."""
        return {"shards_at_once": self.slots, "batch_size": self.batch_size}

    @property
    def run_parameters(self) -> Mapping[str, str]:
        """Return what the run is triggered with: a changed definition would be another version of the DAG."""
        return {"read_back": self.read_back}

    @property
    def expected(self) -> Mapping[str, int]:
        """Return what the run must count."""
        is_first = self.source is Source.FIRST
        return {
            "records": self.size.contacts,
            "created": self.changes if is_first else 0,
            "updated": 0 if is_first else self.changes,
            "unchanged": self.size.contacts - self.changes,
            "verified": self.changes if self.read_back == "full" else 0,
            **dict.fromkeys(("archived", "open", "rejected", "quarantined", "mismatched"), 0),
        }


_STARTER = PortalKnobs(tier="free")
_HUGE = PortalKnobs(burst_override=_HUGE_LIMIT, latency="fast")


def _thrice(contacts: int) -> Size:
    return Size(rows=contacts * _ROWS_PER_CONTACT, contacts=contacts)


def _growth(name: str, contacts: int) -> Case:
    says = f"{contacts:,} contacts from {contacts * _ROWS_PER_CONTACT:,} rows, writes only, {_HUGE_LIMIT:,} per 10 s"
    return Case(name, says, _thrice(contacts), read_back="none", portal=_HUGE, most_repeats=1)


def _slots(number: int) -> Case:
    says = f"full sync, writes only, {number} pool slot{'s' if number > 1 else ''}"
    return Case(f"slots_{number}", says, _BENCHMARK, read_back="none", slots=number, most_repeats=1)


CASES = (
    Case(
        "full_read_back", "full sync, everything read back", _BENCHMARK, target=Target("wall_s", floors=1.15, plus_s=10)
    ),
    Case(
        "one_percent", "1 % of the contacts changed", _BENCHMARK, Source.CHANGED, after="full_read_back",
        target=Target("wall_s", plus_s=8),
    ),
    Case(
        "unchanged", "the same file again", _BENCHMARK, Source.SAME, after="one_percent",
        target=Target("wall_s", plus_s=4),
    ),
    Case(
        "full_writes_only", "full sync, writes only", _BENCHMARK, read_back="none",
        target=Target("deliver_s", floors=1.10),
    ),
    Case(
        "starter_read_back", "full sync, everything read back, tier Starter", _BENCHMARK, portal=_STARTER,
        most_repeats=1,
    ),
    Case(
        "starter_writes_only", "full sync, writes only, tier Starter", _BENCHMARK, read_back="none", portal=_STARTER,
        most_repeats=1,
    ),
    Case(
        "real_size", "105,000 contacts from 1.9 M rows, everything read back", _REAL,
        target=Target("prepare_s", plus_s=45),
    ),
    Case(
        "real_size_one_percent", "the same, 1 % of the contacts changed", _REAL, Source.CHANGED, after="real_size",
        target=Target("wall_s", plus_s=45),
    ),
    _slots(1),
    _slots(2),
    _slots(10),
    _growth("growth_69k", _BENCHMARK.contacts),
    _growth("growth_500k", 500_000),
    _growth("growth_2m", 2_000_000),
)  # fmt: skip
"""The benchmark; five pool slots are `full_writes_only`."""

_SMALL_BATCH = 10
"""So small that 2,000 contacts are enough requests to fill a window of 10 s."""
QUICK_CASES = (
    Case("quick_read_back", "2,000 contacts, everything read back", _SMALL, batch_size=_SMALL_BATCH),
    Case(
        "quick_one_percent", "1 % of them changed", _SMALL, Source.CHANGED, after="quick_read_back",
        batch_size=_SMALL_BATCH,
    ),
    Case(
        "quick_unchanged", "the same file again", _SMALL, Source.SAME, after="quick_one_percent",
        batch_size=_SMALL_BATCH,
    ),
    Case(
        "quick_starter", "2,000 contacts, writes only, tier Starter", _SMALL, read_back="none", portal=_STARTER,
        batch_size=_SMALL_BATCH,
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Suite:
    """The cases of one call, and those that only prepare a state for them."""

    cases: tuple[Case, ...]
    known: Mapping[str, Case] = field(default_factory=dict)

    @classmethod
    def choose(cls, every: tuple[Case, ...], names: Collection[str] | None) -> Suite:
        """Take the named cases in the order of the table; None: all.

        Raises:
            ValueError: a name is unknown; lists the known ones.
        """
        known = {case.name: case for case in every}
        chosen = known.keys() if names is None else set(names)
        if unknown := sorted(chosen - known.keys()):
            raise ValueError(f"unknown case {unknown[0]}: the known ones are {', '.join(known)}")
        return cls(tuple(case for case in every if case.name in chosen), known)

    def way_to(self, case: Case) -> list[Case]:
        """Return the cases that lead from nothing to the beginning of this one, in their order."""
        way: list[Case] = []
        while case.after:
            case = self.known[case.after]
            way.insert(0, case)
        return way
