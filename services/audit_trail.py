"""Who looked at a person's file, what an actor reached, and the stop of whoever reads too much (security.md J-08, R-08,
Z-09)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import AwareDatetime, BaseModel

from db import audit
from db.pool import Connection, Pool, single, system
from messages.audit_words import AUDIT_EVENTS
from services.callers import Caller, Scope
from services.problems import FieldError, InvalidFields, MassReading, NotFound

FILES_PER_HOUR = 200
REVEALS_PER_HOUR = 50
DENIALS_KEPT_PER_HOUR = 100  # more say nothing more, and would fill the log
MOST = 500


class Reading(BaseModel):
    """One entry about a person. `who`: a name where the actor is a user or an API key that is still known."""

    at: datetime
    event: str
    what: str
    actor_kind: str
    actor_id: str | None
    who: str | None
    affiliation_id: UUID


class AccessHistory(BaseModel):
    """« Qui a consulté mon dossier », the newest first. `next_before`: where the next page begins."""

    items: list[Reading]
    next_before: int | None


class Reached(BaseModel):
    """One affiliation that an actor read or changed; `employee_id`: null where the person was erased since."""

    affiliation_id: UUID
    employee_id: UUID | None
    first_at: datetime
    last_at: datetime
    events: list[str]


class ReachedList(BaseModel):
    """What one actor reached in a period, by affiliation. `next_after`: where the next page begins."""

    items: list[Reached]
    next_after: UUID | None


class DoneInName(BaseModel):
    """One thing that a user did for a company. `number` pages: before it comes what is older."""

    number: int
    at: datetime
    event: str
    what: str
    outcome: str
    affiliation_id: UUID | None
    object_type: str | None
    object_id: str | None


def words_of(event: str) -> str:
    """In French; an event that a newer version wrote is shown by its code."""
    return AUDIT_EVENTS.get(event, event)


async def done_in_name(
    connection: Connection, company_id: UUID, actor_id: str, limit: int, before: int | None = None
) -> list[DoneInName]:
    """What a user did for a company, the newest first. For a connection of the system role."""
    rows = await connection.fetch(audit.DONE_FOR_COMPANY, company_id, actor_id, before, limit)
    return [
        DoneInName(
            number=row["id"],
            at=row["at"],
            event=row["event"],
            what=words_of(row["event"]),
            outcome=row["outcome"],
            affiliation_id=row["affiliation_id"],
            object_type=row["object_type"],
            object_id=row["object_id"],
        )
        for row in rows
    ]


async def stop_mass_reading(pool: Pool, caller: Caller) -> None:
    """Before a member of staff is shown one more file. Raises MassReading, which is in the log once an hour."""
    async with single(pool) as connection:
        row = await connection.fetchrow(audit.READ_WITHIN_THE_HOUR, caller.id)
    assert row is not None, "an aggregate"
    if row["files"] < FILES_PER_HOUR and row["reveals"] < REVEALS_PER_HOUR:
        return
    async with system(pool) as connection:
        await audit.add(
            connection,
            "authz.mass_read",
            caller.actor,
            object_type="actor",
            object_id=caller.id,
            outcome="refused",
            details={"files": row["files"], "reveals": row["reveals"]},
        )
    raise MassReading()


class AuditTrailService:
    def __init__(self, system_pool: Pool) -> None:
        self._system = system_pool

    async def accesses(
        self, caller: Caller, employee_id: UUID, limit: int = MOST, before: int | None = None
    ) -> AccessHistory:
        """Who read or changed a person's file. Looking here is itself in the log (security.md J-06).

        Raises NotAllowed, NotFound.
        """
        caller.need(Scope.staff_export)
        async with system(self._system) as connection:
            company_id = await connection.fetchval(audit.COMPANY_OF_PERSON, employee_id)
            if company_id is None:
                raise NotFound()
            rows = await connection.fetch(audit.ABOUT_PERSON, employee_id, before, limit + 1)
            await audit.add(
                connection,
                "log.viewed",
                caller.actor,
                company_id=company_id,
                object_type="employee",
                object_id=employee_id,
            )
        return AccessHistory(
            items=[
                Reading(
                    at=row["at"],
                    event=row["event"],
                    what=words_of(row["event"]),
                    actor_kind=row["actor_kind"],
                    actor_id=row["actor_id"],
                    who=row["who"],
                    affiliation_id=row["affiliation_id"],
                )
                for row in rows[:limit]
            ],
            next_before=rows[limit - 1]["id"] if len(rows) > limit else None,
        )

    async def reachable(
        self,
        caller: Caller,
        actor_id: str,
        since: AwareDatetime,
        until: AwareDatetime,
        limit: int = MOST,
        after: UUID | None = None,
    ) -> ReachedList:
        """Whose data an actor read or changed in a period, `until` excluded: the scope of a breach.

        Raises NotAllowed, InvalidFields.
        """
        caller.need(Scope.staff_export)
        if since >= until:
            message = "La fin de la période doit être après son début. Exemple : 2026-11-02T00:00:00Z."
            raise InvalidFields([FieldError("until", "period.empty", message.replace(" :", "\u00a0:"))])
        async with system(self._system) as connection:
            rows = await connection.fetch(audit.REACHED_BY, actor_id, since, until, after, limit + 1)
            details = {"since": since.isoformat(), "until": until.isoformat()}
            await audit.add(
                connection, "log.viewed", caller.actor, object_type="actor", object_id=actor_id, details=details
            )
        return ReachedList(
            items=[Reached(**dict(row)) for row in rows[:limit]],
            next_after=rows[limit - 1]["affiliation_id"] if len(rows) > limit else None,
        )

    async def denied(self, caller: Caller, object_type: str) -> None:
        """A request named an id that its caller does not find, whether it is somebody else's or nobody's."""
        company_id = caller.companies[0] if len(caller.companies) == 1 else None
        async with system(self._system) as connection:
            await connection.execute(
                audit.ADD_DENIAL, company_id, str(caller.actor.kind), caller.id, object_type, DENIALS_KEPT_PER_HOUR
            )
