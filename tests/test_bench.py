"""Each measurement in its smallest form, so that bench/ stays runnable: three in the ordinary run, all in the long
one. No figure is asserted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from bench import (
    arriving,
    assistant,
    declaring,
    documents,
    drafting,
    dsn,
    export,
    importing,
    insured,
    life,
    lists,
    login,
    memory,
    pages,
    uploading,
)
from bench.report import Figure, percentile
from bench.stack import Stack, open_stack


@pytest.fixture(scope="module")
async def stack() -> AsyncIterator[Stack]:
    async with open_stack() as opened:
        yield opened


Measure = Callable[[Stack], Awaitable[list[Figure]]]
ORDINARY: dict[str, Measure] = {
    "lists": lambda stack: lists.measure(stack, rows=100, times=2),
}
LONG: dict[str, Measure] = {
    "life": life.measure,
    "documents": lambda stack: documents.measure(times=2),
    "login": lambda stack: login.measure(stack, logins=1, reads=2, rounds=1, seconds=0.5),
    "arriving": lambda stack: arriving.measure(stack, count=1),
    "declaring": lambda stack: declaring.measure(stack, count=20, rounds=1),
    "memory": lambda stack: memory.measure(stack, count=5, warm=2),
    "assistant": lambda stack: assistant.measure(stack, rounds=1),
    "dsn": lambda stack: dsn.measure(stack, megabytes=0.3),
    "importing": lambda stack: importing.measure(stack, rows=400, rounds=1, batch=10, calls=4),
    "export": lambda stack: export.measure(stack, rows=100, times=1),
    "insured": lambda stack: insured.measure(stack, rows=100, times=2, scale=100),
    "drafting": lambda stack: drafting.measure(stack, rounds=1, saves=3),
    "uploading": lambda stack: uploading.measure(stack, times=1),
    "pages": lambda stack: pages.measure(stack, rows=400, offices=2, times=2),
}


@pytest.mark.parametrize(
    "measure",
    [
        *(pytest.param(measure, id=name) for name, measure in ORDINARY.items()),
        *(pytest.param(measure, id=name, marks=pytest.mark.long) for name, measure in LONG.items()),
    ],
)
async def test_a_measurement_runs(stack: Stack, measure: Measure) -> None:
    figures = await measure(stack)
    assert figures
    # so few affiliations may well give memory back: a difference can be below zero
    assert all(
        figure.value >= 0 for figure in figures if "growth" not in figure.name and "per 1,000" not in figure.name
    )


def test_a_figure_says_whether_it_keeps_to_its_target() -> None:
    assert Figure("ratio", 0.59, "", 0.6, "at least").verdict == "over"
    assert Figure("ratio", 0.60, "", 0.6, "at least").verdict == "ok"
    assert Figure("time", 301, "ms", 300).verdict == "over"
    assert Figure("time", 301, "ms").verdict == ""


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([3, 1, 2], 0.5) == 2
    assert percentile([3, 1, 2], 0.95) == 3
    assert percentile([1], 0.5) == 1
