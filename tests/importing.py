"""Bulk imports for tests: tables as employers give them, and users who give them."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from activities.contracts.affiliation_imports import ImportTask, import_workflow_id
from domain.rights import Role
from services.affiliation_import_views import FIELDS
from services.callers import EMPLOYER_SCOPES, Caller, SignedIn
from services.import_columns import BY_FIELD
from tests.users import add_user
from tests.world import Employer, World


async def importer(world: World, *employers: Employer) -> Caller:
    """A new user of these companies, signed in."""
    companies = tuple(employer.company_id for employer in employers)
    user = await add_user(world, {company: Role.member for company in companies})
    return caller_of(user.id, companies)


def caller_of(user_id: UUID, companies: tuple[UUID, ...]) -> Caller:
    signed_in = SignedIn(user_id, uuid4(), b"", stepped_up=True)
    return Caller(str(user_id), companies, EMPLOYER_SCOPES, signed_in=signed_in)


def row_of(declaration: Mapping[str, Any], **changes: str) -> dict[str, str]:
    """A declaration's JSON as a row."""
    employee = declaration["employee"]
    flat = {**declaration, **employee, **employee["address"], "medium": "", "line2": "", **changes}
    return {name: str(flat[name]) for name in FIELDS}


def table(rows: Sequence[Mapping[str, str]]) -> bytes:
    """A CSV with our titles; the first row has the number 2."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";")
    writer.writerow([BY_FIELD[name].title for name in FIELDS])
    writer.writerows([[row[name] for name in FIELDS] for row in rows])
    return text.getvalue().encode()


async def until_over(world: World, import_id: UUID, round: int = 1, task: ImportTask = ImportTask.start) -> None:
    """The workflow's end, its pauses skipped."""
    handle = world.client.get_workflow_handle(import_workflow_id(str(import_id), task, round))
    async with asyncio.timeout(60):
        while await world.temporal.fast_forward(handle, timedelta(minutes=1)):
            pass
        await handle.result()
