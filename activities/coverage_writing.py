"""Turns the rights of one person into the message that leaves: words, dates, address, certificate."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from uuid import UUID

import asyncpg

from activities.contracts.rights import HandOverRights
from activities.writing import CIVILITIES, envelope, first_name, reference_of
from domain.coverage_rights import End, Opening, RightsMessage, proof_due, rights_until
from domain.media import Language
from domain.working_time import months_after
from gateways.mail import Attachment, Email
from gateways.post import Letter
from messages.certificates import CertificateContent, render_radiation
from messages.coverage_messages import CoverageContent, certified, coverage_email, coverage_letter

CERTIFICATE_NAME = "attestation-de-radiation.pdf"


class RightsWriter:
    """`person`: the row of `db.affiliations.person`; `cover`, `contract`: of `db.insured`. Rendering takes a while:
    call it in a thread."""

    def email(
        self,
        dispatch_id: UUID,
        order: HandOverRights,
        person: asyncpg.Record,
        cover: asyncpg.Record,
        contract: asyncpg.Record,
        on: date,
    ) -> Email:
        content = _content(order, person, on)
        rendered = coverage_email(order.message, content)
        attached = None
        if order.message is RightsMessage.cover_end:
            pdf = render_radiation(_certificate(order, cover, contract, on), certified(content))
            attached = Attachment(CERTIFICATE_NAME, pdf)
        return Email(
            dispatch_id=str(dispatch_id),
            to=person["email"],
            subject=rendered.subject,
            html=rendered.html,
            text=rendered.text,
            kind=order.message.value,
            language=person["language"],
            attachment=attached,
        )

    def letter(
        self,
        dispatch_id: UUID,
        order: HandOverRights,
        person: asyncpg.Record,
        cover: asyncpg.Record,
        contract: asyncpg.Record,
        on: date,
    ) -> Letter:
        """Raises InvalidValue when the address does not fit a window."""
        lines = envelope(person)
        with_it = order.message is RightsMessage.cover_end
        certificate = _certificate(order, cover, contract, on) if with_it else None
        pdf = coverage_letter(order.message, _content(order, person, on), lines, certificate)
        return Letter(dispatch_id=str(dispatch_id), pdf=pdf, address_lines=lines, country=person["country"])


def _content(order: HandOverRights, person: asyncpg.Record, on: date) -> CoverageContent:
    facts, end = order.facts, order.facts.end
    content = CoverageContent(
        first_name=first_name(person),
        last_name=person["last_name"],
        civility=CIVILITIES[person["civility"]],
        employer=person["establishment"],
        city=person["establishment_city"],
        language=Language(person["language"]),
        reference=reference_of(person["id"]),
        sent_on=on,
    )
    return content if end is None else _of_end(content, order, end, rights_until(facts) or end.covered_until)


def _of_end(content: CoverageContent, order: HandOverRights, end: End, last: date) -> CoverageContent:
    facts = order.facts
    opened = end.portability is Opening.open
    # six months after the contract, or after portability where it was open (loi Évin, art. 4)
    since = last if opened and end.last_portable_day is not None else end.contract_ends_on
    evin_by = months_after(since, facts.rules.evin_months)
    portability_is_told = opened and order.message is RightsMessage.cover_end
    return replace(
        content,
        contract_ends_on=end.contract_ends_on,
        covered_until=end.covered_until,
        opening=end.portability,
        first=end.portability_from if opened else None,
        last=end.portability_until if portability_is_told else last if opened else None,
        proof_by=proof_due(facts, order.told, content.sent_on),
        proven_until=end.proof_until,
        early=end.end_reason,
        evin_by=evin_by if evin_by > content.sent_on else None,
    )


def _certificate(
    order: HandOverRights, cover: asyncpg.Record, contract: asyncpg.Record, on: date
) -> CertificateContent:
    return certificate_content(cover, contract, order.facts.last_day, on)


def certificate_content(
    cover: asyncpg.Record, contract: asyncpg.Record, ends_on: date | None, issued_on: date
) -> CertificateContent:
    """What both certificates say, from the rows of `db.insured`."""
    return CertificateContent(
        reference=reference_of(cover["affiliation_id"]),
        civility=cover["civility"],
        first_names=cover["first_names"],
        last_name=cover["last_name"],
        company=contract["company"],
        siren=contract["siren"],
        establishment=contract["establishment"],
        siret=contract["siret"],
        city=contract["city"],
        insurer=contract["insurer"],
        insurer_reference=contract["insurer_reference"],
        formula=cover["formula"],
        starts_on=cover["starts_on"],
        ends_on=ends_on,
        issued_on=issued_on,
    )
