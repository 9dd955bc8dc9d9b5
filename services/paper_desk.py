"""Paper returns as staff enter them: what was printed on a form, and how many were recorded today."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Literal
from uuid import UUID

from pydantic import BaseModel

from activities.writing import reference_of
from db import affiliations, audit, desk, enrolments
from db.pool import Pool, system
from domain.affiliation import Status
from domain.formulas import levels
from domain.identifiers import masked_nir
from domain.waivers import waiver_reasons
from domain.working_time import PARIS
from gateways.encryption import FieldCipher
from services.audit_trail import stop_mass_reading
from services.callers import Caller, Scope
from services.enrolments import circumstances_of
from services.fields import today
from services.problems import NotFound

# What the form was printed with, under the names of its questions.
PRINTED = (
    *("civility", "last_name", "birth_name", "first_names", "scheme"),
    *("line1", "line2", "postcode", "city", "email", "phone"),
)


class Printed(BaseModel):
    """A form before it is recorded. `answers`: what was printed, by question; `nir` is masked. `state`: whether it can
    still be recorded. `levels`, `waivers`: what can be ticked on it."""

    affiliation_id: UUID
    reference: str
    establishment: str
    first_names: str
    last_name: str
    birth_date: date
    nir: str
    answers: dict[str, str]
    state: Literal["open", "recorded", "closed"]
    levels: list[str]
    waivers: list[str]


class Recorded(BaseModel):
    """A form on paper that the caller recorded today."""

    id: UUID
    submitted_at: datetime
    missing: list[str]
    first_names: str
    last_name: str
    establishment: str

    @property
    def reference(self) -> str:
        return reference_of(self.id)


class DayOfPaper(BaseModel):
    count: int
    items: list[Recorded]


class PaperDesk:
    def __init__(self, system_pool: Pool, cipher: FieldCipher) -> None:
        self._pool = system_pool
        self._cipher = cipher

    async def printed(self, caller: Caller, affiliation_id: UUID) -> Printed:
        """The form of one file; reading it is in the log. Raises NotAllowed, NotFound, MassReading."""
        caller.need(Scope.staff_write)
        await stop_mass_reading(self._pool, caller)
        async with system(self._pool) as connection:
            person = await affiliations.person(connection, affiliation_id)
            if person is None:
                raise NotFound()
            enrolment = await connection.fetchrow(enrolments.GET, affiliation_id)
            await audit.viewed(connection, caller.actor, [affiliation_id], "paper")
        circumstances = circumstances_of(person)
        recorded = enrolment is not None and enrolment["submitted_at"] is not None
        nir = self._cipher.decrypt(person["nir_sealed"], "employee", "nir", str(person["employee_id"]))
        return Printed(
            affiliation_id=affiliation_id,
            reference=reference_of(affiliation_id),
            establishment=person["establishment"],
            first_names=person["first_names"],
            last_name=person["last_name"],
            birth_date=person["birth_date"],
            nir=masked_nir(nir),
            answers={name: person[name] or "" for name in PRINTED},
            state="recorded" if recorded else "closed" if person["status"] == Status.abandoned else "open",
            levels=list(levels(today())),
            waivers=[reason.code for reason in waiver_reasons(circumstances.starts_on, circumstances.contract)],
        )

    async def day(self, caller: Caller, limit: int) -> DayOfPaper:
        """What the caller recorded today, the last one first. Raises NotAllowed."""
        caller.need(Scope.staff)
        began = datetime.combine(today(), time(0), PARIS)
        async with system(self._pool) as connection:
            count = await connection.fetchval(desk.RECORDED_COUNT, caller.id, began)
            rows = await connection.fetch(desk.RECORDED, caller.id, began, limit)
        return DayOfPaper(count=count, items=[Recorded(**dict(row)) for row in rows])
