"""Random sequences of everything that can happen to a sync, and the promises that hold all the same."""

from __future__ import annotations

import os
from typing import ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from include.hubspot_sync.records import RunMode
from tests.chaos.engine.network import Fate
from tests.chaos.engine.processes import Point, Stop
from tests.chaos.engine.world import POISON_BIRTHS, REFUSED_BIRTHS, CommitFault, Trouble, World

PROFILE_VARIABLE = "HUBSPOT_SYNC_SEQUENCES"
MOST_ACTIVE_RUNS = 2
"""Airflow's `max_active_runs` does not count backfills, so two runs at a time are real."""

_COMMON = settings(
    stateful_step_count=6,
    deadline=None,
    derandomize=False,
    print_blob=True,
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
settings.register_profile("sequences-ci", _COMMON, max_examples=500)
settings.register_profile("sequences-long", _COMMON, max_examples=20_000)
settings.register_profile("sequences-seek", _COMMON, max_examples=20_000, phases=(Phase.generate,))
PROFILE = settings.get_profile(f"sequences-{os.environ.get(PROFILE_VARIABLE, 'ci')}")

NAMES = ("Ada", "Bea", "Cleo", "Dora")
BIRTHS = st.sampled_from([10, 20, 50, REFUSED_BIRTHS, POISON_BIRTHS])
VERSIONS = st.dictionaries(st.sampled_from(NAMES), BIRTHS, min_size=1)
CHANGES = st.dictionaries(st.sampled_from(NAMES), st.none() | BIRTHS, min_size=1, max_size=3)
"""Name → new births, or None for a record that leaves the file."""
MODES = st.sampled_from([RunMode.INCREMENTAL] * 5 + [RunMode.FULL_RESYNC, RunMode.PLAN_ONLY])
PAUSES_S = st.sampled_from([1, 3, 10, 30, 50, 120, 1000])
STOPS_S = st.sampled_from([0.0, 0.0, 5.0, 25.0, 45.0, 100.0, 700.0, 700.0, 2000.0])
FIRST_TRIES = st.sampled_from(["land 0", "stage 0", "compute_delta 0", *["deliver[0] 0", "deliver[1] 0"] * 3])
STOPS = st.lists(
    st.builds(Stop, st.integers(0, 90), STOPS_S)
    | st.builds(Stop, st.integers(0, 12), STOPS_S, FIRST_TRIES)
    | st.builds(Stop, st.integers(0, 3), STOPS_S, FIRST_TRIES, st.sampled_from([Point.READ, Point.WRITE])),
    max_size=2,
)
FATES = st.lists(st.none() | st.sampled_from([*Fate, Fate.LATE]), max_size=4)
COMMIT_FAULTS = st.lists(st.tuples(st.integers(0, 90), st.sampled_from(CommitFault)), max_size=1)
PORTAL_FAULTS = st.lists(
    st.sampled_from(
        [
            {"type": "429", "retry_after": 2},
            {"type": "500"},
            {"type": "503", "phase": "post_commit"},
            {"type": "423"},
            {"type": "429", "policy": "DAILY"},
            {"type": "apply_half", "then": "drop"},
            {"type": "apply_half"},
            {"type": "bad_json", "phase": "post_commit"},
            {"type": "empty_2xx", "phase": "post_commit"},
            {"type": "lost_row"},
        ]
    ),
    max_size=1,
)
TROUBLE = st.builds(Trouble, stops=STOPS, fates=FATES, commit_faults=COMMIT_FAULTS, portal_faults=PORTAL_FAULTS)


class DeliveryMachine(RuleBasedStateMachine):
    """One sequence in the world that the test has opened."""

    world: ClassVar[World]
    sequences: ClassVar[int] = 0
    """How many were begun."""

    def __init__(self) -> None:
        super().__init__()
        DeliveryMachine.sequences += 1
        self.world.reset()

    @initialize(births=VERSIONS, is_synced=st.booleans())
    def first_file(self, births: dict[str, int], is_synced: bool) -> None:  # noqa: FBT001  hypothesis names it
        """Begin with a file, synced already or not."""
        self.world.publish(births)
        if is_synced:
            self.world.trigger()
            self.world.pass_time(60)

    @precondition(lambda self: self._active() < MOST_ACTIVE_RUNS)
    @rule(changes=CHANGES, mode=MODES, trouble=TROUBLE, seconds=PAUSES_S)
    def change_and_run(self, changes: dict[str, int | None], mode: RunMode, trouble: Trouble, seconds: int) -> None:
        """Publish the last file with some records changed, added or removed, and start a run in trouble."""
        self._publish(changes)
        self.world.make_trouble(trouble)
        self.world.trigger(mode)
        self.world.pass_time(seconds)

    @precondition(lambda self: len(self.world.dataset.versions) > 1 and self._active() < MOST_ACTIVE_RUNS)
    @rule(trouble=TROUBLE, seconds=PAUSES_S)
    def go_back_and_run(self, trouble: Trouble, seconds: int) -> None:
        """Publish the values of the version before and start a run."""
        self.world.publish(self.world.dataset.versions[-2])
        self.world.make_trouble(trouble)
        self.world.trigger()
        self.world.pass_time(seconds)

    @precondition(lambda self: self.world.dag_runs)
    @rule(
        number=st.integers(0, 2),
        leaves_orphans=st.booleans(),
        changes=st.none() | CHANGES,
        trouble=TROUBLE,
        seconds=PAUSES_S,
    )
    def clear_run(
        self,
        number: int,
        leaves_orphans: bool,  # noqa: FBT001
        changes: dict[str, int | None] | None,
        trouble: Trouble,
        seconds: int,
    ) -> None:
        """Clear a whole DAG run, whatever it is doing; it may find a new file."""
        if changes:
            self._publish(changes)
        self.world.make_trouble(trouble)
        self.world.dag_run(number).clear(leaves_orphans=leaves_orphans)
        self.world.pass_time(seconds)

    @precondition(lambda self: self.world.dag_runs)
    @rule(
        number=st.integers(0, 2),
        shard=st.integers(0, 1),
        leaves_orphans=st.booleans(),
        trouble=TROUBLE,
        seconds=PAUSES_S,
    )
    def clear_shard(
        self,
        number: int,
        shard: int,
        leaves_orphans: bool,  # noqa: FBT001
        trouble: Trouble,
        seconds: int,
    ) -> None:
        """Clear one mapped task."""
        self.world.make_trouble(trouble)
        self.world.dag_run(number).clear_shard(shard, leaves_orphans=leaves_orphans)
        self.world.pass_time(seconds)

    @rule(seconds=PAUSES_S)
    def pass_time(self, seconds: int) -> None:
        """Let everything run for a while."""
        self.world.pass_time(seconds)

    def _publish(self, changes: dict[str, int | None]) -> None:
        rows = self.world.dataset.current | changes
        self.world.publish({name: births for name, births in rows.items() if births is not None} or {"Ada": 10})

    def _active(self) -> int:
        return sum(run.is_active for run in self.world.dag_runs)

    def teardown(self) -> None:
        """Every sequence ends at rest, with every promise kept."""
        if not self.world.has_failed:
            self.world.come_to_rest()
