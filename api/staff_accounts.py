"""/staff/accounts: accounts of staff; /staff/users: those of employers' users."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from api.problems import describes
from services.fields import NamePart
from services.problems import (
    InvalidFields,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    RefusedByRules,
    StepUpNeeded,
    TooManyRequests,
)
from services.staff_accounts import (
    EmployerUser,
    EmployerUserList,
    NewStaffAccount,
    StaffAccount,
    StaffAccountChange,
    StaffAccountList,
    UserSuspension,
)
from web.callers import StaffUser
from web.parts import Parts, parts

router = APIRouter(prefix="/staff", tags=["access"])

Use = Annotated[Parts, Depends(parts)]
Words = Annotated[NamePart, Query(min_length=3, examples=["martin"])]


@router.get("/accounts", responses=describes(NotAuthenticated, NotAllowed))
async def accounts(caller: StaffUser, use: Use) -> StaffAccountList:
    """The accounts of staff that are not revoked."""
    return await use.staff_accounts.list(caller)


@router.post(
    "/accounts", status_code=201, responses=describes(NotAuthenticated, NotAllowed, StepUpNeeded, InvalidFields)
)
async def invite(request: NewStaffAccount, caller: StaffUser, use: Use) -> StaffAccount:
    """Invite a member of staff: a link to create the password goes to the address."""
    return await use.staff_accounts.invite(caller, request)


@router.put(
    "/accounts/{account_id}",
    responses=describes(NotAuthenticated, NotAllowed, StepUpNeeded, NotFound, InvalidFields),
)
async def change(account_id: UUID, request: StaffAccountChange, caller: StaffUser, use: Use) -> StaffAccount:
    """The roles, suspended or not; nobody's own."""
    return await use.staff_accounts.change(caller, account_id, request)


@router.post(
    "/accounts/{account_id}/invitation",
    responses=describes(
        NotAuthenticated, NotAllowed, StepUpNeeded, NotFound, RefusedByRules, TooManyRequests, InvalidFields
    ),
)
async def send_again(account_id: UUID, caller: StaffUser, use: Use) -> StaffAccount:
    """Send the link again, once a minute at most."""
    return await use.staff_accounts.send_again(caller, account_id)


@router.delete(
    "/accounts/{account_id}",
    status_code=204,
    responses=describes(NotAuthenticated, NotAllowed, StepUpNeeded, NotFound, InvalidFields),
)
async def revoke(account_id: UUID, caller: StaffUser, use: Use) -> None:
    """For good: sessions, browsers and links end at once. Nobody's own."""
    await use.staff_accounts.revoke(caller, account_id)


@router.get("/users", responses=describes(NotAuthenticated, NotAllowed, InvalidFields))
async def users(q: Words, caller: StaffUser, use: Use) -> EmployerUserList:
    """Employers' users by a part of their address or name, with their companies."""
    return await use.staff_accounts.find_users(caller, q)


@router.put(
    "/users/{user_id}",
    responses=describes(NotAuthenticated, NotAllowed, StepUpNeeded, NotFound, InvalidFields),
)
async def suspend_user(user_id: UUID, request: UserSuspension, caller: StaffUser, use: Use) -> EmployerUser:
    """Close an employer's user's account everywhere, or open it again; the person is written to."""
    return await use.staff_accounts.suspend_user(caller, user_id, request)


@router.delete(
    "/users/{user_id}/sessions",
    status_code=204,
    responses=describes(NotAuthenticated, NotAllowed, NotFound, InvalidFields),
)
async def end_sessions(user_id: UUID, caller: StaffUser, use: Use) -> None:
    """End all sessions of an employer's user."""
    await use.staff_accounts.end_sessions(caller, user_id)
