"""DSN files looked through and recorded: once, whatever happens on the way."""

from __future__ import annotations

import io
from datetime import date

import pytest

from activities.contracts.dsn import DsnBatch, DsnStep
from activities.dsn_reading import MOST_PEOPLE
from domain.dsn.reading import PEOPLE_AT_ONCE
from domain.identifiers import Civility
from domain.synthetic import synthetic_nir, synthetic_siren
from tests.domain.dsn.files import Monthly, Rubriques, contract, envoi, lot, written
from tests.dsn.importing import Desk, declared_by, somebody
from tests.insuring import add_insured
from tests.world import World

BORN = date(1975, 6, 12)
NIR = synthetic_nir(Civility.madame, BORN)
OTHER = synthetic_nir(Civility.madame, BORN, order=2)
NEW = contract(start="13042026")


def broken(lines: list[tuple[str, str]]) -> dict[str, io.BytesIO]:
    without_end = written(lines[:-2])
    wrong = [*lines[:-2], (lines[-2][0], "7"), lines[-1]]
    short = [*lines[:-1], (lines[-1][0], "3")]
    return {
        "truncated": without_end,
        "wrong_rubrique_count": written(wrong),
        "wrong_declaration_count": written(short),
        "not_dsn": io.BytesIO(b"Nom;Prenom\nMartin;Camille\n"),
        "malformed_line": io.BytesIO(written(lines).getvalue().replace(b"S21.G00.40.009,", b"S21.G00.40.009;")),
    }


@pytest.mark.parametrize("code", list(broken(envoi(Monthly([somebody(NIR, NEW)])))))
async def test_a_file_that_is_wrong_is_refused_whole_with_its_faults_and_lines(desk: Desk, code: str) -> None:
    employer = await desk.world.employer()
    source = broken(envoi(declared_by(employer)(somebody(NIR, NEW))))[code]
    import_id = await desk.receive(source)
    surveyed = await desk.importer.survey(DsnStep(str(import_id)))
    assert surveyed.refused
    [row] = await desk.world.run("SELECT state, faults, finished_at FROM dsn_import WHERE id = $1", import_id)
    assert (row["state"], row["faults"][0]["code"]) == ("refused", code)
    assert row["faults"][0]["line"] > 0
    assert row["finished_at"] is not None
    assert await desk.declarations(import_id) == []
    assert (await desk.importer.survey(DsnStep(str(import_id)))).refused, "once more, as after a crash"


async def test_a_file_marked_as_a_test_is_refused(desk: Desk) -> None:
    import_id = await desk.receive(written(envoi(Monthly([somebody(NIR, NEW)]), test=True)))
    assert (await desk.importer.survey(DsnStep(str(import_id)))).refused


async def test_a_refused_file_may_come_again_and_a_read_one_is_known(desk: Desk) -> None:
    employer = await desk.world.employer()
    wrong = broken(envoi(declared_by(employer)(somebody(NIR, NEW))))["truncated"]
    first = await desk.receive(wrong)
    assert (await desk.importer.survey(DsnStep(str(first)))).refused
    assert await desk.receive(wrong) != first
    good = written(envoi(declared_by(employer)(somebody(NIR, NEW))))
    assert await desk.receive(good) == await desk.receive(good)


async def test_a_hire_is_proposed_of_a_person_nobody_pre_affiliated(desk: Desk) -> None:
    employer = await desk.world.employer()
    import_id = await desk.read(declared_by(employer)(somebody(NIR, NEW, name="D'ALMEIDA", first_names="LÉA")))
    assert await desk.states(employer) == [("hire", "automatic", "applied")]
    [proposal] = await desk.world.run("SELECT * FROM hire_proposal WHERE company_id = $1", employer.company_id)
    assert (proposal["state"], proposal["began_on"]) == ("open", date(2026, 4, 13))
    assert desk.opened("hire_proposal", proposal) == {
        "civility": "MME",
        "last_name": "D'ALMEIDA",
        "birth_name": "D'ALMEIDA",
        "first_names": "LÉA",
        "birth_date": "1975-06-12",
        "nir": NIR,
        "professional_status": "NC",
        "scheme": "RG",
        "contract_kind": "cdd",
        "hired_on": "2026-04-13",
    }
    [row] = await desk.world.run("SELECT * FROM dsn_declaration WHERE import_id = $1", import_id)
    assert (row["state"], row["people"], row["doubtful"], row["ours"]) == ("recorded", 1, 0, True)
    assert (await desk.importer.finish(DsnStep(str(import_id)))).state == "applied"


