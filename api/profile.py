"""/me: one's own account; /password-resets, /email-changes, /phone-losses: what the links of its messages do."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, BackgroundTasks, Request, Response

from api.problems import describes
from gateways.encryption import token_hash
from services.authenticator import RecoveryCodes, TotpConfirmation, TotpOffer
from services.own_email import EmailChange, EmailChangeAnswer, EmailChangeCompletion
from services.own_phone import PhoneChange, PhoneConfirmation
from services.password_resets import RESET_ANSWER, ResetAnswer, ResetCompletion, ResetRequest
from services.phone_losses import LossStop, PhoneLoss, PhoneLossView
from services.problems import (
    CodeNotSent,
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
    WrongCode,
)
from services.profile import AcceptTerms, Me, Names, PasswordChange, TermsView
from services.second_factor import CodeSent
from services.sign_in import SignedInView
from web.callers import BeforeTerms, PendingUser, StaffUser, Use, UserCaller
from web.cookies import SESSION_OF, cookie_of, set_cookie
from web.csrf import NotFromElsewhere
from web.devices import devices_of, remember_devices
from web.visitors import Visit

router = APIRouter(tags=["access"])

_BEFORE_TERMS = (NotAuthenticated, NotAllowed, CsrfRefused)
_USER = (*_BEFORE_TERMS, TermsNotAccepted, CompanySwitched)
_SURE_USER = (*_USER, StepUpNeeded)  # of themselves: a code of less than ten minutes


@router.get("/me", responses=describes(NotAuthenticated))
async def me(caller: BeforeTerms, use: Use) -> Me:
    """Who is signed in, with which rights, until when; and the token that changes carry."""
    return await use.profile.me(caller)


@router.patch("/me", responses=describes(*_USER, InvalidFields))
async def rename(names: Names, caller: UserCaller, use: Use) -> Me:
    """One's own names."""
    return await use.profile.rename(caller, names)


# --- terms


@router.get("/terms")
async def terms(use: Use) -> TermsView:
    """The conditions générales as they are now."""
    return use.profile.terms()


@router.post("/me/terms", status_code=204, responses=describes(*_BEFORE_TERMS, RefusedByRules, InvalidFields))
async def accept_terms(accepted: AcceptTerms, caller: BeforeTerms, use: Use) -> None:
    """Accept the present version, which opens everything else."""
    await use.profile.accept_terms(caller, accepted)


# --- password


@router.put(
    "/me/password",
    status_code=204,
    responses=describes(*_SURE_USER, InvalidFields, TooManyRequests, Overloaded),
)
async def change_password(change: PasswordChange, caller: UserCaller, use: Use) -> None:
    """This session goes on; all others and the known browsers end."""
    await use.profile.change_password(caller, change)


@router.post(
    "/password-resets",
    status_code=202,
    dependencies=[NotFromElsewhere],
    responses=describes(CsrfRefused, TooManyRequests, InvalidFields),
)
async def reset(request: ResetRequest, visitor: Visit, use: Use, background: BackgroundTasks) -> ResetAnswer:
    """« Mot de passe oublié »: one answer for everybody, and a link to the address if there is such an account."""
    await use.password_resets.admit(visitor)
    background.add_task(use.password_resets.send, request)  # after the answer: its time tells nothing either
    return RESET_ANSWER


@router.post(
    "/password-resets/completion",
    status_code=204,
    dependencies=[NotFromElsewhere],
    responses=describes(CsrfRefused, LinkRefused, InvalidFields, Overloaded),
)
async def complete_reset(request: ResetCompletion, use: Use) -> None:
    """Choose the new password. Nobody is signed in by it; every session and known browser ends."""
    await use.password_resets.complete(request)


# --- telephone


@router.post(
    "/me/phone/change",
    status_code=202,
    responses=describes(*_SURE_USER, InvalidFields, TooManyRequests, CodeNotSent, Overloaded),
)
async def change_phone(change: PhoneChange, caller: UserCaller, visitor: Visit, use: Use) -> CodeSent:
    """Send a code to the new number."""
    return await use.profile.phone.change(caller, change, visitor)


@router.post(
    "/me/phone/confirmation",
    status_code=204,
    responses=describes(*_SURE_USER, WrongCode, RefusedByRules, InvalidFields),
)
async def confirm_phone(confirmation: PhoneConfirmation, caller: UserCaller, use: Use) -> None:
    """The code of the new number: it replaces the old one."""
    await use.profile.phone.confirm(caller, confirmation)


