"""Takes the people of the demo register as far as their story goes: services, workflow, employee's side, moved clocks.

Every step looks first whether it was done: a run that was killed is continued by the next one. Nothing here writes a
status: written directly is only the note « loaded » in the audit log.

Run as `python -m local.demo_stories` by `local.demo_register`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from temporalio.client import Client

from activities.contracts.affiliation import Progress, workflow_id
from activities.sweep import Sweeper
from activities.writing import Writer
from composition import cipher, connect, providers, scanner, vault
from db import affiliations, audit, dispatches, local_messages
from db.pool import Pool, create_pool, system
from domain.affiliation import Attention, PauseReason, Status
from domain.media import Language, Medium, MessageKind
from domain.pieces import Piece, PieceCode
from domain.rights import StaffRole
from domain.synthetic import synthetic_mobile, synthetic_siren, synthetic_siret
from domain.working_time import paris_date
from gateways.delivery import DeliveryEvent, DeliveryKind
from local.demo_forms import answers_of, begun, nir_of, paper_of, read_on_paper
from local.demo_people import COMPANIES, PEOPLE, Person, Story
from portal.dev_clock import advance, current_time
from services.access import Access, AccessService, Proof
from services.affiliations import AffiliationService
from services.callers import STAFF_SCOPES, Caller, EmployeeCaller, Scope
from services.declarations import Pause, PreAffiliation, Withdrawal, WithdrawalReason
from services.deliveries import DeliveryService
from services.document_checks import Accept, AskAgain, DocumentCheckService, RefusalReason
from services.documents import DocumentService, Intake, Upload
from services.enrolment_form import PaperReturn, SaveDraft, Submission
from services.enrolments import ChosenLanguage, EnrolmentService
from services.limits import Limiter
from services.pieces import PiecesTeller
from services.problems import AlreadySubmitted, RefusedByRules
from settings import Settings
from workflows.client import Affiliations
from workflows.coverage_rights_client import CoverageRights

CALLER_ID = "demo-register"
STEP_SECONDS = 45.0  # a step that takes longer is left to the next start
AT_ONCE = 6

# Where a person's way is: their latest affiliation in the company, and whether the note of it is written.
FOUND = """
SELECT a.id, EXISTS (SELECT FROM audit_log l WHERE l.affiliation_id = a.id AND l.event = 'demo.loaded') AS loaded
FROM employee e JOIN affiliation a ON a.employee_id = e.id
WHERE e.company_id = $1 AND e.nir_index = $2 ORDER BY loaded DESC, a.declared_at DESC LIMIT 1
"""
COMPANY = "SELECT id FROM company WHERE siren = $1"
LOCK = "SELECT pg_try_advisory_xact_lock($1)"
_LOCK_KEY = 0x48435264  # any number, the same for every loader


@dataclass(frozen=True)
class Kit:
    """The system's services, as the doors have them."""

    system: Pool
    temporal: Client
    engine: Affiliations
    affiliations: AffiliationService
    access: AccessService
    enrolments: EnrolmentService
    documents: DocumentService
    checks: DocumentCheckService
    deliveries: DeliveryService
    nir_index: Callable[[str], bytes]
    employer: Caller
    staff: Caller


async def complete(settings: Settings) -> None:
    """Take everybody where their story ends, one loader at a time. The companies must be there.

    Who cannot be taken there is left to the next start, and the first of the reasons raised.
    """
    system_pool = await create_pool(settings.database_url, "hcr_system", AT_ONCE + 2)
    web_pool = await create_pool(settings.database_url, "hcr_web", AT_ONCE)
    try:
        async with _alone(system_pool):
            companies = await _company_ids(system_pool)
            kit = await _kit(settings, system_pool, web_pool, companies)
            # What a killed run committed and did not tell is told first.
            await Sweeper(system_pool, kit.engine, grace=timedelta(0)).sweep()
            side_by_side = asyncio.Semaphore(AT_ONCE)
            lives = [_walk(side_by_side, kit, companies, number, person) for number, person in _longest_first()]
            failures = [failure for failure in await asyncio.gather(*lives) if failure is not None]
    finally:
        web_pool.terminate()
        system_pool.terminate()
    if failures:
        raise failures[0]


def _longest_first() -> list[tuple[int, Person]]:
    """They are walked side by side."""
    stories = list(Story)
    return sorted(enumerate(PEOPLE), key=lambda numbered: stories.index(numbered[1].story))


