"""DSN files for tests of the pages: of a company's own people, sent by staff and read by the world's worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from activities.contracts.affiliation import SYSTEM_ACTOR
from activities.contracts.dsn import dsn_workflow_id
from activities.dsn_intake import DsnIntake
from composition import dsn_vault
from tests.domain.dsn.files import ADHESION, Rubriques, contract, envoi, written
from tests.dsn.importing import declared_by, somebody
from tests.insuring import add_insured, new_nir
from tests.world import Employer, World
from workflows.dsn_imports_client import DsnImports


async def file_of(world: World, employer: Employer, *people: Rubriques, **settings: Any) -> bytes:
    """A monthly declaration on the company's own contract."""
    [row] = await world.run("SELECT insurer_reference FROM company WHERE id = $1", employer.company_id)
    content = written(envoi(declared_by(employer)(*people, **settings))).getvalue()
    return content.replace(ADHESION.encode(), row["insurer_reference"].encode())


async def read_to_the_end(world: World, import_id: UUID | str) -> None:
    handle = world.client.get_workflow_handle(dsn_workflow_id(str(import_id)))
    await asyncio.wait_for(handle.result(), 30)


async def imported(world: World, content: bytes) -> UUID:
    """Received and read."""

    async def parts() -> AsyncIterator[bytes]:
        yield content

    engine = DsnImports(world.client, world.config.temporal_task_queue, timedelta(seconds=5))
    taken = await DsnIntake(world.system, dsn_vault(world.config), engine, 10**7).take(parts(), "api", SYSTEM_ACTOR)
    await read_to_the_end(world, taken.import_id)
    return taken.import_id


async def with_everything(world: World, employer: Employer) -> UUID:
    """A file that brings what staff have to look at: somebody likely known, an end taken back, a new hire, an ayant
    droit, a suspension, and somebody of whom the contract's day cannot be read. The import."""
    known, _ = new_nir()
    other, _ = new_nir()
    likely, born = new_nir()
    leave, _ = new_nir()
    for nir, names in ((known, ("Essai", "Camille")), (leave, ("Congé", "Sabine"))):
        await add_insured(
            world, employer, nir=nir, last_name=names[0], first_names=names[1], starts_on=date(2025, 10, 15)
        )
    await add_insured(world, employer, last_name="SILVA", first_names="Inês", starts_on=date(2025, 10, 15))
    [row] = await world.run(
        "SELECT birth_date FROM employee WHERE company_id = $1 AND last_name = 'SILVA'", employer.company_id
    )
    gone = contract(end="20042026", reason="043", kept=True)
    resting = contract()
    place = next(n for n, (code, _) in enumerate(resting) if code.startswith("S21.G00.70"))
    suspension = [("S21.G00.65.001", "639"), ("S21.G00.65.002", "01042026"), ("S21.G00.65.003", "31122026")]
    resting = [*resting[:place], *suspension, *resting[place:]]
    unread = somebody(other, contract(start="99999999"), name="PERDU", first_names="Ali")
    people = (
        somebody(known, gone, name="ESSAI", first_names="Camille"),
        somebody(
            likely,
            contract(end="20042026", reason="059"),
            name="SILVA",
            first_names="Inês",
            born=f"{row['birth_date']:%d%m%Y}",
        ),
        somebody(leave, resting, name="CONGÉ", first_names="Sabine"),
        somebody(new_nir()[0], contract(start="13042026"), name="NOUVEAU", first_names="Lucas"),
        unread,
    )
    assert born
    return await imported(world, await file_of(world, employer, *people))
