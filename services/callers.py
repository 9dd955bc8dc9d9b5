"""Who is asking, as every service is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from activities.contracts.affiliation import Actor, ActorKind
from domain.rights import StaffRole
from services.problems import NotAllowed, StepUpNeeded


class Scope(StrEnum):
    """What a caller may do. An API key is given some; a user's follow from their role."""

    read = "affiliations:read"
    write = "affiliations:write"
    staff = "staff"  # reads
    staff_write = "staff:write"
    staff_export = "staff:export"
    staff_super = "staff:super"


READ_ONLY = "Vous consultez en lecture seule. Terminez la consultation pour revenir à votre espace."
EMPLOYER_SCOPES = frozenset({Scope.read, Scope.write})
STAFF_SCOPES = {
    StaffRole.read: frozenset({Scope.staff}),
    StaffRole.write: frozenset({Scope.staff, Scope.staff_write}),
    StaffRole.export: frozenset({Scope.staff, Scope.staff_export}),
    StaffRole.super: frozenset({Scope.staff, Scope.staff_write, Scope.staff_export, Scope.staff_super}),
}


@dataclass(frozen=True)
class SignedIn:
    """The browser session behind a caller.

    `stepped_up`: a code was given in it less than ten minutes ago (security.md A-27).
    """

    user_id: UUID
    session_id: UUID
    session: bytes = field(repr=False)  # its hash
    stepped_up: bool


@dataclass(frozen=True)
class LookAs:
    """A member of staff reads a company's space in its place, until then, for a reason (its words)."""

    id: UUID
    company: str
    until: datetime
    reason: str


@dataclass(frozen=True)
class Looker(Actor):
    """The member of staff who does so: what they read is in the log with the mark of it."""

    look_as: str = ""


@dataclass(frozen=True)
class Caller:
    """A user in a browser, or a machine with an API key.

    `companies`: the perimeter, whose rows are seen; `administers`: those of them whose rights the user looks after.
    Staff see all companies and have none; while they look at one in its place (`look_as`) they read it as it does, and
    write nothing. `signed_in` is None for an API key.
    """

    id: str  # the user's or the key's
    companies: tuple[UUID, ...]
    scopes: frozenset[Scope]
    administers: tuple[UUID, ...] = ()
    signed_in: SignedIn | None = None
    look_as: LookAs | None = None

    @property
    def actor(self) -> Actor:
        if self.look_as is not None:
            return Looker(ActorKind.staff, self.id, str(self.look_as.id))
        return Actor(ActorKind.staff if Scope.staff in self.scopes else ActorKind.employer, self.id)

    def need(self, scope: Scope) -> None:
        """Raises NotAllowed."""
        if scope not in self.scopes and self.look_as is not None:
            raise NotAllowed(READ_ONLY)
        if scope not in self.scopes:
            raise NotAllowed("Votre accès ne permet pas cette action.")

    def person(self) -> SignedIn:
        """The signed-in user. Raises NotAllowed for an API key."""
        if self.signed_in is None:
            raise NotAllowed("Cette action est réservée à une personne connectée à son espace.")
        return self.signed_in

    def need_administrator(self) -> SignedIn:
        """Of at least one company of the perimeter. Raises NotAllowed."""
        person = self.person()
        if not self.administers and self.look_as is not None:
            raise NotAllowed(READ_ONLY)
        if not self.administers:
            raise NotAllowed("Cette rubrique est réservée aux administrateurs.")
        return person

    def need_step_up(self) -> SignedIn:
        """A code given less than ten minutes ago. Raises NotAllowed for an API key, StepUpNeeded."""
        person = self.person()
        if not person.stepped_up:
            raise StepUpNeeded()
        return person

    def need_step_up_of_person(self) -> None:
        """As `need_step_up`, but an API key passes: a machine can give no code. Raises StepUpNeeded."""
        if self.signed_in is not None:
            self.need_step_up()


@dataclass(frozen=True)
class Pending:
    """A user whose password was right and whose second factor is still asked: may answer it, nothing else."""

    user_id: UUID
    session: bytes = field(repr=False)


@dataclass(frozen=True)
class EmployeeCaller:
    """An employee in a session opened by a link or a letter's code: one affiliation, nothing else.

    `proved`: this session knows the birth date, or wrote the draft from its beginning (security.md L-07).
    """

    affiliation_id: UUID
    medium: str
    status: str
    session: bytes  # its hash
    proved: bool
    expired: bool = False
