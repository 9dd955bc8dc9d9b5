"""How an employee gets in: a message's link or a letter's code, and the birth date that opens what was saved."""

from __future__ import annotations

import logging
import secrets
from datetime import UTC, date, datetime
from typing import Annotated
from uuid import UUID, uuid4

import asyncpg
from pydantic import BaseModel, Field

from activities.contracts.affiliation import EMPLOYEE_ACTOR, Asked
from db import access, affiliations, audit, enrolments
from db.pool import Connection, Pool, employee_side, system
from domain.affiliation import Refusal, Status
from domain.media import Language
from domain.names import search_form
from gateways.encryption import FieldCipher, token_hash
from gateways.letter_codes import format_code, parse_code, verify_secret
from services import drafts
from services.callers import EmployeeCaller
from services.enrolment_form import BirthDate, read_birth_date
from services.fields import Form, Name, Siret
from services.follow_up import like_escaped
from services.limits import Limit, Limiter
from services.problems import NotAuthenticated, TooManyTries, WrongAccess, WrongBirthDate
from workflows.affiliation import AffiliationWorkflow
from workflows.client import Affiliations
from workflows.engine import EngineAway, NotRunning

log = logging.getLogger(__name__)

SESSION_HOURS = 12
WRITING_DAYS = 7  # a session that ended still takes in what was being typed
MAX_WRONG_SECRETS = 20  # security.md L-02: then the code is dead
MAX_WRONG_SECRETS_AN_HOUR = 5
MAX_WRONG_BIRTH_DATES = 5  # security.md L-07
BIRTH_DATE_PAUSE_HOURS = 24


class Access(Form):
    """Either the token of a link or the code of a letter."""

    token: Annotated[str | None, Field(max_length=200, examples=["x" * 43])] = None
    code: Annotated[str | None, Field(max_length=200, examples=[format_code("0" * 6, "0" * 10)])] = None


class Proof(Form):
    birth_date: BirthDate


class LinkRecovery(Form):
    """« Retrouver mon lien »: a link or a code that one has, or the establishment, the name and the birth date."""

    token: Annotated[str, Field(max_length=200)] | None = None
    code: Annotated[str, Field(max_length=64)] | None = None
    siret: Siret | None = None
    last_name: Name | None = None
    birth_date: BirthDate | None = None


class RecoveryAnswer(BaseModel):
    """The same for everybody: it tells nobody who is known."""

    detail: str


RECOVERY_ANSWER = RecoveryAnswer(
    detail="Si un dossier en cours correspond, un nouveau message part à l’adresse que nous connaissons."
)


class Opened(BaseModel):
    """What an access opens: enough to greet, nothing to steal."""

    status: Status
    establishment: str
    language: Language


