"""Who may give which rights: roles on a company, roles of staff (guide, page 7; security.md Z-08)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from enum import StrEnum

from domain.working_time import months_after

MANDATE_MONTHS = 24


class UserKind(StrEnum):
    """Employers' users and staff have different doors, cookies and sessions (security.md S-06)."""

    employer = "employer"
    staff = "staff"


class Role(StrEnum):
    """On one company: « Administrateur » also looks after « Mes habilitations », « Utilisateur » does not."""

    administrator = "administrator"
    member = "member"


class RightsState(StrEnum):
    """Of somebody's rights on one company: `invited` opens nothing yet; `revoked` says also that a mandate is over."""

    invited = "invited"
    active = "active"
    suspended = "suspended"
    revoked = "revoked"


class MandateState(StrEnum):
    """Of a third-party declarant's mandate; `ended` on its last day, `revoked` by the company or given up."""

    asked = "asked"
    accepted = "accepted"
    refused = "refused"
    revoked = "revoked"
    ended = "ended"


class StaffRole(StrEnum):
    """Of a member of staff; `super` has all of them, and invites."""

    read = "read"
    write = "write"
    export = "export"
    super = "super"


def raises_rights(former: Role | None, new: Role) -> bool:
    """Whether a change gives more than there was: a code is then asked at the next sign-in (security.md A-11)."""
    return new is Role.administrator and former is not Role.administrator


def staff_rights_raised(former: Collection[StaffRole], new: Collection[StaffRole]) -> bool:
    return StaffRole.super not in former and not set(new) <= set(former)


def last_mandate_day(today: date) -> date:
    """The latest last day of a mandate that is given today."""
    return months_after(today, MANDATE_MONTHS)
