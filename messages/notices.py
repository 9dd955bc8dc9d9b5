"""What is written to users of the portal and to companies, in French: one e-mail shape, one text for each kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from domain.media import Language
from domain.rights import Role
from domain.working_time import PARIS
from messages import emails
from messages.catalogue import catalogue
from messages.emails import RenderedEmail
from messages.notice_texts import COUNTED, FORGOTTEN, SIGN_IN, STAFF_SIGN_IN, TEXTS, NoticeText
from messages.typography import NBSP, date_in_words, french, one_line


class NoticeKind(StrEnum):
    """Every notice. « link »: it carries a secret link made of its subject (`gateways.access_links`)."""

    # to somebody who becomes a user
    activation = "activation"  # link: proves the e-mail address; subject: activation
    activation_agreement = "activation_agreement"  # link: the known contact agrees; subject: activation
    activation_told = "activation_told"  # link: stops it; to the known contact of the company; subject: activation
    invitation = "invitation"  # link: creates the password; subject: invitation
    access_offered = "access_offered"  # link: a user of another company accepts; subject: invitation
    staff_invitation = "staff_invitation"  # link; subject: invitation
    # sign-in
    password_reset = "password_reset"  # noqa: S105 (link; subject: password_reset)
    password_changed = "password_changed"  # noqa: S105
    new_device = "new_device"  # details: browser
    code_not_completed = "code_not_completed"  # not_before; subject: the session's id
    code_limit = "code_limit"
    device_reused = "device_reused"  # a former device token came back: all were revoked
    phone_changed = "phone_changed"
    phone_loss = "phone_loss"  # link: stops it; subject: phone_loss
    email_change = "email_change"  # link: proves the new address; to `recipient`; subject: email_change
    email_changed = "email_changed"  # to the former address
    totp_changed = "totp_changed"  # details: {"on": bool}
    recovery_code_used = "recovery_code_used"  # details: {"left": n}
    account_ending = "account_ending"  # thirty days before an unused account is deleted; details: {"on": date}
    # rights; company_id names the company
    rights_changed = "rights_changed"  # details: {"role": …}
    access_suspended = "access_suspended"
    access_reactivated = "access_reactivated"
    access_revoked = "access_revoked"
    account_suspended = "account_suspended"  # by staff, everywhere
    account_reactivated = "account_reactivated"
    review_due = "review_due"  # to an administrator; details: {"lapse_on": date, "count": n}
    review_lapsed = "review_lapsed"
    api_key_created = "api_key_created"
    webhook_stopped = "webhook_stopped"  # to the administrators; subject: webhook_endpoint
    establishment_added = "establishment_added"
    # what happened in the companies, all in one; details: {"when": "day" | "now", "counts": {company: {kind: count}}}
    digest = "digest"
    # exports
    export_ready = "export_ready"
    export_failed = "export_failed"
    # bulk imports
    import_done = "import_done"
    # requests to HCR Bien-Être; details: {"number": …, "request": its id}
    contact_received = "contact_received"  # and {"on": the day on which an answer is due}
    contact_answered = "contact_answered"
    contact_closed = "contact_closed"
    contact_escalated = "contact_escalated"  # to the heads among the staff: the answer is overdue
    # mandates
    mandate_asked = "mandate_asked"  # to the administrators; subject: mandate
    mandate_accepted = "mandate_accepted"  # to the declarant; details: {"ends_on": date}
    mandate_refused = "mandate_refused"
    mandate_ended = "mandate_ended"  # details: {"why": "revoked" | "ended"}
    mandate_ending = "mandate_ending"  # thirty days before; details: {"ends_on": date}
    # recovery of a company
    recovery_told = "recovery_told"  # link: stops it; to administrators and the known contact; subject: recovery
    recovery_letter = "recovery_letter"  # post, with a code; subject: company_recovery
    recovery_waiting = "recovery_waiting"  # to who asked: the code was right; details: {"grant_at": …}
    recovery_granted = "recovery_granted"  # link: creates the password; subject: invitation
    recovery_stopped = "recovery_stopped"
    activation_letter = "activation_letter"  # post, with a code; subject: activation


POSTED = frozenset({NoticeKind.recovery_letter, NoticeKind.activation_letter})  # `messages.office_letters`

ROLES = MappingProxyType({Role.administrator: "Administrateur", Role.member: "Utilisateur"})
_NEVER = "Nous ne vous demanderons jamais votre mot de passe ni un code, ni par e-mail, ni par SMS, ni au téléphone."
_WHY = "Vous recevez ce message parce qu’il concerne l’accès à l’Espace Entreprise Santé. Il n’appelle pas de réponse."


MOST_LINES = 20  # companies of a digest
_NEVER_AT = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class NoticeContent:
    """What a notice says.

    `base_url`: of the portal. `secret_link`: where the button leads, for a kind that carries a link of its own; ""
    for the others, which lead to a page of the portal. `at`: when what it tells of happened. `until`: as long as the
    link works. `effective_at`: when what was asked will be done. `details`: as the outbox keeps them, by kind.
    `companies`: how many it is about, of which `company` is one; it and `first_name` may be "". `staff`: the addressee
    is a member of the staff, who has their own door. `names`: of the companies that `details` names by id.
    """

    base_url: str
    at: datetime
    secret_link: str = ""
    first_name: str = ""
    company: str = ""
    until: datetime | None = None
    effective_at: datetime | None = None
    companies: int = 1
    details: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    staff: bool = False
    names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class NoticeWords:
    """What a notice says, without its links. `facts`: (name, value)."""

    subject: str
    title: str
    says: list[str]
    facts: list[tuple[str, str]]


def notice_subject(kind: NoticeKind, details: Mapping[str, Any]) -> str:
    """Raises KeyError for a kind that is posted."""
    return french(TEXTS[_name(kind, details)].subject)


def notice_words(kind: NoticeKind, content: NoticeContent) -> NoticeWords:
    """Raises KeyError when the kind has no text (it is posted) or lacks what it says."""
    text, said = TEXTS[_name(kind, content.details)], _said(content)
    return NoticeWords(
        french(text.subject),
        french(text.title),
        [french(sentence).format_map(said) for sentence in text.says],
        _facts(content) if text.facts else _counted(content),
    )


def notice_page(kind: NoticeKind, details: Mapping[str, Any]) -> str:
    """The page of the portal where it goes on. Raises KeyError for a kind that is posted."""
    return _page(TEXTS[_name(kind, details)], NoticeContent(base_url="", at=_NEVER_AT, details=details))


def render_notice(kind: NoticeKind, content: NoticeContent) -> RenderedEmail:
    """The e-mail of this kind. Raises KeyError when the kind has no text (it is posted) or lacks what it says."""
    text, words = TEXTS[_name(kind, content.details)], notice_words(kind, content)
    values = {
        "subject": words.subject,
        "title": words.title,
        "greeting": f"Bonjour {one_line(content.first_name)}," if one_line(content.first_name) else "Bonjour,",
        "says": words.says,
        "facts": words.facts,
        "button": french(text.button),
        "link": content.secret_link or content.base_url + _page(text, content),
        "lasts": french(text.lasts).format_map(_said(content)),
        "alarm_title": french("Ce n’est pas vous ?") if text.facts and text.alarm else "",
        "alarm": french(text.alarm),
        "reset_link": content.base_url + FORGOTTEN if text.reset else "",
        "never": french(_NEVER),
        "why": french(_WHY),
    }
    return emails.render("notice", catalogue(Language.fr), values)


def _name(kind: NoticeKind, details: Mapping[str, Any]) -> str:
    """Which text: a kind that has something else to say in some case has another one for it."""
    if kind is NoticeKind.totp_changed and not details["on"]:
        return "totp_removed"
    if kind is NoticeKind.digest and details["when"] == "now":
        return "digest_now"
    if kind is NoticeKind.mandate_ended and details["why"] == "revoked":
        return "mandate_revoked"
    return kind.value


def _page(text: NoticeText, content: NoticeContent) -> str:
    if content.staff and text.page == SIGN_IN:
        return STAFF_SIGN_IN
    return text.page.replace("{request}", str(content.details.get("request", "")))


def _said(content: NoticeContent) -> dict[str, str]:
    """What the sentences' places are filled with, as far as it is known."""
    details = content.details
    said = {"company": _companies(one_line(content.company), content.companies)}
    if content.until is not None:
        said["until"] = _moment(content.until)
    if content.effective_at is not None:
        said["moment"] = _moment(content.effective_at)
    for name in ("on", "ends_on", "lapse_on"):
        if isinstance(details.get(name), str):
            said["day"] = date_in_words(date.fromisoformat(details[name]))
    if "role" in details:
        said["role"] = ROLES[Role(details["role"])]
    if "number" in details:
        said["number"] = one_line(str(details["number"]))
    if "count" in details:
        said["count"] = str(details["count"])
    if "left" in details:
        said["left"] = french(_left(details["left"]))
    return said


