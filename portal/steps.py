"""The steps of the employee's form: what is typed is kept first, then said to be right or wrong."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response

from domain.enrolment import Form, FormField, FormGroup, FormStep, current_form, form
from domain.media import Language
from domain.working_time import paris_date
from messages.catalogue import Catalogue
from portal.forms import Fields
from portal.frame import EmployeeRoute, employee_page, offered, remember_language, texts
from portal.pages import see_other
from portal.papers import Need, needs_of, upload_refusal
from portal.questions import LONGEST, Questions, Sheet, Wrong, anchor, seen_in, sent_answers
from services.callers import EmployeeCaller
from services.enrolment_form import SaveDraft
from services.enrolments import ChosenLanguage
from services.fields import validated
from services.problems import AlreadySubmitted, BirthDateNeeded, FieldError, NotFound, StaleDraft
from web.callers import EMPLOYEE_COOKIE, Employee
from web.csrf import OwnPages
from web.parts import Parts, parts

router = APIRouter(route_class=EmployeeRoute, dependencies=[OwnPages], include_in_schema=False)

Use = Annotated[Parts, Depends(parts)]

REVIEW: Final = "/dossier/verification"
Origin = Annotated[Literal["", "verification"], Query()]
Shown = Annotated[Literal["", "erreurs", "tout"], Query()]
Note = Annotated[Literal["", "garde", "conflit", "suite", "retire", "supprime", "recu", "change"], Query()]
State = Literal["done", "to_do", "to_correct"]


# --- pages


@router.get("/dossier/etapes/{name}")
async def show_step(
    name: str,
    request: Request,
    employee: Employee,
    use: Use,
    voir: Shown = "",
    depuis: Origin = "",
    note: Note = "",
    refus: str = "",
    piece: str = "",
) -> Response:
    """The questions of a step, its people, its documents."""
    questions = await open_form(employee, use)
    step = _step(questions, name)
    if step is questions.last:
        return see_other(f"{REVIEW}#signature")
    papers: list[Need] = []
    if step.documents:
        papers = await needs_of(employee, use, questions.view, questions.t, refused=upload_refusal(refus, piece))
    return _step_page(request, questions, step, voir, depuis, note, papers)


@router.get("/dossier/etapes/{name}/{group}/{key}")
async def show_person(
    name: str,
    group: str,
    key: str,
    request: Request,
    employee: Employee,
    use: Use,
    voir: Shown = "",
    depuis: Origin = "",
    note: Note = "",
) -> Response:
    """The questions about one of the people of a step."""
    questions = await open_form(employee, use)
    step, people = _people(questions, name, group)
    return _person_page(request, questions, step, people, _key(questions, people, key), voir, depuis, note)


@router.get("/dossier/etapes/{name}/{group}/{key}/retrait")
async def ask_to_remove(
    name: str, group: str, key: str, request: Request, employee: Employee, use: Use, depuis: Origin = ""
) -> Response:
    questions = await open_form(employee, use)
    step, people = _people(questions, name, group)
    if key not in questions.people(people):
        return see_other(_address(step, depuis))
    return employee_page(
        request,
        "remove_person",
        t=questions.t,
        person=questions.person_name(people, key),
        group=people.name,
        version=questions.view.version,
        action=f"{step_address(step, people, key)}/retrait",
        back=_address(step, depuis),
        depuis=depuis,
    )


# --- what they send


@router.post("/dossier/etapes/{name}")
async def save_step(name: str, request: Request, employee: Employee, fields: Fields, use: Use) -> Response:
    """Keep the answers of a step, then go on, or show what cannot be read."""
    kept = await keep(request, employee, fields, use)
    if kept.answer is not None:
        return kept.answer
    questions = await open_form(kept.employee, use)
    step, depuis = _step(questions, name), origin_of(fields)
    if kept.too_long:
        return _step_page(request, questions, step, "erreurs", depuis, "", [], kept.too_long)
    here = _address(step, depuis)
    again = kept.again(here) or _again(questions, questions.sheet(step.fields), fields, here)
    if again:
        return see_other(again)
    if goes(fields, "next"):
        for group in questions.groups(step):
            if not questions.people(group):
                return see_other(_with(step_address(step, group, _new_key()), depuis=depuis))
    return see_other(_onward(questions, step, fields, depuis))


@router.post("/dossier/etapes/{name}/{group}/{key}")
async def save_person(
    name: str, group: str, key: str, request: Request, employee: Employee, fields: Fields, use: Use
) -> Response:
    """Keep the answers about one person, then back to the list of them."""
    kept = await keep(request, employee, fields, use)
    if kept.answer is not None:
        return kept.answer
    questions = await open_form(kept.employee, use)
    step, people = _people(questions, name, group)
    key, depuis = _key(questions, people, key), origin_of(fields)
    if kept.too_long:
        return _person_page(request, questions, step, people, key, "erreurs", depuis, "", kept.too_long)
    here = _with(step_address(step, people, key), depuis=depuis)
    sheet = questions.sheet(people.fields, f"{people.name}.{key}.")
    again = kept.again(here) or _again(questions, sheet, fields, here)
    return see_other(again or f"{_address(step, depuis)}#people-{people.name}")


@router.post("/dossier/etapes/{name}/{group}/{key}/retrait")
async def remove_person(
    name: str, group: str, key: str, request: Request, employee: Employee, fields: Fields, use: Use
) -> Response:
    """Withdraw every answer about one person."""
    questions = await open_form(employee, use)
    step, people = _people(questions, name, group)
    prefix = f"{people.name}.{key}."
    given = {path: None for path in questions.view.answers if path.startswith(prefix)}
    depuis = origin_of(fields)
    if given:
        request_body = {"version": fields.get("_version", ""), "answers": given}
        try:
            await use.enrolments.save(employee, validated(SaveDraft, request_body))
        except StaleDraft:
            return see_other(_with(step_address(step, people, key), note="conflit", depuis=depuis))
    return see_other(_with(_address(step, depuis), note="retire") + f"#people-{people.name}")


# --- keeping


@dataclass(frozen=True)
class Kept:
    """What became of what was sent.

    `employee`: whoever wrote all of a draft may read it from then on. `version`: of the draft then, None: nothing had
    changed. `answer`: what to say at once, when nothing goes on.
    """

    employee: EmployeeCaller
    version: int | None = None
    conflict: bool = False
    too_long: Mapping[str, str] = field(default_factory=dict)
    answer: Response | None = None

    def again(self, here: str) -> str:
        """Where two answers are to be compared."""
        return _with(here, voir="erreurs", note="conflit") if self.conflict else ""


async def keep(
    request: Request, employee: EmployeeCaller, fields: Mapping[str, str], use: Parts, here: str = ""
) -> Kept:
    """Save what a page sent, whatever it is; nobody loses what they typed because a session ended."""
    answers = sent_answers(_form_of(fields), fields)
    too_long = {path: given for path, given in answers.items() if len(given) > LONGEST}
    answers = {path: given for path, given in answers.items() if path not in too_long}
    conflict, version, saved_at = False, None, None
    if answers:
        body = {"version": fields.get("_version", ""), "answers": answers}
        try:
            saved = await use.enrolments.save(employee, validated(SaveDraft, body))
            version, saved_at = saved.version, saved.saved_at
        except StaleDraft:
            conflict = True
    if employee.expired:
        return Kept(employee, answer=employee_page(request, "session_ended", 401, saved_at=saved_at))
    employee = await use.access.caller(request.cookies.get(EMPLOYEE_COOKIE))
    view = await use.enrolments.current(employee)
    if view.locked:
        return Kept(employee, answer=see_other("/dossier?note=garde"))
    chosen = fields.get("_language")
    if chosen is not None and chosen in set(offered()):
        language = Language(chosen)
        await use.enrolments.choose_language(employee, ChosenLanguage(language=language))
        answer = see_other(_with(here or request.url.path, depuis=origin_of(fields)))
        remember_language(answer, language, use)
        return Kept(employee, answer=answer)
    return Kept(employee, version, conflict, too_long)


def _form_of(fields: Mapping[str, str]) -> Form:
    """The edition that the page showed."""
    try:
        return form(fields.get("_form", ""))
    except KeyError:
        return current_form()


async def open_form(employee: EmployeeCaller, use: Parts) -> Questions:
    """The draft with what is to correct in it. Raises BirthDateNeeded, AlreadySubmitted, NotAuthenticated."""
    view = await use.enrolments.current(employee)
    if view.locked:
        raise BirthDateNeeded()
    if view.submitted_at is not None:
        raise AlreadySubmitted()
    errors = await use.enrolments.check(employee)
    return Questions(form(view.form_version), view, texts(view.language), errors)


# --- where things are


def origin_of(fields: Mapping[str, str]) -> Literal["", "verification"]:
    return "verification" if fields.get("_from") == "verification" else ""


def goes(fields: Mapping[str, str], where: str) -> bool:
    return fields.get("_go", "next") == where


def step_address(step: FormStep, group: FormGroup | None = None, key: str = "") -> str:
    return f"/dossier/etapes/{step.name}" + (f"/{group.name}/{key}" if group else "")


def address_of(questions: Questions, path: str) -> str:
    """Where an answer is corrected, to come back to the review."""
    step = questions.step_of(path)
    if step is None or step is questions.last:
        return REVIEW
    parts = path.split(".")
    group = questions.group(step, parts[0]) if len(parts) == 3 else None
    address = step_address(step, group, parts[1]) if group else step_address(step)
    return _with(address, voir="tout", depuis="verification")


def state_of(questions: Questions, step: FormStep) -> State:
    """How far a step is."""
    paths = questions.paths_of(step)
    mine = [path for path in questions.errors if questions.step_of(path) is step]
    if any(questions.view.answers.get(path) or path in questions.view.conflicts for path in mine):
        return "to_correct"
    waiting = any(need.received == 0 for need in questions.view.documents) if step.documents else False
    answered = any(path in questions.view.answers for path in paths) or bool(
        step.documents and questions.view.documents
    )
    return "to_do" if mine or waiting or not answered or step is questions.last else "done"


def _address(step: FormStep, depuis: str) -> str:
    return _with(step_address(step), depuis=depuis)


def _with(address: str, **query: str) -> str:
    given = {name: value for name, value in query.items() if value}
    if not given:
        return address
    return f"{address}{'&' if '?' in address else '?'}{urlencode(given)}"


def _again(questions: Questions, sheet: Sheet, fields: Mapping[str, str], here: str) -> str:
    """The same page, for what cannot be read, or for questions that it did not show yet. "": go on."""
    if not goes(fields, "next"):
        return ""
    if _wrong_paths(questions, sheet):
        return _with(here, voir="erreurs")
    shown = seen_in(fields)
    new = [q.path for q in sheet.asked if q.path not in shown]
    return f"{_with(here, note='suite')}#{anchor(new[0])}" if new else ""


def _wrong_paths(questions: Questions, sheet: Sheet) -> list[str]:
    """What was answered and cannot stay so; what is empty waits for the review."""
    return [
        path
        for path, error in questions.errors.items()
        if path in sheet.paths
        and error.code != "dependants.none"  # the next page asks for them
        and (questions.view.answers.get(path) or path in questions.view.conflicts)
    ]


def _onward(questions: Questions, step: FormStep, fields: Mapping[str, str], depuis: str) -> str:
    if goes(fields, "list"):
        return "/dossier"
    at = questions.steps.index(step)
    if goes(fields, "previous"):
        return step_address(questions.steps[at - 1]) if at else "/dossier"
    return REVIEW if depuis else following(questions, step)


def following(questions: Questions, step: FormStep) -> str:
    """The next step; the last one is signed where everything is read again."""
    later = questions.steps[questions.steps.index(step) + 1 :]
    return step_address(later[0]) if later and later[0] is not questions.last else REVIEW


def _new_key() -> str:
    """Of a person: two devices that add one never take the same."""
    return f"k{secrets.randbelow(10**9)}"


def _step(questions: Questions, name: str) -> FormStep:
    step = questions.step(name)
    if step is None:
        raise NotFound()
    return step


def _people(questions: Questions, name: str, group: str) -> tuple[FormStep, FormGroup]:
    step = _step(questions, name)
    people = questions.group(step, group)
    if people is None:
        raise NotFound()
    return step, people


def _key(questions: Questions, group: FormGroup, key: str) -> str:
    """Raises NotFound: not what a key looks like."""
    if questions.form.knows(f"{group.name}.{key}.{group.fields[0].name}") is None:
        raise NotFound()
    return key


# --- pages


@dataclass(frozen=True)
class Person:
    key: str
    name: str
    wrong: bool
    address: str


@dataclass(frozen=True)
class Group:
    name: str
    people: list[Person]
    new: str
    full: bool


@dataclass(frozen=True)
class Progress:
    """Where one is: `at` counts from 1. `saved`: « à 14 h 02 », "" before anything is."""

    at: int
    of: int
    titles: list[str]
    saved: str


def progress_of(questions: Questions, step: FormStep) -> Progress:
    titles = [questions.t.text(f"form.step.{one.name}.title") for one in questions.steps]
    saved = when(questions.t, questions.view.saved_at) if questions.view.saved_at else ""
    return Progress(questions.steps.index(step) + 1, len(titles), titles, saved)


def when(t: Catalogue, moment: datetime) -> str:
    """« à 14 h 02 », with the day when it is not today's."""
    if paris_date(moment) == paris_date(datetime.now(UTC)):
        return t.text("page.at_time", time=t.time(moment))
    return t.text("page.day_and_time", day=t.full_day(paris_date(moment)), time=t.time(moment))


