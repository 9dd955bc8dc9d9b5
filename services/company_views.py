"""« Mes contrats »: the caller's companies with their insurer, and their establishments."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from pydantic import BaseModel

from db import register
from db.pool import Pool, tenant
from services.callers import Caller, Scope


class CompanyView(BaseModel):
    """« Mes contrats »: one company with its insurer."""

    id: UUID
    siren: str
    name: str
    insurer: str
    insurer_reference: str
    emits_dsn: bool
    establishments: int


class EstablishmentView(BaseModel):
    id: UUID
    siren: str
    siret: str
    name: str
    postcode: str
    city: str
    closed_on: date | None


class Companies(BaseModel):
    items: list[CompanyView]


class Establishments(BaseModel):
    items: list[EstablishmentView]


class CompanyViewService:
    def __init__(self, web: Pool) -> None:
        self._web = web

    async def companies(self, caller: Caller) -> Companies:
        """By name. Raises NotAllowed."""
        caller.need(Scope.read)
        async with tenant(self._web, caller.companies) as connection:
            rows = await connection.fetch(register.COMPANIES)
        return Companies(items=[CompanyView(**row) for row in rows])

    async def establishments(self, caller: Caller) -> Establishments:
        """By name, closed ones among them. Raises NotAllowed."""
        caller.need(Scope.read)
        async with tenant(self._web, caller.companies) as connection:
            rows = await connection.fetch(register.ESTABLISHMENTS)
        return Establishments(items=[EstablishmentView(**row) for row in rows])
