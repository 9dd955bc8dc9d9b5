"""The rights of insured persons: ends of contract that an employer without DSN declares (« Radiation contexte sans
DSN »), what staff decide, and the history of all of it.

Each change is written in one transaction (`activities.coverage_changes`), then told to the workflow; what Temporal does
not hear the sweep tells.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final, Literal
from uuid import UUID

import asyncpg
from pydantic import AfterValidator, Field

from activities import coverage_changes
from activities.coverage_changes import EndFault, EndOfContract, EndRefused, Origin
from activities.coverage_writing import certificate_content
from db import audit, coverage_rights, insured
from db.pool import Connection, Pool, system, tenant
from domain.coverage_rights import (
    CoverageFacts,
    EarlyEnd,
    End,
    Opening,
    RightsMessage,
    StepKind,
    Told,
    calendar,
    rights_on,
)
from domain.departures import covered_until, reasons
from domain.identifiers import InvalidValue
from domain.portability_rules import edition_on
from domain.suspensions import suspension_labels
from domain.working_time import months_after, paris_date
from messages.certificates import Portability, render_radiation
from messages.typography import french, short_date_in_words
from services import idempotency
from services.callers import Caller, Scope
from services.coverage_rights_views import (
    AwaitedRights,
    CoveredPerson,
    EndPreview,
    EndView,
    InsuredRights,
    RadiationCompany,
    RightsDesk,
    RightsMessageView,
    RightsOfDay,
    RightsStepView,
    dates_of,
    day_view,
    employers_facts,
    history,
    suspension_views,
)
from services.fields import Day, Form, today
from services.idempotency import Once
from services.problems import FieldError, InvalidFields, NotFound, RefusedByRules
from workflows.coverage_rights_client import CoverageRights
from workflows.engine import EngineAway

log = logging.getLogger(__name__)

DESK_LIMIT: Final = 200
_EXAMPLE: Final = "2026-11-23"
_REASON_EXAMPLE: Final = "043"


def _known_reason(code: str) -> str:
    if code not in reasons():
        words = "Ce motif n’existe pas. Indiquez le code d’un motif de fin de contrat, par exemple 043."
        raise InvalidValue("reason.unknown", words, _REASON_EXAMPLE)
    return code


def _known_suspension(code: str) -> str:
    if code not in suspension_labels():
        codes = ", ".join(suspension_labels())
        words = f"Ce motif ne suspend pas la couverture. Indiquez l’un de ces codes : {codes}."
        raise InvalidValue("reason.unknown", words, "632")
    return code


EndReason = Annotated[str, Field(max_length=10, examples=[_REASON_EXAMPLE]), AfterValidator(_known_reason)]
SuspensionReason = Annotated[str, Field(max_length=10, examples=["632"]), AfterValidator(_known_suspension)]
ADay = Annotated[Day, Field(examples=[_EXAMPLE])]


class NewEnd(Form):
    """`reason`: a code of S21.G00.62.002. `contract_began_on`: of the first of contracts that follow each other here;
    None: the day of hire."""

    contract_ends_on: ADay
    reason: EndReason
    contract_began_on: ADay | None = None


class CancelledEnd(Form):
    """The end that is taken back, by its day."""

    contract_ends_on: ADay


class PortabilityProof(Form):
    """A proof of unemployment benefit counts to the end of this day's month."""

    until: ADay


class EarlyPortabilityEnd(Form):
    """`on`: its last day."""

    reason: Literal[EarlyEnd.new_job, EarlyEnd.retirement, EarlyEnd.death, EarlyEnd.insurer, EarlyEnd.other]
    on: ADay


class PortabilityDecision(Form):
    open: bool


class NewSuspension(Form):
    """`kept`: the cover goes on, as the person pays; None: to be decided later."""

    reason: SuspensionReason
    first_day: ADay
    last_day: ADay | None = None
    kept: bool | None = None


class SuspensionDecision(Form):
    first_day: ADay
    kept: bool


class CancelledSuspension(Form):
    first_day: ADay


@dataclass(frozen=True)
class _Known:
    """A coverage as it is read: `cover`, `contract` of `db.insured`, `row` of `db.coverage_rights.FACTS`."""

    cover: asyncpg.Record
    contract: asyncpg.Record
    row: asyncpg.Record
    facts: CoverageFacts


