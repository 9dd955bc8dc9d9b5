"""Synthetic people and companies, ordinary and hostile, for the tests of `messages/`."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from domain.formulas import Family
from domain.media import Language
from messages.emails import EmailContent
from messages.forms import FormContent, FormDependant
from messages.letters import LetterContent

EMAIL = EmailContent(
    first_name="Camille",
    last_name="Martin",
    civility="Madame",
    employer="Le Grand Hôtel du Port",
    city="Sète",
    link="https://entreprise.hcrbienetre.example/a/Yk3vQm9ZrT1cXw8LpD2sNf",
    decline_link="https://entreprise.hcrbienetre.example/a/Yk3vQm9ZrT1cXw8LpD2sNf/non",
    deadline=date(2026, 5, 12),
    missing=("rib", "social_security_certificate"),
    language=Language.fr,
    reference="AFF-2026-004217",
)

LETTER = LetterContent(
    recipient_lines=(
        "MADAME CAMILLE MARTIN",
        "CHEZ MONSIEUR DUPONT",
        "BÂTIMENT C ESCALIER 2",
        "14 RUE DES TROIS FRÈRES BARTHÉLEMY",
        "LIEU-DIT LE PETIT PORT",
        "34200 SÈTE",
    ),
    first_name=EMAIL.first_name,
    last_name=EMAIL.last_name,
    civility=EMAIL.civility,
    employer=EMAIL.employer,
    city=EMAIL.city,
    web_address="entreprise.hcrbienetre.fr/code",
    code="A7K3-9QXT-M2PD-H4RZ8",
    qr_link=EMAIL.link,
    deadline=EMAIL.deadline,
    missing=EMAIL.missing,
    language=Language.fr,
    reference=EMAIL.reference,
    sent_on=date(2026, 3, 13),
)

FORM = FormContent(
    reference=EMAIL.reference,
    civility="Madame",
    last_name="Martin",
    birth_name="Durand",
    first_name="Camille",
    birth_date=date(1992, 3, 10),
    nir="2 92 03 34 172 045 18",
    scheme="general",
    address="14 rue des Trois Frères Barthélemy",
    address_complement="Bâtiment C, escalier 2",
    postal_code="34200",
    city="Sète",
    email="camille.martin@exemple.example",
    phone="06 12 34 56 78",
    employer=EMAIL.employer,
    siret="732 829 320 00074",
    hire_date=date(2026, 3, 1),
    status="non_cadre",
    partner=FormDependant("Petit", "Alix", date(1990, 1, 2), "190013417204512"),
    children=(FormDependant("Petit", "Noa", date(2019, 8, 30)),),
    formula="BASE",
    iban="FR76 3000 6000 0112 3456 7890 189",
    account_holder="Camille Martin",
)

# Everything filled in: a long name, a partner, four children, prices.
_NAME = "Vasconcelos de Albuquerque e Souza"
_CHILD = FormDependant(_NAME, "Maria-Fernanda Esperança", date(2019, 8, 30), "190013417204512", "both", student=True)
FAMILY_FORM = replace(
    FORM,
    last_name=_NAME,
    path="join",
    partner=replace(_CHILD, attached_to="own", student=False),
    civil_link="pacs",
    children=(_CHILD,) * 4,
    prices={
        "BASE": {Family.SEUL: 3100, Family.DUO: 5900, Family.FAMILLE: 8400},
        "OPTION 1": {Family.SEUL: 4300, Family.DUO: 8300, Family.FAMILLE: 12000},
        "OPTION 2": {Family.SEUL: 5500, Family.DUO: 10700, Family.FAMILLE: 15600},
    },
    teletransmission="yes",
)

# Each is what somebody could type as a name; each must come out as a name and nothing else.
HOSTILE_NAMES = (
    "<script>alert(1)</script>",
    "{{7*7}} {% raw %}",
    "#set page(width: 1cm) #pagebreak()",
    "*gras* _ital_ $x$ @ref `code` \\",
    "O'Brien \"l'Ours\" & fils",
)
BROKEN_NAME = "Line\r\nBcc: quelqu-un\u2028d\u202eautre\x00"
LONG_NAME = "Établissement Hôtelier & Thermal de la Très Grande Corniche S"
WIDE_NAME = "W" * 60


def named_email(name: str) -> EmailContent:
    return replace(EMAIL, civility="", first_name=name, last_name=name, employer=name, city=name)


def named_letter(name: str) -> LetterContent:
    return replace(LETTER, civility="", first_name=name, last_name=name, employer=name, city=name)


def named_form(name: str) -> FormContent:
    person = FormDependant(name, name, date(2019, 8, 30), "190013417204512")
    return replace(
        FORM,
        last_name=name,
        first_name=name,
        birth_name=name,
        address=name,
        city=name,
        email=name,
        phone=name,
        employer=name,
        account_holder=name,
        partner=person,
        children=(person,) * 4,
    )
