"""The e-mails written to an employee: subject, HTML and text from one content.

Templates: `templates/email/<kind>.html` and `.txt`, on a common layout. They are typed with ordinary spaces; French
non-breaking ones are set when a template is loaded, so that what people typed is never touched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

import css_inline
import jinja2

from domain.media import Language, MessageKind
from messages import house
from messages.typography import date_in_words, french, list_item, one_line
from messages.words import piece_label


@dataclass(frozen=True)
class EmailContent:
    """What an e-mail says of one affiliation.

    `civility` as it is read (« Madame », « Monsieur ») or "". `link` opens the form (the receipt, in a confirmation),
    `decline_link` says « Ce n'est pas moi » or « J'ai quitté l'entreprise »; both absolute http(s) addresses.
    `deadline`: last day to answer, None when there is none to tell. `missing`: codes of `words.PIECES`, asked for by
    `missing_pieces` and not shown by the other kinds. `city` may be "".
    """

    first_name: str
    last_name: str
    civility: str
    employer: str
    city: str
    link: str
    decline_link: str
    deadline: date | None
    missing: tuple[str, ...]
    language: Language
    reference: str


@dataclass(frozen=True)
class RenderedEmail:
    """Ready to hand over. `subject` is a constant of its kind: one line, nothing personal."""

    subject: str
    html: str
    text: str


SUBJECTS = MappingProxyType(
    {
        Language.fr: {
            MessageKind.invitation: french("Nouvel emploi : il vous reste une démarche à faire"),
            MessageKind.reminder: french("Rappel : il vous reste une démarche à faire"),
            MessageKind.draft_reminder: "Votre formulaire vous attend",
            MessageKind.employer_reminder: "Votre employeur vous rappelle une démarche à faire",
            MessageKind.missing_pieces: "Votre dossier n’est pas encore complet",
            MessageKind.confirmation: "Votre dossier est complet",
        }
    }
)

EMAIL_KINDS = frozenset(SUBJECTS[Language.fr])


def render_email(kind: MessageKind, content: EmailContent) -> RenderedEmail:
    """The e-mail of this kind.

    Raises ValueError when the kind is never sent by e-mail (`postal_fallback`) or a link is not http(s), KeyError for
    an unknown piece.
    """
    if kind not in EMAIL_KINDS:
        raise ValueError(f"{kind} is not sent by e-mail")
    for link in (content.link, content.decline_link):
        _require_web_address(link)
    language = house.written_language(content.language)
    subject = SUBJECTS[language][kind]
    values = {
        "lang": language.value,
        "subject": subject,
        "addressee": one_line(f"{content.civility or content.first_name} {content.last_name}"),
        "employer": one_line(content.employer),
        "city": one_line(content.city),
        "link": content.link,
        "decline_link": content.decline_link,
        "deadline": content.deadline and date_in_words(content.deadline),
        "missing": [list_item(piece_label(code)) for code in content.missing],
        "reference": one_line(content.reference),
        "house": house,
    }
    html = _template(f"{kind}.html").render(values)
    text = _template(f"{kind}.txt").render(values)
    return RenderedEmail(subject=subject, html=_inliner().inline(html), text=text)


def _require_web_address(link: str) -> None:
    if urlsplit(link).scheme not in ("http", "https") or any(c.isspace() for c in link):
        raise ValueError("a link in an e-mail is an absolute http(s) address")


def _template(name: str) -> jinja2.Template:
    return _environment().get_template(name)


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=_FrenchLoader(Path(__file__).with_name("templates") / "email"),
        autoescape=jinja2.select_autoescape(["html"], default=False),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@cache
def _inliner() -> css_inline.CSSInliner:
    # The <style> stays for what cannot be inlined (dark mode, narrow screens); nothing is ever fetched.
    return css_inline.CSSInliner(keep_style_tags=True, load_remote_stylesheets=False)


class _FrenchLoader(jinja2.FileSystemLoader):
    def get_source(self, environment: jinja2.Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        source, filename, up_to_date = super().get_source(environment, template)
        return french(source), filename, up_to_date