async def test_the_same_declaration_in_another_file_and_twice_in_one_counts_once(desk: Desk) -> None:
    employer = await desk.world.employer()
    one = declared_by(employer)(somebody(NIR, NEW))
    first = await desk.read(one)
    again = await desk.read(source=written(envoi(one), ending="\n"))
    assert again != first
    assert await desk.declarations(again) == ["duplicate"]
    twice = declared_by(employer)(somebody(NIR, NEW), order="202604077")
    assert await desk.declarations(await desk.read(twice, twice)) == ["recorded", "duplicate"]
    assert len(await desk.changes(employer)) == 1


async def test_fractions_are_declarations_of_their_own(desk: Desk) -> None:
    employer = await desk.world.employer()
    monthly = declared_by(employer)
    found = await desk.read(monthly(somebody(NIR, NEW), fraction="12"), monthly(somebody(OTHER, NEW), fraction="22"))
    assert await desk.declarations(found) == ["recorded", "recorded"]
    assert len(await desk.changes(employer)) == 2


async def test_a_foreign_establishment_is_counted_and_nothing_of_its_people_is_kept(desk: Desk) -> None:
    employer = await desk.world.employer()
    foreign = Monthly([somebody(NIR, NEW)], siren=synthetic_siren(99_998), nic="00018")
    found = await desk.read(foreign, declared_by(employer)(somebody(OTHER, NEW)))
    assert await desk.declarations(found) == ["foreign", "recorded"]
    [row] = await desk.world.run("SELECT * FROM dsn_declaration WHERE import_id = $1 AND number = 1", found)
    assert (row["company_id"], row["people"]) == (None, 0)
    assert await desk.world.run("SELECT FROM dsn_change WHERE declaration_id = $1", row["id"]) == []


async def test_a_poisoned_declaration_is_set_aside_with_its_fault_and_the_others_go_on(desk: Desk) -> None:
    employer = await desk.world.employer()
    monthly = declared_by(employer)
    orphan = monthly(contract(end="20042026"), order="2")  # a contract of nobody
    unkept = monthly(somebody(NIR, contract(start="13042026", number="A\0B")), order="3")  # nothing keeps a NUL
    far = monthly(somebody(NIR, NEW), order="4", made_on="31022026")
    endless = monthly(somebody(NIR, contract(end="31129999")), order="6")
    good = monthly(somebody(NIR, NEW)), monthly(somebody(OTHER, NEW), order="5")
    found = await desk.read(good[0], orphan, unkept, far, endless, good[1])
    assert await desk.declarations(found) == ["recorded", *["set_aside"] * 4, "recorded"]
    rows = await desk.world.run("SELECT fault FROM dsn_declaration WHERE import_id = $1 ORDER BY number", found)
    assert [row["fault"] and row["fault"]["code"] for row in rows] == [
        *(None, "misordered", "unusable", "incomplete", "unusable", None)
    ]
    assert len(await desk.changes(employer)) == 2


async def test_a_name_that_no_encoding_explains_is_a_doubt_with_its_line_and_the_others_go_on(desk: Desk) -> None:
    employer = await desk.world.employer()
    content = written(envoi(declared_by(employer)(somebody(NIR, NEW, name="X?X"), somebody(OTHER, NEW)))).getvalue()
    found = await desk.read(source=io.BytesIO(content.replace(b"X?X", b"X\x81X")))
    [row] = await desk.world.run("SELECT * FROM dsn_declaration WHERE import_id = $1", found)
    assert (row["people"], row["doubtful"], len(row["doubts"])) == (2, 1, 1)
    assert row["doubts"][0]["line"] > row["first_line"]
    assert len(await desk.changes(employer)) == 1


