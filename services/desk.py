"""Staff's desk: what waits for them by due date, files found and read, who takes which, figures of the backlog."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from uuid import UUID

import asyncpg
from pydantic import AwareDatetime, TypeAdapter

from activities.writing import reference_of
from db import affiliations, audit, desk
from db.pool import Pool, single, system
from domain.desk import Lateness, Work, due_on, lateness
from domain.identifiers import InvalidValue, masked_nir, parse_nir, parse_siren, parse_siret
from domain.names import search_form
from gateways.encryption import FieldCipher
from services.audit_trail import stop_mass_reading
from services.callers import Caller, Scope
from services.desk_views import (
    Age,
    Backlog,
    DeskFile,
    Found,
    GivenContact,
    NirSearch,
    Numbers,
    OtherFile,
    Outcome,
    Taker,
    WorkCount,
    WorkItem,
    WorkPage,
)
from services.fields import today
from services.follow_up import FollowUpService, decode_cursor, encode_cursor, like_escaped
from services.problems import FieldError, InvalidFields, NotFound, RefusedByRules
from services.views import AffiliationDetail, AffiliationSummary, EventView, summary

OUTCOME_DAYS = 30
_LEAST_LETTERS = 3  # of which an index of names is made
_KEPT_SECONDS = 60  # figures that a glance is taken at
_POSITIONS = TypeAdapter(dict[Work, tuple[AwareDatetime, UUID]])
_REFERENCE = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class _Place:
    """Something that waits, before its file is read."""

    work: Work
    since: datetime
    id: UUID

    @property
    def order(self) -> tuple[date, datetime, UUID]:
        return due_on(self.work, self.since), self.since, self.id


class DeskService:
    def __init__(self, system_pool: Pool, cipher: FieldCipher, follow_up: FollowUpService) -> None:
        self._pool = system_pool
        self._cipher = cipher
        self._follow_up = follow_up
        self._outcomes: tuple[float, list[Outcome]] = (-_KEPT_SECONDS, [])

    # --- what waits

    async def work(
        self, caller: Caller, work: Work | None, *, mine: bool, limit: int, cursor: str | None = None
    ) -> WorkPage:
        """What waits, of one kind or of all, by due date. `mine`: only what the caller has taken.

        Raises NotAllowed, InvalidFields.
        """
        caller.need(Scope.staff)
        after = _positions(cursor)
        taker = caller.person().user_id if mine else None
        places: list[_Place] = []
        async with system(self._pool) as connection:
            for kind in [work] if work else list(Work):
                statement = desk.CHECKS if kind is Work.check else desk.WAITING
                since, at = after.get(kind, (None, None))
                rows = await connection.fetch(statement, kind.value, since, at, taker, limit + 1)
                places += [_Place(kind, row["since"], row["id"]) for row in rows]
            # one kind's due dates follow its order, so that what is left of each comes after what is taken
            shown = sorted(places, key=lambda place: place.order)[:limit]
            ids = [place.id for place in shown]
            files = {row["id"]: AffiliationSummary(**summary(row)) for row in await connection.fetch(desk.BY_IDS, ids)}
            takers = await connection.fetch(desk.ASSIGNED, ids)
        taken = {row["affiliation_id"]: Taker(user_id=row["user_id"], name=row["name"]) for row in takers}
        position = {**after, **{place.work: (place.since, place.id) for place in shown}}
        return WorkPage(
            items=[_item(place, files[place.id], taken.get(place.id)) for place in shown],
            next_cursor=_encoded(position) if len(places) > limit else None,
        )

    async def backlog(self, caller: Caller) -> Backlog:
        """How much waits of each kind, and since how many days. Raises NotAllowed."""
        caller.need(Scope.staff)
        async with system(self._pool) as connection:
            rows = await connection.fetch(desk.BACKLOG)
            mine = await connection.fetchval(desk.MINE, UUID(caller.id)) if caller.signed_in is not None else 0
        day = today()
        counts = {work: WorkCount(work=work, files=0, late=0, oldest_due=None) for work in Work}
        ages = [Age(least=least, most=most, files=dict.fromkeys(Work, 0)) for least, most in _AGES]
        for row in rows:
            work, files = Work(row["work"]), row["files"]
            due = due_on(work, row["since"])  # all of a group are due on the same day
            count = counts[work]
            count.files += files
            count.late += files if lateness(due, day) is Lateness.late else 0
            count.oldest_due = min(due, count.oldest_due or due)
            age = max((day - row["day"]).days, 0)
            bucket = next(one for one in ages if one.most is None or age <= one.most)
            bucket.files[work] += files
        return Backlog(counts=list(counts.values()), ages=ages, mine=mine)

    async def outcomes(self, caller: Caller) -> list[Outcome]:
        """What became of the messages of the last thirty days; at most a minute old. Raises NotAllowed."""
        caller.need(Scope.staff)
        at, outcomes = self._outcomes
        if time.monotonic() - at < _KEPT_SECONDS:
            return outcomes
        since = datetime.now(UTC) - timedelta(days=OUTCOME_DAYS)
        async with single(self._pool) as connection:
            rows = await connection.fetch(desk.OUTCOMES, _first_id(since))
        outcomes = [Outcome(**dict(row)) for row in rows]
        self._outcomes = time.monotonic(), outcomes
        return outcomes

    # --- files

    async def find(self, caller: Caller, words: str, limit: int, cursor: str | None = None) -> Found:
        """Files by their reference, a SIREN, a SIRET, or a name. Raises NotAllowed, MassReading, InvalidFields: what
        looks like a NIR is not looked for here, as addresses are kept."""
        caller.need(Scope.staff)
        await stop_mass_reading(self._pool, caller)
        compact = "".join(words.split()).lower()
        if _REFERENCE.fullmatch(compact):
            return await self._by_reference(caller, compact)
        if _is(parse_nir, words) or re.fullmatch(r"[12378]\d{12}", compact):
            message = "Un numéro de sécurité sociale se cherche dans le champ prévu pour lui, plus bas."
            raise InvalidFields([FieldError("q", "nir", message)])
        if _is(parse_siret, words):
            return await self._listed("siret", desk.BY_SIRET, parse_siret(words), limit, cursor)
        if _is(parse_siren, words):
            return await self._listed("siren", desk.BY_SIREN, parse_siren(words), limit, cursor)
        longest, *others = sorted(map(like_escaped, search_form(words).split()), key=len, reverse=True) or [""]
        if len(longest) < _LEAST_LETTERS:
            message = "Tapez au moins trois lettres d’un nom ou d’un prénom, par exemple Martin."
            raise InvalidFields([FieldError("q", "too_short", message)])
        return await self._listed("name", desk.BY_NAME, longest, limit, cursor, [f"%{word}%" for word in others])

    async def find_nir(self, caller: Caller, request: NirSearch, limit: int) -> Found:
        """Whose number this is, at whichever company. Raises NotAllowed, MassReading."""
        caller.need(Scope.staff)
        await stop_mass_reading(self._pool, caller)
        index = self._cipher.blind_index(request.nir, "nir")
        async with system(self._pool) as connection:
            rows = await connection.fetch(desk.BY_NIR, index, None, None, limit)
            await audit.viewed(connection, caller.actor, [row["id"] for row in rows], "nir")
        return Found(by="nir", items=[AffiliationSummary(**summary(row)) for row in rows], next_cursor=None)

    async def file(self, caller: Caller, affiliation_id: UUID) -> DeskFile:
        """One file; reading it is in the log. Raises NotAllowed, NotFound, MassReading."""
        caller.need(Scope.staff)
        await stop_mass_reading(self._pool, caller)
        async with system(self._pool) as connection:
            row = await connection.fetchrow(desk.FILE, affiliation_id)
            if row is None:
                raise NotFound()
            contacts = await connection.fetch(desk.CONTACTS, affiliation_id)
            events = await connection.fetch(affiliations.EVENTS, affiliation_id)
            others = await connection.fetch(desk.OTHERS, affiliation_id, row["employee_id"])
        for_company = replace(caller, companies=(row["company_id"],), scopes=caller.scopes | {Scope.read})
        detail = await self._follow_up.detail(for_company, affiliation_id)
        taken_by = Taker(user_id=row["taken_by"], name=row["taken_by_name"]) if row["taken_by"] else None
        return DeskFile(
            **{name: row[name] for name in _OF_ROW},
            detail=detail,
            reference=reference_of(affiliation_id),
            nir=masked_nir(self._nir(row)),
            works=_works(detail, row),
            taken_by=taken_by,
            contacts=[GivenContact(**{name: one[name] for name in GivenContact.model_fields}) for one in contacts],
            events=[
                EventView(number=e["number"], kind=e["kind"], at=e["at"], actor=e["actor_kind"], details=e["details"])
                for e in events
            ],
            others=[OtherFile(**dict(one)) for one in others],
        )

    async def numbers(self, caller: Caller, affiliation_id: UUID) -> Numbers:
        """The NIR and the IBAN in full. Raises NotAllowed, StepUpNeeded, NotFound, MassReading."""
        caller.need(Scope.staff)
        caller.need_step_up()
        await stop_mass_reading(self._pool, caller)
        async with system(self._pool) as connection:
            row = await connection.fetchrow(desk.FILE, affiliation_id)
            if row is None:
                raise NotFound()
            await audit.add(
                connection,
                "data.revealed",
                caller.actor,
                affiliation_id=affiliation_id,
                object_type="affiliation",
                object_id=affiliation_id,
                details={"what": "nir iban"},
            )
        sealed = row["iban_sealed"]
        return Numbers(
            first_names=row["first_names"],
            last_name=row["last_name"],
            nir=self._nir(row),
            iban=self._cipher.decrypt(sealed, "coverage", "iban", str(row["coverage_id"])) if sealed else None,
        )

    async def _by_reference(self, caller: Caller, reference: str) -> Found:
        async with system(self._pool) as connection:
            rows = await connection.fetch(affiliations.BY_REFERENCE, reference)
            await audit.viewed(connection, caller.actor, [row["id"] for row in rows], "reference")
        return Found(by="reference", items=[AffiliationSummary(**summary(row)) for row in rows], next_cursor=None)

    async def _listed(
        self,
        by: Literal["siren", "siret", "name"],
        statement: str,
        wanted: str,
        limit: int,
        cursor: str | None,
        *more: list[str],
    ) -> Found:
        after = decode_cursor(cursor)
        async with single(self._pool) as connection:
            rows = await connection.fetch(statement, wanted, *after, limit + 1, *more)
        last = rows[limit - 1] if len(rows) > limit else None
        return Found(
            by=by,
            items=[AffiliationSummary(**summary(row)) for row in rows[:limit]],
            next_cursor=encode_cursor(last["status_at"], last["id"]) if last else None,
        )

    def _nir(self, row: asyncpg.Record) -> str:
        return self._cipher.decrypt(row["nir_sealed"], "employee", "nir", str(row["employee_id"]))

    # --- who takes it

    async def take(self, caller: Caller, affiliation_id: UUID, *, over: bool = False) -> None:
        """« Je m'en occupe ». `over`: also from somebody else. Raises NotAllowed, NotFound, RefusedByRules."""
        caller.need(Scope.staff_write)
        person = caller.person()
        async with system(self._pool) as connection:
            if await connection.fetchrow(affiliations.GET, affiliation_id) is None:
                raise NotFound()
            holder = await connection.fetchrow(desk.ASSIGNED, [affiliation_id])
            mine = holder is not None and holder["user_id"] == person.user_id
            if await connection.fetchval(desk.TAKE, affiliation_id, person.user_id, over or mine) is None:
                name = holder["name"] if holder else "Quelqu’un"
                raise RefusedByRules("file_taken", f"{name} s’occupe déjà de ce dossier. Vous pouvez le reprendre.")

    async def release(self, caller: Caller, affiliation_id: UUID) -> None:
        """Nobody takes it any more, whoever did. Raises NotAllowed, NotFound."""
        caller.need(Scope.staff_write)
        async with system(self._pool) as connection:
            if await connection.fetchrow(affiliations.GET, affiliation_id) is None:
                raise NotFound()
            await connection.execute(desk.RELEASE, affiliation_id)