class CoverageRightsService:
    """A staff caller acts on every coverage, an employer on those of their perimeter."""

    def __init__(self, web: Pool, system_pool: Pool, rights: CoverageRights) -> None:
        self._web = web
        self._system = system_pool
        self._rights = rights

    # --- reading

    async def history(self, caller: Caller, coverage_id: UUID) -> InsuredRights:
        """The rights of one insured person and how they came so. Raises NotAllowed, NotFound."""
        self._may_read(caller)
        async with self._open(caller) as connection:
            known = await _known(connection, coverage_id)
            await audit.viewed(connection, caller.actor, [known.cover["affiliation_id"]], "rights")
            return await self._view(connection, caller, coverage_id, known)

    async def on_day(self, caller: Caller, coverage_id: UUID, on: date) -> RightsOfDay:
        """The rights of one day, as they are known today. Raises NotAllowed, NotFound."""
        self._may_read(caller)
        async with self._open(caller) as connection:
            known = await _known(connection, coverage_id)
        return day_view(on, rights_on(_shown(caller, known.facts), on))

    async def radiation_certificate_pdf(self, caller: Caller, coverage_id: UUID) -> bytes:
        """« Attestation de radiation »; who asked for it is in the audit log. Raises NotAllowed, NotFound,
        RefusedByRules: no end is known."""
        self._may_read(caller)
        async with self._open(caller) as connection:
            known = await _known(connection, coverage_id)
            end = known.facts.end
            if end is None:
                raise _refused(EndFault.no_end)
            await audit.viewed(connection, caller.actor, [known.cover["affiliation_id"]], "radiation")
        opened = end.portability is Opening.open
        portability = Portability(
            end.portability.value,
            end.portability_from if opened else None,
            end.portability_until if opened else None,
        )
        content = certificate_content(known.cover, known.contract, end.covered_until, today())
        return await asyncio.to_thread(render_radiation, content, portability)

    async def desk(self, caller: Caller) -> RightsDesk:
        """What waits for staff: decisions, deaths, messages that reach nobody. Raises NotAllowed."""
        caller.need(Scope.staff)
        async with system(self._system) as connection:
            rows = await connection.fetch(coverage_rights.DESK, DESK_LIMIT)
        return RightsDesk(
            items=[AwaitedRights(since=row["attention_since"], **_named(row, AwaitedRights)) for row in rows]
        )

    async def covered(self, caller: Caller, affiliation_id: UUID) -> CoveredPerson:
        """Staff: whom an affiliation covers. Raises NotAllowed, NotFound: nobody, so far."""
        caller.need(Scope.staff)
        async with system(self._system) as connection:
            row = await connection.fetchrow(coverage_rights.OF_AFFILIATION, affiliation_id)
        if row is None:
            raise NotFound()
        return CoveredPerson(**dict(row))

    async def radiation_companies(self, caller: Caller) -> list[RadiationCompany]:
        """The companies of the perimeter, and where their ends of contract come from. Raises NotAllowed."""
        caller.need(Scope.read)
        async with tenant(self._web, caller.companies) as connection:
            rows = await connection.fetch(coverage_rights.RADIATION_COMPANIES, caller.companies)
        return [RadiationCompany(**dict(row)) for row in rows]

    # --- ends of contract

    async def preview(self, caller: Caller, coverage_id: UUID, asked: NewEnd) -> EndPreview:
        """What would follow from this end; nothing is written. Raises as `declare_end`."""
        self._may_write(caller)
        async with self._open(caller) as connection:
            known = await _known(connection, coverage_id)
        end = coverage_changes.computed(_checked(caller, known, asked))
        facts = replace(known.facts, last_day=end.covered_until, end=end, rules=edition_on(end.contract_ends_on).proof)
        return EndPreview(**dates_of(end).model_dump(), messages=_announced(facts, end, datetime.now(UTC)))

    async def declare_end(
        self, caller: Caller, coverage_id: UUID, asked: NewEnd, once: Once | None = None
    ) -> InsuredRights:
        """An employer without DSN, or staff, declare an end or correct it. Raises NotAllowed, NotFound, InvalidFields,
        KeyReused, RefusedByRules: the company emits DSN, or the end that stands is not the employer's."""
        self._may_write(caller)

        async def change(connection: Connection, known: _Known) -> CoverageFacts | None:
            end = _checked(caller, known, asked)
            origin = Origin.staff if _is_staff(caller) else Origin.employer
            return await coverage_changes.declare_end(connection, coverage_id, end, origin, caller.actor)

        return await self._change(caller, coverage_id, change, once)

    async def cancel_end(
        self, caller: Caller, coverage_id: UUID, asked: CancelledEnd, once: Once | None = None
    ) -> InsuredRights:
        """The end was declared wrongly. An employer takes back their own, until the last day of cover or some days
        after declaring it. Raises as `declare_end`."""
        self._may_write(caller)

        async def change(connection: Connection, known: _Known) -> CoverageFacts | None:
            if not _is_staff(caller):
                _need_no_dsn(known)
                if known.facts.end is not None and not _cancellable(caller, known):
                    raise _refused("end_not_cancellable")
            origin = Origin.staff if _is_staff(caller) else Origin.employer
            return await coverage_changes.cancel_end(
                connection, coverage_id, asked.contract_ends_on, origin, caller.actor
            )

        return await self._change(caller, coverage_id, change, once, nothing=EndFault.no_end)

    # --- staff

    async def give_proof(
        self, caller: Caller, coverage_id: UUID, asked: PortabilityProof, once: Once | None = None
    ) -> InsuredRights:
        """A proof of unemployment benefit, counted to the end of its month and no further than the rules let it.
        Raises NotAllowed, NotFound, InvalidFields, KeyReused, RefusedByRules."""

        async def change(connection: Connection, known: _Known) -> CoverageFacts | None:
            _check_proof(known.facts, asked.until)
            return await coverage_changes.give_proof(connection, coverage_id, asked.until, caller.actor)

        return await self._staff_change(caller, coverage_id, change, once)

    async def end_portability(
        self, caller: Caller, coverage_id: UUID, asked: EarlyPortabilityEnd, once: Once | None = None
    ) -> InsuredRights:
        """A new job, retirement, death… Raises as `give_proof`."""

        async def change(connection: Connection, known: _Known) -> CoverageFacts | None:
            return await coverage_changes.end_portability(connection, coverage_id, asked.reason, asked.on, caller.actor)

        return await self._staff_change(caller, coverage_id, change, once)

    async def resume_portability(self, caller: Caller, coverage_id: UUID, once: Once | None = None) -> InsuredRights:
        """Its early end was recorded wrongly. Raises as `give_proof`."""

        async def change(connection: Connection, known: _Known) -> CoverageFacts | None:
            return await coverage_changes.resume_portability(connection, coverage_id, caller.actor)

        return await self._staff_change(caller, coverage_id, change, once)

    async def decide_portability(
        self, caller: Caller, coverage_id: UUID, asked: PortabilityDecision, once: Once | None = None
    ) -> InsuredRights:
        """On a reason that a person has to look at. Raises as `give_proof`."""

        async def change(connection: Connection, known: _Known) -> CoverageFacts | None:
            return await coverage_changes.decide_portability(connection, coverage_id, asked.open, caller.actor)

        return await self._staff_change(caller, coverage_id, change, once)

    async def suspend(
        self, caller: Caller, coverage_id: UUID, asked: NewSuspension, once: Once | None = None
    ) -> InsuredRights:
        """A time without pay. Raises as `give_proof`."""

        async def change(connection: Connection, known: _Known) -> CoverageFacts | None:
            return await coverage_changes.suspend(
                connection,
                coverage_id,
                asked.reason,
                asked.first_day,
                asked.last_day,
                asked.kept,
                Origin.staff,
                caller.actor,
            )

        return await self._staff_change(caller, coverage_id, change, once)

    async def decide_suspension(
        self, caller: Caller, coverage_id: UUID, asked: SuspensionDecision, once: Once | None = None
    ) -> InsuredRights:
        """Whether the cover is kept meanwhile. Raises as `give_proof`."""

        async def change(connection: Connection, known: _Known) -> CoverageFacts | None:
            return await coverage_changes.decide_suspension(
                connection, coverage_id, asked.first_day, asked.kept, caller.actor
            )

        return await self._staff_change(caller, coverage_id, change, once)

    async def cancel_suspension(
        self, caller: Caller, coverage_id: UUID, asked: CancelledSuspension, once: Once | None = None
    ) -> InsuredRights:
        """It was declared wrongly. Raises as `give_proof`."""

        async def change(connection: Connection, known: _Known) -> CoverageFacts | None:
            return await coverage_changes.cancel_suspension(
                connection, coverage_id, asked.first_day, Origin.staff, caller.actor
            )

        return await self._staff_change(caller, coverage_id, change, once, nothing=EndFault.no_suspension)

    async def settle_attention(self, caller: Caller, coverage_id: UUID, once: Once | None = None) -> InsuredRights:
        """What could only be done by hand is done. Raises as `give_proof`."""

        async def change(connection: Connection, known: _Known) -> CoverageFacts | None:
            return await coverage_changes.settle_attention(connection, coverage_id, caller.actor)

        return await self._staff_change(caller, coverage_id, change, once, nothing="nothing_to_settle")

    # --- parts

    def _open(self, caller: Caller) -> AbstractAsyncContextManager[Connection]:
        return system(self._system) if _is_staff(caller) else tenant(self._web, caller.companies)

    def _may_read(self, caller: Caller) -> None:
        caller.need(Scope.staff if _is_staff(caller) else Scope.read)

    def _may_write(self, caller: Caller) -> None:
        caller.need(Scope.staff_write if _is_staff(caller) else Scope.write)

    async def _staff_change(
        self,
        caller: Caller,
        coverage_id: UUID,
        change: Callable[[Connection, _Known], Awaitable[CoverageFacts | None]],
        once: Once | None,
        nothing: str | None = None,
    ) -> InsuredRights:
        caller.need(Scope.staff_write)
        return await self._change(caller, coverage_id, change, once, nothing)

    async def _change(
        self,
        caller: Caller,
        coverage_id: UUID,
        change: Callable[[Connection, _Known], Awaitable[CoverageFacts | None]],
        once: Once | None,
        nothing: str | None = None,
    ) -> InsuredRights:
        """In one transaction, then told. Repeated under its key, or said again, it changes nothing; `nothing`: what is
        refused when there was nothing to change."""
        async with self._open(caller) as connection:
            known = await _known(connection, coverage_id)
            company_id, affiliation_id = known.cover["company_id"], known.cover["affiliation_id"]
            first = once is None or await idempotency.claim(connection, caller, once, company_id, affiliation_id)
            if first:
                try:
                    facts = await change(connection, known)
                except EndRefused as refused:
                    raise _said(refused) from None
                if facts is None and nothing is not None:
                    raise _refused(nothing)
            else:
                assert once is not None, "claimed before"
                await idempotency.known(connection, caller, once)
                facts = None
        if facts is not None:
            await self._tell(coverage_id, facts)
        async with self._open(caller) as connection:
            return await self._view(connection, caller, coverage_id, await _known(connection, coverage_id))

    async def _tell(self, coverage_id: UUID, facts: CoverageFacts) -> None:
        try:
            await self._rights.tell(coverage_id, facts)
        except EngineAway:
            log.warning("Temporal is away: the sweep will tell it", extra={"id": str(coverage_id)})

    async def _view(self, connection: Connection, caller: Caller, coverage_id: UUID, known: _Known) -> InsuredRights:
        staff, facts = _is_staff(caller), _shown(caller, known.facts)
        events = await connection.fetch(coverage_rights.HISTORY, coverage_id)
        view = InsuredRights(
            id=coverage_id,
            affiliation_id=known.cover["affiliation_id"],
            starts_on=facts.starts_on,
            emits_dsn=known.contract["emits_dsn"],
            may_declare=_may_declare(caller, known),
            today=day_view(today(), rights_on(facts, today())),
            end=_end_view(caller, known),
            suspensions=suspension_views(facts),
            history=history(events, staff),
        )
        if not staff:
            return view
        messages = await connection.fetch(
            coverage_rights.MESSAGES, known.cover["affiliation_id"], [kind.value for kind in RightsMessage]
        )
        step = await connection.fetchrow(coverage_rights.NEXT_STEP, coverage_id)
        assert step is not None, "read just now"
        return view.model_copy(
            update={
                "messages": [RightsMessageView(**dict(row)) for row in messages],
                "next_step": RightsStepView(kind=step["next_step_kind"], at=step["next_step_at"])
                if step["next_step_kind"]
                else None,
                "attention": step["attention"],
            }
        )


