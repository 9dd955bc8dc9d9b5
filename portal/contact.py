"""« Nous contacter » (guide, page 13): the reasons in two levels, what does the same at once, the message with files,
and the receipt.

What is typed outlives its session (`portal.kept_forms`); files do not, and the page says so. Against programs that fill
in forms there is a field that nobody sees and a seal that says since when the form is shown (security.md B-01).
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Query, Request, Response

from gateways.encryption import CannotDecrypt, FieldCipher
from messages.typography import french
from portal.contact_words import in_words, known_reason, typed_text, with_files_again, words
from portal.forms import Fields, Several
from portal.kept_forms import Kept, opened, signed_in_again
from portal.pages import see_other, with_retry
from portal.procedures import PROCEDURES
from portal.space import SpaceRoute, one_problem, signed_in_page
from services.callers import Caller, Scope
from services.contact_views import NewContact, ReasonGroup, ReasonView
from services.fields import validated
from services.problems import (
    FieldError,
    InvalidFields,
    KeyReused,
    Problem,
    StorageAway,
    TooManyRequests,
)
from web.callers import Use, UserCaller, UserUploader
from web.csrf import OwnSite
from web.parts import Parts
from web.visitors import Visit

FORM: Final = "/contact"
DRAFT: Final = f"{FORM}/brouillon"
AGAIN: Final = f"{FORM}/reprise"
TYPED: Final = ("company_id", "reason", "subject", "message")
TRAP: Final = "site_web"  # nobody sees this field
SEAL: Final = "jeton"
LEAST_SECONDS: Final = 2  # to write even the shortest message
_MOST_HOURS: Final = 24


class Route(SpaceRoute):
    kept = Kept(FORM, AGAIN, TYPED, files=True)


router = APIRouter(route_class=Route, dependencies=[OwnSite], include_in_schema=False)

# What helps before writing, by the reason.
_ADVICE: Final = {
    code: french(text)
    for code, text in {
        "contributions": "Votre assureur et vos références sont dans « Mes contrats ». Pour une question sur un "
        "montant, indiquez la période concernée.",
        "company_added": "Avec le SIRET et l’identifiant entreprise de l’établissement, vous l’ajoutez vous-même en "
        "ligne. Vous êtes tiers déclarant ? Demandez un mandat : l’entreprise l’accepte en ligne.",
        "affiliation": "Vous pouvez déclarer un nouveau salarié, le relancer, corriger son adresse ou télécharger son "
        "formulaire tout de suite, en ligne.",
        "radiation": "Votre entreprise émet une DSN ? Vous n’avez rien à faire : la fin du contrat et la portabilité "
        "nous arrivent par elle. Sinon, déclarez la fin du contrat en ligne.",
        "employee_documents": "Votre salarié envoie lui-même ses documents depuis son lien personnel : ils restent "
        "entre lui et nous. Il l’a perdu ? Relancez-le depuis « Suivi des affiliations ».",
    }.items()
}


@router.get(FORM)
async def form(
    request: Request,
    caller: UserCaller,
    use: Use,
    motif: Annotated[str, Query(max_length=40)] = "",
    ecrire: Annotated[str, Query(max_length=3)] = "",
) -> Response:
    """The reasons; of a reason, the page that does it at once, if there is one; then the form."""
    groups = await use.contact.reasons()
    reason, _ = _found(groups, motif)
    if reason is None:
        return await signed_in_page(
            request,
            caller,
            use,
            "contact/reasons",
            groups=groups,
            advice=_ADVICE,
            lost="perdu" in request.query_params,
        )
    if reason.page and ecrire != "oui":
        return await signed_in_page(
            request, caller, use, "contact/at_once", reason=reason, told=_ADVICE.get(reason.code, "")
        )
    caller.need(Scope.write)
    return await _form_page(request, caller, use, {"reason": reason.code})


@router.post(DRAFT)
async def draft(request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    """The form filled in by another page of ours; nothing is sent."""
    return await _form_page(request, caller, use, fields)


async def again_caller(request: Request, use: Use) -> Caller:
    return await signed_in_again(request, use)


@router.post(AGAIN)
async def again(
    request: Request, caller: Annotated[Caller, Depends(again_caller)], fields: Fields, use: Use
) -> Response:
    """What was kept when the session ended, in the form again."""
    kept = opened(request, use, caller, fields)
    if kept is None:
        return see_other(f"{FORM}?perdu=oui")
    return await _form_page(request, caller, use, kept.typed, kept=True)


@router.get(DRAFT)
@router.get(AGAIN)
async def back_to_form() -> Response:
    """Where something was sent to is looked at again after signing in."""
    return see_other(FORM)


@router.post(FORM)
async def send(request: Request, caller: UserUploader, sent: Several, use: Use, visit: Visit) -> Response:
    """To the receipt; or the form again, with what is to be corrected."""
    fields = sent.fields
    seal = read_seal(use.cipher, caller, fields.get(SEAL, ""))
    try:
        asked = _asked(_company(caller, fields), fields)
        if seal is None or fields.get(TRAP) or time.time() - seal.shown < LEAST_SECONDS:
            words = "Rien n’a été envoyé : relisez votre message, puis envoyez-le de nouveau."
            raise InvalidFields([FieldError("", "hurried", french(words))])
        receipt = await use.contact.send(caller, asked, sent.files, seal.key, visit.network)
    except InvalidFields as wrong:
        return await _form_page(request, caller, use, fields, with_files_again(in_words(wrong), len(sent.files)))
    except (StorageAway, KeyReused, TooManyRequests) as problem:
        return await _refused(request, caller, use, fields, problem, len(sent.files))
    return see_other(f"{PROCEDURES}/{receipt.id}/recu")


def _asked(company_id: str, fields: Mapping[str, str]) -> NewContact:
    """Raises InvalidFields."""
    typed = {name: typed_text(fields, name) for name in TYPED} | {"company_id": company_id}
    return validated(NewContact, {name: text for name, text in typed.items() if text})


def _company(caller: Caller, fields: Mapping[str, str]) -> str:
    """The one chosen, or the only one."""
    return str(caller.companies[0]) if len(caller.companies) == 1 else fields.get("company_id", "")


async def _refused(
    request: Request, caller: Caller, use: Parts, fields: Mapping[str, str], problem: Problem, files: int
) -> Response:
    field = "file" if isinstance(problem, StorageAway) else ""
    wrong = with_files_again(one_problem(problem, field), files)
    return with_retry(await _form_page(request, caller, use, fields, wrong, problem.status), problem)


async def _form_page(
    request: Request,
    caller: Caller,
    use: Parts,
    fields: Mapping[str, str],
    wrong: InvalidFields | None = None,
    status: int = 0,
    *,
    kept: bool = False,
) -> Response:
    groups = await use.contact.reasons()
    reason, group = _found(groups, known_reason(fields.get("reason", "")))
    companies = (await use.company_views.companies(caller)).items if len(caller.companies) > 1 else []
    typed = {name: typed_text(fields, name) for name in TYPED}
    seal = read_seal(use.cipher, caller, fields.get(SEAL, ""))
    # what comes back was typed by somebody: they need not wait again
    shown = time.time() - (LEAST_SECONDS if typed["message"] else 0)
    return await signed_in_page(
        request,
        caller,
        use,
        "contact/form",
        wrong,
        status,
        groups=groups,
        reason=reason,
        group=group,
        told=_ADVICE.get(reason.code, "") if reason and not reason.page else "",
        companies=companies,
        typed=typed,
        kept=kept,
        trap=TRAP,
        seal=make_seal(use.cipher, caller, shown, seal.key if seal else str(uuid4())),
        **words(),
    )


def _found(groups: list[ReasonGroup], code: str) -> tuple[ReasonView | None, ReasonGroup | None]:
    return next(((one, group) for group in groups for one in group.reasons if one.code == code), (None, None))


# --- since when the form is shown


@dataclass(frozen=True)
class Seal:
    """`shown`: since when, in seconds; `key`: sent twice, it is one request."""

    shown: float
    key: str


def make_seal(cipher: FieldCipher, caller: Caller, shown: float, key: str) -> str:
    sealed = cipher.encrypt(json.dumps([shown, key]), "page", "contact", caller.id)
    return base64.urlsafe_b64encode(sealed).decode()


def read_seal(cipher: FieldCipher, caller: Caller, text: str) -> Seal | None:
    """None: not ours, another user's, or of yesterday."""
    with suppress(CannotDecrypt, binascii.Error, ValueError):
        content: Any = json.loads(
            cipher.decrypt(base64.urlsafe_b64decode(text[:2000].encode()), "page", "contact", caller.id)
        )
        shown, key = float(content[0]), str(UUID(content[1]))
        if time.time() - shown < _MOST_HOURS * 3600:
            return Seal(shown, key)
    return None
