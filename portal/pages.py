"""Turns templates into pages: French typography, words and dates, the content policy, and errors as pages."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable, Coroutine
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2_fragments import render_block
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from domain.working_time import PARIS, french_date, french_moment
from messages import house, words
from messages.typography import NBSP, french, list_item, one_line
from portal import wording
from portal.icons import icon
from portal.static import static
from services.problems import NotFound, Problem
from web.denials import tell_denial

log = logging.getLogger(__name__)

_POLICY = "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'"
PAGE_POLICY = f"{_POLICY}; frame-ancestors 'none'"


def page(template: str, status: int = 200, policy: str = PAGE_POLICY, **values: object) -> HTMLResponse:
    """The page of a template; every value it names must be given."""
    html = _environment().get_template(template).render(values)
    return HTMLResponse(html, status, {"Content-Security-Policy": policy})


def fragment(template: str, block: str, **values: object) -> HTMLResponse:
    """One block of a page, for htmx to put in its place: the same template, never a second one."""
    return HTMLResponse(render_block(_environment(), template, block, **values), headers={"Vary": "HX-Request"})


def see_other(address: str) -> RedirectResponse:
    """Where a form leads once it is done."""
    return RedirectResponse(address, 303)


class PageRoute(APIRoute):
    """A route whose errors are pages too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_as_page(request: Request) -> Response:
            try:
                return await handle(request)
            except Problem as problem:
                return await self.answer(request, problem)
            except RequestValidationError:  # pages have ids and choices in their addresses, nothing a person types
                return await self.answer(request, NotFound())
            except HTTPException:
                raise
            except ClientDisconnect:  # nobody is there any more to read an answer
                return Response(status_code=499)
            except Exception:
                reference = uuid.uuid4().hex[:12]
                log.exception("unhandled error", extra={"reference": reference})
                return await self.answer(request, Crash(reference))

        return handle_as_page

    async def answer(self, request: Request, problem: Problem) -> Response:
        """What went wrong, counted where that is due."""
        await tell_denial(request, problem)
        return self.problem(request, problem)

    def problem(self, request: Request, problem: Problem) -> Response:
        """The page that says what went wrong."""
        return with_retry(page("problem.html", problem.status, title=problem.title, detail=problem.detail), problem)


class Crash(Problem):
    """Our fault; the log has the same reference."""

    status = 500
    code = "internal_error"
    title = "Une erreur est survenue de notre côté"

    def __init__(self, reference: str) -> None:
        super().__init__(
            "Rien n’est perdu de ce qui était enregistré. Réessayez dans quelques instants. "
            f"Si l’erreur revient, appelez-nous en donnant la référence {reference}.",
            reference=reference,
        )


def with_retry(answer: Response, problem: Problem) -> Response:
    if problem.retry_after:
        answer.headers["Retry-After"] = str(problem.retry_after)
    return answer


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=_FrenchLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(static=static, icon=icon, house=house, words=words, wording=wording)
    environment.filters.update(
        hour=_hour,
        number=_number,
        moment=_moment,
        day=_day,
        short_day=_short_day,
        phone_number=_phone_number,
        one_line=one_line,
        list_item=list_item,
        phrase=lambda text: text.replace("'", "’"),
    )
    return environment


def _moment(moment: datetime) -> str:
    """« mardi 12 mai à 9 h », with the year when it is not this one."""
    return french_moment(moment, datetime.now(UTC)).replace(" à ", f" à{NBSP}")


def _hour(moment: datetime) -> str:
    """« 14 h 02 », in Paris."""
    local = moment.astimezone(PARIS)
    return f"{local.hour}{NBSP}h" + (f"{NBSP}{local.minute:02}" if local.minute else "")


def _number(value: int) -> str:
    """« 1 240 »."""
    return f"{value:,}".replace(",", "\u202f")


def _day(day: date) -> str:
    return french_date(day)


def _short_day(moment: datetime) -> str:
    """« 12/05/2026 », in Paris: the guide's own in tables."""
    return moment.astimezone(PARIS).strftime("%d/%m/%Y")


def _phone_number(number: str) -> str:
    """A French number as people write it; every other text as it is."""
    if not re.fullmatch(r"\+33\d{9}", number):
        return number
    return " ".join(re.findall("..", f"0{number[3:]}"))


class _FrenchLoader(jinja2.FileSystemLoader):
    """Templates are typed with ordinary spaces; what people typed is never touched."""

    def get_source(self, environment: jinja2.Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        source, filename, up_to_date = super().get_source(environment, template)
        return french(source), filename, up_to_date
