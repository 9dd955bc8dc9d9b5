"""Export jobs as the service leaves them, for tests of what writes their files."""

from __future__ import annotations

from uuid import UUID

from activities.export import sealed
from db import exports
from db.pool import system
from domain.rights import Role
from services.insured import InsuredFilters
from services.insured_sheet import INSURED, parameters_of
from tests.insuring import add_insured
from tests.users import add_user
from tests.world import World


async def add_job(world: World, user_id: UUID, companies: list[UUID], kind: str = INSURED) -> UUID:
    """A job that no workflow has taken up."""
    async with system(world.system) as connection:
        job_id: UUID = await connection.fetchval(exports.NEW_ID)
        asked = sealed(world.cipher, job_id, parameters_of(InsuredFilters()))
        await connection.execute(exports.ADD, job_id, user_id, companies, kind, "xlsx", asked, "waiting")
    return job_id


async def job_of_two(world: World, kind: str = INSURED) -> UUID:
    """The same of a new company with two insured persons."""
    employer = await world.employer()
    for name in ("Lefèvre", "Nguyễn"):
        await add_insured(world, employer, last_name=name)
    user = await add_user(world, {employer.company_id: Role.member})
    return await add_job(world, user.id, [employer.company_id], kind)
