"""What the dashboard shows: title, unit and expressions of every panel, row by row.

Two exporters show equal values: `max without (instance)` takes one of them, as the alert rules do. Counters of runs and
records move when a run ends, so their windows are an hour or a day; those of requests move with every answer.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

SYNC = 'sync=~"$sync"'
"""Every series of a sync is narrowed to the chosen ones."""
SOON = "$__rate_interval"
"""Four scrapes or more, as Grafana computes it."""


class Kind(enum.StrEnum):
    """How a chart looks."""

    NUMBER = "number"
    LINES = "lines"
    STACK = "stack"


class Unit(enum.StrEnum):
    """Units by Grafana's names."""

    COUNT = "short"
    SECONDS = "s"
    SHARE = "percentunit"
    PER_SECOND = "reqps"
    YES_NO = "bool_yes_no"


@dataclass(frozen=True, slots=True)
class Query:
    """One expression and the name of its series."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Chart:
    """One panel."""

    title: str
    text: str
    unit: Unit
    queries: tuple[Query, ...]
    kind: Kind = Kind.LINES
    red_above: float | None = None
    """From here on the value is drawn red: the limit of the alert that belongs to it."""
    red_below: float | None = None
    """Up to here the value is drawn red."""


@dataclass(frozen=True, slots=True)
class Group:
    """Panels below one heading."""

    title: str
    charts: tuple[Chart, ...]


def grown(metric: str, window: str, *, by: str = "sync", only: str = "") -> str:
    """Return by how much a counter of the chosen syncs grew within a window."""
    labels = f"{SYNC}, {only}" if only else SYNC
    return _summed(f"increase(hubspot_sync_{metric}_total{{{labels}}}[{window}])", by)


def speed(metric: str, window: str, *, by: str = "sync") -> str:
    """Return by how much a counter of the chosen syncs grew in a second."""
    return _summed(f"rate(hubspot_sync_{metric}_total{{{SYNC}}}[{window}])", by)


def total(metric: str, *, by: str) -> str:
    """Return the sum of a gauge of the chosen syncs."""
    return _summed(f"hubspot_sync_{metric}{{{SYNC}}}", by)


def _summed(expr: str, by: str) -> str:
    return f"sum by ({by}) (max without (instance) ({expr}))"


def current(metric: str, *, by: str = "sync") -> str:
    """Return a gauge of the chosen syncs."""
    return f"max by ({by}) (hubspot_sync_{metric}{{{SYNC}}})"


def quantile(share: float, metric: str, window: str) -> str:
    """Return a quantile of a histogram over the chosen syncs."""
    buckets = f"hubspot_sync_{metric}_bucket{{{SYNC}}}"
    return f"histogram_quantile({share}, {_summed(f'rate({buckets}[{window}])', 'le')})"


def share_of_runs(metric: str) -> str:
    """Return the share of a day's runs that ended in this way; 0 on a day without a run."""
    real = 'mode!="plan_only"'
    good, bad = (grown(name, "1d", only=real) for name in ("success", "failure"))
    return f"{grown(metric, '1d', only=real)} / clamp_min({good} + {bad}, 1e-9)"


