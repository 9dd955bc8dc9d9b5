"""What the employee completes: the draft, kept answer by answer, and the form it becomes, with the coverage or waiver
that it ends in."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Literal
from uuid import UUID, uuid4

import asyncpg
from pydantic import BaseModel, TypeAdapter

from activities import projection
from activities.contracts.affiliation import EMPLOYEE_ACTOR, Actor, Completed, Declined, DraftSaved
from activities.writing import reference_of
from db import affiliations, documents, enrolments
from db.pool import Connection, Pool, employee_side
from domain.affiliation import AffiliationState, Channel, DeclineReason, Refusal, Refused, Status
from domain.draft import Draft
from domain.effect_date import coverage_begins
from domain.employment import ContractKind
from domain.enrolment import Case, Form, current_form, keys_of
from domain.formulas import (
    ProfessionalStatus,
    Scheme,
    family_of,
    levels,
    monthly_price_cents,
    parse_formula_code,
)
from domain.media import Language, Medium
from domain.pieces import Piece
from domain.plan import calendar
from domain.policy import Policy
from domain.working_time import paris_date
from gateways.encryption import FieldCipher
from services import drafts
from services.access import AccessService
from services.callers import Caller, EmployeeCaller, Scope
from services.conclusion import Conclusion
from services.enrolment_form import (
    Circumstances,
    Enrolment,
    PaperReturn,
    SaveDraft,
    Submission,
    choices_of,
    pieces_needed,
    read,
    shown,
    warnings,
)
from services.fields import Form as Body
from services.fields import today
from services.problems import (
    AlreadySubmitted,
    BirthDateNeeded,
    FieldError,
    InvalidFields,
    NotAuthenticated,
    NotFound,
    StaleDraft,
)
from services.telling import refused, tell
from workflows.affiliation import AffiliationWorkflow
from workflows.client import Affiliations
from workflows.engine import EngineAway, NotRunning

log = logging.getLogger(__name__)

_STATE = TypeAdapter(AffiliationState)
_POLICY = TypeAdapter(Policy)
COMPLETE = "complete"  # the update's id: told twice, by the door and by the sweep, it happens once


class Decline(Body):
    reason: DeclineReason


class ChosenLanguage(Body):
    language: Language


class CoverageView(BaseModel):
    """The coverage an employee ends with. `monthly_price_cents` is the catalogue's on the first day."""

    formula: str
    starts_on: date
    dependants: int
    monthly_price_cents: int
    teletransmission: bool


class WaiverView(BaseModel):
    """The waiver (« dispense ») an employee ends with; after `ends_on` they are asked again."""

    reason: str
    starts_on: date
    ends_on: date
    sworn: bool


class Offer(BaseModel):
    """A level that can be chosen, with its monthly price for the family as answered so far."""

    level: str
    monthly_price_cents: int


class DocumentNeed(BaseModel):
    """A document that the answers call for, and how many files of it are here; `name`: whom it is about."""

    piece: str
    name: str | None
    received: int


class WarningView(BaseModel):
    """An answer to look at again; it stops nothing. `code`: `nir.birth_year`…"""

    field: str
    code: str


class EnrolmentView(BaseModel):
    """The employee's form: the draft while it is one, the receipt afterwards.

    `locked`: what was saved opens with the birth date (`POST …/proof`); until then nothing personal is here.
    `conflicts`: what another device wrote beside an answer. `suggested`: what the employer declared. `starts_on`: the
    first day of the cover or of the waiver. `files`: how many documents' files are here.
    """

    status: Status
    locked: bool
    language: Language
    establishment: str
    reference: str
    version: int
    form_version: str
    saved_at: datetime | None
    answers: dict[str, str]
    conflicts: dict[str, str]
    suggested: dict[str, str]
    steps: list[str]
    questions: list[str]
    choices: dict[str, list[str]]
    offers: list[Offer]
    starts_on: date | None
    documents: list[DocumentNeed]
    files: int
    warnings: list[WarningView]
    submitted_at: datetime | None
    channel: Literal["online", "paper"] | None
    missing: list[str]
    checking: bool
    pieces_deadline: date | None
    coverage: CoverageView | None
    waiver: WaiverView | None


class Saved(BaseModel):
    version: int
    saved_at: datetime


