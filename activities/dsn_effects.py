"""What each change of the DSN does once it is carried out, by whoever decides: the policy or staff."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg

from activities import coverage_changes
from activities.contracts.affiliation import Actor
from activities.coverage_changes import EndOfContract, EndRefused, Origin
from activities.dsn_matching import Matcher, MatchKind, Right, full_nir, right_for, rights_of
from activities.dsn_proposals import NOT_FOLLOWED, Proposals
from db import audit, dsn
from db.pool import Connection
from domain.coverage_rights import CoverageFacts
from domain.departures import AFFILIATION_ALONE
from domain.dsn.changes import ChangeKind
from domain.dsn.facts import DeclaredDependant
from domain.employment import ContractKind
from domain.identifiers import Civility
from domain.names import search_form
from gateways.encryption import FieldCipher

REVERSAL = "reversal"
_FIXED_TERM = frozenset({"02", "10", "92"})  # S21.G00.40.007
_OPEN_ENDED = frozenset({"01", "07", "09", "82", "91"})
_DEPENDANTS = {"01": "partner", "02": "child"}  # S21.G00.73.003; others are nobody whom a coverage has


class DecisionRefused(Exception):
    """Nothing was written. `code`: unknown, decided, a code of `db.dsn`'s outcomes or of EndRefused."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Effect:
    """`facts`: what the coverage's workflow is to be told after the commit."""

    state: str = "applied"
    outcome: str = ""
    employee_id: UUID | None = None
    coverage_id: UUID | None = None
    facts: CoverageFacts | None = None
    details: dict[str, Any] = field(default_factory=dict)


