"""« Mes démarches »: the requests sent to HCR Bien-Être, each as a conversation with its state and what can be done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final
from urllib.parse import urlencode
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Request, Response

from domain.contact import ContactState
from messages.typography import french
from portal.contact_words import STATES, in_words, key_of, reply_of, typed_text, with_files_again, words
from portal.forms import Fields, Several
from portal.kept_forms import Kept
from portal.pages import see_other, with_retry
from portal.space import RESUME, SpaceRoute, one_problem, signed_in_page
from services.callers import Caller, Scope
from services.contact_views import ContactRequestView, Rating
from services.fields import validated
from services.problems import (
    FieldError,
    InvalidFields,
    KeyReused,
    Problem,
    RefusedByRules,
    StorageAway,
    TooManyRequests,
)
from web.callers import Use, UserCaller, UserUploader
from web.csrf import OwnSite
from web.downloads import received_file
from web.parts import Parts
from web.several_files import WithFiles
from web.visitors import Visit

PROCEDURES: Final = "/demarches"
ONE: Final = f"{PROCEDURES}/{{request_id:uuid}}"
LISTED: Final = 25


class Route(SpaceRoute):
    kept = Kept(PROCEDURES, RESUME, ("cle", "message"), files=True)


router = APIRouter(route_class=Route, dependencies=[OwnSite], include_in_schema=False)

Done = Annotated[str, Query(alias="fait", max_length=40)]
Cursor = Annotated[str, Query(alias="apres", max_length=2000)]
_DONE: Final = {
    code: french(text)
    for code, text in {
        "repondu": "Votre message est ajouté à la demande : nous vous répondrons ici, et un e-mail vous préviendra.",
        "rouverte": "La demande est rouverte : nous la reprenons.",
        "avis": "Merci de votre avis.",
    }.items()
}
SATISFACTION: Final = (
    (5, french("Très satisfait")),
    (4, "Satisfait"),
    (3, "Moyennement satisfait"),
    (2, "Peu satisfait"),
    (1, "Pas du tout satisfait"),
)


@router.get(PROCEDURES)
async def procedures(
    request: Request, caller: UserCaller, use: Use, etat: Annotated[str, Query(max_length=20)] = "", apres: Cursor = ""
) -> Response:
    state = ContactState(etat) if etat in set(ContactState) else None
    try:
        listed = await use.contact.page(caller, LISTED, apres or None, state)
    except InvalidFields:  # an address that was cut
        return see_other(PROCEDURES)
    here = f"{PROCEDURES}?{urlencode({'etat': state.value})}" if state else PROCEDURES
    return await signed_in_page(
        request,
        caller,
        use,
        "contact/procedures",
        items=listed.items,
        total=listed.total,
        state=state,
        chips=[("Toutes", PROCEDURES, state is None)]
        + [(label, f"{PROCEDURES}?etat={one.value}", one is state) for one, label in STATES.items()],
        several=len(caller.companies) > 1,
        first=here if apres else "",
        next=f"{here}{'&' if state else '?'}{urlencode({'apres': listed.next_cursor})}" if listed.next_cursor else "",
        **words(),
    )


@router.get(f"{ONE}/recu")
async def receipt(request_id: UUID, request: Request, caller: UserCaller, use: Use) -> Response:
    """The number, and until when an answer is expected."""
    one = await use.contact.one(caller, request_id)
    return await signed_in_page(request, caller, use, "contact/receipt", one=one, **words())


@router.get(ONE)
async def one_request(request_id: UUID, request: Request, caller: UserCaller, use: Use, fait: Done = "") -> Response:
    return await _one_page(request, caller, use, await use.contact.one(caller, request_id), note=_DONE.get(fait, ""))


@router.post(f"{ONE}/reponse")
async def reply(
    request_id: UUID, request: Request, caller: UserUploader, sent: Several, use: Use, visit: Visit
) -> Response:
    return await _write(request, caller, use, request_id, sent, visit.network, "repondu")


@router.post(f"{ONE}/reouverture")
async def reopen(
    request_id: UUID, request: Request, caller: UserUploader, sent: Several, use: Use, visit: Visit
) -> Response:
    """An answer was not enough, or something is missing."""
    return await _write(request, caller, use, request_id, sent, visit.network, "rouverte")


async def _write(
    request: Request, caller: Caller, use: Parts, request_id: UUID, sent: WithFiles, network: str, done: str
) -> Response:
    write = use.contact.reply if done == "repondu" else use.contact.reopen
    try:
        asked = reply_of(sent.fields)
        await write(caller, request_id, asked, sent.files, key_of(sent.fields), network)
    except InvalidFields as wrong:
        one = await use.contact.one(caller, request_id)
        wrong = with_files_again(in_words(wrong), len(sent.files))
        return await _one_page(request, caller, use, one, sent.fields, wrong)
    except (StorageAway, KeyReused, TooManyRequests, RefusedByRules) as problem:
        return await _refused(request, caller, use, request_id, sent, problem)
    return see_other(f"{PROCEDURES}/{request_id}?fait={done}")


async def _refused(
    request: Request, caller: Caller, use: Parts, request_id: UUID, sent: WithFiles, problem: Problem
) -> Response:
    field = "file" if isinstance(problem, StorageAway) else ""
    wrong = with_files_again(one_problem(problem, field), len(sent.files))
    one = await use.contact.one(caller, request_id)
    return with_retry(await _one_page(request, caller, use, one, sent.fields, wrong, problem.status), problem)


@router.post(f"{ONE}/avis")
async def rate(request_id: UUID, request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    try:
        asked = validated(Rating, {"satisfaction": fields.get("satisfaction", "")})
        await use.contact.rate(caller, request_id, asked)
    except InvalidFields:
        text = french("Choisissez votre avis, par exemple « Satisfait ».")
        wrong = InvalidFields([FieldError("satisfaction", "missing", text)])
        return await _one_page(request, caller, use, await use.contact.one(caller, request_id), wrong=wrong)
    except RefusedByRules as problem:
        one = await use.contact.one(caller, request_id)
        return await _one_page(request, caller, use, one, wrong=one_problem(problem), status=problem.status)
    return see_other(f"{PROCEDURES}/{request_id}?fait=avis")


@router.get(f"{ONE}/fichiers/{{file_id:uuid}}")
async def file(request_id: UUID, file_id: UUID, caller: UserCaller, use: Use) -> Response:
    found = await use.contact.file(caller, request_id, file_id)
    return received_file(found.name, found.media_type, found.content)


async def _one_page(
    request: Request,
    caller: Caller,
    use: Parts,
    one: ContactRequestView,
    fields: Mapping[str, str] | None = None,
    wrong: InvalidFields | None = None,
    status: int = 0,
    *,
    note: str = "",
) -> Response:
    writes = Scope.write in caller.scopes
    return await signed_in_page(
        request,
        caller,
        use,
        "contact/one",
        wrong,
        status,
        one=one,
        note=note,
        typed=typed_text(fields or {}, "message"),
        key=key_of(fields) if fields else str(uuid4()),
        replies=writes and one.can_reply,
        reopens=writes and one.can_reopen and not one.can_reply,
        rates=writes and one.can_rate,
        SATISFACTION=SATISFACTION,
        satisfaction=dict(SATISFACTION).get(one.satisfaction or 0, ""),
        **words(),
    )
