"""The short form of a long test: one value in three in the ordinary run, all of them with `make long`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def one_in_three(values: Iterable[Any]) -> list[Any]:
    """Parameters of a test: the first of every three stays in the ordinary run."""
    return [value if n % 3 == 0 else pytest.param(value, marks=pytest.mark.long) for n, value in enumerate(values)]