async def _known(connection: Connection, coverage_id: UUID) -> _Known:
    """Raises NotFound."""
    cover = await connection.fetchrow(insured.ONE, coverage_id)
    if cover is None:
        raise NotFound()
    contract = await connection.fetchrow(insured.CONTRACT, cover["affiliation_id"])
    row = await connection.fetchrow(coverage_rights.FACTS, coverage_id)
    assert contract is not None, "a coverage has its affiliation"
    assert row is not None, "read just now"
    return _Known(cover, contract, row, await coverage_changes.facts_of(connection, coverage_id))


def _is_staff(caller: Caller) -> bool:
    return caller.look_as is None and Scope.staff in caller.scopes


def _shown(caller: Caller, facts: CoverageFacts) -> CoverageFacts:
    return facts if _is_staff(caller) else employers_facts(facts)


def _announced(facts: CoverageFacts, end: End, now: datetime) -> list[RightsStepView]:
    """What the person would be told: of the proofs the first reminder, of the end the message of the last day that may
    be, as if every proof came."""
    proven = replace(facts, end=replace(end, proof_until=end.portability_until))
    told = [*calendar(proven, Told(), now), *calendar(facts, Told(), now)]
    first: dict[StepKind, RightsStepView] = {}
    for step in told:
        if step.message is not None:
            first.setdefault(step.kind, RightsStepView(kind=step.kind, at=step.at))
    return sorted(first.values(), key=lambda one: one.at)


