"""Who may do what: every route of the application with the answer that each kind of caller gets (security.md Z-01).

The affiliation that a path names is company A's; the callers are told in `Caller`. A test compares the routes with
those of the application, so that a new one is declared here before it works, and asks each of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Caller(StrEnum):
    anonymous = "anonymous"
    garbage = "garbage"  # a key that nobody made
    revoked = "revoked"
    expired = "expired"
    read_only = "read_only"  # company A's, without the right to write
    company_a = "company_a"
    company_b = "company_b"
    staff = "staff"
    employee = "employee"  # a session opened by a link of the affiliation


Answers = Mapping[Caller, int]

_NOBODY = dict.fromkeys((Caller.anonymous, Caller.garbage, Caller.revoked, Caller.expired), 401)


def _public(status: int = 200) -> Answers:
    return dict.fromkeys(Caller, status)


def _employer(own: int, reader: int, other: int) -> Answers:
    """`own`: company A; `reader`: its key that only reads; `other`: company B."""
    return {
        **_NOBODY,
        Caller.employee: 401,
        Caller.staff: 403,
        Caller.company_a: own,
        Caller.read_only: reader,
        Caller.company_b: other,
    }


def _employee(own: int) -> Answers:
    return {**dict.fromkeys(Caller, 401), Caller.employee: own}


def _staff(own: int) -> Answers:
    employers = dict.fromkeys((Caller.company_a, Caller.company_b, Caller.read_only), 403)
    return {**_NOBODY, **employers, Caller.employee: 401, Caller.staff: own}


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    answers: Answers
    body: dict[str, Any] | None = None
    public: bool = field(default=True, kw_only=True)  # False: not through the public proxy

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


DECLARATION = "a declaration of company A"  # the test writes it: it needs a SIRET

_API = "/api/v1"
_ONE = f"{_API}/affiliations/{{affiliation_id}}"
_READS = _employer(own=200, reader=200, other=404)
_LISTS = _employer(own=200, reader=200, other=200)


def _writes(own: int) -> Answers:
    return _employer(own=own, reader=403, other=404)


MATRIX = (
    # an unknown SIRET is a wrong field: company B gets 422 for company A's
    Route("POST", f"{_API}/affiliations", _employer(own=201, reader=403, other=422), {"a": DECLARATION}),
    Route("GET", f"{_API}/affiliations", _LISTS),
    Route("GET", _ONE, _READS),
    Route("GET", f"{_ONE}/events", _READS),
    Route("GET", f"{_ONE}/form.pdf", _READS),
    Route("POST", f"{_ONE}/reminders", _writes(200)),
    Route("PATCH", f"{_ONE}/contact", _writes(200), {"email": "autre@exemple.fr"}),
    Route("POST", f"{_ONE}/pause", _writes(200), {"reason": "on_leave"}),
    Route("POST", f"{_ONE}/resumption", _writes(409)),  # it is not paused
    Route("POST", f"{_ONE}/restart", _writes(409)),  # it is not abandoned
    Route("POST", f"{_ONE}/withdrawal", _writes(200), {"reason": "mistake"}),
    Route("GET", f"{_API}/companies", _LISTS),
    Route("GET", f"{_API}/establishments", _LISTS),
    Route("GET", f"{_API}/forms/pre-affiliation.pdf", _public()),
    Route("GET", f"{_API}/forms/affiliation.pdf", _public()),
    Route("POST", f"{_API}/enrolments/access", _public(404), {"code": "ABCD-EFGH"}),
    Route("POST", f"{_API}/enrolments/link-recovery", _public(202), {"code": "ABCD-EFGH"}),
    Route("GET", f"{_API}/enrolments/current", _employee(200)),
    Route("GET", f"{_API}/enrolments/form", _public()),
    Route("PATCH", f"{_API}/enrolments/current", _employee(200), {"version": 0, "answers": {}}),
    Route("PUT", f"{_API}/enrolments/current/language", _employee(204), {"language": "pt"}),
    Route("POST", f"{_API}/enrolments/current/proof", _employee(422), {"birth_date": "1901-01-01"}),
    Route("GET", f"{_API}/enrolments/current/documents", _employee(200)),
    Route("POST", f"{_API}/enrolments/current/documents", _employee(422), {}),  # no file
    Route("DELETE", f"{_API}/enrolments/current/documents/{{document_id}}", _employee(404)),
    Route("POST", f"{_API}/enrolments/current/submission", _employee(409), {"version": 1}),  # nothing was saved
    Route("GET", f"{_API}/enrolments/current/receipt.pdf", _employee(403)),  # before the birth date
    Route("POST", f"{_API}/enrolments/current/decline", _employee(204), {"reason": "left_company"}),
    # without the birth date nothing is handed over
    Route("GET", f"{_API}/enrolments/current/personal-data.json", _employee(403)),
    Route("GET", f"{_API}/enrolments/current/personal-data.pdf", _employee(403)),
    Route("GET", f"{_API}/enrolments/current/personal-data.zip", _employee(403)),
    Route("GET", f"{_API}/staff/people/{{employee_id}}/personal-data.json", _staff(404)),
    Route("GET", f"{_API}/staff/people/{{employee_id}}/personal-data.pdf", _staff(404)),
    Route("GET", f"{_API}/staff/people/{{employee_id}}/personal-data.zip", _staff(404)),
    Route("POST", f"{_API}/staff/people/{{employee_id}}/erasure", _staff(404), {"reason": "objection"}),
    Route("GET", f"{_API}/staff/desk", _staff(200)),
    Route(
        "POST",
        f"{_API}/staff/affiliations/{{affiliation_id}}/paper-return",
        _staff(201),
        {"answers": {"level": "BASE"}},
    ),
    # no waiver
    Route("POST", f"{_API}/staff/affiliations/{{affiliation_id}}/waiver-end", _staff(404), {"on": "2026-11-30"}),
    Route("GET", f"{_API}/staff/affiliations", _staff(422)),  # without a reference
    Route("GET", f"{_API}/staff/document-checks", _staff(200)),
    Route("GET", f"{_API}/staff/documents/{{document_id}}/file", _staff(404)),
    # nothing was submitted
    Route("GET", f"{_API}/staff/affiliations/{{affiliation_id}}/documents", _staff(404)),
    Route("POST", f"{_API}/staff/affiliations/{{affiliation_id}}/documents", _staff(422), {}),
    Route("POST", f"{_API}/staff/affiliations/{{affiliation_id}}/pieces/{{piece}}/acceptance", _staff(404), {}),
    Route(
        "POST",
        f"{_API}/staff/affiliations/{{affiliation_id}}/pieces/{{piece}}/request",
        _staff(404),
        {"reason": "unreadable"},
    ),
    Route(
        "POST",
        f"{_API}/staff/affiliations/{{affiliation_id}}/doubt-resolution",
        _staff(409),  # nothing is in doubt
        {"verdict": "left"},
    ),
    Route("POST", f"{_API}/webhooks/sendgrid", _public(403), {}),
    Route("POST", f"{_API}/webhooks/maileva", _public(403), {}),
    Route("GET", f"{_API}/openapi.json", _public(), public=False),  # in development only
    Route("HEAD", f"{_API}/openapi.json", _public(), public=False),
    Route("GET", "/health/live", _public(), public=False),
    Route("GET", "/health/ready", _public(), public=False),
    Route("GET", "/metrics", _public(), public=False),
)
