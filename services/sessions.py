"""Users' sessions: who is behind a browser's cookie, and how long (security.md S-01 to S-06)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg
from pydantic import BaseModel

from activities.contracts.affiliation import Actor, ActorKind
from db import audit, sessions
from db.pool import Connection, single, system
from domain.rights import StaffRole, UserKind
from gateways.encryption import token_hash
from messages.terms import current_terms
from services.callers import EMPLOYER_SCOPES, STAFF_SCOPES, Caller, Pending, Scope, SignedIn
from services.problems import CompanySwitched, CsrfRefused, NotAuthenticated, NotFound, TermsNotAccepted
from services.tools import Tools
from services.visitors import Visitor

IDLE_MINUTES = {UserKind.employer: 30, UserKind.staff: 15}
LONGEST_HOURS = {UserKind.employer: 12, UserKind.staff: 8}
STEP_UP_MINUTES = 10
MOST_SESSIONS = 5


@dataclass(frozen=True)
class Opened:
    """A session's new secret, for the browser's cookie."""

    token: str = field(repr=False)
    session_id: UUID
    kind: UserKind


class SessionView(BaseModel):
    """« Où suis-je connecté ? »: one browser."""

    id: UUID
    browser: str
    address: str
    since: datetime
    last_seen_at: datetime
    current: bool


class SessionList(BaseModel):
    items: list[SessionView]


class Extended(BaseModel):
    """The session ends then unless something is done in it; the end of its longest life included."""

    idle_until: datetime


def new_token() -> str:
    """256 random bits as 43 URL-safe characters."""
    return secrets.token_urlsafe(32)


def csrf_token(secret: str) -> str:
    """The token that every change made with this cookie must carry: only our own pages know it (security.md H-01).

    `secret`: a user's or an employee's session, or the visit of a page.
    """
    return csrf_token_of(token_hash(secret))


def csrf_token_of(secret_hash: bytes) -> str:
    return hashlib.sha256(b"csrf\0" + secret_hash).hexdigest()


def same_token(given: str | None, expected: str) -> bool:
    return given is not None and secrets.compare_digest(given.encode(), expected.encode())


class SessionService:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    # --- who is asking

    async def caller(self, token: str | None, kind: UserKind, *, terms: bool = True) -> Caller:
        """Who is signed in. `terms`: only once the present conditions générales are accepted.

        Raises NotAuthenticated, TermsNotAccepted.
        """
        row = await self._row(token, kind)
        if row["stage"] != "open":
            raise NotAuthenticated("Terminez votre connexion en saisissant le code de sécurité.")
        if terms:
            _check_terms(row)
        companies, administers = _perimeter(row["companies"], row["company_id"]), row["administers"]
        scopes = EMPLOYER_SCOPES if kind is UserKind.employer else _staff_scopes(row["staff_roles"])
        return Caller(
            str(row["user_id"]),
            companies,
            scopes,
            tuple(company for company in administers if company in companies),
            SignedIn(row["user_id"], row["id"], token_hash(token or ""), row["stepped_up"]),
        )

    async def pending(self, token: str | None, kind: UserKind) -> Pending:
        """Whose password was right and whose second factor is asked. Raises NotAuthenticated."""
        row = await self._row(token, kind)
        if row["stage"] != "password":
            raise NotAuthenticated("Connectez-vous avec votre adresse e-mail et votre mot de passe.")
        return Pending(row["user_id"], token_hash(token or ""))

    async def challenged(self, token: str | None, kind: UserKind) -> Pending | SignedIn:
        """Of whom a code may be asked: to sign in, or to step up. Raises NotAuthenticated, TermsNotAccepted."""
        row = await self._row(token, kind)
        if row["stage"] != "open":
            return Pending(row["user_id"], token_hash(token or ""))
        _check_terms(row)
        return SignedIn(row["user_id"], row["id"], token_hash(token or ""), row["stepped_up"])

    async def check_csrf(self, token: str, given: str | None) -> None:
        """Raises CsrfRefused; CompanySwitched where the page is of the session before a switch of company."""
        if same_token(given, csrf_token(token)):
            return
        async with single(self._tools.system) as connection:
            former = await connection.fetchval(sessions.FORMER, token_hash(token))
        if former is not None and same_token(given, csrf_token_of(former)):
            raise CompanySwitched()
        raise CsrfRefused()

    async def _row(self, token: str | None, kind: UserKind) -> asyncpg.Record:
        if not token:
            raise _signed_out()
        hashed = token_hash(token)
        async with single(self._tools.system) as connection:
            row = await connection.fetchrow(
                sessions.FIND, hashed, IDLE_MINUTES[UserKind.employer], IDLE_MINUTES[UserKind.staff], STEP_UP_MINUTES
            )
            if row is None or row["kind"] != kind:
                raise _signed_out()
            if row["to_be_seen"]:
                await connection.execute(sessions.SEEN, hashed)
        return row

    # --- what becomes of a session

    async def extend(self, caller: Caller) -> Extended:
        """« Rester connecté ». Raises NotAllowed."""
        person = caller.person()
        async with single(self._tools.system) as connection:
            ends_at = await connection.fetchval(sessions.EXTEND, person.session, _idle(caller))
        return Extended(idle_until=ends_at)

    async def switch(self, caller: Caller, siren: str | None) -> Opened:
        """Work on one company of the user's, or on all (None). Raises NotAllowed, NotFound."""
        person, token = caller.person(), new_token()
        caller.need(Scope.read)  # staff have no companies to choose from
        async with system(self._tools.system) as connection:
            company_id = None
            if siren is not None:
                company_id = await connection.fetchval(sessions.COMPANY_OF_USER, person.user_id, siren)
                if company_id is None:
                    raise NotFound()
            if not await connection.fetchval(sessions.SWITCH_COMPANY, person.session, token_hash(token), company_id):
                raise _signed_out()
        return Opened(token, person.session_id, UserKind.employer)

    async def list(self, caller: Caller) -> SessionList:
        person = caller.person()
        async with single(self._tools.system) as connection:
            rows = await connection.fetch(sessions.OF_USER, person.user_id, person.session)
        return SessionList(
            items=[
                SessionView(
                    id=row["id"],
                    browser=row["browser"],
                    address=str(row["network"]).partition("/")[0],
                    since=row["created_at"],
                    last_seen_at=row["seen_at"],
                    current=row["current"],
                )
                for row in rows
            ]
        )

    async def close_one(self, caller: Caller, session_id: UUID) -> None:
        """One of the user's own. Raises NotAllowed, NotFound."""
        person = caller.person()
        async with system(self._tools.system) as connection:
            if not await connection.fetchval(sessions.CLOSE_ONE, person.user_id, session_id):
                raise NotFound()
            await audit.add(connection, "auth.session.closed", caller.actor)

    async def close(self, token: str | None) -> None:
        """Sign out; nothing happens where there is no such session."""
        if token:
            async with system(self._tools.system) as connection:
                closed = await connection.fetchrow(sessions.CLOSE, token_hash(token))
                if closed is not None:
                    kind = ActorKind.staff if closed["kind"] == UserKind.staff else ActorKind.employer
                    await audit.add(connection, "auth.logout", Actor(kind, str(closed["user_id"])))


