"""The services around a world's affiliations, as the doors use them."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

from activities.contracts import Progress
from domain.affiliation import Attention, Verdict
from domain.identifiers import Civility
from domain.media import Medium
from domain.synthetic import synthetic_iban, synthetic_nir
from gateways.delivery import DeliveryEvent, DeliveryKind
from gateways.local_boxes import LocalBoxes, LocalPost
from services.callers import Caller, EmployeeCaller, Scope
from services.declarations import CorrectedContact, DoubtResolution, Withdrawal, WithdrawalReason
from services.deliveries import DeliveryService
from services.enrolment_form import Draft, PaperReturn, SaveDraft, Submission
from services.enrolments import Decline, EnrolmentService
from services.staff import StaffService
from tests.world import Life, World
from workflows.client import Affiliations, EngineAway

STAFF = Caller("staff-1", (), frozenset({Scope.staff, Scope.read}))
WAIT_SECONDS = 10


class _Away(Affiliations):
    async def tell(self, affiliation_id: str, update: Any, request: Any, request_id: str) -> Progress:
        raise EngineAway("on purpose")


class Scene:
    """Acts upon affiliations as their employer, employee, staff and providers would."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._enrolments = EnrolmentService(world.web, world.system, world.engine, world.cipher)
        self._staff = StaffService(world.system, world.engine)
        self._deliveries = DeliveryService(world.system, world.engine, LocalPost(LocalBoxes(world.system)))

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
        content = Draft(level="BASE", iban="FR76 je cherche")
        await self._enrolments.save(EmployeeCaller(life.id, by, "sent"), SaveDraft(version=0, content=content))

    async def submit(self, life: Life, told: bool = True, **changes: Any) -> None:
        """The completed form; not `told`: the API ended between the database and the workflow."""
        enrolments = self._enrolments
        if not told:
            away = _Away(self.world.client, "nobody-listens", timedelta(0))
            enrolments = EnrolmentService(self.world.web, self.world.system, away, self.world.cipher)
        form = {
            "nir": synthetic_nir(Civility.madame, date(1990, 5, 12)),
            "level": "BASE",
            "iban": synthetic_iban(7),
            "account_holder": "Camille Essai",
            "consent": True,
            "signature": "Camille Essai",
            **changes,
        }
        await enrolments.submit(EmployeeCaller(life.id, "email", "sent"), Submission.model_validate(form))

    async def return_paper(self, life: Life, *missing: str) -> None:
        form = PaperReturn.model_validate({"level": "BASE", "missing": list(missing)})
        await self._enrolments.record_paper(STAFF, life.id, form)

    async def decline(self, life: Life, reason: str, by: Medium = Medium.email) -> None:
        await self._enrolments.decline(EmployeeCaller(life.id, by, "sent"), Decline.model_validate({"reason": reason}))

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
