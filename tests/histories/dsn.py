"""The paths that a DSN file can take, as imports on the real server: recorded beside the affiliations' lives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import date

from temporalio.client import WorkflowHistory

from activities.contracts.dsn import dsn_workflow_id
from tests.domain.dsn.files import contract
from tests.dsn.importing import somebody
from tests.insuring import add_insured, new_nir
from tests.portal.dsn_files import file_of, imported
from tests.world import World

Path = Callable[[World], Awaitable[WorkflowHistory]]


async def dsn_carried_out(world: World) -> WorkflowHistory:
    employer = await world.employer()
    nir, _ = new_nir()
    await add_insured(world, employer, nir=nir, starts_on=date(2025, 10, 15))
    gone = contract(end="20042026", reason="059")
    return await _read(world, await file_of(world, employer, somebody(nir, gone)))


async def dsn_refused(world: World) -> WorkflowHistory:
    return await _read(world, b"Nom;Prenom\n")


async def _read(world: World, content: bytes) -> WorkflowHistory:
    import_id = await imported(world, content)
    return await world.client.get_workflow_handle(dsn_workflow_id(str(import_id))).fetch_history()


IMPORTS: Mapping[str, Path] = {path.__name__: path for path in (dsn_carried_out, dsn_refused)}
