"""Suspensions of a work contract without pay: the cover is suspended unless the person pays (HCR agreement, art. 6)."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources


@cache
def suspension_labels() -> dict[str, str]:
    """By code of S21.G00.65.001."""
    path = resources.files("domain").joinpath("data/suspension_reasons.toml")
    return {one["code"]: one["label"] for one in tomllib.loads(path.read_text(encoding="utf-8"))["reason"]}
