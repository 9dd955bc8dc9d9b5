"""Staff's home and « À traiter »: what waits for somebody, by due date."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from domain.desk import Lateness, Work
from messages import words
from messages.typography import french, list_item
from portal import charts
from portal.desk_words import WHAT_TO_DO, WORK_ICONS, WORKS
from portal.forms import Fields
from portal.menu import DESK
from portal.pages import see_other
from portal.space import SpaceRoute, own_path, signed_in_page
from services.callers import Caller, Scope
from services.desk_views import Age, Backlog, Outcome
from services.problems import InvalidFields, RefusedByRules
from services.views import MessageState
from web.callers import StaffUser, StaffWriter, Use
from web.csrf import OwnSite
from web.parts import Parts

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

TO_DO: Final = f"{DESK}/a-traiter"
NEXT: Final = f"{TO_DO}/suivant"
FILES: Final = f"{DESK}/dossiers"
LISTED: Final = 50

Done = Annotated[str, Query(alias="fait", max_length=40)]
Cursor = Annotated[str, Query(alias="apres", max_length=2000)]
# What a page of the desk says of what was just done, by the code in its address.
DONE: Final = {
    code: french(text)
    for code, text in {
        "pris": "Vous vous occupez de ce dossier : vos collègues le voient.",
        "libere": "Plus personne ne s’occupe de ce dossier : il est de nouveau à prendre.",
        "accepte": "Le document est accepté.",
        "tout-accepte": "Tout est accepté : le dossier est complet.",
        "papier": "C’est noté : la pièce est arrivée sur papier.",
        "inutile": "C’est noté : cette pièce n’est plus attendue.",
        "redemande": "La pièce est redemandée : la personne reçoit un message.",
        "depose": "Le document numérisé est au dossier, accepté.",
        "parti": "C’est noté : le message était parti.",
        "repart": "C’est noté : le message repart.",
        "dispense": "La dispense prend fin : la personne est invitée de nouveau.",
    }.items()
}
LATENESS: Final = {Lateness.late: "En retard", Lateness.today: "Aujourd’hui", Lateness.later: ""}
_SHOWN_STATES: Final[tuple[tuple[MessageState, charts.Tone], ...]] = (
    (MessageState.delivered, 1),
    (MessageState.handed_over, 2),
    (MessageState.prepared, 5),
    (MessageState.unknown, 3),
    (MessageState.rejected, 4),
)


async def desk_page(
    request: Request,
    caller: Caller,
    use: Parts,
    template: str,
    *,
    wrong: InvalidFields | None = None,
    status: int = 0,
    **values: Any,
) -> Response:
    """`writes`: buttons of changes are shown."""
    return await signed_in_page(
        request,
        caller,
        use,
        f"desk/{template}",
        wrong,
        status,
        writes=Scope.staff_write in caller.scopes,
        WORKS=WORKS,
        WORK_ICONS=WORK_ICONS,
        LATENESS=LATENESS,
        **values,
    )


def with_query(path: str, **given: object) -> str:
    query = {name: value for name, value in given.items() if value not in (None, "", False)}
    return f"{path}{'&' if '?' in path else '?'}{urlencode(query)}" if query else path


# --- the home


@router.get(DESK)
async def home(request: Request, caller: StaffUser, use: Use) -> Response:
    """How much waits, since when, what becomes of our messages; and the way to one file."""
    backlog, outcomes = await asyncio.gather(use.desk.backlog(caller), use.desk.outcomes(caller))
    day, dsn_changes, requests = await asyncio.gather(
        use.paper_desk.day(caller, 1), use.dsn_imports.count_to_decide(caller), use.contact_desk.count(caller)
    )
    return await desk_page(
        request,
        caller,
        use,
        "home",
        backlog=backlog,
        waiting=[one for one in backlog.counts if one.files],
        late=sum(one.late for one in backlog.counts),
        recorded=day.count,
        dsn_changes=dsn_changes,
        requests=requests,
        ages=_ages_chart(backlog.ages),
        outcomes=_outcomes_chart(outcomes),
    )


_TONES: Final[dict[Work, charts.Tone]] = {
    Work.check: 1,
    Work.pieces_overdue: 3,
    Work.unreachable: 2,
    Work.doubt: 5,
    Work.refused: 4,
}


def _ages_chart(ages: Sequence[Age]) -> charts.ColumnChart:
    places = [charts.Place(*_age_words(one)) for one in ages]
    series = [charts.Series(WORKS[work], tuple(one.files[work] for one in ages), tone) for work, tone in _TONES.items()]
    return charts.columns(
        "anciennete",
        "Ancienneté de ce qui attend",
        french("Dossiers à traiter, par nombre de jours d’attente."),
        places,
        [one for one in series if one.total] or series[:1],
    )


def _age_words(age: Age) -> tuple[str, str]:
    """(below its column, in the table)."""
    if age.most == 0:
        return "auj.", "Aujourd’hui"
    if age.most is None:
        return f"{age.least} j et +", f"{age.least} jours et plus"
    if age.least == age.most:
        return f"{age.least} j", f"{age.least} jour"
    return f"{age.least}–{age.most} j", f"{age.least} à {age.most} jours"


def _outcomes_chart(outcomes: Sequence[Outcome]) -> charts.BarChart:
    sums = {state: sum(one.messages for one in outcomes if one.state == state) for state, _ in _SHOWN_STATES}
    total = sum(sums.values())
    return charts.bars(
        "messages",
        "Messages des 30 derniers jours",
        french("Ce que sont devenus les e-mails, courriers et SMS préparés."),
        [
            charts.Bar(list_item(words.message_state_label(state)), sums[state], _share(sums[state], total), tone)
            for state, tone in _SHOWN_STATES
            if sums[state]
        ],
    )


def _share(part: int, total: int) -> str:
    """« 1 240 (93 %) »."""
    number = f"{part:,}".replace(",", "\u202f")
    return f"{number} ({round(100 * part / total)}\u00a0%)"


# --- « À traiter »


@router.get(TO_DO)
async def to_do(
    request: Request,
    caller: StaffUser,
    use: Use,
    sorte: str = "",
    moi: str = "",
    apres: Cursor = "",
    fait: Done = "",
) -> Response:
    """The work list of all kinds, or of one."""
    return await _list_page(request, caller, use, sorte, moi, apres, DONE.get(fait, ""))


async def _list_page(
    request: Request, caller: Caller, use: Parts, sorte: str, moi: str, apres: str, note: str
) -> Response:
    work = next((one for one in Work if one.name == sorte), None)
    mine = moi == "oui"
    try:
        page = await use.desk.work(caller, work, mine=mine, limit=LISTED, cursor=apres or None)
    except InvalidFields:
        return see_other(TO_DO)  # an address that was cut
    backlog, requests = await asyncio.gather(use.desk.backlog(caller), use.contact_desk.count(caller))
    here = with_query(TO_DO, sorte=work.name if work else "", moi="oui" if mine else "")
    return await desk_page(
        request,
        caller,
        use,
        "to_do",
        note=note,
        items=page.items,
        chips=_chips(backlog, work, mine),
        count=next(one.files for one in backlog.counts if one.work is work) if work else backlog.files,
        what_to_do=WHAT_TO_DO[work] if work else "",
        work=work,
        mine=mine,
        me=caller.person().user_id,
        back=here,
        first=here if apres else "",
        next=with_query(here, apres=page.next_cursor) if page.next_cursor else "",
        everything=TO_DO,
        requests=requests,
    )


def _chips(backlog: Backlog, chosen: Work | None, mine: bool) -> list[tuple[str, str, int, bool]]:
    """(label, address, how many, whether it is this one)."""
    chips = [("Tout", TO_DO, backlog.files, chosen is None and not mine)]
    chips += [
        (WORKS[one.work], with_query(TO_DO, sorte=one.work.name), one.files, one.work is chosen and not mine)
        for one in backlog.counts
        if one.files or one.work is chosen
    ]
    return [*chips, ("Mes dossiers", with_query(TO_DO, moi="oui"), backlog.mine, mine)]


@router.get(NEXT)
async def next_file(caller: StaffUser, use: Use, apres: UUID | None = None) -> Response:
    """The file that comes after this one in the list, or the first; none that somebody else has taken."""
    page = await use.desk.work(caller, None, mine=False, limit=LISTED)
    me = caller.person().user_id
    ids = [
        one.file.id for one in page.items if one.taken_by is None or one.taken_by.user_id == me or one.file.id == apres
    ]
    at = ids.index(apres) + 1 if apres in ids else 0
    following = [one for one in ids[at:] + ids[:at] if one != apres]
    return see_other(f"{FILES}/{following[0]}" if following else TO_DO)


@router.post(f"{FILES}/{{affiliation_id:uuid}}/prise")
async def take(affiliation_id: UUID, request: Request, caller: StaffWriter, fields: Fields, use: Use) -> Response:
    """« Je m'en occupe »; « Reprendre » from somebody else."""
    back = own_path(fields.get("retour"), f"{FILES}/{affiliation_id}")
    try:
        await use.desk.take(caller, affiliation_id, over=fields.get("reprendre") == "oui")
    except RefusedByRules:
        return see_other(f"{FILES}/{affiliation_id}?fait=deja-pris")
    return see_other(_told(back, "pris"))


@router.post(f"{FILES}/{{affiliation_id:uuid}}/liberation")
async def release(affiliation_id: UUID, request: Request, caller: StaffWriter, fields: Fields, use: Use) -> Response:
    await use.desk.release(caller, affiliation_id)
    return see_other(_told(own_path(fields.get("retour"), f"{FILES}/{affiliation_id}"), "libere"))


def _told(path: str, done: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}fait={done}"
