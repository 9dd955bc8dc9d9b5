"""« Mes habilitations »: mandates of third-party declarants, whom companies answer and who ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from domain.rights import MandateState
from portal.forms import Fields, as_typed
from portal.pages import see_other, with_retry
from portal.rights import DONE, RIGHTS, Done, day_example, in_words, last_day, rights_page
from portal.space import SpaceRoute, one_problem
from services.callers import Caller, Scope
from services.fields import today, validated
from services.mandates import MandateAcceptance, MandateRequest, MandateView
from services.problems import FieldError, InvalidFields, NotFound, RefusedByRules, TooManyRequests
from web.callers import Use, UserCaller
from web.csrf import OwnSite
from web.parts import Parts

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

MANDATES: Final = f"{RIGHTS}/mandats"
ASK: Final = f"{MANDATES}/demande"
ONE: Final = f"{MANDATES}/{{mandate_id:uuid}}"
Before = Annotated[int | None, Query(alias="avant", ge=1, le=2**63 - 1)]
_REQUEST: Final = ("siret", "insurer_reference", "ends_on")
_OPEN: Final = (MandateState.asked, MandateState.accepted)


@router.get(MANDATES)
async def mandates_page(request: Request, caller: UserCaller, use: Use, fait: Done = "") -> Response:
    items = (await use.mandates.list(caller)).items
    return await rights_page(
        request,
        caller,
        use,
        "mandates",
        note=DONE.get(fait, ""),
        own=[one for one in items if one.mine],
        asked=[one for one in items if not one.mine and one.state is MandateState.asked],
        running=[one for one in items if not one.mine and one.state is MandateState.accepted],
        over=[one for one in items if not one.mine and one.state not in _OPEN],
    )


# --- « Demander un mandat »


@router.get(ASK)
async def ask_page(request: Request, caller: UserCaller, use: Use) -> Response:
    caller.need(Scope.write)
    return await _ask_page(request, caller, use, as_typed({}, *_REQUEST))


@router.post(ASK)
async def ask(request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    given = as_typed(fields, *_REQUEST)
    try:
        await use.mandates.ask(caller, _request(given))
    except InvalidFields as wrong:
        return await _ask_page(request, caller, use, given, in_words(wrong, "ends_on"), 422)
    except TooManyRequests as problem:
        answer = await _ask_page(request, caller, use, given, one_problem(problem, "siret"), problem.status)
        return with_retry(answer, problem)
    return see_other(f"{MANDATES}?fait=mandat-demande")


def _request(given: Mapping[str, str]) -> MandateRequest:
    """Raises InvalidFields, with all there is to correct."""
    errors: list[FieldError] = []
    day = None
    try:
        day = last_day(given["ends_on"], "ends_on")
    except InvalidFields as wrong:
        errors += wrong.errors
    try:
        asked = validated(MandateRequest, {**given, "ends_on": day})
    except InvalidFields as wrong:
        raise InvalidFields([*wrong.errors, *errors]) from None
    if errors:
        raise InvalidFields(errors)
    return asked


async def _ask_page(
    request: Request,
    caller: Caller,
    use: Parts,
    given: Mapping[str, str],
    wrong: InvalidFields | None = None,
    status: int = 200,
) -> Response:
    return await rights_page(request, caller, use, "mandate_ask", wrong, status, typed=given, example=day_example())


# --- the company's answer


@router.get(f"{ONE}/accepter")
async def accept_page(mandate_id: UUID, request: Request, caller: UserCaller, use: Use) -> Response:
    mandate = await _to_decide(caller, use, mandate_id)
    asked_for = mandate.ends_on if mandate.ends_on is not None and mandate.ends_on >= today() else None
    shown = asked_for.strftime("%d/%m/%Y") if asked_for else ""
    return await _decide_page(request, caller, use, "mandate_accept", mandate, ends_on=shown)


@router.post(f"{ONE}/accepter")
async def accept(mandate_id: UUID, request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    mandate = await _to_decide(caller, use, mandate_id)
    given = fields.get("ends_on", "")[:40]
    try:
        day = last_day(given, "ends_on")
        if day is None:
            words = "Indiquez le dernier jour du mandat."
            raise InvalidFields([FieldError("ends_on", "missing", words)])
        await use.mandates.accept(caller, mandate_id, validated(MandateAcceptance, {"ends_on": day}))
    except InvalidFields as wrong:
        shown = in_words(wrong, "ends_on")
        return await _decide_page(request, caller, use, "mandate_accept", mandate, shown, ends_on=given)
    except RefusedByRules as problem:
        return await _decide_page(
            request, caller, use, "mandate_accept", mandate, one_problem(problem), 409, ends_on=given
        )
    return see_other(f"{MANDATES}?fait=mandat-accepte")


@router.get(f"{ONE}/refuser")
async def refuse_page(mandate_id: UUID, request: Request, caller: UserCaller, use: Use) -> Response:
    return await _decide_page(request, caller, use, "mandate_refuse", await _to_decide(caller, use, mandate_id))


@router.post(f"{ONE}/refuser")
async def refuse(mandate_id: UUID, caller: UserCaller, use: Use) -> Response:
    await use.mandates.refuse(caller, mandate_id)
    return see_other(f"{MANDATES}?fait=mandat-refuse")


@router.get(f"{ONE}/fin")
async def end_page(mandate_id: UUID, request: Request, caller: UserCaller, use: Use) -> Response:
    """The company takes it back, or the declarant gives it up."""
    mandate = await _found(caller, use, mandate_id)
    if mandate.state not in (_OPEN if mandate.mine else (MandateState.accepted,)):
        raise NotFound()
    if not mandate.mine:
        caller.need_step_up()
    return await _decide_page(request, caller, use, "mandate_end", mandate)


@router.post(f"{ONE}/fin")
async def end(mandate_id: UUID, caller: UserCaller, use: Use) -> Response:
    mandate = await _found(caller, use, mandate_id)
    await use.mandates.end(caller, mandate_id)
    return see_other(f"{MANDATES}?fait={'mandat-retire' if mandate.state is MandateState.asked else 'mandat-fin'}")


@router.get(f"{ONE}/actions")
async def actions_page(
    mandate_id: UUID, request: Request, caller: UserCaller, use: Use, avant: Before = None
) -> Response:
    """« Ce qui a été fait en votre nom »."""
    done = await use.mandates.actions(caller, mandate_id, avant)
    mandate = await _found(caller, use, mandate_id)
    return await rights_page(
        request, caller, use, "mandate_actions", mandate=mandate, actions=done.items, next_before=done.next_before
    )


async def _found(caller: Caller, use: Parts, mandate_id: UUID) -> MandateView:
    """Raises NotFound."""
    for one in (await use.mandates.list(caller)).items:
        if one.id == mandate_id:
            return one
    raise NotFound()


async def _to_decide(caller: Caller, use: Parts, mandate_id: UUID) -> MandateView:
    """A request that waits for the caller's answer. Raises NotAllowed, StepUpNeeded, NotFound."""
    caller.need_administrator()
    caller.need_step_up()
    mandate = await _found(caller, use, mandate_id)
    if mandate.mine or mandate.state is not MandateState.asked:
        raise NotFound()
    return mandate


async def _decide_page(
    request: Request,
    caller: Caller,
    use: Parts,
    template: str,
    mandate: MandateView,
    wrong: InvalidFields | None = None,
    status: int = 0,
    **values: Any,
) -> Response:
    return await rights_page(
        request, caller, use, template, wrong, status, mandate=mandate, example=day_example(), **values
    )
