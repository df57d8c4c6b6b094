"""Keep in MySQL how a chore ended, for the alerts: nobody else tells of a DAG that only failed."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Callable
from typing import TypeVar

from airflow.sdk.exceptions import AirflowNotFoundException, AirflowSkipException

from include.hubspot_sync.errors import SyncError
from include.hubspot_sync.orchestration.wiring import TaskIdentity, definition_of, open_database
from include.hubspot_sync.records import Chore
from include.hubspot_sync.store import chores

log = logging.getLogger(__name__)

R = TypeVar("R")


def notes_end(chore: Chore) -> Callable[[Callable[[str], R]], Callable[[str], R]]:
    """Return a decorator that counts each end of a body which takes a sync's name; a skip is a good end.

    A killed process counts nothing. The alerts therefore also wait for a good end.
    """

    def decorate(body: Callable[[str], R]) -> Callable[[str], R]:
        @functools.wraps(body)
        def wrapper(sync_name: str) -> R:
            is_good = False
            try:
                result = body(sync_name)
                is_good = True
            except AirflowSkipException:
                is_good = True
                raise
            finally:
                _note(sync_name, chore, is_good=is_good)
            return result

        return wrapper

    return decorate


def _note(sync_name: str, chore: Chore, *, is_good: bool) -> None:
    # MySQL, its connection or the definition may be what is wrong: the error of the body is the one to report
    with contextlib.suppress(SyncError, AirflowNotFoundException):
        definition = definition_of(TaskIdentity(sync_name, dag_run_key="", owner=chore))
        with open_database(definition, attempts=1) as database:
            database.run(lambda transaction: chores.count_end(transaction, sync_name, chore, is_good=is_good))
            return
    log.warning("the end of a chore was not counted chore=%s sync=%s", chore, sync_name)
