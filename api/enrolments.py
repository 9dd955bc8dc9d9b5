"""/enrolments: the employee's side."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, Response

from api.problems import describes
from services.enrolment_form import SaveDraft, Submission
from services.enrolments import (
    RECOVERY_ANSWER,
    SESSION_HOURS,
    Access,
    Decline,
    EnrolmentView,
    LinkRecovery,
    Opened,
    RecoveryAnswer,
    Saved,
)
from services.problems import (
    AlreadySubmitted,
    EngineUnavailable,
    InvalidFields,
    NotAuthenticated,
    RefusedByRules,
    StaleDraft,
    WrongAccess,
)
from settings import Environment
from web.callers import EMPLOYEE_COOKIE, Employee
from web.parts import Parts, parts

router = APIRouter(prefix="/enrolments", tags=["enrolments"])

Use = Annotated[Parts, Depends(parts)]


@router.post("/access", responses=describes(WrongAccess, InvalidFields))
async def open_access(request: Access, use: Use, response: Response) -> Opened:
    """A link's token or a letter's code opens an employee session (cookie). One answer for unknown, wrong and dead."""
    session, opened = await use.enrolments.open(request)
    response.set_cookie(
        EMPLOYEE_COOKIE,
        session,
        max_age=SESSION_HOURS * 3600,
        httponly=True,
        samesite="lax",
        secure=use.config.environment is Environment.production,
    )
    return opened


@router.post("/link-recovery", status_code=202, responses=describes(InvalidFields))
async def recover_link(request: LinkRecovery, use: Use, background: BackgroundTasks) -> RecoveryAnswer:
    """« Retrouver mon lien »: one answer for everybody, and a fresh message to the contact on file if there is one."""
    background.add_task(use.enrolments.recover, request)  # after the answer: its time tells nothing either
    return RECOVERY_ANSWER


@router.get("/current", responses=describes(NotAuthenticated))
async def current(employee: Employee, use: Use) -> EnrolmentView:
    """The draft, or the receipt once it is submitted."""
    return await use.enrolments.current(employee)


@router.put(
    "/current", responses=describes(NotAuthenticated, StaleDraft, AlreadySubmitted, RefusedByRules, InvalidFields)
)
async def save(request: SaveDraft, employee: Employee, use: Use) -> Saved:
    """Keep the draft as typed; nothing is checked before it is sent."""
    return await use.enrolments.save(employee, request)


@router.post(
    "/current/submission", responses=describes(NotAuthenticated, AlreadySubmitted, RefusedByRules, InvalidFields)
)
async def submit(request: Submission, employee: Employee, use: Use) -> EnrolmentView:
    """Send the completed form; the coverage exists from this moment."""
    return await use.enrolments.submit(employee, request)


@router.post(
    "/current/decline",
    status_code=204,
    responses=describes(NotAuthenticated, RefusedByRules, InvalidFields, EngineUnavailable),
)
async def decline(request: Decline, employee: Employee, use: Use) -> None:
    """« Ce n'est pas moi », « J'ai quitté l'entreprise »."""
    await use.enrolments.decline(employee, request)
