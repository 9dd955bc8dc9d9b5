"""The employee's side: access by link or letter code, versioned draft, submission into a coverage, decline."""

from __future__ import annotations

import json
import logging
import secrets
from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID, uuid4

import asyncpg
from pydantic import BaseModel, Field

from activities.contracts import EMPLOYEE_ACTOR, Actor, ActorKind, Asked, Completed, Completion, Declined, DraftSaved
from db import access, affiliations, audit, enrolments
from db.pool import Connection, Pool, employee_side, system
from domain.affiliation import Channel, DeclineReason, Refusal, Refused, Status
from domain.effect_date import coverage_begins
from domain.formulas import ProfessionalStatus, Scheme, family_of, formula_code, monthly_price_cents, parse_formula_code
from domain.media import Language, Medium
from domain.names import search_form
from gateways.encryption import FieldCipher, token_hash
from gateways.letter_codes import format_code, parse_code, verify_secret
from services.affiliations import refused
from services.callers import Caller, EmployeeCaller, Scope
from services.enrolment_form import Dependant, DependantBirthDate, Draft, PaperReturn, SaveDraft, Submission
from services.fields import Form, Name, Siret
from services.follow_up import like_escaped
from services.problems import AlreadySubmitted, EngineUnavailable, NotAuthenticated, NotFound, StaleDraft, WrongAccess
from workflows.affiliation import AffiliationWorkflow
from workflows.client import Affiliations, EngineAway, NotRunning

log = logging.getLogger(__name__)

SESSION_HOURS = 12
MAX_WRONG_SECRETS = 20  # security.md L-02: then the code is dead
COMPLETE = "complete"  # the update's id: told twice, by the door and by the sweep, it happens once


class Access(Form):
    """Either the token of a link or the code of a letter."""

    token: Annotated[str | None, Field(max_length=200, examples=["x" * 43])] = None
    code: Annotated[str | None, Field(max_length=200, examples=[format_code("0" * 6, "0" * 10)])] = None


class LinkRecovery(Form):
    """« Retrouver mon lien »: a link or a code that one has, or the establishment, the name and the birth date."""

    token: Annotated[str, Field(max_length=200)] | None = None
    code: Annotated[str, Field(max_length=64)] | None = None
    siret: Siret | None = None
    last_name: Name | None = None
    birth_date: DependantBirthDate | None = None


class RecoveryAnswer(BaseModel):
    """The same for everybody: it tells nobody who is known."""

    detail: str


RECOVERY_ANSWER = RecoveryAnswer(
    detail="Si un dossier en cours correspond, un nouveau message part à l’adresse que nous connaissons."
)


class Decline(Form):
    reason: DeclineReason


class Opened(BaseModel):
    """What an access opens: enough to greet, nothing to steal."""

    status: Status
    establishment: str
    language: Language


class CoverageView(BaseModel):
    """The coverage an employee ends with. `monthly_price_cents` is the catalogue's on the first day."""

    formula: str
    starts_on: date
    dependants: int
    monthly_price_cents: int


class EnrolmentView(BaseModel):
    """The employee's form: the draft while it is one, the receipt afterwards."""

    status: Status
    version: int
    saved_at: datetime | None
    content: Draft | None
    submitted_at: datetime | None
    channel: Literal["online", "paper"] | None
    missing: list[str]
    coverage: CoverageView | None


class Saved(BaseModel):
    version: int
    saved_at: datetime


