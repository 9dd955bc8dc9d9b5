"""A confirmed row of a bulk import, carried out as its user would do it: by the service of `POST /affiliations`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import asyncpg

from activities.affiliation_import import Settled
from activities.contracts.affiliation_imports import RowState
from gateways.encryption import CannotDecrypt, FieldCipher
from services import affiliation_import_rows as rows
from services.affiliation_import_rows import Found
from services.affiliations import AffiliationService
from services.callers import EMPLOYER_SCOPES, Caller
from services.declarations import CorrectedContact, PreAffiliation
from services.idempotency import once
from services.problems import AlreadyOpen, InvalidFields, KeyReused, NotFound, RefusedByRules

_ACTION: Final = "import"


class RowStarter:
    def __init__(self, affiliations: AffiliationService, cipher: FieldCipher) -> None:
        self._affiliations = affiliations
        self._cipher = cipher

    async def start(self, user_id: UUID, companies: Sequence[UUID], round: int, row: asyncpg.Record) -> Settled:
        """Raises EngineUnavailable (of a corrected contact), and what the database raises: to be tried again."""
        try:
            request = rows.declaration(rows.opened(self._cipher, row["id"], row["values_sealed"]))
        except CannotDecrypt:
            return _settled(RowState.failed, Found("", "failed.unreadable"))
        except InvalidFields as invalid:  # a date that was near enough when it was confirmed
            return _invalid(invalid)
        caller = Caller(str(user_id), tuple(companies), EMPLOYER_SCOPES)
        if row["state"] == RowState.changed:
            return await self._correct(caller, round, row, request)
        return await self._declare(caller, round, row, request)

    async def _declare(self, caller: Caller, round: int, row: asyncpg.Record, request: PreAffiliation) -> Settled:
        key = once(self._cipher, _key(row, round), _ACTION, None, request)
        try:
            declared = await self._affiliations.declare(caller, request, key)
        except InvalidFields as invalid:
            return _invalid(invalid)
        except AlreadyOpen as open_:
            return _settled(RowState.running, Found("", "running.here"), UUID(str(open_.extensions["id"])))
        return _settled(RowState.started, None, declared.id)

    async def _correct(self, caller: Caller, round: int, row: asyncpg.Record, request: PreAffiliation) -> Settled:
        employee = request.employee
        given = {"email": employee.email, "phone": employee.phone, "address": employee.address}
        corrected = CorrectedContact(**{name: value for name, value in given.items() if value is not None})
        affiliation_id = row["affiliation_id"]
        key = once(self._cipher, _key(row, round), _ACTION, affiliation_id, corrected)
        try:
            await self._affiliations.correct_contact(caller, affiliation_id, corrected, key)
        except InvalidFields as invalid:
            return _invalid(invalid)
        except (RefusedByRules, NotFound, KeyReused):
            return _settled(RowState.failed, Found("", "failed.contact"))
        return _settled(RowState.started, None, affiliation_id)


def _key(row: asyncpg.Record, round: int) -> str:
    """The same for a row in every attempt at a round."""
    return f"import/{row['id']}/{round}"


def _invalid(invalid: InvalidFields) -> Settled:
    found = [Found(rows.field_of(error.field), error.code) for error in invalid.errors]
    return Settled(RowState.invalid, [one.kept() for one in found])


def _settled(state: RowState, found: Found | None, affiliation_id: UUID | None = None) -> Settled:
    return Settled(state, [] if found is None else [found.kept()], affiliation_id)
