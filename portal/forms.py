"""What a page's form sends, without a dependency: `application/x-www-form-urlencoded`, each field once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final
from urllib.parse import parse_qs

from fastapi import Depends, Request

from services.problems import Problem
from web.csrf import FIELD, check_beside_file, content_type
from web.several_files import WithFiles, read_once, several_files

_TYPE = "application/x-www-form-urlencoded"
_WITH_FILES = "multipart/form-data"
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


async def form_with_files(request: Request) -> WithFiles:
    """The same of a form that may have files; without any where what was kept is sent again (`portal.resume`). Raises
    UnreadableForm, UnreadableUpload, CsrfRefused."""
    if content_type(request) == _WITH_FILES:
        sent = await several_files(request)
    else:
        sent = WithFiles(await sent_fields(request), [])
        check_beside_file(request, sent.fields.get(FIELD))
    typed = {name: text for name, text in sent.fields.items() if name not in (FIELD, OWNER)}
    return WithFiles(typed, sent.files)


async def sent_in_any_way(request: Request) -> dict[str, str]:
    """As `sent_fields`, of a form with files too. Raises UnreadableForm, UnreadableUpload."""
    if content_type(request) == _WITH_FILES:
        return (await read_once(request)).fields
    return await sent_fields(request)


Fields = Annotated[dict[str, str], Depends(form_fields)]
Several = Annotated[WithFiles, Depends(form_with_files)]


def as_typed(fields: Mapping[str, str], *names: str) -> dict[str, str]:
    """What was typed, to be shown again."""
    return {name: fields.get(name, "")[:200] for name in names}
