"""What DSN files do to rights: every row of shared/dsn.md §4, every reason of its §3, carried out or left to staff."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from activities.dsn_effects import DecisionRefused
from db import erasure
from db.pool import system
from domain.departures import Portability, reasons
from domain.identifiers import Civility
from domain.synthetic import synthetic_nir
from tests.domain.dsn.files import Monthly, Rubriques, block, contract
from tests.dsn.importing import Desk, declared_by, somebody
from tests.insuring import add_insured
from tests.world import Employer

NIR = synthetic_nir(Civility.madame, date(1975, 6, 12))
OTHER = synthetic_nir(Civility.madame, date(1975, 6, 12), order=2)
MAY = {"month": "01052026", "order": "202605001", "made_on": "05062026"}


def leaving(on: str = "20042026", **settings: Any) -> list[tuple[str, str]]:
    """The contract that `add_insured` tells of, ended."""
    return contract(start="05012026", end=on, **settings)


async def insured(desk: Desk) -> tuple[Employer, UUID]:
    employer = await desk.world.employer()
    return employer, await add_insured(desk.world, employer, nir=NIR)


async def end_of(desk: Desk, coverage: UUID) -> asyncpg.Record | None:
    """The end that stands."""
    rows = await desk.world.run("SELECT * FROM coverage_end WHERE coverage_id = $1 AND cancelled_at IS NULL", coverage)
    return rows[0] if rows else None


async def covered_until(desk: Desk, coverage: UUID) -> date | None:
    [row] = await desk.world.run("SELECT ends_on FROM coverage WHERE id = $1", coverage)
    last: date | None = row["ends_on"]
    return last


# --- §3: every reason


@pytest.fixture(scope="module")
async def ended(desk: Desk) -> dict[str, tuple[asyncpg.Record, asyncpg.Record | None]]:
    """By reason, the change and the end that stands; all of one file."""
    employer = await desk.world.employer()
    people, coverages = [], {}
    for order, code in enumerate((*reasons(), "777"), 1):
        nir = synthetic_nir(Civility.madame, date(1975, 6, 12), order=order)
        coverages[code] = await add_insured(desk.world, employer, nir=nir)
        people.append(somebody(nir, leaving(reason=code)))
    await desk.read(declared_by(employer)(*people))
    changes = {
        row["reason"] or "099": row
        for row in await desk.world.run("SELECT * FROM dsn_change WHERE company_id = $1", employer.company_id)
    }
    return {code: (changes[code], await end_of(desk, coverages[code])) for code in coverages}


@pytest.mark.parametrize("code", [code for code, one in reasons().items() if one.portability is Portability.open])
async def test_a_reason_that_opens_portability_closes_at_the_months_end_and_opens_it(
    ended: dict[str, tuple[asyncpg.Record, asyncpg.Record | None]], code: str
) -> None:
    change, end = ended[code]
    assert (change["kind"], change["decision"], change["state"]) == ("end", "automatic", "applied")
    assert end is not None
    assert (end["reason"], end["covered_until"], end["portability"]) == (code, date(2026, 4, 30), "open")
    assert (end["portability_from"], end["portability_until"]) == (date(2026, 5, 1), date(2026, 12, 31))


@pytest.mark.parametrize("code", [code for code, one in reasons().items() if one.portability is Portability.closed])
async def test_a_reason_that_opens_nothing_closes_at_the_months_end(
    ended: dict[str, tuple[asyncpg.Record, asyncpg.Record | None]], code: str
) -> None:
    change, end = ended[code]
    assert (change["kind"], change["state"]) == ("end", "applied")
    assert end is not None
    assert (end["covered_until"], end["portability"]) == (date(2026, 4, 30), "closed")


@pytest.mark.parametrize(
    "code", [*(code for code, one in reasons().items() if one.portability is Portability.review), "777"]
)
async def test_a_reason_in_doubt_waits_for_somebody(
    ended: dict[str, tuple[asyncpg.Record, asyncpg.Record | None]], code: str
) -> None:
    change, end = ended[code]
    assert (change["kind"], change["decision"], change["state"], end) == ("end", "review", "proposed", None)


@pytest.mark.parametrize(
    ("code", "kind", "decision"),
    [
        ("099", "end_cancelled", "confirm"),
        ("100", "moved", "review"),
        ("998", "moved", "review"),
        ("116", "end", "review"),
    ],
)
async def test_a_reason_that_ends_nothing_closes_nothing(
    ended: dict[str, tuple[asyncpg.Record, asyncpg.Record | None]], code: str, kind: str, decision: str
) -> None:
    change, end = ended[code]
    assert (change["kind"], change["decision"], change["state"], end) == (kind, decision, "proposed", None)


# --- §4: row by row


async def test_whoever_is_pre_affiliated_or_covered_is_no_new_hire(desk: Desk) -> None:
    employer, _ = await insured(desk)
    await desk.world.declare(employer, nir=OTHER)
    here, coming = somebody(NIR, contract(start="05012026")), somebody(OTHER, contract(start="13012026"))
    await desk.read(declared_by(employer)(here, coming, month="01012026"))
    assert [(row["state"], row["outcome"]) for row in await desk.changes(employer)] == [
        ("unchanged", "covered"),
        ("unchanged", "under_way"),
    ]
    assert await desk.world.run("SELECT FROM hire_proposal WHERE company_id = $1", employer.company_id) == []


async def test_the_workflow_is_told_of_an_end_and_staff_of_nothing(desk: Desk) -> None:
    employer, coverage = await insured(desk)
    await desk.read(declared_by(employer)(somebody(NIR, leaving())))
    [(_, facts)] = [one for one in desk.told.facts if one[0] == coverage]
    assert facts.end is not None
    assert facts.end.covered_until == date(2026, 4, 30)
    assert await covered_until(desk, coverage) == date(2026, 4, 30)


async def test_a_fin_de_contrat_and_the_month_that_follows_it_are_one_end(desk: Desk) -> None:
    employer, coverage = await insured(desk)
    monthly = declared_by(employer)
    await desk.read(monthly(somebody(NIR, leaving()), nature="07", order="1"))
    await desk.read(monthly(somebody(NIR, leaving()), order="2"))
    await desk.read(monthly(somebody(NIR, leaving()), **MAY))  # regularised pay, months later
    assert await desk.states(employer) == [("end", "automatic", "applied")]
    [row] = await desk.world.run("SELECT count(*) FROM coverage_end WHERE coverage_id = $1", coverage)
    assert row["count"] == 1


@pytest.mark.parametrize(
    ("told", "outcome", "last"),
    [
        (leaving(reason="043"), "reason_changed", date(2026, 4, 30)),
        (leaving("12052026"), "day_changed", date(2026, 5, 31)),
    ],
    ids=["another reason", "another day"],
)
async def test_an_end_told_otherwise_later_is_looked_at_and_then_takes_its_place(
    desk: Desk, told: Rubriques, outcome: str, last: date
) -> None:
    employer, coverage = await insured(desk)
    monthly = declared_by(employer)
    await desk.read(monthly(somebody(NIR, leaving()), nature="07", order="1"), monthly(somebody(NIR, told), **MAY))
    first, second = await desk.changes(employer)
    assert (first["state"], second["state"], second["decision"]) == ("applied", "proposed", "review")
    assert (second["outcome"], second["former_id"]) == (outcome, first["id"])
    assert await covered_until(desk, coverage) == date(2026, 4, 30)
    assert (await desk.decide(second)).facts is not None
    assert await covered_until(desk, coverage) == last
    assert [row["state"] for row in await desk.changes(employer)] == ["superseded", "applied"]


async def test_whoever_refused_a_permanent_contract_is_looked_at_and_nothing_is_open_before(desk: Desk) -> None:
    """62.021 beside the end of a fixed-term contract, which opens portability otherwise."""
    employer, coverage = await insured(desk)
    await desk.read(declared_by(employer)(somebody(NIR, leaving(refused=True))))
    assert await desk.states(employer) == [("end", "review", "proposed")]
    [row] = await desk.changes(employer)
    await desk.decide(row)
    end = await end_of(desk, coverage)
    assert end is not None
    assert (end["reason"], end["covered_until"], end["portability"]) == ("031", date(2026, 4, 30), "review")


async def test_a_trainee_and_an_affiliation_that_goes_on_close_nothing(desk: Desk) -> None:
    employer, coverage = await insured(desk)
    trainee = [(code, "29" if code == "S21.G00.40.007" else value) for code, value in leaving()]
    await desk.read(declared_by(employer)(somebody(NIR, trainee)))
    await desk.read(declared_by(employer)(somebody(NIR, leaving("30042026", kept=True)), order="2"))
    assert await desk.states(employer) == [("end", "review", "proposed"), ("continued", "review", "proposed")]
    [_, kept] = await desk.changes(employer)
    assert (await desk.decide(kept)).facts is None
    assert await covered_until(desk, coverage) is None


async def test_an_affiliation_that_was_to_go_on_is_looked_at_when_the_next_month_does_not_say_it(desk: Desk) -> None:
    """62.016: of two people, one stands in the next month's declaration again, the other does not."""
    employer, _ = await insured(desk)
    await add_insured(desk.world, employer, nir=OTHER)
    april = [somebody(nir, leaving("30042026", kept=True)) for nir in (NIR, OTHER)]
    await desk.read(declared_by(employer)(*april))
    for row in await desk.changes(employer):
        assert (await desk.decide(row)).state == "applied"
    await desk.read(declared_by(employer)(somebody(OTHER, contract(number="CT2", start="01052026")), **MAY))
    rows = {row["outcome"]: row for row in await desk.changes(employer) if row["kind"] == "continued"}
    assert rows.keys() == {"followed", "not_followed"}
    missing = rows["not_followed"]
    assert (missing["state"], missing["decision"], missing["decided_by"]) == ("proposed", "review", None)
    assert rows["followed"]["state"] == "applied"
    assert (await desk.decide(missing)).outcome == "by_hand"
    again = {**MAY, "order": "202605002", "made_on": "07062026"}
    await desk.read(declared_by(employer)(somebody(OTHER, contract(number="CT2", start="01052026")), **again))
    assert "not_followed" not in {row["outcome"] for row in await desk.changes(employer)}, "somebody has looked"


