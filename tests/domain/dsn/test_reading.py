from __future__ import annotations

import contextlib
import io
import random
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.dsn.blocks import AFFILIATION, COMPANY, CONTRACT, CONTRACT_END, DEPENDANT, ESTABLISHMENT, PERSON, Block
from domain.dsn.faults import FaultCode, Faulty
from domain.dsn.reading import PEOPLE_AT_ONCE, Declaration, declarations, survey
from tests.domain.dsn.files import Monthly, block, contract, envoi, lot, person, written

CHILD = block("S21.G00.73", r003="02", r004="01032015", r006="D'ALMEIDA", r009="LÉO")


def read(source: io.BytesIO, *, tests: bool = False) -> list[Declaration]:
    return list(declarations(source, survey(source, tests=tests)))


def faults(source: io.BytesIO) -> list[FaultCode]:
    with pytest.raises(Faulty) as refused:
        survey(source)
    return [fault.code for fault in refused.value.faults]


def people(one: Declaration) -> list[Block]:
    company = one.block.one(COMPANY)
    assert company is not None
    place = company.one(ESTABLISHMENT)
    assert place is not None
    return list(place.all(PERSON))


def test_a_declaration_is_a_tree() -> None:
    two_jobs = person(contract(dependants=[CHILD]), contract(number="CT0003", end="20042026"))
    (one,) = read(written(envoi(Monthly([two_jobs, person(contract(), name="SILVA", nir="2010799999017")]))))
    first, second = people(one)
    assert (first.get("002"), second.get("002")) == ("D'ALMEIDA", "SILVA")
    assert first.get("008") == "2 RUE DE L'ÉGLISE, BÂTIMENT B", "apostrophes and commas are part of a value"
    jobs = list(first.all(CONTRACT))
    assert [job.get("009") for job in jobs] == ["CT0002", "CT0003"]
    assert [job.one(CONTRACT_END) is None for job in jobs] == [True, False]
    affiliation = jobs[0].one(AFFILIATION)
    assert affiliation is not None
    assert [child.get("009") for child in affiliation.all(DEPENDANT)] == ["LÉO"]
    assert (one.fault, one.block.get("005")) == (None, "01042026")


@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("ending", ["\r\n", "\n"])
def test_encodings_and_line_ends_make_no_difference(encoding: str, ending: str) -> None:
    (one,) = read(
        written(
            envoi(Monthly([person(contract(), name="L’ÉTÉ" if encoding != "iso-8859-1" else "ÉTÉ")])), encoding, ending
        )
    )
    assert people(one)[0].get("002") in ("L’ÉTÉ", "ÉTÉ")


def test_a_last_line_without_its_end_blank_lines_and_blanks_around_values_do_not_matter() -> None:
    content = written(envoi(Monthly([person(contract())]))).getvalue()
    loose = content.rstrip().replace(b"S21.G00.30.006,'12061975'", b"\r\n  S21.G00.30.006 , '12061975 '  ")
    (one,) = read(io.BytesIO(loose))
    assert people(one)[0].get("006") == "12061975"


def test_an_empty_value_is_none() -> None:
    odd = [*person(contract())]
    odd.insert(1, ("S21.G00.30.003", ""))
    odd[1], odd[2] = odd[2], odd[1]
    (one,) = read(written(envoi(Monthly([odd]))))
    assert people(one)[0].get("003") is None


def test_several_establishments_in_several_envois_of_a_lot() -> None:
    first = envoi(Monthly([person(contract())]), Monthly([], nic="00026", type="02", order="2"))
    second = envoi(
        Monthly([person(contract())], order="3"), extra=block("S10.G00.95", r008="20260505101500", r900="FLUX1")
    )
    found = read(written(lot(first, second)))
    assert [(one.envoi.number, one.block.get("004")) for one in found] == [(1, "202604001"), (1, "2"), (2, "3")]
    assert [len(people(one)) for one in found] == [1, 0, 1]
    routing = found[-1].envoi.head.one("S10.G00.95")
    assert routing is not None
    assert routing.get("900") == "FLUX1"


def test_what_a_norm_to_come_brings_is_kept_and_disturbs_nothing() -> None:
    odd = person(contract())
    odd[3:3] = [("S21.G00.39.001", "X"), ("S21.G00.39.002", "Y"), ("S21.G00.39.001", "Z")]
    odd.insert(2, ("S21.G00.30.903", "AU-DELÀ"))
    odd[2], odd[1] = odd[1], odd[2]
    monthly = Monthly([person(contract()), odd], between=[("S20.G00.96.902", "1")])
    (one,) = read(written(envoi(monthly, norm="P31V07")))
    found = people(one)[1]
    assert [kept.values for kept in found.all("S21.G00.39")] == [{"001": "X", "002": "Y"}, {"001": "Z"}]
    assert len(list(found.all(CONTRACT))) == 1
    assert one.fault is None


def test_a_block_without_the_one_it_stands_under_puts_its_declaration_aside_and_the_others_go_on() -> None:
    orphan = contract(end="20042026")  # no S21.G00.30 before it
    found = read(written(envoi(Monthly([orphan]), Monthly([person(contract())], order="2"))))
    assert [one.fault.code if one.fault else None for one in found] == [FaultCode.misordered, None]
    assert found[0].fault is not None
    assert (found[0].fault.expected, found[0].fault.found) == (PERSON, CONTRACT)
    assert len(people(found[1])) == 1


