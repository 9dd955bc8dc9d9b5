"""« Vous avez déjà été affilié·e ? »: a person takes the answers of their former form up in a new one.

An employer knows the NIR and the birth date of whom they declare, and chooses the address that the link goes to: link
and birth date do not tell the person from the employer. So everybody is asked the question, everybody gets the same
answers in the same time, and a code goes to a contact that the person gave with the former form. Only after it does
anything tell that there is one (security.md R-06, Z-06).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID, uuid4, uuid5

import asyncpg
from pydantic import BaseModel, Field

from activities.contracts.affiliation import EMPLOYEE_ACTOR
from db import audit, known_person, sign_in
from db.pool import Connection, system
from domain.affiliation import Status
from domain.enrolment import Form as Edition
from domain.enrolment import form as edition
from domain.identifiers import InvalidValue, parse_email
from domain.media import Language
from domain.sign_in import CODE_SECONDS, MOST_TRIES, RESEND_SECONDS, parse_code_phone
from domain.working_time import paris_date
from gateways.mail import Email, MailGateway
from gateways.outcomes import ProviderError
from messages.code_email import render_code_email
from services import drafts
from services.callers import EmployeeCaller
from services.codes import MESSAGE_SECONDS, code_of, new_secret, same_code, send_code_sms
from services.enrolment_form import SaveDraft, shown
from services.enrolments import EnrolmentService, EnrolmentView, Saved, need_proof, need_session
from services.fields import Form
from services.limits import Limit
from services.problems import AlreadySubmitted, NotAuthenticated, NotFound, TooManyRequests, WrongCode
from services.tools import Tools
from services.visitors import Visitor

log = logging.getLogger(__name__)

OPEN_SECONDS: Final = 3600  # how long the former answers can be read after the code
# Of a person, whoever tries: no password comes before this code, so fewer than of an account (security.md A-15, L-07).
MOST_WRONG_CODES: Final = 5
WRONG_CODES_SECONDS: Final = 86_400

_OTP = {"purpose": "former_file"}


class CodeChannel(StrEnum):
    sms = "sms"
    email = "email"


class FormerPart(StrEnum):
    """What is taken up together, or not at all; each is a step of the form."""

    social_security = "social_security"
    contact = "contact"
    family = "family"
    bank = "bank"


# What is not here is asked again: whether what the employer declares now is right, joining or not and why, the level
# with its price of today, documents and signature.
_BIRTH_DATE: Final = "birth_date"
_PATHS: Final[Mapping[FormerPart, tuple[str, ...]]] = {
    FormerPart.social_security: (_BIRTH_DATE, "nir", "scheme"),
    FormerPart.contact: ("line1", "line2", "postcode", "city", "email", "phone"),
    FormerPart.family: ("has_dependants",),
    FormerPart.bank: ("iban", "account_holder", "teletransmission"),
}
_PEOPLE: Final = "dependants."


class AskFormerCode(Form):
    """Where the code is to go: by SMS or e-mail, to the contact of the former form."""

    channel: CodeChannel


class FormerCode(Form):
    code: Annotated[str, Field(min_length=1, max_length=60, examples=["042137"], repr=False)]


class TakeFormer(Form):
    """What is still right. `version`: of the new draft, the last one that the person saw."""

    version: Annotated[int, Field(ge=0, le=1_000_000, examples=[0])]
    blocks: Annotated[tuple[FormerPart, ...], Field(max_length=len(FormerPart), examples=[["contact", "bank"]])]


class FormerCodeAsked(BaseModel):
    """The same for everybody: a code has left if there is a former form with such a contact."""

    resend_at: datetime
    expires_at: datetime


class FormerBlock(BaseModel):
    """`answers`: NIR and IBAN masked. `answered`: the new form has answers there already, which stay as they are."""

    name: FormerPart
    answers: dict[str, str]
    answered: bool


class FormerFile(BaseModel):
    """Where the answers come from, for the person alone. `form_version`: the edition that they answer."""

    establishment: str
    sent_on: date
    form_version: str
    blocks: list[FormerBlock]


@dataclass(frozen=True)
class ToSend:
    """A message of a challenge that may leave: what `deliver` does after the answer."""

    challenge_id: UUID
    send: int
    channel: CodeChannel


@dataclass(frozen=True)
class _Message:
    id: str
    to: str = field(repr=False)
    code: str = field(repr=False)
    language: Language


@dataclass(frozen=True)
class _Former:
    row: asyncpg.Record
    form: Edition
    answers: Mapping[str, str] = field(repr=False)


class KnownPersonService:
    def __init__(self, tools: Tools, mail: MailGateway, enrolments: EnrolmentService) -> None:
        self._tools = tools
        self._mail = mail
        self._enrolments = enrolments

    # --- the code

    async def ask(self, caller: EmployeeCaller, request: AskFormerCode) -> tuple[FormerCodeAsked, ToSend | None]:
        """A code, the same one while it is valid (security.md A-16). What leaves does so in `deliver`, after the
        answer, whose time therefore tells nothing. Raises NotAuthenticated, BirthDateNeeded, AlreadySubmitted."""
        _need_open_form(caller)
        cipher = self._tools.cipher
        async with system(self._tools.system) as connection:
            await self._lock(connection, caller)
            challenge = await self._challenge(connection, caller)
            if challenge is not None and challenge["alive"]:
                challenge_id: UUID = challenge["id"]
            else:
                challenge_id = uuid4()
                sealed = cipher.encrypt(new_secret(), "challenge", "secret", str(challenge_id))
                await connection.execute(known_person.ADD_CHALLENGE, challenge_id, caller.session, sealed)
            send = await connection.fetchval(sign_in.CLAIM_SEND, challenge_id, RESEND_SECONDS)
            times = await connection.fetchrow(sign_in.SEND_TIMES, challenge_id, RESEND_SECONDS, CODE_SECONDS)
        assert times is not None, "just written"
        to_send = None if send is None else ToSend(challenge_id, send, request.channel)
        return FormerCodeAsked(resend_at=times["resend_at"], expires_at=times["expires_at"]), to_send

    async def deliver(self, order: ToSend | None, visitor: Visitor) -> None:
        """Send a code to the contact of the former form, where there is one. Says nothing either way."""
        message = None if order is None else await self._message(order, visitor)
        if order is None or message is None:
            return
        try:
            if order.channel is CodeChannel.sms:
                await send_code_sms(self._tools, message.id, message.to, message.code)
            else:
                await self._send_email(message)
        except (ProviderError, TimeoutError) as why:
            # it may be asked for again when anybody else's may: another moment would tell that there is a contact
            log.warning("a code was not sent", extra={"id": str(order.challenge_id), "why": type(why).__name__})

    async def answer(self, caller: EmployeeCaller, request: FormerCode) -> None:
        """Take the code, once: the session may then read the former answers for an hour.

        Raises WrongCode, whatever is wrong and whether the person is known or not; NotAuthenticated, BirthDateNeeded,
        AlreadySubmitted.
        """
        _need_open_form(caller)
        async with system(self._tools.system) as connection:
            whose = await self._lock(connection, caller)
            right = await self._take(connection, caller, whose, request.code)
        if not right:
            raise WrongCode()

    # --- the former answers

    async def read(self, caller: EmployeeCaller) -> FormerFile:
        """What the code has opened; in the former file's audit log (security.md J-08). Raises NotFound: no code was
        given here within the hour, or the file is gone; NotAuthenticated, BirthDateNeeded, AlreadySubmitted."""
        former, view = await self._opened(caller), await self._enrolments.current(caller)
        return FormerFile(
            establishment=former.row["establishment"],
            sent_on=paris_date(former.row["submitted_at"]),
            form_version=former.row["form_version"],
            blocks=[
                FormerBlock(
                    name=block,
                    answers={path: shown(former.form, path, value) for path, value in answers.items()},
                    answered=_answered(block, view.answers),
                )
                for block, answers in _blocks(former.answers).items()
            ],
        )

    async def take(self, caller: EmployeeCaller, request: TakeFormer) -> Saved:
        """Fill the new draft with what is still right; answers that it has stay. Raises as `read`, and StaleDraft."""
        former, view = await self._opened(caller), await self._enrolments.current(caller)
        asked = edition(view.form_version)
        answers = {
            path: value
            for block, given in _blocks(former.answers).items()
            if block in request.blocks and not _answered(block, view.answers)
            for path, value in given.items()
            if path not in view.answers and asked.knows(path) is not None
        }
        return await self._enrolments.save(caller, SaveDraft(version=request.version, answers={**answers}))

    # --- within

    async def _lock(self, connection: Connection, caller: EmployeeCaller) -> asyncpg.Record:
        whose = await connection.fetchrow(known_person.LOCK, caller.session)
        if whose is None:
            raise NotAuthenticated("Votre session s’est terminée. Ouvrez de nouveau le lien de votre message.")
        return whose

    async def _challenge(self, connection: Connection, caller: EmployeeCaller) -> asyncpg.Record | None:
        return await connection.fetchrow(known_person.CHALLENGE, caller.session, CODE_SECONDS, MOST_TRIES, OPEN_SECONDS)

    async def _take(self, connection: Connection, caller: EmployeeCaller, whose: asyncpg.Record, typed: str) -> bool:
        """Whether it is right and was not used before; counted when it is not (security.md A-14)."""
        person = whose["nir_index"]
        await connection.execute(known_person.LOCK_PERSON, person)
        if await connection.fetchval(known_person.TOO_MANY_WRONG_CODES, person, MOST_WRONG_CODES, WRONG_CODES_SECONDS):
            await self._audit(connection, "auth.otp.limit", caller.affiliation_id, "refused")
            return False
        challenge = await self._challenge(connection, caller)
        if challenge is None:
            return False
        challenge_id: UUID = challenge["id"]
        secret = self._tools.cipher.decrypt(challenge["secret_sealed"], "challenge", "secret", str(challenge_id))
        right = same_code(typed, code_of(secret)) and bool(
            await connection.fetchval(known_person.CONSUME, challenge_id, CODE_SECONDS, MOST_TRIES)
        )
        if not right:
            await connection.fetchval(sign_in.COUNT_TRY, challenge_id)
            await connection.execute(known_person.WRONG_CODE, person)
        event, outcome = ("auth.otp.ok", "done") if right else ("auth.otp.fail", "refused")
        await self._audit(connection, event, caller.affiliation_id, outcome)
        return right

    async def _message(self, order: ToSend, visitor: Visitor) -> _Message | None:
        """What is to leave, and where to; None: nothing is known of this person, or one of the limits is reached."""
        cipher = self._tools.cipher
        async with system(self._tools.system) as connection:
            asked = await connection.fetchrow(known_person.TO_SEND, order.challenge_id)
            if asked is None:
                return None
            former = await self._former(connection, asked["nir_index"], asked["affiliation_id"])
            contact = None if former is None else _contact_of(former, order.channel)
            if former is None or contact is None:
                return None
            by_sms = order.channel is CodeChannel.sms
            proves = await connection.fetchval(
                known_person.PROVES,
                None if by_sms else contact,
                contact if by_sms else None,
                cipher.blind_index(contact, "portal_user.phone") if by_sms else None,
                asked["nir_index"],
                former.row["id"],
                former.row["channel"] == "paper",
            )
        if not proves or not await self._within_limits(asked, contact, visitor):
            return None
        async with system(self._tools.system) as connection:
            if not await connection.fetchval(known_person.OPENS, order.challenge_id, former.row["id"]):
                return None
            await self._audit(connection, "auth.otp.sent", asked["affiliation_id"])
        secret = cipher.decrypt(asked["secret_sealed"], "challenge", "secret", str(order.challenge_id))
        message_id = str(uuid5(order.challenge_id, str(order.send)))
        return _Message(message_id, contact, code_of(secret), Language(asked["language"]))

    async def _within_limits(self, asked: asyncpg.Record, contact: str, visitor: Visitor) -> bool:
        """Counts one; the limits are those of every code (security.md A-16), the account's being the person's."""
        whom = {
            Limit.code_address: visitor.network,
            Limit.code_account: asked["nir_index"].hex(),
            Limit.code_number: contact,
            Limit.code_number_day: contact,
            Limit.code_global: "",
        }
        for limit, one in whom.items():
            try:
                await self._tools.limiter.take(limit, one)
            except TooManyRequests:
                async with system(self._tools.system) as connection:
                    await self._audit(connection, "auth.otp.limit", asked["affiliation_id"], "refused")
                return False
        return True

    async def _send_email(self, message: _Message) -> None:
        rendered = render_code_email(message.code, message.language)
        email = Email(
            dispatch_id=message.id,
            to=message.to,
            subject=rendered.subject,
            html=rendered.html,
            text=rendered.text,
            kind="code",
            language=message.language.value,
        )
        async with asyncio.timeout(MESSAGE_SECONDS):
            await self._mail.send(email)

    async def _opened(self, caller: EmployeeCaller) -> _Former:
        _need_open_form(caller)
        async with system(self._tools.system) as connection:
            whose = await self._lock(connection, caller)
            challenge = await self._challenge(connection, caller)
            if challenge is None or not challenge["opened"]:
                raise NotFound()
            former = await self._former(connection, whose["nir_index"], caller.affiliation_id)
            if former is None or former.row["id"] != challenge["former_id"]:
                raise NotFound()
            await audit.viewed(connection, EMPLOYEE_ACTOR, [former.row["id"]], "known_person")
        return former

    async def _former(self, connection: Connection, nir_index: bytes, affiliation_id: UUID) -> _Former | None:
        """The person's latest form but this one, with the answers that counted in it."""
        row = await connection.fetchrow(known_person.FORMER, nir_index, affiliation_id)
        if row is None:
            return None
        opened = drafts.opened(self._tools.cipher, row["id"], row)
        return _Former(row, opened.form, opened.form.case(opened.draft.values).answers)

    async def _audit(self, connection: Connection, event: str, affiliation_id: UUID, outcome: str = "done") -> None:
        await audit.add(connection, event, EMPLOYEE_ACTOR, affiliation_id=affiliation_id, outcome=outcome, details=_OTP)


