"""What is told of a pre-affiliation before anything is written: while it is typed (advice, which refuses nothing) and
once it is whole (what would leave, and when). What may be declared is said by `declarations` and `affiliations` alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from activities.writing import recipient
from db import affiliations, audit
from db import pre_affiliation_checks as statements
from db.pool import Pool, tenant
from domain.addresses import envelope_lines, parse_address
from domain.affiliation import Status, declared, first_medium
from domain.formulas import Scheme
from domain.identifiers import (
    NIR_WARNINGS,
    Civility,
    InvalidValue,
    is_mobile,
    nir_warnings,
    parse_email,
    parse_nir,
    parse_phone,
    parse_siret,
)
from domain.media import Medium, reachable_media
from domain.plan import calendar
from domain.policy import DEFAULT_POLICY, Policy
from gateways.encryption import FieldCipher
from services.affiliations import check_address, establishment_of
from services.callers import Caller, Scope
from services.declarations import PreAffiliation
from services.enrolment_form import read_birth_date
from services.fields import today
from services.problems import AlreadyOpen
from services.views import NextStep, step_view

_MOST_TYPED = 200
_ALSACE_MOSELLE = ("57", "67", "68")
_LOOKALIKES = str.maketrans("OQIL", "0011")


@dataclass(frozen=True)
class Place:
    """An open establishment of the caller's."""

    siret: str
    name: str
    city: str
    postcode: str
    siren: str
    company: str

    @property
    def usual_scheme(self) -> Scheme:
        """Of those who work there: the local one in Alsace-Moselle (CSS, art. D325-1)."""
        return Scheme.RL if self.postcode.startswith(_ALSACE_MOSELLE) else Scheme.RG


@dataclass(frozen=True)
class Known:
    """What already runs for a person in the caller's companies. `here`: in the establishment that was chosen."""

    affiliation_id: UUID
    status: Status
    status_at: datetime
    establishment: str
    city: str
    here: bool
    insured: bool

    @property
    def is_open(self) -> bool:
        return self.status in (Status.preparing, Status.sent, Status.started)

    @property
    def stands_in_the_way(self) -> bool:
        """product.md, rule 7: one open affiliation of a person in an establishment."""
        return self.here and self.is_open


@dataclass(frozen=True)
class Advice:
    """What can be said of what is typed so far; "" or nothing where nothing can.

    `nir`: as it was read, in groups; `nir_wrong`, `email_wrong`…: what a declaration would refuse; `envelope`: the
    address as it will stand on a letter.
    """

    nir: str = ""
    nir_wrong: str = ""
    nir_differs: tuple[str, ...] = ()
    known: tuple[Known, ...] = ()
    place: Place | None = None
    scheme_differs: bool = False
    email_wrong: str = ""
    email_meant: str = ""
    phone_wrong: str = ""
    phone_not_mobile: bool = False
    address_wrong: str = ""
    envelope: tuple[str, ...] = ()


@dataclass(frozen=True)
class Preview:
    """What declaring does: where, who it is sent to, and every message to come, as the workflow's own plan has it."""

    place: Place
    medium: Medium
    steps: tuple[NextStep, ...]
    envelope: tuple[str, ...]