def _end_view(caller: Caller, known: _Known) -> EndView | None:
    end = _shown(caller, known.facts).end
    if end is None:
        return None
    staff = _is_staff(caller)
    return EndView(
        **dates_of(end).model_dump(),
        contract_began_on=known.row["contract_began_on"],
        origin=known.row["origin"],
        declared_at=known.row["declared_at"],
        cancellable=_cancellable(caller, known),
        proof_until=end.proof_until,
        unproven_from=end.unproven_from if staff else None,
        provable_until=_provable_until(known.facts, end) if staff and end.portability is Opening.open else None,
        portability_ended_on=end.ended_on,
        portability_end_reason=end.end_reason,
    )


def _may_declare(caller: Caller, known: _Known) -> bool:
    if _is_staff(caller):
        return Scope.staff_write in caller.scopes
    own = known.facts.end is None or known.row["origin"] == Origin.employer
    return Scope.write in caller.scopes and not known.contract["emits_dsn"] and own


def _cancellable(caller: Caller, known: _Known) -> bool:
    """Staff always; an employer their own, until the last day of cover, or some days after declaring it."""
    if _is_staff(caller):
        return Scope.staff_write in caller.scopes
    end, row = known.facts.end, known.row
    if end is None or not _may_declare(caller, known):
        return False
    since = paris_date(row["declared_at"]) + timedelta(days=edition_on(end.contract_ends_on).undo_days)
    return today() <= max(end.covered_until, since)


