"""Figures with their targets, as a table for people and as JSON for comparison."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from settings import ROOT

RESULTS = ROOT / "bench" / "results"


@dataclass(frozen=True)
class Figure:
    """One measured value; without a target it is there to understand the others."""

    name: str
    value: float
    unit: str
    target: float | None = None
    wanted: Literal["at least", "at most"] = "at most"

    @property
    def verdict(self) -> str:
        if self.target is None:
            return ""
        good = self.value >= self.target if self.wanted == "at least" else self.value <= self.target
        return "ok" if good else "over"


def show(title: str, figures: Iterable[Figure]) -> None:
    """Print one measurement's figures."""
    print(f"\n{title}")
    for figure in figures:
        target = "" if figure.target is None else f"{'≥' if figure.wanted == 'at least' else '≤'} {figure.target:g}"
        print(f"  {figure.name:<58}{figure.value:>12,.2f} {figure.unit:<8}{target:>9}  {figure.verdict}", flush=True)


def write(figures: Iterable[Figure], began: datetime) -> Path:
    """Keep a run's figures; returns where."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{began:%Y-%m-%d-%H%M%S}.json"
    lines = [{**asdict(figure), "verdict": figure.verdict} for figure in figures]
    path.write_text(json.dumps(lines, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return path


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of the values lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
