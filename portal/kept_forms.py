"""A long form outlives its session: what was typed is not lost when the session has ended, when its token is that of a
former one, or when the company was switched in another tab.

Nothing is kept on the server, as a form may hold a NIR. The page that says what happened carries what was typed as one
sealed field, which shows nothing to whoever stands before the screen and only opens again after sign-in, within hours,
for the same user in the same browser (the visit's cookie is part of the seal). Opening it shows the form again, with
the new session's token; nothing is done with it before the person sends it themselves. As the session's own token is
not known to that page, it carries the visit's, like every page without a session (`web.csrf.own_pages_only`).
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from fastapi import Request, Response

from domain.rights import UserKind
from gateways.encryption import CannotDecrypt, FieldCipher
from portal.forms import UnreadableForm, form_fields
from portal.space import SIGN_IN, SpaceRoute, space_page
from services.callers import Caller
from services.problems import CompanySwitched, CsrfRefused, NotAuthenticated, Problem, TermsNotAccepted
from web.cookies import SESSION_OF, Cookie, cookie_of
from web.csrf import own_pages_only, own_site_only
from web.denials import tell_denial
from web.parts import Parts

HOURS: Final = 2
SEALED: Final = "saisie"  # the field that carries what was typed
OWNER: Final = "pour"  # the field by which a form says whose session it was shown in
_MOST_TYPED = 300  # characters a field
_MOST_SEALED = 40_000


@dataclass(frozen=True)
class Kept:
    """A form that is kept: where it is shown, where it is opened again, and the fields it has."""

    shown: str
    again: str
    fields: tuple[str, ...]


class KeepingRoute(SpaceRoute):
    """A route of such a form; `kept` is set by the subclass."""

    kept: Kept

    async def answer(self, request: Request, problem: Problem) -> Response:
        if "hx-request" in request.headers:  # a piece of a page: what went wrong must not take its place
            await tell_denial(request, problem)
            return Response(status_code=max(400, problem.status))
        if request.method == "POST" and isinstance(
            problem, (NotAuthenticated, CsrfRefused, CompanySwitched, TermsNotAccepted)
        ):
            sealed = await self._sealed(request)
            if sealed is not None:
                await tell_denial(request, problem)
                return space_page(
                    request,
                    "kept",
                    problem.status,
                    reason=problem.code,
                    sign_in=f"{SIGN_IN}?{urlencode({'suite': self.kept.shown})}",
                    again=self.kept.again,
                    name=SEALED,
                    sealed=sealed,
                    hours=HOURS,
                )
        return await super().answer(request, problem)

    async def _sealed(self, request: Request) -> str | None:
        """What was typed; None: nothing, or not on a page of ours."""
        use: Parts = request.app.state.parts
        try:
            await own_site_only(request, use)
            fields = await form_fields(request)
        except (CsrfRefused, UnreadableForm):
            return None
        visit = cookie_of(request, Cookie.visit, use.config)
        if visit is None:
            return None
        if SEALED in fields:  # not signed in yet: the same again
            return fields[SEALED][:_MOST_SEALED]
        typed = {name: fields[name][:_MOST_TYPED] for name in self.kept.fields if fields.get(name)}
        return seal(use.cipher, visit, fields.get(OWNER, ""), typed) if typed else None


async def signed_in_again(request: Request, use: Parts) -> Caller:
    """Who opens what was kept: signed in, from the page that carries it. Raises NotAuthenticated, TermsNotAccepted,
    CsrfRefused."""
    session = cookie_of(request, SESSION_OF[UserKind.employer], use.config)
    caller = await use.sessions.caller(session, UserKind.employer)
    request.state.caller = caller
    await own_pages_only(request, use)
    return caller


def seal(cipher: FieldCipher, visit: str, owner: str, typed: Mapping[str, str]) -> str:
    content = json.dumps({"until": int(time.time()) + HOURS * 3600, "owner": owner, "typed": dict(typed)})
    return base64.urlsafe_b64encode(cipher.encrypt(content, "page", "kept", visit)).decode()


def opened(request: Request, use: Parts, caller: Caller, fields: Mapping[str, str]) -> dict[str, str] | None:
    """What was typed. None: too late, another's, or not what we sealed for this browser."""
    visit = cookie_of(request, Cookie.visit, use.config) or ""
    try:
        sealed = base64.urlsafe_b64decode(fields.get(SEALED, "")[:_MOST_SEALED].encode())
        content = json.loads(use.cipher.decrypt(sealed, "page", "kept", visit))
    except (CannotDecrypt, binascii.Error, ValueError):
        return None
    if content["until"] < time.time() or content["owner"] != caller.id:
        return None
    return {str(name): str(text) for name, text in content["typed"].items()}