class EnrolmentService:
    def __init__(self, web: Pool, engine: Affiliations, cipher: FieldCipher, access: AccessService) -> None:
        self._web = web
        self._engine = engine
        self._cipher = cipher
        self._access = access
        self._conclusion = Conclusion(cipher)

    async def current(self, caller: EmployeeCaller) -> EnrolmentView:
        """Raises NotAuthenticated when the session has ended."""
        need_session(caller)
        async with employee_side(self._web, caller.affiliation_id) as connection:
            return await self._view(connection, caller)

    async def save(self, caller: EmployeeCaller, request: SaveDraft) -> Saved:
        """Keep what was typed, also at the end of a session and before the birth date was told.

        Raises StaleDraft when another device wrote some of the same answers: theirs stand, these are kept beside them.
        Raises InvalidFields for answers that the form does not have, AlreadySubmitted, RefusedByRules.
        """
        conflicts: dict[str, str] = {}
        async with employee_side(self._web, caller.affiliation_id) as connection:
            await self._lock_open(connection, caller.affiliation_id)
            row = await connection.fetchrow(enrolments.GET, caller.affiliation_id)
            before = drafts.opened(self._cipher, caller.affiliation_id, row)
            draft = before.draft.saved(request.version, _changes(before.form, before.draft, request.answers))
            content = drafts.sealed(self._cipher, caller.affiliation_id, draft)
            if row is None:
                saved = await connection.fetchrow(
                    enrolments.SAVE_FIRST, caller.affiliation_id, content, before.form.version, caller.medium
                )
            else:
                saved = await connection.fetchrow(
                    enrolments.SAVE, caller.affiliation_id, draft.version, content, caller.medium
                )
            assert saved is not None, "locked"
            conflicts = {path: other for path, other in draft.conflicts.items() if path in request.answers}
        if row is None and not caller.expired:
            await self._access.mark_proved(caller)  # whoever wrote all of it may read it
        if saved["tell"]:
            await self._tell_draft(caller)
        if conflicts:
            stale: dict[str, object] = {"version": draft.version, "fields": sorted(conflicts)}
            if not _locked(caller, row):
                stale["answers"] = _shown(before.form, {path: draft.values.get(path, "") for path in conflicts})
                stale["yours"] = _shown(before.form, conflicts)
            raise StaleDraft(stale)
        return Saved(version=draft.version, saved_at=saved["saved_at"])

    async def check(self, caller: EmployeeCaller) -> list[FieldError]:
        """What is to complete or to correct before the draft can be sent, documents apart. Raises NotAuthenticated,
        BirthDateNeeded."""
        need_session(caller)
        async with employee_side(self._web, caller.affiliation_id) as connection:
            row = await connection.fetchrow(enrolments.GET, caller.affiliation_id)
            person = await self._person(connection, caller.affiliation_id)
        if row is not None:
            need_proof(caller)
        opened = drafts.opened(self._cipher, caller.affiliation_id, row)
        errors = [_in_conflict(path) for path in sorted(opened.draft.conflicts)]
        try:
            read(opened.form, opened.draft.values, circumstances_of(person))
        except InvalidFields as invalid:
            errors += [error for error in invalid.errors if error.field not in opened.draft.conflicts]
        return errors

    async def choose_language(self, caller: EmployeeCaller, request: ChosenLanguage) -> None:
        """The language of the pages, and of every message from now on."""
        need_session(caller)
        async with employee_side(self._web, caller.affiliation_id) as connection:
            await connection.execute(enrolments.CHOOSE_LANGUAGE, caller.affiliation_id, request.language.value)

    async def submit(self, caller: EmployeeCaller, request: Submission) -> EnrolmentView:
        """The form and its coverage or waiver in one transaction; the workflow hears of it now or by the sweep.

        Sent twice, the first one counts: its receipt is what `current` shows. Raises BirthDateNeeded, StaleDraft,
        InvalidFields (every wrong answer, and documents that are missing unless they follow `later`),
        AlreadySubmitted, RefusedByRules.
        """
        need_session(caller)
        async with employee_side(self._web, caller.affiliation_id) as connection:
            await self._lock_open(connection, caller.affiliation_id)
            row = await connection.fetchrow(enrolments.GET, caller.affiliation_id)
            if row is None:
                raise StaleDraft({"version": 0})
            need_proof(caller)
            opened = drafts.opened(self._cipher, caller.affiliation_id, row)
            if opened.draft.version != request.version:
                raise StaleDraft({"version": opened.draft.version})
            person = await self._person(connection, caller.affiliation_id)
            enrolment = self._read(opened.form, opened.draft, person)
            received = {d["piece"] for d in await connection.fetch(documents.OF_AFFILIATION, caller.affiliation_id)}
            missing = tuple(str(piece) for piece in enrolment.pieces if str(piece) not in received)
            if missing and not request.later:
                raise InvalidFields([_document_missing(piece) for piece in missing])
            await self._conclusion.write(
                connection, person, opened.form, opened.draft, enrolment, Channel.online, missing, bool(received), None
            )
        await self._tell_completion(caller.affiliation_id, EMPLOYEE_ACTOR)
        return await self.current(caller)

    async def decline(self, caller: EmployeeCaller, request: Decline) -> None:
        """« Ce n'est pas moi », « J'ai quitté l'entreprise ». Raises RefusedByRules, EngineUnavailable."""
        need_session(caller)
        declined = Declined(Medium(caller.medium), request.reason)
        await tell(self._engine, caller.affiliation_id, AffiliationWorkflow.decline, declined, f"decline/{uuid4()}")

    # --- paper

    async def record_paper(self, caller: Caller, affiliation_id: UUID, request: PaperReturn) -> EnrolmentView:
        """Staff record a returned BIA and what is missing. Raises NotAllowed, NotFound, InvalidFields,
        AlreadySubmitted, RefusedByRules."""
        caller.need(Scope.staff_write)
        form = current_form()
        unknown = [path for path in request.answers if form.knows(path) is None]
        if unknown:
            raise InvalidFields([_unknown(path) for path in unknown])
        async with employee_side(self._web, affiliation_id) as connection:
            await self._lock_open(connection, affiliation_id)
            person = await self._person(connection, affiliation_id)
            answers = {**self._declared(person), **_on_paper(request.answers)}
            draft = Draft(version=0).saved(0, answers)
            row = await connection.fetchrow(enrolments.GET, affiliation_id)
            draft = Draft((row["version"] if row else 0) + 1, draft.answers)
            enrolment = self._read(form, draft, person, on_paper=True)
            called_for = [] if request.received is None else enrolment.pieces
            left_out = [str(piece) for piece in called_for if piece.code not in (request.received or ())]
            missing = tuple(dict.fromkeys((*map(str, enrolment.unanswered), *left_out, *request.missing)))
            await self._conclusion.write(
                connection, person, form, draft, enrolment, Channel.paper, missing, False, recorded_by=caller.id
            )
        await self._tell_completion(affiliation_id, caller.actor)
        employee = EmployeeCaller(affiliation_id, Medium.post, Status.finalised, session=b"", proved=True)
        return await self.current(employee)

    # --- reading

    async def _view(self, connection: Connection, caller: EmployeeCaller) -> EnrolmentView:
        row = await connection.fetchrow(enrolments.GET, caller.affiliation_id)
        person = await self._person(connection, caller.affiliation_id)
        locked = _locked(caller, row)
        submitted = row is not None and row["submitted_at"] is not None
        opened = drafts.opened(self._cipher, caller.affiliation_id, row)
        open_draft = not submitted and not locked
        values = opened.draft.values if open_draft else {}
        case = opened.form.case(values)
        circumstances = circumstances_of(person)
        covered = None if locked else await connection.fetchrow(enrolments.COVERAGE, caller.affiliation_id)
        waived = None if locked else await connection.fetchrow(enrolments.WAIVER, caller.affiliation_id)
        files = await connection.fetch(documents.OF_AFFILIATION, caller.affiliation_id)
        missing = list(row["missing"]) if row else []
        needed = [Piece.parse(piece) for piece in missing] if submitted else []
        if open_draft:
            needed = list(pieces_needed(opened.form, values, circumstances))
        return EnrolmentView(
            status=Status.finalised if submitted else person["status"],
            locked=locked,
            language=person["language"],
            establishment=person["establishment"],
            reference=reference_of(caller.affiliation_id),
            version=opened.draft.version,
            form_version=opened.form.version,
            saved_at=row["saved_at"] if row else None,
            answers=_shown(opened.form, values),
            conflicts=_shown(opened.form, opened.draft.conflicts) if open_draft else {},
            suggested=_suggested(person, known=caller.proved) if open_draft else {},
            steps=[step.name for step in case.steps] if open_draft else [],
            questions=[question.path for question in case.questions] if open_draft else [],
            choices=_choices(opened.form, case, circumstances) if open_draft else {},
            offers=_offers(person, values) if open_draft else [],
            starts_on=circumstances.starts_on if open_draft else None,
            documents=[
                DocumentNeed(
                    piece=str(piece),
                    name=None if locked else self._name(piece, values, opened.draft),
                    received=sum(file["piece"] == str(piece) for file in files),
                )
                for piece in needed
            ],
            files=len(files),
            warnings=[
                WarningView(field=one.field, code=one.code) for one in warnings(opened.form, values, person["civility"])
            ],
            submitted_at=row["submitted_at"] if row else None,
            channel=row["channel"] if row else None,
            missing=missing,
            checking=row["checking"] if row else False,
            pieces_deadline=await pieces_deadline(connection, caller.affiliation_id) if missing else None,
            coverage=coverage_view(covered) if covered else None,
            waiver=WaiverView(**dict(waived)) if waived else None,
        )

    def _name(self, piece: Piece, values: Mapping[str, str], draft: Draft) -> str | None:
        return (values or draft.values).get(f"dependants.{piece.subject}.first_names") if piece.subject else None

    def _read(self, form: Form, draft: Draft, person: asyncpg.Record, on_paper: bool = False) -> Enrolment:
        open_conflicts = sorted(draft.conflicts)
        if open_conflicts:
            raise InvalidFields([_in_conflict(path) for path in open_conflicts])
        return read(form, draft.values, circumstances_of(person), on_paper)

    def _declared(self, person: asyncpg.Record) -> dict[str, str]:
        """What the employer declared, as answers: on paper it is printed already."""
        return {
            **_suggested(person, known=True),
            "identity_correct": "yes",
            "birth_date": person["birth_date"].isoformat(),
            "nir": self._cipher.decrypt(person["nir_sealed"], "employee", "nir", str(person["employee_id"])),
        }

    async def _person(self, connection: Connection, affiliation_id: UUID) -> asyncpg.Record:
        person = await affiliations.person(connection, affiliation_id)
        if person is None:
            raise NotFound()
        return person

    async def _lock_open(self, connection: Connection, affiliation_id: UUID) -> None:
        """Hold the affiliation while it is open: an abandonment at the same moment waits, then sees what we wrote."""
        row = await connection.fetchrow(affiliations.LOCK, affiliation_id)
        if row is None:
            raise NotFound()
        if row["status"] == Status.abandoned:
            raise refused(Refusal(Refused.closed))
        submitted = await connection.fetchrow(enrolments.GET, affiliation_id)
        if row["status"] == Status.finalised or (submitted is not None and submitted["submitted_at"] is not None):
            raise AlreadySubmitted()

    # --- telling

    async def _tell_draft(self, caller: EmployeeCaller) -> None:
        saved = DraftSaved(Medium(caller.medium))
        try:
            await self._engine.tell(
                str(caller.affiliation_id), AffiliationWorkflow.save_draft, saved, f"draft/{uuid4()}"
            )
        except (EngineAway, NotRunning, Refusal):
            log.warning("a draft waits for the sweep", extra={"id": str(caller.affiliation_id)})
            return
        async with employee_side(self._web, caller.affiliation_id) as connection:
            await connection.execute(enrolments.TOLD, caller.affiliation_id)

    async def _tell_completion(self, affiliation_id: UUID, actor: Actor) -> None:
        async with employee_side(self._web, affiliation_id) as connection:
            completion = await projection.completion_of(connection, affiliation_id)
        assert completion is not None, "just written"
        try:
            await self._engine.tell(
                str(affiliation_id), AffiliationWorkflow.complete, Completed(actor, completion), COMPLETE
            )
        except (EngineAway, NotRunning, Refusal):
            log.warning("a submission waits for the sweep", extra={"id": str(affiliation_id)})


