"""Problem details (RFC 9457): one shape for everything that can go wrong, described in OpenAPI."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.limits import MAX_BODY_BYTES, MAX_HEAD_BYTES, limit_of
from services.fields import field_errors
from services.problems import (
    ActivationRefused,
    AlreadyOpen,
    AlreadySubmitted,
    BirthDateNeeded,
    CodeNotSent,
    CompanySwitched,
    CsrfRefused,
    DocumentRefused,
    EngineUnavailable,
    ErasureHeld,
    ExportsUnderWay,
    FieldError,
    InvalidFields,
    KeyReused,
    LinkRefused,
    MassReading,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    NotYetScanned,
    OfficeCodeRefused,
    Overloaded,
    Problem,
    RefusedByRules,
    StaleDraft,
    StepUpNeeded,
    StorageAway,
    TermsNotAccepted,
    TooManyRequests,
    TooManyTries,
    UnreadableUpload,
    WrongAccess,
    WrongBirthDate,
    WrongCode,
    WrongCredentials,
)
from web.denials import tell_denial

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:hcr:problem:"


class FieldProblem(BaseModel):
    """One wrong field: its path, a stable code, a French sentence with a valid example."""

    field: str
    code: str
    message: str


class ProblemDetails(BaseModel):
    """What every error answers. `type` is stable, `title` and `detail` are French."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] | None = None
    id: str | None = None
    retry_at: str | None = None
    current: dict[str, Any] | None = None
    reason: str | None = None
    tries_left: int | None = None


_DESCRIPTIONS: dict[type[Problem], str] = {
    NotAuthenticated: "No valid key or session",
    NotAllowed: "The key does not allow it",
    NotFound: "Unknown, or not the caller's",
    AlreadyOpen: "The person has an open affiliation at this establishment; `id` names it",
    RefusedByRules: "The rules refuse it in the present state; `retry_at` where there is such a moment",
    KeyReused: "The Idempotency-Key was used for another request",
    InvalidFields: "Some fields are wrong: `errors` names each with a valid example",
    EngineUnavailable: "Not confirmed in time: repeat with the same key",
    WrongAccess: "Unknown, wrong or dead link or code",
    StaleDraft: "Saved elsewhere since; `current` names the version and the answers that differ",
    BirthDateNeeded: "What was saved opens with the birth date",
    WrongBirthDate: "Not the birth date of this file; `tries_left`",
    TooManyTries: "Five wrong birth dates: a pause until `retry_at`",
    DocumentRefused: "The file was not taken in; `reason` says why",
    UnreadableUpload: "No file in the request",
    NotYetScanned: "The antivirus has not answered yet",
    StorageAway: "The document store does not answer: try again",
    AlreadySubmitted: "The form has been received already",
    StepUpNeeded: "A code of less than ten minutes is needed: POST /sessions/challenge/code",
    TermsNotAccepted: "`version` of the conditions générales is to be accepted first",
    CsrfRefused: "Not made by our own pages",
    CompanySwitched: "The session works on another company since",
    TooManyRequests: "An abuse limit; Retry-After says when",
    ExportsUnderWay: "Two exports of the user are being prepared",
    MassReading: "Too many files read within the hour",
    Overloaded: "Too many sign in at once; Retry-After says when",
    ErasureHeld: "A legal hold: `reason` says which, `until` its last day where there is one",
    ActivationRefused: "One answer for whatever of the SIRET and the identifier does not go",
    LinkRefused: "Unknown, used, stopped or too old: one answer",
    OfficeCodeRefused: "Unknown, wrong, used or too old: one answer",
    WrongCredentials: "Unknown, wrong, suspended, not yet activated or blocked",
    WrongCode: "Wrong, expired, used or dead code, or too many of them",
    CodeNotSent: "The SMS provider did not take it; nothing waits",
}


def describes(*problems: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route: every error it can answer, by status."""
    responses: dict[int | str, dict[str, Any]] = {}
    for problem in problems:
        status = 409 if problem is RefusedByRules else problem.status
        words = _DESCRIPTIONS[problem]
        if status in responses:
            words = f"{responses[status]['description']}; or: {words}"
        responses[status] = {"description": words, "content": {MEDIA_TYPE: {"schema": _SCHEMA}}}
    return responses


def describe_problems(document: dict[str, Any]) -> None:
    """Put into the OpenAPI document the problem's schema, which routes refer to by name, and what every route can
    answer."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schema = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs", {}))
    schemas["ProblemDetails"] = schema
    for operations in document["paths"].values():
        for method, operation in operations.items():
            for status, words in _everywhere(method, operation["responses"]):
                described = {"description": words, "content": {MEDIA_TYPE: {"schema": _SCHEMA}}}
                operation["responses"].setdefault(str(status), described)


