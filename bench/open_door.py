"""The API without its door, in a process of its own: `python -m bench.open_door`.

Every caller is taken for the same one; nobody is looked up. The rest is the real application: the floor of
authorization.
"""

from __future__ import annotations

import os
from uuid import UUID

import uvicorn

from api.app import create_app
from services.callers import EMPLOYER_SCOPES, Caller
from settings import settings
from web.callers import any_caller

COMPANY = "BENCH_COMPANY"


def main() -> None:
    caller = Caller("bench", (UUID(os.environ[COMPANY]),), EMPLOYER_SCOPES)

    async def everybody() -> Caller:
        return caller

    config = settings()
    app = create_app(config)
    app.dependency_overrides[any_caller] = everybody
    uvicorn.run(app, host=config.api_host, port=config.api_port, log_config=None, access_log=False)


if __name__ == "__main__":
    main()
