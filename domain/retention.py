"""How long what is kept: the retention table (`data/retention.toml`), and the day on which a rule falls due.

Every rule counts in days of Europe/Paris, whole ones: what happened on 1 November and is kept for 30 days is due on
1 December. Months and years end on the same day of the month, or on its last one.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path

from domain.working_time import PARIS, months_after, paris_date

_TABLE = Path(__file__).parent / "data" / "retention.toml"


class Action(StrEnum):
    """What is done on the day."""

    delete = "delete"
    delete_files = "delete_files"  # row and file
    erase = "erase"  # everything of the affiliation, and the person with their last one
    keep = "keep"  # nothing: no personal data, or evidence that names nobody


@dataclass(frozen=True)
class Rule:
    """One line of the table; `counted_from` and `what` in words, `source` the text it rests on.

    Without a duration the action is `keep`.
    """

    name: str
    what: str
    counted_from: str
    days: int
    months: int
    action: Action
    source: str


def rules() -> dict[str, Rule]:
    """The table, by name."""
    return dict(_load())


def rule(name: str) -> Rule:
    """Raises KeyError."""
    return _load()[name]


def due_on(rule: Rule, event: date) -> date:
    """The day on which what happened on `event` falls due."""
    if rule.action is Action.keep:
        raise ValueError(f"{rule.name} is kept: it never falls due")
    return months_after(event, rule.months) + timedelta(days=rule.days)


def due_before(rule: Rule, now: datetime) -> date:
    """What happened before this day is due at `now`, what happened on it is not yet."""
    today = paris_date(now)
    day = months_after(today - timedelta(days=rule.days), -rule.months)
    while due_on(rule, day) <= today:  # the last days of a month fall due together
        day += timedelta(days=1)
    return day


def beginning_of(day: date) -> datetime:
    """The moment at which this day begins in Paris."""
    return datetime.combine(day, time(), PARIS)


@cache
def _load() -> dict[str, Rule]:
    table = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    return {name: _rule(name, fields) for name, fields in table.items()}


def _rule(name: str, fields: dict[str, str | int]) -> Rule:
    known = {"what", "from", "days", "months", "years", "action", "source"}
    if unknown := fields.keys() - known:
        raise ValueError(f"retention.toml, {name}: {', '.join(sorted(unknown))}")
    made = Rule(
        name=name,
        what=str(fields["what"]),
        counted_from=str(fields.get("from", "")),
        days=int(fields.get("days", 0)),
        months=int(fields.get("months", 0)) + 12 * int(fields.get("years", 0)),
        action=Action(str(fields["action"])),
        source=str(fields["source"]),
    )
    if (made.action is Action.keep) is bool(made.days or made.months):
        raise ValueError(f"retention.toml, {name}: a duration, or `keep`")
    return made
