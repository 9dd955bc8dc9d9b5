"""`python -m local run` with stand-ins for the worker and the API, and migrations of one table.

Settings come from the environment. With `STAND_IN_API` set, that command is the API.
"""

import asyncio
import os
import shlex
import sys
from pathlib import Path

import asyncpg

from local.errors import LocalError
from local.stack import Plan, run
from local.supervisor import RestartPolicy
from settings import Settings

STAND_IN = str(Path(__file__).with_name("stand_in.py"))


async def migrate(owner_url: str) -> list[str]:
    connection = await asyncpg.connect(owner_url)
    try:
        if await connection.fetchval("select to_regclass('note') is not null"):
            return []
        await connection.execute(
            "create table note (text text); create role hcr_web; create role hcr_system; grant all on note to hcr_web"
        )
        return ["0001_note.sql"]
    finally:
        await connection.close()


async def no_register(settings: Settings) -> None:
    assert settings.database_url
    assert settings.temporal_address
    assert settings.link_key.get_secret_value()


def main() -> int:
    settings = Settings()
    api = os.environ.get("STAND_IN_API")
    plan = Plan(
        worker=[sys.executable, STAND_IN, str(settings.worker_metrics_port)],
        api=shlex.split(api) if api else [sys.executable, STAND_IN, str(settings.api_port)],
        migrate=migrate,
        load_demo_register=no_register,
        restarts=RestartPolicy(restarts=3, first_delay_seconds=0.02),
    )
    try:
        return asyncio.run(run(settings, plan))
    except LocalError as error:
        print(f"✗ {error}", flush=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
