"""From charts to the JSON that Grafana reads."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TypeAlias

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

from tools.dashboards.charts import GROUPS, Chart, Kind, Query

UID = "hubspot-sync"
_COLUMNS = 24
_NUMBER_SIZE = (4, 4)
"""Width in 24ths of the page, height in rows of 30 pixels."""
_CHART_SIZE = (12, 8)
_HEADING_HEIGHT = 1

Panel: TypeAlias = stat.Panel | timeseries.Panel
Thresholds: TypeAlias = list[models.Threshold]


def render() -> str:
    """Return the dashboard's JSON, the same at every call."""
    return JSONEncoder(sort_keys=True, indent=2).encode(build()) + "\n"


def build() -> models.Dashboard:
    """Return the dashboard."""
    board = (
        dashboard.Dashboard("HubSpot sync")
        .uid(UID)
        .description("Records, runs, HubSpot's API, times and alerts of hubspot-sync.")
        .tags(["hubspot-sync"])
        .refresh("30s")
        .time("now-24h", "now")
        .timezone("browser")
        .readonly()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(_sync_variable())
    )
    top = 0
    numbers = itertools.count(1)
    for group in GROUPS:
        heading = models.GridPos(_HEADING_HEIGHT, _COLUMNS, 0, top)
        board.with_row(dashboard.Row(group.title).id(next(numbers)).grid_pos(heading))
        top += _HEADING_HEIGHT
        for chart, place in _places(group.charts, top):
            board.with_panel(_panel(chart).id(next(numbers)).grid_pos(place))
            top = max(top, place.y + place.h)
    return board.build()


def _sync_variable() -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable("sync")
        .label("Sync")
        .datasource(_source())
        .query("label_values(hubspot_sync_is_scheduled, sync)")
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)  # noqa: FBT003  the builder's own form
        .include_all(True)  # noqa: FBT003
        .all_value(".+")
        .current(models.VariableOption(selected=True, text="All", value="$__all"))
    )


def _source() -> models.DataSourceRef:
    return models.DataSourceRef(type_val="prometheus", uid="${datasource}")


def _places(charts: tuple[Chart, ...], top: int) -> Iterator[tuple[Chart, models.GridPos]]:
    """Yield charts and their places, from left to right in rows of equal height."""
    left = 0
    for chart in charts:
        width, height = _NUMBER_SIZE if chart.kind is Kind.NUMBER else _CHART_SIZE
        if left + width > _COLUMNS:
            left, top = 0, top + height
        yield chart, models.GridPos(height, width, left, top)
        left += width


def _panel(chart: Chart) -> Panel:
    panel: Panel = _number() if chart.kind is Kind.NUMBER else _lines(is_stacked=chart.kind is Kind.STACK)
    panel.title(chart.title).description(chart.text).unit(chart.unit).min(0).datasource(_source())
    limits = _thresholds(chart)
    panel.thresholds(dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(limits))
    if isinstance(panel, timeseries.Panel) and len(limits) > 1:
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(common_models.GraphTresholdsStyleMode.DASHED))
    for number, query in enumerate(chart.queries):
        panel.with_target(_target(query, chr(ord("A") + number), is_instant=chart.kind is Kind.NUMBER))
    return panel


def _number() -> stat.Panel:
    # the last value, its colour from the limits
    return (
        stat.Panel()
        .color_mode(common_models.BigValueColorMode.VALUE)
        .graph_mode(common_models.BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )


def _lines(*, is_stacked: bool) -> timeseries.Panel:
    stacking = common_models.StackingMode.NORMAL if is_stacked else common_models.StackingMode.NONE
    return (
        timeseries.Panel()
        .stacking(common.StackingConfig().mode(stacking))
        .fill_opacity(30 if is_stacked else 5)
        .show_points(common_models.VisibilityMode.NEVER)
        .tooltip(common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI))
        .legend(
            common.VizLegendOptions()
            .display_mode(common_models.LegendDisplayMode.LIST)
            .placement(common_models.LegendPlacement.BOTTOM)
            .show_legend(True)  # noqa: FBT003
        )
    )


def _thresholds(chart: Chart) -> Thresholds:
    if chart.red_below is not None:
        return [models.Threshold(value=None, color="red"), models.Threshold(value=chart.red_below, color="green")]
    green = models.Threshold(value=None, color="green")
    return [green] if chart.red_above is None else [green, models.Threshold(value=chart.red_above, color="red")]


def _target(query: Query, ref_id: str, *, is_instant: bool) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expr).legend_format(query.legend or "__auto").ref_id(ref_id)
    return target.instant() if is_instant else target.range()