def _companies(name: str, count: int) -> str:
    """« l’entreprise Le Port », « l’entreprise Le Port et 2 autres entreprises »."""
    name = f"l’entreprise {name}" if name else "votre entreprise"
    match count - 1:
        case others if others < 1:
            return name
        case 1:
            return f"{name} et une autre entreprise"
        case others:
            return f"{name} et {others} autres entreprises"


def _left(count: int) -> str:
    if count == 0:
        return "Il ne vous en reste plus : créez-en de nouveaux dans votre profil."
    return f"Il vous en reste {count}."


def _facts(content: NoticeContent) -> list[tuple[str, str]]:
    """(name, value): when, by the clock of Paris, and in what browser."""
    facts = [(french("Quand :"), f"{_moment(content.at)} (heure de Paris)")]
    browser = one_line(str(content.details.get("browser", "")))
    return [*facts, (french("Navigateur :"), browser)] if browser else facts


def _counted(content: NoticeContent) -> list[tuple[str, str]]:
    """(company, what happened there), of a digest; those that have too many lines to be read are counted."""
    counts: Mapping[str, Mapping[str, int]] = content.details.get("counts", {})
    known = [(one_line(content.names[company]), counts[company]) for company in counts if company in content.names]
    known.sort(key=lambda one: one[0])
    lines = [
        (french(f"{name} :"), french(", ".join(_how_many(kind, of_kind[kind]) for kind in COUNTED if kind in of_kind)))
        for name, of_kind in known[:MOST_LINES]
    ]
    others = len(known) - len(lines)
    return [*lines, (french("Et aussi :"), french(_other_companies(others)))] if others else lines


def _how_many(kind: str, count: int) -> str:
    one, several = COUNTED[kind]
    return one if count == 1 else several.format(count)


def _other_companies(count: int) -> str:
    return "une autre entreprise" if count == 1 else f"{count} autres entreprises"


def _moment(moment: datetime) -> str:
    """« mardi 12 mai 2026 à 14 h 05 », in Paris."""
    local = moment.astimezone(PARIS)
    return f"{date_in_words(local.date())} à{NBSP}{local.hour}{NBSP}h{NBSP}{local.minute:02}"
