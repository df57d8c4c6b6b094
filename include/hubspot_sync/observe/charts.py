"""Plots as SVG shapes: series of numbers in, coordinates and words out. The template only writes them down."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

WIDTH, HEIGHT = 600, 220
"""Size of a plot in units of its own; the browser scales it."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 20, 10, 26
_GAP = 0.2
"""Share of an interval that stays free between two bars."""
_TICKS = 4
_NEAT = (1, 2, 2.5, 5, 10)
_LABELS = 8
_DAY_LABELS_S = 6 * 3_600
"""Length of an interval from which on the axis names days instead of hours."""
_THOUSAND, _MILLION = 1_000, 1_000_000


@dataclass(frozen=True, slots=True)
class Series:
    """One row of numbers of a plot, a value for each interval."""

    name: str
    tone: str
    """Class that colours it."""
    values: Sequence[float | None]
    is_line: bool = False
    """Draw a line instead of bars that stand on each other."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar; what it says is read by pointing at it."""

    x: float
    y: float
    width: float
    height: float
    tone: str
    text: str


@dataclass(frozen=True, slots=True)
class Dot:
    """One value of a line."""

    x: float
    y: float
    tone: str
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """Values that follow each other without a gap."""

    points: str
    tone: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot, ready to be written down, and the same numbers as a table."""

    id: str
    title: str
    summary: str
    """What it shows, in one sentence: for those who do not see it, and for everybody in a hurry."""
    unit: str
    series: Sequence[Series]
    moments: Sequence[datetime]
    """Begin of each interval, UTC."""
    bars: Sequence[Bar]
    lines: Sequence[Line]
    dots: Sequence[Dot]
    y_ticks: Sequence[Tick]
    x_ticks: Sequence[Tick]

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to draw."""
        return not any(any(one.values) for one in self.series)

    @property
    def rows(self) -> list[tuple[datetime, list[float | None]]]:
        """Return the intervals in which something happened, with a value for each series."""
        rows = [(at, [one.values[place] for one in self.series]) for place, at in enumerate(self.moments)]
        return [(at, values) for at, values in rows if any(values)]


def short_number(value: float) -> str:
    """Return a number as it fits beside an axis: 1,200 becomes 1.2k."""
    for size, unit in ((_MILLION, "M"), (_THOUSAND, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def neat_step(highest: float) -> float:
    """Return the distance of ticks, of which at most `_TICKS` reach over the highest value; at least 1."""
    if highest <= _TICKS:
        return 1
    rough = highest / _TICKS
    size: float = 10.0 ** math.floor(math.log10(rough))
    return next(size * factor for factor in _NEAT if size * factor >= rough * (1 - 1e-9))


def plot(
    plot_id: str, title: str, summary: str, unit: str, moments: Sequence[datetime], series: Sequence[Series]
) -> Plot:
    """Return a plot over intervals of equal length.

    Args:
        plot_id: Name for references within the page.
        title: Heading.
        summary: One sentence.
        unit: What is counted, behind each number.
        moments: Begin of each interval, UTC.
        series: Bars stand on each other in this order; lines are drawn above them.
    """
    bars = [one for one in series if not one.is_line]
    stacked = [sum(one.values[place] or 0 for one in bars) for place in range(len(moments))]
    single = [value or 0 for one in series if one.is_line for value in one.values]
    step = neat_step(max([*stacked, *single, 0]))
    top = step * max(1, math.ceil(max([*stacked, *single, 0]) / step - 1e-9))
    scale = _Scale(len(moments), top)
    return Plot(
        id=plot_id,
        title=title,
        summary=summary,
        unit=unit,
        series=series,
        moments=moments,
        bars=_bars(bars, moments, unit, scale),
        lines=[line for one in series if one.is_line for line in _line(one, scale)],
        dots=[dot for one in series if one.is_line for dot in _dots(one, moments, unit, scale)],
        y_ticks=[Tick(scale.y(step * number), short_number(step * number)) for number in range(round(top / step) + 1)],
        x_ticks=_x_ticks(moments, scale),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    count: int
    top: float

    @property
    def step(self) -> float:
        return (WIDTH - _LEFT - _RIGHT) / max(1, self.count)

    def x(self, place: int) -> float:
        return round(_LEFT + self.step * place, 2)

    def middle(self, place: int) -> float:
        return round(_LEFT + self.step * (place + 0.5), 2)

    def y(self, value: float) -> float:
        return round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * value / self.top, 2)


def _words(name: str, at: datetime, value: float, unit: str) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC: {name} {value:,.6g}{unit and ' '}{unit}"


def _bars(series: Sequence[Series], moments: Sequence[datetime], unit: str, scale: _Scale) -> list[Bar]:
    bars = []
    width = round(scale.step * (1 - _GAP), 2)
    for place, at in enumerate(moments):
        below = 0.0
        for one in series:
            value = one.values[place] or 0
            if value:
                y = scale.y(below + value)
                height = max(1.0, round(scale.y(below) - y, 2))
                x = round(scale.x(place) + scale.step * _GAP / 2, 2)
                bars.append(Bar(x, y, width, height, one.tone, _words(one.name, at, value, unit)))
            below += value
    return bars


def _line(series: Series, scale: _Scale) -> list[Line]:
    """Return the pieces of a line; it is interrupted where there is no value."""
    pieces: list[list[str]] = [[]]
    for place, value in enumerate(series.values):
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append(f"{scale.middle(place)},{scale.y(value)}")
    return [Line(" ".join(piece), series.tone) for piece in pieces if len(piece) > 1]


def _dots(series: Series, moments: Sequence[datetime], unit: str, scale: _Scale) -> list[Dot]:
    return [
        Dot(scale.middle(place), scale.y(value), series.tone, _words(series.name, moments[place], value, unit))
        for place, value in enumerate(series.values)
        if value is not None
    ]


def _x_ticks(moments: Sequence[datetime], scale: _Scale) -> list[Tick]:
    """Return marks at midnights, or every four hours where the intervals are shorter, as many as have room."""
    is_by_day = len(moments) > 1 and (moments[1] - moments[0]).total_seconds() >= _DAY_LABELS_S
    hours, form = (24, "%d %b") if is_by_day else (4, "%H:%M")
    round_places = [place for place, at in enumerate(moments) if at.hour % hours == 0]
    every = max(1, math.ceil(len(round_places) / _LABELS))
    return [Tick(scale.middle(place), f"{moments[place]:{form}}") for place in round_places[::every]]