async def test_a_file_killed_half_way_goes_on_where_it_was_without_a_double(desk: Desk) -> None:
    employers = [await desk.world.employer() for _ in range(3)]
    declared = [declared_by(employer)(somebody(NIR, NEW)) for employer in employers]
    import_id = await desk.receive(written(lot(*(envoi(one) for one in declared))))
    await desk.importer.survey(DsnStep(str(import_id)))
    hasty = desk.reading(batch_seconds=0.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("activities.dsn_reading.MOST_DECLARATIONS", 1)
        first = await hasty.record(DsnBatch(str(import_id), 0))
        assert (first.last, first.done, first.recorded) == (1, False, 1)
        second = await hasty.record(DsnBatch(str(import_id), 0))  # the answer of the first was lost
        assert (second.last, second.recorded) == (2, 2)
    counts = await desk.record(import_id)
    assert (counts.last, counts.done, counts.recorded, counts.changes) == (3, True, 3, 3)
    assert await desk.record(import_id) == counts
    for employer in employers:
        assert len(await desk.changes(employer)) == 1


def crowd(many: int) -> list[Rubriques]:
    return [
        somebody(synthetic_nir(Civility.madame, BORN, f"{n // 900 + 1:02}", n % 900 + 1), NEW, first_names=f"P{n}")
        for n in range(many)
    ]


async def test_a_declaration_too_large_for_one_piece_is_one_all_the_same(desk: Desk) -> None:
    many = MOST_PEOPLE + PEOPLE_AT_ONCE + 1
    employer = await desk.world.employer()
    import_id = await desk.receive(written(envoi(declared_by(employer)(*crowd(many)))))
    recording = await desk.record(import_id)
    assert (recording.recorded, recording.changes) == (1, many)
    [row] = await desk.world.run("SELECT * FROM dsn_declaration WHERE import_id = $1", import_id)
    assert (row["people"], row["state"]) == (many, "recorded")
    assert await desk.record(import_id) == recording


async def test_a_large_declaration_that_is_wrong_at_its_end_leaves_nothing(desk: Desk) -> None:
    employer = await desk.world.employer()
    declared = declared_by(employer)(*crowd(PEOPLE_AT_ONCE + 2), [("S21.G00.63.001", "90")])
    found = await desk.read(declared)
    assert await desk.declarations(found) == ["set_aside"]
    assert await desk.changes(employer) == []


# --- who is who


async def test_nobody_is_looked_for_outside_the_declared_company(desk: Desk) -> None:
    other, employer = await desk.world.employer(), await desk.world.employer()
    await add_insured(desk.world, other, nir=NIR)
    await desk.read(declared_by(employer)(somebody(NIR, contract(start="05012026", end="20042026"))))
    [row] = await desk.changes(employer)
    assert (row["match"], row["employee_id"], row["decision"], row["outcome"]) == (
        *("none", None, "review", "unknown_person"),
    )


async def test_a_name_and_a_birth_date_only_propose_who_it_is(desk: Desk) -> None:
    employer = await desk.world.employer()
    await add_insured(desk.world, employer, nir=NIR, last_name="Lefèvre", first_names="Anne-Marie, Zoé")
    leaving = contract(start="05012026", end="20042026")
    await desk.read(declared_by(employer)(somebody(OTHER, leaving, name="LEFEVRE", first_names="ANNE-MARIE")))
    [row] = await desk.changes(employer)
    assert (row["match"], row["decision"], row["state"]) == ("proposal", "review", "proposed")
    assert row["employee_id"] is not None
    assert desk.opened("dsn_change", row)["birth_name"] == "LEFEVRE"
    assert (await desk.decide(row)).state == "applied"
    taken_back = contract(start="05012026", end="20042026", reason="099")
    again = somebody(OTHER, taken_back, name="LEFEVRE", first_names="ANNE-MARIE")
    await desk.read(declared_by(employer)(again, month="01052026", order="2"))
    [_, known] = await desk.changes(employer)
    assert (known["kind"], known["match"]) == ("end_cancelled", "ntt"), "staff said whose the number is"
    assert known["person_index"] == desk.world.cipher.blind_index(NIR, "nir")


async def test_somebody_who_only_looks_like_a_person_known_is_proposed_as_a_hire_once_staff_say_so(desk: Desk) -> None:
    employer = await desk.world.employer()
    await add_insured(desk.world, employer, nir=NIR, last_name="D'Almeida", first_names="Léa")
    await desk.read(declared_by(employer)(somebody(OTHER, NEW)))
    [row] = await desk.changes(employer)
    assert (row["kind"], row["match"], row["decision"], row["state"]) == ("hire", "proposal", "review", "proposed")
    assert (await desk.decide(row, accepted=False)).outcome == "to_employer"
    [row] = await desk.changes(employer)
    assert (row["match"], row["employee_id"], row["state"]) == ("none", None, "applied")


async def test_an_employers_number_is_known_once_it_came_with_the_other(desk: Desk, world: World) -> None:
    employer = await world.employer()
    await add_insured(world, employer, nir=NIR)
    monthly, running = declared_by(employer), contract(start="05012026")
    ntt = ("S21.G00.30.020", f"2{employer.siren}M0005")
    both = somebody(NIR, running)
    both.insert(5, ntt)
    await desk.read(monthly(both))
    [identity] = await desk.changes(employer)
    assert (identity["kind"], identity["decision"]) == ("identity", "confirm")
    assert (await desk.decide(identity)).state == "applied"
    await desk.read(monthly(both, order="2", month="01052026"))
    left = somebody(NIR, contract(start="05012026", end="20062026"))
    await desk.read(monthly([*left[1:4], ntt, *left[5:]], order="3", month="01062026"))
    rows = await desk.changes(employer)
    assert [(row["kind"], row["match"], row["state"]) for row in rows] == [
        ("identity", "nir", "applied"),
        ("end", "ntt", "applied"),
    ]


async def test_a_hire_without_a_number_gets_it_when_both_are_told_and_its_end_finds_the_person(desk: Desk) -> None:
    employer = await desk.world.employer()
    monthly, ntt = declared_by(employer), ("S21.G00.30.020", f"2{employer.siren}M0005")
    new = somebody(NIR, NEW)
    await desk.read(monthly([*new[1:4], ntt, *new[5:]]))
    both = somebody(NIR, NEW)
    both.insert(5, ntt)

    async def number() -> str:
        [row] = await desk.world.run("SELECT * FROM hire_proposal WHERE company_id = $1", employer.company_id)
        known: str = desk.opened("hire_proposal", row)["nir"]
        return known

    assert await number() == ""
    await desk.read(monthly(both, order="2", month="01052026"))
    assert await number() == NIR
    await add_insured(desk.world, employer, nir=NIR, starts_on=date(2026, 4, 13))
    left = somebody(NIR, contract(start="13042026", end="20062026"))
    await desk.read(monthly([*left[1:4], ntt, *left[5:]], order="3", month="01062026"))
    rows = await desk.changes(employer)
    assert [(row["kind"], row["match"], row["state"]) for row in rows] == [
        ("hire", "none", "applied"),
        ("end", "ntt", "applied"),
    ]


async def test_a_number_that_was_wrong_finds_its_person_and_is_corrected_once_confirmed(desk: Desk) -> None:
    employer = await desk.world.employer()
    coverage = await add_insured(desk.world, employer, nir=NIR)
    lines = somebody(OTHER, contract(start="05012026"))
    lines[5:5] = [("S21.G00.31.001", "01042026"), ("S21.G00.31.008", NIR[:13])]
    await desk.read(declared_by(employer)(lines))
    [row] = await desk.changes(employer)
    assert (row["kind"], row["match"], row["state"]) == ("identity", "identity", "proposed")
    await desk.decide(row)
    [person] = await desk.world.run(
        "SELECT e.* FROM employee e JOIN coverage v ON v.employee_id = e.id WHERE v.id = $1", coverage
    )
    assert desk.world.cipher.decrypt(person["nir_sealed"], "employee", "nir", str(person["id"])) == OTHER
    assert person["nir_index"] == desk.world.cipher.blind_index(OTHER, "nir")


async def test_people_who_are_not_in_a_file_are_not_spoken_of(desk: Desk) -> None:
    employer = await desk.world.employer()
    await add_insured(desk.world, employer, nir=NIR)
    await desk.read(declared_by(employer)(somebody(OTHER, contract(start="05012026"))))
    await desk.read(Monthly([], type="02", covered="02", siren=employer.siren, nic=employer.siret[9:], order="2"))
    assert await desk.changes(employer) == []
