"""« Déjà affilié·e chez nous ? »: the question, the code, the former answers, and what is left to answer.

The first two pages say the same to everybody (services/known_person.py has why).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Final

from fastapi import APIRouter, BackgroundTasks, Depends, Query, Request, Response

from domain.enrolment import FormField, form, keys_of
from messages.catalogue import Catalogue
from messages.errors import error_text
from portal.employee import paused_page
from portal.forms import Fields
from portal.frame import EmployeeRoute, employee_page, texts
from portal.pages import see_other
from portal.questions import Questions, Wrong, anchor, direction_of, seen_in
from portal.review import Line
from portal.steps import REVIEW, Note, Shown, keep, open_form, step_address
from services.access import Proof
from services.callers import EmployeeCaller
from services.enrolments import EnrolmentView
from services.fields import validated
from services.known_person import (
    AskFormerCode,
    CodeChannel,
    FormerCode,
    FormerFile,
    FormerPart,
    TakeFormer,
    ToSend,
)
from services.problems import (
    AlreadySubmitted,
    BirthDateNeeded,
    InvalidFields,
    NotFound,
    StaleDraft,
    TooManyTries,
    WrongBirthDate,
    WrongCode,
)
from web.callers import EMPLOYEE_COOKIE, Employee
from web.csrf import OwnPages
from web.parts import Parts, parts
from web.visitors import Visit

router = APIRouter(route_class=EmployeeRoute, dependencies=[OwnPages], include_in_schema=False)

Use = Annotated[Parts, Depends(parts)]
START: Final = "/dossier/deja-affilie"
_CODE: Final = f"{START}/code"
_ANSWERS: Final = f"{START}/reponses"
_REST: Final = f"{START}/suite"
_NOBODY: Final = "dependants.none"  # the page of the family asks for them


# --- where the code goes


@router.get(START)
async def start(request: Request, employee: Employee, use: Use) -> Response:
    """The question that everybody is asked; with it the birth date where this session has not given it."""
    return _start_page(request, employee, await _open_view(employee, use))


@router.post(START)
async def ask(
    request: Request, employee: Employee, fields: Fields, use: Use, visit: Visit, background: BackgroundTasks
) -> Response:
    """The birth date is looked at first; then the answer is everybody's, and what leaves does so after it."""
    view = await _open_view(employee, use)
    t, errors = texts(view.language), {}
    channel, born = fields.get("channel", ""), fields.get("birth_date", "").strip()
    if channel not in set(CodeChannel):
        errors["channel"] = t.text("page.known.choose")
    if not employee.proved and not errors:
        try:
            await use.access.prove(employee, validated(Proof, {"birth_date": born} if born else {}))
        except InvalidFields as invalid:
            [error] = invalid.errors[:1]
            errors["birth_date"] = error_text(t, error.code, error.example)
        except WrongBirthDate as wrong:
            errors["birth_date"] = t.text("page.locked.wrong", int(str(wrong.extensions["tries_left"])))
        except TooManyTries as paused:
            return paused_page(request, t, paused)
        employee = await use.access.caller(request.cookies.get(EMPLOYEE_COOKIE))
    if errors:
        return _start_page(request, employee, view, errors, channel, born)
    background.add_task(use.known_person.deliver, await _asked(employee, use, CodeChannel(channel)), visit)
    return see_other(f"{_CODE}?moyen={channel}")


# --- the code


@router.get(_CODE)
async def code(request: Request, employee: Employee, use: Use, moyen: Annotated[str, Query()] = "") -> Response:
    return _code_page(request, await _open_view(employee, use), moyen)


@router.post(_CODE)
async def give(request: Request, employee: Employee, fields: Fields, use: Use) -> Response:
    """One answer for whatever is not right."""
    view = await _open_view(employee, use)
    t, typed = texts(view.language), fields.get("code", "")[:60]
    try:
        await use.known_person.answer(employee, validated(FormerCode, {"code": typed}))
    except (WrongCode, InvalidFields):
        return _code_page(request, view, fields.get("moyen", ""), typed, t.text("page.known.code.wrong"))
    except BirthDateNeeded:
        return see_other(START)
    return see_other(_ANSWERS)