async def test_an_end_taken_back_restores_the_cover_once_staff_confirm_it(desk: Desk) -> None:
    employer, coverage = await insured(desk)
    await desk.read(declared_by(employer)(somebody(NIR, leaving())))
    await desk.read(declared_by(employer)(somebody(NIR, leaving(reason="099")), **MAY))
    [_, cancelled] = await desk.changes(employer)
    assert (cancelled["kind"], cancelled["state"]) == ("end_cancelled", "proposed")
    assert (await desk.decide(cancelled)).state == "applied"
    assert (await covered_until(desk, coverage), await end_of(desk, coverage)) == (None, None)
    assert [row["state"] for row in await desk.changes(employer)] == ["reversed", "applied"]
    await desk.read(declared_by(employer)(somebody(NIR, leaving()), month="01062026", order="6", made_on="05072026"))
    [again, _] = await desk.changes(employer)
    assert (again["state"], again["decision"], again["outcome"]) == ("proposed", "review", "cancelled_before")
    await desk.decide(again)
    assert await covered_until(desk, coverage) == date(2026, 4, 30), "declared once more, it counts once more"


async def test_another_contract_on_the_same_insurance_keeps_them(desk: Desk) -> None:
    employer, coverage = await insured(desk)
    await desk.read(declared_by(employer)(somebody(NIR, leaving(), contract(number="CT3", start="05012026"))))
    assert await covered_until(desk, coverage) is None


