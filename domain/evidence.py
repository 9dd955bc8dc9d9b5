"""What an employer can prove of each employee: that they were asked, are covered, or asked themselves to be exempted.

Cover is compulsory in the branch (agreement HCR, art. 5; CSS L911-1, L911-7); on inspection the employer shows, for
each employee who pays no contribution, the declaration of exemption (CSS L242-1, R242-1-6, D911-5). Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from domain.affiliation import OPEN, Closure, Status


class ProofState(StrEnum):
    """In the order in which they are shown: what is missing first. `left`: no employee any more, or never one."""

    missing = "missing"
    abandoned = "abandoned"
    invited = "invited"
    dispensed = "dispensed"
    covered = "covered"
    left = "left"


# What has to be done something about.
LACKING = (ProofState.missing, ProofState.abandoned)


class Gap(StrEnum):
    """Why nothing is proved of somebody."""

    payroll_only = "payroll_only"  # payroll declares them and nobody pre-affiliated them
    not_sent = "not_sent"  # pre-affiliated, and no invitation has left
    waiver_ended = "waiver_ended"
    no_record = "no_record"


# Who is asked no more, and need not be.
_GONE = (
    Closure.withdrawn_not_hired,
    Closure.withdrawn_left,
    Closure.withdrawn_duplicate,
    Closure.withdrawn_mistake,
    Closure.declined_left,
)


@dataclass(frozen=True)
class Period:
    """Days, both included. `ends_on`: None where no end is known."""

    starts_on: date
    ends_on: date | None

    def lasts(self, on: date) -> bool:
        """Not over yet: it may still be to come."""
        return self.ends_on is None or self.ends_on >= on


@dataclass(frozen=True)
class Asked:
    """One affiliation of a person at the company, with what it ended in. `invited_at`: when an invitation left."""

    declared_at: datetime
    status: Status
    closure: Closure | None
    invited_at: datetime | None
    cover: Period | None = None
    waiver: Period | None = None


@dataclass(frozen=True)
class Proof:
    """`gap`: of what is missing, why. `by`: the affiliation that it rests on, None where there is none."""

    state: ProofState
    gap: Gap | None = None
    by: Asked | None = None


def proof(asked: Iterable[Asked], on: date) -> Proof:
    """What is proved of somebody on a day, from everything that they were asked."""
    newest_first = sorted(asked, key=lambda one: one.declared_at, reverse=True)
    for one in newest_first:
        if one.cover is not None and one.cover.lasts(on):
            return Proof(ProofState.covered, by=one)
    for one in newest_first:
        if one.waiver is not None and one.waiver.lasts(on):
            return Proof(ProofState.dispensed, by=one)
    return _of_latest(newest_first[0]) if newest_first else Proof(ProofState.missing, Gap.payroll_only)


def _of_latest(latest: Asked) -> Proof:
    if latest.status in OPEN:
        if latest.invited_at is None:
            return Proof(ProofState.missing, Gap.not_sent, latest)
        return Proof(ProofState.invited, by=latest)
    if latest.status is Status.abandoned:
        return Proof(ProofState.left if latest.closure in _GONE else ProofState.abandoned, by=latest)
    if latest.cover is not None:
        return Proof(ProofState.left, by=latest)
    return Proof(ProofState.missing, Gap.waiver_ended if latest.waiver is not None else Gap.no_record, latest)
