"""What the pages of the desk have in common: who may change something, what was just done, what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Query, Request, Response

from portal.space import signed_in_page
from services.callers import Caller, Scope
from services.problems import FieldError, InvalidFields
from web.parts import Parts

Done = Annotated[str, Query(alias="fait", max_length=40)]
Searched = Annotated[str, Query(max_length=100)]


async def desk_page(
    request: Request,
    caller: Caller,
    use: Parts,
    template: str,
    wrong: InvalidFields | None = None,
    status: int = 0,
    **values: Any,
) -> Response:
    """`may_write`: buttons of changes are shown."""
    return await signed_in_page(
        request, caller, use, template, wrong, status, may_write=Scope.staff_write in caller.scopes, **values
    )


def writes(caller: Caller) -> None:
    """Before the page of a change is shown, so that nothing typed is lost. Raises NotAllowed, StepUpNeeded."""
    caller.need(Scope.staff_write)
    caller.need_step_up()


def in_words(wrong: InvalidFields, missing: Mapping[str, str]) -> InvalidFields:
    """Each field's first error; what is missing by its name, where `missing` has words for it."""
    errors: dict[str, FieldError] = {}
    for one in wrong.errors:
        field = one.field.rpartition(".")[2]
        empty = one.code in ("missing", "string_too_short", "enum", "literal_error", "too_short")
        message = missing[field] if empty and field in missing else one.message
        errors.setdefault(field, FieldError(field, one.code, message))
    return InvalidFields(list(errors.values()))
