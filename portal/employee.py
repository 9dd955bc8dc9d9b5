"""The employee's pages: where the links of e-mails and the codes of letters lead, and where a person stands.

The form itself is in `steps.py`, `papers.py` and `review.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, BackgroundTasks, Depends, Query, Request, Response
from pydantic import ValidationError

from domain.affiliation import DeclineReason, Status
from domain.enrolment import form
from domain.media import Language
from domain.working_time import paris_date
from messages.catalogue import Catalogue
from messages.errors import error_text
from portal.forms import Fields
from portal.frame import (
    EmployeeRoute,
    chosen_language,
    employee_page,
    language_of,
    offered,
    remember_language,
    texts,
)
from portal.pages import see_other, with_retry
from portal.papers import USUAL, need_label, needs_of, upload_refusal
from portal.questions import Questions, Wrong
from portal.steps import REVIEW, Note, State, state_of, step_address, when
from services.access import Access, LinkRecovery, Opened, Proof
from services.callers import EmployeeCaller
from services.enrolments import ChosenLanguage, Decline, DocumentNeed, EnrolmentView
from services.fields import validated
from services.known_person import offered as offered_again
from services.problems import (
    BirthDateNeeded,
    InvalidFields,
    NotAuthenticated,
    NotFound,
    TooManyTries,
    WrongAccess,
    WrongBirthDate,
)
from services.visitors import Visitor
from web.callers import EMPLOYEE_COOKIE, Employee, open_session
from web.csrf import OwnPages
from web.parts import Parts, parts
from web.visitors import Visit

router = APIRouter(route_class=EmployeeRoute, dependencies=[OwnPages], include_in_schema=False)

Use = Annotated[Parts, Depends(parts)]
LINK_METHODS = ["GET", "HEAD"]  # scanners of mailed links ask with either, any number of times
_OURS: Final = ("/dossier", "/courrier", "/lien", "/e/", "/t/")  # where a change of language may lead back to

# --- ways in


@router.api_route("/e/{token}", methods=LINK_METHODS)
async def link(token: str, request: Request, use: Use) -> Response:
    """The link of a message: a session, and on to an address without the secret."""
    return await _through_link(request, use, token, "/dossier")


@router.api_route("/e/{token}/non", methods=LINK_METHODS)
async def decline_link(token: str, request: Request, use: Use) -> Response:
    """« Ce n'est pas moi », « J'ai quitté l'entreprise »: asked on the next page, not done here."""
    return await _through_link(request, use, token, "/dossier/non")


@router.get("/courrier")
async def letter_code(request: Request) -> Response:
    return employee_page(request, "letter_code", wrong=False, code="")


@router.post("/courrier")
async def open_letter_code(request: Request, fields: Fields, visit: Visit, use: Use) -> Response:
    """The code of a letter, typed. Unknown, wrong and dead codes get one answer."""
    code = fields.get("code", "")
    opened = await _open(use, visit, code=code)
    if opened is None:
        return employee_page(request, "letter_code", 422, wrong=True, code=code[:64])
    session, first = opened
    answer = see_other("/dossier")
    language = chosen_language(request)
    if language is not None and language is not first.language:  # chosen on the page before: it goes along
        employee = await use.access.caller(session)
        await use.enrolments.choose_language(employee, ChosenLanguage(language=language))
    return _with_session(answer, session, language or first.language, use)


@router.get("/lien")
async def ask_for_link(request: Request) -> Response:
    """« Retrouver mon lien »."""
    return employee_page(request, "recover", wrong=[], errors={}, typed={})


@router.post("/lien")
async def send_link(request: Request, fields: Fields, visit: Visit, use: Use, background: BackgroundTasks) -> Response:
    """A fresh message to the contact on file, if there is one; the answer is everybody's."""
    t = texts(language_of(request))
    names = ("token",) if "token" in fields else ("code",) if "code" in fields else ("siret", "last_name", "birth_date")
    typed = {name: fields.get(name, "").strip() for name in names}
    errors = {name: error_text(t, "missing") for name, given in typed.items() if not given and name != "token"}
    try:
        recovery = validated(LinkRecovery, {name: given for name, given in typed.items() if given})
    except InvalidFields as invalid:
        errors |= {error.field: error_text(t, error.code, error.example) for error in invalid.errors}
        recovery = LinkRecovery()
    if errors and "token" not in typed:
        wrong = [Wrong(name, t.text(f"page.recover.{name}"), text) for name, text in errors.items()]
        wrong.sort(key=lambda one: names.index(one.path))
        return employee_page(request, "recover", 422, t, wrong=wrong, errors=errors, typed=typed)
    await use.access.admit_recovery(visit.network)
    background.add_task(use.access.recover, recovery)  # after the answer: its time tells nothing either
    return see_other("/lien/demande")


