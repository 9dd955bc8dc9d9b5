"""The words of a request, sealed where they are kept, and what employers' and staff's services do alike with them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from db import audit, contact
from db.pool import Connection
from domain.contact import REASONS, ContactState, closes_at, group_of
from gateways.encryption import FieldCipher
from services.callers import Caller
from services.contact_files import ContactFiles, TakenIn
from services.contact_views import ContactMessageView, ContactSummary, NewContact, Reply, UploadedFile
from services.idempotency import spelled_out
from services.problems import KeyReused

REQUEST: Final = "contact_request"
MESSAGE: Final = "contact_message"


@dataclass(frozen=True)
class Author:
    """Who writes a message, and under which key of theirs."""

    kind: str  # user, staff
    id: UUID
    key: str
    asked: bytes  # a hash of what was asked under the key


class ContactWords:
    """What people write to each other in a request: sealed where it is kept."""

    def __init__(self, cipher: FieldCipher, files: ContactFiles) -> None:
        self._cipher = cipher
        self._files = files

    def asked(
        self, action: str, request: NewContact | Reply, files: Sequence[UploadedFile], request_id: UUID | None = None
    ) -> bytes:
        """A hash of it, keyed as that of any request under a key."""
        parts = [
            spelled_out(action, request_id, request),
            *(hashlib.sha256(file.content).hexdigest() for file in files),
        ]
        return self._cipher.blind_index("\n".join(parts), "request")

    def sealed_subject(self, request_id: UUID, subject: str) -> bytes:
        return self._cipher.encrypt(subject, REQUEST, "subject", str(request_id))

    async def write(
        self,
        connection: Connection,
        author: Author,
        request_id: UUID,
        company_id: UUID,
        body: str,
        taken: Sequence[TakenIn],
    ) -> int:
        """The next message, with its files; its number."""
        message_id: UUID = await connection.fetchval(contact.NEW_ID)
        number: int = await connection.fetchval(
            contact.ADD_MESSAGE,
            message_id,
            request_id,
            company_id,
            author.kind,
            author.id,
            author.key,
            author.asked,
            self._cipher.encrypt(body, MESSAGE, "body", str(message_id)),
        )
        await self._files.add(connection, taken, request_id, company_id, number)
        return number

    def summary(self, row: asyncpg.Record) -> dict[str, object]:
        """The fields of `ContactSummary`. A reason that is not in the list any more is shown by its code."""
        code = row["reason"]
        return {
            **{name: row[name] for name in ContactSummary.model_fields if name in row.keys()},  # noqa: SIM118 (a Record)
            "reason_label": REASONS[code].label if code in REASONS else code,
            "group_label": group_of(code).label if code in REASONS else "",
            "subject": self._cipher.decrypt(row["subject_sealed"], REQUEST, "subject", str(row["id"])),
        }

    async def messages(self, connection: Connection, request_id: UUID, *, for_staff: bool) -> list[ContactMessageView]:
        """All of them, oldest first. Employers are not told which member of staff wrote."""
        rows = await connection.fetch(contact.MESSAGES, request_id)
        attached = await connection.fetch(contact.FILES, request_id)
        return [
            ContactMessageView(
                number=row["number"],
                from_staff=row["author_kind"] == "staff",
                author=row["author"] if for_staff or row["author_kind"] == "user" else None,
                body=self._cipher.decrypt(row["body_sealed"], MESSAGE, "body", str(row["id"])),
                at=row["at"],
                files=[self._files.view(file) for file in attached if file["message_number"] == row["number"]],
            )
            for row in rows
        ]


async def was_written(connection: Connection, request_id: UUID, user_id: UUID, key: str, asked: bytes) -> bool:
    """Whether the author's key was used for the same before. Raises KeyReused: for something else."""
    row = await connection.fetchrow(contact.MESSAGE_BY_KEY, request_id, user_id, key)
    if row is not None and row["request_hash"] != asked:
        raise KeyReused()
    return row is not None


def closes_of(row: asyncpg.Record) -> datetime | None:
    """When it is closed unless somebody replies."""
    answered: datetime | None = row["answered_at"]
    return closes_at(answered) if row["state"] == ContactState.answered and answered is not None else None


async def viewed(connection: Connection, caller: Caller, company_id: UUID, request_id: UUID) -> None:
    """A member of staff read it: told once an hour."""
    mark = {"look_as": str(caller.look_as.id)} if caller.look_as is not None else {}
    await audit.add(
        connection,
        "data.viewed",
        caller.actor,
        company_id=company_id,
        object_type=REQUEST,
        object_id=request_id,
        details={"what": "contact", **mark},
    )


async def downloaded(connection: Connection, caller: Caller, row: asyncpg.Record) -> None:
    await audit.add(
        connection,
        "file.downloaded",
        caller.actor,
        company_id=row["company_id"],
        object_type="contact_file",
        object_id=row["id"],
    )
