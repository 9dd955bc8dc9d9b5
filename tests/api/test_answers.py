"""What every answer has in common, whatever was asked: problems, limits, headers, logs, the OpenAPI document."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import runpy
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from api.security import HEADERS
from observability import JsonFormatter
from tests.api.conftest import BASE, Door, client, employee_of, link_token
from tests.enrolling import save
from web.callers import EMPLOYEE_COOKIE
from web.parts import Parts

NOBODY = UUID("00000000-0000-7000-8000-00000000dead")  # the same in every process: it names tests

LIST = f"{BASE}/affiliations"


def check_problem(answer: httpx2.Response, status: int, kind: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["type"] == f"urn:hcr:problem:{kind}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"].endswith(".")
    return problem


# --- what cannot be read


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'{"siret": }',
        b"siret=1",
        b"\xff\xfe\x00",
        b'{"siret": "\xff"}',
        b"NaN",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"1" * 10_000,
        b'{"siret": ' + b"9" * 10_000 + b"}",
        b'{"siret": 1e999}',
        b'{"siret": "\\ud800"}',
    ],
)
async def test_a_body_that_is_no_json_of_ours_is_a_wrong_body(door: Door, content: bytes) -> None:
    for method, path in (("POST", LIST), ("PATCH", f"{LIST}/{uuid4()}/contact")):
        answer = await door.http.request(
            method, path, content=content, headers={"Content-Type": "application/json; charset=utf-8"}
        )
        problem = check_problem(answer, 422, "invalid_fields")
        assert problem["errors"]
        assert not any(error["field"].isdecimal() for error in problem["errors"])


@pytest.mark.parametrize("depth", [25, 900])
async def test_json_deeper_than_any_form_is_refused(door: Door, depth: int) -> None:
    body: Any = "fond"
    for _ in range(depth):
        body = {"employee": body}
    check_problem(await door.http.post(LIST, content=json.dumps(body)), 422, "invalid_fields")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "x"])
async def test_another_content_type_than_json_is_refused(door: Door, kind: str) -> None:
    body = json.dumps(door.world.declaration(door.employer))
    answer = await door.http.post(LIST, content=body, headers={"Content-Type": kind})
    check_problem(answer, 422, "invalid_fields")
    page = (await door.http.get(LIST)).json()
    assert page["total"] == 0


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_of_two_megabytes_is_too_large(door: Door, announced: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b'"' + b"x" * 99_999

    content: Any = b"x" * 2_000_000 if announced else pieces()
    for path in (LIST, f"{BASE}/enrolments/access", f"{BASE}/webhooks/sendgrid", "/nowhere", "/health/live"):
        answer = await door.http.post(path, content=content, headers={"Content-Type": "application/json"})
        if announced or path in (LIST, f"{BASE}/enrolments/access", f"{BASE}/webhooks/sendgrid"):
            check_problem(answer, 413, "too_large")
        content = content if announced else pieces()


@pytest.mark.parametrize("text", ["1", "x", "00000000-0000-0000-0000-00000000000g", "%00", "'", "{affiliation_id}"])
async def test_a_path_without_a_right_id_names_it(door: Door, text: str) -> None:
    for method, action in (("GET", ""), ("GET", "/events"), ("GET", "/form.pdf"), ("POST", "/reminders")):
        answer = await door.http.request(method, f"{LIST}/{text}{action}")
        problem = check_problem(answer, 422, "invalid_fields")
        assert [error["field"] for error in problem["errors"]] == ["affiliation_id"]


# --- what does not exist


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/v1",
        f"{BASE}/nothing",
        f"{LIST}/",
        f"{LIST}/{NOBODY}/nothing",
        "/api/v2/affiliations",
        "/nothing",
        "/%00",
    ],
)
async def test_an_unknown_address_is_a_problem_and_no_redirect(door: Door, path: str) -> None:
    answer = await door.http.get(path, headers={"X-Forwarded-Host": "evil.example", "Accept": "application/json"})
    check_problem(answer, 404, "not_found")
    assert "location" not in answer.headers


async def test_another_method_is_a_problem_that_says_which_exist(door: Door) -> None:
    for method in ("HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "PATCH", "CONNECT", "XYZ"):
        answer = await door.http.request(method, LIST)
        assert answer.status_code == 405, method
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["allow"]
        if method != "HEAD":
            check_problem(answer, 405, "method_not_allowed")


# --- headers


def check_headers(answer: httpx2.Response) -> None:
    for name, value in HEADERS.items():
        assert answer.headers.get(name) == value, (answer.request.url, name)
    assert "server" not in answer.headers
    assert "x-powered-by" not in answer.headers


async def test_every_answer_has_the_security_headers(door: Door, anonymous: httpx2.AsyncClient, app: FastAPI) -> None:
    life = await door.declare()
    token = await link_token(life)
    async with employee_of(app, life, token) as employee:
        answers = [
            await door.http.get(LIST),
            await door.http.get(f"{LIST}/{life.id}/form.pdf"),
            await anonymous.get(f"{BASE}/forms/affiliation.pdf"),
            await anonymous.get(LIST),
            await anonymous.get("/nowhere"),
            await anonymous.put(LIST),
            await door.http.post(LIST, json={}),
            await door.http.post(LIST, content=b"x" * 2_000_000),
            await door.http.get(f"{LIST}/{uuid4()}"),
            await anonymous.post(f"{BASE}/enrolments/access", json={"token": token}),
            await employee.get(f"{BASE}/enrolments/current"),
            await anonymous.get("/metrics"),
            await anonymous.get("/health/ready"),
            await anonymous.post(f"{BASE}/webhooks/sendgrid", content=b"[]"),
        ]
        parts, app.state.parts = app.state.parts, None
        try:
            answers.append(await anonymous.get("/health/ready"))
        finally:
            app.state.parts = parts
    assert {200, 401, 403, 404, 405, 413, 422, 500} == {answer.status_code for answer in answers}
    for answer in answers:
        check_headers(answer)


async def test_a_real_server_does_not_say_what_it_is(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run as `python -m api` runs it."""
    given: dict[str, Any] = {}
    monkeypatch.setattr(uvicorn, "run", lambda application, **options: given.update(options))
    monkeypatch.setattr("observability.set_up_logging", lambda level: None)
    runpy.run_module("api", run_name="__main__")
    assert given["access_log"] is False  # addresses of links hold secrets
    server = uvicorn.Server(uvicorn.Config(app, **{**given, "port": 0, "lifespan": "off", "loop": "none"}))
    monkeypatch.setattr(server, "install_signal_handlers", lambda: None, raising=False)
    serving = asyncio.create_task(server._serve())
    try:
        async with asyncio.timeout(10):
            while not server.started:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            for path in ("/health/live", "/nowhere", f"{BASE}/forms/affiliation.pdf"):
                check_headers(await http.get(path))
            behind_proxy = await http.get("/metrics", headers={"X-Forwarded-For": "203.0.113.7"})
            assert behind_proxy.status_code == 404
    finally:
        server.should_exit = True
        await serving


