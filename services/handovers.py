"""From the computer to the phone: a session shows a link as a QR code, which opens a session on another device.

The link is open once and for ten minutes. The session that it opens knows no birth date: what was saved before asks
for it there too (security.md L-07).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import segno

from db import access, audit, enrolments, handovers
from db.pool import Pool, employee_side, system
from domain.media import Language
from gateways.encryption import token_hash
from services.access import SESSION_HOURS
from services.callers import EmployeeCaller
from services.enrolments import need_session
from services.problems import BirthDateNeeded, WrongAccess

MINUTES: Final = 10
_TOKEN_BYTES: Final = 16  # 128 bits: less to draw than in a message's link, and dead after some minutes


@dataclass(frozen=True)
class Handover:
    """What the session that shows a link knows of it. `address`: None once it was used or is too old."""

    until: datetime
    opened_at: datetime | None
    address: str | None = field(repr=False)

    @property
    def qr(self) -> str | None:
        """The address, as an SVG image."""
        if self.address is None:
            return None
        return str(segno.make_qr(self.address, error="m").svg_inline(border=4, omitsize=True))


class HandoverService:
    def __init__(self, web: Pool, system_pool: Pool, base_url: str) -> None:
        self._web = web
        self._system = system_pool
        self._base_url = base_url.rstrip("/")

    async def start(self, caller: EmployeeCaller, session: str) -> None:
        """A new link; the one before is dead. `session`: its secret, which the link is made from.

        Raises NotAuthenticated, BirthDateNeeded: who cannot read the form here opens it nowhere else.
        """
        need_session(caller)
        async with employee_side(self._web, caller.affiliation_id) as connection:
            if not caller.proved and await connection.fetchrow(enrolments.GET, caller.affiliation_id) is not None:
                raise BirthDateNeeded()
        now = datetime.now(UTC)
        async with system(self._system) as connection:
            company_id = await connection.fetchval(
                handovers.START, caller.session, token_hash(_token(session, now)), now
            )
            await connection.execute(
                audit.ADD, company_id, caller.affiliation_id, "employee", None, "link.handed_over", {}
            )

    async def shown(self, caller: EmployeeCaller, session: str) -> Handover | None:
        """The session's latest link; None: it has shown none. Raises NotAuthenticated."""
        need_session(caller)
        async with system(self._system) as connection:
            row = await connection.fetchrow(handovers.SHOWN, caller.session, MINUTES)
        if row is None:
            return None
        at: datetime = row["handover_at"]
        address = f"{self._base_url}/t/{_token(session, at)}" if row["open"] else None
        return Handover(at + timedelta(minutes=MINUTES), row["handover_opened_at"], address)

    async def language(self, token: str) -> Language:
        """Of whom a link waits for; looking at it uses nothing up (security.md L-04). Raises WrongAccess."""
        async with system(self._system) as connection:
            row = await connection.fetchrow(handovers.OPEN, token_hash(token), MINUTES)
        if row is None:
            raise WrongAccess()
        return Language(row["language"])

    async def take(self, token: str) -> tuple[str, Language]:
        """The secret of a new session, for the link's one use. Raises WrongAccess: unknown, used and too old are one
        answer."""
        session = secrets.token_urlsafe(32)
        async with system(self._system) as connection:
            row = await connection.fetchrow(handovers.TAKE, token_hash(token), MINUTES)
            if row is None:
                raise WrongAccess()
            await connection.execute(handovers.USED, row["token_hash"])
            company, affiliation = row["company_id"], row["affiliation_id"]
            opened = (token_hash(session), company, affiliation, row["dispatch_id"], row["medium"], SESSION_HOURS)
            await connection.execute(access.OPEN_SESSION, *opened)
            await connection.execute(audit.ADD, company, affiliation, "employee", None, "link.opened", {})
        return session, Language(row["language"])


def _token(session: str, at: datetime) -> str:
    """Nobody can know it without the session's secret, and the session can show it again without our keeping it."""
    mixed = hmac.digest(session.encode(), f"handover/{at.astimezone(UTC).isoformat()}".encode(), hashlib.sha256)
    return urlsafe_b64encode(mixed[:_TOKEN_BYTES]).rstrip(b"=").decode()