@router.post(
    "/staff/users/{user_id}/phone-loss",
    status_code=201,
    responses=describes(*_SURE_USER, NotFound, RefusedByRules, InvalidFields),
)
async def lose_phone(user_id: UUID, loss: PhoneLoss, caller: StaffUser, use: Use) -> PhoneLossView:
    """Somebody has lost their telephone: number and app are taken away after a day, unless they stop it."""
    return await use.profile.phone_losses.ask(caller, user_id, loss)


@router.post(
    "/phone-losses/stop",
    status_code=204,
    dependencies=[NotFromElsewhere],
    responses=describes(CsrfRefused, LinkRefused, InvalidFields),
)
async def stop_loss(stop: LossStop, use: Use) -> None:
    """« Ce n’est pas moi »: the link of the notice."""
    await use.profile.phone_losses.stop(stop)


# --- e-mail address


@router.post(
    "/me/email",
    status_code=202,
    responses=describes(*_SURE_USER, InvalidFields, TooManyRequests, Overloaded),
)
async def change_email(change: EmailChange, caller: UserCaller, use: Use) -> EmailChangeAnswer:
    """Send a link to the new address; the same answer where it cannot be used."""
    return await use.profile.email.change(caller, change)


@router.post(
    "/email-changes/completion",
    status_code=204,
    dependencies=[NotFromElsewhere],
    responses=describes(CsrfRefused, LinkRefused, InvalidFields),
)
async def complete_email_change(completion: EmailChangeCompletion, request: Request, use: Use) -> None:
    """The new address is proved and replaces the old one; sessions elsewhere end."""
    here = [cookie_of(request, cookie, use.config) for cookie in SESSION_OF.values()]
    await use.profile.email.complete(completion, [token_hash(session) for session in here if session])


# --- authenticator app


@router.post("/me/totp", responses=describes(*_SURE_USER))
async def begin_totp(caller: UserCaller, use: Use) -> TotpOffer:
    """What an authenticator app needs. A former app holds until the new one has shown a code."""
    return await use.profile.authenticator.begin(caller)


@router.post(
    "/me/totp/confirmation",
    responses=describes(*_SURE_USER, WrongCode, RefusedByRules, InvalidFields, Overloaded),
)
async def confirm_totp(confirmation: TotpConfirmation, caller: UserCaller, use: Use) -> RecoveryCodes:
    """The code that the app shows; answers with recovery codes, once."""
    return await use.profile.authenticator.confirm(caller, confirmation)


@router.post("/me/recovery-codes", responses=describes(*_SURE_USER, RefusedByRules, Overloaded))
async def renew_recovery_codes(caller: UserCaller, use: Use) -> RecoveryCodes:
    """Ten new ones; the former ones end."""
    return await use.profile.authenticator.renew_codes(caller)


@router.delete("/me/totp", status_code=204, responses=describes(*_SURE_USER, RefusedByRules))
async def remove_totp(caller: UserCaller, use: Use) -> None:
    """Codes by SMS again; never for staff."""
    await use.profile.authenticator.remove(caller)


# --- at the first sign-in of staff


class Enrolled(RecoveryCodes):
    """The sign-in is complete; the session has another cookie and token from then on."""

    signed_in: SignedInView


@router.post("/sessions/challenge/totp", responses=describes(*_BEFORE_TERMS))
async def begin_first_totp(user: PendingUser, use: Use) -> TotpOffer:
    """For staff who have no authenticator app yet: what one needs."""
    return await use.profile.authenticator.begin_pending(user)


@router.post(
    "/sessions/challenge/totp/confirmation",
    responses=describes(*_BEFORE_TERMS, WrongCode, RefusedByRules, InvalidFields, Overloaded),
)
async def confirm_first_totp(
    confirmation: TotpConfirmation,
    user: PendingUser,
    request: Request,
    response: Response,
    visitor: Visit,
    use: Use,
) -> Enrolled:
    """The code that the app shows completes the sign-in; answers with recovery codes, once."""
    result, recovery = await use.profile.authenticator.confirm_pending(
        user, confirmation, visitor, devices_of(request, use.config)
    )
    set_cookie(response, SESSION_OF[result.opened.kind], result.opened.token, use.config)
    remember_devices(response, result.devices, use.config)
    return Enrolled(codes=recovery.codes, signed_in=result.view)
