"""Counts requests that name what their caller does not find (security.md J-07)."""

from __future__ import annotations

from fastapi import Request

from services.audit_trail import AuditTrailService
from services.callers import Caller
from services.problems import NotFound, Problem


async def tell_denial(request: Request, problem: Problem) -> None:
    """Where it is an id in the address that was not found by somebody who is known; which id is not looked at."""
    caller: Caller | None = getattr(request.state, "caller", None)
    named = next(iter(request.path_params), None)
    if isinstance(problem, NotFound) and caller is not None and named is not None:
        await AuditTrailService(request.app.state.parts.system).denied(caller, named.removesuffix("_id"))