# --- pieces


async def pieces_deadline(connection: Connection, affiliation_id: UUID) -> date | None:
    """The last day for what is missing, as the workflow plans it; None: it has passed, or nothing is planned yet."""
    row = await connection.fetchrow(affiliations.STATE, affiliation_id)
    if row is None or row["state"] is None:
        return None
    steps = calendar(_STATE.validate_python(row["state"]), _POLICY.validate_python(row["policy"]), datetime.now(UTC))
    return next((paris_date(step.at) for step in steps if step.kind == "pieces_deadline"), None)


def need_session(caller: EmployeeCaller) -> None:
    """Raises NotAuthenticated: the session has ended."""
    if caller.expired:
        raise NotAuthenticated("Votre session s’est terminée. Ce que vous avez saisi est enregistré.")


def need_proof(caller: EmployeeCaller) -> None:
    """Raises BirthDateNeeded."""
    if not caller.proved:
        raise BirthDateNeeded()


def _locked(caller: EmployeeCaller, row: asyncpg.Record | None) -> bool:
    """What somebody saved before opens with the birth date."""
    return row is not None and not caller.proved


def _changes(form: Form, draft: Draft, answers: Mapping[str, str | None]) -> dict[str, str | None]:
    """What really changes: a masked value sent back is the one we have. Raises InvalidFields."""
    unknown = [path for path in answers if form.knows(path) is None]
    if unknown:
        raise InvalidFields([_unknown(path) for path in unknown])
    known = draft.values
    changes: dict[str, str | None] = {}
    for path, value in answers.items():
        if path not in known or value != shown(form, path, known[path]) or value == known[path]:
            changes[path] = value
        elif path in draft.conflicts:
            changes[path] = known[path]  # its mask, chosen over what another device wrote
    for group in form.groups:
        answered = {path: value for path, value in {**known, **changes}.items() if value}
        if len(keys_of(answered, group.name)) > group.most:
            example = str(group.most)
            message = f"Vous pouvez ajouter {example} personnes au plus. Exemple\u00a0: {example}"
            raise InvalidFields([FieldError(group.name, "dependants.too_many", message, example)])
    return changes


