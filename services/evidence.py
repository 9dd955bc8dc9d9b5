"""« Dossier de preuves (Urssaf) »: what a company can prove of its employees' cover, what is missing, and packs of it.

For administrators of the company alone, and a pack for those who gave a code just now: it holds everybody's file, with
the legal case of each exemption (docs/decisions.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
from pydantic import BaseModel

from db import evidence
from db.pool import single, system, tenant
from domain.evidence import LACKING, Gap, ProofState
from messages.evidence import proof_in_words
from services.callers import READ_ONLY, Caller
from services.evidence_pack import EVIDENCE
from services.evidence_people import Held, read_register
from services.exports import ARCHIVE, Download, ExportService, ExportStands
from services.fields import Form, Siren, Siret
from services.limits import Limit
from services.problems import NotAllowed, NotFound
from services.tools import Tools

MOST_SHOWN: Final = 25


class NewEvidencePack(Form):
    """Of a whole company, or of one of its establishments."""

    siren: Siren
    siret: Siret | None = None


class EvidenceCompany(BaseModel):
    siren: str
    name: str


class EvidencePlace(BaseModel):
    siret: str
    name: str


class Lacking(BaseModel):
    """Somebody of whom nothing is proved. `affiliation_id`, `proposal_id`: where to go on from."""

    first_names: str
    last_name: str
    establishment: str
    state: ProofState
    gap: Gap | None
    detail: str
    affiliation_id: UUID | None
    proposal_id: UUID | None


class EvidenceState(BaseModel):
    """What a pack would say now. `lacking`: the first of them, `lacking_count` in all."""

    siren: str
    siret: str | None
    company: str
    counts: dict[ProofState, int]
    lacking: list[Lacking]
    lacking_count: int
    companies: list[EvidenceCompany]
    places: list[EvidencePlace]

    @property
    def people(self) -> int:
        return sum(self.counts.values())


class EvidencePack(BaseModel):
    """A pack that was asked for or made. `manifest_sha256`: known once it is made, and kept. `made_by`: their name;
    null: the caller. `available`: the caller can download it, until `expires_at`."""

    id: UUID
    siren: str
    state: ExportStands
    requested_at: datetime
    settled_at: datetime | None = None
    people: int | None = None
    lacking: int | None = None
    manifest_sha256: str | None = None
    whole_company: bool | None = None
    made_by: str | None = None
    size: int | None = None
    expires_at: datetime | None = None
    available: bool = False


class EvidencePacks(BaseModel):
    items: list[EvidencePack]


@dataclass(frozen=True)
class _Company:
    row: asyncpg.Record
    all: list[asyncpg.Record]


class EvidenceService:
    def __init__(self, tools: Tools, exports: ExportService) -> None:
        self._tools = tools
        self._exports = exports

    async def state(self, caller: Caller, siren: str | None = None, siret: str | None = None) -> EvidenceState:
        """What can be proved now; without `siren` of the first company. Raises NotAllowed, NotFound: foreign, or not
        administered."""
        company = await self._company(caller, siren)
        async with tenant(self._tools.web, [company.row["id"]]) as connection:
            place = await _place(connection, company.row, siret)
            at = datetime.now(UTC)
            register = await read_register(connection, self._tools.cipher, company.row, place, at)
        counts = Counter(one.person.state for one in register.held)
        lacking = [one for one in register.held if one.person.state in LACKING]
        return EvidenceState(
            siren=company.row["siren"],
            siret=siret,
            company=company.row["name"],
            counts={state: counts[state] for state in ProofState},
            lacking=[_lacking(one) for one in lacking[:MOST_SHOWN]],
            lacking_count=len(lacking),
            companies=[EvidenceCompany(siren=row["siren"], name=row["name"]) for row in company.all],
            places=[EvidencePlace(siret=row["siret"], name=row["name"]) for row in register.places.values()],
        )

    async def ask(self, caller: Caller, asked: NewEvidencePack) -> EvidencePack:
        """Have a pack made. Raises NotAllowed, StepUpNeeded, NotFound, TooManyRequests, ExportsUnderWay."""
        company = await self._company(caller, asked.siren)
        person = caller.need_step_up()
        async with tenant(self._tools.web, [company.row["id"]]) as connection:
            place = await _place(connection, company.row, asked.siret)
        await self._tools.limiter.take(Limit.export_user, str(person.user_id))
        given = {"establishment": str(place) if place else None}
        job = await self._exports.start(caller, EVIDENCE, (company.row["id"],), ARCHIVE, given)
        return EvidencePack(id=job.id, siren=company.row["siren"], state=job.state, requested_at=job.requested_at)

    async def packs(self, caller: Caller, siren: str) -> EvidencePacks:
        """Those of a company, the newest first: the caller's own as they stand, and what the audit log keeps of all
        that were made. Raises NotAllowed, NotFound."""
        company = await self._company(caller, siren)
        person = caller.person()
        async with system(self._tools.system) as connection:
            jobs = await connection.fetch(evidence.JOBS, person.user_id, company.row["id"], EVIDENCE)
            made = await connection.fetch(evidence.MADE, company.row["id"])
        own = {row["id"]: row for row in jobs}
        packs = [_made(row, own.pop(row["id"], None), company.row["siren"], person.user_id) for row in made]
        packs += [_job(row, company.row["siren"]) for row in own.values()]
        return EvidencePacks(items=sorted(packs, key=lambda pack: pack.requested_at, reverse=True))

    async def pack(self, caller: Caller, pack_id: UUID) -> EvidencePack:
        """One of the caller's own. Raises NotAllowed, NotFound."""
        caller.need_administrator()
        person = caller.person()
        async with single(self._tools.system) as connection:
            company_id = await connection.fetchval(evidence.JOB_COMPANY, pack_id, person.user_id, EVIDENCE)
        companies = await self._companies(caller)
        siren = next((row["siren"] for row in companies if row["id"] == company_id), None)
        if siren is None:
            raise NotFound()
        found = next((one for one in (await self.packs(caller, siren)).items if one.id == pack_id), None)
        if found is None:
            raise NotFound()
        return found

    async def file(self, caller: Caller, pack_id: UUID) -> Download:
        """Raises NotAllowed, StepUpNeeded, NotFound (also: not ready, or its day is over), StorageAway."""
        caller.need_administrator()
        caller.need_step_up()
        await self.pack(caller, pack_id)
        return await self._exports.file(caller, pack_id)

    async def _company(self, caller: Caller, siren: str | None) -> _Company:
        companies = await self._companies(caller)
        found = next((row for row in companies if siren in (None, row["siren"])), None)
        if found is None:
            raise NotFound()
        return _Company(found, companies)

    async def _companies(self, caller: Caller) -> list[asyncpg.Record]:
        """Those that the caller administers. Raises NotAllowed."""
        if caller.look_as is not None:
            raise NotAllowed(READ_ONLY)
        caller.need_administrator()
        async with tenant(self._tools.web, caller.administers) as connection:
            return await connection.fetch(evidence.COMPANIES, list(caller.administers))


