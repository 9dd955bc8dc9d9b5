"""« Plusieurs salariés »: a table of new employees, read, checked row by row, and declared once it is confirmed.

An import is its user's, and theirs only while they follow every company of the perimeter it was given in. The views are
those of `affiliation_import_views`.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

import asyncpg

from activities.contracts.affiliation_imports import ImportState, ImportTask, RowState
from db import affiliation_imports as statements
from db import audit
from db.pool import Connection, single, system
from messages.import_words import ROW_STATES
from services import affiliation_import_reader as stored
from services import affiliation_import_rows as rows
from services.affiliation_import_checking import Checked, ImportChecker
from services.affiliation_import_reader import Columns, ImportReader
from services.affiliation_import_views import (
    FIELDS,
    STARTABLE,
    ImportRow,
    ImportRows,
    ImportSummary,
    ImportView,
    RowRepair,
)
from services.callers import READ_ONLY, Caller, Scope, SignedIn
from services.import_annotated import AnnotatedRow, annotated
from services.import_child import read_file
from services.import_columns import NIR_KEY, missing
from services.import_reading import guess, read_pasted
from services.import_template import template
from services.import_values import Repair
from services.limits import Limit
from services.pre_affiliation_checks import Place, PreAffiliationChecks
from services.problems import FieldError, InvalidFields, NotAllowed, NotFound, RefusedByRules
from services.tools import Tools
from workflows.affiliation_imports_client import AffiliationImportRuns
from workflows.engine import EngineAway, NotRunning

log = logging.getLogger(__name__)

AT_ONCE: Final = 300  # rows: more of them are looked at by a worker
FEWEST_FIELDS: Final = 3  # that are recognised: with fewer, the columns are to be told first
MOST_ROWS_SHOWN: Final = 200
MOST_NUMBER: Final = 1_000_000  # of a row: empty ones are counted
_MOST_NAME: Final = 200

_OPEN: Final = frozenset({ImportState.read, ImportState.checking, ImportState.checked})
_STARTING: Final = frozenset({ImportState.confirmed, ImportState.running})
_CORRECTABLE: Final = frozenset({ImportState.checked, ImportState.done})

_CLOSED = "Cet import n’est plus modifiable. Donnez le fichier corrigé dans un nouvel import."
_ROW_CLOSED = "Cette ligne n’est plus modifiable : elle est confirmée, ou l’import est terminé."
_NOT_CHECKED = "Les lignes sont en cours de vérification. Confirmez quand elle est finie."
_NOTHING = "Aucune ligne ne peut être envoyée : corrigez ou cochez au moins une ligne."
_RUNNING = "Cet import est en cours. Attendez sa fin pour confirmer d’autres lignes."
_OVER = "Cet import est terminé : il n’y a plus rien à annuler."


@dataclass(frozen=True)
class _Given:
    """A row as it is looked at again."""

    number: int
    values: Mapping[str, str]
    repairs: Sequence[RowRepair]


class AffiliationImports:
    """Reached as `parts.affiliation_imports`. All raise NotAllowed: an API key; staff who look in a company."""

    def __init__(
        self, tools: Tools, checks: PreAffiliationChecks, engine: AffiliationImportRuns, at_once: int = AT_ONCE
    ) -> None:
        self._tools = tools
        self._checks = checks
        self._engine = engine
        self._at_once = at_once
        self._checker = ImportChecker(tools.web, tools.cipher)
        self._reader = ImportReader(tools.system, tools.cipher, self._checker)

    # --- giving a table

    async def upload(self, caller: Caller, filename: str, content: bytes) -> ImportView:
        """Raises InvalidFields (field `file`), TooManyRequests."""
        return await self._add(caller, filename.strip()[:_MOST_NAME] or "fichier", content)

    async def paste(self, caller: Caller, text: str) -> ImportView:
        """Raises InvalidFields (field `text`), TooManyRequests."""
        return await self._add(caller, "", text.encode())

    async def map_columns(self, caller: Caller, import_id: UUID, mapping: dict[str, int]) -> ImportView:
        """Field name → index of its column; what is left out has none. All rows are read anew, corrections are lost.
        Raises NotFound, InvalidFields (field `mapping`), RefusedByRules (`import_closed`)."""
        person = _person(caller)
        async with system(self._tools.system) as connection:
            row = await self._locked(connection, person, import_id)
            if ImportState(row["state"]) not in _OPEN or not row["mappable"]:
                raise RefusedByRules("import_closed", _CLOSED)
            columns = stored.opened_columns(self._tools.cipher, import_id, row["columns_sealed"])
            _check_mapping(mapping, len(columns.shown()))
            sealed = stored.sealed_columns(self._tools.cipher, import_id, replace(columns, mapping=mapping))
            await connection.execute(statements.FORGET_ROWS, import_id)
            round = await connection.fetchval(statements.MAPPED, import_id, sealed, ImportState.checking.value)
        await self._check(import_id, round, row["rows_total"])
        return await self.view(caller, import_id)

    async def _add(self, caller: Caller, filename: str, content: bytes) -> ImportView:
        person = _person(caller)
        await self._tools.limiter.take(Limit.import_user, str(person.user_id))
        table = await (read_file(content, filename) if filename else asyncio.to_thread(read_pasted, content.decode()))
        mapping = guess(table)
        state = ImportState.checking if len(mapping) >= FEWEST_FIELDS else ImportState.read
        cipher = self._tools.cipher
        async with system(self._tools.system) as connection:
            import_id: UUID = await connection.fetchval(statements.NEW_ID)
            await connection.execute(
                statements.ADD,
                import_id,
                person.user_id,
                caller.companies,
                stored.sealed_name(cipher, import_id, filename),
                await asyncio.to_thread(stored.sealed_table, cipher, import_id, table),
                stored.sealed_columns(cipher, import_id, stored.columns_of(table, mapping)),
                hashlib.sha256(content).digest(),
                table.count,
                state.value,
            )
        if state is ImportState.checking:
            await self._check(import_id, 1, table.count)
        return await self.view(caller, import_id)

    async def _check(self, import_id: UUID, round: int, many: int) -> None:
        if many <= self._at_once:
            await self._reader.check(import_id, round)
            return
        try:
            await self._engine.start(import_id, ImportTask.check, round)
        except EngineAway:
            log.info("the rows of an import wait for the sweep", extra={"id": str(import_id)})

    # --- looking

    async def view(self, caller: Caller, import_id: UUID) -> ImportView:
        """Raises NotFound."""
        person = _person(caller)
        async with system(self._tools.system) as connection:
            row = await connection.fetchrow(statements.OF_USER_ONE, person.user_id, import_id)
            if row is None:
                raise NotFound()
            counts = await connection.fetch(statements.COUNTS, import_id)
        return self._view(row, counts)

    async def rows(
        self, caller: Caller, import_id: UUID, states: list[RowState] | None, limit: int, cursor: str | None
    ) -> ImportRows:
        """In the order of the file. Raises NotFound, InvalidFields (field `cursor`)."""
        person = _person(caller)
        limit = max(1, min(limit, MOST_ROWS_SHOWN))
        async with system(self._tools.system) as connection:
            await self._need(connection, person, import_id)
            found = await connection.fetch(
                statements.ROWS,
                import_id,
                [state.value for state in states] if states else None,
                _after(cursor),
                limit + 1,
            )
        items = [self._row(row) for row in found[:limit]]
        return ImportRows(items=items, next_cursor=str(items[-1].number) if len(found) > limit else None)

    async def row(self, caller: Caller, import_id: UUID, number: int) -> ImportRow:
        """Raises NotFound."""
        person = _person(caller)
        async with system(self._tools.system) as connection:
            await self._need(connection, person, import_id)
            row = await _numbered(connection, import_id, number)
        return self._row(row)

    async def recent(self, caller: Caller) -> list[ImportSummary]:
        """The user's own, the newest first."""
        person = _person(caller)
        async with single(self._tools.system) as connection:
            found = await connection.fetch(statements.OF_USER, person.user_id)
        return [
            ImportSummary(
                id=row["id"],
                filename=stored.opened_name(self._tools.cipher, row["id"], row["filename_sealed"]),
                **{name: row[name] for name in ("state", "rows_total", "started", "created_at", "finished_at")},
            )
            for row in found
        ]

    async def template(self, caller: Caller) -> bytes:
        """The .xlsx to fill in."""
        _person(caller)
        places = await self._checks.places(caller)
        return await asyncio.to_thread(template, _labels(places))

    async def report(self, caller: Caller, import_id: UUID) -> bytes:
        """The rows with their states and what is to be corrected, as .xlsx: it can be given again. Raises NotFound."""
        person = _person(caller)
        async with system(self._tools.system) as connection:
            await self._need(connection, person, import_id)
            found = await connection.fetch(statements.ROWS, import_id, None, -1, None)
        places = await self._checks.places(caller)
        return await asyncio.to_thread(
            lambda: annotated((_annotated(self._row(row)) for row in found), _labels(places))
        )

    # --- changing rows

    async def correct(self, caller: Caller, import_id: UUID, number: int, values: dict[str, str]) -> ImportRow:
        """Other values for a row, which is looked at again; what is left out stays. A row that is still wrong is an
        answer, not an error. Raises NotFound, InvalidFields (a name that is no field), RefusedByRules
        (`import_row_closed`: confirmed, started…)."""
        person = _person(caller)
        _check_fields(values)
        async with system(self._tools.system) as connection:
            owner = await self._locked(connection, person, import_id)
            row = await _numbered(connection, import_id, number)
            if ImportState(owner["state"]) not in _CORRECTABLE or not _correctable(row):
                raise RefusedByRules("import_row_closed", _ROW_CLOSED.replace(" :", "\u00a0:"))
            given = self._corrected(row, values)
            [alone] = await self._checker.check(owner["company_ids"], [given])
            people = [one for one in {row["person_index"], alone.person} if one is not None]
            others = await connection.fetch(statements.ROWS_OF_PEOPLE, import_id, people, number)
            group = sorted(
                [given, *(self._given(one) for one in others if _correctable(one))], key=lambda one: one.number
            )
            ids = {one["number"]: one for one in (row, *others)}
            for checked in await self._checker.check(owner["company_ids"], group):
                former = ids[checked.number]
                keeps = checked.number != number and checked.state == former["state"]
                await self._set(connection, former, checked, former["included"] if keeps else checked.included)
        return await self.row(caller, import_id, number)

    async def include(self, caller: Caller, import_id: UUID, numbers: list[int], included: bool) -> ImportView:
        """Raises NotFound, RefusedByRules (`import_closed`)."""
        person = _person(caller)
        async with system(self._tools.system) as connection:
            row = await self._locked(connection, person, import_id)
            if ImportState(row["state"]) not in _CORRECTABLE:
                raise RefusedByRules("import_closed", _CLOSED)
            await connection.execute(statements.INCLUDE, import_id, numbers, included)
        return await self.view(caller, import_id)

    # --- starting

    async def confirm(self, caller: Caller, import_id: UUID, numbers: list[int] | None) -> ImportView:
        """Start what can be started and is included: all of it, or these rows. Asked again, it is the same import.
        Raises NotFound, RefusedByRules (`import_not_checked`, `import_nothing_to_start`, `import_running`: other rows
        than those that are being started)."""
        person = _person(caller)
        round = None
        async with system(self._tools.system) as connection:
            row = await self._locked(connection, person, import_id)
            state = ImportState(row["state"])
            if state in _STARTING:
                if numbers and await connection.fetchval(statements.OTHER_THAN_CONFIRMED, import_id, numbers):
                    raise RefusedByRules("import_running", _RUNNING)
            elif state not in _CORRECTABLE:
                closed = state in (ImportState.cancelled, ImportState.refused)
                raise RefusedByRules(*(("import_closed", _CLOSED) if closed else ("import_not_checked", _NOT_CHECKED)))
            else:
                confirmed = await connection.execute(statements.CONFIRM_ROWS, import_id, numbers)
                many = int(confirmed.rpartition(" ")[2])
                if many:
                    round = await connection.fetchval(statements.CONFIRMED, import_id)
                    await self._tell(connection, caller, row, many)
                elif state is ImportState.checked:
                    raise RefusedByRules("import_nothing_to_start", _NOTHING.replace(" :", "\u00a0:"))
        if round is not None:
            try:
                await self._engine.start(import_id, ImportTask.start, round)
            except EngineAway:
                log.info("an import waits for the sweep", extra={"id": str(import_id)})
        return await self.view(caller, import_id)

    async def cancel(self, caller: Caller, import_id: UUID) -> ImportView:
        """What was not started is not. Asked again, nothing happens. Raises NotFound, RefusedByRules
        (`import_over`)."""
        person = _person(caller)
        async with system(self._tools.system) as connection:
            row = await self._locked(connection, person, import_id)
            state = ImportState(row["state"])
            if state in (ImportState.done, ImportState.refused):
                raise RefusedByRules("import_over", _OVER.replace(" :", "\u00a0:"))
            await connection.execute(statements.CANCEL, import_id)
            await connection.execute(statements.FREE_ROWS, import_id)
        if state in _STARTING:
            try:
                await self._engine.cancel(import_id, row["start_round"])
            except (EngineAway, NotRunning):
                log.info("an import ends by itself", extra={"id": str(import_id)})
        return await self.view(caller, import_id)

    # --- the parts of it

    async def _tell(self, connection: Connection, caller: Caller, row: asyncpg.Record, many: int) -> None:
        companies = row["company_ids"]
        await audit.add(
            connection,
            "affiliation_import.confirmed",
            caller.actor,
            company_id=companies[0] if len(companies) == 1 else None,
            object_type="affiliation_import",
            object_id=row["id"],
            details={"rows": many},
        )

    async def _locked(self, connection: Connection, person: SignedIn, import_id: UUID) -> asyncpg.Record:
        row = await connection.fetchrow(statements.LOCK, person.user_id, import_id)
        if row is None:
            raise NotFound()
        return row

    async def _need(self, connection: Connection, person: SignedIn, import_id: UUID) -> None:
        if await connection.fetchrow(statements.OF_USER_ONE, person.user_id, import_id) is None:
            raise NotFound()

    async def _set(self, connection: Connection, row: asyncpg.Record, checked: Checked, included: bool) -> None:
        await connection.execute(
            statements.SET_ROW,
            row["id"],
            checked.company_id,
            checked.person,
            rows.sealed(self._tools.cipher, row["id"], checked.looked.values),
            rows.sealed_repairs(self._tools.cipher, row["id"], checked.looked.repairs),
            checked.state.value,
            [problem.kept() for problem in checked.looked.problems],
            checked.affiliation_id,
            included,
        )

    def _given(self, row: asyncpg.Record) -> _Given:
        cipher = self._tools.cipher
        return _Given(
            row["number"],
            rows.opened(cipher, row["id"], row["values_sealed"]),
            rows.opened_repairs(cipher, row["id"], row["repairs_sealed"]),
        )

    def _corrected(self, row: asyncpg.Record, typed: Mapping[str, str]) -> _Given:
        former = self._given(row)
        again = rows.read_again(former.values, former.repairs, typed)
        return _Given(former.number, again.values, again.repairs)

    def _row(self, row: asyncpg.Record) -> ImportRow:
        given = self._given(row)
        name = (given.values.get("first_names", ""), given.values.get("last_name", ""))
        return ImportRow(
            number=row["number"],
            name=" ".join(part for part in name if part),
            values=dict(given.values),
            repairs=list(given.repairs),
            state=RowState(row["state"]),
            problems=rows.told(given.values, row["problems"]),
            affiliation_id=row["affiliation_id"],
            included=row["included"],
            confirmed=row["confirmed"],
        )

    def _view(self, row: asyncpg.Record, counted: Sequence[asyncpg.Record]) -> ImportView:
        state = ImportState(row["state"])
        columns: Columns = stored.opened_columns(self._tools.cipher, row["id"], row["columns_sealed"])
        to_start = sum(one["waiting"] for one in counted if one["state"] in STARTABLE)
        shown: dict[str, Any] = {name: row[name] for name in ("id", "rows_total", "same_as", "expires_at")}
        return ImportView(
            **shown,
            **{name: row[name] for name in ("created_at", "confirmed_at", "finished_at")},
            state=state,
            filename=stored.opened_name(self._tools.cipher, row["id"], row["filename_sealed"]),
            columns=columns.shown(),
            missing=[column.field for column in missing(dict(columns.mapping))],
            counts={RowState(one["state"]): one["rows"] for one in counted},
            rows_checked=sum(one["rows"] for one in counted),
            to_start=to_start,
            confirmed=sum(one["confirmed"] for one in counted),
            done=sum(one["done"] for one in counted),
            started=sum(one["rows"] for one in counted if one["state"] == RowState.started),
            can_confirm=state in _CORRECTABLE and to_start > 0,
            can_cancel=state in _OPEN or state in _STARTING,
            can_map=state in _OPEN and row["mappable"],
        )


