"""What the assistant says of the caller's own people: read by the services of the pages, with the caller's rights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from pydantic import BaseModel

from domain.affiliation import Status
from domain.assistant import Intent, Wanted
from domain.media import Medium, MessageKind
from domain.working_time import french_moment
from messages import words
from messages.typography import french
from services.callers import Caller
from services.follow_up import Filters, FollowUpService, Order
from services.insured import InsuredFilters, InsuredService
from services.insured_views import InsuredSummary
from services.views import AffiliationSummary, MessageState

MOST_SHOWN: Final = 5
FOLLOW_UP: Final = "/salaries/suivi"
INSURED: Final = "/salaries/affilies"
_REMINDERS: Final = (MessageKind.reminder, MessageKind.draft_reminder, MessageKind.employer_reminder)
_LEFT: Final = (MessageState.handed_over, MessageState.delivered, MessageState.rejected)


class Case(BaseModel):
    """Somebody, what is to be said of them, and the page that says it all."""

    title: str
    text: str
    page: str


@dataclass(frozen=True)
class CaseAnswer:
    says: list[str]
    cases: list[Case]
    label: str
    page: str


class CaseReader:
    def __init__(self, follow_up: FollowUpService, insured: InsuredService) -> None:
        self._follow_up = follow_up
        self._insured = insured

    async def read(self, caller: Caller, asked: Wanted) -> CaseAnswer | None:
        """None: it was not about anybody of the caller's, and not written as if. Raises NotAllowed."""
        if asked.intent is Intent.counts:
            return await self._counts(caller)
        people = await self._named(caller, asked.name)
        if asked.intent is Intent.reminders:
            return await self._reminders(caller, people) if people else _nobody(asked)
        insured = await self._insured_named(caller, asked.name) if not people else []
        if not people and not insured:
            return _nobody(asked)
        cases = [_affiliation(one) for one in people[:MOST_SHOWN]] + [_contract(one) for one in insured[:MOST_SHOWN]]
        if not people:
            return CaseAnswer([_found(len(insured), "contrat")], cases, "Mes salariés affiliés", INSURED)
        return CaseAnswer([_found(len(people), "affiliation")], cases, "Suivi des affiliations", FOLLOW_UP)

    async def _named(self, caller: Caller, name: Sequence[str]) -> list[AffiliationSummary]:
        """By all the words, else by each: something else than a name may stand among them."""
        for part in dict.fromkeys((" ".join(name), *name)):
            page = await self._follow_up.page(caller, Filters(q=part, order=Order.newest), MOST_SHOWN + 1, None)
            if page.items:
                return page.items
        return []

    async def _insured_named(self, caller: Caller, name: Sequence[str]) -> list[InsuredSummary]:
        for part in dict.fromkeys((" ".join(name), *name)):
            page = await self._insured.page(caller, InsuredFilters(q=part), MOST_SHOWN + 1, None)
            if page.items:
                return page.items
        return []

    async def _reminders(self, caller: Caller, people: Sequence[AffiliationSummary]) -> CaseAnswer:
        cases = []
        for one in people[:MOST_SHOWN]:
            detail = await self._follow_up.detail(caller, one.id)
            left = [message for message in detail.dispatches if message.state in _LEFT]
            reminders = sum(message.kind in _REMINDERS for message in left)
            sent = _many(reminders, "relance envoyée", "relances envoyées")
            said = f"{sent}, sur {_many(len(left), 'message', 'messages')}."
            cases.append(
                Case(title=_name(one), text=french(f"{said} {_next(one)}".strip()), page=f"{FOLLOW_UP}/{one.id}")
            )
        return CaseAnswer([_found(len(people), "affiliation")], cases, "Suivi des affiliations", FOLLOW_UP)

    async def _counts(self, caller: Caller) -> CaseAnswer:
        overview = await self._follow_up.overview(caller, Filters(), 1, None)
        insured = await self._insured.page(caller, InsuredFilters(), 1, None)
        counts = overview.counts
        cases = [
            Case(
                title=words.status_label(status.value),
                text=_many(counts.by_status.get(status, 0), "affiliation", "affiliations"),
                page=f"{FOLLOW_UP}?statut={status.value}",
            )
            for status in Status
        ]
        cases.append(
            Case(
                title="Mes salariés affiliés",
                text=("" if insured.total_is_exact else "plus de ") + _many(insured.total, "contrat", "contrats"),
                page=INSURED,
            )
        )
        says = [french("Voici vos affiliations, par statut :")]
        if counts.todo:
            says.append(french(f"{_many(counts.todo, 'attend', 'attendent')} une correction de votre part."))
        return CaseAnswer(says, cases, "Suivi des affiliations", FOLLOW_UP)


def _nobody(asked: Wanted) -> CaseAnswer | None:
    if not asked.sure:
        return None
    says = french(
        "Je ne trouve personne de ce nom parmi vos affiliations et vos salariés affiliés. Vérifiez l’orthographe, ou "
        "cherchez dans la liste."
    )
    return CaseAnswer([says], [], "Suivi des affiliations", FOLLOW_UP)


def _affiliation(one: AffiliationSummary) -> Case:
    medium = words.medium_label(Medium(one.medium).value)
    said = f"{words.status_label(one.status.value)}, {_moment(one.status_at)} ({medium}, {one.establishment})."
    if one.todo and one.attention is not None:
        said += f" {words.attention_label(one.attention.value)}."
    elif one.awaits == "documents":
        said += " Des pièces sont encore attendues."
    elif one.awaits == "check":
        said += " Nous vérifions ses documents."
    if one.pause is not None:
        said += " Les envois automatiques sont en pause."
    return Case(title=_name(one), text=french(f"{said} {_next(one)}".strip()), page=f"{FOLLOW_UP}/{one.id}")


def _contract(one: InsuredSummary) -> Case:
    state = words.contract_state_label(one.state.value)
    said = f"Assuré depuis le {one.starts_on:%d/%m/%Y} : {one.formula} ({state}, {one.establishment})."
    return Case(title=f"{one.first_names} {one.last_name}", text=french(said), page=f"{INSURED}/{one.id}")


def _next(one: AffiliationSummary) -> str:
    if one.next_step is None:
        return ""
    return f"{words.step_label(one.next_step.kind)} : {_moment(one.next_step.at)}."


def _moment(at: datetime) -> str:
    return french_moment(at, datetime.now(UTC))


def _name(one: AffiliationSummary) -> str:
    return f"{one.first_names} {one.last_name}"


def _found(count: int, thing: str) -> str:
    if count > MOST_SHOWN:
        return french(f"Voici les {MOST_SHOWN} premières réponses ; la liste en a d’autres.")
    return french(f"J’ai trouvé {_many(count, thing, f'{thing}s')} à ce nom :")


def _many(count: int, one: str, several: str) -> str:
    return f"{count} {several if count > 1 else one}"