def _shown(form: Form, values: Mapping[str, str]) -> dict[str, str]:
    return {path: shown(form, path, value) for path, value in values.items()}


def _suggested(person: asyncpg.Record, known: bool) -> dict[str, str]:
    """What the employer declared. Before the person has shown who they are: what their e-mail says already."""
    names = ["civility", "last_name", "birth_name", "first_names", "scheme"]
    if known:
        names += ["line1", "line2", "postcode", "city", "email", "phone"]
    return {name: person[name] for name in names if person[name]}


def _choices(form: Form, case: Case, circumstances: Circumstances) -> dict[str, list[str]]:
    """What can be chosen, also where an answer of the same step is yet to ask for it."""
    fields = {field.name: field for step in form.steps for field in step.fields}
    fields |= {question.path: question.field for question in case.questions}
    return {path: list(choices_of(field, circumstances)) for path, field in fields.items() if field.choices}


def _on_paper(answers: Mapping[str, str | None]) -> dict[str, str]:
    """What a box left empty on paper means."""
    given = {path: value for path, value in answers.items() if value}
    names = ("civility", "last_name", "birth_name", "first_names")
    people = any(path.startswith("dependants.") for path in given)
    return {
        "path": "join",
        "has_dependants": "yes" if people else "no",
        "teletransmission": "no",
        **({"identity_correct": "no"} if any(name in given for name in names) else {}),
        **given,
    }


