"""The portal's part of the web application."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse

from messages.typography import french
from portal import (
    account,
    affiliation_imports,
    assistant,
    contact,
    contracts,
    desk,
    desk_accounts,
    desk_companies,
    desk_contact,
    desk_dispatches,
    desk_dsn,
    desk_faq,
    desk_file,
    desk_library,
    desk_paper,
    desk_rights,
    dev,
    dsn_hires,
    employee,
    evidence,
    exports,
    first_steps,
    follow_up,
    follow_up_messages,
    follow_up_one,
    handover,
    home,
    insured,
    known_person,
    library,
    look_as,
    notifications,
    papers,
    pre_affiliation,
    procedures,
    radiation,
    resume,
    review,
    rights,
    rights_keys,
    rights_mandates,
    rights_review,
    rights_webhooks,
    sign_in,
    static,
    steps,
    support,
)
from portal.frame import problem_page
from portal.menu import HOME
from portal.space import space_page
from services.problems import NotFound, Problem
from web.several_files import takes_several


def include(app: FastAPI, development: bool) -> None:
    """Add the pages; `/dev` exists only in development."""
    for module in (
        static,
        employee,
        handover,
        known_person,
        steps,
        papers,
        review,
        first_steps,
        resume,
        account,
        rights,
        rights_review,
        rights_mandates,
        rights_keys,
        rights_webhooks,
        *(home, contracts, follow_up, follow_up_one, follow_up_messages, library, evidence, notifications, support),
        *(contact, procedures, desk_contact),
        *(assistant, desk_faq, desk_library),
        *(pre_affiliation, affiliation_imports, dsn_hires, insured, radiation, exports),
        *(desk, desk_file, desk_rights, desk_paper, desk_companies, desk_accounts, desk_dispatches, desk_dsn, look_as),
    ):
        app.include_router(module.router)
    for router in (sign_in.public, sign_in.signed_in):
        app.include_router(router)
    if development:
        app.include_router(dev.router)
    first = "/dev" if development else HOME

    @app.get("/", include_in_schema=False)
    async def entrance() -> RedirectResponse:
        return RedirectResponse(first, status_code=303)

    for status in (404, 405, 413):
        app.add_exception_handler(status, _on_http)  # type: ignore[arg-type]


class TooLarge(Problem):
    """More than the limit of its address (api/limits.py)."""

    status = 413
    code = "too_large"
    title = "Contenu trop volumineux"

    def __init__(self) -> None:
        super().__init__("Le fichier dépasse 10 Mo. Reprenez la photo, ou envoyez une page à la fois.")


_TOGETHER: Final = french(
    "Vos fichiers dépassent 25 Mo ensemble. Rien n’a été envoyé. Revenez à la page précédente : votre message y est "
    "encore. Joignez moins de fichiers, les autres partiront en réponse."
)


async def _on_http(request: Request, error: HTTPException) -> Response:
    """What no route answers: a page for a browser, the door's own answer for everybody else."""
    if request.url.path.startswith("/api/") or "text/html" not in request.headers.get("accept", ""):
        answer: Response = await request.app.exception_handlers[HTTPException](request, error)
        return answer
    if error.status_code == 413 and takes_several(request.url.path):
        return space_page(request, "problem", 413, title=TooLarge.title, detail=_TOGETHER, again=False)
    return problem_page(request, TooLarge() if error.status_code == 413 else NotFound())
