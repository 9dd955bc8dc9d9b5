"""DSN imports for staff: files sent, what each declaration came to, and the changes that somebody has to decide."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any, Final, Literal
from uuid import UUID

import asyncpg

from activities.dsn_changes import Rights, decide
from activities.dsn_effects import DecisionRefused
from activities.dsn_intake import DsnIntake, Unfit
from db import audit, dsn_desk
from db.pool import Connection, Pool, single, system
from domain.dsn.changes import ChangeKind
from domain.identifiers import masked_nir
from gateways.encryption import FieldCipher
from gateways.files.storage import StorageUnavailable
from messages.dsn_words import OUTCOMES
from messages.typography import french
from services.audit_trail import stop_mass_reading
from services.callers import Caller, Scope
from services.dsn_views import (
    DsnChangePage,
    DsnChangeView,
    DsnDecided,
    DsnDecision,
    DsnDeclarationPage,
    DsnDeclarationState,
    DsnDeclarationView,
    DsnDependantView,
    DsnImportPage,
    DsnImportView,
    DsnPersonView,
    DsnReceived,
    DsnRightsView,
)
from services.follow_up import decode_cursor, encode_cursor
from services.problems import FieldError, InvalidFields, NotFound, RefusedByRules, StorageAway
from workflows.engine import EngineAway

SHOWN: Final = 20  # imports and changes on a page
DECLARATIONS_SHOWN: Final = 50
REPORTED: Final = 100_000  # declarations in one report
KINDS: Final = (*(kind.value for kind in ChangeKind), "reversal")


class DsnImportService:
    def __init__(self, system_pool: Pool, cipher: FieldCipher, intake: DsnIntake, rights: Rights) -> None:
        self._pool = system_pool
        self._cipher = cipher
        self._intake = intake
        self._rights = rights

    @property
    def most_bytes(self) -> int:
        """Of one file."""
        return self._intake.most_bytes

    # --- files

    async def receive(
        self, caller: Caller, content: AsyncIterable[bytes], origin: Literal["upload", "api"]
    ) -> DsnReceived:
        """Take a file in while it arrives. Raises NotAllowed, InvalidFields, StorageAway, and what `content` raises."""
        caller.need(Scope.staff_write)
        try:
            taken = await self._intake.take(content, origin, caller.actor)
        except Unfit as why:
            raise InvalidFields([FieldError("file", f"dsn.{why.code}", self._unfit(why.code))]) from None
        except StorageUnavailable:
            raise StorageAway() from None
        return DsnReceived(item=await self._one(taken.import_id), known=taken.known)

    def _unfit(self, code: str) -> str:
        if code == "empty":
            return french("Ce fichier est vide. Exemple : une DSN commence par S10.G00.00.001,'Logiciel'.")
        most = self.most_bytes // 2**20
        return french(f"Ce fichier dépasse {most} Mo. Découpez-le par envoi, puis déposez chaque envoi.")

    async def list(self, caller: Caller, cursor: str | None = None) -> DsnImportPage:
        """The newest first. Raises NotAllowed, InvalidFields."""
        caller.need(Scope.staff)
        at, after = decode_cursor(cursor)
        async with single(self._pool) as connection:
            rows = await connection.fetch(dsn_desk.IMPORTS, at, after, SHOWN + 1)
        last = rows[SHOWN - 1] if len(rows) > SHOWN else None
        return DsnImportPage(
            items=[_import_view(row) for row in rows[:SHOWN]],
            next_cursor=encode_cursor(last["received_at"], last["id"]) if last else None,
        )

    async def one(self, caller: Caller, import_id: UUID) -> DsnImportView:
        """Raises NotAllowed, NotFound."""
        caller.need(Scope.staff)
        return await self._one(import_id)

    async def _one(self, import_id: UUID) -> DsnImportView:
        async with single(self._pool) as connection:
            row = await connection.fetchrow(dsn_desk.IMPORT, import_id)
        if row is None:
            raise NotFound()
        return _import_view(row)

    async def declarations(
        self,
        caller: Caller,
        import_id: UUID,
        state: DsnDeclarationState | None = None,
        after: int = 0,
        limit: int = DECLARATIONS_SHOWN,
    ) -> DsnDeclarationPage:
        """In the order of the file. Raises NotAllowed, NotFound."""
        caller.need(Scope.staff)
        async with single(self._pool) as connection:
            rows = await connection.fetch(dsn_desk.DECLARATIONS, import_id, state, after, limit + 1)
            if not rows and await connection.fetchrow(dsn_desk.IMPORT, import_id) is None:
                raise NotFound()
        return DsnDeclarationPage(
            items=[_declaration_view(row) for row in rows[:limit]],
            next_number=rows[limit - 1]["number"] if len(rows) > limit else None,
        )

    async def reported(self, caller: Caller, import_id: UUID) -> DsnDeclarationPage:
        """All declarations of a file, for its report; who took it away is in the log. Raises NotAllowed, NotFound."""
        page = await self.declarations(caller, import_id, limit=REPORTED)
        async with system(self._pool) as connection:
            await audit.add(
                connection,
                "dsn.reported",
                caller.actor,
                object_type="dsn_import",
                object_id=import_id,
                details={"rows": len(page.items)},
            )
        return page

    # --- changes

    async def count_to_decide(self, caller: Caller) -> int:
        """Raises NotAllowed."""
        caller.need(Scope.staff)
        async with single(self._pool) as connection:
            rows = await connection.fetch(dsn_desk.COUNTS, dsn_desk.MOST_COUNTED)
        return sum(row["many"] for row in rows)

    async def changes(
        self,
        caller: Caller,
        kind: str | None = None,
        decision: Literal["confirm", "review"] | None = None,
        import_id: UUID | None = None,
        siren: str | None = None,
        cursor: str | None = None,
    ) -> DsnChangePage:
        """Those that wait for somebody, by the day that they are about; whose they are is told to the log.

        Raises NotAllowed, InvalidFields, MassReading.
        """
        caller.need(Scope.staff)
        at, after = decode_cursor(cursor)
        day = None if at is None else at.date()
        await stop_mass_reading(self._pool, caller)
        async with system(self._pool) as connection:
            rows = await connection.fetch(dsn_desk.TO_DECIDE, kind, decision, import_id, siren, day, after, SHOWN + 1)
            counted = await connection.fetch(dsn_desk.COUNTS, dsn_desk.MOST_COUNTED)
            await self._viewed(connection, caller, rows[:SHOWN])
        counts: dict[str, int] = {}
        for row in counted:
            counts[row["kind"]] = counts.get(row["kind"], 0) + row["many"]
        last = rows[SHOWN - 1] if len(rows) > SHOWN else None
        return DsnChangePage(
            items=[self._change_view(row) for row in rows[:SHOWN]],
            counts=counts,
            more_than=dsn_desk.MOST_COUNTED,
            next_cursor=encode_cursor(_midnight(last["on_day"]), last["id"]) if last else None,
        )

    async def change(self, caller: Caller, change_id: UUID) -> DsnChangeView:
        """Raises NotAllowed, NotFound, MassReading."""
        caller.need(Scope.staff)
        await stop_mass_reading(self._pool, caller)
        async with system(self._pool) as connection:
            row = await connection.fetchrow(dsn_desk.CHANGE, change_id)
            if row is None:
                raise NotFound()
            await self._viewed(connection, caller, [row])
        return self._change_view(row)

    async def decide(self, caller: Caller, change_id: UUID, request: DsnDecision) -> DsnDecided:
        """Carried out in one transaction with what it changes; the workflow of the rights hears of it afterwards.

        Raises NotAllowed, NotFound, RefusedByRules.
        """
        caller.need(Scope.staff_write)
        try:
            async with system(self._pool) as connection:
                decided = await decide(
                    connection, self._cipher, change_id, request.accept, request.reason, caller.actor
                )
        except DecisionRefused as why:
            if why.code == "unknown":
                raise NotFound() from None
            raise RefusedByRules(f"dsn.{why.code}", _refusal(why.code)) from None
        if decided.facts is not None and decided.coverage_id is not None:
            with contextlib.suppress(EngineAway):  # the sweep tells it
                await self._rights.tell(decided.coverage_id, decided.facts)
        return DsnDecided(id=change_id, state=decided.state, outcome=decided.outcome)

    async def _viewed(self, connection: Connection, caller: Caller, rows: Sequence[asyncpg.Record]) -> None:
        seen = [row["affiliation_id"] for row in rows if row["affiliation_id"] is not None]
        await audit.viewed(connection, caller.actor, seen, "dsn")

    def _change_view(self, row: asyncpg.Record) -> DsnChangeView:
        details: dict[str, Any] = row["details"]
        declared = self._declared(row)
        contract = details.get("contract") or {}
        portability = details.get("portability") or {}
        dependant = declared.get("dependant") if declared else None
        return DsnChangeView(
            **{name: row[name] for name in _PLAIN},
            on=row["on_day"],
            declared=None if declared is None else _declared_view(declared),
            known=self._known(row),
            rights=_rights_view(row),
            contract_began_on=contract.get("began_on"),
            contract_ends_on=details.get("contract_ends_on"),
            contract_nature=contract.get("nature"),
            portability_from=portability.get("first"),
            portability_until=portability.get("last"),
            former_siret=details.get("former_siret"),
            suspended_until=details.get("last_day"),
            reverses=details.get("of"),
            dependant=None
            if dependant is None
            else DsnDependantView(**{name: dependant.get(name) for name in DsnDependantView.model_fields}),
            corrects=[name for name in _FORMER if declared and declared.get(f"former_{name}")],
        )

    def _declared(self, row: asyncpg.Record) -> dict[str, Any] | None:
        if row["person_sealed"] is None:
            return None
        opened: dict[str, Any] = json.loads(
            self._cipher.decrypt(row["person_sealed"], "dsn_change", "person", str(row["id"]))
        )
        return opened

    def _known(self, row: asyncpg.Record) -> DsnPersonView | None:
        if row["employee_id"] is None:
            return None
        nir = self._cipher.decrypt(row["nir_sealed"], "employee", "nir", str(row["employee_id"]))
        return DsnPersonView(
            first_names=row["first_names"],
            last_name=row["last_name"],
            birth_name=row["birth_name"],
            birth_date=row["birth_date"],
            nir=masked_nir(nir),
        )


_PLAIN: Final = (
    *("id", "import_id", "number", "line", "kind", "reason", "decision", "state", "outcome", "match"),
    *("company", "establishment", "siret", "month", "affiliation_id"),
)
_FORMER: Final = ("nir", "name", "first_names", "birth_date")


def _declared_view(person: Mapping[str, Any]) -> DsnPersonView:
    return DsnPersonView(
        first_names=person["first_names"],
        last_name=person["last_name"],
        birth_name=person["birth_name"],
        birth_date=person["birth_date"],
        nir=masked_nir(person["nir"]) if person["nir"] else "",
    )


def _rights_view(row: asyncpg.Record) -> DsnRightsView | None:
    if row["starts_on"] is None:
        return None
    return DsnRightsView(
        starts_on=row["starts_on"],
        ends_on=row["known_covered_until"] or row["ends_on"],
        formula=row["formula"],
        contract_ends_on=row["known_end"],
        reason=row["known_reason"],
        portability_until=row["known_portability_until"],
    )


def _import_view(row: asyncpg.Record) -> DsnImportView:
    values = {name: row[name] for name in DsnImportView.model_fields if name not in ("by", "foreign")}
    return DsnImportView(**values, by=row["who"], foreign=row["foreign_"])


def _declaration_view(row: asyncpg.Record) -> DsnDeclarationView:
    return DsnDeclarationView(**{name: row[name] for name in DsnDeclarationView.model_fields})


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _refusal(code: str) -> str:
    if code == "decided":
        return "Ce changement a déjà été décidé, par un collègue ou par une autre déclaration."
    words = OUTCOMES.get(code, "")
    return french(f"Ce changement ne peut pas être appliqué. {words}").strip()