async def test_an_affiliation_that_ends_alone_closes_without_portability_once_confirmed(desk: Desk) -> None:
    employer, coverage = await insured(desk)
    alone = [*contract(start="05012026", affiliated=False), *block("S21.G00.70", r012="1", r013="100", r015="12042026")]
    await desk.read(declared_by(employer)(somebody(NIR, alone)))
    [row] = await desk.changes(employer)
    assert (row["kind"], row["state"]) == ("affiliation_end", "proposed")
    await desk.decide(row)
    end = await end_of(desk, coverage)
    assert end is not None
    assert (end["covered_until"], end["portability"]) == (date(2026, 4, 12), "closed"), "on its day: no contract ended"


def child(**more: str) -> list[tuple[str, str]]:
    return block("S21.G00.73", r003="02", r004="01032026", r005="15012020", r006="ESSAI", r009="LÉO", **more)


async def test_dependants_come_and_go_as_staff_confirm_and_silence_ends_none(desk: Desk) -> None:
    employer, coverage = await insured(desk)
    monthly = declared_by(employer)

    def with_child(*children: Rubriques) -> Rubriques:
        return somebody(NIR, contract(start="05012026", dependants=children))

    async def family() -> list[tuple[str, date | None]]:
        rows = await desk.world.run("SELECT first_names, ends_on FROM dependant WHERE coverage_id = $1", coverage)
        return [(row["first_names"], row["ends_on"]) for row in rows]

    await desk.read(monthly(with_child(child())))
    [row] = await desk.changes(employer)
    assert await family() == []
    await desk.decide(row)
    assert await family() == [("LÉO", None)]
    await desk.read(monthly(with_child(child()), order="2", month="01052026"), monthly(with_child(), **MAY))
    assert await family() == [("LÉO", None)]
    await desk.read(monthly(with_child(child(r011="30062026")), order="4", month="01062026"))
    [_, gone] = await desk.changes(employer)
    await desk.decide(gone)
    assert await family() == [("LÉO", date(2026, 6, 30))]


