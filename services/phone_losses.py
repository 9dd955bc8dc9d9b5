"""A lost telephone: staff's procedure, with a reason, a day's delay and a notice to stop it by (security.md A-19)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from activities.contracts.affiliation import Actor, ActorKind
from db import audit, profile
from db.pool import system
from domain.rights import UserKind
from gateways.access_links import LinkKind, link_hash
from gateways.encryption import token_hash
from messages.notices import NoticeKind
from services.callers import Caller, Scope
from services.fields import Form
from services.problems import LinkRefused, NotAllowed, NotFound, RefusedByRules
from services.tools import Tools


class LossReason(StrEnum):
    lost = "lost"
    stolen = "stolen"
    broken = "broken"
    number_ended = "number_ended"  # the number is not theirs any more


class PhoneLoss(Form):
    reason: LossReason


class PhoneLossView(BaseModel):
    """Number and app are taken away at `effective_at`, unless the user stops it."""

    id: UUID
    effective_at: datetime


class LossStop(Form):
    """`token`: of the notice's link."""

    token: Annotated[str, Field(max_length=200, repr=False, examples=["x" * 43])]


class PhoneLossService:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def ask(self, caller: Caller, user_id: UUID, loss: PhoneLoss) -> PhoneLossView:
        """For somebody who cannot give a code any more; of staff only by a `super`, of oneself never.

        Raises NotAllowed, StepUpNeeded, NotFound, RefusedByRules (already asked; there is nothing to take away).
        """
        caller.need(Scope.staff_write)
        person = caller.need_step_up()
        async with self._tools.outbox.transaction() as transaction:
            connection = transaction.connection
            account = await connection.fetchrow(profile.FOR_UPDATE, user_id)
            if account is None:
                raise NotFound()
            if account["kind"] == UserKind.staff:
                caller.need(Scope.staff_super)
            if user_id == person.user_id:
                raise NotAllowed("Demandez-le à une autre personne de l’équipe.")
            if not account["has_phone"] and not account["has_totp"]:
                raise RefusedByRules("no_second_factor", "Ce compte n’a ni numéro de téléphone ni application.")
            if await connection.fetchval(profile.LOSS_OPEN, user_id):
                raise RefusedByRules("phone_loss_open", "Cette demande est déjà enregistrée pour ce compte.")
            loss_id = await connection.fetchval(profile.NEW_ID)
            hashed = link_hash(self._tools.cipher, LinkKind.phone_loss_stop, loss_id)
            effective_at = await connection.fetchval(
                profile.ADD_LOSS, loss_id, user_id, loss.reason.value, person.user_id, hashed
            )
            await audit.add(
                connection,
                "auth.phone.loss_asked",
                caller.actor,
                object_type="user",
                object_id=user_id,
                details={"reason": loss.reason.value, "loss": str(loss_id)},
            )
            await transaction.notify(
                f"phone_loss/{loss_id}", NoticeKind.phone_loss, user_id=user_id, subject_id=loss_id
            )
        return PhoneLossView(id=loss_id, effective_at=effective_at)

    async def stop(self, stop: LossStop) -> None:
        """« Ce n’est pas moi »: nothing is taken away. Raises LinkRefused."""
        async with system(self._tools.system) as connection:
            stopped = await connection.fetchrow(profile.STOP_LOSS, token_hash(stop.token))
            if stopped is None:
                raise LinkRefused()
            await audit.add(
                connection,
                "auth.phone.loss_stopped",
                Actor(ActorKind(stopped["kind"]), str(stopped["user_id"])),
                details={"loss": str(stopped["id"])},
            )
