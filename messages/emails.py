"""The e-mails written to an employee: subject, HTML and text from one content, in the employee's language.

Every e-mail has the shape of `templates/email/email.html` and `.txt`; its texts are `email.<name>.…` in the catalogues.
A kind that has something else to say in some case (`waiver_ended`) has texts of another name, never an other shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import urlsplit

import css_inline
import jinja2

from domain.media import Language, MessageKind
from messages import house
from messages.catalogue import FRENCH, Catalogue, catalogue
from messages.pieces import asked_pieces
from messages.typography import one_line


@dataclass(frozen=True)
class EmailContent:
    """What an e-mail says of one affiliation.

    `civility` as it is read (« Madame », « Monsieur ») or ""; said in French only. `link` opens the form (the receipt,
    in a confirmation), `decline_link` says « Ce n'est pas moi » or « J'ai quitté l'entreprise »; both absolute http(s)
    addresses. `deadline`: last day to answer, None when there is none to tell. `city` may be "".

    `missing`: the documents asked for by `missing_pieces`, as `domain.pieces` writes them; never a dependant's name
    (security.md W-07); `refusals`: why a piece is asked for again, a code by piece; `reminder`: they were asked for
    before. Kinds other than `missing_pieces` show none of it.

    `waiver_ended_on`: the invitation is sent because the person's dispense ends on this day. `outcome`: what a
    confirmation confirms; `checking`: our team still looks at the documents.
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
    refusals: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    reminder: bool = False
    waiver_ended_on: date | None = None
    outcome: Literal["coverage", "waiver"] = "coverage"
    checking: bool = False


@dataclass(frozen=True)
class RenderedEmail:
    """Ready to hand over. `subject` is a constant of its name and language: one line, nothing personal."""

    subject: str
    html: str
    text: str


EMAIL_KINDS = frozenset(MessageKind) - {MessageKind.postal_fallback}


def render_email(kind: MessageKind, content: EmailContent) -> RenderedEmail:
    """The e-mail of this kind.

    Raises ValueError when the kind is never sent by e-mail (`postal_fallback`), a link is not http(s), or a piece is
    unknown.
    """
    if kind not in EMAIL_KINDS:
        raise ValueError(f"{kind} is not sent by e-mail")
    for link in (content.link, content.decline_link):
        _require_web_address(link)
    words = catalogue(content.language)
    name = _name(kind, content)
    subject = words.text(f"email.{name}.subject")
    return render("email", words, {"kind": kind.value, "name": name, "subject": subject, **_said(kind, content, words)})


def render(template: str, words: Catalogue, values: Mapping[str, Any]) -> RenderedEmail:
    """`template`.html and .txt filled with `values`, of which `subject` is one."""
    values = {"words": words, "house": house, **values}
    html = _environment().get_template(f"{template}.html").render(values, say=words.html)
    text = _environment().get_template(f"{template}.txt").render(values, say=words.text)
    return RenderedEmail(subject=values["subject"], html=_inliner().inline(html), text=text)


def _require_web_address(link: str) -> None:
    if urlsplit(link).scheme not in ("http", "https") or any(c.isspace() for c in link):
        raise ValueError("a link in an e-mail is an absolute http(s) address")


def _name(kind: MessageKind, content: EmailContent) -> str:
    """Which texts: `email.<name>.subject`…"""
    if kind is MessageKind.invitation and content.waiver_ended_on:
        return "waiver_ended"
    if kind is MessageKind.missing_pieces and content.reminder:
        return "missing_pieces_reminder"
    if kind is MessageKind.confirmation:
        confirmed = "confirmation" if content.outcome == "coverage" else "waiver_confirmation"
        return f"{confirmed}_checking" if content.checking else confirmed
    return kind.value


def _said(kind: MessageKind, content: EmailContent, words: Catalogue) -> dict[str, Any]:
    first_name = one_line(content.first_name)
    called = content.civility if content.civility and words.language in FRENCH else first_name
    asks_for = content.missing if kind is MessageKind.missing_pieces else ()
    answered = kind is MessageKind.confirmation
    return {
        "addressee": one_line(f"{called} {content.last_name}"),
        "employer": one_line(content.employer),
        "city": one_line(content.city),
        "link": content.link,
        "decline_link": content.decline_link,
        "deadline": words.full_day(content.deadline) if content.deadline and not answered else None,
        "ended_on": words.full_day(content.waiver_ended_on) if content.waiver_ended_on else None,
        "missing": asked_pieces(words, asks_for, {}, content.refusals),
        "waived": content.outcome == "waiver",
        "reference": one_line(content.reference),
        "elsewhere": _elsewhere(words.language),
    }


def _elsewhere(language: Language) -> list[Catalogue]:
    """In French, each language that the form speaks too; in another, French, for whoever helps the person."""
    others = [other for other in Language if other is not language] if language in FRENCH else [Language.fr]
    return [catalogue(other) for other in others]


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates") / "email"),
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
