"""« Mes salariés › Suivi des affiliations » (guide, page 11): the list."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID, uuid4

from fastapi import APIRouter, Request, Response

from domain.affiliation import Status
from domain.identifiers import InvalidValue, parse_siren, parse_siret
from domain.media import Medium
from domain.working_time import french_date
from messages import words
from messages.typography import french
from portal import follow_up_rows as rows
from portal.space import SpaceRoute, space_page
from services.enrolment_form import TypedDay
from services.fields import Form, NamePart, validated
from services.follow_up import Counts, Filters, Order, Overview, Place
from services.greetings import greeting
from services.problems import InvalidFields
from web.callers import Use, UserCaller
from web.csrf import OwnSite

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

LIST: Final = "/salaries/suivi"
PAGE_ROWS: Final = 50
WAITING_FOR_YOU: Final = "a_traiter"

_ORDERS: Final = {"": Order.todo, "recent": Order.newest, "ancien": Order.oldest}
_MEDIA: Final = (Medium.email, Medium.post)
# What the page says of what was just done to one of its rows.
_DONE: Final = {"relance": "La relance de {name} est demandée : elle part dans quelques instants."}


class _Day(Form):
    day: TypedDay


class _Name(Form):
    name: NamePart


@dataclass(frozen=True)
class Asked:
    """What the list is asked for, as its address has it. `notes`: what of it was not understood, in words."""

    siren: str = ""
    siret: str = ""
    statut: str = ""
    media: str = ""
    q: str = ""
    du: date | None = None
    au: date | None = None
    tri: str = ""
    suite: str = ""
    notes: tuple[str, ...] = ()

    @property
    def filtered(self) -> bool:
        return any((self.siren, self.siret, self.statut, self.media, self.q, self.du, self.au))

    @property
    def filters(self) -> Filters:
        chosen = self.statut not in ("", WAITING_FOR_YOU)
        return Filters(
            siren=self.siren or None,
            siret=self.siret or None,
            statuses=(Status(self.statut),) if chosen else (),
            medium=Medium(self.media) if self.media else None,
            q=self.q or None,
            sent_from=self.du,
            sent_to=self.au,
            todo=True if self.statut == WAITING_FOR_YOU else None,
            order=_ORDERS[self.tri],
        )

    def query(self, **changes: Any) -> str:
        """Of the address of the same list, changed: from its first page on, if nothing else is said."""
        wanted = replace(self, **{"suite": "", **changes})
        given = {name: getattr(wanted, name) for name in _PARAMETERS}
        return urlencode({name: str(value) for name, value in given.items() if value})

    def address(self, **changes: Any) -> str:
        query = self.query(**changes)
        return f"{LIST}?{query}" if query else LIST


_PARAMETERS: Final = ("siren", "siret", "statut", "media", "q", "du", "au", "tri", "suite")


def asked_for(given: Mapping[str, str]) -> Asked:
    """What an address asks for; what is not understood of it is left out, and said."""
    asked, notes = Asked(), []
    for name, read in _READERS.items():
        text = given.get(name, "")[:200].strip()
        if not text:
            continue
        try:
            asked = replace(asked, **{name: read(text)})
        except (ValueError, InvalidValue, InvalidFields):
            notes.append(french(_NOT_UNDERSTOOD[name]))
    if asked.du and asked.au and asked.du > asked.au:
        asked = replace(asked, du=asked.au, au=asked.du)
    return replace(asked, notes=tuple(notes))


def _day(text: str) -> date:
    return validated(_Day, {"day": text}).day


def _name(text: str) -> str:
    return validated(_Name, {"name": text[:100]}).name


def _status(text: str) -> str:
    return text if text == WAITING_FOR_YOU else Status(text).value


def _medium(text: str) -> str:
    medium = Medium(text)
    if medium not in _MEDIA:
        raise ValueError(text)
    return medium.value


def _order(text: str) -> str:
    if text not in _ORDERS:
        raise ValueError(text)
    return text


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "siren": parse_siren,
    "siret": parse_siret,
    "statut": _status,
    "media": _medium,
    "q": _name,
    "du": _day,
    "au": _day,
    "tri": _order,
    "suite": str,
}
_NOT_UNDERSTOOD: Final = {
    "siren": "Ce SIREN n’est pas valable : il a 9 chiffres. Ce filtre n’est pas appliqué.",
    "siret": "Ce SIRET n’est pas valable : il a 14 chiffres. Ce filtre n’est pas appliqué.",
    "statut": "Ce statut n’existe pas. Ce filtre n’est pas appliqué.",
    "media": "Ce média n’existe pas. Ce filtre n’est pas appliqué.",
    "q": "Ce nom contient un caractère qui ne se voit pas. La recherche n’est pas appliquée.",
    "du": "La première date n’est pas valable. Exemple : 12/05/2026. Ce filtre n’est pas appliqué.",
    "au": "La seconde date n’est pas valable. Exemple : 12/05/2026. Ce filtre n’est pas appliqué.",
    "tri": "Cet ordre n’existe pas : ce qui est à traiter vient d’abord.",
    "suite": "Cette page de la liste n’existe plus. Voici la première.",
}


@router.get(LIST)
async def follow_up(request: Request, caller: UserCaller, use: Use) -> Response:
    """« Suivi des affiliations ». htmx asks for the same page when a filter changes, and takes its results."""
    asked = asked_for(request.query_params)
    try:
        who, shown = await asyncio.gather(
            greeting(use.system, caller),
            use.affiliations.follow_up.overview(caller, asked.filters, PAGE_ROWS, asked.suite or None),
        )
    except InvalidFields:  # only a place in the list that is none
        asked = replace(asked, suite="", notes=(*asked.notes, french(_NOT_UNDERSTOOD["suite"])))
        who, shown = await asyncio.gather(
            greeting(use.system, caller),
            use.affiliations.follow_up.overview(caller, asked.filters, PAGE_ROWS, None),
        )
    answer = space_page(
        request,
        "follow_up/list",
        who=who,
        asked=asked,
        items=shown.items,
        found=_found(shown.counts, asked.statut),
        chips=_chips(shown.counts, asked),
        companies=_companies(shown),
        places=shown.places,
        chosen=_chosen(asked, shown.places),
        caption=_caption(asked, shown),
        next_page=asked.address(suite=shown.next_cursor) if shown.next_cursor else "",
        first_page=asked.address() if asked.suite else "",
        done=_done(request.query_params, shown),
        rows=rows,
        keys={},
        new_key=uuid4,
        now=datetime.now(UTC),
    )
    if "HX-Request" in request.headers:
        answer.headers["HX-Push-Url"] = asked.address()
    return answer


@dataclass(frozen=True)
class Chip:
    """A quick filter."""

    label: str
    address: str
    count: str
    current: bool
    icon: str = ""


def _chips(counts: Counts, asked: Asked) -> list[Chip]:
    more = "+" if counts.bounded else ""

    def chip(label: str, statut: str, count: int, icon: str = "") -> Chip:
        shown = f"{count:,}".replace(",", "\u202f") + more
        return Chip(label, asked.address(statut=statut), shown, asked.statut == statut, icon)

    return [
        chip("Toutes", "", counts.all),
        chip(french("À traiter"), WAITING_FOR_YOU, counts.todo, "warning"),
        *(
            chip(words.status_label(one).replace("'", "’"), one.value, counts.by_status.get(one, 0), one.value)
            for one in Status
        ),
    ]


def _found(counts: Counts, statut: str) -> str:
    """How many there are, in words."""
    count = counts.all if not statut else counts.todo
    if statut not in ("", WAITING_FOR_YOU):
        count = counts.by_status.get(Status(statut), 0)
    number = f"{count:,}".replace(",", "\u202f")
    if counts.bounded:
        return f"au moins {number} affiliations"
    return {0: "aucune affiliation", 1: "une affiliation"}.get(count, f"{number} affiliations")


def _companies(shown: Overview) -> dict[str, str]:
    """By SIREN; to choose from where there are several."""
    found = {place.siren: place.company for place in shown.places or ()}
    return found if len(found) > 1 else {}


def _chosen(asked: Asked, places: list[Place] | None) -> bool:
    """Whether the establishment that is asked for is among those to choose from."""
    return not asked.siret or any(place.siret == asked.siret for place in places or ())


def _caption(asked: Asked, shown: Overview) -> str:
    """What the table holds, and in what order."""
    said = []
    for place in shown.places or ():
        if asked.siret == place.siret:
            said.append(place.establishment)
            break
        if asked.siren == place.siren and not asked.siret:
            said.append(place.company)
            break
    if asked.siret and not said:
        said.append(f"SIRET {asked.siret}")
    if asked.statut == WAITING_FOR_YOU:
        said.append(french("à traiter"))
    elif asked.statut:
        said.append(f"« {words.status_label(asked.statut)} »".replace("'", "’"))
    if asked.media:
        said.append(words.medium_label(asked.media))
    if asked.q:
        said.append(f"nom : {asked.q}")
    if asked.du:
        said.append(f"depuis le {french_date(asked.du)}")
    if asked.au:
        said.append(f"jusqu’au {french_date(asked.au)}")
    order = {"": "ce qui est à traiter d’abord", "recent": "les plus récentes d’abord"}
    filters = f" ({', '.join(said)})" if said else ""
    return french(f"Suivi des affiliations{filters}, {order.get(asked.tri, 'les plus anciennes d’abord')}")


def _done(given: Mapping[str, str], shown: Overview) -> str:
    """What was just done to a row of this page, with the name of the person."""
    sentence = _DONE.get(given.get("fait", ""))
    if sentence is None:
        return ""
    try:
        row_id = UUID(given.get("salarie", ""))
    except ValueError:
        return ""
    name = next((f"{one.first_names} {one.last_name}" for one in shown.items if one.id == row_id), "cette personne")
    return french(sentence).format(name=name)
