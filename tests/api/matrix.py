"""Who may do what: every route of the application with the answer that each kind of caller gets (security.md Z-01).

The affiliation that a path names is company A's; the callers are told in `Caller`. A test compares the routes with
those of the application, so that a new one is declared here before it works, and asks each of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from messages.terms import current_terms


class Caller(StrEnum):
    """Users have given a code just now, unless it is said otherwise."""

    anonymous = "anonymous"
    # machines
    garbage = "garbage"  # a key that nobody made
    revoked = "revoked"
    expired = "expired"
    read_only = "read_only"  # company A's, without the right to write
    company_a = "company_a"
    company_b = "company_b"
    staff_key = "staff_key"  # the embedded default's: reads, writes, exports
    # an employee in a session opened by a link of the affiliation
    employee = "employee"
    # employers' users
    member_a = "member_a"
    administrator_a = "administrator_a"
    administrator_b = "administrator_b"
    of_both = "of_both"  # a member of A and of B, working on A
    suspended = "suspended"
    closed = "closed"  # a user whose rights were taken away for good
    before_code = "before_code"  # the password was right, the second factor is still asked
    before_terms = "before_terms"
    # staff
    reads = "reads"
    writes = "writes"
    exports = "exports"
    super = "super"


Answers = Mapping[Caller, int]

C = Caller
NOBODY = (C.anonymous, C.garbage, C.revoked, C.expired, C.suspended, C.closed, C.before_code)
MACHINES = (C.read_only, C.company_a, C.company_b)
EMPLOYERS = (C.member_a, C.administrator_a, C.administrator_b, C.of_both)
STAFF = (C.reads, C.writes, C.exports, C.super)


def _public(status: int = 200) -> Answers:
    return dict.fromkeys(Caller, status)


def _known(others: int = 403) -> dict[Caller, int]:
    """Whoever is nobody, or an employee, is asked who they are; who has terms to accept is asked to; all others are
    refused."""
    asked = dict.fromkeys((*NOBODY, C.employee), 401)
    return {**dict.fromkeys(Caller, others), **asked, C.before_terms: 403}


def _employer(own: int, reader: int, other: int) -> Answers:
    """`own`: company A and its users; `reader`: its key that only reads; `other`: company B."""
    ours = dict.fromkeys((C.company_a, C.member_a, C.administrator_a, C.of_both), own)
    theirs = dict.fromkeys((C.company_b, C.administrator_b), other)
    return {**_known(), **ours, **theirs, C.read_only: reader}


def _employee(own: int) -> Answers:
    return {**dict.fromkeys(Caller, 401), Caller.employee: own}


_ALLOWED = {"reads": STAFF, "writes": (C.writes, C.super), "exports": (C.exports, C.super), "super": (C.super,)}


def _staff(own: int, needs: str = "reads", key: int | None = None) -> Answers:
    """`needs`: the role. `key`: the answer to a machine where it is another than that of the people it stands for."""
    machine = (own if needs != "super" else 403) if key is None else key
    return {**_known(), **dict.fromkeys(_ALLOWED[needs], own), C.staff_key: machine}


def _oneself(own: int, staff: int | None = None) -> Answers:
    """About the user who asks; `staff` where the answer is another to them."""
    ours, theirs = dict.fromkeys(EMPLOYERS, own), dict.fromkeys(STAFF, own if staff is None else staff)
    return {**_known(), **ours, **theirs}


def _export(own: int) -> Answers:
    """Whole numbers: for a person who follows a company, with a code."""
    return {**_known(), **dict.fromkeys(EMPLOYERS, own)}


def _before_terms(own: int, staff: int | None = None) -> Answers:
    """The same, also with terms still to accept. Machines are not even known there."""
    machines = dict.fromkeys((*MACHINES, C.staff_key), 401)
    return {**_oneself(own, staff), **machines, C.before_terms: own}


def _administrator(own: int, other: int, member: int = 403) -> Answers:
    """« Mes habilitations »: `own` to company A's administrator, `other` to company B's."""
    members = dict.fromkeys((C.member_a, C.of_both), member)
    return {**_known(), **members, C.administrator_a: own, C.administrator_b: other}


def _software(own: int, reader: int = 403, other: int = 404) -> Answers:
    """What administrators set up, and the keys that may write: `own` to company A's, `other` to company B's."""
    return {
        **_administrator(own, other),
        C.company_a: own,
        C.company_b: other,
        C.read_only: reader,
    }


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    answers: Answers
    body: dict[str, Any] | None = None
    public: bool = field(default=True, kw_only=True)  # False: not through the public proxy

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


# Bodies that the test writes: they need something of company A.
DECLARATION = "a declaration of company A"
SIREN = "company A's SIREN"
INVITED = "somebody invited to company A"
KEY = "a key of company A"
HOOK = "a webhook of company A"
ACCOUNT = "a new member of staff"
COMPANY = "a new company"

TERMS = current_terms().version
LINK = {"token": "x" * 43}
PASSWORD = "trois cafés sous la véranda bleue"
NAMES = {"first_name": "Lucie", "last_name": "Essai", "email": "lucie@exemple.fr"}
PERSON = {**NAMES, "password": PASSWORD}
CREDENTIALS = {"email": "inconnue@exemple.fr", "password": PASSWORD}
REFERENCE = {"siret": "99900000300015", "insurer_reference": "K0000000"}  # nobody's

REGISTERED = {"name": "HÔTEL DES LILAS", "insurer": "klesia", "insurer_reference": "K0000001", "emits_dsn": True}
ESTABLISHMENT = {"siret": "99900000300015", "name": "HÔTEL DES LILAS", "postcode": "75011", "city": "PARIS"}

# Only a session that waits for its second factor is known there.
_NOT_EVEN_SIGNED_IN: Answers = dict.fromkeys(Caller, 401)

_API = "/api/v1"
_ONE = f"{_API}/affiliations/{{affiliation_id}}"
_IMPORT = f"{_API}/affiliation-imports/{{import_id}}"
_READS = _employer(own=200, reader=200, other=404)
_LISTS = _employer(own=200, reader=200, other=200)


def _writes(own: int) -> Answers:
    return _employer(own=own, reader=403, other=404)


def _writes_unknown() -> Answers:
    """To somebody who is not insured yet."""
    return _employer(own=404, reader=403, other=404)


CONTRACT_END = {"contract_ends_on": "2026-11-30", "reason": "043"}
ENDS_ON = {"contract_ends_on": "2026-11-30"}


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
    Route("POST", f"{_ONE}/skips", _writes(200), {"kind": "reminder", "number": 1}),
    Route("POST", f"{_ONE}/restart", _writes(409)),  # it is not abandoned
    Route("POST", f"{_ONE}/withdrawal", _writes(200), {"reason": "mistake"}),
    Route("GET", f"{_API}/insured", _LISTS),
    Route("POST", f"{_API}/insured/search", _LISTS, {"q": "essai"}),  # it only reads
    Route("POST", f"{_API}/assistant/questions", _LISTS, {"text": "Comment relancer un salarié ?"}),
    Route("POST", f"{_API}/assistant/questions/{{question_id}}/rating", _employer(404, 404, 404), {"helpful": True}),
    Route("POST", f"{_API}/insured/exports", _export(200), {"q": "essai"}),
    Route("GET", f"{_API}/insured/exports", _oneself(200)),
    Route("GET", f"{_API}/documents", _known(200)),
    Route("GET", f"{_API}/documents/{{slug}}", _known(200)),
    Route("GET", f"{_API}/notifications", _export(200)),
    Route("GET", f"{_API}/notifications/unread", _oneself(200)),
    Route("POST", f"{_API}/notifications/read", _export(200), {"until": "2026-05-12T12:05:00Z"}),
    Route("GET", f"{_API}/notifications/preferences", _export(200)),
    Route("PUT", f"{_API}/notifications/preferences", _export(200), {"kinds": {"finalised": "weekly"}}),
    Route("GET", f"{_API}/insured/exports/{{job_id}}", _oneself(404)),
    Route("GET", f"{_API}/insured/exports/{{job_id}}/file", _export(404)),
    # many at once: for whoever signs in as themselves
    Route("POST", f"{_API}/affiliation-imports", _export(201), {"text": "Nom\tVille\tSIRET\nEssai\tParis\t1"}),
    Route("GET", f"{_API}/affiliation-imports", _export(200)),
    Route("GET", f"{_API}/affiliation-imports/template.xlsx", _export(200)),
    Route("GET", f"{_IMPORT}", _export(404)),
    Route("GET", f"{_IMPORT}/rows", _export(404)),
    Route("PATCH", f"{_IMPORT}/rows/{{number}}", _export(404), {"values": {"city": "Lyon"}}),
    Route("PUT", f"{_IMPORT}/columns", _export(404), {"mapping": {"city": 0}}),
    Route("POST", f"{_IMPORT}/selection", _export(404), {"numbers": [2], "included": False}),
    Route("POST", f"{_IMPORT}/confirmation", _export(404), {}),
    Route("POST", f"{_IMPORT}/cancellation", _export(404)),
    Route("GET", f"{_IMPORT}/report.xlsx", _export(404)),
    Route("GET", f"{_API}/evidence-packs?siren=999000003", _administrator(own=404, other=404)),  # nobody's
    Route("GET", f"{_API}/evidence-packs/state?siren=999000003", _administrator(own=404, other=404)),
    Route("POST", f"{_API}/evidence-packs", _administrator(own=202, other=404), {"a": SIREN}),
    Route("GET", f"{_API}/evidence-packs/{{pack_id}}", _administrator(own=404, other=404)),
    Route("GET", f"{_API}/evidence-packs/{{pack_id}}/file", _administrator(own=404, other=404)),
    # not insured yet
    Route("GET", f"{_API}/insured/{{insured_id}}", _employer(own=404, reader=404, other=404)),
    Route("GET", f"{_API}/insured/{{insured_id}}/certificate.pdf", _employer(own=404, reader=404, other=404)),
    Route("GET", f"{_API}/insured/{{insured_id}}/rights", _employer(own=404, reader=404, other=404)),
    Route("GET", f"{_API}/insured/{{insured_id}}/rights/on?day=2026-11-23", _employer(own=404, reader=404, other=404)),
    Route("POST", f"{_API}/insured/{{insured_id}}/ends/preview", _writes_unknown(), CONTRACT_END),
    Route("POST", f"{_API}/insured/{{insured_id}}/ends", _writes_unknown(), CONTRACT_END),
    Route("POST", f"{_API}/insured/{{insured_id}}/ends/cancellation", _writes_unknown(), ENDS_ON),
    Route("GET", f"{_API}/insured/{{insured_id}}/radiation.pdf", _employer(own=404, reader=404, other=404)),
    Route("GET", f"{_API}/staff/rights", _staff(200)),
    Route("GET", f"{_API}/staff/insured/{{insured_id}}/rights", _staff(404)),
    Route("GET", f"{_API}/staff/insured/{{insured_id}}/radiation.pdf", _staff(404)),
    Route("POST", f"{_API}/staff/insured/{{insured_id}}/ends", _staff(404, "writes"), CONTRACT_END),
    Route("POST", f"{_API}/staff/insured/{{insured_id}}/ends/cancellation", _staff(404, "writes"), ENDS_ON),
    Route("POST", f"{_API}/staff/insured/{{insured_id}}/proofs", _staff(404, "writes"), {"until": "2026-11-30"}),
    Route("PUT", f"{_API}/staff/insured/{{insured_id}}/portability", _staff(404, "writes"), {"open": True}),
    Route(
        "PUT",
        f"{_API}/staff/insured/{{insured_id}}/portability/end",
        _staff(404, "writes"),
        {"reason": "new_job", "on": "2026-11-30"},
    ),
    Route("DELETE", f"{_API}/staff/insured/{{insured_id}}/portability/end", _staff(404, "writes")),
    Route(
        "POST",
        f"{_API}/staff/insured/{{insured_id}}/suspensions",
        _staff(404, "writes"),
        {"reason": "632", "first_day": "2026-11-30"},
    ),
    Route(
        "POST",
        f"{_API}/staff/insured/{{insured_id}}/suspensions/decision",
        _staff(404, "writes"),
        {"first_day": "2026-11-30", "kept": True},
    ),
    Route(
        "POST",
        f"{_API}/staff/insured/{{insured_id}}/suspensions/cancellation",
        _staff(404, "writes"),
        {"first_day": "2026-11-30"},
    ),
    Route("DELETE", f"{_API}/staff/insured/{{insured_id}}/attention", _staff(404, "writes")),
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
    # before the birth date
    Route("POST", f"{_API}/enrolments/current/former/code", _employee(403), {"channel": "sms"}),
    Route("POST", f"{_API}/enrolments/current/former/answer", _employee(403), {"code": "042137"}),
    Route("GET", f"{_API}/enrolments/current/former", _employee(403)),
    Route("POST", f"{_API}/enrolments/current/former/taking", _employee(403), {"version": 0, "blocks": []}),
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
    Route("GET", f"{_API}/staff/people/{{employee_id}}/personal-data.json", _staff(404, "exports")),
    Route("GET", f"{_API}/staff/people/{{employee_id}}/personal-data.pdf", _staff(404, "exports")),
    Route("GET", f"{_API}/staff/people/{{employee_id}}/personal-data.zip", _staff(404, "exports")),
    Route("POST", f"{_API}/staff/people/{{employee_id}}/erasure", _staff(404, "super"), {"reason": "objection"}),
    Route("GET", f"{_API}/staff/desk", _staff(200)),
    Route(
        "POST",
        f"{_API}/staff/affiliations/{{affiliation_id}}/paper-return",
        _staff(201, "writes"),
        {"answers": {"level": "BASE"}},
    ),
    # no waiver
    Route(
        "POST", f"{_API}/staff/affiliations/{{affiliation_id}}/waiver-end", _staff(404, "writes"), {"on": "2026-11-30"}
    ),
    Route("GET", f"{_API}/staff/affiliations", _staff(422)),  # without a reference
    Route("GET", f"{_API}/staff/document-checks", _staff(200)),
    Route("GET", f"{_API}/staff/documents/{{document_id}}/file", _staff(404)),
    # nothing was submitted
    Route("GET", f"{_API}/staff/affiliations/{{affiliation_id}}/documents", _staff(404)),
    Route("POST", f"{_API}/staff/affiliations/{{affiliation_id}}/documents", _staff(422, "writes"), {}),
    Route(
        "POST", f"{_API}/staff/affiliations/{{affiliation_id}}/pieces/{{piece}}/acceptance", _staff(404, "writes"), {}
    ),
    Route(
        "POST",
        f"{_API}/staff/affiliations/{{affiliation_id}}/pieces/{{piece}}/request",
        _staff(404, "writes"),
        {"reason": "unreadable"},
    ),
    Route(
        "POST",
        f"{_API}/staff/affiliations/{{affiliation_id}}/doubt-resolution",
        _staff(409, "writes"),  # nothing is in doubt
        {"verdict": "left"},
    ),
    # --- ways in: nobody is known yet, and every wrong thing is one answer
    Route("POST", f"{_API}/activations/check", _public(404), REFERENCE),
    Route("POST", f"{_API}/activations", _public(202), {**REFERENCE, **PERSON, "terms_version": TERMS}),
    Route("POST", f"{_API}/activations/agreement", _public(404), LINK),
    Route("POST", f"{_API}/activations/code", _public(404), {"code": "A7K3-9QXT-M2PD-H4RZ8"}),
    Route("POST", f"{_API}/activations/stop", _public(404), LINK),
    Route("POST", f"{_API}/activations/completion", _public(404), {**LINK, "password": PASSWORD}),
    Route("POST", f"{_API}/company-recoveries", _public(202), {**REFERENCE, **NAMES}),
    Route("POST", f"{_API}/company-recoveries/code", _public(404), {"code": "A7K3-9QXT-M2PD-H4RZ8"}),
    Route("POST", f"{_API}/company-recoveries/stop", _public(404), LINK),
    Route("POST", f"{_API}/invitations/preview", _public(404), LINK),
    Route("POST", f"{_API}/invitations/completion", _public(404), {**LINK, "password": PASSWORD}),
    Route("POST", f"{_API}/password-resets", _public(202), {"email": "inconnue@exemple.fr"}),
    Route("POST", f"{_API}/password-resets/completion", _public(404), {**LINK, "password": PASSWORD}),
    Route("POST", f"{_API}/email-changes/completion", _public(404), LINK),
    Route("POST", f"{_API}/phone-losses/stop", _public(404), LINK),
    Route("POST", f"{_API}/sessions", _public(401), CREDENTIALS),
    Route("POST", f"{_API}/staff/sessions", _public(401), CREDENTIALS),
    Route("GET", f"{_API}/terms", _public()),
    Route("DELETE", f"{_API}/sessions/current", _public(204)),
    # --- the second factor: whoever is signing in, or is signed in and steps up
    Route(
        "POST",
        f"{_API}/sessions/challenge/code",
        {**_before_terms(422, staff=403), C.before_terms: 403, C.before_code: 422},  # no number is known
        {},
    ),
    Route(
        "POST",
        f"{_API}/sessions/challenge/answer",
        {**_before_terms(422), C.before_terms: 403, C.before_code: 422},
        {"method": "sms", "code": "000000"},
    ),
    Route("POST", f"{_API}/sessions/challenge/totp", {**_NOT_EVEN_SIGNED_IN, C.before_code: 403}, {}),
    Route(
        "POST",
        f"{_API}/sessions/challenge/totp/confirmation",
        {**_NOT_EVEN_SIGNED_IN, C.before_code: 403},
        {"code": "000000"},
    ),
    # --- oneself
    Route("GET", f"{_API}/me", _before_terms(200)),
    Route("PATCH", f"{_API}/me", _oneself(200), {"first_name": "Lucie"}),
    Route("POST", f"{_API}/me/terms", _before_terms(204, staff=403), {"version": TERMS}),
    Route("PUT", f"{_API}/me/password", _oneself(422), {"current": "x", "new": "y"}),
    Route("POST", f"{_API}/me/phone/change", _oneself(422), {"phone": "06 39 98 00 01", "password": "x"}),
    Route("POST", f"{_API}/me/phone/confirmation", _oneself(422), {"code": "000000"}),
    Route("POST", f"{_API}/me/email", _oneself(422), {"email": "autre@exemple.fr", "password": "x"}),
    Route("POST", f"{_API}/me/totp", _oneself(200), {}),
    Route("POST", f"{_API}/me/totp/confirmation", _oneself(422), {"code": "000000"}),
    Route("POST", f"{_API}/me/recovery-codes", _oneself(409), {}),  # no app
    Route("DELETE", f"{_API}/me/totp", _oneself(409, staff=403)),
    Route("GET", f"{_API}/sessions", _oneself(200)),
    Route("DELETE", f"{_API}/sessions/{{session_id}}", _oneself(404)),
    Route("POST", f"{_API}/sessions/current/extension", _before_terms(200), {}),
    Route("PUT", f"{_API}/sessions/current/company", _oneself(200, staff=403), {"siren": None}),
    Route("GET", f"{_API}/devices", _oneself(200)),
    Route("DELETE", f"{_API}/devices/{{device_id}}", _oneself(404)),
    Route("POST", f"{_API}/establishments", _oneself(404, staff=403), REFERENCE),
    Route("POST", f"{_API}/invitations/acceptance", _oneself(404, staff=403), LINK),
    # --- « Mes habilitations »
    Route("GET", f"{_API}/users", _administrator(own=200, other=200)),
    Route("POST", f"{_API}/users", _administrator(own=201, other=422), {"a": INVITED}),
    Route("POST", f"{_API}/users/{{user_id}}/invitation", _administrator(own=404, other=404), {}),
    Route(
        "PATCH", f"{_API}/users/{{user_id}}", _administrator(own=404, other=404), {"first_name": "A", "last_name": "B"}
    ),
    Route(
        "PUT",
        f"{_API}/users/{{user_id}}/memberships/{{siren}}",
        _administrator(own=404, other=404),
        {"role": "member"},
    ),
    Route("DELETE", f"{_API}/users/{{user_id}}/memberships/{{siren}}", _administrator(own=404, other=404)),
    Route("DELETE", f"{_API}/users/{{user_id}}/sessions", _administrator(own=404, other=404)),
    Route("GET", f"{_API}/access-review", _administrator(own=200, other=200)),
    Route("POST", f"{_API}/access-review", _administrator(own=200, other=404), {"a": SIREN}),
    Route("GET", f"{_API}/mandates", _oneself(200, staff=403)),
    Route("POST", f"{_API}/mandates", _oneself(202, staff=403), REFERENCE),
    Route(
        "POST",
        f"{_API}/mandates/{{mandate_id}}/acceptance",
        _administrator(own=404, other=404),
        {"ends_on": "2027-06-30"},
    ),
    Route("POST", f"{_API}/mandates/{{mandate_id}}/refusal", _administrator(own=404, other=404), {}),
    Route("DELETE", f"{_API}/mandates/{{mandate_id}}", _administrator(own=404, other=404)),
    Route("GET", f"{_API}/mandates/{{mandate_id}}/actions", _administrator(own=404, other=404)),
    Route("GET", f"{_API}/company-recoveries", _administrator(own=200, other=200)),
    Route("DELETE", f"{_API}/company-recoveries/{{recovery_id}}", _administrator(own=404, other=404)),
    Route("GET", f"{_API}/api-keys", _administrator(own=200, other=200)),
    Route("POST", f"{_API}/api-keys", _administrator(own=201, other=422), {"a": KEY}),
    Route("DELETE", f"{_API}/api-keys/{{key_id}}", _administrator(own=404, other=404)),
    # --- outgoing webhooks
    Route("GET", f"{_API}/webhook-endpoints", _software(200, reader=200, other=200)),
    Route("POST", f"{_API}/webhook-endpoints", _software(201, other=422), {"a": HOOK}),
    Route("GET", f"{_API}/webhook-endpoints/{{endpoint_id}}", _software(404, reader=404)),
    Route("DELETE", f"{_API}/webhook-endpoints/{{endpoint_id}}", _software(404)),
    Route("POST", f"{_API}/webhook-endpoints/{{endpoint_id}}/secret", _software(404)),
    Route("POST", f"{_API}/webhook-endpoints/{{endpoint_id}}/pause", _software(404)),
    Route("POST", f"{_API}/webhook-endpoints/{{endpoint_id}}/resumption", _software(404)),
    Route("POST", f"{_API}/webhook-endpoints/{{endpoint_id}}/test", _software(404)),
    Route("POST", f"{_API}/webhook-endpoints/{{endpoint_id}}/replay", _software(404)),
    Route("GET", f"{_API}/webhook-endpoints/{{endpoint_id}}/deliveries", _software(404, reader=404)),
    Route("POST", f"{_API}/webhook-endpoints/{{endpoint_id}}/deliveries/{{delivery_id}}/replay", _software(404)),
    # --- DSN
    Route("GET", f"{_API}/staff/dsn-imports", _staff(200)),
    Route("POST", f"{_API}/staff/dsn-imports", _staff(422, "writes"), {}),
    Route("GET", f"{_API}/staff/dsn-imports/{{import_id}}", _staff(404)),
    Route("GET", f"{_API}/staff/dsn-imports/{{import_id}}/declarations", _staff(404)),
    Route("GET", f"{_API}/staff/dsn-imports/{{import_id}}/report", _staff(404)),
    Route("GET", f"{_API}/staff/dsn-changes", _staff(200)),
    Route("GET", f"{_API}/staff/dsn-changes/{{change_id}}", _staff(404)),
    Route(
        "POST",
        f"{_API}/staff/dsn-changes/{{change_id}}/decision",
        _staff(404, "writes"),
        {"accept": True, "reason": "as_declared"},
    ),
    Route("GET", f"{_API}/hire-proposals", _employer(200, reader=200, other=200)),
    Route(
        "POST",
        f"{_API}/hire-proposals/{{proposal_id}}/dismissal",
        _employer(404, reader=403, other=404),
        {"reason": "left"},
    ),
    # --- contact
    Route("GET", f"{_API}/contact-requests/reasons", _oneself(200)),
    Route("POST", f"{_API}/contact-requests", _oneself(422, staff=403), {}),  # nothing in it
    Route("GET", f"{_API}/contact-requests", _export(200)),
    Route("GET", f"{_API}/contact-requests/{{request_id}}", _export(404)),
    Route("POST", f"{_API}/contact-requests/{{request_id}}/replies", _oneself(404, staff=403), {"message": "Bonjour"}),
    Route(
        "POST", f"{_API}/contact-requests/{{request_id}}/reopening", _oneself(404, staff=403), {"message": "Bonjour"}
    ),
    Route("PUT", f"{_API}/contact-requests/{{request_id}}/rating", _oneself(404, staff=403), {"satisfaction": 4}),
    Route("GET", f"{_API}/contact-requests/{{request_id}}/files/{{file_id}}", _export(404)),
    Route("GET", f"{_API}/staff/contact-requests", _staff(200, key=403)),
    Route("GET", f"{_API}/staff/contact-requests/count", _staff(200, key=403)),
    Route("GET", f"{_API}/staff/contact-requests/{{request_id}}", _staff(404, key=403)),
    Route(
        "POST",
        f"{_API}/staff/contact-requests/{{request_id}}/assignment",
        _staff(404, "writes", key=403),
        {"mine": True},
    ),
    Route(
        "POST",
        f"{_API}/staff/contact-requests/{{request_id}}/answer",
        _staff(404, "writes", key=403),
        {"message": "Bonjour"},
    ),
    Route("POST", f"{_API}/staff/contact-requests/{{request_id}}/closing", _staff(404, "writes", key=403)),
    Route("GET", f"{_API}/staff/contact-requests/{{request_id}}/files/{{file_id}}", _staff(404, key=403)),
    # --- the company register
    Route("GET", f"{_API}/staff/companies", _staff(200)),
    Route("POST", f"{_API}/staff/companies", _staff(201, "writes"), {"a": COMPANY}),
    Route("GET", f"{_API}/staff/companies/{{company_id}}", _staff(404)),
    Route("PUT", f"{_API}/staff/companies/{{company_id}}", _staff(404, "writes"), REGISTERED),
    Route("PUT", f"{_API}/staff/companies/{{company_id}}/contact", _staff(404, "writes"), {"email": NAMES["email"]}),
    Route("POST", f"{_API}/staff/companies/{{company_id}}/establishments", _staff(404, "writes"), ESTABLISHMENT),
    Route(
        "PUT",
        f"{_API}/staff/companies/{{company_id}}/establishments/{{establishment_id}}/closure",
        _staff(404, "writes"),
        {"on": "2026-12-31"},
    ),
    Route(
        "DELETE",
        f"{_API}/staff/companies/{{company_id}}/establishments/{{establishment_id}}/closure",
        _staff(404, "writes"),
    ),
    # --- staff's accounts, users as staff see them, and who looked at what
    Route("GET", f"{_API}/staff/accounts", _staff(200, "super")),
    Route("POST", f"{_API}/staff/accounts", _staff(201, "super"), {"a": ACCOUNT}),
    Route(
        "PUT", f"{_API}/staff/accounts/{{account_id}}", _staff(404, "super"), {"roles": ["read"], "suspended": False}
    ),
    Route("POST", f"{_API}/staff/accounts/{{account_id}}/invitation", _staff(404, "super"), {}),
    Route("DELETE", f"{_API}/staff/accounts/{{account_id}}", _staff(404, "super")),
    Route("GET", f"{_API}/staff/users?q=essai", _staff(200, key=403)),
    Route(
        "PUT",
        f"{_API}/staff/users/{{user_id}}",
        _staff(404, "writes", key=403),
        {"suspended": True, "reason": "compromised"},
    ),
    Route("DELETE", f"{_API}/staff/users/{{user_id}}/sessions", _staff(404, "writes", key=403)),
    Route("POST", f"{_API}/staff/users/{{user_id}}/phone-loss", _staff(404, "writes", key=403), {"reason": "lost"}),
    Route("GET", f"{_API}/staff/people/{{employee_id}}/accesses", _staff(404, "exports")),
    Route(
        "GET",
        f"{_API}/staff/actors/{{actor_id}}/reached?since=2026-11-01T00:00:00Z&until=2026-11-02T00:00:00Z",
        _staff(200, "exports"),
    ),
    # --- providers and operations
    Route("POST", f"{_API}/webhooks/sendgrid", _public(403), {}),
    Route("POST", f"{_API}/webhooks/maileva", _public(403), {}),
    Route("GET", f"{_API}/openapi.json", _public(), public=False),  # in development only
    Route("HEAD", f"{_API}/openapi.json", _public(), public=False),
    Route("GET", "/health/live", _public(), public=False),
    Route("GET", "/health/ready", _public(), public=False),
    Route("GET", "/metrics", _public(), public=False),
)
