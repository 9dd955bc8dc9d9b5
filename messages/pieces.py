"""Names of the documents asked for, to stand in a list: `piece.<code>` in the catalogues."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from domain.pieces import Piece
from messages.catalogue import Catalogue

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class AskedPiece:
    """A document asked for: its label, and why it is asked for again, a sentence or ""."""

    label: str
    reason: str


def asked_pieces(
    catalogue: Catalogue, missing: Iterable[str], names: Mapping[str, str], refusals: Mapping[str, str]
) -> list[AskedPiece]:
    """`refusals`: by piece, the code of why its last file was refused (`document.reason.<code>`)."""
    return [
        AskedPiece(
            piece_label(catalogue, piece, names),
            catalogue.text(f"document.reason.{refusals[piece]}") if piece in refusals else "",
        )
        for piece in missing
    ]


def piece_label(catalogue: Catalogue, piece: str, names: Mapping[str, str] = _NOTHING) -> str:
    """« RIB (relevé d’identité bancaire) », « Certificat de scolarité pour Alix »: capital first.

    `piece` as `domain.pieces` writes it (`school_certificate:k1`); `names`: first names by the dependant's key. Without
    a name the label says whose document it is by the tie (« de votre enfant »). Raises ValueError for an unknown code.
    """
    asked = Piece.parse(piece)
    key = f"piece.{asked.code}"
    name = names.get(asked.subject or "")
    return catalogue.text(f"{key}.of", name=name) if name else catalogue.text(key)