@router.post(f"{_CODE}/envoi")
async def again(employee: Employee, fields: Fields, use: Use, visit: Visit, background: BackgroundTasks) -> Response:
    """The same code while it is valid."""
    await _open_view(employee, use)
    channel = fields.get("moyen", "")
    if channel not in set(CodeChannel) or not employee.proved:
        return see_other(START)
    background.add_task(use.known_person.deliver, await _asked(employee, use, CodeChannel(channel)), visit)
    return see_other(f"{_CODE}?moyen={channel}")


# --- the former answers


@router.get(_ANSWERS)
async def answers(request: Request, employee: Employee, use: Use, note: Note = "") -> Response:
    """Where they come from, and each part of them to be kept or not."""
    view = await _open_view(employee, use)
    try:
        former = await use.known_person.read(employee)
    except (NotFound, BirthDateNeeded):
        return see_other(START)  # the hour is over
    t = texts(view.language)
    return employee_page(
        request,
        "known_answers",
        t=t,
        view=view,
        former=former,
        day=t.full_day(former.sent_on),
        parts=_parts(former, view, t),
        note=note,
    )


@router.post(_ANSWERS)
async def take(employee: Employee, fields: Fields, use: Use) -> Response:
    """Fill the new form with what is ticked."""
    await _open_view(employee, use)
    try:
        body = {"version": fields.get("_version", ""), "blocks": [b for b in FormerPart if fields.get(b) == "yes"]}
        await use.known_person.take(employee, validated(TakeFormer, body))
    except StaleDraft:
        return see_other(f"{_ANSWERS}?note=change")
    except (NotFound, BirthDateNeeded):
        return see_other(START)
    return see_other(_REST)


# --- what is left


@router.get(_REST)
async def rest(request: Request, employee: Employee, use: Use, voir: Shown = "", note: Note = "") -> Response:
    """The questions that are new, first; then what is there already."""
    questions = await open_form(employee, use)
    fields = _new_questions(questions)
    show = frozenset(questions.errors) if voir else frozenset()
    sheet = questions.sheet(fields, "", show)
    wrong = [Wrong(q.path, q.label, q.error) for q in sheet.asked if q.error]
    return employee_page(
        request,
        "known_rest",
        t=questions.t,
        keeps="answers" if fields else "",
        view=questions.view,
        sheet=sheet,
        wrong=wrong,
        onward=_onward(questions),
        note=note,
    )


@router.post(_REST)
async def save_rest(request: Request, employee: Employee, fields: Fields, use: Use) -> Response:
    """Keep what was answered, then on to the documents and the last page."""
    kept = await keep(request, employee, fields, use, here=_REST)
    if kept.answer is not None:
        return kept.answer
    if kept.conflict or kept.too_long:
        return see_other(f"{_REST}?voir=tout")
    questions = await open_form(kept.employee, use)
    shown = seen_in(fields)
    if any(path in shown and error.code != _NOBODY for path, error in questions.errors.items()):
        return see_other(f"{_REST}?voir=tout")
    asked = questions.sheet(_new_questions(questions), "", frozenset()).asked
    left = [q.path for q in asked if q.path not in shown and q.path in questions.errors]
    if left:
        return see_other(f"{_REST}?note=suite#{anchor(left[0])}")
    return see_other(_onward(questions))


def _onward(questions: Questions) -> str:
    """The people who are to be added, the documents where the answers call for some, then the page that is signed."""
    for path, error in questions.errors.items():
        step = questions.step_of(path)
        if error.code == _NOBODY and step is not None:
            return f"{step_address(step)}?depuis=verification"
    documents = next((step for step in questions.steps if step.documents), None)
    if documents is not None and questions.view.documents:
        return f"{step_address(documents)}?depuis=verification"
    return REVIEW


