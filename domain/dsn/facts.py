"""What a declaration says of an establishment's people: the rubriques that rights depend on, as values.

What cannot be understood is a doubt with its line: the person it concerns is for somebody to look at, the others go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from domain.dsn.blocks import (
    ADHESION,
    AFFILIATION,
    COMPANY,
    CONTRACT,
    CONTRACT_CHANGE,
    CONTRACT_END,
    DEPENDANT,
    ESTABLISHMENT,
    PERSON,
    PERSON_CHANGE,
    SUSPENSION,
    Block,
)
from domain.dsn.faults import Fault, FaultCode
from domain.dsn.reading import Declaration

_YES: Final = "01"
_NO: Final = "02"
_CANCELLED_SUSPENSION: Final = "998"
_FILLERS: Final = frozenset({"1999999999999", "2999999999999"})  # a dependant without a number
_LOCAL_SCHEME: Final = frozenset({"01", "03"})  # S21.G00.40.016: Alsace-Moselle


class Nature(StrEnum):
    """S20.G00.05.001: those that say something of rights; any other is kept and not acted upon."""

    monthly = "01"
    contract_end = "07"  # the fin de contrat de travail unique
    early_notice = "08"
    other = ""


class Kind(StrEnum):
    """S20.G00.05.002."""

    normal = "01"
    nobody = "02"
    replacing = "03"
    cancelling = "04"
    replacing_with_nobody = "05"


@dataclass(frozen=True, slots=True)
class Key:
    """What makes a declaration this one, however often it arrives (S20.G00.05): its establishment, nature, month,
    fraction, number and the day it was made."""

    siret: str
    nature: str
    month: date | None
    fraction: str
    order: str
    made_on: date

    @property
    def reference(self) -> str:
        """As S20.G00.05.006 of another names it: the day it was made and its number."""
        return f"{self.made_on:%d%m%Y}{self.order}"


@dataclass(frozen=True, slots=True)
class Adhesion:
    """A contract of the establishment with an insurer (S21.G00.15). `covered`: somebody is on it; None: untold."""

    reference: str
    organism: str
    delegate: str | None
    covered: bool | None


@dataclass(frozen=True, slots=True)
class End:
    """S21.G00.62. `on`: the last day in the company; `kept`: the affiliation goes on (62.016), nothing closes;
    `refused`: a permanent contract was offered after this one and refused (62.021), which may cost the benefit."""

    on: date
    reason: str
    kept: bool
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Suspension:
    """S21.G00.65; `cancelled`: one that was declared wrongly."""

    reason: str
    first: date
    last: date | None
    cancelled: bool


@dataclass(frozen=True, slots=True)
class DeclaredDependant:
    """S21.G00.73. One who is missing has not left: only `ended_on` says so."""

    kind: str  # 01 adult, 02 child, 03 other
    last_name: str
    first_names: str
    birth_date: date | None
    nir: str | None
    began_on: date | None
    ended_on: date | None


@dataclass(frozen=True, slots=True)
class DeclaredAffiliation:
    """S21.G00.70. `began_on`, `ended_on`: only where they are not those of the work contract."""

    adhesion: Adhesion
    option: str | None
    population: str | None
    began_on: date | None
    ended_on: date | None
    dependants: tuple[DeclaredDependant, ...]


@dataclass(frozen=True, slots=True)
class DeclaredContract:
    """S21.G00.40 with what changed of it (41): `former_*` name the contract it was before."""

    began_on: date
    number: str
    nature: str
    executive: bool
    local_scheme: bool
    end: End | None
    suspensions: tuple[Suspension, ...]
    affiliations: tuple[DeclaredAffiliation, ...]
    former_siret: str | None = None
    former_number: str | None = None
    former_began_on: date | None = None


@dataclass(frozen=True, slots=True)
class DeclaredPerson:
    """S21.G00.30 with what changed of it (31). `nir`: 13 characters, without its key; `ntt`: the employer's number for
    somebody without one. `birth_date` is None where a part of it is unknown."""

    line: int
    nir: str | None
    ntt: str | None
    birth_name: str
    last_name: str
    first_names: str
    birth_date: date | None
    former_nir: str | None
    former_name: str | None
    former_first_names: str | None
    former_birth_date: date | None
    contracts: tuple[DeclaredContract, ...]
    doubts: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """One declaration. `replaces`: the reference of the one it takes the place of, or takes back."""

    key: Key
    nature: Nature
    kind: Kind
    replaces: str | None
    siren: str
    siret: str
    idcc: str | None
    adhesions: tuple[Adhesion, ...]
    people: tuple[DeclaredPerson, ...]


class Unreadable(Exception):
    """A declaration without what identifies it: it is put aside."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.code)
        self.fault = fault


def facts_of(declaration: Declaration) -> Facts:
    """Raises Unreadable."""
    if declaration.fault is not None:
        raise Unreadable(declaration.fault)
    root = declaration.block
    company = _required(root, root.one(COMPANY), COMPANY)
    place = _required(company, company.one(ESTABLISHMENT), ESTABLISHMENT)
    siren, nic = _value(company, "001"), _value(place, "001")
    siret = siren + nic
    key = Key(
        siret,
        _value(root, "001"),
        _day(root, "005") if root.get("005") else None,
        root.get("003") or "11",
        _value(root, "004"),
        _day(root, "007"),
    )
    try:
        kind = Kind(_value(root, "002"))
    except ValueError:
        raise Unreadable(Fault(FaultCode.unknown_nature, root.line, found=_value(root, "002"))) from None
    adhesions = {block.get("005") or "": _adhesion(block) for block in place.all(ADHESION)}
    return Facts(
        key,
        Nature(key.nature) if key.nature in set(Nature) else Nature.other,
        kind,
        root.get("006"),
        siren,
        siret,
        place.get("022") or company.get("015"),
        tuple(adhesions.values()),
        tuple(_Person(block, adhesions).read() for block in place.all(PERSON)),
    )


