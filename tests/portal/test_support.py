"""Documents, help, messages, notifications, site map, accessibility: journeys, and every page in a
real browser."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser

from domain.rights import Role
from messages.notices import NoticeKind
from portal.notifications import MOST_SHOWN
from services.callers import Caller, Scope
from services.latest_events import MOVING, NOTABLE, LatestEventsService
from services.problems import NotFound
from tests.noticing import written
from tests.portal.conftest import SAME_ORIGIN, Served
from tests.portal.seeding import Seed, seeded
from tests.portal.signed_in import Look, Place, browsing, looked_at, placed
from tests.portal.test_home import links
from tests.users import add_user
from tests.world import World

NOW = datetime.now(UTC)
MENU = (
    "/contrats",
    "/salaries/suivi",
    "/documents",
    "/demarches",
    "/aide",
    "/messages",
    "/notifications",
    "/entreprises",
)


@pytest.fixture
async def place(app: FastAPI, world: World) -> AsyncIterator[Place]:
    async with placed(Place, app, world, Role.member) as one:
        yield one


# --- where to turn to


async def test_the_blank_forms_are_downloaded_as_pdf(place: Place) -> None:
    page = await place.web.open("/documents")
    assert "Formulaire de pré-affiliation vierge" in page
    for name in ("pre-affiliation", "affiliation"):
        answer = await place.web.http.get(f"/documents/{name}.pdf")
        assert answer.headers["content-type"] == "application/pdf"
        assert f'attachment; filename="formulaire-{name}.pdf"' == answer.headers["content-disposition"]
        assert answer.content.startswith(b"%PDF-")
        said = re.search(rf'href="/documents/{name}\.pdf" download>.*?\(PDF, (\d+) ko\)', page.replace("\u00a0", " "))
        assert said
        assert int(said[1]) == -(-len(answer.content) // 1000)


@pytest.mark.parametrize(
    "path", ["/documents", "/demarches", "/contact", "/aide", "/plan", "/accessibilite", "/contrats", "/espace"]
)
async def test_no_link_of_these_pages_is_dead(place: Place, path: str) -> None:
    page = await place.web.open(path)
    own = {urlsplit(to).path for _, to in links(page) if to.startswith("/")}
    assert own
    for address in sorted(own):
        answer = await place.web.http.get(address, headers={**SAME_ORIGIN, "Accept": "text/html"})
        assert answer.status_code in (200, 303) or (
            address.startswith("/habilitations") and answer.status_code == 403
        ), f"{address}: {answer.status_code}"


async def test_the_help_says_the_rules_as_they_are(place: Place) -> None:
    page = await place.web.open("/aide")
    assert "5 et 12 jours après l’e-mail" in page
    assert "7 et 14 jours après le dernier brouillon" in page
    assert "Sans réponse 20 jours" in page
    assert "60 jours après le dernier signe" in page
    for label in ("En préparation", "Envoyé à l’employé", "Démarré par le salarié", "Finalisé par le salarié"):
        assert label in page


async def test_the_site_map_names_every_page_of_the_menu(place: Place) -> None:
    found = [to for _, to in links((await place.web.open("/plan")).partition("<main")[2])]
    assert set(MENU) <= set(found)
    assert "/habilitations" not in found, "a member has no such entry"


async def test_the_accessibility_page_opens_to_everybody(place: Place) -> None:
    place.web.http.cookies.clear()
    page = await place.web.open("/accessibilite")
    assert place.web.page.status_code == 200
    assert "partiellement conforme" in page
    assert "Défenseur des droits" in page


# --- messages


async def wrote(place: Place, kind: NoticeKind, state: str = "handed_over", **values: Any) -> UUID:
    notice = await written(place.world, kind, **{"user_id": place.me.id, **values})
    await place.world.run("UPDATE notice SET state = $2, attempts = 1, not_before = NULL WHERE id = $1", notice, state)
    return notice


async def test_a_user_reads_what_was_written_to_them(place: Place) -> None:
    changed = await wrote(place, NoticeKind.password_changed)
    await wrote(place, NoticeKind.rights_changed, company_id=place.employer.company_id, details={"role": "member"})
    await wrote(place, NoticeKind.new_device, "refused", details={"browser": "<b>Firefox</b>"})
    await wrote(place, NoticeKind.phone_changed, "superseded")
    page = await place.web.open("/messages")
    assert page.count('href="/messages/') == 3
    assert "Rejeté" in page
    await place.web.open(f"/messages/{changed}")
    assert "mot de passe" in place.web.page.text
    assert "Retour aux messages" in place.web.page.text
    await place.web.open("/messages")
    page = await place.web.follow("Nouvelle connexion")
    assert "&lt;b&gt;Firefox" in page
    assert "<b>" not in page
    assert "Vérifiez votre adresse e-mail" in page


async def test_a_message_never_shows_its_secret_link(place: Place) -> None:
    reset = uuid4()
    await place.world.run(
        "INSERT INTO password_reset (id, user_id, token_hash, expires_at)"
        " VALUES ($1, $2, $3, now() + interval '1 hour')",
        reset,
        place.me.id,
        reset.bytes,
    )
    notice = await wrote(place, NoticeKind.password_reset, subject_id=reset)
    page = await place.web.open(f"/messages/{notice}")
    assert place.web.page.status_code == 200
    assert "/acces/" not in page
    assert "Les liens de ce message ne sont que dans l’e-mail" in page


async def test_what_a_message_told_of_may_be_gone(place: Place) -> None:
    notice = await wrote(place, NoticeKind.phone_loss)
    page = await place.web.open(f"/messages/{notice}")
    assert place.web.page.status_code == 200
    assert "n’existe plus" in page


async def test_nobody_reads_the_messages_of_others(place: Place, app: FastAPI) -> None:
    notice = await wrote(place, NoticeKind.password_changed)
    other = await add_user(place.world, {place.employer.company_id: Role.administrator})
    async with browsing(app, place.world, other) as web:
        assert "Aucun message pour le moment" in await web.open("/messages")
        await web.open(f"/messages/{notice}")
        assert web.page.status_code == 404
        await web.open(f"/messages/{uuid4()}")
        assert web.page.status_code == 404


async def test_many_messages_are_shown_page_by_page(place: Place) -> None:
    for _ in range(MOST_SHOWN + 2):
        await wrote(place, NoticeKind.password_changed)
    page = await place.web.open("/messages")
    first = re.findall(r'href="(/messages/[^"]+)"', page)
    page = await place.web.follow("Page suivante")
    second = re.findall(r'href="(/messages/[^"]+)"', page)
    assert (len(first), len(second)) == (MOST_SHOWN, 2)
    assert not set(first) & set(second)
    await place.web.follow("Première page")
    assert re.findall(r'href="(/messages/[^"]+)"', place.web.page.text) == first


@pytest.mark.parametrize("path", ["/messages", "/notifications"])
async def test_an_unknown_place_in_a_list_is_not_found(place: Place, path: str) -> None:
    for cursor in ("x", "W10=", "é", "bnVsbA=="):
        await place.web.open(f"{path}?apres={cursor}")
        assert place.web.page.status_code == 404, cursor


# --- notifications


def life(hours: int, *kinds: str, last_name: str = "Essai", attention: str | None = None) -> Seed:
    """Whose events come an hour apart, the first one so many hours ago."""
    details: dict[str, dict[str, Any]] = {
        "message_handed_over": {"message": "invitation", "medium": "email"},
        "delivery_failed": {"medium": "email", "reason": "bounced"},
        "message_refused": {"message": "invitation", "medium": "post", "reason": "bad_address"},
        "started": {"medium": "email"},
        "finalised": {"channel": "online", "missing": "rib"},
        "declined": {"reason": "not_me"},
        "abandoned": {"reason": "no_response"},
    }
    start = NOW - timedelta(hours=hours)
    events = [(kind, start + timedelta(hours=n), details.get(kind, {})) for n, kind in enumerate(kinds)]
    status = kinds[-1] if kinds[-1] in ("finalised", "abandoned") else "sent"
    return Seed(start, status, events[-1][1], events, attention=attention, last_name=last_name)


async def test_what_matters_is_notified_newest_first_with_what_to_do(place: Place) -> None:
    wrong = life(30, "declared", "message_refused", last_name="Perdue", attention="unreachable")
    done = life(10, "declared", "message_handed_over", "started", "finalised", last_name="Finie")
    async with seeded(place.world, place.employer, [wrong, done]):
        page = await place.web.open("/notifications")
    assert page.index("Finie") < page.index("Perdue")
    assert "Formulaire reçu" in page
    assert "Pré-affiliation déclarée" not in page, "what one did oneself is no news"
    assert ("Coordonnées à corriger pour Camille Perdue", f"/salaries/suivi/{wrong.id}/coordonnees") in links(page)
    assert "RIB" not in page.partition("<main")[2], "which documents are missing is the employee's own"
    assert "Il manque" not in page


async def test_notifications_of_one_company_of_several(app: FastAPI, world: World) -> None:
    first, second = [await world.employer() for _ in range(2)]
    me = await add_user(world, {one.company_id: Role.member for one in (first, second)})
    async with (
        browsing(app, world, me) as web,
        seeded(world, first, [life(5, "finalised", last_name="Première")]),
        seeded(world, second, [life(5, "abandoned", last_name="Seconde")]),
    ):
        page = await web.open("/notifications")
        assert "Première" in page
        assert "Seconde" in page
        page = await web.open(f"/notifications?entreprise={second.siren}")
        assert "Première" not in page
        assert "Seconde" in page
        assert re.search(rf'<option value="{second.siren}" selected>', page)
        await web.open("/notifications?entreprise=12")
        assert web.page.status_code == 404


async def test_every_event_is_on_one_page_exactly_once(world: World) -> None:
    """Also where many happened at the same moment, and where a company has none."""
    busy, quiet, none, foreign = [await world.employer() for _ in range(4)]
    same = [life(20, "declared", "finalised") for _ in range(9)]
    spread = [life(hours, "declared", "abandoned") for hours in range(3, 9)]
    caller = Caller("s", (busy.company_id, quiet.company_id, none.company_id), frozenset({Scope.read}))
    service = LatestEventsService(world.web)
    async with seeded(world, busy, same), seeded(world, quiet, spread), seeded(world, foreign, [life(2, "finalised")]):
        for kinds, expected in ((NOTABLE, 15), (MOVING, 30)):
            found, cursor = [], None
            for _ in range(expected):
                page = await service.page(caller, kinds, 4, cursor)
                found += page.items
                cursor = page.next_cursor
                if cursor is None:
                    break
            keys = [(one.event.at, one.affiliation_id, one.event.number) for one in found]
            assert len(keys) == len(set(keys)) == expected
            assert keys == sorted(keys, key=lambda key: (key[0], key[1].int, key[2]), reverse=True)
        with pytest.raises(NotFound):
            await service.page(caller, NOTABLE, 4, company=foreign.company_id)


# --- in a real browser


async def test_every_page_is_accessible_and_fits(place: Place, served: Served, browser: Browser) -> None:
    long = "de La Rochefoucauld-Montmorency-Brancas-Lauraguais-Quatrebar"
    one = await wrote(place, NoticeKind.new_device, "refused", details={"browser": "Firefox 145 sur Windows"})
    gone = await wrote(place, NoticeKind.phone_loss)
    kinds = ("delivery_failed", "declined", "abandoned", "finalised")
    seeds = [life(hours, kind, last_name=long) for hours in range(5, 50, 5) for kind in kinds]
    seeds.append(life(3, "message_refused", last_name=long, attention="unreachable"))
    paths = [
        *("/documents", "/demarches", "/aide", "/plan", "/accessibilite", "/notifications"),
        *("/messages", f"/messages/{one}", f"/messages/{gone}"),
    ]
    looks = [Look(path, place.me, path) for path in paths]
    async with seeded(place.world, place.employer, seeds):
        assert not await looked_at(browser, place.world, served, looks, unfolded=True)
