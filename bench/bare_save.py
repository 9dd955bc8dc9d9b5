"""The floor of saving a draft, in a process of its own: `python -m bench.bare_save`.

The same web server, framework and pool, one body read and one row updated; nobody is asked who they are, nothing is
encrypted, nothing is told to anybody. The table is made by `bench.drafting`.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

import uvicorn
from fastapi import FastAPI

from db.pool import create_pool, system
from services.enrolment_form import SaveDraft

TABLE = """
CREATE TABLE bare_draft (id int PRIMARY KEY, version int NOT NULL, content bytea NOT NULL, saved_at timestamptz);
INSERT INTO bare_draft VALUES (1, 0, ''::bytea, NULL);
GRANT SELECT, UPDATE ON bare_draft TO hcr_system;
"""
SAVE = "UPDATE bare_draft SET version = $1, content = $2, saved_at = now() WHERE id = 1 RETURNING saved_at"


async def serve(database_url: str, port: int) -> None:
    pool = await create_pool(database_url, "hcr_system", 5)
    app = FastAPI()

    @app.get("/ready")
    async def ready() -> dict[str, str]:
        return {}

    @app.patch("/draft")
    async def save(request: SaveDraft) -> dict[str, Any]:
        content = repr(request.answers).encode()
        async with system(pool) as connection:
            return {"saved_at": await connection.fetchval(SAVE, request.version, content)}

    await uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, access_log=False)).serve()


if __name__ == "__main__":
    asyncio.run(serve(os.environ["DATABASE_URL"], int(os.environ["API_PORT"])))
