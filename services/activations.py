"""« Activer mon espace » (guide, pages 4 and 5): a company's first administrator, by SIRET and identifier.

Both may be known to others: they open the form and nothing else (security.md A-01). What opens the company is an
address that is proved, or what `activation_proof` asks for besides; whoever the insurer's register knows there is told
and can stop it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import asyncpg
from prometheus_client import Counter
from pydantic import BaseModel, Field

from activities.contracts.affiliation import Actor, ActorKind
from db import activations, audit, notices, sessions, sign_in, users
from db.pool import Connection, single, system
from domain.rights import UserKind
from domain.sign_in import Reason
from gateways.access_links import LinkKind, link_hash
from gateways.encryption import token_hash
from messages.notices import NoticeKind
from messages.terms import current_terms
from services.fields import Email, Form, InsurerReference, Name, Siret
from services.limits import Limit
from services.new_passwords import checked_password, new_password_hash
from services.notices import Transaction
from services.own_account import TypedPassword
from services.problems import (
    ActivationRefused,
    FieldError,
    InvalidFields,
    LinkRefused,
    OfficeCodeRefused,
    TooManyRequests,
)
from services.sessions import csrf_token, open_session
from services.sign_in import SignedInView, SignInResult, second_factor_of
from services.tools import Tools
from services.visitors import Visitor
from settings import ActivationProof

log = logging.getLogger(__name__)

ALARMS = Counter("hcr_activation_alarms_total", "Hours in which more activations were tried than anybody needs")

SOMEBODY = Actor(ActorKind.employer)  # who is no user yet

_DEAD = "Ce lien n’est pas valable ou ne l’est plus, ou le mot de passe n’est pas le bon."


LinkToken = Annotated[str, Field(max_length=200, repr=False, examples=["x" * 43])]


class Reference(Form):
    """What the insurer's letters to a company say of it."""

    siret: Siret
    insurer_reference: InsurerReference


class Activation(Reference):
    first_name: Name
    last_name: Name
    email: Email
    password: TypedPassword
    terms_version: Annotated[str, Field(max_length=20, examples=["2026-11"])]


class Completion(Form):
    """`password`: the one chosen with the activation; of somebody who has an account already, that account's."""

    token: LinkToken
    password: TypedPassword


class MailedLink(Form):
    token: LinkToken


class Activatable(BaseModel):
    """The company whose form is opened."""

    company: str
    establishment: str


class Told(BaseModel):
    """The same for everybody: it tells nobody who is known."""

    detail: str


ACTIVATION_ANSWER = Told(
    detail="Si ces informations correspondent, un message part à l’adresse indiquée. Ouvrez son lien dans les "
    "24\u00a0heures."
)
LETTER_ANSWER = Told(detail="Code reconnu. Un message part à l’adresse e-mail donnée lors de la demande.")


@dataclass(frozen=True)
class Applicant:
    """Who is to administer a company; of a user: as their account has them. Names as they were typed."""

    email: str
    first_name: str
    last_name: str
    password_hash: str
    terms_version: str


