"""The draft of an enrolment at rest: one encrypted value, its answers with their versions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from domain.draft import Draft, DraftAnswer
from domain.enrolment import Form, current_form, form
from gateways.encryption import FieldCipher


@dataclass(frozen=True)
class OpenedDraft:
    """A draft, and the edition of the form that it answers."""

    draft: Draft
    form: Form


def opened(cipher: FieldCipher, affiliation_id: UUID, row: asyncpg.Record | None) -> OpenedDraft:
    """The draft of a row of `enrolment`; an empty one where there is none. Raises CannotDecrypt."""
    if row is None or row["content_sealed"] is None:
        return OpenedDraft(Draft(version=row["version"] if row is not None else 0), current_form())
    content = json.loads(cipher.decrypt(row["content_sealed"], "enrolment", "content", str(affiliation_id)))
    answers = {path: DraftAnswer(*answer) for path, answer in content["answers"].items()}
    return OpenedDraft(Draft(row["version"], answers), form(row["form_version"]))


def sealed(cipher: FieldCipher, affiliation_id: UUID, draft: Draft) -> bytes:
    """What the row keeps of a draft."""
    answers = {path: (answer.value, answer.version, answer.other) for path, answer in draft.answers.items()}
    content = json.dumps({"answers": answers}, ensure_ascii=False, separators=(",", ":"))
    return cipher.encrypt(content, "enrolment", "content", str(affiliation_id))
