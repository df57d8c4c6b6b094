"""Rate limits: an exact window per app, a day per portal, a second for search."""

from __future__ import annotations

import enum
import math
from collections import defaultdict, deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tools.hubspot_simulator.settings import Settings

BURST_MS = 10_000
SEARCH_MS = 1_000
SEARCH_LIMIT = 5
BURST_BY_TIER = {"free": 100, "oauth": 110, "pro": 190, "enterprise": 190, "increase": 250}
DAILY_BY_TIER = {
    "free": 250_000,
    "oauth": None,
    "pro": 625_000,
    "enterprise": 1_000_000,
    "increase": 2_000_000,
}


class Policy(enum.StrEnum):
    """The limit that refused a request."""

    BURST = "TEN_SECONDLY_ROLLING"
    DAILY = "DAILY"
    SEARCH = "SECONDLY"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is refused, and when it would pass."""

    policy: Policy
    retry_after_s: int


@dataclass(frozen=True, slots=True)
class AppLimits:
    """What the limiter must know about the app of a token."""

    app_id: int
    is_oauth: bool = False
    rate_override: int | None = None


class Window:
    """Accept times of one app within the last `span_ms`."""

    def __init__(self, span_ms: float) -> None:
        self._span_ms = span_ms
        self.times: deque[float] = deque()

    def drop_old(self, now: float, *, fixed: bool = False) -> None:
        """Forget what no longer counts: as old as the span, or of an earlier fixed bucket."""
        times = self.times
        if fixed:
            bucket = now // self._span_ms
            while times and times[0] // self._span_ms < bucket:
                times.popleft()
            return
        while times and now - times[0] >= self._span_ms:
            times.popleft()

    def wait_ms(self, now: float) -> float:
        """Return how long until the oldest entry leaves."""
        return max(0.0, self._span_ms - (now - self.times[0])) if self.times else 0.0


class DailyQuota:
    """Requests of the portal's local day."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.used = 0
        self.day = ""
        self._ends_ms = 0

    def roll(self, now_ms: int) -> None:
        """Start a new day at local midnight."""
        if now_ms < self._ends_ms and self.day:
            return
        today = self._local(now_ms).date().isoformat()
        if today != self.day:
            self.used = 0 if self.day else self.used
            self.day = today
        self._ends_ms = self.resets_at_ms(now_ms)

    def load(self, used: int, day: str) -> None:
        """Continue with a stored count."""
        self.used, self.day, self._ends_ms = used, day, 0

    def resets_at_ms(self, now_ms: int) -> int:
        """Return the next midnight of the portal's time zone; a day may have 23 or 25 hours."""
        local = self._local(now_ms)
        midnight = datetime.combine(local.date() + timedelta(days=1), datetime.min.time(), local.tzinfo)
        return int(midnight.timestamp() * 1000)

    def forget_zone(self) -> None:
        """Compute the end of the day anew after a change of the time zone."""
        self._ends_ms = 0

    def _local(self, now_ms: int) -> datetime:
        moment = datetime.fromtimestamp(now_ms / 1000, tz=UTC)
        return moment.astimezone(ZoneInfo(self._settings.time_zone))