def _need_no_dsn(known: _Known) -> None:
    if known.contract["emits_dsn"]:
        raise _refused("company_emits_dsn")


def _checked(caller: Caller, known: _Known, asked: NewEnd) -> EndOfContract:
    """What the employer may say, and the days that are possible. Raises InvalidFields, RefusedByRules."""
    errors: list[FieldError] = []
    if not _is_staff(caller):
        _need_no_dsn(known)
        if not _may_declare(caller, known):
            raise _refused("end_declared_elsewhere")
        if not reasons()[asked.reason].radiation:
            words = "Ce motif ne se déclare pas ici. Choisissez l’un des motifs proposés, par exemple 043."
            errors.append(_wrong("reason", "reason.not_offered", words, _REASON_EXAMPLE))
    began = asked.contract_began_on or min(known.contract["hired_on"], known.facts.starts_on)
    ends, starts = asked.contract_ends_on, known.facts.starts_on
    latest = months_after(today(), edition_on(today()).ahead_months)
    if ends < starts:
        words = f"Le contrat ne peut pas se terminer avant le début de la couverture, le {short_date_in_words(starts)}."
        errors.append(_wrong("contract_ends_on", "date.bounds", words, starts.isoformat()))
    elif ends > latest:
        words = f"Une fin de contrat se déclare six mois à l’avance au plus, jusqu’au {short_date_in_words(latest)}."
        errors.append(_wrong("contract_ends_on", "date.bounds", words, today().isoformat()))
    elif began > ends:
        words = f"Le contrat commence au plus tard le jour de sa fin, le {short_date_in_words(ends)}."
        errors.append(_wrong("contract_began_on", "date.bounds", words, ends.isoformat()))
    if errors:
        raise InvalidFields(errors)
    try:
        coverage_changes.computed(EndOfContract(began, ends, asked.reason))
    except EndRefused as refused:
        raise _said(refused) from None
    return EndOfContract(began, ends, asked.reason)


