"""What doors show of the insured persons to their employer: the guide's columns, and of the family only numbers and
kinds (security.md Z-06)."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from pydantic import BaseModel

from domain.affiliation import Status
from domain.formulas import Family, ProfessionalStatus, Scheme
from domain.insured import ContractState


class InsuredSummary(BaseModel):
    """One line of « Mes salariés affiliés »: a contract. `nir_masked`: sex, year and month of birth only."""

    id: UUID
    siren: str
    siret: str
    establishment: str
    professional_status: ProfessionalStatus
    first_names: str
    last_name: str
    nir_masked: str
    formula: str
    starts_on: date
    ends_on: date | None
    state: ContractState
    partner_insured: bool
    dependants: int


class CoverPeriod(BaseModel):
    """One of the contracts that a person has or had in the same company."""

    id: UUID
    siret: str
    establishment: str
    formula: str
    starts_on: date
    ends_on: date | None
    state: ContractState


class InsuredDetail(InsuredSummary):
    """`emits_dsn`: the company does, and the ends of its contracts come by themselves. `history`: all contracts of the
    person in this company, the newest first, this one among them."""

    civility: str
    birth_name: str
    company: str
    insurer: str
    insurer_reference: str
    emits_dsn: bool
    hired_on: date
    contract_kind: str
    level: str
    family: Family
    scheme: Scheme
    children: int
    affiliation_id: UUID
    affiliation_status: Status
    history: list[CoverPeriod]


class StateCounts(BaseModel):
    current: int = 0
    coming: int = 0
    portability: int = 0
    ended: int = 0


class InsuredPage(BaseModel):
    """`total` is exact up to ten thousand, and says so; `states`: by state, whichever is asked for."""

    items: list[InsuredSummary]
    next_cursor: str | None
    total: int
    total_is_exact: bool
    states: StateCounts | None


class Place(BaseModel):
    """An establishment of the perimeter."""

    id: UUID
    company_id: UUID
    siren: str
    siret: str
    name: str
