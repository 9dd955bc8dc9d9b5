"""What people and providers do around a world's affiliations.

What a form does is written here as its service writes it: histories are about what is told, not about forms.
"""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, date, datetime
from typing import Any

from temporalio.client import WorkflowHandle

from activities.contracts.affiliation import (
    EMPLOYEE_ACTOR,
    Actor,
    ActorKind,
    Completed,
    ContactCorrected,
    Declined,
    DraftSaved,
    EventKind,
    PiecesChanged,
)
from activities.contracts.waivers import WaiverEnded, waiver_workflow_id
from activities.projection import completion_of
from db.pool import system
from domain.affiliation import Attention, DeclineReason, Verdict
from domain.media import Medium
from gateways.delivery import DeliveryEvent, DeliveryKind
from gateways.local_boxes import LocalBoxes, LocalPost
from services.callers import Caller, Scope
from services.declarations import CorrectedContact, DoubtResolution, Withdrawal, WithdrawalReason
from services.deliveries import DeliveryService
from services.staff import StaffService
from tests.covering import engine
from tests.world import Life, World
from workflows.affiliation import AffiliationWorkflow
from workflows.waiver import WaiverWorkflow

STAFF = Caller("staff-1", (), frozenset({Scope.staff, Scope.staff_write, Scope.read}))
STAFF_ACTOR = Actor(ActorKind.staff, "staff-1")
WAIT_SECONDS = 10
SUBMIT = """
INSERT INTO enrolment (affiliation_id, company_id, version, saved_at, submitted_at, channel, missing, checking,
                       checking_since, recorded_by, pieces_version, pieces_told)
SELECT id, company_id, 1, now(), now(), $2, $3, $4, CASE WHEN $4 THEN now() END, $5, 1, 1
FROM affiliation WHERE id = $1
ON CONFLICT (affiliation_id) DO UPDATE SET submitted_at = now(), channel = $2, missing = $3, checking = $4,
    checking_since = excluded.checking_since, recorded_by = $5, pieces_version = 1, pieces_told = 1
"""
CHANGE = """
UPDATE enrolment SET missing = $2, checking = $3, checking_since = CASE WHEN $3 THEN now() END,
    pieces_version = pieces_version + 1
WHERE affiliation_id = $1 RETURNING pieces_version
"""
FOUND = """
INSERT INTO contact (affiliation_id, version, company_id, email, line1, postcode, city, country)
SELECT affiliation_id, version + 1, company_id, $2, line1, postcode, city, country FROM contact
WHERE affiliation_id = $1 ORDER BY version DESC LIMIT 1
RETURNING version
"""
WAIVE = """
INSERT INTO waiver (id, company_id, establishment_id, employee_id, affiliation_id, reason, starts_on, ends_on, sworn)
SELECT uuidv7(), company_id, establishment_id, employee_id, id, 'test', hired_on, $2, true
FROM affiliation WHERE id = $1
"""


class WaiverLife(Life):
    """The waiver that an affiliation ended in; its clock is its own."""

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        return self.world.client.get_workflow_handle_for(WaiverWorkflow.run, waiver_workflow_id(str(self.id)))