def _step_page(
    request: Request,
    questions: Questions,
    step: FormStep,
    voir: str,
    depuis: str,
    note: str,
    papers: list[Need],
    too_long: Mapping[str, str] | None = None,
) -> Response:
    sheet, wrong = _sheet(questions, step.fields, "", voir, too_long)
    groups = []
    for group in questions.groups(step):
        keys = questions.people(group)
        if group.name in questions.errors and voir:
            wrong.append(
                Wrong(group.name, questions.t.text(f"form.step.{step.name}.title"), questions.wrong(group.name))
            )
        people = [
            Person(
                key,
                questions.person_name(group, key),
                any(path.startswith(f"{group.name}.{key}.") for path in questions.errors),
                step_address(step, group, key),
            )
            for key in keys
        ]
        new = _with(step_address(step, group, _new_key()), depuis=depuis)
        groups.append(Group(group.name, people, new, len(keys) >= group.most))
    return employee_page(
        request,
        "step",
        422 if too_long else 200,
        t=questions.t,
        keeps="answers" if step.fields else "",
        step=step,
        view=questions.view,
        sheet=sheet,
        wrong=wrong,
        groups=groups,
        papers=papers,
        progress=progress_of(questions, step),
        first=questions.steps[0] is step,
        following=REVIEW if depuis else following(questions, step),
        depuis=depuis,
        note=note,
    )


