"""The secrets of mailed links: derived from what they are for, so that a repeated send carries the same one."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from gateways.encryption import FieldCipher, token_hash


class LinkKind(StrEnum):
    """What a link does; each has its own secret, also for the same subject."""

    activation = "activation"
    activation_agreement = "activation_agreement"
    activation_stop = "activation_stop"
    invitation = "invitation"
    password_reset = "password_reset"  # noqa: S105
    email_change = "email_change"
    phone_loss_stop = "phone_loss_stop"
    recovery_stop = "recovery_stop"


# The pages where links lead: `/acces/<path>/<token>` (portal/access pages).
PATHS = {
    LinkKind.activation: "activation",
    LinkKind.activation_agreement: "activation/accord",
    LinkKind.activation_stop: "activation/refus",
    LinkKind.invitation: "invitation",
    LinkKind.password_reset: "mot-de-passe",
    LinkKind.email_change: "adresse",
    LinkKind.phone_loss_stop: "telephone/refus",
    LinkKind.recovery_stop: "reprise/refus",
}


def link_token(cipher: FieldCipher, kind: LinkKind, subject_id: UUID, generation: int = 1) -> str:
    """256 bits as 43 URL-safe characters."""
    return cipher.link_token(f"{kind}:{subject_id}:{generation}")


def link_hash(cipher: FieldCipher, kind: LinkKind, subject_id: UUID, generation: int = 1) -> bytes:
    """What is stored of it."""
    return token_hash(link_token(cipher, kind, subject_id, generation))


def link_address(cipher: FieldCipher, base_url: str, kind: LinkKind, subject_id: UUID, generation: int = 1) -> str:
    """Where the link of a message leads; nothing else stands in it."""
    return f"{base_url.rstrip('/')}/acces/{PATHS[kind]}/{link_token(cipher, kind, subject_id, generation)}"