# --- files that are refused whole


def test_nothing_at_all_and_something_else_are_no_dsn() -> None:
    assert faults(io.BytesIO(b"")) == [FaultCode.empty]
    assert faults(io.BytesIO(b"Nom;Prenom\nMartin;Camille\n")) == [FaultCode.not_dsn] * 2
    assert faults(io.BytesIO(b"\r\n\n")) == [FaultCode.empty]


def test_a_file_that_was_cut_is_refused_wherever_it_was() -> None:
    whole = written(lot(envoi(Monthly([person(contract())])), envoi(Monthly([person(contract())])))).getvalue()
    ends = [place + 2 for place in range(len(whole)) if whole.startswith(b"\r\n", place)]
    for end in ends[:-1]:
        kept = whole[:end]
        if kept.rstrip().endswith((b"S90.G00.90.002,'1'",)) or b"S96" in kept:
            continue  # an envoi is whole, what is cut is the lot around it
        if b"S10" in kept:
            assert FaultCode.truncated in faults(io.BytesIO(kept)), kept[-40:]


def test_wrong_totals_name_what_was_counted() -> None:
    lines = envoi(Monthly([person(contract())]))
    for place, code in ((-2, FaultCode.wrong_rubrique_count), (-1, FaultCode.wrong_declaration_count)):
        wrong = list(lines)
        wrong[place] = (wrong[place][0], "7")
        with pytest.raises(Faulty) as refused:
            survey(written(wrong))
        (fault,) = refused.value.faults
        assert (fault.code, fault.expected, fault.line) == (code, "7", len(lines))
    assert fault.found == "1"


def test_totals_may_begin_with_zeros() -> None:
    lines = envoi(Monthly([person(contract())]))
    lines[-2:] = [(code, value.zfill(9)) for code, value in lines[-2:]]
    assert len(read(written(lines))) == 1


def test_a_line_in_the_middle_that_is_none_is_told_by_its_number() -> None:
    content = (
        written(envoi(Monthly([person(contract())])))
        .getvalue()
        .replace(b"S21.G00.40.009,'CT0002'", b"S21.G00.40.009;CT0002")
    )
    with pytest.raises(Faulty) as refused:
        survey(io.BytesIO(content))
    number = content[: content.index(b";CT0002")].count(b"\n") + 1
    assert (refused.value.faults[0].code, refused.value.faults[0].line) == (FaultCode.malformed_line, number)


def test_tests_are_refused_unless_they_are_asked_for() -> None:
    marked = envoi(Monthly([person(contract())]), test=True)
    assert faults(written(marked)) == [FaultCode.test_file]
    assert len(read(written(marked), tests=True)) == 1


def test_what_stands_in_no_envoi_is_told() -> None:
    assert FaultCode.outside_envoi in faults(written([*envoi(Monthly()), ("S21.G00.30.001", "2750675990001")]))


# --- anything at all


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    with contextlib.suppress(Faulty):
        read(io.BytesIO(content), tests=True)


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 6))
def test_lines_lost_doubled_or_exchanged_are_refused_or_read_but_never_break(seed: int, times: int) -> None:
    chance = random.Random(seed)
    lines = envoi(
        Monthly([person(contract(dependants=[CHILD], end="20042026"))]), Monthly([person(contract())], order="2")
    )
    for _ in range(times):
        one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
        match chance.randrange(3):
            case 0:
                lines[one], lines[other] = lines[other], lines[one]
            case 1:
                lines.insert(one, lines[other])
            case _:
                del lines[one]
    with contextlib.suppress(Faulty):
        for found in read(written(lines)):
            assert found.last_line >= found.block.line


def test_one_endless_line_is_refused_in_little_memory() -> None:
    endless = io.BytesIO(b"S21.G00.30.001,'" + b"9" * 20_000_000)
    tracemalloc.start()
    try:
        assert faults(endless) != []
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def test_a_declaration_of_many_people_comes_in_parts_that_have_them_all() -> None:
    many = 2 * PEOPLE_AT_ONCE + 1
    crowd = [person(contract(), name=f"N{n}") for n in range(many)]
    source = written(envoi(Monthly(crowd), Monthly([person(contract())], order="2")))
    names, shape = [], []
    for one in declarations(source, survey(source)):
        names += [found.get("002") for found in people(one)]
        shape.append((one.block.get("004"), one.part, one.complete, one.block.line))
    assert names == [*(f"N{n}" for n in range(many)), "D'ALMEIDA"]
    first, last = shape[0][3], shape[-1][3]
    order = "202604001"
    assert shape == [(order, 0, False, first), (order, 1, False, first), (order, 2, True, first), ("2", 0, True, last)]


def test_reading_may_begin_at_any_declaration() -> None:
    source = written(lot(envoi(Monthly([person(contract())]), Monthly([], order="2")), envoi(Monthly([], order="3"))))
    surveyed = survey(source)
    whole = list(declarations(source, surveyed))
    for place, one in enumerate(whole):
        rest = list(declarations(source, surveyed, one.block.line))
        assert [(found.block.get("004"), found.envoi.number) for found in rest] == [
            (found.block.get("004"), found.envoi.number) for found in whole[place:]
        ]
