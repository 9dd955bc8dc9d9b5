"""Charts: where things are drawn, and that the drawing says the numbers."""

from __future__ import annotations

import random
import re
from datetime import date
from itertools import pairwise

import pytest

from domain.affiliation import Status
from portal.charts import Bar, Place, Series, Tone, bars, columns, ticks
from portal.home import compared, declared_chart, delays_chart, median
from portal.pages import _environment
from services.figures import DeclaredInMonth

PLACES = [Place(f"m{number}", f"mois {number}") for number in range(12)]


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (0, (0, 1)),
        (1, (0, 1)),
        (4, (0, 1, 2, 3, 4)),
        (5, (0, 2, 4, 6)),
        (12, (0, 5, 10, 15)),
        (37, (0, 10, 20, 30, 40)),
        (100, (0, 50, 100)),
        (1_000_000, (0, 500_000, 1_000_000)),
    ],
)
def test_a_scale_counts_in_steps_that_people_count_in(most: int, expected: tuple[int, ...]) -> None:
    assert ticks(most) == expected


def test_every_scale_holds_its_numbers_in_few_even_steps() -> None:
    for most in range(3000):
        scale = ticks(most)
        assert scale[0] == 0
        assert max(most, 1) <= scale[-1] < max(most, 1) + scale[1]
        assert len(scale) <= 6
        assert {after - before for before, after in pairwise(scale)} == {scale[1]}


@pytest.mark.parametrize("seed", range(20))
def test_columns_are_as_high_as_what_they_count_and_stay_in_the_drawing(seed: int) -> None:
    rng = random.Random(seed)
    tones: list[Tone] = [1, 2, 3]
    series = [Series(f"s{t}", tuple(rng.choice((0, rng.randrange(500))) for _ in PLACES), t) for t in tones]
    chart = columns("k", "Titre", "Dit", PLACES, series)
    floor, top = chart.ticks[0], chart.ticks[-1]
    assert floor.value == 0
    per_one = (floor.y - top.y) / top.value
    for i, column in enumerate(chart.columns):
        values = [one.values[i] for one in series if one.values[i]]
        assert column.total == sum(values)
        assert [part.height for part in column.segments] == pytest.approx([value * per_one for value in values])
        assert sum(part.height for part in column.segments) == pytest.approx(floor.y - column.total_y)
        for below, above in pairwise(column.segments):
            assert above.y + above.height == pytest.approx(below.y), "one stands on the other"
        assert column.x >= chart.left
        assert column.x + column.width <= 100
        assert column.total_y >= top.y
    assert not chart.columns[-1].spare, "the last month keeps its name on a phone"
    assert sum(not one.spare for one in chart.columns) == 6
    assert chart.total == sum(one.total for one in series)


def test_columns_do_not_stand_in_each_other() -> None:
    chart = columns("k", "Titre", "Dit", PLACES, [Series("s", tuple(range(12)), 1)])
    for before, after in pairwise(chart.columns):
        assert before.x + before.width < after.x


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="every place"):
        columns("k", "Titre", "Dit", PLACES, [Series("s", (1, 2), 1)])
    with pytest.raises(ValueError, match="negative"):
        columns("k", "Titre", "Dit", PLACES[:1], [Series("s", (-1,), 1)])
    with pytest.raises(ValueError, match="negative"):
        bars("k", "Titre", "Dit", [Bar("un", -1)])


def test_bars_are_as_long_as_what_they_count() -> None:
    chart = bars("k", "Titre", "Dit", [Bar("un", 5), Bar("deux", 20), Bar("rien", 0)])
    assert [one.width for one in chart.bars] == [25, 100, 0]
    assert chart.total == 25
    assert chart.height >= max(one.y for one in chart.bars) + 14
    assert [one.width for one in bars("k", "Titre", "Dit", [Bar("rien", 0)]).bars] == [0]


def drawn(macro: str, chart: object) -> str:
    charts = _environment().get_template("space/charts.html").module
    return str(getattr(charts, macro)(chart))


def test_the_drawing_has_a_name_a_description_and_the_same_numbers_in_a_table() -> None:
    months = [
        DeclaredInMonth(month=date(2026, month, 1), statuses={**dict.fromkeys(Status, 0), Status.sent: month})
        for month in range(1, 13)
    ]
    declared = drawn("columns", declared_chart(months))
    delays = drawn("bars", delays_chart({0: 3, 2: 5, 40: 1234}))
    for key, text in (("declarees", declared), ("delais", delays)):
        assert re.search(rf'<svg class="drawn" role="img" aria-labelledby="{key}-title {key}-said"', text)
        assert f'id="{key}-title"' in text
        assert f'id="{key}-said"' in text
        assert "Voir les données" in text
        assert "style=" not in text
        for fill in re.findall(r"url\(#([\w-]+)\)", text):
            assert f'<pattern id="{fill}"' in text
    assert '<th scope="row">décembre\u00a02026</th>' in declared
    assert "78\u00a0affiliations déclarées" in declared or "78 affiliations déclarées" in declared
    assert declared.count("<pattern ") == len(Status)
    assert "1\u202f234" in delays


def test_nothing_to_draw_is_said() -> None:
    assert not declared_chart([DeclaredInMonth(month=date(2026, 1, 1), statuses=dict.fromkeys(Status, 0))]).total
    assert not delays_chart({}).total


@pytest.mark.parametrize(
    ("delays", "expected"),
    [({}, None), ({4: 1}, 4), ({0: 5, 9: 5}, 0), ({0: 4, 9: 5}, 9), ({1: 1, 2: 1, 30: 1}, 2)],
)
def test_half_of_them_came_within_the_median(delays: dict[int, int], expected: int | None) -> None:
    assert median(delays) == expected


def test_delays_fall_into_the_words_that_hold_them() -> None:
    chart = delays_chart({0: 1, 1: 1, 2: 1, 3: 1, 7: 1, 8: 1, 14: 1, 15: 1, 30: 1, 31: 1, 365: 1})
    assert [one.bar.value for one in chart.bars] == [1, 2, 2, 2, 2, 2]


@pytest.mark.parametrize(
    ("count", "before", "expected"),
    [
        (5, 2, "3 de plus qu’au 23 octobre"),
        (2, 5, "3 de moins qu’au 23 octobre"),
        (4, 4, "Comme au 23 octobre"),
    ],
)
def test_a_figure_is_compared_with_the_same_day_of_last_month(count: int, before: int, expected: str) -> None:
    assert compared(count, before, date(2026, 10, 23)) == expected
