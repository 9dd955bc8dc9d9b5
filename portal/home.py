"""« Accueil »: what needs doing today, the last events, the figures of the month and of the last twelve."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from domain.affiliation import Status
from domain.working_time import french_date
from messages import words
from messages.typography import french, list_item, month_in_words
from portal.charts import Bar, BarChart, ColumnChart, Place, Series, Tone, bars, columns
from portal.menu import DESK, HOME
from portal.pages import see_other
from portal.space import SpaceRoute, space_page
from services.access_review import CompanyReview
from services.callers import Caller, Scope
from services.company_recoveries import RecoveryView
from services.figures import DeclaredInMonth, Figures, MonthFigure
from services.greetings import greeting
from services.latest_events import MOVING
from services.mandates import MandateView
from web.callers import Use, UserCaller
from web.csrf import OwnSite
from web.parts import Parts

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

FOLLOW_UP: Final = "/salaries/suivi"
LAST_EVENTS: Final = 6
# From the bottom of a column to its top; the tones are those that the statuses' own colours are nearest to.
_STACK: Final[tuple[tuple[Status, Tone], ...]] = (
    (Status.finalised, 1),
    (Status.started, 3),
    (Status.sent, 2),
    (Status.preparing, 5),
    (Status.abandoned, 4),
)
_FIGURES: Final = {
    Status.sent: "Envoyées aux salariés",
    Status.started: "Démarrées par les salariés",
    Status.finalised: "Finalisées par les salariés",
    Status.abandoned: "Abandonnées",
}
_SHORT_MONTHS: Final = (
    *("janv.", "févr.", "mars", "avr.", "mai", "juin"),
    *("juil.", "août", "sept.", "oct.", "nov.", "déc."),
)
# Days from the first message to the completed form: the last one of each, and its words.
_DELAYS: Final = (
    (0, "Le jour même"),
    (2, "1 à 2 jours"),
    (7, "3 à 7 jours"),
    (14, "8 à 14 jours"),
    (30, "15 à 30 jours"),
    (None, "Plus de 30 jours"),
)
Done = Annotated[str, Query(alias="fait", max_length=40)]


@dataclass(frozen=True)
class Tile:
    """`compared`: with last month. `path`: the list of those that are there now."""

    status: Status
    title: str
    count: int
    compared: str
    path: str
    link: str


@dataclass(frozen=True)
class OfRights:
    """What waits for an administrator of rights."""

    review: list[CompanyReview]
    asked: list[MandateView]
    recoveries: list[RecoveryView]


@router.get(HOME)
async def home(request: Request, caller: UserCaller, use: Use, fait: Done = "") -> Response:
    if Scope.staff in caller.scopes:
        return see_other(DESK)
    who = await greeting(use.system, caller)
    switched = fait == "entreprise"
    if not caller.companies:
        me = await use.profile.me(caller)
        return space_page(request, "home_empty", who=who, me=me, switched=switched)
    figures, latest, rights, hires = await asyncio.gather(
        use.figures.overview(caller),
        use.latest_events.page(caller, MOVING, LAST_EVENTS),
        _of_rights(caller, use),
        use.hire_proposals.count(caller),
    )
    return space_page(
        request,
        "home",
        who=who,
        switched=switched,
        new=not latest.items and not any(any(one.statuses.values()) for one in figures.months),
        to_correct=figures.to_correct,
        more_to_correct=figures.more_to_correct,
        rights=rights,
        hires=hires,
        nothing_to_do=not (figures.to_correct or hires or rights.review or rights.asked or rights.recoveries),
        month=month_in_words(figures.today),
        tiles=[_tile(one, figures) for one in figures.month],
        latest=latest.items,
        several=len(caller.companies) > 1,
        declared=declared_chart(figures.months),
        delays=delays_chart(figures.delays),
    )


async def _of_rights(caller: Caller, use: Parts) -> OfRights:
    if not caller.administers:
        return OfRights([], [], [])
    review, mandates, recoveries = await asyncio.gather(
        use.access_review.waiting(caller), use.mandates.list(caller), use.company_recoveries.list(caller)
    )
    asked = [one for one in mandates.items if one.state == "asked" and not one.mine]
    return OfRights(review.items, asked, recoveries.items)


def _tile(figure: MonthFigure, figures: Figures) -> Tile:
    since = f"&du={figures.today.replace(day=1)}" if figure.status in (Status.finalised, Status.abandoned) else ""
    return Tile(
        figure.status,
        french(_FIGURES[figure.status]),
        figure.count,
        compared(figure.count, figure.before, figures.same_day),
        f"{FOLLOW_UP}?statut={figure.status}{since}",
        words.status_label(figure.status),
    )


def compared(count: int, before: int, same_day: date) -> str:
    """« 3 de plus qu’au 23 octobre »: as many days into the month before."""
    day = french_date(same_day, same_day)
    if count == before:
        return french(f"Comme au {day}")
    return french(f"{abs(count - before)} de {'plus' if count > before else 'moins'} qu’au {day}")


def declared_chart(months: Iterable[DeclaredInMonth]) -> ColumnChart:
    """« Affiliations par mois de déclaration »."""
    months = list(months)
    total = sum(sum(one.statuses.values()) for one in months)
    finalised = sum(one.statuses[Status.finalised] for one in months)
    said = french(
        f"Ces 12 derniers mois : {_counted(total, 'affiliation déclarée', 'affiliations déclarées')}, "
        f"dont {_counted(finalised, 'finalisée', 'finalisées')}."
    )
    return columns(
        "declarees",
        french("Affiliations par mois de déclaration"),
        said,
        [Place(_SHORT_MONTHS[one.month.month - 1], month_in_words(one.month)) for one in months],
        [
            Series(list_item(words.status_label(status)), tuple(one.statuses[status] for one in months), tone)
            for status, tone in _STACK
        ],
    )


def delays_chart(delays: Mapping[int, int]) -> BarChart:
    """« Temps de réponse des salariés »: `delays` counts affiliations by days."""
    counts = [0] * len(_DELAYS)
    for days, count in delays.items():
        counts[next(i for i, (last, _) in enumerate(_DELAYS) if last is None or days <= last)] += count
    return bars(
        "delais",
        french("Temps de réponse des salariés"),
        french(_delay_said(delays)),
        [Bar(french(label), count) for (_, label), count in zip(_DELAYS, counts, strict=True)],
    )


def _delay_said(delays: Mapping[int, int]) -> str:
    said = "De l’envoi au formulaire finalisé, en nombre d’affiliations."
    middle = median(delays)
    if middle is None:
        return said
    within = "le jour même" if middle == 0 else f"en {_counted(middle, 'jour', 'jours')} ou moins"
    return f"{said} La moitié des salariés répond {within}."


def median(delays: Mapping[int, int]) -> int | None:
    """The number of days within which half of them came; None: nothing came."""
    half, passed = sum(delays.values()) / 2, 0
    for days in sorted(delays):
        passed += delays[days]
        if passed >= half:
            return days
    return None


def _counted(number: int, one: str, many: str) -> str:
    shown = f"{number:,}".replace(",", "\u202f")
    return f"{shown} {one if number < 2 else many}"