class AccessService:
    def __init__(
        self, web: Pool, system_pool: Pool, engine: Affiliations, cipher: FieldCipher, limiter: Limiter
    ) -> None:
        self._web = web
        self._system = system_pool
        self._engine = engine
        self._cipher = cipher
        self._limiter = limiter

    async def open(self, request: Access, network: str) -> tuple[str, Opened]:
        """A new session's secret, and what it opens. `network`: where it is asked from; wrong codes count there.

        Raises WrongAccess: unknown, wrong and dead are one answer; TooManyRequests.
        """
        if request.token:
            row = await self._by_token(request.token)
        elif request.code:
            await self._limiter.check((Limit.letter_code_address, network))
            row = await self._by_code(request.code)
            if row is None:
                await self._limiter.take(Limit.letter_code_address, network)
        else:
            raise WrongAccess()
        if row is None:
            raise WrongAccess()
        session = secrets.token_urlsafe(32)
        async with system(self._system) as connection:
            await connection.execute(
                access.OPEN_SESSION,
                token_hash(session),
                row["company_id"],
                row["affiliation_id"],
                row["dispatch_id"],
                row["medium"],
                SESSION_HOURS,
            )
            await connection.execute(
                audit.ADD, row["company_id"], row["affiliation_id"], "employee", None, "link.opened", {}
            )
            person = await affiliations.person(connection, row["affiliation_id"])
        assert person is not None, "a token has its affiliation"
        return session, Opened(status=row["status"], establishment=person["establishment"], language=person["language"])

    async def caller(self, session: str | None) -> EmployeeCaller:
        """Who holds this session, ended or not. Raises NotAuthenticated."""
        row = None
        hashed = token_hash(session) if session else b""
        if session:
            async with system(self._system) as connection:
                row = await connection.fetchrow(access.BY_SESSION, hashed, WRITING_DAYS)
        if row is None:
            raise NotAuthenticated("Ouvrez le lien de votre message, ou saisissez le code de votre courrier.")
        return EmployeeCaller(
            row["affiliation_id"],
            row["medium"],
            row["status"],
            session=hashed,
            proved=row["proved"] and not row["expired"],
            expired=row["expired"],
        )

    async def prove(self, caller: EmployeeCaller, request: Proof) -> None:
        """The birth date, as declared or as the employee gave it. Raises WrongBirthDate, TooManyTries."""
        async with employee_side(self._web, caller.affiliation_id) as connection:
            paused: datetime | None = await connection.fetchval(access.BIRTH_DATE_PAUSE, caller.affiliation_id)
            right = paused is None and request.birth_date in await self._birth_dates(connection, caller.affiliation_id)
            tries = None
            if right:
                await connection.execute(access.RIGHT_BIRTH_DATE, caller.affiliation_id)
            elif paused is None:
                tries = await connection.fetchrow(
                    access.COUNT_WRONG_BIRTH_DATE,
                    caller.affiliation_id,
                    MAX_WRONG_BIRTH_DATES,
                    BIRTH_DATE_PAUSE_HOURS,
                )
        # raised once the count is written
        paused = paused or (tries["paused_until"] if tries is not None else None)
        if paused is not None:
            raise TooManyTries(paused, datetime.now(UTC))
        if tries is not None:
            raise WrongBirthDate(MAX_WRONG_BIRTH_DATES - tries["failures"])
        await self.mark_proved(caller)

    async def mark_proved(self, caller: EmployeeCaller) -> None:
        async with system(self._system) as connection:
            await connection.execute(access.PROVED, caller.session)

    async def _birth_dates(self, connection: Connection, affiliation_id: UUID) -> set[date]:
        person = await affiliations.person(connection, affiliation_id)
        assert person is not None, "a session has its affiliation"
        dates = {person["birth_date"]}
        row = await connection.fetchrow(enrolments.GET, affiliation_id)
        if row is not None:
            typed = drafts.opened(self._cipher, affiliation_id, row).draft.values.get("birth_date")
            given = read_birth_date(typed) if typed else None
            dates |= {given} if given else set()
        return dates

    async def admit_recovery(self, network: str) -> None:
        """Before `recover`, which nobody waits for. Raises TooManyRequests."""
        await self._limiter.take(Limit.link_recovery_address, network)

    async def recover(self, request: LinkRecovery) -> None:
        """« Retrouver mon lien ». Sends only to the contact on file, at most once a day; says nothing either way."""
        affiliation_id = await self._recoverable(request)
        if affiliation_id is None:
            return
        try:
            await self._engine.tell(
                str(affiliation_id), AffiliationWorkflow.send_link, Asked(EMPLOYEE_ACTOR), f"send_link/{uuid4()}"
            )
        except (Refusal, NotRunning, EngineAway) as why:
            log.info("no new link was sent", extra={"id": str(affiliation_id), "why": type(why).__name__})

    async def _recoverable(self, request: LinkRecovery) -> UUID | None:
        if request.token:
            async with system(self._system) as connection:
                found: UUID | None = await connection.fetchval(access.AFFILIATION_OF_TOKEN, token_hash(request.token))
            return found
        if request.code:
            row = await self._by_code(request.code)
            return row["affiliation_id"] if row is not None else None
        if not (request.siret and request.last_name and request.birth_date):
            return None
        async with system(self._system) as connection:
            rows = await connection.fetch(
                access.AFFILIATION_OF_PERSON,
                request.siret,
                request.birth_date,
                like_escaped(search_form(request.last_name)),
            )
        return rows[0]["id"] if len(rows) == 1 else None  # two of that name: only their own link tells them apart

    async def _by_token(self, token: str) -> asyncpg.Record | None:
        async with system(self._system) as connection:
            return await connection.fetchrow(access.BY_TOKEN, token_hash(token))

    async def _by_code(self, code: str) -> asyncpg.Record | None:
        parsed = parse_code(code)
        if parsed is None:
            return None
        selector, secret = parsed
        async with system(self._system) as connection:
            row = await connection.fetchrow(access.BY_SELECTOR, selector, MAX_WRONG_SECRETS, MAX_WRONG_SECRETS_AN_HOUR)
        alive = row is not None and not row["dead"]
        # an unknown selector takes as long as a wrong secret
        if await verify_secret(row["secret_hash"] if row is not None and alive else None, secret):
            return row
        async with system(self._system) as connection:
            await connection.execute(access.COUNT_FAILURE, selector)
        return None
