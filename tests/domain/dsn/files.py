"""DSN files as payroll software writes them, of invented companies and people."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from domain.dsn.blocks import DECLARATION, ENVOI
from domain.synthetic import synthetic_siren

Rubriques = Sequence[tuple[str, str]]  # code with its rubrique, value

SIREN = synthetic_siren(61)
ADHESION = "HCRSANTE0001"
ORGANISM = "P9999"


def block(code: str, **values: str) -> list[tuple[str, str]]:
    """`block("S21.G00.30", r001="…")`, in the order of the numbers."""
    return [(f"{code}.{name[1:]}", values[name]) for name in sorted(values)]


@dataclass
class Monthly:
    """One declaration of one establishment."""

    people: Sequence[Rubriques] = ()
    month: str = "01042026"
    nature: str = "01"
    type: str = "01"
    fraction: str = "11"
    order: str = "202604001"
    made_on: str = "05052026"
    replaces: str = ""
    siren: str = SIREN
    nic: str = "00018"
    covered: str = "01"
    between: Rubriques = ()  # what a platform or a norm to come puts after the declaration's own rubriques

    def rubriques(self) -> list[tuple[str, str]]:
        own = {"r001": self.nature, "r002": self.type, "r003": self.fraction, "r004": self.order}
        if self.nature == "01":
            own["r005"] = self.month
        if self.replaces:
            own["r006"] = self.replaces
        adhesion = {"r001": ADHESION, "r002": ORGANISM, "r003": "IGEST1", "r005": "100"}
        if self.nature == "01":
            adhesion["r004"] = self.covered
        lines = block(DECLARATION, **own, r007=self.made_on, r008="01")
        lines += self.between
        lines += block("S21.G00.06", r001=self.siren, r002=self.nic, r015="1979")
        lines += block("S21.G00.11", r001=self.nic, r002="5610A", r022="1979")
        lines += block("S21.G00.15", **adhesion)
        for person in self.people:
            lines += person
        return lines


def head(*, test: bool = False, norm: str = "P26V01", extra: Rubriques = ()) -> list[tuple[str, str]]:
    return [
        *block(
            ENVOI, r001="PAIE FICTIVE", r002="EDITEUR", r003="1.0", r005="01" if test else "02", r006=norm, r008="01"
        ),
        *block("S10.G00.01", r001=SIREN, r002="00018"),
        *block("S10.G00.02", r001="01", r002="NOM FICTIF"),
        *extra,
    ]


def envoi(*declared: Monthly, test: bool = False, norm: str = "P26V01", extra: Rubriques = ()) -> list[tuple[str, str]]:
    """With its totals."""
    lines = head(test=test, norm=norm, extra=extra)
    for one in declared:
        lines += one.rubriques()
    return [*lines, ("S90.G00.90.001", str(len(lines) + 2)), ("S90.G00.90.002", str(len(declared)))]


def lot(*envois: Rubriques, number: str = "769608") -> list[tuple[str, str]]:
    """As an insurer receives them."""
    lines = block(
        "S05.G51.00", r001="V01R02", r002=number, r003="01", r004="05052026", r005="101500", r006=str(len(envois))
    )
    lines += [("S06.G51.00.001", "DSNOK")]
    for one in envois:
        lines += one
    lines += block("S96.G51.00", r001="FINSL", r002=str(len(envois)))
    for empty in ("FP-KO", "CT-KO", "AUTRE"):
        lines += [("S06.G51.00.001", empty), *block("S96.G51.00", r001="FINSL", r002="0")]
    return [*lines, *block("S95.G51.00", r001=number, r002=str(len(envois)))]


def written(rubriques: Iterable[tuple[str, str]], encoding: str = "iso-8859-1", ending: str = "\r\n") -> io.BytesIO:
    text = ending.join(f"{code},'{value}'" for code, value in rubriques)
    return io.BytesIO((text + ending).encode(encoding))


def person(
    *contracts: Rubriques,
    name: str = "D'ALMEIDA",
    first_names: str = "LÉA",
    nir: str = "2750675990001",
    born: str = "12061975",
) -> list[tuple[str, str]]:
    lines = block("S21.G00.30", r001=nir, r002=name, r004=first_names, r006=born, r008="2 RUE DE L'ÉGLISE, BÂTIMENT B")
    for one in contracts:
        lines += one
    return lines


def contract(
    *,
    start: str = "15102025",
    number: str = "CT0002",
    end: str = "",
    reason: str = "031",
    kept: bool = False,
    refused: bool = False,
    dependants: Sequence[Rubriques] = (),
    affiliated: bool = True,
) -> list[tuple[str, str]]:
    lines = block("S21.G00.40", r001=start, r002="06", r003="04", r007="02", r009=number, r016="99", r017="1979")
    if end:
        lines += block(
            "S21.G00.62",
            r001=end,
            r002=reason,
            **({"r016": "01"} if kept else {}),
            **({"r021": "01"} if refused else {}),
        )
    if affiliated:
        lines += block("S21.G00.70", r005="NC", r012="1", r013="100")
        for one in dependants:
            lines += one
    return lines


def day(text: str) -> date:
    """JJMMAAAA."""
    return date(int(text[4:]), int(text[2:4]), int(text[:2]))
