"""Files for tests of staff's desk: whose form came with documents, or without some; and who looks at them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from activities.writing import reference_of
from domain.affiliation import Status
from domain.rights import StaffRole
from tests.api.conftest import employee_of
from tests.enrolling import IBAN, alone, save, send, upload
from tests.gateways.files.samples import certificate_pdf, photo, rib_pdf
from tests.portal.signed_in import Place, browsing
from tests.users import add_user
from tests.world import Life, World

NIR = "275067599000197"


class Desk(Place):
    """A company whose files wait, and the browser of a member of staff."""

    async def declared(self, **changes: Any) -> Life:
        life = await self.world.declare(self.employer, **changes)
        await life.until(Status.sent)
        return life

    async def sent_in(self, *pieces: str, answers: dict[str, str] | None = None, **changes: Any) -> Life:
        """A form that came online with these documents; the others are missing."""
        life = await self.declared(**changes)
        async with employee_of(self.app, life) as employee:
            version = await save(employee, answers or alone())
            for piece in pieces:
                assert (await upload(employee, piece, f"{piece}.pdf", _file(piece))).status_code == 201
            assert (await send(employee, version)).status_code == 200
        await life.until(Status.finalised)
        return life

    async def audited(self, life: Life) -> list[tuple[str, str | None]]:
        """(event, part) of what this member of staff did with a file."""
        rows = await self.world.run(
            "SELECT event, details ->> 'what' AS what FROM audit_log WHERE affiliation_id = $1 AND actor_id = $2"
            " ORDER BY id",
            life.id,
            str(self.me.id),
        )
        return [(row["event"], row["what"]) for row in rows]


@asynccontextmanager
async def at_desk(app: FastAPI, world: World, *roles: StaffRole, **options: Any) -> AsyncIterator[Desk]:
    me = await add_user(world, staff=roles or [StaffRole.write])
    async with browsing(app, world, me, **options) as web:
        yield Desk(world, app, await world.employer(), me, web)


def path_of(life: Life) -> str:
    return f"/gestion/dossiers/{life.id}"


def reference(life: Life) -> str:
    return reference_of(life.id)


def _file(piece: str) -> bytes:
    if piece == "rib":
        return rib_pdf(IBAN, "CAMILLE ESSAI")
    if piece == "social_security_certificate":
        return certificate_pdf(NIR, "CAMILLE ESSAI")
    return photo()
