"""/users, /access-review: « Mes habilitations »; /invitations: the link that somebody was sent."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from api.problems import describes
from domain.rights import RightsState
from services.access_review import AccessReview, ReviewAnswer
from services.fields import Form, Siren
from services.invitations import InvitationCompletion, InvitationLink, InvitationPreview
from services.problems import (
    CompanySwitched,
    CsrfRefused,
    InvalidFields,
    LinkRefused,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    Overloaded,
    RefusedByRules,
    StepUpNeeded,
    TermsNotAccepted,
    TooManyRequests,
)
from services.user_views import UserList, UserView
from services.users import Invite, InvitedNames, RightsChange
from web.callers import UserCaller
from web.csrf import NotFromElsewhere
from web.parts import Parts, parts

router = APIRouter(tags=["users"])

Use = Annotated[Parts, Depends(parts)]
SirenInPath = Annotated[Siren, Path()]
_READING = (NotAuthenticated, NotAllowed, TermsNotAccepted, InvalidFields)
_CHANGING = (*_READING, StepUpNeeded, CsrfRefused, CompanySwitched, NotFound)


class UserFilters(Form):
    """Without a state, whoever has rights or was offered some."""

    siren: Siren | None = None
    state: RightsState | None = None


@router.get("/users", responses=describes(*_READING, NotFound))
async def list_users(caller: UserCaller, use: Use, asked: Annotated[UserFilters, Query()]) -> UserList:
    """« Gestion des habilitations »: each user once, with their rights on the companies that the caller looks after."""
    return await use.users.overview(caller, asked.siren, asked.state)


@router.post("/users", status_code=201, responses=describes(*_CHANGING, RefusedByRules, TooManyRequests))
async def invite(request: Invite, caller: UserCaller, use: Use) -> UserView:
    """« Ajouter un utilisateur »: they get a link by e-mail, for 72 hours. The answer does not tell whether they have
    an account already."""
    return await use.users.invite(caller, request)


@router.post("/users/{user_id}/invitation", responses=describes(*_CHANGING, RefusedByRules, TooManyRequests))
async def send_again(user_id: UUID, caller: UserCaller, use: Use) -> UserView:
    """« Renvoyer le lien »: the same one while it is valid, else a new one."""
    return await use.users.send_again(caller, user_id)


@router.patch("/users/{user_id}", responses=describes(*_CHANGING, RefusedByRules))
async def rename(user_id: UUID, request: InvitedNames, caller: UserCaller, use: Use) -> UserView:
    """The names of somebody who has not accepted yet."""
    return await use.users.rename(caller, user_id, request)


@router.put("/users/{user_id}/memberships/{siren}", responses=describes(*_CHANGING, RefusedByRules))
async def change(user_id: UUID, siren: SirenInPath, request: RightsChange, caller: UserCaller, use: Use) -> UserView:
    """Change the role on one company, suspend, reactivate; where they have no rights yet, offer them some."""
    return await use.users.change(caller, user_id, siren, request)


@router.delete("/users/{user_id}/memberships/{siren}", status_code=204, responses=describes(*_CHANGING))
async def revoke(user_id: UUID, siren: SirenInPath, caller: UserCaller, use: Use) -> None:
    """Take all rights on one company away, for good."""
    await use.users.revoke(caller, user_id, siren)


@router.delete("/users/{user_id}/sessions", status_code=204, responses=describes(*_CHANGING, RefusedByRules))
async def end_sessions(user_id: UUID, caller: UserCaller, use: Use) -> None:
    """Sign a user out everywhere."""
    await use.users.end_sessions(caller, user_id)


# --- the link of an invitation


@router.post(
    "/invitations/preview",
    responses=describes(LinkRefused, InvalidFields, CsrfRefused),
    dependencies=[NotFromElsewhere],
)
async def preview(request: InvitationLink, use: Use) -> InvitationPreview:
    """What the link's page shows; nothing is consumed."""
    return await use.users.invitations.preview(request)


@router.post(
    "/invitations/completion",
    status_code=204,
    responses=describes(LinkRefused, InvalidFields, CsrfRefused, Overloaded),
    dependencies=[NotFromElsewhere],
)
async def complete(request: InvitationCompletion, use: Use) -> None:
    """Create the password and accept what was offered. Then sign in: POST /sessions."""
    await use.users.invitations.complete(request)


@router.post(
    "/invitations/acceptance",
    status_code=204,
    responses=describes(
        NotAuthenticated, NotAllowed, TermsNotAccepted, InvalidFields, CsrfRefused, CompanySwitched, LinkRefused
    ),
)
async def accept(request: InvitationLink, caller: UserCaller, use: Use) -> None:
    """Accept what was offered to the user who is signed in."""
    await use.users.invitations.accept(caller, request)


# --- the review every three months


@router.get("/access-review", responses=describes(*_READING))
async def review(caller: UserCaller, use: Use) -> AccessReview:
    """Who is to be confirmed, by when."""
    return await use.access_review.waiting(caller)


@router.post("/access-review", responses=describes(*_CHANGING))
async def answer_review(request: ReviewAnswer, caller: UserCaller, use: Use) -> AccessReview:
    """Confirm and revoke on one company; answers what still waits."""
    return await use.access_review.answer(caller, request)
