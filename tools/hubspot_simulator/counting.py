"""Counters, the timeline, and the log of requests."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from tools.hubspot_simulator.answers import Json, to_json
from tools.hubspot_simulator.calls import Call
from tools.hubspot_simulator.clock import Clock
from tools.hubspot_simulator.storage import Store

_WINDOW_MS = 10_000
_ERROR_FROM = 400
_TOO_MANY = 429
_FLUSH_ROWS = 200
WRITES = frozenset(
    {"batch_upsert", "batch_update", "batch_create", "batch_archive", "create", "update",
     "archive", "merge", "gdpr_delete"}
)  # fmt: skip


@dataclass(slots=True)
class Second:
    """What happened in one second."""

    requests: int = 0
    http_429: int = 0
    rows: int = 0
    max_inflight: int = 0


@dataclass(slots=True)
class Counters:
    """Everything that `reset` sets to zero."""

    requests: int = 0
    accepted: int = 0
    by_status: Counter[int] = field(default_factory=Counter)
    calls_by_endpoint: Counter[str] = field(default_factory=Counter)
    calls_by_path: Counter[str] = field(default_factory=Counter)
    write_calls_by_path: Counter[str] = field(default_factory=Counter)
    rows_new: int = 0
    rows_updated: int = 0
    rows_unchanged: int = 0
    rows_archived: int = 0
    rows_failed: int = 0
    unique_contacts: int = 0
    dup_row_writes: int = 0
    max_inflight: int = 0
    max_in_any_10s_window: int = 0
    max_arrivals_in_any_10s_window: int = 0
    dropped: int = 0
    first_ts: int | None = None
    last_ts: int | None = None


class Statistics:
    """Counts requests and rows, in memory; the request log goes to the store in pieces."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.in_flight = 0
        self.counters = Counters()
        self.timeline: dict[int, Second] = {}
        self._accepted_times: dict[int, deque[float]] = {}
        self._arrival_times: deque[float] = deque()
        self._unsaved: list[tuple[int, str]] = []

    def arrived(self, call: Call) -> None:
        """Count a request that came in."""
        self.in_flight += 1
        call.in_flight = self.in_flight
        counters = self.counters
        counters.requests += 1
        counters.max_inflight = max(counters.max_inflight, self.in_flight)
        counters.first_ts = counters.first_ts or call.arrived_ms
        size = _slide(self._arrival_times, call.mono_ms)
        counters.max_arrivals_in_any_10s_window = max(counters.max_arrivals_in_any_10s_window, size)
        second = self.timeline.setdefault(call.arrived_ms // 1000, Second())
        second.requests += 1
        second.max_inflight = max(second.max_inflight, self.in_flight)

    def accepted(self, app_id: int, mono_ms: float, *, is_search: bool) -> None:
        """Count a request that passed the limits; kept apart from the limiter's own window."""
        self.counters.accepted += 1
        if is_search:
            return
        times = self._accepted_times.setdefault(app_id, deque())
        size = _slide(times, mono_ms)
        self.counters.max_in_any_10s_window = max(self.counters.max_in_any_10s_window, size)

    def answered(self, call: Call) -> None:
        """Count and log the end of a request."""
        self.in_flight -= 1
        call.answered_ms = self._clock.now_ms()
        counters = self.counters
        counters.last_ts = call.answered_ms
        counters.by_status[call.status] += 1
        counters.calls_by_endpoint[call.endpoint or "unknown"] += 1
        counters.calls_by_path[f"{call.method} {call.template}"] += 1
        if call.endpoint in WRITES:
            counters.write_calls_by_path[call.template] += 1
        counters.dropped += not call.status
        second = self.timeline.setdefault(call.answered_ms // 1000, Second())
        second.http_429 += call.status == _TOO_MANY
        second.rows += call.n_ok
        self.log(call)

    def log(self, call: Call) -> None:
        """Put a request into the log; a second time replaces the first entry."""
        self._unsaved.append((call.seq, to_json(_log_entry(call))))
        if len(self._unsaved) >= _FLUSH_ROWS:
            self.save()

    def save(self) -> None:
        """Write log entries to the store."""
        if self._unsaved:
            entries, self._unsaved = self._unsaved, []
            with self._store.transaction() as connection:
                connection.executemany("INSERT OR REPLACE INTO request_log VALUES (?, ?)", entries)

    def reset(self) -> None:
        """Start again at zero."""
        self.counters = Counters()
        self.timeline.clear()
        self._accepted_times.clear()
        self._arrival_times.clear()
        self._unsaved.clear()

    def as_json(self, live_contacts: int, daily_used: int) -> Json:
        """Return the counters."""
        c = self.counters
        names = [name for name in Counters.__slots__ if not name.startswith("_")]
        shown: dict[str, Json] = {name: getattr(c, name) for name in names}
        shown["by_status"] = {str(status): n for status, n in sorted(c.by_status.items())}
        errors = sum(n for status, n in c.by_status.items() if status >= _ERROR_FROM or not status)
        answered = sum(c.by_status.values())
        shown["write_calls"] = sum(c.write_calls_by_path.values())
        shown["error_rate"] = round(errors / answered, 6) if answered else 0.0
        shown["wall_s"] = ((c.last_ts or 0) - (c.first_ts or 0)) / 1000 if c.last_ts else 0.0
        shown["in_flight"] = self.in_flight
        shown["live_contacts"] = live_contacts
        shown["daily_used"] = daily_used
        return shown


def _slide(times: deque[float], now: float) -> int:
    """Add a moment and return how many lie within the window that ends now."""
    times.append(now)
    while now - times[0] >= _WINDOW_MS:
        times.popleft()
    return len(times)


def _log_entry(call: Call) -> Json:
    return {
        "seq": call.seq,
        "arrived": call.arrived_ms,
        "applied_at": call.applied_ms,
        "answered": call.answered_ms,
        "method": call.method,
        "path": call.path,
        "version": call.version,
        "app_id": call.token.app_id if call.token else None,
        "status": call.status,
        "latency_ms": call.answered_ms - call.arrived_ms,
        "n_inputs": call.n_inputs,
        "n_ok": call.n_ok,
        "n_err": call.n_err,
        "applied": str(call.applied),
        "answer_sent": call.answer_sent,
        "body_sha256": call.body_sha256,
        "request_bytes": len(call.body),
        "answer_bytes": call.answer_bytes,
        "correlation_id": call.correlation_id,
        "fault_id": call.fault_id or None,
        "inflight": call.in_flight,
    }
