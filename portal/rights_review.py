"""« Mes habilitations »: the review of rights every three months, and requests to take a company's space over."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request, Response

from portal.forms import Fields
from portal.pages import see_other
from portal.rights import DONE, RIGHTS, Done, rights_page
from portal.space import SpaceRoute
from services.access_review import ReviewAnswer
from services.callers import Caller
from services.fields import validated
from services.problems import FieldError, InvalidFields, NotFound
from web.callers import Use, UserCaller
from web.csrf import OwnSite
from web.parts import Parts

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

REVIEW: Final = f"{RIGHTS}/revue"
RECOVERIES: Final = f"{RIGHTS}/reprises"
MOST_SHOWN: Final = 100  # people of one form, whose fields are limited (portal/forms.py)
_PERSON: Final = "user_"


@router.get(REVIEW)
async def review_page(request: Request, caller: UserCaller, use: Use, fait: Done = "") -> Response:
    """Who is to be confirmed, by when, company by company."""
    caller.need_administrator()
    caller.need_step_up()
    return await _review_page(request, caller, use, note=DONE.get(fait, ""))


@router.post(REVIEW)
async def answer_review(request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    """Who is not answered for still waits. Before somebody loses their access it is asked once more."""
    caller.need_administrator()
    caller.need_step_up()
    siren = fields.get("siren", "")
    company = next((one for one in (await use.access_review.waiting(caller)).items if one.siren == siren), None)
    if company is None:
        raise NotFound()
    answers = {name.removeprefix(_PERSON): said for name, said in fields.items() if name.startswith(_PERSON)}
    kept, lost = ([one for one, said in answers.items() if said == what] for what in ("confirm", "revoke"))
    if not kept and not lost:
        wrong = InvalidFields(
            [FieldError(f"{_PERSON}{company.users[0].id}", "missing", "Répondez pour une personne au moins.")]
        )
        return await _review_page(request, caller, use, wrong)
    answer = validated(ReviewAnswer, {"siren": siren, "confirm": kept, "revoke": lost})
    if lost and fields.get("sure") != "yes":
        leaving = [user for user in company.users if user.id in answer.revoke]
        if not leaving:
            raise NotFound()
        return await rights_page(
            request, caller, use, "review_sure", company=company, leaving=leaving, kept=answer.confirm
        )
    await use.access_review.answer(caller, answer)
    return see_other(f"{REVIEW}?fait=revue")


async def _review_page(
    request: Request, caller: Caller, use: Parts, wrong: InvalidFields | None = None, note: str = ""
) -> Response:
    waiting = (await use.access_review.waiting(caller)).items
    return await rights_page(request, caller, use, "review", wrong, note=note, companies=waiting, most=MOST_SHOWN)


# --- « Reprendre l’accès à l’espace », asked by somebody else


@router.get(RECOVERIES)
async def recoveries_page(request: Request, caller: UserCaller, use: Use) -> Response:
    items = (await use.company_recoveries.list(caller)).items
    return await rights_page(request, caller, use, "recoveries", recoveries=items)


@router.post(f"{RECOVERIES}/{{recovery_id:uuid}}/refus")
async def refuse_recovery(recovery_id: UUID, caller: UserCaller, use: Use) -> Response:
    await use.company_recoveries.stop_one(caller, recovery_id)
    return see_other(f"{RIGHTS}?fait=reprise")


@router.get(f"{RECOVERIES}/{{recovery_id:uuid}}/refus")
async def back_to_recoveries(recovery_id: UUID) -> Response:
    """« Réessayer », after a refusal."""
    return see_other(RECOVERIES)
