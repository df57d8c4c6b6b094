"""The shared pacing row: every worker of a portal reserves its sending times here."""

from __future__ import annotations

from dataclasses import dataclass

from include.hubspot_sync.store.connection import Transaction

_SECONDS_KEPT = 3600


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a portal may be called."""

    interval_us: int
    """Microseconds between two sends."""
    burst_us: int
    """How far a late caller may catch up, in microseconds."""
    window_limit: int
    """Requests that the portal allows in one window."""


@dataclass(frozen=True, slots=True)
class GateState:
    """Whether the gate is open, and what is left of the account's day."""

    pause_s: float
    daily_limit: int | None
    daily_remaining: int | None
    """None when the headers never said."""


@dataclass(frozen=True, slots=True)
class Usage:
    """HTTP requests of a run."""

    calls: int = 0
    write_calls: int = 0
    http_429: int = 0
    wait_ms: int = 0
    answer_ms: int = 0


def open_pacing(transaction: Transaction, portal_id: int, pace: Pace) -> None:
    """Create the portal's pacing row when it is missing; an existing one keeps what it has learnt."""
    transaction.execute("rate_limit/insert_rate_limit.sql", _pace_params(portal_id, pace))
    transaction.execute("rate_limit/delete_seconds.sql", {"portal_id": portal_id, "kept_s": _SECONDS_KEPT})


def _pace_params(portal_id: int, pace: Pace) -> dict[str, int]:
    return {
        "portal_id": portal_id,
        "interval_us": pace.interval_us,
        "burst_us": pace.burst_us,
        "window_limit": pace.window_limit,
    }


def daily_quota(transaction: Transaction, portal_id: int) -> tuple[int, int] | None:
    """Return limit and rest of the account's day as the headers last said; None when they never did."""
    row = transaction.row("rate_limit/select_daily.sql", {"portal_id": portal_id})
    if row is None or row["daily_limit"] is None or row["daily_remaining"] is None:
        return None
    return int(row["daily_limit"]), int(row["daily_remaining"])


def interval_us(transaction: Transaction, portal_id: int) -> int:
    """Return the microseconds between two sends at present."""
    return int(transaction.rows("rate_limit/select_pace.sql", {"portal_id": portal_id})[0]["interval_us"])


def reserve_send(transaction: Transaction, portal_id: int) -> float:
    """Reserve the next sending time and return the seconds to wait for it, by the database clock."""
    transaction.execute("rate_limit/reserve_send.sql", {"portal_id": portal_id})
    return transaction.insert_id() / 1_000_000


def gate_state(transaction: Transaction, portal_id: int) -> GateState:
    """Return whether and how long nobody may send."""
    row = transaction.rows("rate_limit/select_pause.sql", {"portal_id": portal_id})[0]
    return GateState(float(row["pause_s"]), row["daily_limit"], row["daily_remaining"])


def adopt_limits(
    transaction: Transaction, portal_id: int, pace: Pace, *, daily_limit: int | None, daily_remaining: int | None
) -> None:
    """Adopt what the portal's headers say."""
    params = _pace_params(portal_id, pace) | {"daily_limit": daily_limit, "daily_remaining": daily_remaining}
    transaction.execute("rate_limit/update_limits.sql", params)


def keep_daily(transaction: Transaction, portal_id: int, daily_limit: int, daily_remaining: int) -> None:
    """Keep what the portal's headers say about the day."""
    params = {"portal_id": portal_id, "daily_limit": daily_limit, "daily_remaining": daily_remaining}
    transaction.execute("rate_limit/update_daily.sql", params)


def delay_sending(transaction: Transaction, portal_id: int) -> None:
    """Leave out a sending time."""
    transaction.execute("rate_limit/delay_sending.sql", {"portal_id": portal_id})


def count_request(transaction: Transaction, portal_id: int) -> None:
    """Count a request that leaves now, whoever sends it."""
    transaction.execute("rate_limit/count_second.sql", {"portal_id": portal_id})


def requests_in_window(transaction: Transaction, portal_id: int, *, window_s: float, age_s: float) -> float:
    """Return how many requests of the window that ended `age_s` ago were ours, as if they were even in each second."""
    params = {"portal_id": portal_id, "window_s": window_s, "age_s": age_s}
    return float(transaction.rows("rate_limit/sum_seconds.sql", params)[0]["requests"])


def pause_sending(transaction: Transaction, portal_id: int, pause_s: float) -> None:
    """Close the gate for everybody for some seconds."""
    transaction.execute(
        "rate_limit/pause_sending.sql", {"portal_id": portal_id, "pause_us": round(pause_s * 1_000_000)}
    )


def add_usage(transaction: Transaction, run_id: int, shard: int, usage: Usage) -> None:
    """Count requests of a run; shard -1 stands for the tasks around the shards."""
    transaction.execute(
        "rate_limit/add_usage.sql",
        {
            "run_id": run_id,
            "shard": shard,
            "calls": usage.calls,
            "write_calls": usage.write_calls,
            "http_429": usage.http_429,
            "wait_ms": usage.wait_ms,
            "answer_ms": usage.answer_ms,
        },
    )


def total_usage(transaction: Transaction, run_id: int) -> Usage:
    """Return the requests of a run over all its tasks and tries."""
    row = transaction.rows("rate_limit/sum_usage.sql", {"run_id": run_id})[0]
    return Usage(int(row["calls"]), int(row["write_calls"]), int(row["http_429"]))