def _provable_until(facts: CoverageFacts, end: End) -> date:
    since = max(today(), end.portability_from)
    return min(covered_until(months_after(since, facts.rules.every_months - 1)), end.portability_until)


def _check_proof(facts: CoverageFacts, until: date) -> None:
    """A proof tells of the time up to today; it counts on for the months until the next one. Raises InvalidFields."""
    end = facts.end
    if end is None or end.portability is not Opening.open:
        return  # refused in words of its own
    furthest = _provable_until(facts, end)
    if not end.portability_from <= until <= furthest:
        words = (
            f"Un justificatif compte entre le {short_date_in_words(end.portability_from)} et le "
            f"{short_date_in_words(furthest)} : au-delà, il en faut un autre."
        )
        raise InvalidFields([_wrong("until", "date.bounds", words, furthest.isoformat())])


def _wrong(field: str, code: str, words: str, example: str) -> FieldError:
    return FieldError(field, code, french(f"{words} Exemple : {example}"), example)


_WORDS: Final[dict[str, str]] = {
    EndFault.not_an_end: "Avec ce motif, le contrat de travail ne se termine pas : il n’y a pas de fin à déclarer.",
    EndFault.another_end: "La fin de contrat déclarée pour ce salarié a une autre date. Rechargez la page.",
    EndFault.no_end: "Aucune fin de contrat n’est déclarée pour ce salarié.",
    EndFault.no_portability: "Il n’y a pas de portabilité en cours pour ce salarié.",
    EndFault.outside_portability: "Cette date est en dehors de la période de portabilité.",
    EndFault.nothing_to_decide: "Ce motif n’ouvre jamais la portabilité : il n’y a rien à décider.",
    EndFault.no_suspension: "Aucune suspension de contrat ne commence ce jour-là.",
    EndFault.before_coverage: "Le contrat ne peut pas se terminer avant le début de la couverture.",
    EndFault.ends_before_it_begins: "Le dernier jour ne peut pas précéder le premier.",
    EndFault.unknown_coverage: "Ce salarié n’est plus connu ici.",
    "company_emits_dsn": "Votre entreprise transmet ses fins de contrat par la DSN. Déclarez celle-ci dans votre "
    "logiciel de paie : elle arrivera ici par la DSN, sans autre démarche.",
    "end_declared_elsewhere": "Cette fin de contrat nous vient de la DSN ou de nos gestionnaires. Pour la corriger, "
    "appelez-nous.",
    "end_not_cancellable": "Cette fin de contrat ne peut plus être annulée en ligne. Appelez-nous : nous le ferons "
    "avec vous.",
    "nothing_to_settle": "Rien n’attend d’être traité à la main pour ce salarié.",
}


def _refused(code: str) -> RefusedByRules:
    return RefusedByRules(str(code), french(_WORDS[code]))


def _said(refused: EndRefused) -> RefusedByRules:
    return _refused(refused.code)


def _named(row: asyncpg.Record, model: type[AwaitedRights]) -> dict[str, object]:
    return {name: row[name] for name in model.model_fields if name != "since"}
