"""Writes a state of the workflow into the read model, with its line of the timeline."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter

from activities.contracts.affiliation import Completion, Event
from db import affiliations, enrolments
from db.pool import Connection
from domain.affiliation import AffiliationState, Channel
from domain.media import reachable_media
from domain.plan import Step

_STATE = TypeAdapter(AffiliationState)


async def write(
    connection: Connection,
    affiliation_id: UUID,
    state: AffiliationState,
    next_step: Step | None,
    event: Event | None,
    at: datetime,
) -> None:
    """Both writes are idempotent: numbered by the state's version."""
    await affiliations.project(
        connection,
        affiliation_id,
        at,
        affiliations.Snapshot(
            status=state.status,
            medium=state.medium,
            state=_STATE.dump_python(state, mode="json"),
            version=state.version,
            contact_version=state.contact_version,
            next_step_kind=next_step.kind if next_step else None,
            next_step_medium=next_step.medium if next_step else None,
            next_step_at=next_step.at if next_step else None,
            attention=state.attention,
            pause=state.pause,
            closure=state.closure,
        ),
    )
    if event is not None:
        await connection.execute(
            affiliations.ADD_EVENT,
            affiliation_id,
            state.version,
            event.kind,
            event.at,
            event.actor.kind,
            event.actor.id,
            event.details,
        )


async def completion_of(connection: Connection, affiliation_id: UUID) -> Completion | None:
    """The submission that is in the database, whether the workflow has heard of it or not."""
    row = await connection.fetchrow(enrolments.COMPLETION, affiliation_id)
    return completion(row) if row else None


def completion(row: asyncpg.Record) -> Completion:
    """A row of `db.enrolments.COMPLETION` or `UNTOLD`."""
    given = row["contact_version"]
    return Completion(
        channel=Channel(row["channel"]),
        missing=tuple(row["missing"]),
        checking=row["checking"],
        waiver_ends_on=row["waiver_ends_on"],
        contact_version=given,
        reachable=reachable_media(row["has_email"], row["has_phone"]) if given is not None else None,
        pieces_version=row["pieces_version"],
    )
