"""Every notice says what happened, what to do, and nothing of anybody; one sample for each kind."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from messages import house
from messages.emails import RenderedEmail
from messages.notice_texts import FORGOTTEN, TEXTS
from messages.notices import POSTED, NoticeContent, NoticeKind, render_notice
from tests.messages.samples import BROKEN_NAME, HOSTILE_NAMES
from tests.messages.test_emails import Page

BASE = "https://entreprise.hcrbienetre.example"
LINK = f"{BASE}/acces/invitation/Yk3vQm9ZrT1cXw8LpD2sNfYk3vQm9ZrT1cXw8LpD2sN"
COMPANY = "Le Grand Hôtel du Port"
SAMPLE = NoticeContent(
    base_url=BASE, at=datetime(2026, 5, 12, 12, 5, tzinfo=UTC), first_name="Camille", company=COMPANY
)
BAD_SPACE = re.compile(r"\S [:;?!»]|« ")
UNTIL = datetime(2026, 10, 25, 7, 30, tzinfo=UTC)

LINKED: dict[str, Any] = {"secret_link": LINK, "until": UNTIL}
STOPPED: dict[str, Any] = {"secret_link": LINK}
BROWSER: dict[str, Any] = {"details": {"browser": "Firefox sur Windows"}}
REQUEST = {"number": "HCR-2026-000123", "request": "0199f2a0-7d5c-7b1e-9a44-3f1f6a2b8c01"}
HAPPENED: dict[str, Any] = {
    "counts": {"a": {"finalised": 3, "to_correct": 1}, "b": {"abandoned_soon": 1}},
}
CALLED = {"a": COMPANY, "b": "Auberge du Lac"}
CASES: list[tuple[str, NoticeKind, dict[str, Any]]] = [
    ("activation", NoticeKind.activation, LINKED),
    ("activation_agreement", NoticeKind.activation_agreement, {**LINKED, "first_name": ""}),
    ("activation_told", NoticeKind.activation_told, {**STOPPED, "first_name": ""}),
    ("invitation", NoticeKind.invitation, LINKED),
    ("access_offered", NoticeKind.access_offered, LINKED),
    ("staff_invitation", NoticeKind.staff_invitation, {**LINKED, "staff": True, "company": ""}),
    ("password_reset", NoticeKind.password_reset, LINKED),
    ("password_changed", NoticeKind.password_changed, BROWSER),
    ("new_device", NoticeKind.new_device, BROWSER),
    ("code_not_completed", NoticeKind.code_not_completed, BROWSER),
    ("code_limit", NoticeKind.code_limit, {}),
    ("device_reused", NoticeKind.device_reused, {}),
    ("phone_changed", NoticeKind.phone_changed, BROWSER),
    ("phone_loss", NoticeKind.phone_loss, {**STOPPED, "effective_at": UNTIL}),
    ("email_change", NoticeKind.email_change, LINKED),
    ("email_changed", NoticeKind.email_changed, {}),
    ("digest", NoticeKind.digest, {"details": {**HAPPENED, "when": "day"}, "names": CALLED, "company": ""}),
    ("digest_now", NoticeKind.digest, {"details": {**HAPPENED, "when": "now"}, "names": CALLED, "company": ""}),
    ("export_ready", NoticeKind.export_ready, {"company": ""}),
    ("export_failed", NoticeKind.export_failed, {"company": ""}),
    ("import_done", NoticeKind.import_done, {"company": ""}),
    ("totp_changed", NoticeKind.totp_changed, {"details": {"on": True}}),
    ("totp_removed", NoticeKind.totp_changed, {"details": {"on": False}}),
    ("recovery_code_used", NoticeKind.recovery_code_used, {"details": {"left": 3}}),
    ("last_recovery_code_used", NoticeKind.recovery_code_used, {"details": {"left": 0}}),
    ("account_ending", NoticeKind.account_ending, {"details": {"on": "2026-06-12"}}),
    ("rights_changed", NoticeKind.rights_changed, {"details": {"role": "administrator"}}),
    ("access_suspended", NoticeKind.access_suspended, {}),
    ("access_reactivated", NoticeKind.access_reactivated, {}),
    ("access_revoked", NoticeKind.access_revoked, {}),
    ("account_suspended", NoticeKind.account_suspended, {}),
    ("account_reactivated", NoticeKind.account_reactivated, {}),
    ("review_due", NoticeKind.review_due, {"details": {"lapse_on": "2026-06-12", "count": 4}}),
    ("review_lapsed", NoticeKind.review_lapsed, {}),
    ("api_key_created", NoticeKind.api_key_created, {}),
    ("webhook_stopped", NoticeKind.webhook_stopped, {}),
    ("establishment_added", NoticeKind.establishment_added, {}),
    ("contact_received", NoticeKind.contact_received, {"details": {**REQUEST, "on": "2026-05-13"}}),
    ("contact_answered", NoticeKind.contact_answered, {"details": REQUEST}),
    ("contact_closed", NoticeKind.contact_closed, {"details": REQUEST}),
    ("contact_escalated", NoticeKind.contact_escalated, {"staff": True, "details": REQUEST}),
    ("mandate_asked", NoticeKind.mandate_asked, {}),
    ("mandate_accepted", NoticeKind.mandate_accepted, {"details": {"ends_on": "2027-05-31"}}),
    ("mandate_refused", NoticeKind.mandate_refused, {}),
    ("mandate_revoked", NoticeKind.mandate_ended, {"details": {"why": "revoked"}}),
    ("mandate_ended", NoticeKind.mandate_ended, {"details": {"why": "ended"}}),
    ("mandate_ending", NoticeKind.mandate_ending, {"details": {"ends_on": "2026-06-12"}}),
    ("recovery_told", NoticeKind.recovery_told, STOPPED),
    ("recovery_waiting", NoticeKind.recovery_waiting, {"effective_at": UNTIL}),
    ("recovery_granted", NoticeKind.recovery_granted, LINKED),
    ("recovery_stopped", NoticeKind.recovery_stopped, {}),
]
every_case = pytest.mark.parametrize(("name", "kind", "changes"), CASES, ids=[name for name, *_ in CASES])
# What somebody else may have done in one's name.
SECURITY = {
    NoticeKind.password_changed,
    NoticeKind.new_device,
    NoticeKind.code_not_completed,
    NoticeKind.code_limit,
    NoticeKind.device_reused,
    NoticeKind.phone_changed,
    NoticeKind.totp_changed,
    NoticeKind.recovery_code_used,
}


def rendered(kind: NoticeKind, changes: dict[str, Any]) -> RenderedEmail:
    return render_notice(kind, replace(SAMPLE, **changes))


def test_every_kind_has_a_text_and_every_text_a_kind() -> None:
    assert {kind for _, kind, _ in CASES} == set(NoticeKind) - POSTED
    shown = {name for name, *_ in CASES}
    assert set(TEXTS) == shown - {"last_recovery_code_used"}


@every_case
def test_every_notice(name: str, kind: NoticeKind, changes: dict[str, Any], output: Path) -> None:
    email = rendered(kind, changes)
    (output / f"notice-{name}.html").write_text(email.html, encoding="utf-8")
    (output / f"notice-{name}.txt").write_text(email.text, encoding="utf-8")
    assert f"<title>{email.subject}</title>" in unescape(email.html)
    page = Page(email.html)
    for part in (page.text, email.text):
        assert ("Bonjour Camille," if changes.get("first_name", "Camille") else "Bonjour,") in part
        assert house.HELPLINE in part
        assert "jamais votre mot de passe ni un code" in part
        assert not re.search(r"None|\{|\}|\*\*", part)
        assert not BAD_SPACE.search(part)
        assert "'" not in part
    assert "  " not in email.text
    assert "\n\n\n\n" not in email.text
    assert 'lang="fr"' in email.html


@every_case
def test_a_subject_is_one_short_line_that_names_nobody(name: str, kind: NoticeKind, changes: dict[str, Any]) -> None:
    subject = rendered(kind, changes).subject
    assert 5 < len(subject) <= 60
    assert "\n" not in subject
    assert "Camille" not in subject
    assert COMPANY not in subject
    assert subject == rendered(kind, {**changes, "company": "Autre", "first_name": "Alix"}).subject


@every_case
def test_it_has_one_button_and_no_other_secret(name: str, kind: NoticeKind, changes: dict[str, Any]) -> None:
    email = rendered(kind, changes)
    page = Page(email.html)
    buttons = [a["href"] for tag, a in page.tags if tag == "a" and a.get("class") == "button"]
    assert len(buttons) == 1
    secret = "secret_link" in changes
    assert buttons[0] == LINK if secret else re.fullmatch(rf"{BASE}/[0-9a-z/-]+", buttons[0] or "")
    assert {link for link in page.links if link} <= {buttons[0], f"{BASE}{FORGOTTEN}", house.HELPLINE_URI}
    assert str(buttons[0]) in email.text
    assert (LINK in email.text) is secret


@every_case
def test_it_says_how_long_its_link_works(name: str, kind: NoticeKind, changes: dict[str, Any]) -> None:
    text = rendered(kind, changes).text
    assert ("dimanche 25 octobre 2026 à 8 h 30".replace(" ", "\u00a0").replace("\u00a0à", " à") in text) is (
        "until" in changes or "effective_at" in changes
    )


@pytest.mark.parametrize("kind", sorted(SECURITY))
def test_a_security_notice_says_when_where_and_what_to_do_if_it_was_somebody_else(kind: NoticeKind) -> None:
    details = {"browser": "Firefox sur Windows", "on": True, "left": 2}
    email = rendered(kind, {"details": details})
    assert f"{BASE}{FORGOTTEN}" in Page(email.html).links
    assert f"{BASE}{FORGOTTEN}" in email.text
    for part in (Page(email.html).text, email.text):
        assert "mardi\u00a012\u00a0mai\u00a02026 à\u00a014\u00a0h\u00a005 (heure de Paris)" in part
        assert "Firefox sur Windows" in part
        assert "Ce n’est pas vous" in part


def test_what_the_address_is_asked_to_do_need_not_be_done_by_who_did_not_ask() -> None:
    for name in (
        "activation",
        "activation_agreement",
        "invitation",
        "access_offered",
        "staff_invitation",
        "password_reset",
        "email_change",
    ):
        assert "Ne cliquez pas" in TEXTS[name].alarm


def test_an_offer_of_several_companies_says_how_many() -> None:
    for count, said in ((1, COMPANY), (2, f"{COMPANY} et une autre entreprise"), (4, f"{COMPANY} et 3 autres entrep")):
        assert (
            f"Espace Entreprise Santé de l’entreprise {said}"
            in rendered(NoticeKind.invitation, {**LINKED, "companies": count}).text
        )


def test_staff_have_their_own_door() -> None:
    ours, theirs = (rendered(NoticeKind.code_limit, {"staff": staff}).text for staff in (True, False))
    assert f"{BASE}/connexion" in theirs
    assert f"{BASE}/connexion" not in ours


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, BROKEN_NAME], ids=range(len(HOSTILE_NAMES) + 1))
def test_what_somebody_typed_stays_a_name(name: str) -> None:
    changes = {**LINKED, "first_name": name, "company": name, "details": {"browser": name}}
    email = rendered(NoticeKind.invitation, changes)
    plain = Page(rendered(NoticeKind.invitation, LINKED).html)
    assert [tag for tag, _ in Page(email.html).tags] == [tag for tag, _ in plain.tags]
    assert "\r" not in email.text
    assert "\u202e" not in email.html


def test_a_letter_is_no_email() -> None:
    for kind in POSTED:
        with pytest.raises(KeyError):
            rendered(kind, {})


@pytest.mark.parametrize("kind", [NoticeKind.rights_changed, NoticeKind.review_due, NoticeKind.mandate_accepted])
def test_a_notice_that_lacks_what_it_says_is_not_written(kind: NoticeKind) -> None:
    with pytest.raises(KeyError):
        rendered(kind, {})


def test_a_digest_counts_by_company_in_the_order_of_what_is_most_urgent() -> None:
    text = rendered(NoticeKind.digest, {"details": {**HAPPENED, "when": "day"}, "names": CALLED}).text
    lines = [line.replace("\u00a0", " ").strip() for line in text.splitlines()]
    assert lines.index("Auberge du Lac : une affiliation bientôt abandonnée") + 1 == lines.index(
        f"{COMPANY} : une affiliation à corriger, 3 affiliations finalisées"
    )


@pytest.mark.parametrize(
    ("companies", "others"), [(20, ""), (21, "une autre entreprise"), (23, "3 autres entreprises")]
)
def test_a_digest_of_many_companies_names_twenty(companies: int, others: str) -> None:
    counts = {str(number): {"finalised": 1} for number in range(companies)}
    names = {company: f"Hôtel {company}" for company in counts}
    text = rendered(NoticeKind.digest, {"details": {"when": "day", "counts": counts}, "names": names}).text
    assert text.count("une affiliation finalisée") == 20
    assert f"Et aussi\u00a0: {others}" in text if others else "Et aussi" not in text
