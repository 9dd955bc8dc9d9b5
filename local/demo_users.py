"""The users of the demo register: who signs in to the embedded default. They share one password, made at its start.

Only the first company has users. The others wait to be activated, with the SIRET and the identifiant that `make run`
says; their codes, letters and e-mails arrive in `/dev`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from domain.rights import Role, StaffRole, UserKind
from local import demo_people

if TYPE_CHECKING:
    from db.pool import Connection


@dataclass(frozen=True)
class DemoUser:
    """`role`: on the first demo company; None for a member of staff."""

    email: str
    first_name: str
    last_name: str
    role: Role | None


ADMINISTRATOR = DemoUser("lucie.marechal@example.fr", "Lucie", "Maréchal", Role.administrator)
STAFF = DemoUser("dominique.alary@example.fr", "Dominique", "Alary", None)
USERS = (ADMINISTRATOR, DemoUser("hugo.perrin@example.fr", "Hugo", "Perrin", Role.member), STAFF)

_WORDS = (
    *("bateau", "cerise", "violon", "tunnel", "pigeon", "moulin", "citron", "jardin", "marteau", "nuage", "panier"),
    *("rideau", "savon", "tambour", "vitrail", "wagon", "abricot", "boussole", "chandelle", "dauphin", "escalier"),
    *("falaise", "girafe", "horloge", "iceberg", "kayak", "lanterne", "mandarine", "navette", "orage", "parasol"),
)

# A password that is new (the file of the old one was lost) ends the sessions opened with the old one.
_ADD_USER = """
INSERT INTO portal_user (kind, email, first_name, last_name, email_proved_at, password_hash, password_version,
    terms_version, staff_roles)
VALUES ($1, $2, $3, $4, now(), $5, 1, $6, $7)
ON CONFLICT (kind, email) DO UPDATE
    SET password_hash = excluded.password_hash, password_version = portal_user.password_version + 1
RETURNING id
"""
_ADD_MEMBERSHIP = """
INSERT INTO membership (user_id, company_id, role, accepted_at, confirmed_at) VALUES ($1, $2, $3, now(), now())
ON CONFLICT DO NOTHING
"""
_ACTIVATED = "UPDATE company SET activated_at = coalesce(activated_at, now()) WHERE id = $1"
_OFFICE = """
UPDATE company SET office_line1 = $2, office_postcode = $3, office_city = $4 WHERE id = $1 AND office_line1 IS NULL
"""
_CONTACT = "INSERT INTO company_contact (company_id, email) VALUES ($1, $2) ON CONFLICT DO NOTHING"


def to_activate() -> str:
    """What the first company without users is activated with."""
    from domain.synthetic import synthetic_siren, synthetic_siret  # costs a fifth of a second to import

    company = demo_people.BRASSERIE
    return f"SIRET {synthetic_siret(synthetic_siren(company.number), 1)}, identifiant {company.insurer_reference}"


def new_password() -> str:
    """Five words: 25 bits for a demonstration that answers on this machine only."""
    return " ".join(secrets.choice(_WORDS) for _ in range(5))


async def add_users(connection: Connection, company_id: UUID, password_hash: str, terms_version: str) -> None:
    """Those of the first company, and the member of staff, who adds an authenticator app at the first sign-in."""
    await connection.execute(_ACTIVATED, company_id)
    for user in USERS:
        kind = UserKind.staff if user.role is None else UserKind.employer
        roles = [StaffRole.super.value] if user.role is None else []
        terms = None if user.role is None else terms_version
        names = (user.email, user.first_name, user.last_name)
        user_id = await connection.fetchval(_ADD_USER, kind.value, *names, password_hash, terms, roles)
        if user.role is not None:
            await connection.execute(_ADD_MEMBERSHIP, user_id, company_id, user.role.value)


async def add_offices(connection: Connection, places: Mapping[UUID, tuple[str, str]]) -> None:
    """Where code letters go, and whom the insurer's register knows there. `places`: postcode and city."""
    for rank, (company_id, (postcode, city)) in enumerate(places.items(), start=1):
        await connection.execute(_OFFICE, company_id, f"{rank} place du Marché", postcode, city)
        await connection.execute(_CONTACT, company_id, f"direction{rank}@example.fr")
