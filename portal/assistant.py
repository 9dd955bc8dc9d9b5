"""The assistant: a page of its own, and the bubble at the foot of every page of the space, whose answers are pieces of
that page (security.md B-02). Without scripts the bubble is a link to the page.

The answer comes with the POST itself: a question may name somebody, so that no address may hold it, and asking again is
harmless.
"""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from portal.forms import Fields
from portal.pages import fragment, see_other
from portal.space import SpaceRoute, one_problem, session_of, signed_in_page
from services.assistant import MOST_ASKED, AssistantAnswer, AssistantQuestion, AssistantRating
from services.callers import Caller
from services.fields import validated
from services.problems import FieldError, InvalidFields, TooManyRequests
from services.sessions import csrf_token
from web.callers import Use, UserCaller
from web.csrf import OwnSite
from web.parts import Parts

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

ASSISTANT: Final = "/assistant"
_QUESTION: Final = "question"
_WORDS: Final = {
    "missing": "Écrivez votre question. Exemple : comment relancer un salarié ?",
    "string_too_short": "Écrivez votre question. Exemple : comment relancer un salarié ?",
    "string_too_long": "Votre question dépasse 2 000 caractères. Résumez-la en une phrase ou deux.",
}
Done = Annotated[str, Query(alias="fait", max_length=10)]


@router.get(ASSISTANT)
async def assistant_page(request: Request, caller: UserCaller, use: Use, fait: Done = "") -> Response:
    return await _page(request, caller, use, thanked=fait == "avis")


@router.post(ASSISTANT)
async def ask(request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    in_bubble = "hx-request" in request.headers
    typed = fields.get(_QUESTION, "")[: MOST_ASKED + 1]
    try:
        answer = await use.assistant.ask(caller, validated(AssistantQuestion, {"text": typed}))
    except (InvalidFields, TooManyRequests) as problem:
        wrong = _in_words(problem)
        status = 422 if isinstance(problem, InvalidFields) else problem.status
        if in_bubble:
            return _piece(request, use, "said", "refusal", status, said=wrong.errors[0].message)
        return await _page(request, caller, use, wrong, typed, status=status)
    if in_bubble:
        return _piece(request, use, "answer", "reply", one=answer, level=3)
    return await _page(request, caller, use, typed=answer.asked, answer=answer)


@router.post(f"{ASSISTANT}/{{question_id:uuid}}/avis")
async def rate(question_id: UUID, request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    await use.assistant.rate(caller, question_id, AssistantRating(helpful=fields.get("utile") == "oui"))
    if "hx-request" in request.headers:
        return _piece(request, use, "said", "thanks")
    return see_other(f"{ASSISTANT}?fait=avis")


async def _page(
    request: Request,
    caller: Caller,
    use: Parts,
    wrong: InvalidFields | None = None,
    typed: str = "",
    *,
    answer: AssistantAnswer | None = None,
    thanked: bool = False,
    status: int = 0,
) -> Response:
    firsts = [] if answer else await use.assistant.first_questions(caller)
    return await signed_in_page(
        request,
        caller,
        use,
        "assistant/page",
        wrong,
        status,
        typed=typed,
        one=answer,
        firsts=firsts,
        thanked=thanked,
        most=MOST_ASKED,
    )


def _piece(request: Request, use: Parts, template: str, block: str, status: int = 200, **values: object) -> Response:
    """Of an answer, for the bubble."""
    piece = fragment(
        f"space/assistant/{template}.html", block, csrf=csrf_token(session_of(request, use) or ""), **values
    )
    piece.status_code = status
    return piece


def _in_words(problem: InvalidFields | TooManyRequests) -> InvalidFields:
    if isinstance(problem, TooManyRequests):
        return one_problem(problem, _QUESTION)
    first = problem.errors[0]
    return InvalidFields([FieldError(_QUESTION, first.code, _WORDS.get(first.code, first.message))])
