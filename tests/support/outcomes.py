"""What becomes of bad input: five letters, and how to tell them from what really happened."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from include.hubspot_sync import errors
from include.hubspot_sync.errors import SyncError, TransientError

T = TypeVar("T")


class Outcome(enum.StrEnum):
    """The letters of the catalogue."""

    STOP = "E"
    QUARANTINE = "Q"
    NORMALISE = "N"
    RETRY = "R"
    ACCEPT = "P"

    @property
    def meaning(self) -> str:
        """Return what the letter stands for, as the page says it."""
        return _MEANINGS[self]


_MEANINGS = {
    Outcome.STOP: "the run stops before any write, with an error that says what, where and what to do",
    Outcome.QUARANTINE: "the line or record is kept in `rejected_record` with its reason; the rest goes on",
    Outcome.NORMALISE: "put right and counted",
    Outcome.RETRY: "tried again; an error only when it stays",
    Outcome.ACCEPT: "taken as it is",
}


def without_class(line: str) -> str:
    """Return the message of a task's `error:` line, whose class has to be one of the tree."""
    name, _, message = line.removeprefix("error: ").partition(": ")
    assert issubclass(getattr(errors, name), SyncError)
    return message


@dataclass(frozen=True, slots=True)
class Seen:
    """What an input led to."""

    outcome: Outcome
    text: str
    """Error, notes or log line in which the reader finds the cause."""


def outcome_of(error: SyncError) -> Outcome:
    """Return the letter of an error: a transient one is tried again by Airflow."""
    return Outcome.RETRY if isinstance(error, TransientError) else Outcome.STOP


def seen_of(work: Callable[[], T], *, otherwise: Callable[[T], Seen]) -> Seen:
    """Return what a call led to: its error, or what `otherwise` makes of its result."""
    try:
        result = work()
    except SyncError as error:
        return Seen(outcome_of(error), str(error))
    return otherwise(result)