def _person(caller: Caller) -> SignedIn:
    """Who signed in as themselves. Raises NotAllowed."""
    if caller.look_as is not None:
        raise NotAllowed(READ_ONLY)
    caller.need(Scope.write)
    return caller.person()


def _labels(places: Sequence[Place]) -> list[tuple[str, str]]:
    return [(place.siret, f"{place.name}, {place.city}") for place in places]


def _annotated(row: ImportRow) -> AnnotatedRow:
    return AnnotatedRow(
        row.number,
        row.values,
        ROW_STATES[row.state.value],
        [(problem.field, problem.message) for problem in row.problems],
        [Repair(one.field, one.was, one.became, one.why) for one in row.repairs],
    )


async def _numbered(connection: Connection, import_id: UUID, number: int) -> asyncpg.Record:
    row = await connection.fetchrow(statements.ROW, import_id, number) if 0 < number <= MOST_NUMBER else None
    if row is None:
        raise NotFound()
    return row


def _correctable(row: asyncpg.Record) -> bool:
    return row["state"] != RowState.started and (not row["confirmed"] or row["settled_at"] is not None)


def _after(cursor: str | None) -> int:
    """Raises InvalidFields."""
    if cursor is None:
        return -1
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
        raise InvalidFields([FieldError("cursor", "cursor", "Ce repère de page n’est pas valable. Reprenez au début.")])
    return int(cursor)


def _check_fields(values: Mapping[str, str]) -> None:
    unknown = [name for name in values if name not in FIELDS]
    if unknown:
        words = "Ce champ n’existe pas. Exemple\u00a0: last_name"
        raise InvalidFields([FieldError(f"values.{name}"[:100], "extra_forbidden", words) for name in unknown[:50]])


def _check_mapping(mapping: Mapping[str, int], width: int) -> None:
    errors = [
        FieldError(f"mapping.{name}"[:100], "mapping.field", "Ce champ n’existe pas. Exemple\u00a0: last_name")
        for name in mapping
        if name not in FIELDS and name != NIR_KEY
    ]
    errors += [
        FieldError(f"mapping.{name}"[:100], "mapping.column", f"Cette colonne n’existe pas. Exemple\u00a0: {width - 1}")
        for name, place in mapping.items()
        if not 0 <= place < width
    ]
    if not mapping or len(set(mapping.values())) < len(mapping):
        words = "Associez au moins une colonne, et chaque colonne à un seul champ."
        errors.append(FieldError("mapping", "mapping.double", words))
    if errors:
        raise InvalidFields(errors[:50])
