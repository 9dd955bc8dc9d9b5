"""« Demandes »: what employers write to us, by due date; one of them, taken, answered, closed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Request, Response

from domain.contact import REASONS
from messages.typography import french
from portal.contact_words import in_words, key_of, reply_of, typed_text, with_files_again, words
from portal.desk import Cursor, Done, desk_page, with_query
from portal.forms import Fields, Several
from portal.kept_forms import Kept
from portal.menu import DESK
from portal.pages import see_other
from portal.space import RESUME, SpaceRoute, one_problem, own_path
from services.callers import Caller
from services.contact_desk import QueueState, Taken
from services.contact_views import ContactCase
from services.problems import InvalidFields, KeyReused, Problem, RefusedByRules, StorageAway
from web.callers import StaffClerk, StaffUploader, StaffUser, Use
from web.csrf import OwnSite
from web.downloads import received_file
from web.parts import Parts

QUEUE: Final = f"{DESK}/demandes"
ONE: Final = f"{QUEUE}/{{request_id:uuid}}"
LISTED: Final = 25


class Route(SpaceRoute):
    kept = Kept(QUEUE, RESUME, ("cle", "message", "suite"), files=True)


router = APIRouter(route_class=Route, dependencies=[OwnSite], include_in_schema=False)

# What the list may be narrowed to: its words, and what the service is asked for.
_LISTS: Final[dict[str, tuple[str, QueueState, Taken, bool]]] = {
    "": ("À répondre", QueueState.waiting, Taken.anyone, False),
    "retard": ("En retard", QueueState.waiting, Taken.anyone, True),
    "moi": ("Mes demandes", QueueState.waiting, Taken.mine, False),
    "libres": ("À prendre", QueueState.waiting, Taken.nobody, False),
    "repondues": ("Répondues", QueueState.answered, Taken.anyone, False),
    "closes": ("Closes", QueueState.closed, Taken.anyone, False),
}
_DONE: Final = {
    code: french(text)
    for code, text in {
        "prise": "Vous vous occupez de cette demande : vos collègues le voient.",
        "liberee": "Plus personne ne s’occupe de cette demande : elle est de nouveau à prendre.",
        "repondue": "Votre réponse est envoyée : un e-mail prévient l’entreprise, qui la lit dans son espace.",
        "close": "La demande est close.",
    }.items()
}


@router.get(QUEUE)
async def queue(
    request: Request,
    caller: StaffUser,
    use: Use,
    liste: Annotated[str, Query(max_length=20)] = "",
    motif: Annotated[str, Query(max_length=40)] = "",
    apres: Cursor = "",
    fait: Done = "",
) -> Response:
    name = liste if liste in _LISTS else ""
    reason = motif if motif in REASONS else ""
    title, state, taken, late = _LISTS[name]
    try:
        page = await use.contact_desk.queue(
            caller, state, taken, reason or None, overdue=late, limit=LISTED, cursor=apres or None
        )
    except InvalidFields:
        return see_other(QUEUE)  # an address that was cut
    count = await use.contact_desk.count(caller)
    many = {"": count.waiting, "retard": count.late, "moi": count.mine}
    here = with_query(QUEUE, liste=name, motif=reason)
    return await desk_page(
        request,
        caller,
        use,
        "contact_queue",
        items=page.items,
        total=page.total,
        caption=title,
        name=name,
        reason=reason,
        reasons=await use.contact.reasons(),
        chips=[
            (label, with_query(QUEUE, liste=code, motif=reason), None if reason else many.get(code), code == name)
            for code, (label, *_) in _LISTS.items()
        ],
        me=caller.person().user_id,
        back=here,
        note=_DONE.get(fait, ""),
        first=here if apres else "",
        next=with_query(here, apres=page.next_cursor) if page.next_cursor else "",
        **words(),
    )


@router.get(ONE)
async def one_case(request_id: UUID, request: Request, caller: StaffUser, use: Use, fait: Done = "") -> Response:
    one = await use.contact_desk.one(caller, request_id)
    return await _one_page(request, caller, use, one, note=_DONE.get(fait, ""))


@router.post(f"{ONE}/prise")
async def take(request_id: UUID, request: Request, caller: StaffClerk, fields: Fields, use: Use) -> Response:
    return await _assign(request, caller, use, request_id, fields, mine=True)


@router.post(f"{ONE}/liberation")
async def release(request_id: UUID, request: Request, caller: StaffClerk, fields: Fields, use: Use) -> Response:
    return await _assign(request, caller, use, request_id, fields, mine=False)


async def _assign(
    request: Request, caller: Caller, use: Parts, request_id: UUID, fields: Mapping[str, str], *, mine: bool
) -> Response:
    try:
        await use.contact_desk.assign(caller, request_id, mine)
    except RefusedByRules as problem:
        return await _refused(request, caller, use, request_id, {}, problem)
    back = own_path(fields.get("retour"), f"{QUEUE}/{request_id}")
    return see_other(with_query(back, fait="prise" if mine else "liberee"))


@router.post(f"{ONE}/reponse")
async def answer(request_id: UUID, request: Request, caller: StaffUploader, sent: Several, use: Use) -> Response:
    """« Répondre », or « Répondre et clore »."""
    fields = sent.fields
    close = fields.get("suite") == "clore"
    try:
        asked = reply_of(fields)
        await use.contact_desk.answer(caller, request_id, asked, sent.files, key_of(fields), close)
    except InvalidFields as wrong:
        one = await use.contact_desk.one(caller, request_id)
        return await _one_page(request, caller, use, one, fields, with_files_again(in_words(wrong), len(sent.files)))
    except (StorageAway, KeyReused, RefusedByRules) as problem:
        return await _refused(request, caller, use, request_id, fields, problem, len(sent.files))
    return see_other(f"{QUEUE}/{request_id}?fait=repondue")


@router.post(f"{ONE}/cloture")
async def close(request_id: UUID, request: Request, caller: StaffClerk, fields: Fields, use: Use) -> Response:
    try:
        await use.contact_desk.close(caller, request_id)
    except RefusedByRules as problem:
        return await _refused(request, caller, use, request_id, {}, problem)
    return see_other(f"{QUEUE}/{request_id}?fait=close")


@router.get(f"{ONE}/fichiers/{{file_id:uuid}}")
async def file(request_id: UUID, file_id: UUID, caller: StaffUser, use: Use) -> Response:
    found = await use.contact_desk.file(caller, request_id, file_id)
    return received_file(found.name, found.media_type, found.content)


async def _refused(
    request: Request,
    caller: Caller,
    use: Parts,
    request_id: UUID,
    fields: Mapping[str, str],
    problem: Problem,
    files: int = 0,
) -> Response:
    field = "file" if isinstance(problem, StorageAway) else ""
    one = await use.contact_desk.one(caller, request_id)
    wrong = with_files_again(one_problem(problem, field), files)
    return await _one_page(request, caller, use, one, fields, wrong, problem.status)


async def _one_page(
    request: Request,
    caller: Caller,
    use: Parts,
    one: ContactCase,
    fields: Mapping[str, str] | None = None,
    wrong: InvalidFields | None = None,
    status: int = 0,
    *,
    note: str = "",
) -> Response:
    return await desk_page(
        request,
        caller,
        use,
        "contact_one",
        wrong=wrong,
        status=status,
        one=one,
        note=note,
        me=caller.person().user_id,
        typed=typed_text(fields or {}, "message"),
        key=key_of(fields) if fields else str(uuid4()),
        **words(),
    )
