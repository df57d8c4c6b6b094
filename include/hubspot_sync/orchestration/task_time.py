"""Keep in MySQL what each task spent its time on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from include.hubspot_sync.engine.gate import OUTSIDE_SHARDS
from include.hubspot_sync.engine.stopwatch import Stopwatch, running_stopwatch, spent_on
from include.hubspot_sync.errors import StoreUnavailableError, SyncError
from include.hubspot_sync.orchestration.wiring import TaskIdentity, definition_of, open_database
from include.hubspot_sync.records import Phase
from include.hubspot_sync.store import phases


@contextlib.contextmanager
def timed(identity: TaskIdentity, phase: Phase, shard: int = OUTSIDE_SHARDS) -> Iterator[None]:
    """Time the body of a task and what it spends its time on; kept also when it fails, unless MySQL is why."""
    with running_stopwatch() as stopwatch:
        try:
            with spent_on(phase):
                yield
        except StoreUnavailableError:
            raise
        except BaseException:
            _keep(identity, shard, stopwatch)
            raise
        _keep(identity, shard, stopwatch)


def _keep(identity: TaskIdentity, shard: int, stopwatch: Stopwatch) -> None:
    # a task must not fail for a figure
    with contextlib.suppress(SyncError), open_database(definition_of(identity), attempts=1) as database:
        database.run(
            lambda transaction: phases.add_phases(
                transaction, identity.dag_run_key, shard, stopwatch.seconds, elapsed_s=stopwatch.elapsed_s
            )
        )