class Effects:
    """`row`: of `dsn.CHANGE`, locked; every method writes in the caller's transaction."""

    def __init__(self, connection: Connection, cipher: FieldCipher, row: asyncpg.Record, actor: Actor) -> None:
        self._connection = connection
        self._cipher = cipher
        self._matcher = Matcher(cipher)
        self._row = row
        self._details: dict[str, Any] = row["details"]
        self._actor = actor
        self._employee_id: UUID | None = row["employee_id"]
        self._coverage_id: UUID | None = row["coverage_id"]

    async def carry_out(self, *, automatic: bool = False) -> Effect:
        """Raises DecisionRefused. `automatic`: nothing that somebody else said is overruled."""
        kind = self._row["kind"]
        await self._find_person()
        if kind == REVERSAL:
            return await self._reverse()
        match ChangeKind(kind):
            case ChangeKind.hire:
                return await self._hire()
            case ChangeKind.end:
                return await self._end(self._details["contract_ends_on"], self._row["reason"], automatic)
            case ChangeKind.affiliation_end:
                return await self._end(self._row["on_day"].isoformat(), AFFILIATION_ALONE, automatic)
            case ChangeKind.end_cancelled:
                return await self._cancel_end()
            case ChangeKind.suspended:
                return await self._suspend(self._row)
            case ChangeKind.suspension_cancelled:
                return await self._cancel_suspension()
            case ChangeKind.moved:
                return await self._move()
            case ChangeKind.dependant:
                return await self._dependant()
            case ChangeKind.identity:
                return await self._identity()
            case ChangeKind.continued:
                # the cover goes on: seen, and nothing to write
                return self._effect(outcome="by_hand" if self._row["outcome"] == NOT_FOLLOWED else "")

    async def of_a_stranger(self) -> Effect:
        """A hire of somebody who only looks like a person who is known: it is another."""
        self._employee_id = None
        await self._connection.execute(dsn.STRANGER, self._row["id"])
        return await self._hire()

    async def remember(self) -> None:
        """Staff said whose the declared number is: the next declaration finds the person by it."""
        if self._employee_id is None:
            return
        company_id, index = self._row["company_id"], self._row["person_index"]
        await self._connection.execute(dsn.KNOW_NUMBER, company_id, index, self._employee_id)
        employee = await self._connection.fetchrow(dsn.EMPLOYEE, self._employee_id)
        assert employee is not None, "changes of somebody who was erased are gone"
        await self._connection.execute(dsn.REKEY, company_id, index, employee["nir_index"])

    # --- who and which

    async def _find_person(self) -> None:
        """Whoever was unknown when the declaration came may have been affiliated since."""
        row = self._row
        if row["employee_id"] is None:
            for statement in (dsn.BY_NIR, dsn.BY_KNOWN_NUMBER):
                found = await self._connection.fetchrow(statement, [0], [row["company_id"]], [row["person_index"]])
                if found is not None:
                    self._employee_id = found["id"]
                    return

    async def _right(self) -> Right:
        """Raises DecisionRefused unknown_person, no_coverage."""
        if self._employee_id is None:
            raise DecisionRefused("unknown_person")
        rights = (await rights_of(self._connection, [self._employee_id])).get(self._employee_id, [])
        chosen = next((one for one in rights if one.id == self._coverage_id), None)
        if chosen is None:
            began_on = date.fromisoformat(self._details["contract"]["began_on"])
            ends_on = self._details.get("contract_ends_on")
            last = date.fromisoformat(ends_on) if ends_on else None
            chosen = right_for(rights, began_on, last, self._row["establishment_id"])
        if chosen is None:
            raise DecisionRefused("no_coverage")
        self._coverage_id = chosen.id
        return chosen

    def _declared(self) -> dict[str, Any]:
        """Raises DecisionRefused: what it takes was purged."""
        if self._row["person_sealed"] is None:
            raise DecisionRefused("purged")
        text = self._cipher.decrypt(bytes(self._row["person_sealed"]), "dsn_change", "person", str(self._row["id"]))
        declared: dict[str, Any] = json.loads(text)
        return declared

    def _effect(self, facts: CoverageFacts | None = None, **told: Any) -> Effect:
        return Effect(employee_id=self._employee_id, coverage_id=self._coverage_id, facts=facts, **told)

    def _so_already(self) -> Effect:
        return self._effect(state="unchanged", outcome="known_already")

    # --- hires

    async def _hire(self) -> Effect:
        row = self._row
        if self._employee_id is not None:
            stands = await self._connection.fetchrow(dsn.STANDS_FOR_HIRE, self._employee_id, row["on_day"])
            assert stands is not None, "an expression"
            for outcome in ("covered", "under_way", "waived"):
                if stands[outcome]:
                    return self._effect(state="unchanged", outcome=outcome)
        proposal = uuid.uuid4()
        person = json.dumps(self._prefilled(self._declared()), ensure_ascii=False)
        await self._connection.execute(
            dsn.ADD_HIRE_PROPOSAL,
            proposal,
            row["company_id"],
            row["establishment_id"],
            row["id"],
            row["on_day"],
            self._cipher.encrypt(person, "hire_proposal", "person", str(proposal)),
        )
        await self._connection.execute(dsn.REOPEN_HIRE_PROPOSAL, row["id"])
        return self._effect(outcome="to_employer")

    def _prefilled(self, declared: dict[str, Any]) -> dict[str, str]:
        """What a pre-affiliation begins with; "" where the DSN does not say it."""
        nir, ntt = declared["nir"], declared["ntt"]
        sex = (nir or ntt or "")[:1]
        nature = self._details["contract"]["nature"]
        contract_kind = ContractKind.cdi.value if nature in _OPEN_ENDED else ""
        if nature in _FIXED_TERM:
            contract_kind = ContractKind.cdd.value
        return {
            "civility": {"1": Civility.monsieur.value, "2": Civility.madame.value}.get(sex, ""),
            "last_name": declared["last_name"],
            "birth_name": declared["birth_name"],
            "first_names": declared["first_names"],
            "birth_date": declared["birth_date"] or "",
            "nir": full_nir(nir) if nir else "",
            "professional_status": "C" if self._details.get("executive") else "NC",
            "scheme": "RL" if self._details.get("local_scheme") else "RG",
            "contract_kind": contract_kind,
            "hired_on": self._row["on_day"].isoformat(),
        }

    # --- ends and suspensions

    async def _end(self, ends_on: str, reason: str, automatic: bool) -> Effect:
        right = await self._right()
        last = date.fromisoformat(ends_on)
        if automatic:
            stands = await self._connection.fetchrow(dsn.END_OF, right.id)
            if stands is not None and (stands["contract_ends_on"], stands["reason"]) != (last, reason):
                raise DecisionRefused("end_differs")
        # Contracts that follow each other count as one: the cover began with the first of them.
        began_on = min(date.fromisoformat(self._details["contract"]["began_on"]), right.hired_on)
        end = EndOfContract(began_on, last, reason, in_doubt="refused" in self._details)
        try:
            facts = await coverage_changes.declare_end(self._connection, right.id, end, Origin.dsn, self._actor)
        except EndRefused as why:
            raise DecisionRefused(why.code) from None
        if (former := self._row["former_id"]) is not None:
            outcome = self._row["outcome"]
            await self._connection.execute(dsn.PUT_BACK, former, "superseded", outcome)
        return self._so_already() if facts is None else self._effect(facts)

    async def _cancel_end(self) -> Effect:
        """Of that contract: what the cancelled end's day is, the DSN does not say for certain."""
        right = await self._right()
        try:
            facts = await coverage_changes.cancel_end(self._connection, right.id, None, Origin.dsn, self._actor)
        except EndRefused as why:
            raise DecisionRefused(why.code) from None
        row = self._row
        ends = await self._connection.fetch(dsn.APPLIED_ENDS, row["company_id"], row["person_index"], row["subject"])
        for end in ends:
            await self._connection.execute(dsn.PUT_BACK, end["id"], "reversed", "cancelled")
        if facts is None:
            return self._so_already()
        return self._effect(facts, details={"undid": str(ends[0]["id"])} if ends else {})

    async def _suspend(self, row: asyncpg.Record) -> Effect:
        """Whether the cover is kept, as the person pays, staff then say of the coverage."""
        right = await self._right()
        last = row["details"].get("last_day")
        try:
            facts = await coverage_changes.suspend(
                self._connection,
                right.id,
                row["reason"],
                row["on_day"],
                date.fromisoformat(last) if last else None,
                None,
                Origin.dsn,
                self._actor,
            )
        except EndRefused as why:
            raise DecisionRefused(why.code) from None
        return self._so_already() if facts is None else self._effect(facts)

    async def _cancel_suspension(self) -> Effect:
        right = await self._right()
        first = self._row["on_day"]
        try:
            facts = await coverage_changes.cancel_suspension(self._connection, right.id, first, Origin.dsn, self._actor)
        except EndRefused as why:
            raise DecisionRefused(why.code) from None
        return self._so_already() if facts is None else self._effect(facts)

    # --- places, dependants, identities

    async def _move(self) -> Effect:
        """To the establishment that declares it now. What left for elsewhere is only seen: no DSN says where to."""
        if "former_siret" not in self._details:
            return self._effect(outcome="by_hand")
        right = await self._right()
        if right.establishment_id == self._row["establishment_id"]:
            return self._so_already()
        await self._connection.execute(dsn.MOVE_COVERAGE, right.id, self._row["establishment_id"])
        await self._tell_log("dsn.moved", "coverage", right.id)
        return self._effect(details={"moved_from": str(right.establishment_id)})

    async def _dependant(self) -> Effect:
        right = await self._right()
        text = self._declared()["dependant"]
        declared = DeclaredDependant(
            text["kind"],
            text["last_name"],
            text["first_names"],
            _day(text["birth_date"]),
            text["nir"],
            _day(text["began_on"]),
            _day(text["ended_on"]),
        )
        known = await self._connection.fetch(dsn.DEPENDANTS, [right.id])
        same = Proposals(self._cipher).same_dependant(known, declared)
        if declared.ended_on is not None:
            if same is None:
                return self._effect(state="unchanged", outcome="unknown_person")
            if same["ends_on"] == declared.ended_on:
                return self._so_already()
            await self._connection.execute(dsn.END_DEPENDANT, same["id"], declared.ended_on)
            await self._tell_log("dsn.dependant_ended", "coverage", right.id)
            return self._effect(details={"dependant_id": str(same["id"])})
        if same is not None:
            return self._so_already()
        kind = _DEPENDANTS.get(declared.kind)
        if kind is None or declared.birth_date is None:
            return self._effect(outcome="by_hand")
        number = uuid.uuid4()
        nir = full_nir(declared.nir) if declared.nir else None
        await self._connection.execute(
            dsn.ADD_DEPENDANT,
            right.id,
            number,
            kind,
            declared.last_name,
            declared.first_names,
            declared.birth_date,
            self._cipher.encrypt(nir, "dependant", "nir", str(number)) if nir else None,
            self._cipher.blind_index(nir, "nir") if nir else None,
        )
        await self._tell_log("dsn.dependant_added", "coverage", right.id)
        return self._effect(details={"dependant_id": str(number)})

    async def _identity(self) -> Effect:
        """The employer's number is known from now on, and what was wrong is corrected. Raises DecisionRefused."""
        if self._employee_id is None:
            raise DecisionRefused("unknown_person")
        declared, company_id = self._declared(), self._row["company_id"]
        employee = await self._connection.fetchrow(dsn.EMPLOYEE, self._employee_id)
        assert employee is not None, "changes of somebody who was erased are gone"
        corrected = await self._correct_nir(employee, declared)
        if declared["ntt"]:
            index = self._matcher.ntt_index(declared["ntt"])
            await self._connection.execute(dsn.KNOW_NUMBER, company_id, index, self._employee_id)
        names = {
            "last_name": declared["last_name"] if declared["former_name"] else employee["last_name"],
            "birth_name": declared["birth_name"] if declared["former_name"] else employee["birth_name"],
            "first_names": declared["first_names"] if declared["former_first_names"] else employee["first_names"],
        }
        born = employee["birth_date"]
        if declared["former_birth_date"] and declared["birth_date"]:
            born = date.fromisoformat(declared["birth_date"])
        if born != employee["birth_date"] or any(text != employee[name] for name, text in names.items()):
            corrected = True
            search = search_form(" ".join(names.values()))
            await self._connection.execute(dsn.CORRECT_EMPLOYEE, self._employee_id, *names.values(), born, search)
        if corrected:
            await self._tell_log("data.rectified", "employee", self._employee_id)
        return self._effect()

    async def _correct_nir(self, employee: asyncpg.Record, declared: dict[str, Any]) -> bool:
        """Only where the person was found otherwise: by the employer's number, or by the number that was wrong."""
        if not declared["nir"] or self._row["match"] not in (MatchKind.ntt, MatchKind.identity):
            return False
        nir, former = full_nir(declared["nir"]), employee["nir_index"]
        index = self._cipher.blind_index(nir, "nir")
        if index == former:
            return False
        company_id = self._row["company_id"]
        if await self._connection.fetchval(dsn.NIR_TAKEN, company_id, index, employee["id"]):
            raise DecisionRefused("two_people")
        sealed = self._cipher.encrypt(nir, "employee", "nir", str(employee["id"]))
        await self._connection.execute(dsn.CORRECT_NIR, employee["id"], sealed, index)
        await self._connection.execute(dsn.REKEY, company_id, former, index)
        return True

    # --- taking back

    async def _reverse(self) -> Effect:
        """What the former change did, undone; what nothing here can undo is left to staff, who confirmed it."""
        former = await self._connection.fetchrow(dsn.CHANGE, self._row["former_id"])
        if former is None or former["state"] != "applied":
            return self._so_already()
        effect = await self._undo(former)
        await self._connection.execute(dsn.PUT_BACK, former["id"], "reversed", "replaced")
        return effect

    async def _undo(self, former: asyncpg.Record) -> Effect:
        details = former["details"]
        match ChangeKind(former["kind"]):
            case ChangeKind.end | ChangeKind.affiliation_end:
                text = details["contract_ends_on"] if former["kind"] == ChangeKind.end else str(former["on_day"])
                right = await self._right()
                try:
                    facts = await coverage_changes.cancel_end(
                        self._connection, right.id, date.fromisoformat(text), Origin.dsn, self._actor
                    )
                except EndRefused as why:
                    raise DecisionRefused(why.code) from None
                return self._so_already() if facts is None else self._effect(facts)
            case ChangeKind.end_cancelled if "undid" in details:
                end = await self._connection.fetchrow(dsn.CHANGE, UUID(details["undid"]))
                if end is None:
                    return self._effect(outcome="by_hand")
                effect = await self._end(end["details"]["contract_ends_on"], end["reason"], automatic=False)
                await self._connection.execute(dsn.PUT_BACK, end["id"], "applied", "")
                return effect
            case ChangeKind.suspended:
                return await self._cancel_suspension()
            case ChangeKind.hire:
                gone = await self._connection.fetchval(dsn.WITHDRAW_HIRE_PROPOSAL, former["id"], self._actor.id)
                return self._effect(outcome="" if gone is not None else "by_hand")
            case ChangeKind.moved if "moved_from" in details:
                right = await self._right()
                await self._connection.execute(dsn.MOVE_COVERAGE, right.id, UUID(details["moved_from"]))
                await self._tell_log("dsn.moved", "coverage", right.id)
                return self._effect()
            case ChangeKind.dependant if "dependant_id" in details:
                right = await self._right()
                number = UUID(details["dependant_id"])
                if details["dependant"]["ended_on"] is None:
                    await self._connection.execute(dsn.END_DEPENDANT, number, former["on_day"])
                else:
                    await self._connection.execute(dsn.END_DEPENDANT, number, None)
                await self._tell_log("dsn.dependant_restored", "coverage", right.id)
                return self._effect()
            case _:
                return self._effect(outcome="by_hand")

    async def _tell_log(self, event: str, object_type: str, object_id: UUID) -> None:
        await audit.add(
            self._connection,
            event,
            self._actor,
            company_id=self._row["company_id"],
            object_type=object_type,
            object_id=object_id,
            details={"dsn_change": str(self._row["id"])},
        )


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