@router.get("/lien/demande")
async def link_asked_for(request: Request) -> Response:
    return employee_page(request, "recovered")


@router.post("/dossier/langue")
async def choose_language(request: Request, fields: Fields, use: Use) -> Response:
    """Kept with the enrolment where there is a session, and on this device."""
    if fields.get("langue") not in set(offered()):
        raise NotFound()
    language = Language(fields["langue"])
    try:
        employee = await use.access.caller(request.cookies.get(EMPLOYEE_COOKIE))
        await use.enrolments.choose_language(employee, ChosenLanguage(language=language))
    except NotAuthenticated:
        pass  # no session yet
    answer = see_other(_ours(fields.get("retour", "")))
    remember_language(answer, language, use)
    return answer


# --- where the person stands


@dataclass(frozen=True)
class StepShown:
    title: str
    state: State
    address: str


@router.get("/dossier")
async def record(
    request: Request, employee: Employee, use: Use, note: Note = "", refus: str = "", piece: str = ""
) -> Response:
    """The question that opens the draft, the draft with its steps, or the receipt."""
    view = await use.enrolments.current(employee)
    if view.submitted_at is not None:
        return await _receipt_page(request, employee, use, view, note, refus, piece)
    if view.locked:
        return _locked_page(request, view, note)
    return await _draft_page(request, employee, use, view, note)


@router.post("/dossier/naissance")
async def prove(request: Request, employee: Employee, fields: Fields, use: Use) -> Response:
    """The birth date opens what was saved before."""
    typed = fields.get("birth_date", "").strip()
    view = await use.enrolments.current(employee)
    t = texts(view.language)
    try:
        await use.access.prove(employee, validated(Proof, {"birth_date": typed} if typed else {}))
    except InvalidFields as invalid:
        [error] = invalid.errors[:1]
        return _locked_page(request, view, "", 422, typed, error_text(t, error.code, error.example))
    except WrongBirthDate as wrong:
        left = int(str(wrong.extensions["tries_left"]))
        return _locked_page(request, view, "", 422, typed, t.text("page.locked.wrong", left))
    except TooManyTries as paused:
        return paused_page(request, t, paused)
    return see_other("/dossier")


def paused_page(request: Request, t: Catalogue, paused: TooManyTries) -> Response:
    """Too many wrong birth dates: until when."""
    until = paused.extensions["retry_at"]
    assert isinstance(until, datetime)
    moment = t.text("page.day_and_time", day=t.full_day(paris_date(until)), time=t.time(until))
    return with_retry(employee_page(request, "paused", 429, t, until=moment), paused)


@router.get("/dossier/recu.pdf")
async def receipt(employee: Employee, use: Use) -> Response:
    """The receipt, to keep."""
    pdf = await use.receipts.pdf(employee)
    return _download(pdf, "hcr-bien-etre-recu.pdf", "application/pdf")


@router.get("/dossier/mes-donnees")
async def own_data(request: Request, employee: Employee, use: Use) -> Response:
    """What we hold about the person, to take along."""
    view = await use.enrolments.current(employee)
    if view.locked:
        raise BirthDateNeeded()
    return employee_page(request, "own_data", t=texts(view.language))


@router.get("/dossier/mes-donnees.pdf")
async def own_data_to_read(employee: Employee, use: Use) -> Response:
    content = await use.personal_data.export_own_pdf(employee)
    return _download(content, "hcr-bien-etre-mes-donnees.pdf", "application/pdf")


@router.get("/dossier/mes-donnees.zip")
async def own_data_with_files(employee: Employee, use: Use) -> Response:
    content = await use.personal_data.export_own_zip(employee)
    return _download(content, "hcr-bien-etre-mes-donnees.zip", "application/zip")


def _download(content: bytes, name: str, media_type: str) -> Response:
    return Response(content, headers={"Content-Disposition": f'attachment; filename="{name}"'}, media_type=media_type)


def _locked_page(
    request: Request, view: EnrolmentView, note: str, status: int = 200, typed: str = "", error: str = ""
) -> Response:
    t = texts(view.language)
    return employee_page(
        request, "locked", status, t, view=view, note=note, typed=typed[:40], error=error, submitted=view.submitted_at
    )


