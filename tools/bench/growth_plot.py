"""Time per contact by number of contacts, as a small SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from tools.bench.cases import CASES
from tools.bench.figures import Spread
from tools.bench.measurement import Measurement

_PREFIX = "growth_"
_LEAST_POINTS = 2
_MARKS = 4
"""Numbers on the axis above zero."""
_WIDTH, _HEIGHT = 640, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 20, 40, 45
_SERIES = (("wall_s", "trigger to finish", "#1f6feb"), ("api_s", "delivery", "#bf5700"))


@dataclass(frozen=True, slots=True)
class Point:
    """A case of the growth series."""

    contacts: int
    ms_per_contact: Mapping[str, float]
    """Figure → milliseconds."""


def growth_points(runs: Mapping[str, Sequence[Measurement]]) -> list[Point]:
    """Return the measured cases of the growth series, the smallest first."""
    cases = [case for case in CASES if case.name.startswith(_PREFIX) and case.name in runs]
    return [
        Point(
            case.size.contacts,
            {
                figure: Spread.of(getattr(run, figure) for run in runs[case.name]).median * 1000 / case.size.contacts
                for figure, _, _ in _SERIES
            },
        )
        for case in sorted(cases, key=lambda case: case.size.contacts)
    ]


def growth_svg(points: Sequence[Point]) -> str:
    """Return the picture; empty when fewer than two sizes were measured."""
    if len(points) < _LEAST_POINTS:
        return ""
    top = 1.2 * max(value for point in points for value in point.ms_per_contact.values())
    scale = _Scale(points[0].contacts, points[-1].contacts, top)
    parts = [_axes(points, scale)]
    parts += [
        _line(points, scale, figure, label, colour, place)
        for place, (figure, label, colour) in enumerate(_SERIES)
    ]  # fmt: skip
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        f'font-size="12" role="img" aria-label="milliseconds per contact">\n'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    """Contacts on a logarithmic axis, milliseconds from zero."""

    fewest: int
    most: int
    top_ms: float

    def x(self, contacts: int) -> float:
        share = math.log(contacts / self.fewest) / math.log(self.most / self.fewest)
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT - 60), 1)

    def y(self, ms: float) -> float:
        return round(_HEIGHT - _BOTTOM - ms / self.top_ms * (_HEIGHT - _TOP - _BOTTOM), 1)


def _axes(points: Sequence[Point], scale: _Scale) -> str:
    zero = scale.y(0)
    frame = f'<path d="M{_LEFT} {_TOP}V{zero}H{_WIDTH - _RIGHT}" fill="none" stroke="#57606a"/>'
    sizes = [_text(scale.x(point.contacts), zero + 18, f"{point.contacts:,}", anchor="middle") for point in points]
    marks = [scale.top_ms * step / _MARKS for step in range(_MARKS + 1)]
    times = [_text(_LEFT - 6, scale.y(ms) + 4, f"{ms:.2f}", anchor="end") for ms in marks]
    captions = [
        _text(_LEFT, 16, "milliseconds per contact"),
        _text(_WIDTH - _RIGHT, _HEIGHT - 8, "contacts (logarithmic)", anchor="end"),
    ]
    return "\n".join([frame, *sizes, *times, *captions])


def _line(points: Sequence[Point], scale: _Scale, figure: str, label: str, colour: str, place: int) -> str:
    places = [(scale.x(point.contacts), scale.y(point.ms_per_contact[figure])) for point in points]
    path = "L".join(f"{x} {y}" for x, y in places)
    dots = "".join(f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}"/>' for x, y in places)
    legend = _text(_LEFT + 200 + 150 * place, 16, label, colour=colour)
    return f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>{dots}\n{legend}'


def _text(x: float, y: float, text: str, *, anchor: str = "start", colour: str = "#24292f") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'