# --- what is logged


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Everything that any logger of the process says, as it is written in production."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


async def test_a_crash_answers_with_a_reference_and_logs_no_name_and_no_secret(
    door: Door, app: FastAPI, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts: Parts = app.state.parts
    key = door.http.headers["Authorization"].removeprefix("Bearer ")
    body = door.world.declaration(door.employer, last_name="Canarion", email="canarion@exemple.fr")
    life = await door.declare()
    token = await link_token(life)

    async def crash(*arguments: Any) -> Any:
        raise ValueError(f"cannot work with {arguments!r}")

    monkeypatch.setattr(parts.affiliations, "_write", crash)
    monkeypatch.setattr(parts.enrolments, "_view", crash)
    crashed = await door.http.post(LIST, json=body, headers={"Idempotency-Key": "clef-canarion"})
    async with employee_of(app, life, token) as employee:
        session = employee.cookies[EMPLOYEE_COOKIE]
        await save(employee, {"nir": "nir-canarion"})
        crashed_too = await employee.get(f"{BASE}/enrolments/current")
    await door.http.post(LIST, json={**body, "siret": "canarion"})
    await door.http.get(f"{LIST}?q=canarion")
    problem = check_problem(crashed, 500, "internal_error")
    check_problem(crashed_too, 500, "internal_error")
    assert "anarion" not in crashed.text
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    errors = [line for line in lines if line["level"] == "ERROR"]
    assert len(errors) == 2, errors
    assert errors[0]["reference"] in problem["detail"]
    assert errors[0]["error"] == "ValueError"
    assert "affiliations.py" in errors[0]["trace"]
    ours = "\n".join(json.dumps(line) for line in lines if not line["logger"].startswith(("httpx2", "httpcore2")))
    for secret in ("anarion", key, token, session, body["employee"]["nir"], body["employee"]["phone"]):
        assert str(secret) not in ours, secret


async def test_a_refused_look_up_in_the_database_is_logged_without_its_values(
    door: Door, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL's own messages quote the row that they refuse."""
    monkeypatch.setattr("services.affiliations.search_form", lambda text: None)
    body = door.world.declaration(door.employer, last_name="Canarion")
    check_problem(await door.http.post(LIST, json=body), 500, "internal_error")
    errors = [line for line in logged.getvalue().splitlines() if '"ERROR"' in line]
    assert len(errors) == 1
    assert json.loads(errors[0])["error"] == "NotNullViolationError"
    assert "anarion" not in logged.getvalue()


# --- the OpenAPI document

SCHEMAS = {
    *("AnswerKind", "AnswerLink", "AssistantAnswer", "AssistantQuestion", "AssistantRating", "Case"),
    *("AwaitedRights", "CancelledEnd", "CancelledSuspension", "EarlyEnd", "EarlyPortabilityEnd", "EndDates", "EndView"),
    *("NewEnd", "NewSuspension", "Opening", "Origin", "PortabilityDecision", "PortabilityProof", "Right", "RightsDesk"),
    *("RightsEvent", "RightsEventView", "RightsMessage", "RightsMessageView", "RightsOfDay", "RightsStepView"),
    *("InsuredRights", "StepKind", "SuspensionDecision", "SuspensionView"),
    *("ContractState", "CoverPeriod", "Family", "InsuredDetail", "InsuredOrder", "InsuredPage", "InsuredSearch"),
    *("LibraryCategory", "LibraryDocument", "LibraryDocuments"),
    *("EvidenceCompany", "EvidencePack", "EvidencePacks", "EvidencePlace", "EvidenceState", "Gap", "Lacking"),
    *("NewEvidencePack", "ProofState"),
    *("ExportJob", "ExportJobs", "ExportStands", "InsuredSummary", "NewInsuredExport", "SheetForm", "StateCounts"),
    *("ColumnMapping", "Confirmation", "FoundColumn", "ImportRow", "ImportRows", "ImportState", "ImportSummary"),
    *("ImportView", "RowCorrection", "RowProblem", "RowRepair", "RowSelection", "RowState", "Severity"),
    *("ChangeKind", "Dismissal", "DsnChangePage", "DsnChangeView", "DsnDecided", "DsnDecision", "DsnDeclarationPage"),
    *("DsnDeclarationState", "DsnDeclarationView", "DsnDependantView", "DsnFault", "DsnImportPage", "DsnImportView"),
    *("DsnPersonView", "DsnReceived", "DsnRightsView", "HireProposal", "HireProposals"),
    *("Access", "ActorKind", "Address", "AffiliationDetail", "AffiliationPage", "AffiliationSummary", "Attention"),
    *("Civility", "Closure", "Companies", "CompanyView", "ContractKind", "CorrectedContact", "CoverageView"),
    *("DeclaredEmployee", "Decline", "DeclineReason", "Desk", "DispatchView", "DoubtResolution"),
    *(
        "Accept",
        "AdviceView",
        "AskAgain",
        "CheckQueue",
        "ChosenLanguage",
        "DocumentList",
        "DocumentNeed",
        "DocumentView",
    ),
    *("AskFormerCode", "CodeChannel", "FormerBlock", "FormerCode", "FormerCodeAsked", "FormerFile", "FormerPart"),
    "TakeFormer",
    *("Form", "FormDocument", "FormField", "FormGroup", "FormStep", "Kind", "Offer", "PieceCode", "Proof"),
    *("RefusalReason", "Review", "ToCheck", "WaiverEnd", "WaiverView", "WarningView"),
    *("EnrolmentView", "EstablishmentView", "Establishments", "EventKind", "EventView"),
    *(
        "FieldProblem",
        "Health",
        "Language",
        "LinkRecovery",
        "Medium",
        "MessageState",
        "NextStep",
        "PaperReturn",
        "Pause",
    ),
    *(
        "PauseReason",
        "PreAffiliation",
        "ProblemDetails",
        "ProfessionalStatus",
        "RecoveryAnswer",
        "SaveDraft",
        "Saved",
        "Scheme",
    ),
    *("Source", "Status", "Submission", "Verdict", "Withdrawal", "WithdrawalReason"),
    *("AccessData", "AffiliationData", "AnswersData", "ContactData", "CoverageData", "DependantData", "DocumentData"),
    *("EventData", "MessageData", "PayrollData", "PersonalData", "SessionData", "SignatureData", "WaiverData"),
    *("ErasureReason", "ErasureRequest", "ErasureResult"),
    # access
    *("AcceptTerms", "AccessHistory", "AccessReview", "ActionList", "Activatable", "Activation", "Added", "AddedAs"),
    *("Answer", "ApiKey", "ApiKeyList", "AskCode", "Asked", "ChosenCompany", "CodeSent", "CompanyReview"),
    *("Completion", "Credentials", "DeviceList", "DeviceView", "DoneInName", "EmailChange", "EmailChangeAnswer"),
    *("EmailChangeCompletion", "EmployerUser", "EmployerUserList", "Enrolled", "Extended", "InvitationCompletion"),
    *("InvitationLink", "InvitationPreview", "Invite", "InvitedNames", "LossReason", "LossStop", "MadeApiKey"),
    *("MailedLink", "MandateAcceptance", "MandateList", "MandateRequest", "MandateState", "MandateTerm"),
    *(
        "MandateView",
        "Me",
        "Names",
        "NewApiKey",
        "NewStaffAccount",
        "OfferedRights",
        "OfficeCode",
        "OpenedSession",
        "Order",
    ),
    *("OwnRight", "OwnTerms", "PasswordChange", "Perimeter", "PhoneChange", "PhoneConfirmation", "PhoneLoss"),
    *("PhoneLossView", "Reached", "ReachedList", "Reading", "Reason", "Recoveries", "RecoveryCodes"),
    *("RecoveryRequest", "RecoveryState", "RecoveryView", "Reference", "ResetAnswer", "ResetCompletion"),
    *("ResetRequest", "ReviewAnswer", "RightsChange", "RightsState", "RightsView", "Role", "SecondFactor"),
    *("SessionList", "SessionView", "SignedInView", "Skip", "StaffAccount", "StaffAccountChange", "StaffAccountList"),
    *("StaffRole", "SuspensionReason", "TermsSection", "TermsView", "Told", "TotpConfirmation", "TotpOffer"),
    *("CompanyChange", "CompanyRecord", "CompanyRecoveryEntry", "CompanyUser", "EstablishmentClosure", "Insurer"),
    *("KnownContact", "ListedCompanies", "ListedCompany", "NewCompany", "NewEstablishment", "RegisteredEstablishment"),
    *(
        "ChosenKinds",
        "ChosenPreferences",
        "CompanyPreferences",
        "How",
        "Notification",
        "NotificationKind",
        "NotificationPreferences",
    ),
    *("Notifications", "ReadUntil", "Unread"),
    *("Assignment", "ContactCase", "ContactCount", "ContactFileView", "ContactLine", "ContactMessageView"),
    *("ContactQueue", "ContactReceipt", "ContactRequestView", "ContactRequests", "ContactState", "ContactSummary"),
    *("FileState", "QueueState", "Rating", "ReasonGroup", "ReasonView", "Taken"),
    *("UserKind", "UserList", "UserRights", "UserSuspension", "UserToConfirm", "UserView"),
    *("DeliveryState", "EndpointState", "MadeWebhookEndpoint", "NewWebhookEndpoint", "Replayed", "WebhookDelivery"),
    *("WebhookDeliveryPage", "WebhookEndpoint", "WebhookEndpointList", "WebhookKind", "WebhookSecret"),
}


async def test_the_document_names_its_schemas_and_every_error_as_a_problem(
    app: FastAPI, anonymous: httpx2.AsyncClient
) -> None:
    document = (await anonymous.get(f"{BASE}/openapi.json")).json()
    assert set(document["components"]["schemas"]) == SCHEMAS
    routes = {str(one.path) for one in iter_route_contexts(app.routes) if "/api/v1/" in str(one.path)}
    assert routes - {f"{BASE}/openapi.json"} == {path for path in document["paths"] if path.startswith(BASE)}
    ids = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            ids.append(operation["operationId"])
            assert operation.get("description") or operation.get("summary"), (method, path)
            assert ("413" in operation["responses"]) is (method not in ("get", "delete"))
            for status, response in operation["responses"].items():
                if int(status) >= 400 and path != "/health/ready":
                    schema = response["content"]["application/problem+json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/ProblemDetails"}, (method, path, status)
    assert len(set(ids)) == len(ids)
    text = json.dumps(document)
    references = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert references <= SCHEMAS


def test_the_document_is_printed_without_a_running_system(tmp_path: Path) -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "api.openapi"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        check=True,
        text=True,
    )
    document = json.loads(printed.stdout)
    assert document["openapi"].startswith("3.1")
    assert set(document["components"]["schemas"]) == SCHEMAS
    assert not printed.stderr


async def test_the_answers_are_what_the_document_says(door: Door, app: FastAPI) -> None:
    """An answer that no operation documents fails the test that gets it: see `client` in conftest."""
    async with client(app, None) as http:
        (documented,) = http.event_hooks["response"]
        request = httpx2.Request("GET", f"http://testserver{LIST}")
        with pytest.raises(AssertionError, match="undocumented"):
            await documented(httpx2.Response(418, headers={"X-Request-Id": "0" * 32}, request=request))
