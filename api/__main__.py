"""The web process: `python -m api`."""

from __future__ import annotations

import uvicorn

from api.app import create_app
from api.connections import Connection
from observability import set_up_logging
from settings import settings

if __name__ == "__main__":
    config = settings()
    set_up_logging(config.log_level)
    uvicorn.run(
        create_app(config),
        host=config.api_host,
        port=config.api_port,
        log_config=None,
        access_log=False,  # addresses of links hold secrets
        server_header=False,
        http=Connection,
        proxy_headers=False,  # web.visitors reads them, as far as TRUSTED_PROXIES says
        timeout_graceful_shutdown=8,
    )