class ActivationService:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def check(self, request: Reference, visitor: Visitor) -> Activatable:
        """The company that the form is for. Raises ActivationRefused, TooManyRequests."""
        await self._count(request.siret, visitor)
        async with system(self._tools.system) as connection:
            company = await activatable(connection, request)
            await _tell_tried(connection, company, "check")
        if company is None:
            raise ActivationRefused()
        return Activatable(company=company["company"], establishment=company["establishment"])

    async def begin(self, request: Activation, visitor: Visitor) -> Told:
        """Write to who is to prove it. Raises InvalidFields, TooManyRequests, Overloaded; what does not match is not
        told."""
        if request.terms_version != current_terms().version:
            raise InvalidFields([FieldError("terms_version", "terms.version", "Acceptez les conditions en vigueur.")])
        await self._tools.limiter.take(Limit.activation_password, visitor.network)
        about = [request.first_name, request.last_name, request.email, request.siret]
        checked_password(request.password, about)  # a word that does not go costs no try
        await self._count(request.siret, visitor)
        async with single(self._tools.system) as connection:
            company = await activatable(connection, request)
        if company is not None:
            about += [company["company"], company["establishment"]]
        hashed = await new_password_hash(self._tools, request.password, about)
        applicant = Applicant(request.email, request.first_name, request.last_name, hashed, request.terms_version)
        async with self._tools.outbox.transaction() as transaction:
            await _tell_tried(transaction.connection, company, "form")
            if company is not None:
                await ask_for_proof(self._tools, transaction, company, applicant)
        return ACTIVATION_ANSWER

    async def agree(self, request: MailedLink) -> None:
        """The contact of the register agrees: now the address is to be proved. Raises LinkRefused."""
        hashed = token_hash(request.token)
        async with self._tools.outbox.transaction() as transaction:
            row = await transaction.connection.fetchrow(activations.AWAITED, hashed)
            if row is None or hashed != link_hash(self._tools.cipher, LinkKind.activation_agreement, row["id"]):
                raise LinkRefused()
            await self._ask_for_address(transaction, row["id"])

    async def enter_letter_code(self, notice_id: UUID, activation_id: UUID) -> Told:
        """The code of the letter is right: now the address is to be proved. Raises OfficeCodeRefused."""
        async with self._tools.outbox.transaction() as transaction:
            used = await transaction.connection.fetchval(notices.USE_OFFICE_CODE, notice_id)
            if used is None or not await self._ask_for_address(transaction, activation_id):
                raise OfficeCodeRefused()
        return LETTER_ANSWER

    async def _ask_for_address(self, transaction: Transaction, activation_id: UUID) -> bool:
        row = await transaction.connection.fetchrow(
            activations.AWAIT_ADDRESS,
            activation_id,
            link_hash(self._tools.cipher, LinkKind.activation, activation_id),
            activations.LINK_HOURS,
        )
        if row is None:
            return False
        await transaction.notify(
            f"activation/{activation_id}",
            NoticeKind.activation,
            recipient=row["email"],
            company_id=row["company_id"],
            subject_id=activation_id,
        )
        await _tell_contact(transaction, row)
        await audit.add(
            transaction.connection,
            "company.activation_agreed",
            SOMEBODY,
            company_id=row["company_id"],
            object_type="activation",
            object_id=activation_id,
        )
        return True

    async def complete(self, request: Completion, visitor: Visitor, replaced: Sequence[str] = ()) -> SignInResult:
        """The address is proved by who filled in the form: they are the administrator, and their sign-in begins.
        `replaced`: the tokens of the browser's sessions, which end.

        Raises LinkRefused: unknown, used, stopped, too late and a wrong password are one answer; TooManyRequests,
        Overloaded.
        """
        await self._tools.limiter.take(Limit.activation_password, visitor.network)
        row = await self._proved(request)
        applicant = Applicant(
            row["email"], row["first_name"], row["last_name"], row["password_hash"], row["terms_version"]
        )
        async with self._tools.outbox.transaction() as transaction:
            connection = transaction.connection
            await connection.execute(users.LOCK_COMPANY, row["company_id"])
            if not await connection.fetchval(activations.MAY_ACTIVATE, row["company_id"]):
                raise LinkRefused(_DEAD)
            if not await connection.fetchval(activations.COMPLETE, row["id"]):
                raise LinkRefused(_DEAD)
            user_id = await _user(connection, applicant, row["user_hash"])
            if user_id is None:
                raise LinkRefused(_DEAD)
            await connection.execute(activations.ACCEPT_TERMS, user_id, row["terms_version"], row["network"])
            await audit.add(
                connection,
                "terms.accepted",
                Actor(ActorKind.employer, str(user_id)),
                company_id=row["company_id"],
                details={"version": row["terms_version"]},
            )
            await open_company(connection, row["company_id"], user_id, row["id"])
            await connection.execute(sessions.REPLACE, [token_hash(token) for token in replaced])
            return await self._sign_in(connection, user_id, visitor)

    async def _proved(self, request: Completion) -> asyncpg.Record:
        """The activation of this link, whose password was given. Raises LinkRefused, Overloaded."""
        hashed = token_hash(request.token)
        async with single(self._tools.system) as connection:
            row = await connection.fetchrow(activations.TRY, hashed, activations.MAX_TRIES)
        if row is not None and hashed != link_hash(self._tools.cipher, LinkKind.activation, row["id"]):
            row = None  # the contact's link, which agrees and does nothing else
        # whoever opens the message must be who chose the password: nobody makes a stranger's mailbox confirm theirs
        stored = (row["user_hash"] or row["password_hash"]) if row is not None else None
        if not await self._tools.passwords.matches(stored, request.password) or row is None:
            raise LinkRefused(_DEAD)
        return row

    async def _sign_in(self, connection: Connection, user_id: UUID, visitor: Visitor) -> SignInResult:
        """As after a password that was right: what is left is the second factor."""
        user = await connection.fetchrow(sign_in.LOCK, user_id)
        assert user is not None, "just written"
        opened = await open_session(connection, user_id, UserKind.employer, visitor, stage="password")
        view = SignedInView(
            stage="code",
            csrf_token=csrf_token(opened.token),
            reasons=[Reason.first_sign_in if user["last_signed_in_at"] is None else Reason.role_raised],
            second_factor=await second_factor_of(connection, self._tools, user),
        )
        return SignInResult(opened, view, None)

    async def stop(self, request: MailedLink) -> None:
        """The known contact says that nobody asked for it; told twice, nothing more happens.

        Raises LinkRefused: unknown, or completed more than a week ago.
        """
        async with self._tools.outbox.transaction() as transaction:
            connection = transaction.connection
            row = await connection.fetchrow(activations.BY_STOP_LINK, token_hash(request.token))
            if row is None:
                raise LinkRefused()
            await connection.execute(users.LOCK_COMPANY, row["company_id"])
            stopped = await connection.fetchrow(activations.STOP, row["id"], activations.STOP_DAYS)
            if stopped is None:
                raise LinkRefused()
            if stopped["first"]:
                await self._undo(transaction, row["id"], row["company_id"], stopped["completed"])

    async def _undo(self, transaction: Transaction, activation_id: UUID, company_id: UUID, completed: bool) -> None:
        connection = transaction.connection
        user_ids, keys = [], []
        if completed:
            user_ids = [row["user_id"] for row in await connection.fetch(activations.SUSPEND_RIGHTS, company_id)]
            await connection.execute(activations.END_SESSIONS, user_ids)
            await connection.execute(activations.END_DEVICES, user_ids)
            keys = await connection.fetch(activations.REVOKE_KEYS, company_id, user_ids)
        await audit.add(
            connection,
            "company.activation_disputed" if completed else "company.activation_stopped",
            SOMEBODY,
            company_id=company_id,
            object_type="activation",
            object_id=activation_id,
            details={"users": len(user_ids), "keys": len(keys)},
        )
        for user_id in user_ids:
            await transaction.notify(
                f"activation_disputed/{activation_id}/{user_id}",
                NoticeKind.access_suspended,
                user_id=user_id,
                company_id=company_id,
            )
            await audit.add(
                connection,
                "user.suspended",
                SOMEBODY,
                company_id=company_id,
                object_type="user",
                object_id=user_id,
                details={"why": "activation_disputed"},
            )
        if completed:
            log.error("an activation is disputed", extra={"activation": str(activation_id)})

    async def _count(self, siret: str, visitor: Visitor) -> None:
        """One try more of this address and of this SIRET. Raises TooManyRequests."""
        limiter = self._tools.limiter
        await limiter.take(Limit.activation_address, visitor.network)
        await limiter.take(Limit.activation_siret, siret)
        try:
            await limiter.take(Limit.activation_global, "")
        except TooManyRequests:  # somebody is trying identifiers: nobody else is kept out for that
            await self._alarm()

    async def _alarm(self) -> None:
        try:
            await self._tools.limiter.take(Limit.activation_alarm, "")
        except TooManyRequests:
            return
        ALARMS.inc()
        log.error("more activations are tried than anybody needs")
        async with system(self._tools.system) as connection:
            await audit.add(connection, "auth.activation.limit", SOMEBODY, outcome="refused")