def offered(view: EnrolmentView) -> bool:
    """Whether there is something left to take up: the question is asked of everybody."""
    return view.submitted_at is None and not view.locked and any(not _answered(b, view.answers) for b in FormerPart)


def _need_open_form(caller: EmployeeCaller) -> None:
    need_session(caller)
    need_proof(caller)
    if caller.status == Status.finalised:
        raise AlreadySubmitted()


def _contact_of(former: _Former, channel: CodeChannel) -> str | None:
    """As the person gave it with the former form; None: there is none that a code may go to."""
    try:
        if channel is CodeChannel.sms:
            return parse_code_phone(former.answers.get("phone", ""))
        return parse_email(former.answers.get("email", ""))
    except InvalidValue:
        return None


def _blocks(answers: Mapping[str, str]) -> dict[FormerPart, dict[str, str]]:
    """The answers that can be taken up, by what they are about; a block without any is left out."""
    found = {block: {path: value for path, value in answers.items() if _belongs(path, block)} for block in FormerPart}
    return {block: given for block, given in found.items() if given}


def _belongs(path: str, block: FormerPart) -> bool:
    return path in _PATHS[block] or (block is FormerPart.family and path.startswith(_PEOPLE))


def _answered(block: FormerPart, answers: Mapping[str, str]) -> bool:
    """The birth date is no sign of it: whoever opens a form again has given it."""
    return any(_belongs(path, block) and path != _BIRTH_DATE for path in answers)