@asynccontextmanager
async def _alone(pool: Pool) -> AsyncIterator[None]:
    """Hold the loaders' lock; the database frees it when we end in any way."""
    async with system(pool) as connection:
        while not await connection.fetchval(LOCK, _LOCK_KEY):  # noqa: ASYNC110 (another process holds it)
            await asyncio.sleep(0.05)
        yield


async def _company_ids(pool: Pool) -> list[UUID]:
    """In the order of COMPANIES."""
    async with system(pool) as connection:
        return [await connection.fetchval(COMPANY, synthetic_siren(company.number)) for company in COMPANIES]


async def _kit(settings: Settings, system_pool: Pool, web_pool: Pool, companies: list[UUID]) -> Kit:
    client = await connect(settings)
    engine = Affiliations(client, settings.temporal_task_queue, timedelta(seconds=STEP_SECONDS / 3))
    rights = CoverageRights(client, settings.temporal_task_queue, timedelta(seconds=STEP_SECONDS / 3))
    fields = cipher(settings)
    access = AccessService(web_pool, system_pool, engine, fields, Limiter(system_pool, fields))
    files = vault(settings)
    intake, teller = Intake(fields, files, scanner(settings)), PiecesTeller(system_pool, engine)
    return Kit(
        system=system_pool,
        temporal=client,
        engine=engine,
        affiliations=AffiliationService(web_pool, engine, fields, Writer(fields, settings.public_base_url)),
        access=access,
        enrolments=EnrolmentService(web_pool, engine, fields, access),
        documents=DocumentService(web_pool, fields, intake, teller),
        checks=DocumentCheckService(system_pool, fields, files, intake, teller),
        deliveries=DeliveryService(system_pool, engine, providers(system_pool, settings).post, rights),
        nir_index=lambda nir: fields.blind_index(nir, "nir"),
        employer=Caller(CALLER_ID, tuple(companies), frozenset({Scope.read, Scope.write})),
        staff=Caller(CALLER_ID, (), STAFF_SCOPES[StaffRole.write]),
    )


async def _walk(
    side_by_side: asyncio.Semaphore, kit: Kit, companies: list[UUID], number: int, person: Person
) -> Exception | None:
    """One person's way. What stops it is returned, so that the others go on."""
    try:
        async with side_by_side:
            company_id = companies[COMPANIES.index(person.company)]
            life = await _Life.found_or_declared(kit, company_id, number, person)
            if life is not None:
                await life.tell()
    except Exception as failure:
        return failure
    return None


