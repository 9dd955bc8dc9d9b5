"""« Radiation contexte sans DSN » and the history of rights as pages; staff's side of the same rights."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser

from domain.departures import covered_until, portability_period, reasons
from domain.rights import Role, StaffRole
from messages.typography import month_in_words, short_date_in_words
from portal.radiation_form import reason_groups
from services.fields import today
from tests.covering import RightsLife, covered
from tests.insuring import add_insured
from tests.messages.documents import flat, pages_of
from tests.portal.browsing import Browsing
from tests.portal.conftest import Served
from tests.portal.signed_in import Look, browsing, looked_at
from tests.users import TestUser, add_user
from tests.world import World

RADIATION = "/salaries/radiation"
LIST = "/salaries/affilies"
RESIGNED, AGREED, BY_COMMON_ACCORD, DEATH = "059", "043", "084", "066"


@dataclass(frozen=True)
class Scene:
    """Somebody insured, and the browser of whoever looks at their rights."""

    life: RightsLife
    me: TestUser
    web: Browsing

    @property
    def id(self) -> UUID:
        return self.life.coverage_id

    @property
    def desk(self) -> str:
        return f"/gestion/dossiers/{self.life.id}/droits"

    async def declare(self, on: date, reason: str, began: str = "") -> str:
        """To the review of this end."""
        await self.web.open(f"{RADIATION}/{self.id}")
        typed = {"contract_ends_on": f"{on:%d/%m/%Y}", "reason": reason, "contract_began_on": began}
        return plain(await self.web.fill(typed).press("Voir les droits avant de confirmer"))

    async def declared(self, on: date, reason: str) -> str:
        await self.declare(on, reason)
        return plain(await self.web.press("Confirmer la fin du contrat"))


@asynccontextmanager
async def scene_of(
    app: FastAPI, world: World, *roles: StaffRole, dsn: bool = False, life: RightsLife | None = None
) -> AsyncIterator[Scene]:
    """`roles`: staff look; else a user of the employer."""
    life = life or await covered(world, dsn=dsn)
    rights = None if roles else {life.employer.company_id: Role.member}
    me = await add_user(world, rights, staff=roles)
    async with browsing(app, world, me) as web:
        yield Scene(life, me, web)


@pytest.fixture
async def mine(app: FastAPI, world: World) -> AsyncIterator[Scene]:
    async with scene_of(app, world) as one:
        yield one


@pytest.fixture
async def clerk(app: FastAPI, world: World) -> AsyncIterator[Scene]:
    async with scene_of(app, world, StaffRole.write) as one:
        yield one


def plain(page: str) -> str:
    return page.replace("\u00a0", " ").replace("\u202f", " ")


def said(day: date) -> str:
    return plain(short_date_in_words(day))


def this_month() -> tuple[date, date, date]:
    """(an end of contract some days ahead, the last day of cover, the last day of portability after two years)."""
    on = today() + timedelta(days=40)
    return on, covered_until(on), portability_period(date(2024, 2, 1), on).last


# --- the employer


async def test_an_employer_reads_every_date_before_confirming_and_keeps_a_receipt(mine: Scene) -> None:
    on, covered, portable = this_month()
    await mine.web.open("/salaries/affilies")
    await mine.web.follow("Radiation contexte sans DSN")
    await mine.web.follow("Déclarer la fin")
    page = await mine.declare(on, AGREED)
    assert f"est couverte jusqu’au <strong>{covered:%d/%m/%Y}</strong>" in page
    first = covered + timedelta(days=1)
    assert f"du <strong>{first:%d/%m/%Y}</strong> au <strong>{portable:%d/%m/%Y}</strong>, si France Travail" in page
    for words in ("dernier jour de la couverture", "Son attestation de radiation y est jointe", "loi Évin"):
        assert words in page
    assert "Rien n’est encore déclaré" in page
    assert await mine.life.lines() == []
    page = plain(await mine.web.press("Confirmer la fin du contrat"))
    assert mine.web.path == f"{RADIATION}/{mine.id}/faite"
    assert f"Droits ouverts jusqu’au {portable:%d/%m/%Y}" in page
    assert await mine.life.lines() == ["end_declared"]
    pdf = await mine.web.http.get(f"{LIST}/{mine.id}/radiation.pdf")
    [text] = [flat(one) for one in pages_of(pdf.content)]
    assert "Attestation de radiation" in text


async def test_the_history_of_rights_says_what_was_declared_and_what_is_open(mine: Scene) -> None:
    on, covered, portable = this_month()
    page = plain(await mine.web.open(f"{LIST}/{mine.id}"))
    assert "Droits ouverts</strong>" in page
    assert "Attestation de radiation" not in page
    await mine.declared(on, AGREED)
    page = plain(await mine.web.open(f"{LIST}/{mine.id}"))
    assert f"Droits ouverts jusqu’au {portable:%d/%m/%Y}" in page
    assert "Fin du contrat de travail déclarée" in page
    assert f"Dernier jour du contrat : {said(on)}" in page
    assert f"Couverture jusqu’au {said(covered)}" in page
    assert "par votre entreprise" in page
    assert "si France Travail l’ouvre" in page
    assert "Attestation de radiation" in page


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        pytest.param(RESIGNED, "Pas de portabilité", id="closed"),
        pytest.param(BY_COMMON_ACCORD, "Portabilité à l’étude", id="for staff to decide"),
        pytest.param(DEATH, "Aucun message automatique ne part", id="death"),
    ],
)
async def test_the_review_says_what_each_reason_opens(mine: Scene, reason: str, words: str) -> None:
    page = await mine.declare(this_month()[0], reason)
    assert words in page
    assert "dernier jour possible de la portabilité" not in page


async def test_contracts_that_follow_each_other_count_together(mine: Scene) -> None:
    on = today() + timedelta(days=40)
    began = on - timedelta(days=20)
    page = await mine.declare(on, AGREED, f"{began:%d/%m/%Y}")
    assert f"<strong>{portability_period(began, on).last:%d/%m/%Y}</strong>" in page
    assert f"{plain(short_date_in_words(began)).split()[-1]}" in page
    page = plain(await mine.web.press("Modifier"))
    assert mine.web.value("contract_began_on") == f"{began:%d/%m/%Y}"
    assert mine.web.value("reason") == AGREED


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        pytest.param("", "contract_ends_on", "Indiquez le dernier jour du contrat de travail. Exemple :", id="missing"),
        pytest.param("31/02/2026", "contract_ends_on", "Exemple :", id="not a day"),
        pytest.param("01/01/2020", "contract_ends_on", "avant le début de la couverture", id="before the cover"),
        pytest.param("01/01/2099", "contract_ends_on", "six mois à l’avance au plus", id="too far ahead"),
    ],
)
async def test_a_wrong_day_is_told_with_an_example_and_kept(mine: Scene, typed: str, field: str, words: str) -> None:
    await mine.web.open(f"{RADIATION}/{mine.id}")
    page = plain(
        await mine.web.fill({"contract_ends_on": typed, "reason": AGREED}).press("Voir les droits avant de confirmer")
    )
    assert mine.web.page.status_code == 422
    assert f'href="#{field}"' in page
    assert words in page
    assert "Exemple : " in page
    assert "AAAA" not in page
    assert mine.web.value("contract_ends_on") == typed
    assert mine.web.value("reason") == AGREED


async def test_a_reason_is_asked_for(mine: Scene) -> None:
    await mine.web.open(f"{RADIATION}/{mine.id}")
    page = await mine.web.fill({"contract_ends_on": f"{today():%d/%m/%Y}"}).press("Voir les droits avant de confirmer")
    assert 'href="#reason"' in page
    assert "par exemple «\u00a0Démission\u00a0»" in page


async def test_a_declaration_sent_twice_is_one(mine: Scene) -> None:
    await mine.declare(this_month()[0], AGREED)
    review = mine.web.page
    await mine.web.press("Confirmer la fin du contrat")
    mine.web.page = review  # the way back of the browser
    await mine.web.press("Confirmer la fin du contrat")
    assert mine.web.path == f"{RADIATION}/{mine.id}/faite"
    assert await mine.life.lines() == ["end_declared"]


async def test_an_end_is_corrected_then_taken_back(mine: Scene) -> None:
    on = today() + timedelta(days=10)
    await mine.declared(on, RESIGNED)
    await mine.web.open(f"{LIST}/{mine.id}")
    page = plain(await mine.web.follow("Corriger la fin du contrat"))
    assert "Une fin est déjà déclarée" in page
    assert mine.web.value("contract_ends_on") == f"{on:%d/%m/%Y}"
    await mine.declared(on + timedelta(days=1), RESIGNED)
    await mine.web.open(f"{LIST}/{mine.id}")
    page = plain(await mine.web.follow("Annuler cette fin"))
    assert "comme si elle n’avait jamais été déclarée" in page
    page = plain(await mine.web.press("Annuler la fin du contrat"))
    assert mine.web.path == f"{LIST}/{mine.id}"
    assert "la couverture continue comme avant" in page
    assert "Fin du contrat de travail annulée" in page
    assert "Droits ouverts</strong>" in page
    assert await mine.life.lines() == ["end_declared", "end_changed", "end_cancelled"]
    assert (await mine.life.coverage())["ends_on"] is None
    await mine.web.open(f"{RADIATION}/{mine.id}/annulation")
    assert mine.web.path == f"{LIST}/{mine.id}"


async def test_a_company_with_dsn_is_told_before_anything_is_typed(app: FastAPI, world: World) -> None:
    async with scene_of(app, world, dsn=True) as theirs:
        page = plain(await theirs.web.open(RADIATION))
        assert "Vous n’avez rien à faire ici" in page
        assert "Votre entreprise émet une DSN" in page
        assert theirs.web.value("assure") is None
        page = plain(await theirs.web.open(f"{RADIATION}/{theirs.id}"))
        assert "rien n’est à déclarer ici" in page
        assert theirs.web.value("contract_ends_on") is None
        page = plain(await theirs.web.open(f"{LIST}/{theirs.id}"))
        assert "vos DSN mettent les droits à jour" in page
        assert "Déclarer la fin du contrat" not in page
        token = theirs.web.value("csrf")
        typed = {"csrf": token, "contract_ends_on": f"{today():%d/%m/%Y}", "reason": AGREED, "cle": str(uuid4())}
        for path in (f"{RADIATION}/{theirs.id}", f"{RADIATION}/{theirs.id}/confirmation"):
            answer = await theirs.web.http.post(path, data=typed)
            assert answer.status_code == 409
            assert "par la DSN" in plain(answer.text)
        assert await theirs.life.lines() == []


async def test_of_several_companies_only_those_without_dsn_are_offered(app: FastAPI, world: World) -> None:
    with_dsn, without = await covered(world, dsn=True), await covered(world)
    other = await add_insured(world, with_dsn.employer, last_name="Parladsn")
    me = await add_user(world, {one.employer.company_id: Role.member for one in (with_dsn, without)})
    async with browsing(app, world, me) as web:
        page = plain(await web.open(RADIATION))
        assert "leurs fins de contrat nous arrivent par elle" in page
        assert f"{RADIATION}/{without.coverage_id}" in page
        assert str(with_dsn.coverage_id) not in page
        page = await web.fill({"assure": "Parladsn"}).press("Rechercher")
        assert str(other) not in page
        assert "Aucun salarié affilié ne correspond" in page


async def test_an_employee_is_found_by_name_or_number_and_the_number_stands_in_no_address(mine: Scene) -> None:
    nir = "275067599000197"
    other = await add_insured(mine.life.world, mine.life.employer, last_name="Zérand", first_names="Zoé", nir=nir)
    await mine.web.open(RADIATION)
    page = await mine.web.fill({"assure": "zoe zerand"}).press("Rechercher")
    assert f"{RADIATION}/{other}" in page
    assert str(mine.id) not in page
    await mine.web.follow("Afficher tous les contrats en cours")
    page = await mine.web.fill({"assure": "2 75 06 75 990 001 97"}).press("Rechercher")
    assert f"{RADIATION}/{other}" in page
    assert nir not in str(mine.web.page.url)
    page = plain(await mine.web.fill({"assure": "2 75 06 75 990 001 98"}).press("Rechercher"))
    assert mine.web.page.status_code == 422
    assert 'href="#assure"' in page


async def test_foreign_contracts_are_as_unknown_as_nobodys(mine: Scene) -> None:
    theirs = (await covered(mine.life.world)).coverage_id
    await mine.web.open(f"{RADIATION}/{mine.id}")
    token = mine.web.value("csrf")
    for one in (theirs, uuid4()):
        for path in ("", "/faite", "/annulation"):
            assert (await mine.web.http.get(f"{RADIATION}/{one}{path}")).status_code == 404
        assert (await mine.web.http.get(f"{LIST}/{one}/radiation.pdf")).status_code == 404
        typed = {"csrf": token, "contract_ends_on": f"{today():%d/%m/%Y}", "reason": AGREED, "cle": str(uuid4())}
        for path in ("", "/confirmation"):
            assert (await mine.web.http.post(f"{RADIATION}/{one}{path}", data=typed)).status_code == 404
        typed = {"csrf": token, "contract_ends_on": today().isoformat(), "cle": str(uuid4())}
        assert (await mine.web.http.post(f"{RADIATION}/{one}/annulation", data=typed)).status_code == 404


async def test_an_end_that_staff_declared_is_theirs_to_correct(app: FastAPI, mine: Scene) -> None:
    async with scene_of(app, mine.life.world, StaffRole.write, life=mine.life) as clerk:
        await clerk.web.open(clerk.desk)
        typed = {"contract_ends_on": f"{this_month()[0]:%d/%m/%Y}", "reason": RESIGNED}
        page = plain(await clerk.web.fill(typed).press("Déclarer la fin"))
        assert "La fin du contrat est enregistrée" in page
    page = plain(await mine.web.open(f"{RADIATION}/{mine.id}"))
    assert "nous vient de nos gestionnaires" in page
    assert mine.web.value("contract_ends_on") is None
    page = plain(await mine.web.open(f"{RADIATION}/{mine.id}/annulation"))
    assert "elle ne s’annule pas ici" in page


def test_every_reason_that_an_employer_may_give_is_offered_once() -> None:
    offered = [code for _, choices in reason_groups() for code, _ in choices]
    assert sorted(offered) == sorted(one.code for one in reasons().values() if one.radiation)


# --- staff


async def ended(clerk: Scene, reason: str = AGREED) -> date:
    """A contract that ended last month; portability has begun. Returns its computed last day."""
    on = today().replace(day=1) - timedelta(days=1)
    await clerk.life.end(on, reason)
    await clerk.web.open(clerk.desk)
    return portability_period(on - timedelta(days=400), on).last


async def test_staff_note_a_proof_by_its_month(clerk: Scene) -> None:
    await ended(clerk)
    page = await clerk.web.press("Noter le justificatif")
    assert 'href="#until"' in page
    proven = covered_until(today())
    page = plain(await clerk.web.fill({"until": proven.isoformat()}).press("Noter le justificatif"))
    assert "les droits sont prouvés" in page
    assert plain(f"Droits prouvés jusqu’au {said(proven)}") in page
    assert await clerk.life.lines() == ["end_declared", "proof_given"]
    token = clerk.web.value("csrf")
    late = (proven + timedelta(days=200)).isoformat()
    answer = await clerk.web.http.post(f"{clerk.desk}/justificatif", data={"csrf": token, "until": late})
    assert answer.status_code == 422
    assert plain(month_in_words(proven)) in plain(answer.text)


async def test_staff_end_portability_early_and_resume_it(clerk: Scene) -> None:
    last = await ended(clerk)
    page = await clerk.web.fill({"early_reason": "new_job"}).press("Terminer la portabilité")
    assert 'href="#on"' in page
    on = today() + timedelta(days=3)
    page = plain(
        await clerk.web.fill({"early_reason": "new_job", "on": f"{on:%d/%m/%Y}"}).press("Terminer la portabilité")
    )
    assert "Raison : nouvel emploi" in page
    assert f"Droits ouverts jusqu’au {on:%d/%m/%Y}" in page
    page = plain(await clerk.web.press("La portabilité ne s’est pas terminée"))
    assert f"Droits ouverts jusqu’au {last:%d/%m/%Y}" in page
    outside = {"early_reason": "other", "on": f"{last + timedelta(days=1):%d/%m/%Y}"}
    page = plain(await clerk.web.fill(outside).press("Terminer la portabilité"))
    assert clerk.web.page.status_code == 409
    assert "en dehors de la période de portabilité" in page
    assert clerk.web.value("on") == outside["on"]


async def test_what_an_employer_reads_hides_proofs_and_why_portability_ended(app: FastAPI, clerk: Scene) -> None:
    last = await ended(clerk)
    await clerk.web.fill({"early_reason": "new_job", "on": f"{today():%d/%m/%Y}"}).press("Terminer la portabilité")
    async with scene_of(app, clerk.life.world, life=clerk.life) as mine:
        page = plain(await mine.web.open(f"{LIST}/{mine.id}"))
    assert "nouvel emploi" not in page.lower()
    assert "Justificatif" not in page
    assert said(last) in page


async def test_a_reason_for_review_waits_for_staff_who_decide(clerk: Scene) -> None:
    await ended(clerk, BY_COMMON_ACCORD)
    page = plain(await clerk.web.open("/gestion/droits"))
    assert clerk.desk in page
    assert "Portabilité à décider" in page
    await clerk.web.open(clerk.desk)
    page = plain(await clerk.web.press("Ouvrir la portabilité"))
    assert "La portabilité est décidée" in page
    assert await clerk.life.lines() == ["end_declared", "portability_decided"]
    assert clerk.desk not in await clerk.web.open("/gestion/droits")


async def test_staff_suspend_decide_and_take_back(clerk: Scene) -> None:
    page = await clerk.web.open(clerk.desk)
    assert "Aucune fin n’est déclarée" in plain(page)
    page = await clerk.web.fill({"suspension_reason": "639", "first_day": "hier"}).press("Enregistrer la suspension")
    assert 'href="#first_day"' in page
    assert clerk.web.value("first_day") == "hier"
    typed = {"suspension_reason": "639", "first_day": f"{today():%d/%m/%Y}"}
    page = plain(await clerk.web.fill(typed).press("Enregistrer la suspension"))
    assert "Droits suspendus" in page
    assert "Suspension à décider" in page
    page = plain(await clerk.web.press("Maintenir la couverture"))
    assert f"Couverture maintenue à partir du {said(today())} : congé sabbatique" in page
    assert "Suspension à décider" not in page
    page = plain(await clerk.web.press("Annuler la suspension"))
    assert "La suspension est annulée" in page
    assert await clerk.life.lines() == ["suspended", "suspension_decided", "suspension_cancelled"]


async def test_staff_take_back_an_end_once_they_confirm_it(clerk: Scene) -> None:
    await ended(clerk)
    page = await clerk.web.press("Annuler la fin du contrat")
    assert 'href="#sure"' in page
    page = plain(await clerk.web.fill({"sure": "yes"}).press("Annuler la fin du contrat"))
    assert "La fin du contrat est annulée" in page
    assert await clerk.life.lines() == ["end_declared", "end_cancelled"]


async def test_staff_who_only_read_see_no_button_and_an_unknown_action_is_none(app: FastAPI, clerk: Scene) -> None:
    await ended(clerk)
    async with scene_of(app, clerk.life.world, StaffRole.read, life=clerk.life) as reader:
        page = await reader.web.open(reader.desk)
        assert "Noter le justificatif" not in page
        assert "Annuler cette fin" not in page
        pdf = await reader.web.http.get(f"{reader.desk}/radiation.pdf")
        assert pdf.headers["content-type"] == "application/pdf"
    token = clerk.web.value("csrf")
    assert (await clerk.web.http.post(f"{clerk.desk}/autre", data={"csrf": token})).status_code == 404
    nobody = clerk.desk.replace(str(clerk.life.id), str(uuid4()))
    assert (await clerk.web.http.get(nobody)).status_code == 404


# --- in a real browser


async def test_the_pages_of_rights_are_accessible_and_fit(
    app: FastAPI, world: World, served: Served, browser: Browser
) -> None:
    async with scene_of(app, world) as mine, scene_of(app, world, StaffRole.write, life=mine.life) as clerk:
        waits = await covered(world)
        await waits.end(today() - timedelta(days=1), BY_COMMON_ACCORD)
        with_dsn = await covered(world, dsn=True)
        of_dsn = await add_user(world, {with_dsn.employer.company_id: Role.member})
        await mine.declared(this_month()[0], AGREED)
        one = f"{RADIATION}/{mine.id}"
        looks = [
            Look("choice", mine.me, RADIATION),
            Look("choice with dsn", of_dsn, RADIATION),
            Look("form", mine.me, one),
            Look("receipt", mine.me, f"{one}/faite"),
            Look("cancel", mine.me, f"{one}/annulation"),
            Look("one", mine.me, f"{LIST}/{mine.id}"),
            Look("staff's list", clerk.me, "/gestion/droits"),
            Look("staff", clerk.me, clerk.desk),
        ]
        wrong = await looked_at(browser, world, served, looks, unfolded=True)
    assert not wrong, "\n".join(one[:230] for one in wrong)
