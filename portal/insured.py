"""« Mes salariés › Mes salariés affiliés » (guide, pages 9 and 12): the list, one contract, its certificate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from domain.coverage_rights import Right
from domain.formulas import ProfessionalStatus, formula_codes, parse_formula_code
from domain.identifiers import InvalidValue, parse_nir, parse_siren, parse_siret
from domain.insured import ContractState
from messages import words
from messages.typography import NBSP, french
from portal import coverage_wording
from portal.forms import Fields
from portal.pages import see_other
from portal.space import SpaceRoute, signed_in_page
from services.fields import Form, NamePart, validated
from services.insured import InsuredFilters, InsuredOrder, Listed, looks_like_nir
from services.insured_views import InsuredDetail, InsuredPage
from services.problems import FieldError, InvalidFields
from web.callers import Use, UserCaller
from web.csrf import OwnSite

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

LIST: Final = "/salaries/affilies"
ONE: Final = f"{LIST}/{{insured_id:uuid}}"
PAGE_ROWS: Final = 50
MOST_CHOICES: Final = 60  # companies or establishments to choose from; of more a number or a name is typed
NOBODY: Final = "aucune"  # a number was looked for that nobody has
_MOST_PEOPLE: Final = 20

_ORDERS: Final = {
    "": InsuredOrder.name,
    "-nom": InsuredOrder.name_backwards,
    "date": InsuredOrder.date,
    "-date": InsuredOrder.date_backwards,
}
STATE_ICONS: Final = {"current": "good", "coming": "clock", "portability": "insured", "ended": "abandoned"}
RIGHT_ICONS: Final = {
    Right.active: "good",
    Right.portability: "good",
    Right.suspended: "pause",
    Right.none: "abandoned",
}
# What the page says of what was just done, by the code in its address.
DONE: Final = {"annulee": french("La fin du contrat est annulée : la couverture continue comme avant.")}

# What the parts of a formula's code mean.
_AGREEMENT: Final = "Convention collective nationale des hôtels, cafés, restaurants"
_FAMILIES: Final = {
    "SEUL": "Le salarié seul",
    "DUO": "Le salarié et un ayant droit",
    "FAMILLE": "Le salarié et deux ayants droit ou plus",
}
_STATUSES: Final = {"NC": "Salarié non cadre", "C": "Salarié cadre"}
_SCHEMES: Final = {
    "RG": "Régime général de la Sécurité sociale",
    "RL": "Régime local d’Alsace-Moselle",
}


class _Part(Form):
    part: NamePart


@dataclass(frozen=True)
class Asked:
    """What the list is asked for, as its address has it: `personne` are ids, never a social-security number.

    `notes`: what of an address was not understood, in words.
    """

    siren: str = ""
    siret: str = ""
    etablissement: str = ""
    etat: str = ""
    statut: str = ""
    contrat: str = ""
    assure: str = ""
    personne: str = ""
    tri: str = ""
    suite: str = ""
    notes: tuple[str, ...] = ()

    @property
    def filtered(self) -> bool:
        return any(getattr(self, name) for name in _FILTERS)

    @property
    def given(self) -> dict[str, str]:
        """What it is asked for, by the names of its address, whatever the page."""
        return {name: value for name in _READERS if name != "suite" and (value := getattr(self, name))}

    @property
    def filters(self) -> InsuredFilters:
        return InsuredFilters(
            siren=self.siren or None,
            siret=self.siret or None,
            establishment=self.etablissement or None,
            state=ContractState(self.etat) if self.etat else None,
            professional_status=ProfessionalStatus(self.statut) if self.statut else None,
            formula=self.contrat or None,
            q=self.assure or None,
            people=people_of(self.personne) if self.personne else None,
            order=_ORDERS[self.tri],
        )

    def address(self, **changes: str) -> str:
        """Of the same list, changed: from its first page on, if nothing else is said."""
        wanted = _replaced(self, {"suite": "", **changes})
        given = {name: getattr(wanted, name) for name in _READERS}
        query = urlencode({name: value for name, value in given.items() if value})
        return f"{LIST}?{query}" if query else LIST


def _replaced(asked: Asked, given: Mapping[str, Any]) -> Asked:
    return replace(asked, **given)


def people_of(text: str) -> tuple[UUID, ...]:
    return () if text == NOBODY else tuple(UUID(one) for one in text.split(",")[:_MOST_PEOPLE])


def _ids(text: str) -> str:
    return ",".join(str(one) for one in people_of(text)) or NOBODY


def name_part(text: str) -> str:
    return validated(_Part, {"part": text[:100]}).part


def _name(text: str) -> str:
    if looks_like_nir(text):
        raise ValueError("a social-security number in an address")
    return name_part(text)


def _order(text: str) -> str:
    if text not in _ORDERS:
        raise ValueError(text)
    return text


_READERS: Final[dict[str, Callable[[str], str]]] = {
    "siren": parse_siren,
    "siret": parse_siret,
    "etablissement": name_part,
    "etat": lambda text: ContractState(text).value,
    "statut": lambda text: ProfessionalStatus(text).value,
    "contrat": lambda text: parse_formula_code(text).code,
    "assure": _name,
    "personne": _ids,
    "tri": _order,
    "suite": str,
}
_FILTERS: Final = ("siren", "siret", "etablissement", "etat", "statut", "contrat", "assure", "personne")
_MOST: Final = 900  # characters of one parameter
_NOT_UNDERSTOOD: Final = {
    "siren": "Le SIREN n’a pas été compris : il comporte 9 chiffres.",
    "siret": "Le SIRET n’a pas été compris : il comporte 14 chiffres.",
    "etablissement": "Le nom de l’établissement n’a pas été compris.",
    "contrat": "Ce contrat n’existe pas.",
    "assure": "Le nom du salarié n’a pas été compris.",
}


def read_asked(given: Mapping[str, str]) -> tuple[Asked, dict[str, str]]:
    """What was understood, and in words what was not, by its name."""
    asked, wrong = Asked(), {}
    for name, read in _READERS.items():
        text = given.get(name, "")[:_MOST].strip()
        if not text:
            continue
        try:
            asked = _replaced(asked, {name: read(text)})
        except (ValueError, InvalidValue, InvalidFields):
            wrong[name] = french(_NOT_UNDERSTOOD.get(name, "Un des filtres n’a pas été compris."))
    return asked, wrong


@router.get(LIST)
async def overview(request: Request, caller: UserCaller, use: Use) -> Response:
    asked, wrong = read_asked(request.query_params)
    asked = replace(asked, notes=tuple(dict.fromkeys(wrong.values())))
    try:
        listed = await use.insured.listed(caller, asked.filters, PAGE_ROWS, asked.suite or None)
    except InvalidFields:  # a mark of a page that is none
        asked = replace(asked, suite="")
        listed = await use.insured.listed(caller, asked.filters, PAGE_ROWS, None)
    return await _list_page(request, caller, use, asked, listed)


@router.post(LIST)
async def search(request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    """« Rechercher ». The address that it leads to holds what is asked for; of a social-security number it holds who
    was found by it (security.md R-06)."""
    typed = {name: fields.get(name, "")[:_MOST].strip() for name in _READERS if name != "suite"}
    nir = typed["assure"] if looks_like_nir(typed["assure"]) else ""
    asked, wrong = read_asked({**typed, "assure": ""} if nir else typed)
    if nir:
        try:
            found = await use.insured.recognise(caller, parse_nir(nir))
            asked = replace(asked, personne=",".join(str(one) for one in found[:_MOST_PEOPLE]) or NOBODY)
        except InvalidValue as error:
            wrong["assure"] = f"{error.message} Exemple{NBSP}: {error.example}"
    elif asked.assure:
        asked = replace(asked, personne="")
    if not wrong:
        return see_other(asked.address())
    problem = InvalidFields([FieldError(name, f"{name}.unknown", message) for name, message in wrong.items()])
    listed = await use.insured.listed(caller, InsuredFilters(people=()), PAGE_ROWS, None)
    return await _list_page(request, caller, use, asked, listed, problem, typed)


async def _list_page(
    request: Request,
    caller: UserCaller,
    use: Use,
    asked: Asked,
    listed: Listed,
    wrong: InvalidFields | None = None,
    typed: Mapping[str, str] | None = None,
) -> Response:
    page, places = listed.page, listed.places
    return await signed_in_page(
        request,
        caller,
        use,
        "insured/list",
        wrong,
        asked=asked,
        typed={name: getattr(asked, name) for name in _FILTERS} | dict(typed or {}),
        items=page.items,
        next_page=asked.address(suite=page.next_cursor) if page.next_cursor else "",
        first_page=asked.address() if asked.suite else "",
        found=_found(page),
        caption=_caption(asked, page),
        chips=_chips(asked, page),
        companies=listed.companies if len(listed.companies) <= MOST_CHOICES else None,
        places=places if len(places) <= MOST_CHOICES else None,
        names=list(dict.fromkeys(place.name for place in places[:MOST_CHOICES])),
        formulas=formula_codes(),
        state_icons=STATE_ICONS,
    )


def _found(page: InsuredPage) -> str:
    if not page.total_is_exact:
        return french(f"plus de {_many(page.total)} contrats")
    return f"{_many(page.total)} contrat{'s' if page.total > 1 else ''}" if page.total else "aucun contrat"


def _many(number: int) -> str:
    return f"{number:,}".replace(",", "\u202f")


def _caption(asked: Asked, page: InsuredPage) -> str:
    """« 12 contrats, filtrés par SIREN 999000003 et nom « martin », par ordre alphabétique »."""
    by = [
        *([f"SIREN {asked.siren}"] if asked.siren else []),
        *([f"SIRET {asked.siret}"] if asked.siret else []),
        *([french(f"établissement « {asked.etablissement} »")] if asked.etablissement else []),
        *([french(f"statut « {words.contract_state_label(asked.etat)} »")] if asked.etat else []),
        *([words.active_status_label(asked.statut)] if asked.statut else []),
        *([asked.contrat] if asked.contrat else []),
        *([french(f"nom « {asked.assure} »")] if asked.assure else []),
        *(["numéro de sécurité sociale"] if asked.personne else []),
    ]
    many = page.total > 1
    filtered = f", filtré{'s' if many else ''} par {', '.join(by)}" if by else ""
    order = {
        InsuredOrder.name: "par ordre alphabétique",
        InsuredOrder.name_backwards: "de Z à A",
        InsuredOrder.date: "du plus ancien au plus récent",
        InsuredOrder.date_backwards: "du plus récent au plus ancien",
    }[_ORDERS[asked.tri]]
    shown = (
        f"{len(page.items)} affiché{'s' if len(page.items) > 1 else ''} sur " if page.next_cursor or asked.suite else ""
    )
    return f"{shown}{_found(page)}{filtered}, {order}"


@dataclass(frozen=True)
class Chip:
    label: str
    address: str
    current: bool
    count: int | None
    icon: str = ""


def _chips(asked: Asked, page: InsuredPage) -> list[Chip]:
    counts = page.states.model_dump() if page.states else {}
    every = sum(counts.values()) if page.states else None
    chips = [Chip("Tous", asked.address(etat=""), not asked.etat, every)]
    for state in ContractState:
        label, address = words.contract_state_label(state), asked.address(etat=state.value)
        chips.append(Chip(label, address, asked.etat == state, counts.get(state.value), STATE_ICONS[state]))
    return chips


# --- one contract


@router.get(ONE)
async def one(
    insured_id: UUID,
    request: Request,
    caller: UserCaller,
    use: Use,
    done: Annotated[str, Query(alias="fait", max_length=40)] = "",
) -> Response:
    detail = await use.insured.detail(caller, insured_id)
    rights = await use.coverage_rights.history(caller, insured_id)
    return await signed_in_page(
        request,
        caller,
        use,
        "insured/one",
        one=detail,
        formula=_in_words(detail),
        dependants=_dependants(detail),
        state_icons=STATE_ICONS,
        note=DONE.get(done, ""),
        rights=rights,
        right_icon=RIGHT_ICONS[rights.today.right],
        after=coverage_wording.portability_sentence(rights.end) if rights.end else "",
        suspensions=[coverage_wording.suspension_sentence(one) for one in rights.suspensions],
        happened=coverage_wording.history_lines(rights.history),
        others=[period for period in detail.history if period.id != insured_id],
    )


@router.get(f"{ONE}/attestation.pdf")
async def certificate(insured_id: UUID, caller: UserCaller, use: Use) -> Response:
    pdf = await use.insured.certificate_pdf(caller, insured_id)
    headers = {"Content-Disposition": 'attachment; filename="attestation-affiliation.pdf"'}
    return Response(pdf, media_type="application/pdf", headers=headers)


def _in_words(detail: InsuredDetail) -> list[tuple[str, str]]:
    """The parts of the formula's code, and what each means."""
    level = (
        "La garantie obligatoire de la branche"
        if detail.level == "BASE"
        else f"La garantie obligatoire, complétée par l’{detail.level.lower()}"
    )
    return [
        (detail.level, level),
        ("CCN HCR", _AGREEMENT),
        (detail.professional_status, _STATUSES[detail.professional_status]),
        (detail.family, _FAMILIES[detail.family]),
        (detail.scheme, _SCHEMES[detail.scheme]),
    ]


def _dependants(detail: InsuredDetail) -> list[tuple[Any, str]]:
    """« Prise en charge des ayants droit »: numbers and kinds, nobody's name."""
    return [
        ("Oui" if detail.partner_insured else "Non", "Conjoint assuré"),
        (detail.children or "Aucun", "Enfants assurés" if detail.children > 1 else "Enfant assuré"),
    ]
