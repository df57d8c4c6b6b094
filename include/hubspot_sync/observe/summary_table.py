"""The numbers of a run as a table for the log of `finish`: a line per row, so that every viewer keeps the columns."""

from __future__ import annotations

from collections.abc import Mapping

_COUNTS = (
    ("source_rows", "lines of the file"),
    ("records", "contacts to be"),
    ("created", "confirmed by HubSpot"),
    ("updated", "confirmed by HubSpot"),
    ("unchanged", "equal already"),
    ("rejected", "HubSpot refuses them"),
    ("quarantined", "withheld before sending"),
    ("quarantined_lines", "lines of the file left out"),
    ("suppressed_lines", "lines of erased people"),
    ("open", "still to deliver"),
    ("archived", "outside the sum of records"),
    ("verified", "read back and equal"),
    ("mismatched", "read back and different"),
    ("planned_create", "by the plan"),
    ("planned_update", "by the plan"),
    ("planned_archive", "by the plan"),
    ("planned_calls", "requests that the plan needs"),
    ("api_calls", "requests to HubSpot"),
    ("write_calls", "of them writes"),
    ("http_429", "of them over the limit"),
)


def summary_table(sync_name: str, summary: Mapping[str, object]) -> list[str]:
    """Return the lines of the table; it holds numbers only, and nothing of any record.

    Args:
        sync_name: The run's sync.
        summary: The fields of the run's summary.
    """
    head = f"summary of run {summary['run_id']}: sync {sync_name}, mode {summary['mode']}, state {summary['state']}"
    rows = [(name, f"{summary[name]:,}", text) for name, text in _COUNTS]
    phases = summary.get("phases")
    if isinstance(phases, Mapping):
        rows += [(f"{name}_s", f"{seconds:,.1f}", "seconds") for name, seconds in phases.items()]
    name_width, number_width = (max(len(row[column]) for row in rows) for column in (0, 1))
    return [head, *(f"  {name:<{name_width}}  {number:>{number_width}}  {text}" for name, number, text in rows)]
