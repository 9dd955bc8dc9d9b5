"""Turns one affiliation's data into the message that leaves: addresses, links, codes, words."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import asyncpg

from domain.addresses import PostalAddress, envelope_lines
from domain.affiliation import Message
from domain.effect_date import coverage_begins
from domain.employment import ContractKind
from domain.formulas import Family, ProfessionalStatus, Scheme, levels, monthly_price_cents
from domain.identifiers import Civility
from domain.media import Language
from domain.waivers import waiver_reasons
from gateways.encryption import FieldCipher, token_hash
from gateways.letter_codes import format_code
from gateways.mail import Email
from gateways.post import Letter
from gateways.sms import Sms
from messages.emails import EmailContent, RenderedEmail, render_email
from messages.forms import FormContent, waiver_labels
from messages.letters import LetterContent, render_letter
from messages.sms import render_sms

CIVILITIES = {Civility.madame.value: "Madame", Civility.monsieur.value: "Monsieur"}
SCHEMES = {"RG": "general", "RL": "alsace_moselle"}
PROFESSIONAL_STATUSES = {"NC": "non_cadre", "C": "cadre"}


def reference_of(affiliation_id: UUID) -> str:
    """What people quote on the phone: the end of the id, in groups."""
    tail = affiliation_id.hex[-12:].upper()
    return f"{tail[:4]} {tail[4:8]} {tail[8:]}"


class Writer:
    """Writes messages; `person` is the row of `db.affiliations.person`."""

    def __init__(self, cipher: FieldCipher, public_base_url: str) -> None:
        self._cipher = cipher
        self._base_url = public_base_url.rstrip("/")

    def link(self, dispatch_id: UUID) -> str:
        """The personal link of a dispatch; nothing else stands in it."""
        return f"{self._base_url}/e/{self._cipher.link_token(str(dispatch_id))}"

    def link_hash(self, dispatch_id: UUID) -> bytes:
        return token_hash(self._cipher.link_token(str(dispatch_id)))

    def letter_secret(self, dispatch_id: UUID) -> str:
        return self._cipher.letter_secret(str(dispatch_id))

    def email(self, dispatch_id: UUID, message: Message, person: asyncpg.Record, deadline: date | None) -> Email:
        rendered = self.rendered_email(self.link(dispatch_id), message, person, deadline)
        return Email(
            dispatch_id=str(dispatch_id),
            to=person["email"],
            subject=rendered.subject,
            html=rendered.html,
            text=rendered.text,
            kind=message.kind.value,
            language=person["language"],
        )

    def rendered_email(
        self, link: str, message: Message, person: asyncpg.Record, deadline: date | None
    ) -> RenderedEmail:
        """The same with any link: what may be shown to others than the person."""
        return render_email(
            message.kind,
            EmailContent(
                first_name=first_name(person),
                last_name=person["last_name"],
                civility=CIVILITIES[person["civility"]],
                employer=person["establishment"],
                city=person["establishment_city"],
                link=link,
                decline_link=f"{link}/non",
                deadline=deadline,
                missing=tuple(person["missing"] or ()),
                language=Language(person["language"]),
                reference=reference_of(person["id"]),
                refusals=person["refusals"] or {},
                reminder=message.automatic,
                waiver_ended_on=person["waiver_ended_on"],
                outcome="waiver" if person["waived"] else "coverage",
                checking=bool(person["checking"]),
            ),
        )

    def letter(
        self,
        dispatch_id: UUID,
        message: Message,
        person: asyncpg.Record,
        selector: str,
        sent_on: date,
        deadline: date | None,
    ) -> Letter:
        """Renders for about fifty milliseconds with its form: call it in a thread."""
        code = format_code(selector, self.letter_secret(dispatch_id))
        form = self.form(person, sent_on)
        lines = envelope(person)
        pdf = self.letter_pdf(code, self.link(dispatch_id), message, person, sent_on, deadline, form)
        return Letter(dispatch_id=str(dispatch_id), pdf=pdf, address_lines=lines, country=person["country"])

    def letter_pdf(
        self,
        code: str,
        qr_link: str,
        message: Message,
        person: asyncpg.Record,
        sent_on: date,
        deadline: date | None,
        form: FormContent,
    ) -> bytes:
        """The same with any code, link and form: what may be shown to others than the person."""
        return render_letter(
            message.kind,
            LetterContent(
                recipient_lines=envelope(person),
                first_name=first_name(person),
                last_name=person["last_name"],
                civility=CIVILITIES[person["civility"]],
                employer=person["establishment"],
                city=person["establishment_city"],
                web_address=f"{self._base_url.split('://', 1)[-1]}/courrier",
                code=code,
                qr_link=qr_link,
                deadline=deadline,
                missing=tuple(person["missing"] or ()),
                language=Language(person["language"]),
                reference=reference_of(person["id"]),
                sent_on=sent_on,
                names=_dependant_names(person),
                refusals=person["refusals"] or {},
                reminder=message.automatic,
                waiver_ended_on=person["waiver_ended_on"],
            ),
            form,
        )

    def sms(self, dispatch_id: UUID, message: Message, person: asyncpg.Record) -> Sms:
        text = render_sms(message.kind, self.link(dispatch_id), Language(person["language"]))
        return Sms(dispatch_id=str(dispatch_id), to=person["phone"], text=text)

    def nir(self, person: asyncpg.Record) -> str:
        """In full: what is shown of it is `domain.identifiers.masked_nir`."""
        return self._cipher.decrypt(person["nir_sealed"], "employee", "nir", str(person["employee_id"]))

    def form(self, person: asyncpg.Record, on: date) -> FormContent:
        """The BIA, pre-filled with what the employer declared, with the prices of the day or of the first one."""
        starts_on = coverage_begins(person["hired_on"], person["waiver_ended_on"])
        priced_on = max(starts_on, on)
        return FormContent(
            reference=reference_of(person["id"]),
            civility=CIVILITIES[person["civility"]],
            last_name=person["last_name"],
            birth_name=person["birth_name"],
            first_name=person["first_names"],
            birth_date=person["birth_date"],
            nir=self.nir(person),
            scheme=SCHEMES[person["scheme"]],
            address=person["line1"],
            address_complement=person["line2"] or "",
            postal_code=person["postcode"],
            city=person["city"],
            email=person["email"] or "",
            phone=person["phone"] or "",
            employer=person["establishment"],
            siret=person["siret"],
            hire_date=person["hired_on"],
            status=PROFESSIONAL_STATUSES[person["professional_status"]],
            waivers=waiver_labels(waiver_reasons(starts_on, ContractKind(person["contract_kind"]))),
            formulas=levels(priced_on),
            prices=_prices(person, priced_on),
        )


def envelope(person: asyncpg.Record) -> tuple[str, ...]:
    """Raises InvalidValue when the address does not fit a window."""
    address = PostalAddress(
        line1=person["line1"],
        line2=person["line2"] or "",
        postcode=person["postcode"],
        city=person["city"],
        country=person["country"],
    )
    return envelope_lines(recipient(person["civility"], person["first_names"], person["last_name"]), address)


def _dependant_names(person: asyncpg.Record) -> dict[str, str]:
    """The first name of each dependant, by key."""
    return {key: _first(names) for key, names in (person["dependant_names"] or {}).items()}


def _prices(person: asyncpg.Record, on: date) -> dict[str, dict[Family, int]]:
    status, scheme = ProfessionalStatus(person["professional_status"]), Scheme(person["scheme"])
    return {
        level: {family: monthly_price_cents(level, status, family, scheme, on=on) for family in Family}
        for level in levels(on)
    }


def recipient(civility: str, first_names: str, last_name: str) -> str:
    """Who a letter is addressed to."""
    return f"{CIVILITIES[civility]} {_first(first_names)} {last_name}"


def first_name(person: asyncpg.Record) -> str:
    return _first(person["first_names"])


def _first(first_names: str) -> str:
    return first_names.split(",")[0].strip()