async def test_a_dependant_who_is_known_is_nothing_to_decide(desk: Desk) -> None:
    employer = await desk.world.employer()
    await add_insured(desk.world, employer, nir=NIR, dependants=("child",))
    known = block("S21.G00.73", r003="02", r004="01032026", r005="10032015", r006="AYANTDROIT", r009="SECRET")
    await desk.read(declared_by(employer)(somebody(NIR, contract(start="05012026", dependants=[known]))))
    [row] = await desk.changes(employer)
    assert (row["state"], row["outcome"], row["person_sealed"]) == ("unchanged", "known_already", None)


async def test_unpaid_leave_suspends_once_looked_at_and_its_cancellation_undoes_it(desk: Desk) -> None:
    employer, coverage = await insured(desk)

    def away(reason: str) -> Rubriques:
        leave = block("S21.G00.65", r001=reason, r002="01042026", r003="30092026")
        lines = [*contract(start="05012026", affiliated=False), *leave]
        return somebody(NIR, [*lines, *block("S21.G00.70", r012="1", r013="100")])

    await desk.read(declared_by(employer)(away("639")))
    [row] = await desk.changes(employer)
    assert (row["kind"], row["decision"]) == ("suspended", "review")
    await desk.decide(row)
    [suspension] = await desk.world.run("SELECT * FROM coverage_suspension WHERE coverage_id = $1", coverage)
    assert (suspension["first_day"], suspension["last_day"]) == (date(2026, 4, 1), date(2026, 9, 30))
    assert suspension["kept"] is None, "staff say of the coverage whether it is kept"
    assert await covered_until(desk, coverage) is None
    await desk.read(declared_by(employer)(away("998"), **MAY))
    [_, undone] = await desk.changes(employer)
    await desk.decide(undone)
    [suspension] = await desk.world.run("SELECT * FROM coverage_suspension WHERE coverage_id = $1", coverage)
    assert suspension["cancelled_at"] is not None