class EnrolmentService:
    def __init__(self, web: Pool, system_pool: Pool, engine: Affiliations, cipher: FieldCipher) -> None:
        self._web = web
        self._system = system_pool
        self._engine = engine
        self._cipher = cipher

    # --- access

    async def open(self, request: Access) -> tuple[str, Opened]:
        """A new session's secret, and what it opens. Raises WrongAccess: unknown, wrong and dead are one answer."""
        if request.token:
            row = await self._by_token(request.token)
        elif request.code:
            row = await self._by_code(request.code)
        else:
            raise WrongAccess()
        if row is None:
            raise WrongAccess()
        session = secrets.token_urlsafe(32)
        async with system(self._system) as connection:
            await connection.execute(
                access.OPEN_SESSION,
                token_hash(session),
                row["company_id"],
                row["affiliation_id"],
                row["dispatch_id"],
                row["medium"],
                SESSION_HOURS,
            )
            await connection.execute(
                audit.ADD, row["company_id"], row["affiliation_id"], "employee", None, "link.opened", {}
            )
            person = await affiliations.person(connection, row["affiliation_id"])
        assert person is not None, "a token has its affiliation"
        return session, Opened(status=row["status"], establishment=person["establishment"], language=person["language"])

    async def recover(self, request: LinkRecovery) -> None:
        """« Retrouver mon lien ». Sends only to the contact on file, at most once a day; says nothing either way."""
        affiliation_id = await self._recoverable(request)
        if affiliation_id is None:
            return
        try:
            await self._engine.tell(
                str(affiliation_id), AffiliationWorkflow.send_link, Asked(EMPLOYEE_ACTOR), f"send_link/{uuid4()}"
            )
        except (Refusal, NotRunning, EngineAway) as why:
            log.info("no new link was sent", extra={"id": str(affiliation_id), "why": type(why).__name__})

    async def _recoverable(self, request: LinkRecovery) -> UUID | None:
        if request.token:
            async with system(self._system) as connection:
                found: UUID | None = await connection.fetchval(access.AFFILIATION_OF_TOKEN, token_hash(request.token))
            return found
        if request.code:
            row = await self._by_code(request.code)
            return row["affiliation_id"] if row is not None else None
        if not (request.siret and request.last_name and request.birth_date):
            return None
        async with system(self._system) as connection:
            rows = await connection.fetch(
                access.AFFILIATION_OF_PERSON,
                request.siret,
                request.birth_date,
                like_escaped(search_form(request.last_name)),
            )
        return rows[0]["id"] if len(rows) == 1 else None  # two of that name: only their own link tells them apart

    async def caller(self, session: str | None) -> EmployeeCaller:
        """Who holds this session. Raises NotAuthenticated."""
        row = None
        if session:
            async with system(self._system) as connection:
                row = await connection.fetchrow(access.BY_SESSION, token_hash(session))
        if row is None:
            raise NotAuthenticated("Ouvrez le lien de votre message, ou saisissez le code de votre courrier.")
        return EmployeeCaller(row["affiliation_id"], row["medium"], row["status"])

    async def _by_token(self, token: str) -> asyncpg.Record | None:
        async with system(self._system) as connection:
            return await connection.fetchrow(access.BY_TOKEN, token_hash(token))

    async def _by_code(self, code: str) -> asyncpg.Record | None:
        parsed = parse_code(code)
        if parsed is None:
            return None
        selector, secret = parsed
        async with system(self._system) as connection:
            row = await connection.fetchrow(access.BY_SELECTOR, selector)
        alive = row is not None and row["failures"] < MAX_WRONG_SECRETS
        # an unknown selector takes as long as a wrong secret
        if await verify_secret(row["secret_hash"] if row is not None and alive else None, secret):
            return row
        async with system(self._system) as connection:
            await connection.execute(access.COUNT_FAILURE, selector)
        return None

    # --- the form

    async def current(self, caller: EmployeeCaller) -> EnrolmentView:
        async with employee_side(self._web, caller.affiliation_id) as connection:
            return await self._view(connection, caller)

    async def save(self, caller: EmployeeCaller, request: SaveDraft) -> Saved:
        """Keep what was typed. Raises StaleDraft (with the other version), AlreadySubmitted, RefusedByRules."""
        content = self._sealed(request.content, caller.affiliation_id)
        async with employee_side(self._web, caller.affiliation_id) as connection:
            await self._lock_open(connection, caller)
            if request.version == 0:
                saved = await connection.fetchrow(enrolments.SAVE_FIRST, caller.affiliation_id, content, caller.medium)
            else:
                saved = await connection.fetchrow(
                    enrolments.SAVE, caller.affiliation_id, request.version, content, caller.medium
                )
            if saved is None:
                view = await self._view(connection, caller)
                if view.submitted_at is not None:
                    raise AlreadySubmitted()
                raise StaleDraft(view.model_dump(mode="json", include={"version", "saved_at", "content"}))
        if saved["tell"]:
            await self._tell_draft(caller)
        return Saved(version=saved["version"], saved_at=saved["saved_at"])

    async def submit(self, caller: EmployeeCaller, request: Submission) -> EnrolmentView:
        """The form and its coverage in one transaction; the workflow hears of it now or by the sweep.

        Sent twice, the first one counts: its receipt is what `current` shows. Raises AlreadySubmitted, RefusedByRules.
        """
        completion = Completion(Channel.online)
        async with employee_side(self._web, caller.affiliation_id) as connection:
            await self._lock_open(connection, caller)
            await self._conclude(connection, caller.affiliation_id, request, completion, recorded_by=None)
        await self._tell_completion(caller.affiliation_id, Completed(Actor(ActorKind.employee), completion))
        return await self.current(caller)

    async def decline(self, caller: EmployeeCaller, request: Decline) -> None:
        """« Ce n'est pas moi », « J'ai quitté l'entreprise ». Raises RefusedByRules, EngineUnavailable."""
        declined = Declined(Medium(caller.medium), request.reason)
        try:
            await self._engine.tell(
                str(caller.affiliation_id), AffiliationWorkflow.decline, declined, f"decline/{uuid4()}"
            )
        except Refusal as refusal:
            raise refused(refusal) from None
        except NotRunning:
            raise refused(Refusal(Refused.closed)) from None
        except EngineAway:
            raise EngineUnavailable() from None

    # --- paper

    async def record_paper(self, caller: Caller, affiliation_id: UUID, request: PaperReturn) -> EnrolmentView:
        """Staff record a returned BIA and what is missing. Raises NotAllowed, NotFound, AlreadySubmitted,
        RefusedByRules."""
        caller.need(Scope.staff)
        completion = Completion(Channel.paper, request.missing)
        employee = EmployeeCaller(affiliation_id, Medium.post, Status.sent)
        async with employee_side(self._web, affiliation_id) as connection:
            await self._lock_open(connection, employee)
            await self._conclude(connection, affiliation_id, request, completion, recorded_by=caller.id)
        await self._tell_completion(affiliation_id, Completed(caller.actor, completion))
        return await self.current(employee)

    # --- pieces

    async def _lock_open(self, connection: Connection, caller: EmployeeCaller) -> None:
        """Hold the affiliation while it is open: an abandonment at the same moment waits, then sees what we wrote."""
        row = await connection.fetchrow(affiliations.LOCK, caller.affiliation_id)
        if row is None:
            raise NotFound()
        if row["status"] == Status.finalised:
            raise AlreadySubmitted()
        if row["status"] == Status.abandoned:
            raise refused(Refusal(Refused.closed))

    async def _conclude(
        self,
        connection: Connection,
        affiliation_id: UUID,
        request: Submission | PaperReturn,
        completion: Completion,
        recorded_by: str | None,
    ) -> None:
        content = self._cipher.encrypt(request.model_dump_json(), "enrolment", "content", str(affiliation_id))
        submitted = await connection.fetchval(
            enrolments.SUBMIT, affiliation_id, content, completion.channel, list(completion.missing), recorded_by
        )
        if submitted is None:
            raise AlreadySubmitted()
        person = await affiliations.person(connection, affiliation_id)
        assert person is not None, "locked above"
        coverage_id: UUID = await connection.fetchval(affiliations.NEW_ID)
        formula = formula_code(
            request.level,
            ProfessionalStatus(person["professional_status"]),
            family_of(len(request.dependants)),
            Scheme(person["scheme"]),
        )
        iban = self._cipher.encrypt(request.iban, "coverage", "iban", str(coverage_id)) if request.iban else None
        await connection.execute(
            enrolments.ADD_COVERAGE,
            affiliation_id,
            coverage_id,
            formula,
            coverage_begins(person["hired_on"]),
            iban,
            request.account_holder,
        )
        for dependant in request.dependants:
            await self._add_dependant(connection, affiliation_id, coverage_id, dependant)
        actor = "staff" if recorded_by else "employee"
        await connection.execute(
            audit.ADD, person["company_id"], affiliation_id, actor, recorded_by, "form.submitted", {}
        )

    async def _add_dependant(
        self, connection: Connection, affiliation_id: UUID, coverage_id: UUID, dependant: Dependant
    ) -> None:
        dependant_id: UUID = await connection.fetchval(affiliations.NEW_ID)
        nir = dependant.nir
        await connection.execute(
            enrolments.ADD_DEPENDANT,
            affiliation_id,
            dependant_id,
            coverage_id,
            dependant.kind,
            dependant.last_name,
            dependant.first_names,
            dependant.birth_date,
            self._cipher.encrypt(nir, "dependant", "nir", str(dependant_id)) if nir else None,
            self._cipher.blind_index(nir, "nir") if nir else None,
        )

    async def _view(self, connection: Connection, caller: EmployeeCaller) -> EnrolmentView:
        row = await connection.fetchrow(enrolments.GET, caller.affiliation_id)
        person = await affiliations.person(connection, caller.affiliation_id)
        if person is None:
            raise NotFound()
        covered = await connection.fetchrow(enrolments.COVERAGE, caller.affiliation_id)
        submitted = row is not None and row["submitted_at"] is not None
        draft = None
        if row is not None and row["content_sealed"] is not None and not submitted:
            text = self._cipher.decrypt(row["content_sealed"], "enrolment", "content", str(caller.affiliation_id))
            draft = Draft.model_validate(json.loads(text))
        return EnrolmentView(
            status=Status.finalised if submitted else person["status"],
            version=row["version"] if row else 0,
            saved_at=row["saved_at"] if row else None,
            content=draft,
            submitted_at=row["submitted_at"] if row else None,
            channel=row["channel"] if row else None,
            missing=list(row["missing"]) if row else [],
            coverage=_coverage_view(covered) if covered else None,
        )

    def _sealed(self, draft: Draft, affiliation_id: UUID) -> bytes:
        return self._cipher.encrypt(draft.model_dump_json(), "enrolment", "content", str(affiliation_id))

    async def _tell_draft(self, caller: EmployeeCaller) -> None:
        saved = DraftSaved(Medium(caller.medium))
        try:
            await self._engine.tell(
                str(caller.affiliation_id), AffiliationWorkflow.save_draft, saved, f"draft/{uuid4()}"
            )
        except (EngineAway, NotRunning, Refusal):
            log.warning("a draft waits for the sweep", extra={"id": str(caller.affiliation_id)})
            return
        async with employee_side(self._web, caller.affiliation_id) as connection:
            await connection.execute(enrolments.TOLD, caller.affiliation_id)

    async def _tell_completion(self, affiliation_id: UUID, completed: Completed) -> None:
        try:
            await self._engine.tell(str(affiliation_id), AffiliationWorkflow.complete, completed, COMPLETE)
        except (EngineAway, NotRunning, Refusal):
            log.warning("a submission waits for the sweep", extra={"id": str(affiliation_id)})


def _coverage_view(row: asyncpg.Record) -> CoverageView:
    formula = parse_formula_code(row["formula"])
    price = monthly_price_cents(formula.level, formula.status, formula.family, formula.scheme, on=row["starts_on"])
    return CoverageView(
        formula=row["formula"],
        starts_on=row["starts_on"],
        dependants=row["dependants"],
        monthly_price_cents=price,
    )