async def _place(connection: Any, company: asyncpg.Record, siret: str | None) -> UUID | None:
    """Raises NotFound: no establishment of this company."""
    if siret is None:
        return None
    for row in await connection.fetch(evidence.PLACES, company["id"]):
        if row["siret"] == siret:
            found: UUID = row["id"]
            return found
    raise NotFound()


def _lacking(one: Held) -> Lacking:
    person = one.person
    return Lacking(
        first_names=person.first_names,
        last_name=person.last_name,
        establishment=person.place,
        state=person.state,
        gap=person.gap,
        detail=proof_in_words(person),
        affiliation_id=one.affiliations[0]["id"] if one.affiliations else None,
        proposal_id=one.proposal_id,
    )


def _made(row: asyncpg.Record, job: asyncpg.Record | None, siren: str, user_id: UUID) -> EvidencePack:
    """`job`: the caller's own, as long as it is known."""
    details: Mapping[str, Any] = row["details"]
    available = job is not None and job["state"] == ExportStands.done and not job["expired"]
    own = row["user_id"] == user_id
    return EvidencePack(
        id=row["id"],
        siren=siren,
        state=ExportStands.done if available or not own else ExportStands.expired,
        requested_at=job["requested_at"] if job is not None else row["at"],
        settled_at=datetime.fromisoformat(details["settled_at"]),
        people=details["rows"],
        lacking=details["lacking"],
        manifest_sha256=details["manifest_sha256"],
        whole_company="establishment" not in details,
        made_by=None if own else _name(row),
        size=job["size"] if job is not None else None,
        expires_at=job["expires_at"] if job is not None and available else None,
        available=available,
    )


def _name(row: asyncpg.Record) -> str:
    return " ".join(name for name in (row["first_name"], row["last_name"]) if name)


def _job(row: asyncpg.Record, siren: str) -> EvidencePack:
    """One that was not made, or not yet."""
    state = ExportStands.expired if row["expired"] else ExportStands(row["state"])
    return EvidencePack(id=row["id"], siren=siren, state=state, requested_at=row["requested_at"])
