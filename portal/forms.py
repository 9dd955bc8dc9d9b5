"""What a page's form sends, without a dependency: `application/x-www-form-urlencoded`, each field once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final
from urllib.parse import parse_qs

from fastapi import Depends, Request

from services.problems import Problem
from web.csrf import FIELD, content_type

_TYPE = "application/x-www-form-urlencoded"
_MOST_FIELDS = 200  # security.md H-08


class UnreadableForm(Problem):
    """Not what our pages send."""

    status = 422
    code = "unreadable_form"
    title = "Formulaire illisible"

    def __init__(self) -> None:
        super().__init__("Le formulaire n’a pas pu être lu. Revenez à la page précédente, puis recommencez.")


OWNER: Final = "pour"  # the field by which a form says whose session it was shown in


async def form_fields(request: Request) -> dict[str, str]:
    """What was typed, by the fields' names. Raises UnreadableForm."""
    return {name: text for name, text in (await sent_fields(request)).items() if name not in (FIELD, OWNER)}


async def sent_fields(request: Request) -> dict[str, str]:
    """The same with the token that `web.csrf` looks at, and the owner. Raises UnreadableForm.

    The body's size is limited for the whole application.
    """
    if content_type(request) != _TYPE:
        raise UnreadableForm()
    try:
        text = (await request.body()).decode("ascii")
        fields = parse_qs(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise UnreadableForm() from None
    if any(len(values) > 1 for values in fields.values()):
        raise UnreadableForm()
    return {name: values[0] for name, values in fields.items()}


Fields = Annotated[dict[str, str], Depends(form_fields)]


def as_typed(fields: Mapping[str, str], *names: str) -> dict[str, str]:
    """What was typed, to be shown again."""
    return {name: fields.get(name, "")[:200] for name in names}
