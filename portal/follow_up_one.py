"""One affiliation: what happened, what was sent, what comes next and when, and what the employer can do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from activities.writing import reference_of
from domain.affiliation import PauseReason
from messages import words
from messages.typography import french
from portal import follow_up_rows as rows
from portal.follow_up import LIST, asked_for
from portal.forms import Fields, UnreadableForm
from portal.pages import see_other, with_retry
from portal.space import SpaceRoute, space_page
from services.callers import Caller
from services.declarations import CorrectedContact, Pause, Skip, Withdrawal, WithdrawalReason
from services.fields import validated
from services.greetings import greeting
from services.idempotency import Once, once
from services.problems import (
    AlreadyOpen,
    EngineUnavailable,
    FieldError,
    InvalidFields,
    Problem,
    RefusedByRules,
)
from services.views import AffiliationSummary
from web.callers import Use, UserCaller
from web.csrf import OwnSite
from web.parts import Parts

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

ONE: Final = f"{LIST}/{{affiliation_id:uuid}}"
Done = Annotated[str, Query(alias="fait", max_length=40)]
DONE: Final = {
    code: french(sentence)
    for code, sentence in {
        "relance": "La relance est demandée : elle part dans quelques instants.",
        "corrige": "Les coordonnées sont corrigées. Si l’adresse utilisée a changé, l’invitation repart.",
        "pause": "Les envois automatiques sont en pause.",
        "envois": "Les envois automatiques reprennent : leurs délais comptent à partir de maintenant.",
        "annule": "Cet envoi n’aura pas lieu. Ce qui vient après est inchangé.",
        "retire": "La déclaration est retirée : plus rien ne part à cette personne.",
        "reprise": "Voici la nouvelle affiliation. L’invitation part dans quelques instants.",
    }.items()
}
WITHDRAWALS: Final = {
    reason.value: french(sentence)
    for reason, sentence in {
        WithdrawalReason.not_hired: "La personne n’a pas été embauchée",
        WithdrawalReason.left: "La personne a quitté l’entreprise",
        WithdrawalReason.duplicate: "Cette déclaration existait déjà",
        WithdrawalReason.mistake: "La déclaration a été faite par erreur",
        WithdrawalReason.other: "Autre raison",
    }.items()
}
PAUSES: Final = {reason.value: words.pause_reason_label(reason) for reason in PauseReason}
CONTACT: Final = ("email", "phone", "line1", "line2", "postcode", "city")


@dataclass(frozen=True)
class Refusal:
    """Why something could not be done, as the page says it. `open_id`: the affiliation that stands in its way."""

    title: str
    detail: str
    open_id: str = ""


def refusal_of(problem: Problem) -> Refusal:
    if isinstance(problem, EngineUnavailable):
        detail = "Le service n’a pas répondu à temps. Appuyez de nouveau sur le bouton : rien ne partira deux fois."
        return Refusal("Demande non confirmée", detail)
    return Refusal(problem.title, problem.detail, str(problem.extensions.get("id", "")))


def key_of(fields: Mapping[str, str]) -> str:
    """The key that the page gave its form: sent twice, it has one effect. Raises UnreadableForm."""
    try:
        return str(UUID(fields.get("cle", "")))
    except ValueError:
        raise UnreadableForm() from None


def once_of(
    use: Parts, fields: Mapping[str, str], action: str, affiliation_id: UUID, request: BaseModel | None = None
) -> Once:
    """Raises UnreadableForm."""
    asked = once(use.cipher, key_of(fields), action, affiliation_id, request)
    assert asked is not None, "there is a key"
    return asked


async def one_page(
    request: Request,
    caller: Caller,
    use: Parts,
    template: str,
    affiliation_id: UUID,
    *,
    wrong: InvalidFields | None = None,
    problem: Problem | None = None,
    keys: Mapping[str, str] | None = None,
    **values: Any,
) -> Response:
    """A form about one affiliation. `keys`: of a form that may be sent again, by action."""
    who, (item, declared) = await asyncio.gather(
        greeting(use.system, caller), use.affiliations.follow_up.declared(caller, affiliation_id)
    )
    return _shown(
        request, template, who, problem, keys or {}, wrong=wrong, item=item, declared=declared,
        can=rows.actions(item), **values,
    )  # fmt: skip


def _shown(
    request: Request, template: str, who: Any, problem: Problem | None, keys: Mapping[str, str], **values: Any
) -> Response:
    status = problem.status if problem else 422 if values.get("wrong") else 200
    answer = space_page(
        request,
        f"follow_up/{template}",
        status,
        who=who,
        refused=refusal_of(problem) if problem else None,
        keys=keys,
        new_key=uuid4,
        now=datetime.now(UTC),
        rows=rows,
        **values,
    )
    return with_retry(answer, problem) if problem else answer


# --- the page


@router.get(ONE)
async def one(affiliation_id: UUID, request: Request, caller: UserCaller, use: Use, fait: Done = "") -> Response:
    return await _file_page(affiliation_id, request, caller, use, note=DONE.get(fait, ""))


async def _file_page(
    affiliation_id: UUID,
    request: Request,
    caller: Caller,
    use: Parts,
    *,
    note: str = "",
    problem: Problem | None = None,
    keys: Mapping[str, str] | None = None,
) -> Response:
    who, file = await asyncio.gather(
        greeting(use.system, caller), use.affiliations.follow_up.file(caller, affiliation_id)
    )
    item, now = file.detail, datetime.now(UTC)
    later = item.reminder_allowed_from
    return _shown(
        request,
        "one",
        who,
        problem,
        keys or {},
        note=note,
        item=item,
        events=file.events,
        declared=file.declared,
        successor_id=file.successor_id,
        reference=reference_of(item.id),
        can=rows.actions(item),
        remind_from=later if later is not None and later > now else None,
        skippable={(step.kind, step.number) for step in item.skippable},
    )


@router.get(f"{ONE}/formulaire.pdf")
async def form(affiliation_id: UUID, caller: UserCaller, use: Use) -> Response:
    """« Télécharger le formulaire »."""
    pdf = await use.affiliations.follow_up.form_pdf(caller, affiliation_id)
    return Response(
        pdf,
        media_type="application/pdf",
        headers={"Content-Disposition": 'attachment; filename="formulaire-affiliation.pdf"'},
    )


# --- what is asked with one button


async def _asked(
    affiliation_id: UUID,
    request: Request,
    caller: Caller,
    use: Parts,
    fields: Mapping[str, str],
    action: str,
    done: str,
    ask: Callable[[Once], Awaitable[object]],
    what: BaseModel | None = None,
) -> Response:
    """Asks, then shows what became of it; a refusal stands above the file, whose button keeps its key."""
    asked = once_of(use, fields, action, affiliation_id, what)
    try:
        await ask(asked)
    except (RefusedByRules, EngineUnavailable) as problem:
        keys = {action: asked.key} if isinstance(problem, EngineUnavailable) else {}
        return await _file_page(affiliation_id, request, caller, use, problem=problem, keys=keys)
    return see_other(f"{LIST}/{affiliation_id}?fait={done}")


@router.post(f"{ONE}/relance")
async def remind(affiliation_id: UUID, request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    """« Relancer », from the list or from here: either is gone back to."""

    async def ask(asked: Once) -> None:
        await use.affiliations.remind(caller, affiliation_id, asked)

    answer = await _asked(affiliation_id, request, caller, use, fields, "remind", "relance", ask)
    if answer.status_code == 303 and "liste" in fields:
        back = asked_for(dict(parse_qsl(fields["liste"][:1000])))
        query = back.query(suite=back.suite)
        done = f"fait=relance&salarie={affiliation_id}"
        return see_other(f"{LIST}?{query}&{done}" if query else f"{LIST}?{done}")
    return answer


@router.post(f"{ONE}/envois")
async def resume(affiliation_id: UUID, request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    """« Reprendre les envois »."""

    async def ask(asked: Once) -> None:
        await use.affiliations.resume(caller, affiliation_id, asked)

    return await _asked(affiliation_id, request, caller, use, fields, "resume", "envois", ask)


@router.post(f"{ONE}/envois/annulation")
async def skip(affiliation_id: UUID, request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    """« Sauter » an automatic message of the calendar."""
    try:
        skipped = validated(Skip, {"kind": fields.get("envoi"), "number": fields.get("numero")})
    except InvalidFields:
        raise UnreadableForm() from None

    async def ask(asked: Once) -> None:
        await use.affiliations.skip(caller, affiliation_id, skipped, asked)

    return await _asked(affiliation_id, request, caller, use, fields, "skip", "annule", ask, skipped)


@router.get(f"{ONE}/relance")
@router.get(f"{ONE}/envois")
@router.get(f"{ONE}/envois/annulation")
async def back_to_file(affiliation_id: UUID) -> Response:
    """Where something was asked for is looked at again after a sign-in, or « Réessayer »."""
    return see_other(f"{LIST}/{affiliation_id}")


# --- « Corriger les coordonnées »


@router.get(f"{ONE}/coordonnees")
async def contact_page(affiliation_id: UUID, request: Request, caller: UserCaller, use: Use) -> Response:
    return await one_page(request, caller, use, "contact", affiliation_id, typed=None)


@router.post(f"{ONE}/coordonnees")
async def correct(affiliation_id: UUID, request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    """The invitation leaves anew; what was typed is kept where something is wrong."""
    typed = {name: fields.get(name, "")[:200] for name in CONTACT}
    keys = {"correct_contact": key_of(fields)}
    try:
        corrected = validated(
            CorrectedContact,
            {
                "email": typed["email"],
                "phone": typed["phone"],
                "address": {name: typed[name] for name in CONTACT[2:]},
            },
        )
        asked = once_of(use, fields, "correct_contact", affiliation_id, corrected)
        await use.affiliations.correct_contact(caller, affiliation_id, corrected, asked)
    except InvalidFields as invalid:
        return await one_page(
            request, caller, use, "contact", affiliation_id, wrong=_on_form(invalid), typed=typed, keys={}
        )
    except (RefusedByRules, EngineUnavailable) as problem:
        again = keys if isinstance(problem, EngineUnavailable) else {}
        return await one_page(request, caller, use, "contact", affiliation_id, problem=problem, typed=typed, keys=again)
    return see_other(f"{LIST}/{affiliation_id}?fait=corrige")


_MISSING: Final = {
    "line1": "Indiquez le numéro et la rue. Exemple : 12 rue des Lilas",
    "postcode": "Indiquez le code postal. Exemple : 75011",
    "city": "Indiquez la ville. Exemple : Paris",
}


def _on_form(invalid: InvalidFields) -> InvalidFields:
    """Each field's first error, where the form has it."""
    errors: dict[str, FieldError] = {}
    for one in invalid.errors:
        name = one.field.removeprefix("address.")
        name = "line1" if name in ("address", "country") else name
        missing = one.code in ("missing", "string_too_short") and name in _MISSING
        message = french(_MISSING[name]) if missing else one.message
        errors.setdefault(name, FieldError(name, one.code, message))
    return InvalidFields(list(errors.values()))