# --- what an establishment added to a perimeter shares with it


async def activatable(connection: Connection, request: Reference) -> asyncpg.Record | None:
    """The company of this SIRET and identifier, where it has no administrator yet and is not closed."""
    row = await by_reference(connection, request)
    return row if may_be_activated(row) else None


def may_be_activated(row: asyncpg.Record | None) -> bool:
    return row is not None and not row["activated"] and not row["closed"]


async def by_reference(connection: Connection, request: Reference) -> asyncpg.Record | None:
    """`db.activations.BY_REFERENCE`; capitals and spaces of the identifier do not matter."""
    reference = "".join(request.insurer_reference.split()).upper()
    return await connection.fetchrow(activations.BY_REFERENCE, request.siret, reference)


async def ask_for_proof(
    tools: Tools, transaction: Transaction, company: asyncpg.Record, applicant: Applicant
) -> ActivationProof | None:
    """Write to who is to prove this activation, and to the known contact. None: nobody can be asked."""
    cipher, activation_id, company_id = tools.cipher, company["new_id"], company["company_id"]
    proof = _proof(tools.config.activation_proof, company)
    awaited: bytes | None = None
    recipient: str | None = None
    medium = "email"
    match proof:
        case ActivationProof.email:
            awaited = link_hash(cipher, LinkKind.activation, activation_id)
            hours = activations.LINK_HOURS
            kind, recipient = NoticeKind.activation, applicant.email
        case ActivationProof.register_contact:
            awaited = link_hash(cipher, LinkKind.activation_agreement, activation_id)
            hours = activations.AGREEMENT_DAYS * 24
            kind, recipient = NoticeKind.activation_agreement, company["contact"]
        case ActivationProof.letter:
            hours = (notices.OFFICE_CODE_DAYS + 1) * 24
            kind, medium = NoticeKind.activation_letter, "post"
        case None:
            log.error("nobody can prove an activation", extra={"company": str(company_id)})
            return None
    await _add(tools, transaction.connection, company, applicant, proof, awaited, hours, completed=False)
    await transaction.notify(
        f"{kind}/{activation_id}",
        kind,
        recipient=recipient,
        company_id=company_id,
        subject_id=activation_id,
        medium=medium,
    )
    if proof is not ActivationProof.register_contact:
        await _tell_contact(transaction, company)
    return proof