def _adhesion(block: Block) -> Adhesion:
    covered = {_YES: True, _NO: False}.get(block.get("004") or "")
    return Adhesion(block.get("001") or "", block.get("002") or "", block.get("003"), covered)


class _Person:
    """One person, with the doubts that reading them brings up."""

    def __init__(self, block: Block, adhesions: dict[str, Adhesion]) -> None:
        self._block = block
        self._adhesions = adhesions
        self._doubts: list[Fault] = []

    def read(self) -> DeclaredPerson:
        block = self._block
        former: dict[str, str] = {}
        for change in block.all(PERSON_CHANGE):
            former |= change.values
        contracts = tuple(filter(None, map(self._contract, block.all(CONTRACT))))
        nir, ntt = block.get("001"), block.get("020")
        if nir is None and ntt is None:
            self._doubt(block, "001")
        if not contracts:
            self._doubt(block, CONTRACT)
        birth_name = block.get("002") or ""
        for name in (birth_name, block.get("004") or ""):
            if not name or "\ufffd" in name:
                self._doubt(block, "002")
                break
        return DeclaredPerson(
            line=block.line,
            nir=None if nir in _FILLERS else nir,
            ntt=ntt,
            birth_name=birth_name,
            last_name=block.get("003") or birth_name,
            first_names=block.get("004") or "",
            birth_date=self._birth_date(block, "006"),
            former_nir=former.get("008"),
            former_name=former.get("009"),
            former_first_names=former.get("010"),
            former_birth_date=_date(former.get("011")),
            contracts=contracts,
            doubts=tuple(self._doubts),
        )

    def _contract(self, block: Block) -> DeclaredContract | None:
        began_on = self._date(block, "001")
        if began_on is None:
            self._doubt(block, "001")
            return None
        changed: dict[str, str] = {}
        for change in block.all(CONTRACT_CHANGE):
            changed |= change.values
        ending = block.one(CONTRACT_END)
        return DeclaredContract(
            began_on=began_on,
            number=block.get("009") or "",
            nature=block.get("007") or "",
            executive=block.get("003") in ("01", "02"),
            local_scheme=block.get("016") in _LOCAL_SCHEME,
            end=self._end(ending) if ending is not None else None,
            suspensions=tuple(filter(None, map(self._suspension, block.all(SUSPENSION)))),
            affiliations=tuple(filter(None, map(self._affiliation, block.all(AFFILIATION)))),
            former_siret=changed.get("012"),
            former_number=changed.get("014"),
            former_began_on=_date(changed.get("021")),
        )

    def _end(self, block: Block) -> End | None:
        on, reason = self._date(block, "001"), block.get("002")
        if on is None or reason is None:
            self._doubt(block, "001" if on is None else "002")
            return None
        return End(on, reason, block.get("016") == _YES, block.get("021") == _YES)

    def _suspension(self, block: Block) -> Suspension | None:
        reason, first = block.get("001"), self._date(block, "002")
        if reason is None or first is None:
            self._doubt(block, "001" if reason is None else "002")
            return None
        return Suspension(reason, first, self._date(block, "003"), reason == _CANCELLED_SUSPENSION)

    def _affiliation(self, block: Block) -> DeclaredAffiliation | None:
        adhesion = self._adhesions.get(block.get("013") or "")
        if adhesion is None:
            self._doubt(block, "013")
            return None
        return DeclaredAffiliation(
            adhesion,
            block.get("004"),
            block.get("005"),
            self._date(block, "014"),
            self._date(block, "015"),
            tuple(self._dependant(each) for each in block.all(DEPENDANT)),
        )

    def _dependant(self, block: Block) -> DeclaredDependant:
        nir = block.get("007")
        return DeclaredDependant(
            block.get("003") or "03",
            block.get("006") or "",
            block.get("009") or "",
            self._birth_date(block, "005"),
            None if nir in _FILLERS else nir,
            self._date(block, "004"),
            self._date(block, "011"),
        )

    def _date(self, block: Block, rubrique: str) -> date | None:
        text = block.get(rubrique)
        day = _date(text)
        if text is not None and day is None:
            self._doubt(block, rubrique)
        return day

    def _birth_date(self, block: Block, rubrique: str) -> date | None:
        """None also where the day or the month is unknown (99)."""
        text = block.get(rubrique) or ""
        if len(text) == 8 and "99" in (text[:2], text[2:4]):
            return None
        return self._date(block, rubrique)

    def _doubt(self, block: Block, what: str) -> None:
        self._doubts.append(Fault(FaultCode.incomplete, block.line, f"{block.code}.{what}" if len(what) == 3 else what))


def _required(within: Block, found: Block | None, code: str) -> Block:
    if found is None:
        raise Unreadable(Fault(FaultCode.incomplete, within.line, code))
    return found


def _value(block: Block, rubrique: str) -> str:
    value = block.get(rubrique)
    if value is None:
        raise Unreadable(Fault(FaultCode.incomplete, block.line, f"{block.code}.{rubrique}"))
    return value


def _day(block: Block, rubrique: str) -> date:
    day = _date(_value(block, rubrique))
    if day is None:
        raise Unreadable(Fault(FaultCode.incomplete, block.line, f"{block.code}.{rubrique}"))
    return day


def _date(text: str | None) -> date | None:
    """JJMMAAAA; None where it is none."""
    if text is None or len(text) != 8 or not text.isdecimal():
        return None
    try:
        return date(int(text[4:]), int(text[2:4]), int(text[:2]))
    except ValueError:
        return None