# --- « Mettre en pause », « Retirer la déclaration », « Reprendre »


@dataclass(frozen=True)
class _Reasoned:
    """A change that takes a reason: its page, the reasons, what is told without one, and when it is done."""

    template: str
    reasons: Mapping[str, str]
    missing: str
    done: str


_PAUSE: Final = _Reasoned("pause", PAUSES, french("Choisissez pourquoi les envois s’arrêtent."), "pause")
_WITHDRAWAL: Final = _Reasoned(
    "withdraw", WITHDRAWALS, french("Choisissez pourquoi vous retirez cette déclaration."), "retire"
)


@router.get(f"{ONE}/pause")
async def pause_page(affiliation_id: UUID, request: Request, caller: UserCaller, use: Use) -> Response:
    return await one_page(request, caller, use, "pause", affiliation_id, reasons=PAUSES, typed={})


@router.post(f"{ONE}/pause")
async def pause(affiliation_id: UUID, request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    async def ask(reason: str) -> None:
        asked = Pause(reason=PauseReason(reason))
        await use.affiliations.pause(
            caller, affiliation_id, asked, once_of(use, fields, "pause", affiliation_id, asked)
        )

    return await _asked_with_reason(affiliation_id, request, caller, use, fields, _PAUSE, ask)


@router.get(f"{ONE}/retrait")
async def withdrawal_page(affiliation_id: UUID, request: Request, caller: UserCaller, use: Use) -> Response:
    """What « Retirer » means is said before it is done."""
    return await one_page(request, caller, use, "withdraw", affiliation_id, reasons=WITHDRAWALS, typed={})


@router.post(f"{ONE}/retrait")
async def withdraw(affiliation_id: UUID, request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    async def ask(reason: str) -> None:
        asked = Withdrawal(reason=WithdrawalReason(reason))
        await use.affiliations.withdraw(
            caller, affiliation_id, asked, once_of(use, fields, "withdraw", affiliation_id, asked)
        )

    return await _asked_with_reason(affiliation_id, request, caller, use, fields, _WITHDRAWAL, ask)


async def _asked_with_reason(
    affiliation_id: UUID,
    request: Request,
    caller: Caller,
    use: Parts,
    fields: Mapping[str, str],
    change: _Reasoned,
    ask: Callable[[str], Awaitable[None]],
) -> Response:
    """Asks, or shows the page again: without a reason, refused, or with its key where nobody answered."""
    reason = fields.get("reason", "")
    wrong: InvalidFields | None = None
    refused: Problem | None = None
    keys: dict[str, str] = {}
    try:
        if reason in change.reasons:
            await ask(reason)
            return see_other(f"{LIST}/{affiliation_id}?fait={change.done}")
        wrong = InvalidFields([FieldError("reason", "missing", change.missing)])
    except (RefusedByRules, EngineUnavailable) as problem:
        refused = problem
        keys = {change.template: key_of(fields)} if isinstance(problem, EngineUnavailable) else {}
    return await one_page(
        request, caller, use, change.template, affiliation_id, wrong=wrong, problem=refused, keys=keys,
        reasons=change.reasons, typed={"reason": reason},
    )  # fmt: skip


@router.get(f"{ONE}/reprise")
async def restart_page(affiliation_id: UUID, request: Request, caller: UserCaller, use: Use) -> Response:
    return await one_page(request, caller, use, "restart", affiliation_id)


@router.post(f"{ONE}/reprise")
async def restart(affiliation_id: UUID, request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    """« Reprendre »: leads to the new affiliation, or says which one is open."""
    try:
        new: AffiliationSummary = await use.affiliations.restart(
            caller, affiliation_id, once_of(use, fields, "restart", affiliation_id)
        )
    except (RefusedByRules, AlreadyOpen) as problem:
        return await one_page(request, caller, use, "restart", affiliation_id, problem=problem)
    return see_other(f"{LIST}/{new.id}?fait=reprise")
