"""The kinds of faults, and where each is injected."""

from __future__ import annotations

import enum
import random
from collections import Counter
from collections.abc import Sequence


class Kind(enum.StrEnum):
    """What is done to the running system."""

    KILL_TASK = "kill_task"
    """kill -9 of a task process."""
    KILL_SUPERVISOR = "kill_supervisor"
    """kill -9 of the process that watches a task."""
    KILL_SCHEDULER = "kill_scheduler"
    KILL_API_SERVER = "kill_api_server"
    KILL_DATABASE = "kill_database"
    """kill -9 of the MySQL server."""
    KILL_HUBSPOT = "kill_hubspot"
    """kill -9 of the HubSpot simulator: every connection breaks, then nobody listens."""
    ZOMBIE = "zombie"
    """SIGSTOP of a task (and of its supervisor) until another try has its work, then SIGCONT."""
    TERM_TASK = "term_task"
    """SIGTERM of a task process."""
    RESET_BEFORE = "reset_before"
    """The connection breaks before HubSpot has read the request."""
    RESET_AFTER = "reset_after"
    """The connection breaks when HubSpot has applied the request and is about to answer."""
    STALL = "stall"
    """HubSpot's answers do not arrive for longer than the client waits."""
    CUT_STREAM = "cut_stream"
    """The connection breaks in the middle of an answer."""
    DATABASE_RESET = "database_reset"
    """Every connection to MySQL breaks, in the middle of whatever it does."""
    HALF_APPLIED = "half_applied"
    """A request is applied in part, then answered 504 or not at all."""
    CUT_JSON = "cut_json"
    """200 with half of a JSON text; the request was applied or not."""
    EMPTY_ANSWER = "empty_answer"
    """200 without results; the request was applied or not."""
    STORM_429 = "storm_429"
    BURST_5XX = "burst_5xx"
    LOCKED_423 = "locked_423"
    MIGRATION_477 = "migration_477"
    TOKEN_REVOKED = "token_revoked"  # noqa: S105  a kind of fault
    ROW_REFUSED = "row_refused"
    """HubSpot refuses one contact of a batch."""
    DATABASE_RESTART = "database_restart"
    DATABASE_READ_ONLY = "database_read_only"
    DEADLOCK = "deadlock"
    """A foreign transaction takes the rows of batches in the wrong order."""
    S3_503 = "s3_503"
    DISK_FULL = "disk_full"
    CLOCK_SKEW = "clock_skew"
    """The clocks of the workers are an hour apart from the database's."""


STACK_KINDS = (
    Kind.KILL_TASK,
    Kind.KILL_SUPERVISOR,
    Kind.KILL_SCHEDULER,
    Kind.KILL_API_SERVER,
    Kind.KILL_DATABASE,
    Kind.KILL_HUBSPOT,
    Kind.ZOMBIE,
    Kind.TERM_TASK,
)
"""Injected into Airflow with scheduler, API server, LocalExecutor and pool."""

ENGINE_KINDS = tuple(
    kind for kind in Kind if kind not in {Kind.KILL_SUPERVISOR, Kind.KILL_SCHEDULER, Kind.KILL_API_SERVER}
)
"""Injected into task bodies that run as processes, without Airflow's scheduler."""


def draw_kinds(kinds: Sequence[Kind], count: int, rng: random.Random) -> list[Kind]:
    """Return `count` kinds in random order, each as often as the others, give or take one."""
    whole, rest = divmod(count, len(kinds))
    drawn = [*kinds] * whole + rng.sample(kinds, rest)
    rng.shuffle(drawn)
    return drawn


def count_kinds(kinds: Sequence[Kind]) -> dict[str, int]:
    """Return kind → how often, by name."""
    return {str(kind): number for kind, number in sorted(Counter(kinds).items())}
