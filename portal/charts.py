"""Charts as inline SVG: numbers go in, places in percent come out, so that a chart is as wide as its page and its text
stays as large as the page's. `templates/space/charts.html` draws them; no script, and never by colour alone: every
series has a pattern, a legend with its sum, and the same numbers stand in a table.

    affiliations = columns(
        "affiliations", "Affiliations par mois", "Déclarées ces 12 derniers mois, par statut.",
        [Place("oct.", "octobre 2026"), …], [Series("Finalisé", (4, …), tone=1), …],
    )
    delays = bars("delais", "De l’envoi à l’affiliation", "…", [Bar("1 jour ou moins", 12), …])

    {% import "space/charts.html" as charts %}
    {{ charts.columns(affiliations) }}
    {{ charts.bars(delays) }}

Texts are given as they are shown (`messages.typography.french`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Tone = Literal[1, 2, 3, 4, 5]  # --chart-1 … --chart-5, each with its own pattern

_TOP: Final = 9.0  # where the scale's last line is, in percent of the height; above it stand the sums
_BOTTOM: Final = 88.0  # the axis; below it stand the names
_DIGIT: Final = 2.3  # a digit of the scale is at most that wide, on the narrowest screen
_MOST_OF_PLACE: Final = 0.62  # how much of its place a column takes
_LABELS_ON_A_PHONE: Final = 6
_WANTED_TICKS: Final = 4
_ROW: Final = 52  # pixels for a bar with its name above it


# --- what is given


@dataclass(frozen=True)
class Place:
    """On the axis of columns. `short`: what fits below a column; `name`: what the table says."""

    short: str
    name: str


@dataclass(frozen=True)
class Series:
    """One part of every column, from the bottom up in the order given; a value for each place."""

    label: str
    values: tuple[int, ...]
    tone: Tone

    @property
    def total(self) -> int:
        return sum(self.values)


@dataclass(frozen=True)
class Bar:
    """`told`: the value in words where its number does not say it (« 4 jours »). `path`: where its row leads."""

    label: str
    value: int
    told: str = ""
    tone: Tone = 1
    path: str = ""


# --- what is drawn; places and lengths in percent of the drawing


@dataclass(frozen=True)
class Tick:
    value: int
    y: float


@dataclass(frozen=True)
class Segment:
    """`told`: « octobre 2026 : 4 Finalisé »."""

    tone: Tone
    y: float
    height: float
    told: str


@dataclass(frozen=True)
class Column:
    """`spare`: its name is left out where the screen is narrow."""

    short: str
    x: float
    middle: float
    width: float
    total: int
    total_y: float
    spare: bool
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class ColumnChart:
    """Stacked columns. `key` makes the ids of the drawing: unique on its page. `left`: where the plot begins."""

    key: str
    title: str
    said: str
    places: tuple[Place, ...]
    series: tuple[Series, ...]
    left: float
    ticks: tuple[Tick, ...]
    columns: tuple[Column, ...]

    @property
    def total(self) -> int:
        return sum(one.total for one in self.series)


@dataclass(frozen=True)
class DrawnBar:
    """`name_y`, `y`: in pixels, as every bar is as high; `width` in percent."""

    bar: Bar
    name_y: int
    y: int
    width: float


@dataclass(frozen=True)
class BarChart:
    """Horizontal bars, each with its name above it and its number beside it."""

    key: str
    title: str
    said: str
    height: int
    bars: tuple[DrawnBar, ...]

    @property
    def total(self) -> int:
        return sum(one.bar.value for one in self.bars)


def ticks(most: int, wanted: int = _WANTED_TICKS) -> tuple[int, ...]:
    """The numbers of a scale from 0 to `most` or a little more, in steps that people count in (1, 2, 5, 10, 20…)."""
    step = 1
    while step * wanted < most:
        step = _next_step(step)
    return tuple(range(0, max(most + step - 1, step) // step * step + 1, step))


def _next_step(step: int) -> int:
    """1, 2, 5, 10, 20, 50…"""
    return step * 5 // 2 if str(step).startswith("2") else step * 2


def columns(key: str, title: str, said: str, places: Sequence[Place], series: Sequence[Series]) -> ColumnChart:
    """Raises ValueError where a series has not one value for each place, or a negative one."""
    if any(len(one.values) != len(places) or min(one.values, default=0) < 0 for one in series):
        raise ValueError("every place has a value of every series, and none is negative")
    totals = [sum(one.values[i] for one in series) for i in range(len(places))]
    scale = ticks(max(totals, default=0))
    left = _DIGIT * len(f"{scale[-1]:,}") + 2
    room = (100 - left) / max(len(places), 1)
    spared = -(-len(places) // _LABELS_ON_A_PHONE)
    drawn = []
    for i, place in enumerate(places):
        middle = left + room * (i + 0.5)
        drawn.append(
            Column(
                short=place.short,
                x=middle - room * _MOST_OF_PLACE / 2,
                middle=middle,
                width=room * _MOST_OF_PLACE,
                total=totals[i],
                total_y=_y(totals[i], scale[-1]),
                spare=bool((len(places) - 1 - i) % spared),  # the last one, where people look first, keeps its name
                segments=_segments(place, i, series, scale[-1]),
            )
        )
    return ColumnChart(
        key=key,
        title=title,
        said=said,
        places=tuple(places),
        series=tuple(series),
        left=left,
        ticks=tuple(Tick(value, _y(value, scale[-1])) for value in scale),
        columns=tuple(drawn),
    )


def _segments(place: Place, i: int, series: Sequence[Series], most: int) -> tuple[Segment, ...]:
    found, below = [], 0
    for one in series:
        value = one.values[i]
        if value:
            top = _y(below + value, most)
            found.append(
                Segment(one.tone, top, _y(below, most) - top, f"{place.name}\u00a0: {value}\u00a0– {one.label}")
            )
        below += value
    return tuple(found)


def _y(value: int, most: int) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * value / most


def bars(key: str, title: str, said: str, given: Sequence[Bar]) -> BarChart:
    """Raises ValueError for a negative value."""
    if any(bar.value < 0 for bar in given):
        raise ValueError("no value is negative")
    most = max((bar.value for bar in given), default=0)
    drawn = tuple(
        DrawnBar(bar, _ROW * i + 18, _ROW * i + 26, 100 * bar.value / most if most else 0)
        for i, bar in enumerate(given)
    )
    return BarChart(key=key, title=title, said=said, height=_ROW * len(drawn), bars=drawn)
