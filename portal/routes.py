"""The portal's part of the web application."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.responses import RedirectResponse

from portal import dev, employee, static


def include(app: FastAPI, development: bool) -> None:
    """Add the pages; `/dev` exists only in development."""
    app.include_router(static.router)
    app.include_router(employee.router)
    if development:
        app.include_router(dev.router)
    home = "/dev" if development else "/courrier"  # until the employers' pages are here

    @app.get("/", include_in_schema=False)
    async def entrance() -> RedirectResponse:
        return RedirectResponse(home, status_code=303)
