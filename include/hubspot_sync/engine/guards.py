"""The guards as questions: each says whether it stops a run, with its numbers; who asks decides what follows."""

from __future__ import annotations

from collections.abc import Mapping

from include.hubspot_sync.config import Delivery, Guards
from include.hubspot_sync.destination.protocol import RecordLimit
from include.hubspot_sync.records import CONTACT_LIMIT, DAILY_QUOTA, GuardTrip, Operation, PlanCost
from include.hubspot_sync.store.delta import Removals, Rewrites
from include.hubspot_sync.store.runs import Run


def removals_trip(removals: Removals, guards: Guards) -> GuardTrip | None:
    """Judge how many contacts would be archived."""
    allowed = max(guards.max_archive_share * removals.active, 1)
    if removals.removed <= allowed:
        return None
    text = (
        f"{removals.removed} of {removals.active} contacts are no longer in the source, more than "
        f"{guards.max_archive_share:.0%} (guards.max_archive_share)"
    )
    return GuardTrip("max_archive_share", removals.removed, allowed, text)


def rewrites_trip(rewrites: Rewrites, guards: Guards) -> GuardTrip | None:
    """Judge how many contacts would get other values."""
    allowed = max(guards.max_change_share * rewrites.active, 1)
    if rewrites.changed <= allowed:
        return None
    text = (
        f"{rewrites.changed} of {rewrites.active} contacts get other values, more than "
        f"{guards.max_change_share:.0%} (guards.max_change_share)"
    )
    return GuardTrip("max_change_share", rewrites.changed, allowed, text)


def lines_trip(rejected_lines: int, source_rows: int, guards: Guards) -> GuardTrip | None:
    """Judge how many lines are not loaded."""
    allowed = max(guards.max_rejected_line_share * source_rows, 1)
    if rejected_lines <= allowed:
        return None
    text = (
        f"{rejected_lines} of {source_rows} lines are wrong, more than "
        f"{guards.max_rejected_line_share:.1%} (guards.max_rejected_line_share)"
    )
    return GuardTrip("max_rejected_line_share", rejected_lines, allowed, text)


def rows_trip(source_rows: int, accepted: Run | None, guards: Guards) -> GuardTrip | None:
    """Judge the length of a file against that of the accepted run."""
    if accepted is None or not accepted.source_rows:
        return None
    least, most = guards.min_row_share * accepted.source_rows, guards.max_row_growth * accepted.source_rows
    moved = f"from {accepted.source_rows} to {source_rows} rows"
    if source_rows < least:
        text = f"the file shrank {moved} (guards.min_row_share {guards.min_row_share:g})"
        return GuardTrip("min_row_share", source_rows, least, text)
    if source_rows > most:
        text = f"the file grew {moved} (guards.max_row_growth {guards.max_row_growth:g})"
        return GuardTrip("max_row_growth", source_rows, most, text)
    return None


def records_trip(records: int, accepted: Run | None, guards: Guards) -> GuardTrip | None:
    """Judge how many records a file has against the accepted run."""
    if accepted is None or not accepted.records or records >= guards.min_record_share * accepted.records:
        return None
    text = (
        f"the file has {records} records, the last one had {accepted.records} (guards.min_record_share "
        f"{guards.min_record_share:g})"
    )
    return GuardTrip("min_record_share", records, guards.min_record_share * accepted.records, text)


def contacts_trip(planned: Mapping[str, int], limit: RecordLimit) -> GuardTrip | None:
    """Judge whether the new contacts have room in the portal."""
    creates = planned[Operation.CREATE]
    if limit.limit is None or not creates or limit.usage + creates <= limit.limit:
        return None
    text = f"{creates} new contacts do not fit: the portal holds {limit.usage} of {limit.limit}"
    return GuardTrip(CONTACT_LIMIT, limit.usage + creates, limit.limit, text)


def quota_trip(cost: PlanCost, delivery: Delivery) -> GuardTrip | None:
    """Judge whether the requests fit into the day, less what is reserved for others."""
    if cost.daily_limit is None or cost.daily_remaining is None or not cost.calls:
        return None
    allowed = cost.daily_remaining - delivery.daily_reserve * cost.daily_limit
    if cost.calls <= allowed:
        return None
    text = (
        f"the plan needs {cost.calls} requests, {cost.daily_remaining} of {cost.daily_limit} are left today and "
        f"{delivery.daily_reserve:.0%} are reserved for others"
    )
    return GuardTrip(DAILY_QUOTA, cost.calls, max(0.0, allowed), text)
