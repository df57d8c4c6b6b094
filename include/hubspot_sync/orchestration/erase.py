"""Erase one person: `python -m include.hubspot_sync.orchestration.erase KEY --reason "ticket 17"`.

It runs where Airflow's connections are known, e.g. beside the scheduler, uses those of the sync's definition, and may
be repeated. KEY is the record's key text, e.g. mary-f; `-` reads it from the standard input, so that no shell keeps it.
What the connections need beyond the rights of the tasks is in docs/operations.md.
"""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

PROCESS_CONTEXT = "_AIRFLOW_PROCESS_CONTEXT"
"""Airflow's own variable: with `server` connections are also looked up in its database, which no task may do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Erase the person whom the command line names; return 0 when everything is gone."""
    parser = argparse.ArgumentParser(prog="erase", description="Erase one person from a sync, for good.")
    parser.add_argument("key", help="key of the person's record, e.g. mary-f; - reads it from the standard input")
    parser.add_argument("--sync", default="baby_names", help="name of the sync (default: %(default)s)")
    parser.add_argument("--reason", required=True, help="why, e.g. a ticket; goes to audit_event, so name nobody")
    parser.add_argument("--actor", default="", help="who asks for it (default: the login on this machine)")
    options = parser.parse_args(arguments)
    key = sys.stdin.readline() if options.key == "-" else options.key
    os.environ.setdefault(PROCESS_CONTEXT, "server")

    from include.hubspot_sync.errors import SyncError
    from include.hubspot_sync.orchestration.log_redaction import SECRETS, redact_output

    redact_output()
    try:
        found = erase_person(options.sync, key.strip(), actor=options.actor or getpass.getuser(), reason=options.reason)
    except SyncError as error:
        print(f"error: {SECRETS.redact(str(error))}", file=sys.stderr)  # noqa: T201  a command line program speaks
        return 1
    for name, count in found.items():
        print(f"{name} {count}")  # noqa: T201  as above
    return 0


def erase_person(sync_name: str, key: str, *, actor: str, reason: str) -> dict[str, int]:
    """Erase the person with this key from a sync and its portal; return what was found, by place.

    Raises:
        ConfigError: there is no such sync, or the key is empty.
        SyncError: as `engine.erase.erase`.
    """
    from include.hubspot_sync.config import load_definitions
    from include.hubspot_sync.engine.erase import EraseWork, erase
    from include.hubspot_sync.errors import ConfigError
    from include.hubspot_sync.orchestration.hubspot_hook import HubSpotHook
    from include.hubspot_sync.orchestration.s3_landing import open_landing
    from include.hubspot_sync.orchestration.wiring import open_database
    from include.hubspot_sync.source.key_text import fold_key

    definition = load_definitions().get(sync_name)
    if definition is None:
        raise ConfigError(f"include/syncs has no definition named {sync_name}: give another name with --sync")
    if not key:
        raise ConfigError("the key is empty: give the key of the person's record")
    hook = HubSpotHook(definition.connections.hubspot)
    with open_database(definition) as database, TemporaryDirectory(prefix="erase-") as folder:
        work = EraseWork(
            definition=definition,
            database=database,
            landing=open_landing(definition),
            open_destination=lambda: hook.open_client(definition, trace_prefix="erase", max_in_flight=1),
            folder=Path(folder),
            actor=actor,
            reason=reason,
        )
        return erase(work, fold_key(key))


if __name__ == "__main__":
    sys.exit(main())
