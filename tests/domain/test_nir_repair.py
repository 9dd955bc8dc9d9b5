"""A NIR that a spreadsheet or a payroll list has spoilt is restored where it can be known, and said lost otherwise."""

from __future__ import annotations

from datetime import date

import pytest

from domain.identifiers import NIR_EXAMPLE, Civility, parse_nir
from domain.nir_repair import NirState, repair_nir
from domain.synthetic import synthetic_nir

BODY = NIR_EXAMPLE[:13]
CORSICAN = synthetic_nir(Civility.monsieur, date(1985, 5, 3), "2A")
ZERO_KEY = next(
    nir for order in range(1, 300) if (nir := synthetic_nir(Civility.madame, date(1990, 1, 1), order=order))[13] == "0"
)


@pytest.mark.parametrize(
    ("written", "state", "nir"),
    [
        (NIR_EXAMPLE, NirState.as_typed, NIR_EXAMPLE),
        ("2 75 06 75 990 001 97", NirState.as_typed, NIR_EXAMPLE),
        ("2.75.06.75.990.001-97", NirState.as_typed, NIR_EXAMPLE),
        (CORSICAN.lower(), NirState.as_typed, CORSICAN),
        (f"'{NIR_EXAMPLE}", NirState.as_typed, NIR_EXAMPLE),
        (f"{NIR_EXAMPLE}.0", NirState.restored, NIR_EXAMPLE),
        (f"{NIR_EXAMPLE},00", NirState.restored, NIR_EXAMPLE),
        (f"NIR : {NIR_EXAMPLE}", NirState.restored, NIR_EXAMPLE),
        ("2,75067599000197E+14", NirState.restored, NIR_EXAMPLE),
        ("2.75067599000197e14", NirState.restored, NIR_EXAMPLE),
        (NIR_EXAMPLE.replace("0", "O"), NirState.restored, NIR_EXAMPLE),
        (ZERO_KEY[:13] + ZERO_KEY[14], NirState.restored, ZERO_KEY),
        (BODY, NirState.proposed, NIR_EXAMPLE),
        (CORSICAN[:13], NirState.proposed, CORSICAN),
        ("2,75068E+14", NirState.lost, "2,75068E+14"),
        ("1,85057E+14", NirState.lost, "1,85057E+14"),
        ("2,75067599001E+14", NirState.lost, "2,75067599001E+14"),
        ("275068000000000", NirState.lost, "275068000000000"),
        (BODY + "11", NirState.as_typed, BODY + "11"),
        ("demain", NirState.as_typed, "demain"),
        ("", NirState.as_typed, ""),
    ],
)
def test_what_was_written_is_restored_or_said_lost(written: str, state: NirState, nir: str) -> None:
    repaired = repair_nir(written)
    assert (repaired.state, repaired.nir) == (state, nir)
    assert bool(repaired.why) is (state is not NirState.as_typed)
    if state in (NirState.restored, NirState.proposed):
        assert parse_nir(repaired.nir) == nir


@pytest.mark.parametrize(
    ("key", "state"), [("97", NirState.restored), ("97.0", NirState.restored), ("11", NirState.as_typed)]
)
def test_a_key_in_a_column_of_its_own_is_added_and_a_wrong_one_is_not_corrected(key: str, state: NirState) -> None:
    repaired = repair_nir(BODY, key)
    assert (repaired.state, repaired.nir) == (state, BODY + key[:2])


def test_a_key_that_lost_its_zero_in_its_own_column_has_it_again() -> None:
    assert repair_nir(ZERO_KEY[:13], ZERO_KEY[14]).nir == ZERO_KEY
