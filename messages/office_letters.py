"""The letters to a company's registered office: one page with a code, for its management.

They name nobody: who asks is told by a masked e-mail address. Tagged, PDF/UA-1 and PDF/A-2a.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from domain.media import Language
from messages import house, typeset
from messages.catalogue import catalogue
from messages.notices import POSTED, NoticeKind
from messages.typography import NBSP, date_in_words, french, one_line, short_date_in_words

ATTENTION = "À l’attention de la direction"
MAX_LINES = 6
MAX_LINE_CHARACTERS = 38


@dataclass(frozen=True)
class OfficeLetterContent:
    """What the letter says.

    `recipient_lines`: 1 to 6 lines of at most 38 characters, as in the window. `asked_by`: a masked address
    (`masked_email`). `web_address`: where the code is typed, short. `code`: in its groups, printed as given. `until`:
    its last day.
    """

    recipient_lines: tuple[str, ...]
    company: str
    asked_by: str
    asked_on: date
    web_address: str
    code: str
    until: date
    sent_on: date
    sender_lines: tuple[str, ...] = house.RETURN_ADDRESS


_SUBJECTS = {
    NoticeKind.activation_letter: "Votre code pour activer l’Espace Entreprise Santé",
    NoticeKind.recovery_letter: "Votre code pour reprendre l’Espace Entreprise Santé",
}
_BODIES = {
    NoticeKind.activation_letter: (
        "Le {asked_on}, une personne qui indique travailler pour votre entreprise, {company}, a demandé à activer son "
        "Espace Entreprise Santé. Son adresse e-mail est {asked_by}.",
        "Cet espace permet de suivre l’affiliation de vos salariés à leur complémentaire santé. Pour être sûrs que la "
        "demande vient de vous, nous envoyons un code à votre siège.",
    ),
    NoticeKind.recovery_letter: (
        "Le {asked_on}, une personne qui indique travailler pour votre entreprise, {company}, a demandé à reprendre "
        "son Espace Entreprise Santé, parce que plus aucun administrateur n’y entre. Son adresse e-mail est "
        "{asked_by}.",
        "Elle deviendra administrateur : elle verra les dossiers d’affiliation de vos salariés et dira qui d’autre y "
        "a accès. Pour être sûrs que la demande vient de vous, nous envoyons un code à votre siège.",
    ),
}
_STEPS = (
    "Vérifiez que cette demande vient bien de votre entreprise.",
    "Si c’est le cas, remettez cette lettre à la personne qui l’a faite, et à elle seule.",
    "Elle tape l’adresse ci-dessus dans son navigateur, puis le code, au plus tard le {until}.",
)
_CLOSING = {
    NoticeKind.activation_letter: (
        "Personne chez vous n’a rien demandé ? Ne donnez le code à personne et détruisez cette lettre : sans lui, rien "
        "ne se passe. Vous pouvez aussi nous prévenir au {helpline}."
    ),
    NoticeKind.recovery_letter: (
        "Personne chez vous n’a rien demandé ? Ne donnez le code à personne et détruisez cette lettre : sans lui, rien "
        "ne change. Prévenez-nous au {helpline} : nous arrêterons la demande. Une fois le code tapé, nous attendons "
        "encore avant d’ouvrir l’accès, et nous prévenons les administrateurs."
    ),
}


def render_office_letter(kind: NoticeKind, content: OfficeLetterContent) -> bytes:
    """The PDF of this letter, one page. Raises ValueError when the kind is not posted or the address does not fit."""
    if kind not in POSTED:
        raise ValueError(f"{kind} is not sent by post")
    recipient = [typeset.printable(line) for line in content.recipient_lines]
    if not 1 <= len(recipient) <= MAX_LINES or any(len(line) > MAX_LINE_CHARACTERS for line in recipient):
        raise ValueError(f"an address has 1 to {MAX_LINES} lines of at most {MAX_LINE_CHARACTERS} characters")
    words = catalogue(Language.fr)
    said = {
        "company": typeset.breakable(typeset.printable(content.company)),
        "asked_by": typeset.breakable(typeset.printable(content.asked_by)),
        "asked_on": short_date_in_words(content.asked_on),
        "until": date_in_words(content.until),
        "helpline": house.HELPLINE,
    }

    def fill(sentence: str) -> str:
        return french(sentence).format_map(said)

    data = {
        **typeset.language_of(words),
        "sizes": typeset.sizes(Language.fr),
        "tagline": words.text("house.tagline"),
        "title": f"{french(_SUBJECTS[kind])} – {house.NAME}",
        "question": french("Une question ?"),
        "cost": words.text("house.helpline.cost"),
        "recipient": recipient,
        "sender": [typeset.printable(line) for line in content.sender_lines],
        "sent_on": f"Paris, le{NBSP}{short_date_in_words(content.sent_on)}",
        "subject": french(_SUBJECTS[kind]),
        "attention": ATTENTION + ",",
        "body": [fill(sentence) for sentence in _BODIES[kind]],
        "address_label": french("Adresse à taper dans un navigateur :"),
        "web_address": typeset.printable(content.web_address),
        "code_label": french(f"Code, valable jusqu’au {said['until']} :"),
        "code": typeset.printable(content.code),
        "steps": [fill(step) for step in _STEPS],
        "closing": fill(_CLOSING[kind]),
        "never": french("Nous ne vous demanderons jamais ce code au téléphone, ni par e-mail."),
    }
    return typeset.render("office_letter.typ", content.sent_on, data, {})


def masked_email(email: str) -> str:
    """« c•••@exemple.fr »: enough for colleagues to recognise it, not to write to it."""
    name, _, host = one_line(email).rpartition("@")
    return f"{name[:1]}•••@{host}"