async def _draft_page(
    request: Request, employee: EmployeeCaller, use: Parts, view: EnrolmentView, note: str
) -> Response:
    t = texts(view.language)
    questions = Questions(form(view.form_version), view, t, await use.enrolments.check(employee))
    steps = []
    for step in questions.steps:
        state = state_of(questions, step)
        address = REVIEW if step is questions.last else step_address(step)
        address += "?voir=erreurs" if state == "to_correct" else ""
        steps.append(StepShown(t.text(f"form.step.{step.name}.title"), state, address))
    ahead = next((step for step in steps if step.state != "done"), steps[-1])
    needs = view.documents or [DocumentNeed(piece=piece.value, name=None, received=0) for piece in USUAL]
    return employee_page(
        request,
        "draft",
        t=t,
        view=view,
        steps=steps,
        done=sum(step.state == "done" for step in steps),
        ahead=ahead,
        documents=[(need_label(t, need), need.received) for need in needs],
        certain=bool(view.documents),
        saved=when(t, view.saved_at) if view.saved_at else "",
        known=offered_again(view),
        note=note,
    )


async def _receipt_page(
    request: Request, employee: EmployeeCaller, use: Parts, view: EnrolmentView, note: str, refus: str, piece: str
) -> Response:
    t = texts(view.language)
    assert view.submitted_at is not None
    needs = [] if view.locked else await needs_of(employee, use, view, t, upload_refusal(refus, piece))
    return employee_page(
        request,
        "receipt",
        t=t,
        view=view,
        status_code=_receipt_status(view),
        received=when(t, view.submitted_at),
        needs=[need for need in needs if need.wanted],
        here_already=[need for need in needs if not need.wanted],
        labels=[need_label(t, need) for need in view.documents],
        files=view.files,
        note=note,
    )


def _receipt_status(view: EnrolmentView) -> str:
    """A key of `status.` in the catalogues."""
    if view.missing:
        return "missing_pieces"
    if view.checking:
        return "checking"
    if view.waiver is not None:
        return "waived"
    return "sent" if view.locked else "complete"


# --- not for me


@router.get("/dossier/non")
async def ask_to_decline(request: Request, employee: Employee, use: Use) -> Response:
    return await _decline_page(request, employee, use)


@router.post("/dossier/non")
async def decline(request: Request, employee: Employee, fields: Fields, use: Use) -> Response:
    """What was answered ends the session: nothing is left to open with it."""
    if fields.get("reason") not in set(DeclineReason):
        return await _decline_page(request, employee, use, wrong=True)
    reason = DeclineReason(fields["reason"])
    await use.enrolments.decline(employee, Decline(reason=reason))
    answer = see_other(f"/dossier/non/merci?reponse={reason}")
    answer.delete_cookie(EMPLOYEE_COOKIE)
    return answer


@router.get("/dossier/non/merci")
async def declined(request: Request, reponse: Annotated[DeclineReason, Query()]) -> Response:
    return employee_page(request, "declined", reason=reponse.value)


async def _decline_page(request: Request, employee: EmployeeCaller, use: Parts, wrong: bool = False) -> Response:
    view = await use.enrolments.current(employee)
    return employee_page(
        request,
        "decline",
        422 if wrong else 200,
        texts(view.language),
        view=view,
        reasons=[reason.value for reason in DeclineReason],
        closed=view.status is Status.finalised,
        wrong=wrong,
    )


# --- sessions


async def _through_link(request: Request, use: Parts, token: str, address: str) -> Response:
    opened = await _open(use, request.state.visitor, token=token)
    if opened is None:
        return employee_page(request, "link_unknown", 404, token=token[:200] if token.isprintable() else "")
    session, first = opened
    answer = see_other(address)
    answer.headers["Referrer-Policy"] = "no-referrer"
    return _with_session(answer, session, first.language, use)


async def _open(
    use: Parts, visit: Visitor, token: str | None = None, code: str | None = None
) -> tuple[str, Opened] | None:
    """A new session's secret; None for whatever opens nothing. Raises TooManyRequests."""
    try:
        return await use.access.open(Access(token=token, code=code), visit.network)
    except (WrongAccess, ValidationError):  # the second: nothing that we ever wrote looks like that
        return None


def _with_session(answer: Response, session: str, language: Language, use: Parts) -> Response:
    open_session(answer, session, use.config)
    remember_language(answer, language, use)
    return answer


def _ours(address: str) -> str:
    """An address of these pages, nothing else (security.md H-05)."""
    parts = urlsplit(address)
    ours = not parts.scheme and not parts.netloc and "\\" not in address and address.startswith(_OURS)
    return parts.path if ours and "//" not in parts.path and address.isprintable() else "/dossier"
