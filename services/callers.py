"""Who is asking, as every service is told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from activities.contracts import Actor, ActorKind
from services.problems import NotAllowed


class Scope(StrEnum):
    """What an API key may do."""

    read = "affiliations:read"
    write = "affiliations:write"
    staff = "staff"


@dataclass(frozen=True)
class Caller:
    """An employer's key (its companies) or a staff key (scope `staff`, all companies)."""

    id: str
    companies: tuple[UUID, ...]
    scopes: frozenset[Scope]

    @property
    def actor(self) -> Actor:
        return Actor(ActorKind.staff if Scope.staff in self.scopes else ActorKind.employer, self.id)

    def need(self, scope: Scope) -> None:
        """Raises NotAllowed."""
        if scope not in self.scopes:
            raise NotAllowed("Cette clé d’accès ne permet pas cette action.")


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
