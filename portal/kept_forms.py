"""What was typed outlives its session: it is not lost when the session has ended, when its token is that of a former
one, or when the company was switched in another tab.

Nothing is kept on the server, as a form may hold a NIR. The page that says what happened (`portal.space.SpaceRoute`)
carries what was typed as one sealed field, which shows nothing to whoever stands before the screen and only opens again
after sign-in, within hours, for the same user in the same browser (the visit's cookie is part of the seal). Opening it
shows it again (`portal.resume`, or the form itself), with the new session's token; nothing is done with it before the
person sends it themselves. As the session's own token is not known to that page, it carries the visit's, like every
page without a session (`web.csrf.own_pages_only`). A form with a password or a code is not kept.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request

from domain.rights import UserKind
from gateways.encryption import CannotDecrypt, FieldCipher
from portal.forms import OWNER, UnreadableForm, sent_fields, sent_in_any_way
from portal.menu import of_staff
from services.callers import Caller
from services.problems import CsrfRefused, UnreadableUpload
from web.cookies import SESSION_OF, Cookie, cookie_of
from web.csrf import FIELD, own_pages_only, own_site_only
from web.parts import Parts

HOURS: Final = 2
SEALED: Final = "saisie"  # the field that carries what was typed
_MOST_TYPED = 4_000  # characters a field
_MOST_SEALED = 40_000
_SECRETS = ("password", "current", "new", "code")
_KEYS = ("cle", "key")  # by which sending twice is sending once: nobody typed them
_WORTH = 2  # fields; a button alone is pressed again


@dataclass(frozen=True)
class Kept:
    """A form that is shown again itself: where it is shown, where it is opened again, and the fields it has. `files`:
    it may have some beside them, which are not kept."""

    shown: str
    again: str
    fields: tuple[str, ...]
    files: bool = False


@dataclass(frozen=True)
class Sealed:
    """`path`: where it was sent to."""

    text: str
    path: str


@dataclass(frozen=True)
class Opened:
    path: str
    typed: dict[str, str]


async def sealed_form(request: Request, use: Parts, kept: Kept | None) -> Sealed | None:
    """What was typed; None: nothing, a secret, or not on a page of ours."""
    visit = cookie_of(request, Cookie.visit, use.config)
    if visit is None:  # before anything is read
        return None
    try:
        await own_site_only(request, use)
        fields = await (sent_in_any_way(request) if kept is not None and kept.files else sent_fields(request))
    except (CsrfRefused, UnreadableForm, UnreadableUpload):
        return None
    owner = fields.get(OWNER, "")
    fields = {name: text for name, text in fields.items() if name not in (FIELD, OWNER)}
    if any(name in fields for name in _SECRETS):
        return None
    if SEALED in fields:  # not signed in yet: the same again
        content = _content(use.cipher, visit, fields)
        return Sealed(fields[SEALED], content["path"]) if content is not None else None
    names = kept.fields if kept is not None else tuple(fields)
    typed = {name: fields[name][:_MOST_TYPED] for name in names if fields.get(name)}
    worth = 1 if kept is not None else _WORTH
    if not owner or len(typed.keys() - set(_KEYS)) < worth:
        return None
    return Sealed(seal(use.cipher, visit, owner, request.url.path, typed), request.url.path)


async def signed_in_again(request: Request, use: Parts) -> Caller:
    """Who opens what was kept: signed in where it was typed, from the page that carries it. Raises NotAuthenticated,
    TermsNotAccepted, CsrfRefused."""
    visit = cookie_of(request, Cookie.visit, use.config) or ""
    kind = UserKind.employer
    with suppress(UnreadableForm):  # whoever is not signed in is told that first
        content = _content(use.cipher, visit, await sent_fields(request))
        kind = UserKind.staff if content is not None and of_staff(content["path"]) else kind
    caller = await use.sessions.caller(cookie_of(request, SESSION_OF[kind], use.config), kind)
    request.state.caller = caller
    await own_pages_only(request, use)
    return caller


def seal(cipher: FieldCipher, visit: str, owner: str, path: str, typed: Mapping[str, str]) -> str:
    content = {"until": int(time.time()) + HOURS * 3600, "owner": owner, "path": path, "typed": dict(typed)}
    return base64.urlsafe_b64encode(cipher.encrypt(json.dumps(content), "page", "kept", visit)).decode()


def opened(request: Request, use: Parts, caller: Caller, fields: Mapping[str, str]) -> Opened | None:
    """None: too late, another's, or not what we sealed for this browser."""
    content = _content(use.cipher, cookie_of(request, Cookie.visit, use.config) or "", fields)
    if content is None or content["until"] < time.time() or content["owner"] != caller.id:
        return None
    return Opened(content["path"], {str(name): str(text) for name, text in content["typed"].items()})


def _content(cipher: FieldCipher, visit: str, fields: Mapping[str, str]) -> dict[str, Any] | None:
    try:
        sealed = base64.urlsafe_b64decode(fields.get(SEALED, "")[:_MOST_SEALED].encode())
        content: dict[str, Any] = json.loads(cipher.decrypt(sealed, "page", "kept", visit))
    except (CannotDecrypt, binascii.Error, ValueError):
        return None
    return content
