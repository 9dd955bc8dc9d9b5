"""Every field of every form, filled in wrongly: the answer names the field, in French, with an example that works."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from api.affiliation_imports import Confirmation, RowSelection
from api.contact_requests import Assignment, StaffAnswer
from domain.rights import Role, StaffRole
from services.access import Access, Proof
from services.assistant import AssistantQuestion, AssistantRating
from services.callers import STAFF_SCOPES, Scope
from services.company_register import (
    CompanyChange,
    EstablishmentClosure,
    KnownContact,
    NewCompany,
    NewEstablishment,
)
from services.contact_views import Rating, Reply
from services.coverage_rights import (
    CancelledEnd,
    CancelledSuspension,
    EarlyPortabilityEnd,
    NewEnd,
    NewSuspension,
    PortabilityDecision,
    PortabilityProof,
    SuspensionDecision,
)
from services.declarations import (
    CorrectedContact,
    DoubtResolution,
    Pause,
    PreAffiliation,
    Skip,
    WaiverEnd,
    Withdrawal,
)
from services.document_checks import Accept, AskAgain
from services.dsn_views import DsnDecision
from services.enrolment_form import PaperReturn, SaveDraft, Submission
from services.enrolments import ChosenLanguage, Decline
from services.hire_proposals import Dismissal
from services.known_person import AskFormerCode, FormerCode, TakeFormer
from services.webhooks import NewWebhookEndpoint
from tests.api.conftest import BASE, client, employee_of, key_for
from tests.users import add_user, signed_in
from tests.world import World

CANARY = "Zyxwv-canari-99"  # no answer may repeat what was typed
ADDRESS = {"line1": "12 rue des Essais", "line2": "Bât. B", "postcode": "75011", "city": "Paris", "country": "FR"}
TEXT: list[Any] = [12345, True, ["x"], {"x": CANARY}]
DATE: list[Any] = [
    0,
    641433600,
    "641433600",
    True,
    [],
    "",
    "demain",
    "2026-02-30",
    "31/12/1990",
    "1990-05-12T10:00:00Z",
]


@dataclass(frozen=True)
class Case:
    """A form at its door, a body that it accepts, and values that it refuses by path."""

    model: type[BaseModel]
    method: str
    path: str
    who: str
    body: dict[str, Any]
    required: frozenset[str] = frozenset()
    refused: dict[str, list[Any]] = field(default_factory=dict)


def _required(*paths: str) -> frozenset[str]:
    return frozenset(paths)


_REPLY = {"message": "Bonjour,\nil manque octobre."}
_REPLY_REFUSED: dict[str, list[Any]] = {
    "message": [*TEXT, None, "", " \n ", "x" * 4001, "a\u0000b", "a\u202eb", "\u200b", "\ud800"]
}
_NAMES: list[Any] = [*TEXT, "x" * 61, "   ", "", "a\u0000b", "a\nb", "a\u202eb", "\u200b", "\ud800"]
_ADDRESS_REFUSED: dict[str, list[Any]] = {
    "line1": [*TEXT, "", "x" * 101, "a\u0000b"],
    "line2": [*TEXT, "x" * 101, "a\u0000b"],
    "postcode": [*TEXT, "", CANARY, "7501", "00100", "750111", "7" * 5000],
    "city": [*TEXT, "", "x" * 39, "a\rb"],
    "country": [*TEXT, "DE", "", "FRA"],
}
_REGISTERED = {"name": "HÔTEL DES LILAS", "insurer": "klesia", "insurer_reference": "K0000001", "emits_dsn": True}
_REGISTERED_REFUSED: dict[str, list[Any]] = {
    "name": [*TEXT, None, "", "x" * 101, "a\u0000b", "a\nb", "a\u202eb"],
    "insurer": [*TEXT, None, "", "KLESIA", CANARY],
    "insurer_reference": [*TEXT, None, "", "x" * 41, "a\u0000b", "\ud800"],
    "emits_dsn": [None, "peut-être", 12, [], {}],
}
_ESTABLISHMENT = {"siret": "99900000300015", "name": "HÔTEL DES LILAS", "postcode": "75011", "city": "PARIS"}
_ESTABLISHMENT_REFUSED: dict[str, list[Any]] = {
    "siret": [*TEXT, None, "", CANARY, "9990000030001", "99900000300016", "999000003", "9" * 90_000],
    "name": [*TEXT, None, "", "x" * 101, "a\u0000b"],
    "postcode": [*TEXT, None, "", CANARY, "7501", "7" * 5000],
    "city": [*TEXT, None, "", "x" * 39, "a\rb"],
}
_VERSIONS: list[Any] = [None, "abc", "", 1.5, -1, 1_000_001, 10**40, [], {}]

CASES = [
    Case(
        AssistantQuestion,
        "POST",
        "/assistant/questions",
        "employer",
        {"text": "Comment relancer un salarié ?"},
        _required("text"),
        {"text": [*TEXT, None, "", "   ", "???", "\u200b", "x" * 2001, "\ud800"]},
    ),
    Case(
        AssistantRating,
        "POST",
        "/assistant/questions/019a0000-0000-7000-8000-000000000000/rating",
        "employer",
        {"helpful": True},
        _required("helpful"),
        {"helpful": [None, "peut-être", 12, [], {}]},
    ),
    Case(
        PreAffiliation,
        "POST",
        "/affiliations",
        "employer",
        {
            "siret": "99900000300015",
            "employee": {
                "civility": "MME",
                "last_name": "Essai",
                "birth_name": "Essai",
                "first_names": "Camille",
                "birth_date": "1990-05-12",
                "nir": "275067599000197",
                "email": "camille@exemple.fr",
                "phone": "06 39 98 00 01",
                "language": "fr",
                "address": ADDRESS,
            },
            "hired_on": "2026-11-02",
            "professional_status": "NC",
            "scheme": "RG",
            "contract_kind": "cdi",
            "medium": "email",
        },
        _required(
            "siret",
            "employee",
            "hired_on",
            "professional_status",
            "scheme",
            "contract_kind",
            *(
                f"employee.{name}"
                for name in ("civility", "last_name", "birth_name", "first_names", "birth_date", "nir", "address")
            ),
            *(f"employee.address.{name}" for name in ("line1", "postcode", "city")),
        ),
        {
            "siret": [*TEXT, None, "", CANARY, "9990000030001", "99900000300016", "999000003", "0" * 14, "9" * 90_000],
            "employee": [12, "x", [], None],
            "employee.civility": [*TEXT, None, "", "MLLE"],
            "employee.last_name": [*_NAMES, None],
            "employee.birth_name": [*_NAMES, None],
            "employee.first_names": [*_NAMES, None],
            "employee.birth_date": [*DATE, None, "2024-01-01", "1850-01-01", "9999-12-31", "0001-01-01"],
            "employee.nir": [*TEXT, None, "", CANARY, "2750675990001", "975067599000197", "275067599000198"],
            "employee.email": [
                *TEXT,
                CANARY,
                "a@b",
                "é@exemple.fr",
                "a@gamil.com",
                "a b@c.fr",
                "x" * 90_000 + "@a.fr",
            ],
            "employee.phone": [*TEXT, CANARY, "0", "08 99 00 00 00", "+33", "9" * 90_000],
            "employee.language": [*TEXT, None, "de", "FR"],
            "employee.address": [12, "x", [], None],
            **{f"employee.address.{name}": values for name, values in _ADDRESS_REFUSED.items()},
            "hired_on": [*DATE, None, "2001-01-01", "2099-01-01"],
            "professional_status": [*TEXT, None, "nc", "X"],
            "scheme": [*TEXT, None, "rg"],
            "contract_kind": [*TEXT, None, "CDI", ""],
            "medium": [*TEXT, "sms", "courrier"],
        },
    ),
    Case(
        CorrectedContact,
        "PATCH",
        "/affiliations/{id}/contact",
        "employer",
        {"email": "camille@exemple.fr", "phone": "+33639980001", "address": ADDRESS},
        _required(*(f"address.{name}" for name in ("line1", "postcode", "city"))),
        {
            "email": [*TEXT, CANARY],
            "phone": [*TEXT, CANARY],
            "address": [12, "x", []],
            **{f"address.{name}": values for name, values in _ADDRESS_REFUSED.items()},
        },
    ),
    Case(
        Withdrawal,
        "POST",
        "/affiliations/{id}/withdrawal",
        "employer",
        {"reason": "left"},
        _required("reason"),
        {"reason": [*TEXT, None, "", "withdrawn_left", CANARY]},
    ),
    Case(
        Pause,
        "POST",
        "/affiliations/{id}/pause",
        "employer",
        {"reason": "on_leave"},
        _required("reason"),
        {"reason": [*TEXT, None, "", CANARY]},
    ),
    Case(
        Skip,
        "POST",
        "/affiliations/{id}/skips",
        "employer",
        {"kind": "reminder", "number": 1},
        _required("kind", "number"),
        {"kind": [*TEXT, None, "", "invitation", CANARY], "number": [None, "", "un", 0, 101, 1.5, CANARY]},
    ),
    Case(
        Submission,
        "POST",
        "/enrolments/current/submission",
        "employee",
        {"version": 1, "later": False},
        _required("version"),
        {"version": _VERSIONS, "later": [None, "peut-être", 12, [], {}]},
    ),
    Case(
        SaveDraft,
        "PATCH",
        "/enrolments/current",
        "employee",
        {"version": 0, "answers": {"nir": "je ne sais pas"}},
        _required("version", "answers"),
        {
            "version": _VERSIONS,
            "answers": [12, "x", [], None],
            "answers.nir": [12345, True, ["x"], "x" * 201, "\ud800"],
        },
    ),
    Case(
        ChosenLanguage,
        "PUT",
        "/enrolments/current/language",
        "employee",
        {"language": "pt"},
        _required("language"),
        {"language": [*TEXT, None, "", "de", CANARY]},
    ),
    Case(
        Proof,
        "POST",
        "/enrolments/current/proof",
        "employee",
        {"birth_date": "12/06/1975"},
        _required("birth_date"),
        {"birth_date": [0, 641433600, True, [], "", "demain", "30/02/1990", "12/06/75", "2999-01-01", None]},
    ),
    Case(
        AskFormerCode,
        "POST",
        "/enrolments/current/former/code",
        "employee",
        {"channel": "sms"},
        _required("channel"),
        {"channel": [*TEXT, None, "", "post", CANARY]},
    ),
    Case(
        FormerCode,
        "POST",
        "/enrolments/current/former/answer",
        "employee",
        {"code": "042137"},
        _required("code"),
        {"code": [*TEXT, None, "", "0" * 61]},
    ),
    Case(
        TakeFormer,
        "POST",
        "/enrolments/current/former/taking",
        "employee",
        {"version": 0, "blocks": ["contact"]},
        _required("version", "blocks"),
        {"version": _VERSIONS, "blocks": [12, "contact", {}, None, ["bank"] * 5], "blocks.0": [12, None, "", CANARY]},
    ),
    Case(
        Decline,
        "POST",
        "/enrolments/current/decline",
        "employee",
        {"reason": "not_me"},
        _required("reason"),
        {"reason": [*TEXT, None, "", CANARY]},
    ),
    Case(
        Access,
        "POST",
        "/enrolments/access",
        "employee",
        {"token": "x", "code": "x"},
        _required(),
        {"token": [*TEXT, "x" * 201], "code": [*TEXT, "x" * 201]},
    ),
    Case(
        PaperReturn,
        "POST",
        "/staff/affiliations/{id}/paper-return",
        "staff",
        {"answers": {"level": "BASE"}, "missing": ["rib", "signature"], "received": ["waiver_proof"]},
        _required("answers"),
        {
            "answers": [12, "x", [], None],
            "answers.level": [12345, True, ["x"], "x" * 201],
            "missing": [12, "rib", {}, None, ["rib"] * 41],
            "missing.0": [12345, True, None, [], "", CANARY],
            "received": [12, "rib", {}, ["rib"] * 21],
            "received.0": [12345, True, None, [], "", "rib:k1", CANARY],
        },
    ),
    Case(
        Accept,
        "POST",
        "/staff/affiliations/{id}/pieces/rib/acceptance",
        "staff",
        {"how": "seen"},
        _required(),
        {"how": [*TEXT, None, "", CANARY]},
    ),
    Case(
        AskAgain,
        "POST",
        "/staff/affiliations/{id}/pieces/rib/request",
        "staff",
        {"reason": "unreadable"},
        _required("reason"),
        {"reason": [*TEXT, None, "", CANARY]},
    ),
    Case(
        WaiverEnd,
        "POST",
        "/staff/affiliations/{id}/waiver-end",
        "staff",
        {"on": "2026-11-30"},
        _required("on"),
        {"on": [*DATE, None]},
    ),
    Case(
        DoubtResolution,
        "POST",
        "/staff/affiliations/{id}/doubt-resolution",
        "staff",
        {"verdict": "left"},
        _required("verdict"),
        {"verdict": [*TEXT, None, "", CANARY]},
    ),
    Case(
        DsnDecision,
        "POST",
        "/staff/dsn-changes/{id}/decision",
        "staff",
        {"accept": True, "reason": "as_declared"},
        _required("accept", "reason"),
        {"accept": [12, "x", [], None, CANARY], "reason": [*TEXT, None, "", CANARY, "payroll_mistake"]},
    ),
    Case(
        Dismissal,
        "POST",
        "/hire-proposals/{id}/dismissal",
        "employer",
        {"reason": "left"},
        _required("reason"),
        {"reason": [*TEXT, None, "", CANARY]},
    ),
    Case(
        NewWebhookEndpoint,
        "POST",
        "/webhook-endpoints",
        "employer",
        {
            "siren": "999000003",
            "name": "Logiciel de paie",
            "url": "https://paie.exemple.fr/hcr",
            "kinds": ["finalised", "abandoned"],
        },
        _required("siren", "name", "url"),
        {
            "siren": [*TEXT, None, "", CANARY, "99900000", "999000004", "9" * 90_000],
            "name": [*_NAMES, None],
            "url": [*TEXT, None, "", CANARY, "http://exemple.fr", "https://exemple.fr:22", "https://127.0.0.1/" * 30],
            "kinds": [12, "finalised", {}, None, ["finalised"] * 21],
            "kinds.0": [*TEXT, None, "", "FINALISED", CANARY],
        },
    ),
    Case(
        RowSelection,
        "POST",
        "/affiliation-imports/{id}/selection",
        "employer",
        {"numbers": [2, 3], "included": False},
        _required("numbers", "included"),
        {
            "numbers": [12, "x", {}, None, []],
            "numbers.0": [None, "", "un", 0, 1.5, 10**40, CANARY],
            "included": [None, "peut-être", 12, [], {}],
        },
    ),
    Case(
        Confirmation,
        "POST",
        "/affiliation-imports/{id}/confirmation",
        "employer",
        {"numbers": [2, 3]},
        _required(),
        {"numbers": [12, "x", {}, []], "numbers.0": [None, "", "un", 0, 1.5, CANARY]},
    ),
    Case(Reply, "POST", "/contact-requests/{id}/replies", "user", _REPLY, _required("message"), _REPLY_REFUSED),
    Case(Reply, "POST", "/contact-requests/{id}/reopening", "user", _REPLY, _required("message"), _REPLY_REFUSED),
    Case(
        StaffAnswer,
        "POST",
        "/staff/contact-requests/{id}/answer",
        "clerk",
        {**_REPLY, "close": True},
        _required("message"),
        {**_REPLY_REFUSED, "close": [12, "x", [], None, CANARY]},
    ),
    Case(
        Rating,
        "PUT",
        "/contact-requests/{id}/rating",
        "user",
        {"satisfaction": 4},
        _required("satisfaction"),
        {"satisfaction": [0, 6, 2.5, "x", CANARY, None, [], {}]},
    ),
    Case(
        Assignment,
        "POST",
        "/staff/contact-requests/{id}/assignment",
        "clerk",
        {"mine": True},
        _required("mine"),
        {"mine": [12, "x", [], None, CANARY]},
    ),
    Case(
        NewCompany,
        "POST",
        "/staff/companies",
        "staff",
        {**_REGISTERED, "siren": "999000003", "establishment": _ESTABLISHMENT},
        _required(*_REGISTERED, "siren", "establishment", *(f"establishment.{name}" for name in _ESTABLISHMENT)),
        {
            **_REGISTERED_REFUSED,
            "siren": [*TEXT, None, "", CANARY, "99900000", "999000004", "99900000300015", "9" * 90_000],
            "establishment": [12, "x", [], None],
            **{f"establishment.{name}": values for name, values in _ESTABLISHMENT_REFUSED.items()},
        },
    ),
    Case(
        CompanyChange,
        "PUT",
        "/staff/companies/{id}",
        "staff",
        _REGISTERED,
        _required(*_REGISTERED),
        _REGISTERED_REFUSED,
    ),
    Case(
        KnownContact,
        "PUT",
        "/staff/companies/{id}/contact",
        "staff",
        {"email": "camille@exemple.fr"},
        _required("email"),
        {"email": [*TEXT, None, "", CANARY, "a@b", "x" * 90_000 + "@a.fr"]},
    ),
    Case(
        NewEstablishment,
        "POST",
        "/staff/companies/{id}/establishments",
        "staff",
        _ESTABLISHMENT,
        _required(*_ESTABLISHMENT),
        _ESTABLISHMENT_REFUSED,
    ),
    Case(
        EstablishmentClosure,
        "PUT",
        "/staff/companies/{id}/establishments/{id}/closure",
        "staff",
        {"on": "2026-12-31"},
        _required("on"),
        {"on": [*DATE, None, "1850-01-01", "9999-12-31"]},
    ),
    Case(
        NewEnd,
        "POST",
        "/staff/insured/{id}/ends",
        "staff",
        {"contract_ends_on": "2026-11-23", "reason": "043", "contract_began_on": "2024-01-08"},
        _required("contract_ends_on", "reason"),
        {
            "contract_ends_on": [*DATE, None],
            "reason": [*TEXT, None, "", "777", CANARY, "4" * 5000],
            "contract_began_on": [*DATE],
        },
    ),
    Case(
        CancelledEnd,
        "POST",
        "/staff/insured/{id}/ends/cancellation",
        "staff",
        {"contract_ends_on": "2026-11-23"},
        _required("contract_ends_on"),
        {"contract_ends_on": [*DATE, None]},
    ),
    Case(
        PortabilityProof,
        "POST",
        "/staff/insured/{id}/proofs",
        "staff",
        {"until": "2026-11-23"},
        _required("until"),
        {"until": [*DATE, None]},
    ),
    Case(
        EarlyPortabilityEnd,
        "PUT",
        "/staff/insured/{id}/portability/end",
        "staff",
        {"reason": "new_job", "on": "2026-11-23"},
        _required("reason", "on"),
        {"reason": [*TEXT, None, "", "no_proof", CANARY], "on": [*DATE, None]},
    ),
    Case(
        PortabilityDecision,
        "PUT",
        "/staff/insured/{id}/portability",
        "staff",
        {"open": True},
        _required("open"),
        {"open": [None, "peut-être", 12, [], {}]},
    ),
    Case(
        NewSuspension,
        "POST",
        "/staff/insured/{id}/suspensions",
        "staff",
        {"reason": "632", "first_day": "2026-11-23", "last_day": "2027-11-22", "kept": True},
        _required("reason", "first_day"),
        {
            "reason": [*TEXT, None, "", "200", CANARY],
            "first_day": [*DATE, None],
            "last_day": [*DATE],
            "kept": ["peut-être", 12, [], {}],
        },
    ),
    Case(
        SuspensionDecision,
        "POST",
        "/staff/insured/{id}/suspensions/decision",
        "staff",
        {"first_day": "2026-11-23", "kept": True},
        _required("first_day", "kept"),
        {"first_day": [*DATE, None], "kept": [None, "peut-être", 12, [], {}]},
    ),
    Case(
        CancelledSuspension,
        "POST",
        "/staff/insured/{id}/suspensions/cancellation",
        "staff",
        {"first_day": "2026-11-23"},
        _required("first_day"),
        {"first_day": [*DATE, None]},
    ),
]
_IDS = [case.model.__name__ for case in CASES]


@dataclass(frozen=True)
class Stage:
    """One open affiliation and everybody who may speak about it: refused requests change nothing."""

    clients: dict[str, httpx2.AsyncClient]
    affiliation_id: str

    async def send(self, case: Case, body: Any) -> httpx2.Response:
        path = BASE + case.path.replace("{id}", self.affiliation_id)
        content = json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        return await self.clients[case.who].request(case.method, path, content=content, headers=headers)


@pytest.fixture(scope="module")
async def stage(app: FastAPI, world: World) -> AsyncIterator[Stage]:
    employer = await world.employer()
    life = await world.declare(employer)
    async with (
        client(app, await key_for(world, employer, Scope.read, Scope.write)) as boss,
        client(app, await key_for(world, employer, *STAFF_SCOPES[StaffRole.super])) as staff,
        employee_of(app, life) as employee,
        signed_in(app, world, await add_user(world, {employer.company_id: Role.member})) as user,
        signed_in(app, world, await add_user(world, staff=[StaffRole.write])) as clerk,
    ):
        doors = {"employer": boss, "employee": employee, "staff": staff, "user": user, "clerk": clerk}
        yield Stage(doors, str(life.id))
        assert await life.events() == ["declared", "message_handed_over"]


def _with(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(body)
    *way, last = path.split(".")
    place: Any = changed
    for part in way:
        place = place[int(part) if part.isdigit() else part]
    place[int(last) if last.isdigit() else last] = value
    return changed


def _without(body: dict[str, Any], path: str) -> dict[str, Any]:
    changed = copy.deepcopy(body)
    *way, last = path.split(".")
    place: Any = changed
    for part in way:
        place = place[int(part) if part.isdigit() else part]
    del place[last]
    return changed


def _objects(value: Any, path: str = "") -> Iterator[str]:
    """The paths of all objects in a body, with their trailing dot."""
    if isinstance(value, dict):
        yield path
        for name, part in value.items():
            yield from _objects(part, f"{path}{name}.")
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from _objects(part, f"{path}{number}.")


def _check(case: Case, answer: httpx2.Response, path: str) -> None:
    """One error, at this field, in French, with an example that the same form accepts in the same place."""
    assert answer.status_code == 422, (path, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "urn:hcr:problem:invalid_fields"
    assert problem["title"] == "Certaines informations sont à corriger"
    assert CANARY not in answer.text
    errors = [error for error in problem["errors"] if error["field"] == path]
    assert errors, (path, problem["errors"])
    for error in errors:
        assert set(error) == {"field", "code", "message"}
        words, separator, example = error["message"].partition("Exemple\u00a0: ")
        assert separator, error
        assert words.strip()[-1] in ".\u202f?", error
        assert not {"should", "must", "input", "valid"} & set(words.lower().split()), error
        case.model.model_validate(_with(case.body, path, _read(case.model, case.body, path, example)))


def _read(model: type[BaseModel], body: dict[str, Any], path: str, example: str) -> Any:
    current: Any = body
    for part in path.split("."):
        current = current[int(part) if part.isdigit() else part]
    return example if isinstance(current, str) else json.loads(example)


@pytest.mark.parametrize("case", CASES, ids=_IDS)
async def test_the_body_that_the_others_spoil_is_accepted_by_the_form(case: Case) -> None:
    case.model.model_validate(case.body)


@pytest.mark.parametrize("case", CASES, ids=_IDS)
async def test_a_missing_field_is_named(stage: Stage, case: Case) -> None:
    for path in sorted(case.required):
        answer = await stage.send(case, _without(case.body, path))
        _check(case, answer, path)
        assert [error["code"] for error in answer.json()["errors"]] == ["missing"]


@pytest.mark.parametrize("case", CASES, ids=_IDS)
async def test_a_wrong_type_or_value_is_told_with_an_example(stage: Stage, case: Case) -> None:
    for path, values in case.refused.items():
        for value in values:
            _check(case, await stage.send(case, _with(case.body, path, value)), path)


@pytest.mark.parametrize("case", CASES, ids=_IDS)
async def test_an_unknown_field_is_refused_at_every_depth(stage: Stage, case: Case) -> None:
    for path in _objects(case.body):
        for name in ("status", "role", "company_id", "zyx"):
            named = name if path == "answers." else f"{path}{name}"  # an answer is named by its own path
            answer = await stage.send(case, _with(case.body, f"{path}{name}", CANARY))
            assert answer.status_code == 422, (path, name)
            assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [(named, "extra_forbidden")]
            assert CANARY not in answer.text


@pytest.mark.parametrize("case", CASES, ids=_IDS)
async def test_what_is_no_object_is_no_form(stage: Stage, case: Case) -> None:
    for body in ([], [case.body], "texte", 12, None, True):
        answer = await stage.send(case, body)
        assert answer.status_code == 422, (body, answer.text)
        assert answer.json()["errors"][0]["field"] == "body"


def test_every_field_of_every_form_is_spoilt_above() -> None:
    def leaves(value: Any, path: str = "") -> Iterator[str]:
        if isinstance(value, dict):
            for name, part in value.items():
                yield f"{path}{name}"
                yield from leaves(part, f"{path}{name}.")
        elif isinstance(value, list) and value:
            yield from leaves(value[0], f"{path}0.")

    for case in CASES:
        paths = set(leaves(case.body))
        assert paths <= set(case.refused), (case.model, paths - set(case.refused))
        assert set(case.body) == set(case.model.model_fields)


async def test_a_form_with_a_thousand_unknown_fields_gets_a_short_answer(stage: Stage) -> None:
    answer = await stage.send(CASES[0], {f"f{number}" * 9: 1 for number in range(5_000)})
    assert answer.status_code == 422
    assert len(answer.content) < 20_000