async def activate_at_once(
    tools: Tools, transaction: Transaction, company: asyncpg.Record, applicant: Applicant, user_id: UUID
) -> None:
    """By a user whose address is proved; the company's row is locked and may be activated."""
    await _add(tools, transaction.connection, company, applicant, ActivationProof.email, None, 0, completed=True)
    await open_company(transaction.connection, company["company_id"], user_id, company["new_id"])
    await transaction.connection.execute(users.CODE_DUE, user_id, "role_raised")
    await _tell_contact(transaction, company)


async def open_company(connection: Connection, company_id: UUID, user_id: UUID, activation_id: UUID) -> None:
    """Its first administrator; its row is locked."""
    await connection.execute(activations.ADMINISTER, user_id, company_id)
    await connection.execute(activations.ACTIVATE, company_id)
    await audit.add(
        connection,
        "company.activated",
        Actor(ActorKind.employer, str(user_id)),
        company_id=company_id,
        object_type="activation",
        object_id=activation_id,
    )


def _proof(policy: ActivationProof, company: asyncpg.Record) -> ActivationProof | None:
    if policy is ActivationProof.email or (policy is ActivationProof.register_contact and company["contact"]):
        return policy
    return ActivationProof.letter if company["has_office"] else None


async def _add(
    tools: Tools,
    connection: Connection,
    company: asyncpg.Record,
    applicant: Applicant,
    proof: ActivationProof,
    awaited: bytes | None,
    hours: int,
    *,
    completed: bool,
) -> None:
    await connection.execute(
        activations.ADD,
        company["new_id"],
        company["company_id"],
        applicant.email,
        applicant.first_name,
        applicant.last_name,
        applicant.password_hash,
        applicant.terms_version,
        proof.value,
        awaited,
        hours,
        link_hash(tools.cipher, LinkKind.activation_stop, company["new_id"]),
        completed,
    )


async def _tell_contact(transaction: Transaction, company: asyncpg.Record) -> None:
    """Whoever the register knows there is told of every activation, and can stop it (security.md A-03)."""
    if company["contact"]:
        await transaction.notify(
            f"activation_told/{company['new_id']}",
            NoticeKind.activation_told,
            recipient=company["contact"],
            company_id=company["company_id"],
            subject_id=company["new_id"],
        )


async def _tell_tried(connection: Connection, company: asyncpg.Record | None, step: str) -> None:
    await audit.add(
        connection,
        "auth.activation.tried",
        SOMEBODY,
        company_id=company["company_id"] if company is not None else None,
        outcome="done" if company is not None else "refused",
        details={"step": step},
    )


async def _user(connection: Connection, applicant: Applicant, known_hash: str | None) -> UUID | None:
    """Their account, made where there is none; None: it is closed, or its password has changed since it was given."""
    if known_hash is None:
        added: UUID | None = await connection.fetchval(
            activations.ADD_USER,
            applicant.email,
            applicant.first_name,
            applicant.last_name,
            applicant.password_hash,
            applicant.terms_version,
        )
        if added is not None:
            return added
    joined: UUID | None = await connection.fetchval(
        activations.JOIN_USER,
        applicant.email,
        applicant.first_name,
        applicant.last_name,
        applicant.password_hash,
        applicant.terms_version,
        known_hash,
    )
    return joined
