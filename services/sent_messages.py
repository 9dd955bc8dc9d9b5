"""The messages of an affiliation as its employer may read them: written again from what is stored, without the personal
link or code that they carried; those about the form's documents not at all (security.md Z-06)."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from typing import Final, Literal
from uuid import UUID

import asyncpg

from activities.writing import Writer
from db import affiliations, audit, dispatches
from db.pool import Pool, tenant
from domain.affiliation import Message
from domain.identifiers import InvalidValue
from domain.media import Language, Medium, MessageKind
from domain.working_time import paris_date
from messages.catalogue import catalogue
from messages.sms import render_sms
from services.callers import Caller, Scope
from services.fields import today
from services.problems import NotFound
from services.views import DispatchView, MessageState, dispatch_views

HIDDEN: Final = "[lien personnel masqué]"
_LINK: Final = "https://lien.invalid/personnel"  # stands for the link until it is taken out again
_ANY_LINK: Final = re.compile(rf"{re.escape(_LINK)}[\w/]*")
_HREF: Final = re.compile(rf'\s+href="{re.escape(_LINK)}[\w/]*"')
# The others tell what the person still has to send, or what they chose.
_READABLE: Final = frozenset(
    {
        MessageKind.invitation,
        MessageKind.reminder,
        MessageKind.draft_reminder,
        MessageKind.employer_reminder,
        MessageKind.postal_fallback,
    }
)
_AUTOMATIC: Final = frozenset({MessageKind.reminder, MessageKind.draft_reminder})

Unread = Literal["about_documents", "own_contact", "never_left"]


@dataclass(frozen=True)
class SentMessage:
    """`unread`: why its content is not shown; None: it is, an e-mail as `subject`, `html` and `text`, an SMS as `text`,
    a letter as a PDF."""

    first_names: str
    last_name: str
    dispatch: DispatchView
    unread: Unread | None
    to: str = ""
    lang: str = "fr"
    subject: str = ""
    html: str = ""
    text: str = ""


class SentMessages:
    def __init__(self, web: Pool, writer: Writer) -> None:
        self._web = web
        self._writer = writer

    async def one(self, caller: Caller, affiliation_id: UUID, dispatch_id: UUID) -> SentMessage:
        """One message with its state. Reading it is in the audit log. Raises NotAllowed, NotFound."""
        person, dispatch = await self._read(caller, affiliation_id, dispatch_id)
        return as_sent(self._writer, person, dispatch_views([dispatch])[0])

    async def html(self, caller: Caller, affiliation_id: UUID, dispatch_id: UUID) -> str:
        """An e-mail. Raises NotAllowed, NotFound: there is none, or it may not be read."""
        message = await self.one(caller, affiliation_id, dispatch_id)
        if not message.html:
            raise NotFound()
        return message.html

    async def letter(self, caller: Caller, affiliation_id: UUID, dispatch_id: UUID) -> bytes:
        """A letter, as PDF, its code and the NIR left out. Raises as `html`."""
        person, dispatch = await self._read(caller, affiliation_id, dispatch_id)
        view = dispatch_views([dispatch])[0]
        if view.medium is not Medium.post or unread(person, view) is not None:
            raise NotFound()
        pdf = await asyncio.to_thread(letter_as_sent, self._writer, person, view)
        if pdf is None:
            raise NotFound()
        return pdf

    async def _read(
        self, caller: Caller, affiliation_id: UUID, dispatch_id: UUID
    ) -> tuple[asyncpg.Record, asyncpg.Record]:
        """Raises NotAllowed, NotFound."""
        caller.need(Scope.read)
        async with tenant(self._web, caller.companies) as connection:
            sent = await connection.fetch(dispatches.OF_AFFILIATION, affiliation_id)
            dispatch = next((row for row in sent if row["id"] == dispatch_id), None)
            if dispatch is None:
                raise NotFound()
            person = await affiliations.person(connection, affiliation_id, dispatch["contact_version"], missing=())
            if person is None:
                raise NotFound()
            await audit.viewed(connection, caller.actor, [affiliation_id], "message")
        return person, dispatch


_NOWHERE: Final = "https://hcrbienetre.fr"  # what the letter's QR code holds


def as_sent(writer: Writer, person: asyncpg.Record, view: DispatchView) -> SentMessage:
    """A message to the person of that version of the contact. A letter's content is `letter_as_sent`."""
    first_names, last_name = person["first_names"], person["last_name"]
    lang = catalogue(Language(person["language"])).html_lang
    why = unread(person, view)
    if why is not None:
        return SentMessage(first_names, last_name, view, why, lang=lang)
    match view.medium:
        case Medium.email:
            email = writer.rendered_email(_LINK, _message(view), person, None)
            html = _ANY_LINK.sub(HIDDEN, _HREF.sub("", email.html))
            text = _ANY_LINK.sub(HIDDEN, email.text)
            to = person["email"] or ""
            return SentMessage(first_names, last_name, view, None, to, lang, email.subject, html, text)
        case Medium.sms:
            text = _ANY_LINK.sub(HIDDEN, render_sms(view.kind, _LINK, Language(person["language"])))  # type: ignore[arg-type]
            return SentMessage(first_names, last_name, view, None, person["phone"] or "", lang, text=text)
        case Medium.post:
            lines = [person["line1"], person["line2"], f"{person['postcode']} {person['city']}"]
            return SentMessage(first_names, last_name, view, None, "\n".join(filter(None, lines)), lang)


def letter_as_sent(writer: Writer, person: asyncpg.Record, view: DispatchView) -> bytes | None:
    """As PDF; None: it never fitted a window, so that it did not leave. Call it in a thread."""
    sent_on = paris_date(view.handed_over_at) if view.handed_over_at else today()
    form = replace(writer.form(person, sent_on), nir="")
    try:
        return writer.letter_pdf("••••", _NOWHERE, _message(view), person, sent_on, None, form)
    except InvalidValue:
        return None


def unread(person: asyncpg.Record, dispatch: DispatchView) -> Unread | None:
    """Why its content is not handed on; None: it is."""
    if dispatch.kind not in _READABLE:
        return "about_documents"
    if person["given_by"] != "employer":
        return "own_contact"
    if dispatch.state is MessageState.superseded:
        return "never_left"
    return None


def _message(dispatch: DispatchView) -> Message:
    kind = MessageKind(dispatch.kind)
    return Message(kind, dispatch.number, dispatch.medium, automatic=kind in _AUTOMATIC)