def _person_page(
    request: Request,
    questions: Questions,
    step: FormStep,
    group: FormGroup,
    key: str,
    voir: str,
    depuis: str,
    note: str,
    too_long: Mapping[str, str] | None = None,
) -> Response:
    sheet, wrong = _sheet(questions, group.fields, f"{group.name}.{key}.", voir, too_long)
    return employee_page(
        request,
        "person",
        422 if too_long else 200,
        t=questions.t,
        keeps="answers",
        step=step,
        group=group.name,
        known=key in questions.people(group),
        person=questions.person_name(group, key),
        view=questions.view,
        sheet=sheet,
        wrong=wrong,
        progress=progress_of(questions, step),
        back=_address(step, depuis),
        remove=_with(f"{step_address(step, group, key)}/retrait", depuis=depuis),
        depuis=depuis,
        note=note,
    )


def _sheet(
    questions: Questions,
    fields: tuple[FormField, ...],
    prefix: str,
    voir: str,
    too_long: Mapping[str, str] | None,
) -> tuple[Sheet, list[Wrong]]:
    """The questions of a page, with the errors that it shows: all, those of what was answered, or none."""
    for path in too_long or {}:
        questions.errors[path] = FieldError(path, "string_too_long", "")
    sheet = questions.sheet(fields, prefix, frozenset(), too_long)
    shown = set(too_long or ())
    if voir == "erreurs":
        shown |= set(_wrong_paths(questions, sheet))
    elif voir == "tout":
        shown |= sheet.paths & set(questions.errors)
    shown |= sheet.paths & set(questions.view.conflicts)
    if shown:
        sheet = questions.sheet(fields, prefix, frozenset(shown), too_long)
    wrong = [Wrong(q.path, q.label, questions.wrong(q.path)) for q in sheet.asked if q.path in shown]
    return sheet, wrong
