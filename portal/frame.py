"""The frame of the employee's pages: their language, and what goes wrong, as pages too."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

from fastapi import Request, Response
from fastapi.responses import HTMLResponse

from domain.media import Language
from messages.catalogue import Catalogue, catalogue
from portal.pages import PAGE_POLICY, PageRoute, page, see_other, with_retry
from services.problems import AlreadySubmitted, BirthDateNeeded, NotAuthenticated, Problem
from services.sessions import csrf_token
from settings import Environment
from web.cookies import Cookie, cookie_of, set_cookie
from web.csrf import visit_of
from web.parts import Parts

LANGUAGE_COOKIE = "langue"
_A_YEAR: Final = 365 * 24 * 3600
# What these pages are written with; a language whose catalogues have all of it is offered.
_AREAS: Final = ("page.", "form.", "error.", "document.", "waiver.", "status.", "piece.", "house.", "legal.")

# Addresses that are only sent to, and the page that one then sees.
_SHOWN_AT: Final = {
    "/dossier/naissance": "/dossier",
    "/dossier/langue": "/dossier",
    "/dossier/envoi": "/dossier/verification",
    "/dossier/deja-affilie/code/envoi": "/dossier/deja-affilie/code",
    "/dossier/documents": "/dossier/etapes/documents",
}

Texts = Catalogue


@dataclass(frozen=True)
class LanguageChoice:
    """A language, named in itself."""

    code: str
    name: str
    html_lang: str
    direction: str
    current: bool


@cache
def offered() -> tuple[Language, ...]:
    """The languages in which every text of these pages is there."""
    wanted = _texts_of_pages(Language.fr)
    return tuple(language for language in Language if wanted <= _texts_of_pages(language))


def _texts_of_pages(language: Language) -> set[str]:
    return {key for key in catalogue(language).keys if key.startswith(_AREAS)}


def texts(language: Language) -> Texts:
    """The texts in a language, in French until it is offered."""
    return catalogue(language if language in offered() else Language.fr)


def chosen_language(request: Request) -> Language | None:
    """The one that was chosen on this device, by a person or by their message."""
    code = request.cookies.get(LANGUAGE_COOKIE)
    return Language(code) if code in set(Language) else None


def language_of(request: Request) -> Language:
    """Before a session says it: chosen here, else the browser's own, else French."""
    chosen = chosen_language(request)
    if chosen is not None:
        return chosen
    for wanted in request.headers.get("accept-language", "")[:200].split(","):
        code = wanted.split(";")[0].strip().split("-")[0].lower()
        if code in set(offered()):
            return Language(code)
    return Language.fr


def remember_language(answer: Response, language: Language, use: Parts) -> None:
    """For the pages that stand outside of a session."""
    answer.set_cookie(
        LANGUAGE_COOKIE,
        language.value,
        max_age=_A_YEAR,
        httponly=True,
        samesite="lax",
        secure=use.config.environment is Environment.production,
    )


def employee_page(
    request: Request,
    template: str,
    status: int = 200,
    t: Texts | None = None,
    keeps: str = "",
    **values: object,
) -> HTMLResponse:
    """A page in the person's language.

    `keeps`: the id of the page's form, which a change of language then sends and saves; otherwise the languages stand
    at the top.
    """
    t = t or texts(language_of(request))
    languages = [
        LanguageChoice(
            language.value,
            catalogue(language).text("page.language.name"),
            catalogue(language).html_lang,
            catalogue(language).direction,
            language is t.language,
        )
        for language in offered()
    ]
    here = _here(request)
    use: Parts = request.app.state.parts
    visit = visit_of(request, use)
    answer = page(
        f"employee/{template}.html",
        status,
        PAGE_POLICY,
        t=t,
        languages=languages,
        here=here,
        keeps=keeps,
        csrf=csrf_token(visit),
        **values,
    )
    if cookie_of(request, Cookie.visit, use.config) is None:
        set_cookie(answer, Cookie.visit, visit, use.config)
    return answer


def _here(request: Request) -> str:
    """The page that a change of language leads back to."""
    path = request.url.path
    for posted, shown in _SHOWN_AT.items():
        if path.startswith(posted):
            return shown
    return path if len(path) <= 200 and path.isprintable() else "/courrier"


class EmployeeRoute(PageRoute):
    """A route whose errors are pages in the person's language."""

    def problem(self, request: Request, problem: Problem) -> Response:
        if isinstance(problem, AlreadySubmitted | BirthDateNeeded):
            return see_other("/dossier")  # the receipt, or the question that opens the draft
        if isinstance(problem, NotAuthenticated):
            return employee_page(request, "session_ended", 401, saved_at=None)
        return problem_page(request, problem)


def problem_page(request: Request, problem: Problem) -> Response:
    """What went wrong, and what to do: in French where it has no words in the person's language."""
    t = texts(language_of(request))
    key = f"page.problem.{problem.code}"
    known = f"{key}.title" in t.keys
    reference = problem.extensions.get("reference", "")
    answer = employee_page(
        request,
        "problem",
        problem.status,
        t,
        title=t.text(f"{key}.title") if known else problem.title,
        detail=t.html(f"{key}.detail", reference=reference) if known else problem.detail,
        lang=t.html_lang if known else "fr",
        back=_back(request),
    )
    return with_retry(answer, problem)


def _back(request: Request) -> str:
    """Where what the person was doing goes on."""
    here = _here(request)
    if here != request.url.path:
        return here
    return "/dossier" if here.startswith("/dossier") else "/courrier"
