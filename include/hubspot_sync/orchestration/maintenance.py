"""The body of the maintenance task: a sync's name in, counts out."""

from __future__ import annotations

from threading import Event

from include.hubspot_sync.config import load_definitions
from include.hubspot_sync.engine.retention import PurgeWork, purge
from include.hubspot_sync.errors import ConfigError
from include.hubspot_sync.orchestration.chore_end import notes_end
from include.hubspot_sync.orchestration.task_errors import reports_errors
from include.hubspot_sync.orchestration.wiring import open_database
from include.hubspot_sync.records import Chore


@reports_errors
@notes_end(Chore.MAINTENANCE)
def run_purge(sync_name: str) -> dict[str, int]:
    """Remove the old rows of a sync; return how many went, by table."""
    definition = load_definitions().get(sync_name)
    if definition is None:
        raise ConfigError(f"include/syncs has no definition named {sync_name}: put the file back")
    with open_database(definition) as database:
        return purge(PurgeWork(definition, database, sleep=Event().wait))