class Limiter:
    """Decides whether a request passes, in the order day, burst, search."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.daily = DailyQuota(settings)
        self._bursts: dict[int, Window] = defaultdict(lambda: Window(BURST_MS))
        self._search = Window(SEARCH_MS)
        self._background_since: float | None = None
        self._background_debt = [0.0, 0.0]

    def admit(self, app: AppLimits, *, mono_ms: float, now_ms: int, is_search: bool) -> Refusal | None:
        """Count one request, or say which limit refuses it."""
        self.daily.roll(now_ms)
        self._add_background(app, mono_ms)
        refusal = self._refusal(app, mono_ms, now_ms, is_search=is_search)
        if refusal is None:
            self._count(app, mono_ms, is_search=is_search)
        elif refusal.policy is not Policy.DAILY:
            self._count_refused(app, mono_ms)
        return refusal

    def headers(self, app: AppLimits, *, mono_ms: float, now_ms: int) -> dict[str, str]:
        """Return the rate headers of a non-search answer."""
        self.daily.roll(now_ms)
        limit = self.burst_limit(app)
        left = max(0, limit - self._in_window(app, mono_ms))
        per_second = math.ceil(limit / 10)
        headers = {
            "X-HubSpot-RateLimit-Max": str(limit),
            "X-HubSpot-RateLimit-Remaining": str(left),
            "X-HubSpot-RateLimit-Interval-Milliseconds": str(BURST_MS),
            "X-HubSpot-RateLimit-Secondly": str(per_second),
            "X-HubSpot-RateLimit-Secondly-Remaining": str(min(per_second, left)),
        }
        day = self.daily_limit(app)
        if day is not None:
            headers["X-HubSpot-RateLimit-Daily"] = str(day)
            headers["X-HubSpot-RateLimit-Daily-Remaining"] = str(max(0, day - self.daily.used))
        return headers

    def burst_limit(self, app: AppLimits) -> int:
        """Return the requests per rolling 10 s of this app."""
        if app.rate_override is not None:
            return app.rate_override
        if self._settings.burst_override is not None:
            return self._settings.burst_override
        return BURST_BY_TIER["oauth" if app.is_oauth else self._settings.tier]

    def daily_limit(self, app: AppLimits) -> int | None:
        """Return the requests per day of the account; None for OAuth apps."""
        if app.is_oauth:
            return None
        override = self._settings.daily_override
        return DAILY_BY_TIER[self._settings.tier] if override is None else override

    def reset(self) -> None:
        """Empty the windows and the day."""
        self._bursts.clear()
        self._search.times.clear()
        self._background_since = None
        self.daily.used = 0

    def _refusal(self, app: AppLimits, mono_ms: float, now_ms: int, *, is_search: bool) -> Refusal | None:
        day = self.daily_limit(app)
        if day is not None and self.daily.used >= day:
            until_midnight_ms = self.daily.resets_at_ms(now_ms) - now_ms
            return Refusal(Policy.DAILY, math.ceil(until_midnight_ms / 1000))
        if self._uses_burst(is_search=is_search):
            in_window = self._in_window(app, mono_ms)
            if in_window >= self.burst_limit(app):
                wait_ms = self._bursts[app.app_id].wait_ms(mono_ms)
                return Refusal(Policy.BURST, max(1, math.ceil(wait_ms / 1000)))
        if is_search:
            self._search.drop_old(mono_ms)
            if len(self._search.times) >= SEARCH_LIMIT:
                return Refusal(Policy.SEARCH, 1)
        return None

    def _uses_burst(self, *, is_search: bool) -> bool:
        return not is_search or self._settings.search_counts_burst

    def _in_window(self, app: AppLimits, mono_ms: float) -> int:
        window = self._bursts[app.app_id]
        window.drop_old(mono_ms, fixed=self._settings.window == "fixed")
        return len(window.times)

    def _count(self, app: AppLimits, mono_ms: float, *, is_search: bool) -> None:
        self.daily.used += 1
        if is_search:
            self._search.times.append(mono_ms)
        if self._uses_burst(is_search=is_search):
            self._bursts[app.app_id].times.append(mono_ms)

    def _count_refused(self, app: AppLimits, mono_ms: float) -> None:
        self.daily.used += self._settings.count_rejected_in_daily
        if self._settings.count_rejected_in_window:
            self._bursts[app.app_id].times.append(mono_ms)

    def _add_background(self, app: AppLimits, mono_ms: float) -> None:
        """Count what other programs of this app and other apps sent since the last request."""
        since, self._background_since = self._background_since, mono_ms
        if since is None:
            return
        rates = (self._settings.background_own_rps, self._settings.background_other_rps)
        for place, rate in enumerate(rates):
            exact = self._background_debt[place] + rate * (mono_ms - since) / 1000
            whole = int(exact)
            self._background_debt[place] = exact - whole
            self.daily.used += whole
            if place == 0:
                self._add_own(app, mono_ms, since, whole)

    def _add_own(self, app: AppLimits, mono_ms: float, since: float, number: int) -> None:
        times = self._bursts[app.app_id].times
        for step in range(number):
            moment = since + (mono_ms - since) * (step + 1) / number
            if self._in_window(app, moment) < self.burst_limit(app):
                times.append(moment)