def circumstances_of(person: asyncpg.Record) -> Circumstances:
    """Of a row of `db.affiliations.person`."""
    return Circumstances(
        coverage_begins(person["hired_on"], person["waiver_ended_on"]), ContractKind(person["contract_kind"])
    )


def _offers(person: asyncpg.Record, values: Mapping[str, str]) -> list[Offer]:
    """The levels with their price, for the family as answered so far, today or on the first day."""
    people = len(keys_of(values, "dependants")) if values.get("has_dependants") == "yes" else 0
    try:
        scheme = Scheme(values.get("scheme", person["scheme"]))
    except ValueError:
        scheme = Scheme(person["scheme"])
    on = max(today(), coverage_begins(person["hired_on"], person["waiver_ended_on"]))
    status = ProfessionalStatus(person["professional_status"])
    return [
        Offer(level=level, monthly_price_cents=monthly_price_cents(level, status, family_of(people), scheme, on=on))
        for level in levels(on)
    ]


def coverage_view(row: asyncpg.Record) -> CoverageView:
    formula = parse_formula_code(row["formula"])
    price = monthly_price_cents(formula.level, formula.status, formula.family, formula.scheme, on=row["starts_on"])
    return CoverageView(
        formula=row["formula"],
        starts_on=row["starts_on"],
        dependants=row["dependants"],
        monthly_price_cents=price,
        teletransmission=row["teletransmission"],
    )


def _unknown(path: str) -> FieldError:
    return FieldError(path[:100], "extra_forbidden", "Cette question n’est pas dans le formulaire. Retirez-la.")


def _in_conflict(path: str) -> FieldError:
    message = "Deux appareils ont répondu différemment. Choisissez la bonne réponse, puis enregistrez-la."
    return FieldError(path, "draft.conflict", message)


def _document_missing(piece: str) -> FieldError:
    message = "Ajoutez ce document, ou indiquez que vous l’enverrez plus tard. Exemple\u00a0: une photo lisible"
    return FieldError(f"documents.{piece}", "document.missing", message, "une photo lisible")