async def test_a_contract_moved_here_takes_the_cover_along(desk: Desk) -> None:
    employer, coverage = await insured(desk)
    siret = f"{employer.siren}00099"
    [place] = await desk.world.run(
        "INSERT INTO establishment (company_id, siret, name, postcode, city)"
        " VALUES ($1, $2, 'ANNEXE', '75011', 'PARIS') RETURNING id",
        employer.company_id,
        siret,
    )
    here = contract(start="05012026", affiliated=False)
    here += [*block("S21.G00.41", r001="01042026", r012=employer.siret), *block("S21.G00.70", r012="1", r013="100")]
    await desk.read(Monthly([somebody(NIR, here)], siren=employer.siren, nic="00099"))
    moved = next(row for row in await desk.changes(employer) if row["kind"] == "moved")
    assert moved["decision"] == "confirm"
    await desk.decide(moved)
    [row] = await desk.world.run("SELECT establishment_id FROM coverage WHERE id = $1", coverage)
    assert row["establishment_id"] == place["id"]


@pytest.mark.parametrize("nature", ["04", "05", "09", "10"])
async def test_other_natures_are_kept_and_say_nothing(desk: Desk, nature: str) -> None:
    employer, _ = await insured(desk)
    await desk.read(declared_by(employer)(somebody(NIR, leaving()), nature=nature))
    assert await desk.changes(employer) == []


async def test_an_early_notice_announces_a_hire(desk: Desk) -> None:
    employer = await desk.world.employer()
    await desk.read(declared_by(employer)(somebody(NIR, contract(start="13042026")), nature="08"))
    await desk.read(declared_by(employer)(somebody(NIR, contract(start="13042026")), order="2"))
    assert await desk.states(employer) == [("hire", "automatic", "applied")]
    [row] = await desk.world.run("SELECT count(*) FROM hire_proposal WHERE company_id = $1", employer.company_id)
    assert row["count"] == 1


async def test_an_end_that_an_employer_told_otherwise_is_not_overruled_by_itself(desk: Desk) -> None:
    employer, coverage = await insured(desk)
    await desk.read(declared_by(employer)(somebody(NIR, leaving())))
    await desk.world.run("UPDATE dsn_change SET state = 'superseded' WHERE company_id = $1", employer.company_id)
    await desk.world.run("UPDATE coverage_end SET reason = '043', origin = 'employer' WHERE coverage_id = $1", coverage)
    await desk.read(declared_by(employer)(somebody(NIR, leaving()), **MAY))
    [row] = await desk.changes(employer)
    assert (row["state"], row["decision"], row["outcome"]) == ("proposed", "review", "end_differs")


# --- replaced and taken back


async def test_what_a_replacement_does_not_say_again_is_proposed_to_be_undone(desk: Desk) -> None:
    employer, coverage = await insured(desk)
    other = await add_insured(desk.world, employer, nir=OTHER)
    monthly = declared_by(employer)
    first = await desk.read(monthly(somebody(NIR, leaving()), somebody(OTHER, leaving())))
    running = somebody(NIR, contract(start="05012026"))
    second = await desk.read(
        monthly(running, somebody(OTHER, leaving()), type="03", order="2", replaces="05052026202604001")
    )
    assert (await desk.declarations(first), await desk.declarations(second)) == (["replaced"], ["recorded"])
    kept, gone, undo = await desk.changes(employer)
    assert {(kept["kind"], kept["state"]), (gone["kind"], gone["state"])} == {("end", "applied")}
    assert (undo["kind"], undo["decision"], undo["state"]) == ("reversal", "confirm", "proposed")
    assert undo["coverage_id"] == coverage
    assert await covered_until(desk, coverage) == date(2026, 4, 30), "until somebody confirms it"
    assert (await desk.decide(undo)).facts is not None
    assert await covered_until(desk, coverage) is None
    assert await covered_until(desk, other) == date(2026, 4, 30)


