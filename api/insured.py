"""/insured: « Mes salariés affiliés », for employers."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import AfterValidator, BeforeValidator, Field

from api.problems import describes
from domain.formulas import ProfessionalStatus, parse_formula_code
from domain.insured import ContractState
from services.fields import Form, NamePart, Nir, Siren, Siret, empty_is_none
from services.insured import InsuredFilters, InsuredOrder, looks_like_nir
from services.insured_views import InsuredDetail, InsuredPage
from services.problems import FieldError, InvalidFields, NotAllowed, NotAuthenticated, NotFound
from web.callers import AnyCaller
from web.parts import Parts, parts

router = APIRouter(prefix="/insured", tags=["insured"])

Use = Annotated[Parts, Depends(parts)]
FormulaCode = Annotated[
    str,
    Field(max_length=60, examples=["BASE CCN HCR NC SEUL RG"]),
    AfterValidator(lambda text: parse_formula_code(text).code),
]
OptionalPart = Annotated[NamePart | None, BeforeValidator(empty_is_none)]
_READING = describes(NotAuthenticated, NotAllowed, NotFound, InvalidFields)
_LISTING = describes(NotAuthenticated, NotAllowed, InvalidFields)


class Narrowed(Form):
    """What « Mes salariés affiliés » can be narrowed to, and its order."""

    siren: Siren | None = None
    siret: Siret | None = None
    establishment: Annotated[OptionalPart, Field(description="Part of its name")] = None
    state: ContractState | None = None
    professional_status: ProfessionalStatus | None = None
    formula: FormulaCode | None = None
    q: Annotated[OptionalPart, Field(description="Parts of a person's names, in any order")] = None
    sort: InsuredOrder = InsuredOrder.name

    def filters(self, people: tuple[UUID, ...] | None = None) -> InsuredFilters:
        """Raises InvalidFields: a social-security number stands in no address and no log (security.md R-06)."""
        if self.q is not None and looks_like_nir(self.q):
            words = "Un numéro de sécurité sociale se cherche avec POST /api/v1/insured/search, dans le champ nir."
            raise InvalidFields([FieldError("q", "nir.elsewhere", words)])
        given: dict[str, Any] = self.model_dump(include={one.name for one in fields(InsuredFilters)})
        return InsuredFilters(**given, people=people, order=self.sort)


class Wanted(Narrowed):
    """The same, page by page."""

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str | None, Field(max_length=600)] = None


class InsuredSearch(Wanted):
    """The same, and somebody by their number."""

    nir: Nir | None = None


@router.get("", responses=_LISTING)
async def insured(caller: AnyCaller, use: Use, asked: Annotated[Wanted, Query()]) -> InsuredPage:
    """« Mes salariés affiliés »: a line for each contract."""
    return await use.insured.page(caller, asked.filters(), asked.limit, asked.cursor)


@router.post("/search", responses=_LISTING)
async def search(asked: InsuredSearch, caller: AnyCaller, use: Use) -> InsuredPage:
    """The same list; a person's number, which no address may hold, is sent in the body. It changes nothing."""
    people = None if asked.nir is None else await use.insured.recognise(caller, asked.nir)
    return await use.insured.page(caller, asked.filters(people), asked.limit, asked.cursor)


@router.get("/{insured_id}", responses=_READING)
async def detail(insured_id: UUID, caller: AnyCaller, use: Use) -> InsuredDetail:
    """One contract, with the person's others in the same company."""
    return await use.insured.detail(caller, insured_id)


@router.get(
    "/{insured_id}/certificate.pdf",
    response_class=Response,
    responses={**_READING, 200: {"content": {"application/pdf": {}}, "description": "« Attestation d’affiliation »"}},
)
async def certificate(insured_id: UUID, caller: AnyCaller, use: Use) -> Response:
    """« Attestation d’affiliation »: who is covered, since when, by which contract."""
    pdf = await use.insured.certificate_pdf(caller, insured_id)
    return Response(
        pdf,
        media_type="application/pdf",
        headers={"Content-Disposition": 'attachment; filename="attestation-affiliation.pdf"'},
    )
