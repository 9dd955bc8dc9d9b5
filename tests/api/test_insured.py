"""« Mes salariés affiliés »: filters, order, pages without doubles or gaps, one contract, its certificate."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db import register
from db.pool import system
from domain.formulas import ProfessionalStatus, parse_formula_code
from domain.insured import ContractState, contract_state
from domain.names import search_form
from domain.rights import Role
from domain.synthetic import synthetic_siret
from services import insured as service
from services.callers import Caller, Scope
from services.fields import today
from services.insured import InsuredFilters, InsuredOrder, InsuredService, looks_like_nir
from tests.api.conftest import BASE, Door, client, key_for
from tests.insuring import add_insured, new_nir
from tests.messages.documents import assert_accessible, flat, pages_of
from tests.users import add_user, signed_in
from tests.world import Employer, World

LIST = f"{BASE}/insured"
SOON, LONG_AGO = today() + timedelta(days=40), date(2024, 2, 1)
NC, OPTION, CADRE = "BASE CCN HCR NC SEUL RG", "OPTION 1 CCN HCR NC FAMILLE RG", "BASE CCN HCR C DUO RL"


@dataclass(frozen=True)
class Person:
    last_name: str
    first_names: str
    formula: str = NC
    starts_on: date = date(2026, 1, 5)
    ends_on: date | None = None
    dependants: tuple[str, ...] = ()
    company: int = 0
    rights_until: date | None = None
    other: bool = False  # at the first company's other establishment


PEOPLE = [
    Person("Lefèvre", "Zoé"),
    Person("O’Brien", "Éloïse", OPTION, date(2026, 2, 1), dependants=("partner", "child", "child")),
    Person("LEFEVRE-MÜLLER", "Anaïs", CADRE, date(2026, 2, 1), dependants=("child",)),
    Person("100% Dupont", "Jean", NC, LONG_AGO, date(2026, 3, 31)),
    Person("Œuvrard", "Noël", NC, SOON, other=True),
    Person("Sous_ligne", "Lou", OPTION, LONG_AGO, today(), other=True),  # its last day still counts
    Person("Nguyễn", "Thị Lefèvre", NC, SOON, SOON + timedelta(days=90), company=1),
    Person("Lefèvre", "Zoé", CADRE, LONG_AGO, today() - timedelta(days=1), dependants=("partner",), company=1),
    Person("Essai", "Perdu", NC, LONG_AGO, today() - timedelta(days=1), rights_until=today()),  # portability's last day
]


@dataclass(frozen=True)
class Stage:
    """Two companies of one caller, with people whose contracts are known."""

    door: Door
    second: Employer
    other_siret: str
    ids: list[UUID]

    @property
    def world(self) -> World:
        return self.door.world

    async def get(self, **query: Any) -> dict[str, Any]:
        answer = await self.door.http.get(LIST, params=query)
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        return page

    async def found(self, **query: Any) -> list[int]:
        """The numbers of those found, in the order of PEOPLE."""
        page = await self.get(**query)
        assert page["total"] == len(page["items"])
        assert page["total_is_exact"] is True
        return sorted(self.ids.index(UUID(item["id"])) for item in page["items"])


@pytest.fixture(scope="module")
async def stage(app: FastAPI, world: World) -> AsyncIterator[Stage]:
    first, second, stranger = [await world.employer() for _ in range(3)]
    other_siret = synthetic_siret(first.siren, 2)
    async with system(world.system) as connection:
        await connection.execute(
            register.ADD_ESTABLISHMENT, first.company_id, other_siret, "BAR D’ÉTÉ", "75012", "PARIS"
        )
    ids = []
    for one in PEOPLE:
        employer = second if one.company else first
        ids.append(
            await add_insured(
                world,
                employer,
                siret=other_siret if one.other else "",
                last_name=one.last_name,
                first_names=one.first_names,
                formula=one.formula,
                starts_on=one.starts_on,
                ends_on=one.ends_on,
                rights_until=one.rights_until,
                dependants=one.dependants,
            )
        )
    await add_insured(world, stranger, last_name="Lefèvre", first_names="Étrangère")
    user = await add_user(world, {first.company_id: Role.member, second.company_id: Role.member})
    async with signed_in(app, world, user) as http:
        yield Stage(Door(world, http, first), second, other_siret, ids)


def where(**wanted: Any) -> list[int]:
    return [n for n, one in enumerate(PEOPLE) if all(getattr(one, name) == value for name, value in wanted.items())]


# --- the list


async def test_a_line_says_what_the_guide_shows_and_nothing_more_of_the_person(stage: Stage) -> None:
    [line] = (await stage.get(q="brien"))["items"]
    assert line["nir_masked"][7:] == " ••• ••• ••"
    assert line["establishment"].startswith("HÔTEL DES TESTS")
    assert line == {
        "id": str(stage.ids[1]),
        "siren": stage.door.employer.siren,
        "siret": stage.door.employer.siret,
        "establishment": line["establishment"],
        "professional_status": "NC",
        "first_names": "Éloïse",
        "last_name": "O’Brien",
        "nir_masked": line["nir_masked"],
        "formula": OPTION,
        "starts_on": "2026-02-01",
        "ends_on": None,
        "state": "current",
        "partner_insured": True,
        "dependants": 3,
    }


async def test_filters_by_company_establishment_state_status_and_formula(stage: Stage) -> None:
    first, second = stage.door.employer, stage.second
    assert await stage.found() == list(range(9))
    assert await stage.found(siren=first.siren) == where(company=0)
    assert await stage.found(siren=second.siren) == where(company=1)
    assert await stage.found(siret=second.siret, siren=first.siren) == []
    assert await stage.found(siret=f"{stage.other_siret[:9]} {stage.other_siret[9:]}") == where(other=True)
    assert await stage.found(establishment="bar d'ete") == where(other=True)
    assert await stage.found(state="coming") == [4, 6]
    assert await stage.found(state="ended") == [3, 7]
    assert await stage.found(state="portability") == [8]
    assert await stage.found(state="current") == [0, 1, 2, 5]
    assert await stage.found(professional_status="C") == where(formula=CADRE)
    assert await stage.found(formula=OPTION.lower()) == where(formula=OPTION)
    assert await stage.found(formula=OPTION, professional_status="C") == []
    assert await stage.found(siren="999000003") == []


@pytest.mark.parametrize(
    ("q", "numbers"),
    [
        ("lefevre", [0, 2, 6, 7]),
        ("LEFÈVRE zoé", [0, 7]),
        ("zoe lefevre", [0, 7]),
        ("thi nguyen", [6]),
        ("müller anais", [2]),
        ("Lefèvre-Müller", [2]),
        ("oeuvrard", [4]),
        ("o'brien", [1]),
        ("100%", [3]),
        ("%", [3]),
        ("_", [5]),
        ("\\", []),
        ("'; DROP TABLE coverage; --", []),
        ("personne", []),
        ("   ", list(range(9))),
    ],
)
@pytest.mark.parametrize("sort", ["name", "-date"])
async def test_finds_names_in_any_order_without_accents_or_tricks(
    stage: Stage, q: str, numbers: list[int], sort: str
) -> None:
    assert await stage.found(q=q, sort=sort) == numbers


async def test_in_order_of_names_or_dates(stage: Stage) -> None:
    by_name = [item["last_name"] for item in (await stage.get())["items"]]
    assert by_name == sorted(by_name, key=search_form)
    assert [item["last_name"] for item in (await stage.get(sort="-name"))["items"]] == by_name[::-1]
    dates = [item["starts_on"] for item in (await stage.get(sort="date"))["items"]]
    assert dates == sorted(dates)
    assert [item["starts_on"] for item in (await stage.get(sort="-date"))["items"]] == dates[::-1]


@pytest.mark.parametrize("many", [False, True], ids=["few companies", "many companies"])
@pytest.mark.parametrize("sort", list(InsuredOrder))
@pytest.mark.parametrize("limit", [1, 3])
async def test_pages_hold_everybody_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, sort: str, limit: int, many: bool
) -> None:
    if many:
        monkeypatch.setattr(service, "_FEW_COMPANIES", 0)
    whole = [item["id"] for item in (await stage.get(sort=sort))["items"]]
    for q in ("", "lefevre"):
        wanted = [one for one in whole if not q or stage.ids.index(UUID(one)) in (0, 2, 6, 7)]
        seen: list[str] = []
        cursor: str | None = None
        for _ in range(10):
            page = await stage.get(sort=sort, limit=limit, q=q, **({"cursor": cursor} if cursor else {}))
            assert page["total"] == len(wanted)
            seen += [item["id"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert seen == wanted


async def test_the_states_are_counted_whichever_is_asked_for(stage: Stage) -> None:
    for state in ("", "ended"):
        page = await stage.get(**({"state": state} if state else {}))
        assert page["states"] == {"current": 4, "coming": 2, "portability": 1, "ended": 2}
    assert (await stage.get(q="zoe"))["states"] == {"current": 1, "coming": 0, "portability": 0, "ended": 1}


async def test_beyond_the_bound_it_says_that_there_are_more(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MOST_COUNTED", 3)
    page = await stage.get()
    assert (page["total"], page["total_is_exact"], page["states"]) == (3, False, None)
    page = await stage.get(state="ended")
    assert (page["total"], page["total_is_exact"], page["states"]) == (2, True, None)
    assert len(page["items"]) == 2


FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "state": st.sampled_from(ContractState),
        "professional_status": st.sampled_from(ProfessionalStatus),
        "formula": st.sampled_from([NC, OPTION, CADRE]),
        "q": st.sampled_from(["lefevre", "ZOÉ", "e", "lou sous", "é r", "x"]),
        "establishment": st.sampled_from(["bar", "hôtel", "t"]),
        "order": st.sampled_from(InsuredOrder),
    },
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=FILTERS, limit=st.integers(1, 9))
async def test_the_same_as_plain_python(stage: Stage, asked: dict[str, Any], limit: int) -> None:
    filters = InsuredFilters(**asked)
    caller = Caller("x", (stage.door.employer.company_id, stage.second.company_id), frozenset({Scope.read}))
    use = InsuredService(stage.world.web, stage.world.cipher)
    seen: list[int] = []
    cursor: str | None = None
    while True:
        page = await use.page(caller, filters, limit, cursor)
        seen += [stage.ids.index(one.id) for one in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    wanted = [number for number, one in enumerate(PEOPLE) if _fits(one, filters)]
    assert sorted(seen) == wanted
    assert page.total == len(wanted)


def _fits(one: Person, filters: InsuredFilters) -> bool:
    name = search_form(f"{one.last_name} {one.last_name} {one.first_names}")
    place = search_form("BAR D’ÉTÉ" if one.other else "HÔTEL DES TESTS 1234567890")
    state = contract_state(one.starts_on, one.ends_on, one.rights_until, today())
    return (
        filters.state in (None, state)
        and filters.professional_status in (None, parse_formula_code(one.formula).status)
        and filters.formula in (None, one.formula)
        and all(word in name for word in search_form(filters.q or "").split())
        and search_form(filters.establishment or "") in place
    )


# --- somebody by their number


async def test_a_number_is_looked_for_in_a_body_never_in_an_address(stage: Stage) -> None:
    nir, _ = new_nir()
    for employer, last_name in ((stage.door.employer, "Numéro"), (stage.second, "Chiffre")):
        found = await add_insured(stage.world, employer, last_name=last_name, nir=nir)
        stage.ids.append(found)  # of this test: removed below
    typed = " ".join((nir[0], nir[1:3], nir[3:5], nir[5:]))
    try:
        answer = await stage.door.http.post(f"{LIST}/search", json={"nir": typed})
        page = answer.json()
        assert sorted(item["last_name"] for item in page["items"]) == ["Chiffre", "Numéro"]
        assert (page["total"], page["states"]["current"]) == (2, 2)
        assert nir not in answer.text
        narrowed = {"nir": nir, "siren": stage.second.siren, "state": "current", "q": "chif"}
        assert len((await stage.door.http.post(f"{LIST}/search", json=narrowed)).json()["items"]) == 1
        assert (await stage.door.http.post(f"{LIST}/search", json={"nir": nir, "state": "ended"})).json()["total"] == 0
        for text in (nir, typed, nir[:13]):
            refused = await stage.door.http.get(LIST, params={"q": text})
            assert refused.status_code == 422
            assert refused.json()["errors"][0]["field"] == "q"
            assert nir[:13] not in refused.text
    finally:
        for insured_id in (stage.ids.pop(), stage.ids.pop()):
            await _forget(stage.world, insured_id)


async def test_a_number_that_nobody_has_or_that_is_none(stage: Stage) -> None:
    nir, _ = new_nir()
    stranger = await stage.world.employer()
    await add_insured(stage.world, stranger, nir=nir)
    nothing = await stage.door.http.post(f"{LIST}/search", json={"nir": nir})
    assert (nothing.json()["items"], nothing.json()["total"]) == ([], 0)
    wrong = await stage.door.http.post(f"{LIST}/search", json={"nir": "12345"})
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["field"] == "nir"
    assert (await stage.door.http.post(f"{LIST}/search", json={"q": "zoe"})).json()["total"] == 2


@pytest.mark.parametrize(
    ("text", "number"),
    [("2 75 06 75 990 001 97", True), ("2750675", True), ("27-50.675 99", True), ("1 55 08 2A", True), ("2A", False),
     ("Camille1234", False), ("123456", False), ("", False), ("Martin 27506759900", False)],
)  # fmt: skip
def test_what_looks_like_a_number(text: str, number: bool) -> None:
    assert looks_like_nir(text) is number


# --- one contract


async def test_one_contract_with_the_persons_others_and_a_trace_of_the_reading(stage: Stage) -> None:
    world = stage.world
    mine = await add_insured(world, stage.second, last_name="Retour", starts_on=LONG_AGO, ends_on=date(2025, 5, 31))
    now = await add_insured(world, stage.second, again=mine, formula=CADRE, dependants=("partner", "child"))
    try:
        answer = await stage.door.http.get(f"{LIST}/{now}")
        detail = answer.json()
        assert (detail["level"], detail["family"], detail["scheme"], detail["children"]) == ("BASE", "DUO", "RL", 1)
        assert (detail["partner_insured"], detail["dependants"]) == (True, 2)
        assert [(one["id"], one["state"]) for one in detail["history"]] == [(str(now), "current"), (str(mine), "ended")]
        assert detail["affiliation_status"] == "finalised"
        assert detail["emits_dsn"] is True
        for secret in ("Ayantdroit", "Secret", "2015-03-10", "iban", "account_holder", "birth_date"):
            assert secret not in answer.text
        rows = await world.run(
            "SELECT details ->> 'what' AS what FROM audit_log WHERE event = 'data.viewed' AND affiliation_id = $1",
            UUID(detail["affiliation_id"]),
        )
        assert [row["what"] for row in rows] == ["insured"]
    finally:
        await _forget(world, now)
        await _forget(world, mine)


async def test_another_companys_is_as_unknown_as_nobodys(stage: Stage, app: FastAPI) -> None:
    stranger = await stage.world.employer()
    theirs = await add_insured(stage.world, stranger)
    answers = []
    for insured_id in (theirs, uuid4()):
        for path in ("", "/certificate.pdf"):
            answer = await stage.door.http.get(f"{LIST}/{insured_id}{path}")
            assert answer.status_code == 404
            answers.append({name: value for name, value in answer.json().items() if name != "instance"})
    assert all(one == answers[0] for one in answers)
    async with client(app, await key_for(stage.world, stranger, Scope.read)) as http:
        assert (await http.get(f"{LIST}/{theirs}")).status_code == 200
        assert (await http.get(LIST)).json()["total"] == 1


async def test_the_certificate_says_who_is_covered_since_when_and_nothing_of_the_family(stage: Stage) -> None:
    answer = await stage.door.http.get(f"{LIST}/{stage.ids[1]}/certificate.pdf")
    assert answer.headers["content-type"] == "application/pdf"
    assert "attestation-affiliation.pdf" in answer.headers["content-disposition"]
    [text] = [flat(page) for page in pages_of(answer.content)]
    assert "Madame Éloïse O’Brien est affiliée" in text
    assert "depuis le 1er\u00a0février\u00a02026." in text
    assert "OPTION 1 CCN HCR, non cadre, régime général" in text
    for hidden in ("FAMILLE", "Ayantdroit", "conjoint", "enfant"):
        assert hidden not in text
    assert_accessible(answer.content, "Attestation d’affiliation")


@pytest.mark.parametrize(
    "query",
    ["siren=123", "siret=1", "state=gone", "professional_status=X", "formula=CONFORT", "sort=up", "limit=0",
     "cursor=xyz", "unknown=1", f"q={'x' * 101}"],
)  # fmt: skip
async def test_a_wrong_parameter_is_named(stage: Stage, query: str) -> None:
    answer = await stage.door.http.get(f"{LIST}?{query}")
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize("content", [["\x00", str(uuid4())], ["a", "x"], {}, [1, str(uuid4())], ["2026-13-01", "x"]])
async def test_a_cursor_that_is_none_is_refused(stage: Stage, content: Any) -> None:
    import base64

    cursor = base64.urlsafe_b64encode(json.dumps(content).encode()).decode()
    for sort in ("name", "date"):
        assert (await stage.door.http.get(LIST, params={"cursor": cursor, "sort": sort})).status_code == 422


async def _forget(world: World, insured_id: UUID) -> None:
    await world.run("DELETE FROM dependant WHERE coverage_id = $1", insured_id)
    await world.run("DELETE FROM coverage WHERE id = $1", insured_id)
