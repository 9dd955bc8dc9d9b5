"""Rights of insured persons: the end of a contract, portability, suspensions."""

from dataclasses import dataclass
from datetime import datetime

from domain.affiliation import (
    Result,
)
from domain.coverage_rights import CoverageFacts, RightsMessage, RightsStep, Told
from domain.media import Medium

RIGHTS = "Rights"  # the workflow's name
RECORD_RIGHTS = "record_rights"
HAND_OVER_RIGHTS = "hand_over_rights_message"
END_UNPROVEN = "end_unproven_portability"


def rights_workflow_id(affiliation_id: str) -> str:
    """The id of the workflow of the rights of one coverage, named by its affiliation: they are one to one, and an
    erasure names affiliations."""
    return f"rights-{affiliation_id}"


@dataclass(frozen=True, slots=True)
class StartRights:
    """The first end or suspension of a coverage, or one that comes when all was over."""

    coverage_id: str
    facts: CoverageFacts


@dataclass(frozen=True, slots=True)
class RightsProgress:
    """What the workflow knows, and everything still to come."""

    version: int
    next_step: RightsStep | None
    calendar: tuple[RightsStep, ...]


@dataclass(frozen=True, slots=True)
class RecordRights:
    """Write what was told and what comes next. `attention`: what staff must look at; None: nothing new."""

    coverage_id: str
    facts_version: int
    told: Told
    next_step: RightsStep | None
    attention: str | None = None


@dataclass(frozen=True, slots=True)
class HandOverRights:
    """Hand one message over, exactly once for its business key. `facts`: what it says; `told`: what was said before."""

    coverage_id: str
    message: RightsMessage
    number: int
    facts: CoverageFacts
    told: Told


@dataclass(frozen=True, slots=True)
class RightsHandedOver:
    """`facts`: they changed before anything could leave: nothing was sent. `medium`: by which it went, or could not."""

    result: Result
    at: datetime
    medium: Medium | None = None
    reason: str | None = None
    facts: CoverageFacts | None = None


@dataclass(frozen=True, slots=True)
class RightsDeliveryFailed:
    """A provider says, after having taken a message about rights, that it did not arrive."""

    message: RightsMessage
    number: int
    medium: Medium


@dataclass(frozen=True, slots=True)
class EndUnproven:
    """The time of grace is over, by the facts of this version."""

    coverage_id: str
    version: int