class _Life:
    """One person's way."""

    def __init__(self, kit: Kit, company_id: UUID, person: Person, number: int, affiliation_id: UUID) -> None:
        self._kit = kit
        self._company_id = company_id
        self._person = person
        self._number = number
        self._id = affiliation_id

    @classmethod
    async def found_or_declared(cls, kit: Kit, company_id: UUID, number: int, person: Person) -> _Life | None:
        """None: this person is complete."""
        declaration = _declaration(person, number)
        async with system(kit.system) as connection:
            found = await connection.fetchrow(FOUND, company_id, kit.nir_index(declaration.employee.nir))
        if found is not None:
            return None if found["loaded"] else cls(kit, company_id, person, number, found["id"])
        declared = await kit.affiliations.declare(kit.employer, declaration)
        return cls(kit, company_id, person, number, declared.id)

    async def tell(self) -> None:
        """The story, then the note that it is told."""
        await self._until_sent()
        steps: dict[Story, Callable[[], Awaitable[None]]] = {
            Story.abandoned: self._abandoned,
            Story.overdue: self._overdue,
            Story.fallback: self._fallback,
            Story.unreachable: self._unreachable,
            Story.asked_again: self._asked_again,
            Story.accepted: self._accepted,
            Story.checking: self._online,
            Story.some_later: self._online,
            Story.draft_reminded: self._draft_reminded,
            Story.reminded: self._reminded,
            Story.waived: self._online,
            Story.paper: self._paper,
            Story.started: self._started,
            Story.relaunched: self._relaunched,
            Story.paused: self._paused,
            Story.withdrawn: self._withdrawn,
            Story.sent: self._nothing_more,
            Story.refused: self._nothing_more,
        }
        await steps[self._person.story]()
        async with system(self._kit.system) as connection:
            details = {"person": self._person.slug}
            await connection.execute(audit.ADD, self._company_id, self._id, "system", None, "demo.loaded", details)

    # --- the stories

    async def _nothing_more(self) -> None:
        """The invitation has left."""

    async def _reminded(self) -> None:
        await self._forward_until_left(MessageKind.reminder)

    async def _fallback(self) -> None:
        await self._forward_until_left(MessageKind.postal_fallback)

    async def _abandoned(self) -> None:
        async with asyncio.timeout(STEP_SECONDS):
            while await advance(self._kit.temporal, workflow_id(str(self._id)), timedelta(days=100)):
                pass
        await self._until(lambda row: row["status"] == Status.abandoned)

    async def _unreachable(self) -> None:
        await self._failed(await self._left(MessageKind.invitation), "sendgrid", DeliveryKind.bounced)
        letter = await self._left(MessageKind.postal_fallback)
        await advance(self._kit.temporal, workflow_id(str(self._id)), timedelta(days=6))
        await self._failed(letter, "maileva", DeliveryKind.returned)
        await self._until(lambda row: row["attention"] == Attention.unreachable)

    async def _relaunched(self) -> None:
        if await self._find(MessageKind.employer_reminder) is None:
            await self._unless_done(self._kit.affiliations.remind(self._kit.employer, self._id))
        await self._left(MessageKind.employer_reminder)

    async def _paused(self) -> None:
        await self._unless_done(
            self._kit.affiliations.pause(self._kit.employer, self._id, Pause(reason=PauseReason.on_leave))
        )

    async def _withdrawn(self) -> None:
        reason = Withdrawal(reason=WithdrawalReason.not_hired)
        await self._unless_done(self._kit.affiliations.withdraw(self._kit.employer, self._id, reason))
        await self._until(lambda row: row["status"] == Status.abandoned)

    async def _started(self) -> None:
        employee = await self._employee()
        if self._person.chooses:
            chosen = ChosenLanguage(language=Language(self._person.chooses))
            await self._kit.enrolments.choose_language(employee, chosen)
        await self._save(employee, begun(self._person, self._number))
        await self._until(lambda row: row["status"] == Status.started)

    async def _draft_reminded(self) -> None:
        await self._started()
        await self._forward_until_left(MessageKind.draft_reminder)

    async def _online(self) -> None:
        """The whole form and the documents that are at hand; the others are asked for at once."""
        employee = await self._employee()
        view = await self._kit.enrolments.current(employee)
        if view.submitted_at is None:
            version = await self._save(employee, answers_of(self._person, self._number, _today()))
            await self._upload(employee)
            sent = Submission(version=version, later=True)
            await self._unless_done(self._kit.enrolments.submit(employee, sent))
            view = await self._kit.enrolments.current(employee)
        await self._left(MessageKind.missing_pieces if view.missing else MessageKind.confirmation)

    async def _accepted(self) -> None:
        await self._online()
        for piece in await self._unjudged():
            await self._kit.checks.accept(self._kit.staff, self._id, piece, Accept())

    async def _asked_again(self) -> None:
        """Staff accept what they can read and ask for the other one; then its reminder."""
        await self._online()
        for piece in await self._unjudged():
            if Piece.parse(piece).code is PieceCode.rib:
                unreadable = AskAgain(reason=RefusalReason.unreadable)
                await self._kit.checks.ask_again(self._kit.staff, self._id, piece, unreadable)
            else:
                await self._kit.checks.accept(self._kit.staff, self._id, piece, Accept())
        await self._left(MessageKind.missing_pieces)
        await self._forward_until_left(MessageKind.missing_pieces, number=2)

    async def _overdue(self) -> None:
        await self._online()
        async with asyncio.timeout(STEP_SECONDS):
            while (await self._progress()).attention is not Attention.pieces_overdue:
                await self._to_next_step()
        await self._until(lambda row: row["attention"] == Attention.pieces_overdue)

    async def _paper(self) -> None:
        read = PaperReturn(answers=dict(read_on_paper(self._person)), missing=self._person.missing)
        await self._unless_done(self._kit.enrolments.record_paper(self._kit.staff, self._id, read))
        await self._left(MessageKind.missing_pieces)

    # --- steps

    async def _employee(self) -> EmployeeCaller:
        """The person comes in by the link of the e-mail in the local mailbox, and says when they were born."""
        invitation = await self._left(MessageKind.invitation)
        async with system(self._kit.system) as connection:
            mail = await connection.fetchrow(local_messages.GET, invitation["id"])
        link = re.search(r"/e/([\w-]{43})", mail["text"]) if mail else None
        assert link is not None, "every e-mail holds its link"
        session, _ = await self._kit.access.open(Access(token=link.group(1)), "127.0.0.1/32")
        caller = await self._kit.access.caller(session)
        await self._kit.access.prove(caller, Proof(birth_date=self._person.birth_date))
        return await self._kit.access.caller(session)

    async def _save(self, employee: EmployeeCaller, answers: dict[str, str]) -> int:
        """The draft's version. Saved again, the same answers change nothing."""
        version = (await self._kit.enrolments.current(employee)).version
        request = SaveDraft(version=version, answers=dict(answers))
        return (await self._kit.enrolments.save(employee, request)).version

    async def _upload(self, employee: EmployeeCaller) -> None:
        """What the form asks for and the person has at hand, where it is not there yet."""
        for need in (await self._kit.enrolments.current(employee)).documents:
            paper = paper_of(self._person, self._number, Piece.parse(need.piece), _today())
            if paper is not None and not need.received:
                await self._kit.documents.add(employee, Upload(piece=need.piece), paper.name, paper.content)

    async def _unjudged(self) -> list[str]:
        review = await self._kit.checks.review(self._kit.staff, self._id)
        return [document.piece for document in review.items if document.verdict is None]

    async def _unless_done(self, request: Awaitable[object]) -> None:
        """The rules refuse what a killed run had already done."""
        with suppress(AlreadySubmitted, RefusedByRules):
            await request

    async def _failed(self, dispatch: asyncpg.Record, provider: str, kind: DeliveryKind) -> None:
        """What the provider would tell about a message that did not arrive; told again, it changes nothing."""
        event = DeliveryEvent(provider, f"demo-{dispatch['id']}", str(dispatch["id"]), kind, "", datetime.now(UTC))
        await self._kit.deliveries.receive([event])

    async def _forward_until_left(self, kind: MessageKind, number: int = 1) -> None:
        """Move the clock from step to step until this message has left."""
        async with asyncio.timeout(STEP_SECONDS):
            while await self._find(kind, number) is None:
                await self._to_next_step()

    async def _to_next_step(self) -> None:
        upcoming = (await self._progress()).next_step
        if upcoming is not None:
            name = workflow_id(str(self._id))
            await advance(self._kit.temporal, name, upcoming.at - await current_time(self._kit.temporal, name))

    async def _left(self, kind: MessageKind) -> asyncpg.Record:
        """The first message of this kind, once it has left."""
        async with asyncio.timeout(STEP_SECONDS):
            while (found := await self._find(kind)) is None:  # noqa: ASYNC110 (the worker writes it)
                await asyncio.sleep(0.03)
        return found

    async def _find(self, kind: MessageKind, number: int = 1) -> asyncpg.Record | None:
        async with system(self._kit.system) as connection:
            rows = await connection.fetch(dispatches.OF_AFFILIATION, self._id)
        wanted = [row for row in rows if (row["kind"], row["number"]) == (kind, number)]
        return next((row for row in wanted if row["handed_over_at"] is not None), None)

    async def _until_sent(self) -> None:
        """Until the workflow itself knows that the invitation left, or cannot: the ledger does an instant before it."""
        async with asyncio.timeout(STEP_SECONDS):
            while True:
                progress = await self._progress()
                if progress.status is not Status.preparing or progress.attention is not None:
                    return
                await asyncio.sleep(0.03)

    async def _progress(self) -> Progress:
        """Of an open affiliation; of one that has ended, what it ended with."""
        return await self._kit.engine.progress(str(self._id), timedelta(seconds=STEP_SECONDS / 3))

    async def _until(self, holds: Callable[[asyncpg.Record], bool]) -> None:
        """Until the read model says so."""
        async with asyncio.timeout(STEP_SECONDS):
            while True:
                async with system(self._kit.system) as connection:
                    row = await connection.fetchrow(affiliations.GET, self._id)
                if row is not None and holds(row):
                    return
                await asyncio.sleep(0.03)


def _today() -> date:
    return paris_date(datetime.now(UTC))


def _declaration(person: Person, number: int) -> PreAffiliation:
    line1, postcode, city = person.address
    siret = synthetic_siret(synthetic_siren(person.company.number), person.place + 1)
    fields: dict[str, Any] = {
        "siret": siret,
        "employee": {
            "civility": person.civility,
            "last_name": person.last_name,
            "birth_name": person.birth_name or person.last_name,
            "first_names": person.first_names,
            "birth_date": person.birth_date.isoformat(),
            "nir": nir_of(person, number),
            "email": person.email,
            "phone": synthetic_mobile(4100 + number),
            "language": person.language,
            "address": {"line1": line1, "postcode": postcode, "city": city},
        },
        "hired_on": (_today() - timedelta(days=person.hired_days_ago)).isoformat(),
        "professional_status": person.professional_status,
        "scheme": person.scheme,
        "contract_kind": person.contract_kind,
        "medium": Medium.post.value if person.asks_for_post else None,
    }
    return PreAffiliation.model_validate(fields)


if __name__ == "__main__":
    asyncio.run(complete(Settings()))
