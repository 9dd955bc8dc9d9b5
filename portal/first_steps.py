"""Ways in without a session: « Activer mon espace » (guide, pages 4 and 5), and where the links and codes of messages
lead. Looking at a link's page does nothing: mail scanners do it too (security.md H-02)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, BackgroundTasks, Path, Request, Response

from domain.rights import UserKind
from gateways.encryption import token_hash
from messages.terms import current_terms
from portal.forms import Fields, as_typed
from portal.pages import see_other
from portal.sign_in import CODE
from portal.space import SIGN_IN, SpaceRoute, one_problem, own_path, session_of, space_page
from services.activations import Activation, Completion, MailedLink, Reference
from services.company_recoveries import RecoveryRequest
from services.fields import validated
from services.invitations import InvitationCompletion, InvitationLink
from services.office_codes import OfficeCode
from services.own_email import EmailChangeCompletion
from services.password_resets import RESET_ANSWER, ResetCompletion, ResetRequest
from services.phone_losses import LossStop
from services.problems import FieldError, InvalidFields, NotAuthenticated, Problem
from web.callers import Use
from web.cookies import SESSION_OF, Cookie, cookie_of, set_cookie
from web.csrf import OwnPages
from web.parts import Parts
from web.visitors import Visit

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnPages], include_in_schema=False)

Token = Annotated[str, Path(max_length=200)]
_REFERENCE = ("siret", "insurer_reference")
_PERSON = ("first_name", "last_name", "email")
_UNTICKED = FieldError("terms", "terms.unticked", "Cochez la case pour accepter les conditions générales.")


# --- « Activer mon espace »


@router.get("/activer")
async def activate_page(request: Request) -> Response:
    return space_page(request, "activate", typed=as_typed({}, *_REFERENCE))


@router.post("/activer")
async def check(request: Request, fields: Fields, visit: Visit, use: Use) -> Response:
    """SIRET and identifiant entreprise open the form, and nothing else."""
    typed = as_typed(fields, *_REFERENCE)
    try:
        found = await use.activations.check(validated(Reference, typed), visit)
    except InvalidFields as wrong:
        return space_page(request, "activate", 422, wrong=wrong, typed=typed)
    except Problem as refused:
        return space_page(request, "activate", refused.status, wrong=one_problem(refused, "siret"), typed=typed)
    return _details(request, {**typed, **as_typed({}, *_PERSON)}, found.company, found.establishment)


@router.post("/activer/demande")
async def begin(request: Request, fields: Fields, visit: Visit, use: Use) -> Response:
    typed = as_typed(fields, *_REFERENCE, *_PERSON)
    company, establishment = fields.get("company", "")[:200], fields.get("establishment", "")[:200]
    given = {**typed, "password": fields.get("password", ""), "terms_version": fields.get("terms_version", "")}
    try:
        asked = _accepted(validated(Activation, given), fields)
        told = await use.activations.begin(asked, visit)
    except InvalidFields as wrong:
        return _details(request, typed, company, establishment, wrong, 422)
    except Problem as problem:
        return _details(request, typed, company, establishment, one_problem(problem, "email"), problem.status)
    return space_page(request, "told", title="Vérifiez votre messagerie", detail=told.detail)


def _accepted(asked: Activation, fields: Mapping[str, str]) -> Activation:
    """Raises InvalidFields: the box was not ticked."""
    if fields.get("terms") != "yes":
        raise InvalidFields([_UNTICKED])
    return asked


def _details(
    request: Request,
    typed: dict[str, str],
    company: str,
    establishment: str,
    wrong: InvalidFields | None = None,
    status: int = 200,
) -> Response:
    return space_page(
        request,
        "activate_details",
        status,
        wrong=wrong,
        typed=typed,
        company=company,
        establishment=establishment,
        terms_version=current_terms().version,
    )


@router.get("/acces/activation/{token}")
async def activation_page(token: Token, request: Request) -> Response:
    return space_page(request, "activation_link")


@router.post("/acces/activation/{token}")
async def complete_activation(token: Token, request: Request, fields: Fields, visit: Visit, use: Use) -> Response:
    """The password chosen before: then the security screen, and connected."""
    here = [cookie_of(request, cookie, use.config) for cookie in SESSION_OF.values()]
    try:
        completion = validated(Completion, {"token": token, "password": fields.get("password", "")})
        result = await use.activations.complete(completion, visit, [session for session in here if session])
    except InvalidFields as wrong:
        return space_page(request, "activation_link", 422, wrong=wrong)
    except Problem as refused:
        return space_page(request, "activation_link", refused.status, wrong=one_problem(refused, "password"))
    answer = see_other(CODE)
    set_cookie(answer, Cookie.employer, result.opened.token, use.config)
    return answer


# --- an administrator who has gone, and the codes of letters


@router.get("/reprise")
async def recovery_page(request: Request) -> Response:
    return space_page(request, "recovery", typed=as_typed({}, *_REFERENCE, *_PERSON))


@router.post("/reprise")
async def ask_recovery(request: Request, fields: Fields, visit: Visit, use: Use) -> Response:
    typed = as_typed(fields, *_REFERENCE, *_PERSON)
    try:
        told = await use.company_recoveries.ask(validated(RecoveryRequest, typed), visit)
    except InvalidFields as wrong:
        return space_page(request, "recovery", 422, wrong=wrong, typed=typed)
    return space_page(request, "told", title="Demande enregistrée", detail=told.detail)


@router.get("/acces/code")
async def office_code_page(request: Request) -> Response:
    return space_page(request, "office_code", code="")


@router.post("/acces/code")
async def enter_office_code(request: Request, fields: Fields, visit: Visit, use: Use) -> Response:
    code = fields.get("code", "")[:200]
    try:
        told = await use.company_recoveries.enter_code(validated(OfficeCode, {"code": code}), visit)
    except InvalidFields as wrong:
        return space_page(request, "office_code", 422, wrong=wrong, code=code)
    except Problem as refused:
        return space_page(request, "office_code", refused.status, wrong=one_problem(refused, "code"), code=code)
    return space_page(request, "told", title="Code reconnu", detail=told.detail)


# --- invitations


@router.get("/acces/invitation/{token}")
async def invitation_page(token: Token, request: Request, use: Use) -> Response:
    preview = await use.users.invitations.preview(InvitationLink(token=token))
    return space_page(request, "invitation", invited=preview, signed_in=session_of(request, use) is not None)


@router.post("/acces/invitation/{token}")
async def accept_invitation(token: Token, request: Request, fields: Fields, use: Use) -> Response:
    """A password is created; whoever has one accepts while signed in."""
    preview = await use.users.invitations.preview(InvitationLink(token=token))
    if not preview.creates_password:
        session = cookie_of(request, Cookie.employer, use.config)
        try:
            caller = await use.sessions.caller(session, UserKind.employer)
        except NotAuthenticated:
            return see_other(f"{SIGN_IN}?suite={own_path(request.url.path)}")
        await use.users.invitations.accept(caller, InvitationLink(token=token))
        return see_other("/espace")
    try:
        if preview.terms_version is not None and fields.get("terms") != "yes":
            raise InvalidFields([_UNTICKED])
        given = {"token": token, "password": fields.get("password", "")}
        if preview.terms_version is not None:
            given["terms_version"] = fields.get("terms_version", "")
        await use.users.invitations.complete(validated(InvitationCompletion, given))
    except InvalidFields as wrong:
        return space_page(request, "invitation", 422, wrong=wrong, invited=preview, signed_in=False)
    staff = preview.terms_version is None
    return space_page(
        request,
        "told",
        title="Votre mot de passe est créé",
        detail="Vous pouvez maintenant vous connecter.",
        onward="/gestion/connexion" if staff else SIGN_IN,
        onward_words="Se connecter",
    )


# --- « Mot de passe oublié »


@router.get("/mot-de-passe-oublie")
async def forgotten_page(request: Request, gestion: str = "") -> Response:
    return space_page(request, "forgotten", email="", staff=gestion == "oui")


@router.post("/mot-de-passe-oublie")
async def forgotten(request: Request, fields: Fields, visit: Visit, use: Use, background: BackgroundTasks) -> Response:
    """One answer for everybody; the work is done after it."""
    email, staff = fields.get("email", "")[:200], fields.get("gestion") == "oui"
    try:
        kind = UserKind.staff if staff else UserKind.employer
        asked = validated(ResetRequest, {"email": email, "kind": kind.value})
        await use.password_resets.admit(visit)
    except InvalidFields as wrong:
        return space_page(request, "forgotten", 422, wrong=wrong, email=email, staff=staff)
    background.add_task(use.password_resets.send, asked)
    return space_page(request, "told", title="Vérifiez votre messagerie", detail=RESET_ANSWER.detail)


@router.get("/acces/mot-de-passe/{token}")
async def reset_page(token: Token, request: Request) -> Response:
    return space_page(request, "new_password")


@router.post("/acces/mot-de-passe/{token}")
async def complete_reset(token: Token, request: Request, fields: Fields, use: Use) -> Response:
    try:
        await use.password_resets.complete(
            validated(ResetCompletion, {"token": token, "password": fields.get("password", "")})
        )
    except InvalidFields as wrong:
        return space_page(request, "new_password", 422, wrong=wrong)
    return space_page(
        request,
        "told",
        title="Votre mot de passe est changé",
        detail="Vous avez été déconnecté partout. Connectez-vous avec votre nouveau mot de passe.",
        onward=SIGN_IN,
        onward_words="Se connecter",
    )


# --- links with one button


@dataclass(frozen=True)
class _OneButton:
    """What a link's page asks, what its button says and does, and what is said then."""

    title: str
    asks: str
    button: str
    done: str
    do: Callable[[Request, Parts, str], Awaitable[Any]]


