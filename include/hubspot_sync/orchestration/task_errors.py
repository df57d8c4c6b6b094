"""Our errors on their way to Airflow: one line in the log, then retry, fail at once, or skip.

The line names the class, which is a heading of the runbook (`docs/operations.md`).
"""

from __future__ import annotations

import contextlib
import functools
import logging
import re
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException, AirflowSkipException

from include.hubspot_sync import errors
from include.hubspot_sync.errors import ConfigError, SupersededError, SyncError, TransientError
from include.hubspot_sync.orchestration.log_redaction import SECRETS, redact_output
from include.hubspot_sync.orchestration.secrets_backend import secret_of
from include.hubspot_sync.orchestration.sentry_events import watch_events
from include.hubspot_sync.orchestration.wiring import TaskIdentity, definition_of, open_database
from include.hubspot_sync.store import runs

log = logging.getLogger(__name__)

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")


def reports_errors(body: Callable[P, R]) -> Callable[P, R]:
    """Log `error: <class>: <one line>` and translate: transient errors are retried, others fail the task at once."""

    @functools.wraps(body)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        redact_output()
        watch_events()
        try:
            return body(*args, **kwargs)
        except SupersededError as error:
            log.warning("superseded: %s", error)
            raise AirflowSkipException(str(error)) from None
        except TransientError as error:
            log.error(*_line(error))  # noqa: TRY400  the line is for people; a traceback would bury it
            raise
        except SyncError as error:
            log.error(*_line(error))  # noqa: TRY400  as above
            raise AirflowFailException(str(error)) from None
        except AirflowNotFoundException as missing:
            text = f"{missing}: create {_place_of(missing)}, or correct its id in the sync definition"
            log.error(*_line(ConfigError(text)))  # noqa: TRY400  as above
            raise AirflowFailException(text) from None
        except BaseExceptionGroup as group:
            first = group.exceptions[0]
            log.exception("error: unexpected %s: %s", type(first).__name__, first)
            raise first from group

    return wrapper


def _line(error: SyncError) -> tuple[str, str, SyncError]:
    """Name the nearest class that the runbook has: the parts of the package have finer ones of their own."""
    known = next(kind for kind in type(error).__mro__ if kind.__module__ == errors.__name__)
    return "error: %s: %s", known.__name__, error


def _place_of(missing: AirflowNotFoundException) -> str:
    """Say where the connection is looked for that Airflow does not find; only Airflow's text names it."""
    named = re.search(r"conn_id `([^`]+)`", str(missing))
    secret = secret_of(named[1]) if named else None
    return f"the secret {secret}, or the connection in airflow" if secret else "the connection in airflow"


def notes_reason(body: Callable[Concatenate[TaskIdentity, Q], R]) -> Callable[Concatenate[TaskIdentity, Q], R]:
    """Keep in `sync_run` why a task stopped, so that the table and the summary say more than "failed"."""

    @functools.wraps(body)
    def wrapper(identity: TaskIdentity, /, *args: Q.args, **kwargs: Q.kwargs) -> R:
        try:
            return body(identity, *args, **kwargs)
        except SupersededError:
            raise
        except SyncError as error:
            _note(identity, error)
            raise

    return wrapper


def _note(identity: TaskIdentity, error: SyncError) -> None:
    # the database or the definition may be what is wrong: the error itself is the one to report
    with contextlib.suppress(SyncError), open_database(definition_of(identity), attempts=1) as database:
        kind, text = type(error).__name__, SECRETS.redact(str(error))
        database.run(lambda transaction: runs.note_reason(transaction, identity.dag_run_key, reason=kind, text=text))