_AGES = ((0, 0), (1, 1), (2, 3), (4, 7), (8, 14), (15, None))
_OF_ROW = (
    *("employee_id", "civility", "birth_name", "birth_date", "company", "insurer", "insurer_reference"),
    *("establishment_city", "submitted_at", "channel"),
)


def _item(place: _Place, file: AffiliationSummary, taken_by: Taker | None) -> WorkItem:
    due = due_on(place.work, place.since)
    return WorkItem(
        work=place.work,
        since=place.since,
        due=due,
        lateness=lateness(due, today()),
        file=file,
        taken_by=taken_by,
    )


def _works(detail: AffiliationDetail, row: asyncpg.Record) -> list[tuple[Work, datetime, date, Lateness]]:
    waiting: dict[Work, datetime] = {}
    reason = detail.attention
    if reason is not None and reason.value in set(Work) and row["attention_since"] is not None:
        waiting[Work(reason.value)] = row["attention_since"]
    if row["checking"] and row["checking_since"] is not None:
        waiting[Work.check] = row["checking_since"]
    due = {work: due_on(work, since) for work, since in waiting.items()}
    return [(work, since, due[work], lateness(due[work], today())) for work, since in waiting.items()]


def _positions(cursor: str | None) -> Mapping[Work, tuple[datetime, UUID]]:
    if cursor is None:
        return {}
    try:
        found = _POSITIONS.validate_json(base64.urlsafe_b64decode(cursor.encode()))
        return {work: (since.astimezone(UTC), at) for work, (since, at) in found.items()}
    except (ValueError, OverflowError):
        message = "Ce repère de page n’est pas valable. Reprenez la liste depuis le début."
        raise InvalidFields([FieldError("cursor", "cursor.invalid", message)]) from None


def _encoded(position: Mapping[Work, tuple[datetime, UUID]]) -> str:
    written = {work.value: [since.isoformat(), str(at)] for work, (since, at) in position.items()}
    return base64.urlsafe_b64encode(json.dumps(written, separators=(",", ":")).encode()).decode()


def _first_id(moment: datetime) -> UUID:
    """The smallest UUIDv7 that could be made at that moment."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def _is(parse: Callable[[str], str], text: str) -> bool:
    try:
        parse(text)
    except InvalidValue:
        return False
    return True