# --- for the services that open and complete sessions


async def open_session(
    connection: Connection,
    user_id: UUID,
    kind: UserKind,
    visitor: Visitor,
    *,
    stage: Literal["password", "open"],
    device_id: UUID | None = None,
    stepped_up: bool = False,
) -> Opened:
    """A new session; the user's oldest ones end beyond five (security.md S-04)."""
    token = new_token()
    session_id = await connection.fetchval(
        sessions.OPEN,
        token_hash(token),
        user_id,
        stage,
        device_id,
        visitor.network,
        visitor.browser,
        LONGEST_HOURS[kind],
        stepped_up,
    )
    if stage == "open":
        await connection.execute(sessions.KEEP_NEWEST, user_id, MOST_SESSIONS)
    return Opened(token, session_id, kind)


async def complete_session(
    connection: Connection, session: bytes, user_id: UUID, kind: UserKind, device_id: UUID | None
) -> Opened:
    """The second factor was given: open, under a new secret. Raises NotAuthenticated."""
    token = new_token()
    session_id = await connection.fetchval(
        sessions.COMPLETE, session, token_hash(token), device_id, LONGEST_HOURS[kind]
    )
    if session_id is None:
        raise _signed_out()
    await connection.execute(sessions.KEEP_NEWEST, user_id, MOST_SESSIONS)
    return Opened(token, session_id, kind)


async def step_up_session(connection: Connection, session: bytes, kind: UserKind) -> Opened:
    """A code was given in an open session: a new secret, and ten minutes for what asks for one. Raises
    NotAuthenticated."""
    token = new_token()
    session_id = await connection.fetchval(sessions.STEP_UP, session, token_hash(token))
    if session_id is None:
        raise _signed_out()
    return Opened(token, session_id, kind)


def _check_terms(row: asyncpg.Record) -> None:
    """Raises TermsNotAccepted."""
    if row["kind"] == UserKind.employer and row["terms_version"] != current_terms().version:
        raise TermsNotAccepted(current_terms().version)


def _signed_out() -> NotAuthenticated:
    return NotAuthenticated("Vous n’êtes pas connecté, ou votre session a pris fin. Connectez-vous de nouveau.")


def _perimeter(companies: Sequence[UUID], chosen: UUID | None) -> tuple[UUID, ...]:
    """The company that was chosen, while the user may still see it; else all of theirs."""
    if chosen is None:
        return tuple(companies)
    return (chosen,) if chosen in companies else ()


def _staff_scopes(roles: Sequence[str]) -> frozenset[Scope]:
    return frozenset().union(*(STAFF_SCOPES[StaffRole(role)] for role in roles))


def _idle(caller: Caller) -> int:
    return IDLE_MINUTES[UserKind.staff if Scope.staff in caller.scopes else UserKind.employer]
