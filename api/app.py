"""The web application: the JSON door under `/api/v1`, operations, the pages, and in development `/dev`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI
from temporalio.client import Client

from api import (
    activations,
    affiliation_imports,
    affiliations,
    api_keys,
    assistant,
    audit,
    company_recoveries,
    company_register,
    contact_requests,
    coverage_rights,
    dsn,
    enrolments,
    evidence,
    exports,
    insured,
    library,
    mandates,
    notifications,
    operations,
    personal_data,
    problems,
    profile,
    register,
    sessions,
    staff,
    staff_accounts,
    users,
    webhooks,
    webhooks_out,
)
from api.limits import BodyLimits
from api.problems import describe_problems
from api.security import FrontDoor, SecurityHeaders
from portal import routes as portal
from portal.space import overloaded_page
from settings import Environment, Settings
from web.compression import Compression
from web.parts import open_parts
from web.requests import once_each, shallow
from web.sign_in_gate import SignInGate
from web.visitors import Visitors

BASE = "/api/v1"


def create_app(config: Settings, temporal: Client | None = None) -> FastAPI:
    """The application; it opens its pools when it starts. `temporal`: a client to use instead of the settings'."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_parts(config, temporal) as parts:
            app.state.parts = parts
            yield

    development = config.environment is Environment.local
    app = FastAPI(
        title="Espace Entreprise Santé",
        version="1",
        description="Affiliations of employees to the branch's health insurance, from declaration to insured.",
        openapi_url=f"{BASE}/openapi.json" if development else None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would repeat whatever Host was sent
        lifespan=lifespan,
        dependencies=[Depends(once_each), Depends(shallow)],
    )
    app.state.most_dsn_bytes = config.dsn_most_megabytes * 2**20
    # each of them straight into the application: routers within routers are gone through twice at every request
    for module in (
        *(activations, sessions, profile, users, mandates, company_recoveries, api_keys),
        *(
            affiliations,
            affiliation_imports,
            evidence,
            exports,
            notifications,
            insured,
            coverage_rights,
            enrolments,
            personal_data,
            register,
            staff,
            dsn,
            company_register,
            contact_requests,
            staff_accounts,
            assistant,
            audit,
            library,
            webhooks,
            webhooks_out,
        ),
    ):
        app.include_router(module.router, prefix=BASE)
    app.include_router(dsn.employers, prefix=BASE)
    app.include_router(operations.router)
    portal.include(app, development)
    app.add_middleware(BodyLimits)
    app.add_middleware(Compression)
    problems.install(app)
    app.add_middleware(FrontDoor, config=config)
    app.add_middleware(Visitors, config=config)
    app.add_middleware(SignInGate, door=problems.overloaded_response, page=overloaded_page)
    app.add_middleware(SecurityHeaders, https=config.environment is Environment.production)
    _describe_problems(app)
    return app


def _describe_problems(app: FastAPI) -> None:
    original = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            describe_problems(original())
        return original()

    app.openapi = openapi  # type: ignore[method-assign]
