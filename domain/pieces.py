"""The documents an enrolment may need: their codes, and whom each one is about."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class PieceCode(StrEnum):
    """What a document is. Words: `piece.<code>` in the catalogues of `messages/`."""

    rib = "rib"
    social_security_certificate = "social_security_certificate"
    partner_social_security_certificate = "partner_social_security_certificate"
    partnership_proof = "partnership_proof"
    child_social_security_certificate = "child_social_security_certificate"
    school_certificate = "school_certificate"
    waiver_proof = "waiver_proof"
    signature = "signature"  # paper only: the form came back unsigned


@dataclass(frozen=True, slots=True)
class Piece:
    """One document asked for; `subject` is the key of the dependant it is about, None for the employee's own.

    Written `rib`, `school_certificate:k1`: codes and keys only, so it may stand in a workflow.
    """

    code: PieceCode
    subject: str | None = None

    def __str__(self) -> str:
        return f"{self.code}:{self.subject}" if self.subject else self.code.value

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError for an unknown code."""
        code, _, subject = text.partition(":")
        return cls(PieceCode(code), subject or None)
