"""The forms that anybody may print and fill in by hand: the same for everybody, so made once."""

from __future__ import annotations

import asyncio
from functools import cache

from messages.forms import render_affiliation_form, render_pre_affiliation_form


async def blank_pre_affiliation() -> bytes:
    """The employer's declaration, as a PDF."""
    return await asyncio.to_thread(_pre_affiliation)


async def blank_affiliation() -> bytes:
    """The employee's form (BIA), as a PDF."""
    return await asyncio.to_thread(_affiliation)


@cache
def _pre_affiliation() -> bytes:
    return render_pre_affiliation_form()


@cache
def _affiliation() -> bytes:
    return render_affiliation_form(None)
