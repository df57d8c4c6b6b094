"""Our errors on their way to Airflow: one line in the log, then retry, fail at once, or skip."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from include.hubspot_sync.errors import SupersededError, SyncError, TransientError

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")


def reports_errors(body: Callable[P, R]) -> Callable[P, R]:
    """Log `error: <one line>` and translate: transient errors are retried, others fail the task at once."""

    @functools.wraps(body)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return body(*args, **kwargs)
        except SupersededError as error:
            log.warning("superseded: %s", error)
            raise AirflowSkipException(str(error)) from None
        except TransientError as error:
            log.error("error: %s", error)  # noqa: TRY400  the line is for people; a traceback would bury it
            raise
        except SyncError as error:
            log.error("error: %s", error)  # noqa: TRY400  as above
            raise AirflowFailException(str(error)) from None
        except BaseExceptionGroup as group:
            first = group.exceptions[0]
            log.exception("error: unexpected %s: %s", type(first).__name__, first)
            raise first from group

    return wrapper