def _use_new_address(request: Request, use: Parts, token: str) -> Awaitable[None]:
    here = [cookie_of(request, cookie, use.config) for cookie in SESSION_OF.values()]
    sessions = [token_hash(session) for session in here if session]
    return use.profile.email.complete(validated(EmailChangeCompletion, {"token": token}), sessions)


_ONE_BUTTON: Final = {
    "activation/accord": _OneButton(
        "Autoriser l’ouverture de l’espace",
        "Une personne demande à ouvrir l’Espace Entreprise Santé de votre entreprise et à l’administrer.",
        "Autoriser",
        "Votre accord est enregistré. La personne reçoit un message pour terminer.",
        lambda request, use, token: use.activations.agree(validated(MailedLink, {"token": token})),
    ),
    "activation/refus": _OneButton(
        "Bloquer l’ouverture de l’espace",
        "Si personne dans votre entreprise n’a demandé à ouvrir l’Espace Entreprise Santé, bloquez cette demande.",
        "Bloquer cette demande",
        "La demande est bloquée. Nos équipes sont prévenues.",
        lambda request, use, token: use.activations.stop(validated(MailedLink, {"token": token})),
    ),
    "reprise/refus": _OneButton(
        "Refuser la reprise de l’espace",
        "Une personne demande à administrer l’espace de votre entreprise. Si ce n’est pas justifié, refusez.",
        "Refuser cette demande",
        "La demande est refusée : rien n’a changé dans votre espace.",
        lambda request, use, token: use.company_recoveries.stop(validated(MailedLink, {"token": token})),
    ),
    "telephone/refus": _OneButton(
        "Garder mon téléphone",
        "On nous a signalé que vous n’avez plus votre téléphone. Si ce n’est pas vous, gardez-le enregistré.",
        "Garder mon téléphone",
        "Rien ne change : votre téléphone reste enregistré.",
        lambda request, use, token: use.profile.phone_losses.stop(validated(LossStop, {"token": token})),
    ),
    "adresse": _OneButton(
        "Confirmer ma nouvelle adresse",
        "Votre nouvelle adresse e-mail remplacera l’ancienne pour vous connecter et recevoir nos messages.",
        "Confirmer cette adresse",
        "Votre adresse est changée. Utilisez-la à votre prochaine connexion.",
        _use_new_address,
    ),
}


def _add_one_button(path: str, one: _OneButton) -> None:
    @router.get(f"/acces/{path}/{{token}}", name=path)
    async def ask(token: Token, request: Request) -> Response:
        return space_page(request, "one_button", one=one)

    @router.post(f"/acces/{path}/{{token}}", name=f"{path}!")
    async def act(token: Token, request: Request, use: Use) -> Response:
        await one.do(request, use, token)
        return space_page(request, "told", title=one.title, detail=one.done)


for _path, _one in _ONE_BUTTON.items():
    _add_one_button(_path, _one)