def _everywhere(method: str, responses: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """What an operation can answer whatever it does: by its method, and where somebody must be known."""
    changes = method in ("post", "put", "patch", "delete")
    yield 400, "The Host is not this service's"
    yield 422, "A parameter is there twice, or the JSON has too many levels"
    yield 431, f"Address and headers of more than {MAX_HEAD_BYTES} bytes"
    if method in ("post", "put", "patch"):
        yield 413, f"More than {MAX_BODY_BYTES} bytes"
    if changes:
        yield 403, _DESCRIPTIONS[CsrfRefused]
    if "401" in responses:
        yield 403, _DESCRIPTIONS[TermsNotAccepted]
    if "401" in responses and changes:
        yield 409, _DESCRIPTIONS[CompanySwitched]


_SCHEMA = {"$ref": "#/components/schemas/ProblemDetails"}


def install(app: FastAPI) -> None:
    """Answer every exception as a problem."""
    app.add_exception_handler(Problem, _on_problem)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _on_invalid)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _on_http)  # type: ignore[arg-type]
    app.add_middleware(LastResort)


async def _on_problem(request: Request, problem: Problem) -> JSONResponse:
    await tell_denial(request, problem)
    return problem_response(problem)


def overloaded_response() -> JSONResponse:
    """What a sign-in is answered while too many wait."""
    return problem_response(Overloaded())


def problem_response(problem: Problem) -> JSONResponse:
    """A problem as every door of machines answers it."""
    headers = {"Retry-After": str(problem.retry_after)} if problem.retry_after else None
    if problem.status == 401:
        headers = {"WWW-Authenticate": "Bearer"}
    errors = problem.errors if isinstance(problem, InvalidFields) else None
    return problem_answer(
        problem.status, problem.code, problem.title, problem.detail, errors, problem.extensions, headers=headers
    )


async def _on_invalid(request: Request, invalid: RequestValidationError) -> JSONResponse:
    body_field = getattr(request.scope.get("route"), "body_field", None)
    model = getattr(getattr(body_field, "field_info", None), "annotation", None)
    problem = InvalidFields(field_errors(invalid.errors(), model, prefix=1))
    return await _on_problem(request, problem)


_HTTP_WORDS = {
    404: ("not_found", "Introuvable", "Cette adresse n’existe pas."),
    405: ("method_not_allowed", "Méthode non autorisée", "Cette adresse ne s’utilise pas ainsi."),
    413: (
        "too_large",
        "Contenu trop volumineux",
        "Le contenu envoyé dépasse la limite : 10 Mo pour un fichier, 1 Mo sinon.",
    ),
}


async def _on_http(request: Request, error: HTTPException) -> JSONResponse:
    code, title, detail = _HTTP_WORDS.get(
        error.status_code, ("bad_request", "Demande non valable", "La demande n’a pas pu être lue.")
    )
    if error.status_code == 400:  # not UTF-8, too deep, a number too long: no JSON for us
        return await _on_problem(
            request, InvalidFields([FieldError("body", "json_invalid", "Le contenu n’est pas du JSON valable.")])
        )
    headers = dict(error.headers) if error.headers else None
    return problem_answer(error.status_code, code, title, detail, headers=headers)


class LastResort:
    """What no handler sees: a body announced as too large, and crashes. Inside the headers' middleware, so that
    these answers have them too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_noticing(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        length = Headers(scope=scope).get("content-length", "")
        if length.isdecimal() and int(length[:20]) > limit_of(scope):
            too_large = await scope["app"].exception_handlers[413](Request(scope), HTTPException(413))
            await _drain(receive, most=limit_of(scope) * 4)  # a browser shows an answer only once it has sent
            await too_large(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send_noticing)
        except Exception as error:
            answer = _crashed(error)
            if started:
                raise
            await answer(scope, receive, send)


async def _drain(receive: Receive, most: int) -> None:
    """Read what is still coming, at most so much, and forget it."""
    message = await receive()
    while message["type"] == "http.request" and message.get("more_body") and most > 0:
        most -= len(message.get("body", b""))
        message = await receive()


def _crashed(error: Exception) -> JSONResponse:
    reference = uuid.uuid4().hex[:12]
    log.error("unhandled error", exc_info=error, extra={"reference": reference})
    detail = (
        "Une erreur est survenue de notre côté. Rien n’est perdu de ce qui était enregistré. "
        f"Réessayez, puis contactez-nous avec la référence {reference}."
    )
    return problem_answer(500, "internal_error", "Erreur interne", detail)


def problem_answer(
    status: int,
    code: str,
    title: str,
    detail: str,
    errors: list[FieldError] | None = None,
    extensions: dict[str, object] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """The problem as it is sent."""
    content: dict[str, Any] = {"type": TYPE_PREFIX + code, "title": title, "status": status, "detail": detail}
    if errors is not None:
        content["errors"] = [{"field": e.field, "code": e.code, "message": e.message} for e in errors]
    content.update(jsonable_encoder(extensions or {}))
    return JSONResponse(content, status, headers, MEDIA_TYPE)
