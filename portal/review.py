"""The last page of the form: everything again, what it comes to, and the signature that sends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from domain.enrolment import FormStep
from portal.forms import Fields
from portal.frame import EmployeeRoute, employee_page
from portal.pages import see_other
from portal.papers import Need, needs_of
from portal.questions import Questions, Wrong, direction_of, legal_words
from portal.steps import (
    REVIEW,
    Note,
    address_of,
    keep,
    open_form,
    progress_of,
    step_address,
)
from services.callers import EmployeeCaller
from services.enrolment_form import Submission
from services.fields import validated
from services.problems import InvalidFields, StaleDraft
from web.callers import Employee
from web.csrf import OwnPages
from web.parts import Parts, parts

router = APIRouter(route_class=EmployeeRoute, dependencies=[OwnPages], include_in_schema=False)

Use = Annotated[Parts, Depends(parts)]
INFORMATION: Final = "information"  # the legal text on personal data


@dataclass(frozen=True)
class Line:
    label: str
    value: str
    wrong: str
    doubt: str = ""
    direction: str = "auto"


@dataclass(frozen=True)
class Section:
    """The answers of a step, or of one of its people."""

    title: str
    lines: list[Line]
    edit: str
    within: str = ""  # the title of the step, for a person


@dataclass(frozen=True)
class Effect:
    """What the choice comes to."""

    joins: bool
    level: str
    price: str
    people: int


@router.get("/dossier/verification")
async def review(request: Request, employee: Employee, use: Use, note: Note = "") -> Response:
    """Everything that was answered; the signature once nothing is left to correct."""
    questions = await open_form(employee, use)
    return await _page(request, questions, await _papers(employee, use, questions), note)


@router.post("/dossier/envoi")
async def send(request: Request, employee: Employee, fields: Fields, use: Use) -> Response:
    """Keep the signature, then send what was reviewed."""
    kept = await keep(request, employee, fields, use, here=REVIEW)
    if kept.answer is not None:
        return kept.answer
    employee = kept.employee
    questions = await open_form(employee, use)
    papers = await _papers(employee, use, questions)
    later = fields.get("_later") == "yes"
    if kept.too_long:
        return await _page(request, questions, papers, "", later, kept.too_long, attempted=True)
    if kept.conflict or _moved(questions.view.version, kept.version, fields):
        return see_other(f"{REVIEW}?note=change")
    try:
        submission = validated(Submission, {"version": questions.view.version, "later": later})
        await use.enrolments.submit(employee, submission)
    except StaleDraft:
        return see_other(f"{REVIEW}?note=change")
    except InvalidFields:
        return await _page(request, questions, papers, "", later, attempted=True)
    return see_other("/dossier")


def _moved(now: int, saved: int | None, fields: Mapping[str, str]) -> bool:
    """Whether another device wrote since the page was shown: what is sent is what was read."""
    text = fields.get("_version", "")[:9]
    reviewed = int(text) if text.isdecimal() else -1
    return now != (reviewed if saved is None else saved) or saved not in (None, reviewed + 1)


async def _papers(employee: EmployeeCaller, use: Parts, questions: Questions) -> list[Need]:
    return [need for need in await needs_of(employee, use, questions.view, questions.t) if need.wanted]


async def _page(
    request: Request,
    questions: Questions,
    papers: list[Need],
    note: str,
    later: bool = False,
    too_long: Mapping[str, str] | None = None,
    attempted: bool = False,
) -> Response:
    t, view, last = questions.t, questions.view, questions.last
    open_ones = [path for path in questions.errors if questions.step_of(path) is not last]
    own = frozenset(path for path in questions.errors if questions.step_of(path) is last) if attempted else frozenset()
    sheet = questions.sheet(last.fields, "", own, too_long)
    wrong = [
        Wrong(path, _named(questions, path), questions.wrong(path), address_of(questions, path)) for path in open_ones
    ]
    missing = [need for need in papers if not need.files]
    signing: list[Wrong] = []
    if attempted and not wrong:
        signing = [Wrong(q.path, q.label, questions.wrong(q.path)) for q in sheet.asked if q.path in own]
        if missing and not later:
            signing.insert(0, Wrong("later", t.text("page.review.later"), t.text("error.document.missing")))
    return employee_page(
        request,
        "review",
        422 if attempted else 200,
        t=t,
        keeps="" if wrong else "answers",
        view=view,
        sheet=sheet,
        sections=_sections(questions),
        wrong=wrong,
        signing=signing,
        papers=papers,
        missing=missing,
        documents=next((step for step in questions.steps if step.documents), None),
        later=later,
        effect=_effect(questions),
        information=legal_words(INFORMATION, questions.form.legal, t),
        progress=progress_of(questions, last),
        previous=step_address(questions.steps[-2]) if len(questions.steps) > 1 else "/dossier",
        note=note,
    )


def _named(questions: Questions, path: str) -> str:
    """The question, with whom it is about."""
    step = questions.step_of(path)
    parts = path.split(".")
    if step is not None and len(parts) == 3:
        group = questions.group(step, parts[0])
        if group is not None:
            return f"{questions.person_name(group, parts[1])}\u00a0: {questions.label(path)}"
    if f"form.{path}.label" in questions.t.keys:
        return questions.label(path)
    return questions.t.text(f"form.step.{step.name}.title") if step is not None else path


def _sections(questions: Questions) -> list[Section]:
    sections = []
    for step in questions.steps:
        if step is questions.last or not (step.fields or step.groups):
            continue
        title = questions.t.text(f"form.step.{step.name}.title")
        own = [path for path in questions.paths_of(step) if "." not in path]
        edit = f"{step_address(step)}?depuis=verification"
        sections.append(Section(title, _facts(questions, step) + _lines(questions, own), edit))
        for group in questions.groups(step):
            for key in questions.people(group):
                prefix = f"{group.name}.{key}."
                paths = [path for path in questions.view.questions if path.startswith(prefix)]
                edit = f"{step_address(step, group, key)}?depuis=verification"
                sections.append(
                    Section(questions.person_name(group, key), _lines(questions, paths), edit, within=title)
                )
    return sections


def _facts(questions: Questions, step: FormStep) -> list[Line]:
    """What the employer declared and nothing here replaced."""
    asked = set(questions.view.questions)
    return [
        Line(questions.label(field.name), questions.shown(field.name, questions.view.suggested[field.name]), "")
        for field in step.fields
        if field.suggested and field.name not in asked and field.name in questions.view.suggested
    ]


def _lines(questions: Questions, paths: list[str]) -> list[Line]:
    answers = questions.view.answers
    lines = []
    for path in paths:
        field = questions.form.knows(path)
        value, wrong = answers.get(path, ""), questions.wrong(path)
        if value or wrong or (field is not None and field.required):
            doubt = "" if wrong else questions.doubt(path)
            shown = questions.shown(path, value)
            lines.append(Line(questions.label(path), shown, wrong, doubt, direction_of(field)))
    return lines


def _effect(questions: Questions) -> Effect | None:
    """None: the choice is not made."""
    answers, view = questions.view.answers, questions.view
    if answers.get("path") not in ("join", "waive"):
        return None
    prices = {offer.level: offer.monthly_price_cents for offer in view.offers}
    level = answers.get("level", "")
    people = sum(len(questions.people(group)) for step in questions.steps for group in questions.groups(step))
    price = questions.t.money(prices[level]) if level in prices else ""
    return Effect(answers["path"] == "join", level, price, people)