class Scene:
    """Acts upon affiliations as their employer, employee, staff and providers would."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._staff = StaffService(world.system, world.engine)
        self._deliveries = DeliveryService(
            world.system, world.engine, LocalPost(LocalBoxes(world.system)), engine(world)
        )

    async def declare(self, **changes: Any) -> Life:
        """Somebody declared by an employer of their own, whose first message has left."""
        life = await self.world.declare(await self.world.employer(), **changes)
        await life.until_messages(1)
        await life.until_quiet()
        return life

    async def until_attention(self, life: Life, attention: Attention) -> None:
        """Until the workflow, too, knows that it waits for somebody: the read model is told a moment earlier."""
        await self._until("SELECT FROM affiliation WHERE id = $1 AND attention = $2", life.id, attention)
        await life.until_quiet()

    async def until_attempted(self, life: Life) -> None:
        """Until a provider has been called and took nothing."""
        query = "SELECT FROM dispatch WHERE affiliation_id = $1 AND attempts > 0 AND calling_since IS NULL"
        await self._until(query, life.id)

    async def _until(self, query: str, *arguments: object) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while not await self.world.run(query, *arguments):  # noqa: ASYNC110 (within a time limit)
                await asyncio.sleep(0.02)

    async def save_draft(self, life: Life, by: Medium = Medium.email) -> None:
        await self.world.run(
            "INSERT INTO enrolment (affiliation_id, company_id, version, saved_at, saved_by, told_at)"
            " SELECT id, company_id, 1, now(), $2, now() FROM affiliation WHERE id = $1",
            life.id,
            by,
        )
        await life.tell(AffiliationWorkflow.save_draft, DraftSaved(by))

    async def submit(self, life: Life, *missing: str, checking: bool = False, told: bool = True) -> None:
        """The completed form; not `told`: the API ended between the database and the workflow."""
        await self.world.run(SUBMIT, life.id, "online", missing, checking, None)
        if told:
            await self._tell_completion(life, EMPLOYEE_ACTOR)

    async def waive(self, life: Life, ends_on: date) -> None:
        """A completed form that ends in a waiver."""
        await self.world.run(WAIVE, life.id, ends_on)
        await self.submit(life)

    def waiver_of(self, life: Life) -> WaiverLife:
        return WaiverLife(self.world, life.employer, life.id)

    async def end_waiver(self, life: Life, on: date) -> None:
        await self.world.engine.end_waiver(str(life.id), WaiverEnded(EMPLOYEE_ACTOR, on), str(uuid.uuid4()))

    async def return_paper(self, life: Life, *missing: str) -> None:
        await self.world.run(SUBMIT, life.id, "paper", missing, False, STAFF.id)
        await self._tell_completion(life, STAFF_ACTOR)

    async def ask_for(self, life: Life, *missing: str) -> None:
        """Staff refuse a document, or find that one is missing."""
        await self._change_pieces(life, missing, False, STAFF_ACTOR, EventKind.pieces_asked)

    async def send_pieces(self, life: Life, *still_missing: str) -> None:
        """The employee's documents, which staff are to check."""
        await self._change_pieces(life, still_missing, True, EMPLOYEE_ACTOR, EventKind.pieces_received)

    async def accept_pieces(self, life: Life) -> None:
        await self._change_pieces(life, (), False, STAFF_ACTOR, EventKind.pieces_accepted)

    async def decline(self, life: Life, reason: str, by: Medium = Medium.email) -> None:
        await life.tell(AffiliationWorkflow.decline, Declined(by, DeclineReason(reason)))

    async def _tell_completion(self, life: Life, actor: Actor) -> None:
        async with system(self.world.system) as connection:
            completion = await completion_of(connection, life.id)
        assert completion is not None, "just written"
        await life.tell(AffiliationWorkflow.complete, Completed(actor, completion), "complete")

    async def _change_pieces(
        self, life: Life, missing: tuple[str, ...], checking: bool, actor: Actor, event: EventKind
    ) -> None:
        rows = await self.world.run(CHANGE, life.id, missing, checking)
        changed = PiecesChanged(actor, rows[0]["pieces_version"], missing, checking, event)
        await life.tell(AffiliationWorkflow.pieces_changed, changed)

    async def find(self, life: Life, email: str) -> None:
        """Staff find an address that reaches somebody whose pieces are awaited."""
        version = await self.world.run(FOUND, life.id, email)
        corrected = ContactCorrected(STAFF_ACTOR, version[0]["version"], (Medium.email,), (Medium.email, Medium.post))
        await life.tell(AffiliationWorkflow.correct_contact, corrected)

    async def correct(self, life: Life, **changes: Any) -> None:
        request = CorrectedContact.model_validate(changes)
        await self.world.affiliations.correct_contact(life.employer.caller, life.id, request)

    async def withdraw(self, life: Life, reason: WithdrawalReason) -> None:
        await self.world.affiliations.withdraw(life.employer.caller, life.id, Withdrawal(reason=reason))

    async def resolve_doubt(self, life: Life, verdict: Verdict) -> None:
        await self._staff.resolve_doubt(STAFF, life.id, DoubtResolution(verdict=verdict), None)

    async def provider_says(self, life: Life, kind: DeliveryKind, reason: str = "5.1.1") -> None:
        """About the last message that left."""
        rows = await self.world.run(
            "SELECT id FROM dispatch WHERE affiliation_id = $1 AND handed_over_at IS NOT NULL"
            " ORDER BY handed_over_at DESC, id DESC LIMIT 1",
            life.id,
        )
        event = DeliveryEvent("test", str(uuid.uuid4()), str(rows[0]["id"]), kind, reason, datetime.now(UTC))
        await self._deliveries.receive([event])