def _new_questions(questions: Questions) -> tuple[FormField, ...]:
    """Those of every step but the last that have no answer yet, or depend on one that has none. What brings a step is
    on the same page, so it stands with each of its questions."""
    answers, last = questions.view.answers, questions.last
    fields = [
        replace(field, when={**(step.when or {}), **(field.when or {})} or None)
        for step in questions.form.steps
        if step is not last
        for field in step.fields
    ]
    new: dict[str, FormField] = {}
    for field in fields:
        head = any(name in new for name in field.when or {})
        asked = head or field.name in questions.view.questions
        error = questions.errors.get(field.name)
        wrong = error is not None and error.code != _NOBODY
        if asked and (wrong or (head and not answers.get(field.name))):
            new[field.name] = field
    return tuple(new.values())


# --- pages


@dataclass(frozen=True)
class Way:
    """By which a code comes."""

    channel: CodeChannel
    label: str
    hint: str


@dataclass(frozen=True)
class Part:
    """A part of the former answers; `people`: those that it is about, each with a name."""

    name: str
    title: str
    lines: list[Line]
    people: list[tuple[str, list[Line]]]
    answered: bool


async def _open_view(employee: EmployeeCaller, use: Parts) -> EnrolmentView:
    """Raises NotAuthenticated, BirthDateNeeded, AlreadySubmitted."""
    view = await use.enrolments.current(employee)
    if view.locked:
        raise BirthDateNeeded()
    if view.submitted_at is not None:
        raise AlreadySubmitted()
    return view


async def _asked(employee: EmployeeCaller, use: Parts, channel: CodeChannel) -> ToSend | None:
    _, order = await use.known_person.ask(employee, AskFormerCode(channel=channel))
    return order


def _start_page(
    request: Request,
    employee: EmployeeCaller,
    view: EnrolmentView,
    errors: Mapping[str, str] | None = None,
    channel: str = "",
    born: str = "",
) -> Response:
    t = texts(view.language)
    labels = {"birth_date": t.text("form.birth_date.label"), "channel": t.text("page.known.where")}
    return employee_page(
        request,
        "known_start",
        422 if errors else 200,
        t=t,
        asks_birth_date=not employee.proved,
        errors={"birth_date": "", "channel": "", **(errors or {})},
        wrong=[{"href": f"#{name}", "label": labels[name], "text": text} for name, text in (errors or {}).items()],
        channels=[
            Way(CodeChannel.sms, t.text("page.known.sms"), t.text("page.known.sms.hint")),
            Way(CodeChannel.email, t.text("page.known.email"), t.text("page.known.email.hint")),
        ],
        channel=channel,
        born=born[:40],
    )


def _code_page(request: Request, view: EnrolmentView, channel: str, typed: str = "", error: str = "") -> Response:
    return employee_page(
        request,
        "known_code",
        422 if error else 200,
        t=texts(view.language),
        channel=channel if channel in set(CodeChannel) else "",
        typed=typed,
        error=error,
    )


def _parts(former: FormerFile, view: EnrolmentView, t: Catalogue) -> list[Part]:
    edition = form(former.form_version)
    answers = {path: value for block in former.blocks for path, value in block.answers.items()}
    questions = Questions(edition, view.model_copy(update={"answers": answers}), t)

    def lines(paths: Iterable[str]) -> list[Line]:
        return [
            Line(questions.label(path), questions.shown(path, answers[path]), "", "", direction_of(edition.knows(path)))
            for path in paths
        ]

    shown = []
    for block in former.blocks:
        people = [
            (
                questions.person_name(group, key),
                lines(path for path in block.answers if path.startswith(f"{group.name}.{key}.")),
            )
            for group in edition.groups
            for key in keys_of(block.answers, group.name)
        ]
        own = lines(path for path in block.answers if "." not in path)
        shown.append(Part(block.name, t.text(f"form.step.{block.name}.title"), own, people, block.answered))
    return shown
