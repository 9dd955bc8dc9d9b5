"""« Mes contrats »: the companies' insurers, references and establishments, and the company one works for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from domain.formulas import levels
from domain.names import search_form
from portal.forms import Fields
from portal.menu import HOME
from portal.pages import see_other
from portal.space import SpaceRoute, signed_in_page
from services.callers import Scope
from services.company_views import CompanyView, EstablishmentView
from services.fields import today
from services.problems import NotFound
from web.callers import Use, UserCaller
from web.cookies import SESSION_OF, set_cookie
from web.csrf import OwnSite

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

CONTRACTS: Final = "/contrats"
COMPANIES: Final = "/entreprises"
SEARCHED_FROM: Final = 10  # as many need no search
MOST_SHOWN: Final = 50  # establishments, or companies, on one page

Words = Annotated[str, Query(alias="q", max_length=100)]
Page = Annotated[int, Query(ge=1, le=10_000)]
One = TypeVar("One")


@dataclass(frozen=True)
class Contract:
    """A company, and those of its establishments that this page shows."""

    company: CompanyView
    establishments: list[EstablishmentView]


@router.get(CONTRACTS)
async def contracts(request: Request, caller: UserCaller, use: Use, q: Words = "", page: Page = 1) -> Response:
    companies = (await use.company_views.companies(caller)).items
    establishments = (await use.company_views.establishments(caller)).items
    found = found_contracts(companies, establishments, q)
    shown = _of_page(found, page)
    return await signed_in_page(
        request,
        caller,
        use,
        "contracts/contracts",
        contracts=_by_company(shown),
        one_company=len(companies) == 1,
        companies=len(companies),
        count=len(found),
        total=len(establishments),
        searched=len(establishments) > SEARCHED_FROM,
        q=q,
        page=page,
        **_ways(CONTRACTS, q, page, len(found)),
        levels=levels(today()),
        today=today(),
    )


def found_contracts(
    companies: Sequence[CompanyView], establishments: Sequence[EstablishmentView], q: str
) -> list[tuple[CompanyView, EstablishmentView | None]]:
    """Establishments in the order of their companies, those that the words stand in; a company without any is there,
    too."""
    found: list[tuple[CompanyView, EstablishmentView | None]] = []
    for company in companies:
        own = [one for one in establishments if one.siren == company.siren]
        held = [one for one in own if holds(q, company.name, one.name, one.siret, one.postcode, one.city)]
        found += [(company, one) for one in held]
        if not own and holds(q, company.name, company.siren):
            found.append((company, None))
    return found


def holds(words: str, *texts: str) -> bool:
    """Whether a text has these words in it, capitals, accents and spaces aside; a number is found in any spacing."""
    wanted = search_form(words)
    if not wanted:
        return True
    number = wanted.replace(" ", "")
    return any(wanted in search_form(text) or (number.isdigit() and number in text) for text in texts)


def _by_company(shown: Sequence[tuple[CompanyView, EstablishmentView | None]]) -> list[Contract]:
    contracts: dict[str, Contract] = {}
    for company, establishment in shown:
        contract = contracts.setdefault(company.siren, Contract(company, []))
        if establishment is not None:
            contract.establishments.append(establishment)
    return list(contracts.values())


def _of_page(found: Sequence[One], page: int) -> Sequence[One]:
    """Raises NotFound for a page after the last one."""
    first = (page - 1) * MOST_SHOWN
    shown = found[first : first + MOST_SHOWN]
    if first and not shown:
        raise NotFound()
    return shown


def _ways(path: str, q: str, page: int, count: int) -> dict[str, Any]:
    """The addresses of the first and the next page, or ""."""

    def at(number: int) -> str:
        asked = {name: value for name, value in (("q", q), ("page", str(number) if number > 1 else "")) if value}
        return f"{path}?{urlencode(asked)}" if asked else path

    return {"first_page": at(1) if page > 1 else "", "next_page": at(page + 1) if page * MOST_SHOWN < count else ""}


# --- the company one works for


@router.get(COMPANIES)
async def companies_page(request: Request, caller: UserCaller, use: Use, q: Words = "", page: Page = 1) -> Response:
    caller.need(Scope.read)  # staff have no companies to choose from
    me = await use.profile.me(caller)
    found = [one for one in me.companies if holds(q, one.name, one.siren)]
    shown = _of_page(found, page)
    return await signed_in_page(
        request,
        caller,
        use,
        "contracts/companies",
        companies=shown,
        several=len(me.companies) > 1,
        chosen=me.perimeter.siren if me.perimeter else None,
        count=len(found),
        searched=len(me.companies) > SEARCHED_FROM,
        q=q,
        page=page,
        **_ways(COMPANIES, q, page, len(found)),
    )


@router.post(f"{COMPANIES}/choix")
async def choose_company(caller: UserCaller, fields: Fields, use: Use) -> Response:
    """« Travailler pour … »; without a SIREN: for all of them."""
    opened = await use.sessions.switch(caller, fields.get("siren", "")[:9] or None)
    answer = see_other(f"{HOME}?fait=entreprise")
    set_cookie(answer, SESSION_OF[opened.kind], opened.token, use.config)
    return answer