class PreAffiliationChecks:
    def __init__(self, web: Pool, cipher: FieldCipher, policy: Policy = DEFAULT_POLICY) -> None:
        self._web = web
        self._cipher = cipher
        self._policy = policy

    async def places(self, caller: Caller) -> list[Place]:
        """The open establishments of the caller's companies, those of a company together. Raises NotAllowed."""
        caller.need(Scope.write)
        async with tenant(self._web, caller.companies) as connection:
            rows = await connection.fetch(statements.OPEN_ESTABLISHMENTS, today())
        return [Place(**row) for row in rows]

    async def advise(self, caller: Caller, typed: Mapping[str, str], places: Sequence[Place] | None = None) -> Advice:
        """About a form in the making, by the names of its fields. Nothing of other companies is told (security.md
        Z-01); that somebody is known is read in the audit log. `places`: where they are read already. Raises
        NotAllowed."""
        caller.need(Scope.write)
        if places is None:
            places = await self.places(caller)
        given = {name: text[:_MOST_TYPED].strip() for name, text in typed.items()}
        place = _place_of(given.get("siret", ""), places)
        nir = _nir_of(given.get("nir", ""))
        scheme = given.get("scheme")
        return Advice(
            nir=grouped(nir) if nir else "",
            nir_wrong=_nir_wrong(given.get("nir", "")) if nir is None else "",
            nir_differs=_differs(nir, given) if nir else (),
            known=await self._known(caller, nir, place) if nir else (),
            place=place,
            scheme_differs=place is not None and scheme in set(Scheme) and scheme != place.usual_scheme,
            **_of_email(given.get("email", "")),
            **_of_phone(given.get("phone", "")),
            **_of_address(given),
        )

    async def preview(self, caller: Caller, request: PreAffiliation) -> Preview:
        """What declaring this now would do, without doing it. Raises as `AffiliationService.declare`."""
        caller.need(Scope.write)
        employee = request.employee
        name = recipient(employee.civility, employee.first_names, employee.last_name)
        check_address(name, employee.address, "employee.")
        async with tenant(self._web, caller.companies) as connection:
            row = await establishment_of(connection, request.siret, request.hired_on)
            index = self._cipher.blind_index(employee.nir, "nir")
            open_id = await connection.fetchval(affiliations.OPEN_OF_PERSON, row["id"], index)
            place = await connection.fetchrow(statements.PLACE, request.siret)
        assert place is not None, "found above"
        if open_id is not None:
            raise AlreadyOpen(str(open_id))
        now = datetime.now(UTC)
        media = reachable_media(employee.email is not None, employee.phone is not None)
        steps = calendar(declared(now, media, request.medium), self._policy, now)
        address = employee.address
        lines = envelope_lines(
            name,
            parse_address(line1=address.line1, line2=address.line2 or "", postcode=address.postcode, city=address.city),
        )
        return Preview(
            Place(**place),
            first_medium(media, request.medium),
            tuple(view for one in steps if (view := step_view(one))),
            lines,
        )

    async def _known(self, caller: Caller, nir: str, place: Place | None) -> tuple[Known, ...]:
        index = self._cipher.blind_index(nir, "nir")
        async with tenant(self._web, caller.companies) as connection:
            rows = await connection.fetch(statements.KNOWN_PERSON, caller.companies, index, today())
            if rows:
                await audit.viewed(connection, caller.actor, [row["id"] for row in rows], "known")
        return tuple(
            Known(
                row["id"],
                Status(row["status"]),
                row["status_at"],
                row["establishment"],
                row["city"],
                place is not None and row["siret"] == place.siret,
                row["insured"],
            )
            for row in rows
        )


# --- reading what is typed


def nir_as_meant(typed: str) -> str:
    """What was typed, with the letters that look like digits read as these where that makes a NIR; else as typed."""
    if _nir_of_exactly(typed) is not None:
        return typed
    meant = typed.upper().translate(_LOOKALIKES)
    return typed if _nir_of_exactly(meant) is None else meant


def grouped(nir: str) -> str:
    """As on the « carte Vitale »: `2 75 06 75 990 001 97`."""
    ends = (1, 3, 5, 7, 10, 13, 15)
    return "\u00a0".join(nir[start:end] for start, end in zip((0, *ends), ends, strict=False))


def _nir_of(typed: str) -> str | None:
    return _nir_of_exactly(nir_as_meant(typed))


def _nir_of_exactly(typed: str) -> str | None:
    try:
        return parse_nir(typed)
    except InvalidValue:
        return None


def _place_of(siret: str, places: Sequence[Place]) -> Place | None:
    try:
        normal = parse_siret(siret)
    except InvalidValue:
        return None
    return next((one for one in places if one.siret == normal), None)


def _nir_wrong(typed: str) -> str:
    """What is wrong with it; nothing is said of what is not typed yet."""
    try:
        parse_nir(typed)
    except InvalidValue as invalid:
        return _told(invalid) if typed else ""
    return ""


def _told(invalid: InvalidValue) -> str:
    return f"{invalid.message} Exemple\u00a0: {invalid.example}"


def _differs(nir: str, given: Mapping[str, str]) -> tuple[str, ...]:
    """Sentences, never a reason to refuse (security.md L-08)."""
    civility = given.get("civility")
    known = Civility(civility) if civility in set(Civility) else None
    born = read_birth_date(given["birth_date"]) if given.get("birth_date") else None
    return tuple(NIR_WARNINGS[code] for code in nir_warnings(nir, born, known))


def _of_email(typed: str) -> dict[str, Any]:
    if not typed:
        return {}
    try:
        parse_email(typed)
    except InvalidValue as invalid:
        if invalid.suggestion:
            return {"email_meant": invalid.suggestion}
        return {"email_wrong": _told(invalid)}
    return {}


def _of_phone(typed: str) -> dict[str, Any]:
    if not typed:
        return {}
    try:
        number = parse_phone(typed)
    except InvalidValue as invalid:
        return {"phone_wrong": _told(invalid)}
    return {"phone_not_mobile": not is_mobile(number)}


def _of_address(given: Mapping[str, str]) -> dict[str, Any]:
    """Once it is whole; without the names as long as they are not."""
    parts = {name: given.get(name, "") for name in ("line1", "line2", "postcode", "city")}
    if not (parts["line1"] and parts["postcode"] and parts["city"]):
        return {}
    first, last = given.get("first_names", ""), given.get("last_name", "") or given.get("birth_name", "")
    named = bool(first and last and given.get("civility") in set(Civility))
    name = recipient(given["civility"], first, last) if named else "X"
    try:
        lines = envelope_lines(name, parse_address(**parts))
    except InvalidValue as invalid:
        return {"address_wrong": _told(invalid)}
    return {"envelope": lines if named else lines[1:]}