async def test_a_cancelled_declaration_takes_its_hire_back(desk: Desk) -> None:
    employer = await desk.world.employer()
    monthly = declared_by(employer)
    first = await desk.read(monthly(somebody(NIR, contract(start="13042026")), nature="08"))
    await desk.read(monthly(somebody(NIR, contract(start="13042026")), nature="08", type="04", order="2",
                            replaces="05052026202604001"))  # fmt: skip
    assert await desk.declarations(first) == ["cancelled"]
    [_, undo] = await desk.changes(employer)
    await desk.decide(undo)
    [row] = await desk.world.run("SELECT state FROM hire_proposal WHERE company_id = $1", employer.company_id)
    assert row["state"] == "withdrawn"


async def test_a_replacement_with_nobody_reverses_and_what_waited_is_dropped(desk: Desk) -> None:
    employer, _ = await insured(desk)
    monthly = declared_by(employer)
    await desk.read(monthly(somebody(NIR, leaving(reason="058"))))
    await desk.read(monthly(type="05", order="2", replaces="05052026202604001"))
    [row] = await desk.changes(employer)
    assert (row["state"], row["outcome"]) == ("superseded", "replaced")


async def test_one_that_arrives_after_what_replaces_it_says_nothing(desk: Desk) -> None:
    employer, _ = await insured(desk)
    monthly = declared_by(employer)
    running = monthly(somebody(NIR, contract(start="05012026")), type="03", order="2", replaces="05052026202604001")
    found = await desk.read(running, monthly(somebody(NIR, leaving())))
    assert await desk.declarations(found) == ["recorded", "replaced"]
    assert await desk.changes(employer) == []


# --- decisions


async def test_a_refused_change_does_nothing_and_stays_refused_when_it_is_told_again(desk: Desk) -> None:
    employer, coverage = await insured(desk)
    monthly = declared_by(employer)
    await desk.read(monthly(somebody(NIR, leaving(reason="058"))))
    [row] = await desk.changes(employer)
    assert (await desk.decide(row, accepted=False)).state == "refused"
    with pytest.raises(DecisionRefused) as refused:
        await desk.decide(row)
    assert refused.value.code == "decided"
    await desk.read(monthly(somebody(NIR, leaving(reason="058")), **MAY))
    assert await desk.states(employer) == [("end", "review", "refused")]
    assert await covered_until(desk, coverage) is None


async def test_an_end_of_somebody_unknown_is_carried_out_once_they_are_covered(desk: Desk) -> None:
    employer = await desk.world.employer()
    await desk.read(declared_by(employer)(somebody(NIR, leaving())))
    [row] = await desk.changes(employer)
    with pytest.raises(DecisionRefused) as refused:
        await desk.decide(row)
    assert refused.value.code == "unknown_person"
    coverage = await add_insured(desk.world, employer, nir=NIR)
    assert (await desk.decide(row)).state == "applied"
    assert await covered_until(desk, coverage) == date(2026, 4, 30)


async def test_with_a_person_everything_goes_that_was_declared_of_them(desk: Desk) -> None:
    employer, _ = await insured(desk)
    await desk.read(declared_by(employer)(somebody(NIR, leaving()), somebody(OTHER, contract(start="13042026"))))
    assert sorted(await desk.states(employer)) == [("end", "automatic", "applied"), ("hire", "automatic", "applied")]
    await add_insured(desk.world, employer, nir=OTHER)
    for row in await desk.world.run(
        "SELECT employee_id, id FROM affiliation WHERE company_id = $1", employer.company_id
    ):
        async with system(desk.world.system) as connection:
            asked = erasure.Asked("on_request")
            assert await erasure.erase(connection, row["employee_id"], [row["id"]], asked) is not None
    assert await desk.changes(employer) == []
    assert await desk.world.run("SELECT FROM hire_proposal WHERE company_id = $1", employer.company_id) == []