GROUPS = (
    Group(
        "Now",
        (
            Chart(
                "Alerts that fire",
                "Each has a section in the runbook.",
                Unit.COUNT,
                (
                    Query(
                        'count(ALERTS{alertstate="firing", service="hubspot-sync", severity!="none"}) or vector(0)', ""
                    ),
                ),
                Kind.NUMBER,
                red_above=1,
            ),
            Chart(
                "Since the last good run",
                "Freshness: red when more than a day and two hours passed.",
                Unit.SECONDS,
                (Query(f"time() - {current('last_success_timestamp_seconds')}", "{{sync}}"),),
                Kind.NUMBER,
                red_above=26 * 3600,
            ),
            Chart(
                "New version waits",
                "For how long a version of the dataset is known that is not delivered; 0 for none.",
                Unit.SECONDS,
                (Query(current("new_version_age_seconds"), "{{sync}}"),),
                Kind.NUMBER,
                red_above=3600,
            ),
            Chart(
                "Available, 30 days",
                "Share of the time in which a run could start and be recorded.",
                Unit.SHARE,
                (Query("avg_over_time(hubspot_sync:available[30d])", ""),),
                Kind.NUMBER,
                red_below=0.995,
            ),
            Chart(
                "MySQL and Airflow answer",
                "As the exporter sees them.",
                Unit.YES_NO,
                (Query("min(hubspot_sync_database_up)", "MySQL"), Query("min(hubspot_sync_airflow_up)", "Airflow")),
                Kind.NUMBER,
                red_below=1,
            ),
            Chart(
                "Day's quota used",
                "Of the requests that the portal's account has a day, by everybody.",
                Unit.SHARE,
                (Query(f"{current('daily_quota_used')} / {current('daily_quota_limit')}", "{{sync}}"),),
                Kind.NUMBER,
                red_above=0.9,
            ),
        ),
    ),
    Group(
        "Records and runs",
        (
            Chart(
                "Records per hour",
                "Contacts created, updated and archived; counted when a run ends.",
                Unit.COUNT,
                (Query(grown("records", "1h", by="operation", only='outcome="delivered"'), "{{operation}}"),),
                Kind.STACK,
            ),
            Chart(
                "Success and failure share",
                "Of the runs that ended within a day, and of the records in them.",
                Unit.SHARE,
                (
                    Query(share_of_runs("success"), "runs that succeeded: {{sync}}"),
                    Query(share_of_runs("failure"), "runs that failed: {{sync}}"),
                    Query(f"hubspot_sync:record_failure_share:1d{{{SYNC}}}", "records that did not arrive: {{sync}}"),
                ),
            ),
            Chart(
                "Queue depth",
                "Changes that are planned and not delivered; above 1,000 for half an hour is an alert.",
                Unit.COUNT,
                (Query(current("queue_depth"), "{{sync}}"),),
                red_above=1000,
            ),
            Chart(
                "Errors by reason",
                "Lines that were not loaded and records that HubSpot refuses at present.",
                Unit.COUNT,
                (Query(total("rejected_records", by="stage, reason") + " > 0", "{{stage}}: {{reason}}"),),
                Kind.STACK,
            ),
            Chart(
                "Oldest open change",
                "How long ago the oldest change was planned that is not delivered.",
                Unit.SECONDS,
                (Query(current("oldest_pending_age_seconds"), "{{sync}}"),),
            ),
            Chart(
                "Runs per day",
                "How they ended.",
                Unit.COUNT,
                tuple(
                    Query(grown(metric, "1d"), f"{name}: {{{{sync}}}}")
                    for metric, name in (("success", "good"), ("failure", "failed"), ("superseded", "superseded"))
                ),
                Kind.STACK,
            ),
            Chart(
                "Read back",
                "Changes of an hour that a read-back showed in HubSpot, and that differed after a second send.",
                Unit.COUNT,
                (
                    Query(grown("verified", "1h"), "verified: {{sync}}"),
                    Query(grown("mismatched", "1h"), "mismatched: {{sync}}"),
                ),
            ),
            Chart(
                "What became of the records",
                "Within a day, by outcome.",
                Unit.COUNT,
                (Query(grown("records", "1d", by="outcome"), "{{outcome}}"),),
                Kind.STACK,
            ),
        ),
    ),
    Group(
        "HubSpot",
        (
            Chart(
                "API latency",
                "From sending a request to the end of its answer.",
                Unit.SECONDS,
                tuple(
                    Query(quantile(share, "api_latency_seconds", SOON), f"p{share * 100:g}")
                    for share in (0.5, 0.95, 0.99)
                ),
            ),
            Chart(
                "Requests",
                "Per second; the portal's limit is per ten seconds.",
                Unit.PER_SECOND,
                (Query(speed("api_requests", SOON, by="kind"), "{{kind}}"),),
                Kind.STACK,
            ),
            Chart(
                "Answers that are no good",
                "Within an hour, by status; none: no answer came.",
                Unit.COUNT,
                (Query(grown("api_answers", "1h", by="status", only='status!="2xx"') + " > 0", "{{status}}"),),
                Kind.STACK,
            ),
            Chart(
                "Share of answers that are no good",
                "Within half an hour, without 429; above 1 % is an alert.",
                Unit.SHARE,
                (
                    Query(
                        grown("api_answers", "30m", only='status!~"2xx|429"')
                        + f" / clamp_min({grown('api_answers', '30m')}, 1)",
                        "{{sync}}",
                    ),
                ),
                red_above=0.01,
            ),
            Chart(
                "Rate limit",
                "Answers 429 within five minutes, and how many requests wait for a sending time at once.",
                Unit.COUNT,
                (
                    Query(grown("rate_limit_hits", "5m"), "429: {{sync}}"),
                    Query(speed("rate_limit_wait_seconds", SOON), "waiting: {{sync}}"),
                ),
            ),
            Chart(
                "Requests of the day",
                "Used up by everybody with this account, and how many there are.",
                Unit.COUNT,
                (
                    Query(current("daily_quota_used"), "used: {{sync}}"),
                    Query(current("daily_quota_limit"), "limit: {{sync}}"),
                ),
            ),
        ),
    ),
    Group(
        "Time",
        (
            Chart(
                "Where the time goes",
                "Seconds spent within a day, by phase; parts that run at once count in full.",
                Unit.SECONDS,
                (Query(grown("phase_seconds", "1d", by="phase"), "{{phase}}"),),
                Kind.STACK,
            ),
            Chart(
                "Duration of good runs",
                "Over a week.",
                Unit.SECONDS,
                (
                    *(Query(quantile(share, "duration_seconds", "7d"), f"p{share * 100:g}") for share in (0.5, 0.95)),
                    Query(current("run_age_seconds"), "under way: {{sync}}"),
                    Query(current("expected_run_seconds"), "expected at most: {{sync}}"),
                ),
            ),
            Chart(
                "Freshness",
                "Since the last good run, and for how long a new version waits.",
                Unit.SECONDS,
                (
                    Query(f"time() - {current('last_success_timestamp_seconds')}", "last good run: {{sync}}"),
                    Query(current("new_version_age_seconds"), "new version: {{sync}}"),
                ),
            ),
            Chart(
                "Heartbeats of Airflow",
                "How long ago each component reported; above one minute the scheduler is an alert.",
                Unit.SECONDS,
                (
                    Query(
                        "time() - max by (component) (hubspot_sync_airflow_heartbeat_timestamp_seconds)",
                        "{{component}}",
                    ),
                ),
                red_above=60,
            ),
            Chart(
                "A scrape's reading of MySQL",
                "How long the exporter's statements take together.",
                Unit.SECONDS,
                (Query("max(hubspot_sync_read_seconds)", "seconds"),),
            ),
        ),
    ),
)
"""The whole dashboard, from top to bottom."""
