"""Requests to HCR Bien-Être: their reasons, the time within which somebody answers, and the states of their life.

The time is counted in working hours, Monday to Friday from 9:00 to 17:00 in Paris, public holidays apart (guide,
« Besoin d’aide »). Workflows call this while they decide: it is pure, and what it reads is read with the module.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from importlib import resources
from typing import Final

from domain.working_time import PARIS, add_days, next_working_day_opening, next_working_moment

OPENS: Final = time(9)
CLOSES: Final = time(17)
SILENT_DAYS: Final = 14  # after an answer that nobody replies to, a request is closed


class ContactState(StrEnum):
    """`reopened`: an answer was not enough; it waits for staff again."""

    received = "received"
    assigned = "assigned"
    answered = "answered"
    closed = "closed"
    reopened = "reopened"


WAITING: Final = (ContactState.received, ContactState.assigned, ContactState.reopened)  # for staff


@dataclass(frozen=True)
class ContactReason:
    """`hours`: working hours until an answer is due. `page`: of the portal, where the same is done at once; ""."""

    code: str
    label: str
    hours: int
    page: str = ""
    page_label: str = ""


@dataclass(frozen=True)
class ContactGroup:
    code: str
    label: str
    reasons: tuple[ContactReason, ...]


def _read() -> tuple[ContactGroup, ...]:
    text = resources.files("domain").joinpath("data/contact_reasons.toml").read_text(encoding="utf-8")
    return tuple(
        ContactGroup(group["code"], group["label"], tuple(ContactReason(**reason) for reason in group["reason"]))
        for group in tomllib.loads(text)["group"]
    )


GROUPS: Final = _read()
REASONS: Final = {reason.code: reason for group in GROUPS for reason in group.reasons}


def group_of(reason: str) -> ContactGroup:
    """Raises KeyError for an unknown reason."""
    return {one.code: group for group in GROUPS for one in group.reasons}[reason]


def due_at(received_at: datetime, reason: str) -> datetime:
    """Until when an answer is due, in UTC. Raises KeyError for an unknown reason, ValueError for a naive moment."""
    return add_working_time(received_at, timedelta(hours=REASONS[reason].hours))


def add_working_time(moment: datetime, span: timedelta) -> datetime:
    """The moment at which so much working time has passed, in UTC; what comes outside it begins with the next opening.
    What ends with the day ends at closing time. Raises ValueError for a naive moment."""
    at = next_working_moment(moment, OPENS, CLOSES)
    while True:
        day = at.astimezone(PARIS).date()
        left = datetime.combine(day, CLOSES, PARIS) - at
        if span <= left:
            return at + span
        span -= left
        at = next_working_day_opening(day, OPENS)


def closes_at(answered_at: datetime) -> datetime:
    """When an answered request is closed unless somebody replies."""
    return add_days(answered_at, SILENT_DAYS)
