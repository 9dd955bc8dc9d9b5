"""« Attestation d’affiliation », « Attestation de radiation »: who is or was covered, when, by which contract.

One page, in French, as tagged PDF.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from domain.formulas import Formula, parse_formula_code
from domain.identifiers import Civility
from domain.media import Language
from messages import house, typeset
from messages.catalogue import Run
from messages.typeset import Marked
from messages.typography import NBSP, french, short_date_in_words
from messages.words import CIVILITIES, PROFESSIONAL_STATUSES, SCHEMES, insurer_label


@dataclass(frozen=True)
class CertificateContent:
    """What a certificate says. Nothing of the family or of health, and no NIR: an employer hands it on.

    `formula`: a code (`BASE CCN HCR NC SEUL RG`), of which the family is left out. `ends_on`: None: no end is known.
    """

    reference: str
    civility: str
    first_names: str
    last_name: str
    company: str
    siren: str
    establishment: str
    siret: str
    city: str
    insurer: str
    insurer_reference: str
    formula: str
    starts_on: date
    ends_on: date | None
    issued_on: date


@dataclass(frozen=True)
class Portability:
    """What a certificate of the end says of portability; None for either day: it is not open, or not decided yet."""

    opening: Literal["open", "closed", "review"]
    first: date | None = None
    last: date | None = None


def render_certificate(content: CertificateContent) -> bytes:
    """The PDF of this certificate. Raises ValueError for an unknown formula, KeyError for an unknown insurer."""
    data = _page(content, "Attestation d’affiliation", _contract(content), _ending(content))
    return typeset.render("certificate.typ", content.issued_on, data, _images(content))


def render_radiation(content: CertificateContent, portability: Portability) -> bytes:
    """The PDF of the certificate that the cover with this employer ends. Raises as `render_certificate`, and ValueError
    when no end is known."""
    data = radiation_page(content, portability)
    return typeset.render("certificate.typ", content.issued_on, data, _images(content))


def radiation_page(content: CertificateContent, portability: Portability) -> dict[str, Any]:
    """The same as the page of another document. Raises as `render_radiation`."""
    if content.ends_on is None:
        raise ValueError("no end is known")
    contract = [*_contract(content), ("Portabilité", _portability(portability))]
    return _page(content, "Attestation de radiation", contract, _radiated(content))


def _page(
    content: CertificateContent, title: str, contract: list[tuple[str, str]], ending: list[str]
) -> dict[str, Any]:
    reference = typeset.printable(content.reference)
    return {
        "lang": "fr",
        "region": "FR",
        "sizes": typeset.sizes(Language.fr),
        "reference": reference,
        "words": {
            "document": f"{title} {house.NAME} – {reference}",
            "title": title,
            "person": "La personne",
            "contract": "Le contrat",
            "reference": "Référence",
            "reference_qr": f"Code QR de la référence {reference}",
        },
        "statement": _marked(*_statement(content)),
        "person": _facts(_person(content)),
        "contract": _facts(contract),
        "ending": [_marked(text) for text in ending],
        "contact": _marked(f"Une question ? {house.HELPLINE} (numéro non surtaxé), {house.HELPLINE_HOURS}."),
    }


def _images(content: CertificateContent) -> dict[str, str]:
    return {"reference_qr": typeset.qr_svg(content.reference)}


def _statement(content: CertificateContent) -> list[str | Run]:
    over = content.ends_on is not None and content.ends_on < content.issued_on
    since = "du" if over else "à partir du" if content.starts_on > content.issued_on else "depuis le"
    covered = f"{'a été' if over else 'est'} affilié{'e' if content.civility == Civility.madame else ''}"
    runs: list[str | Run] = [
        f"{house.NAME} atteste que ",
        Run(_name(content), important=True),
        f" {covered} au régime frais de santé de la branche des hôtels, cafés et restaurants {since} ",
        Run(short_date_in_words(content.starts_on), important=True),
    ]
    if content.ends_on is not None:
        runs += [" au " if over else ", jusqu’au ", Run(short_date_in_words(content.ends_on), important=True)]
    return [*runs, "."]


def _person(content: CertificateContent) -> list[tuple[str, str]]:
    place = content.establishment + (f", {content.city}" if content.city else "")
    return [
        ("Nom et prénoms", _name(content)),
        ("Employeur", f"{_typed(content.company)}, SIREN {_spaced(content.siren)}"),
        ("Établissement", f"{_typed(place)}, SIRET {_spaced(content.siret)}"),
    ]


def _contract(content: CertificateContent) -> list[tuple[str, str]]:
    formula = parse_formula_code(content.formula)
    return [
        ("Contrat collectif", f"{insurer_label(content.insurer)}, numéro {_typed(content.insurer_reference)}"),
        ("Garanties", f"{formula.level} CCN HCR, {_of(formula)}"),
        ("Date d’effet", short_date_in_words(content.starts_on)),
        ("Date de fin", short_date_in_words(content.ends_on) if content.ends_on else "Aucune à ce jour"),
    ]


def _of(formula: Formula) -> str:
    return f"{PROFESSIONAL_STATUSES[formula.status].lower()}, {_lower(SCHEMES[formula.scheme])}"


def _lower(label: str) -> str:
    return label[:1].lower() + label[1:]


def _ending(content: CertificateContent) -> list[str]:
    return [
        f"Cette attestation est établie le {short_date_in_words(content.issued_on)}, à la demande de l’employeur, "
        "d’après les informations connues ce jour-là. Une fin de contrat déclarée ensuite met fin à la couverture.",
        "Elle ne remplace pas la carte de tiers payant et ne dit rien des remboursements.",
    ]


def _radiated(content: CertificateContent) -> list[str]:
    issued = short_date_in_words(content.issued_on)
    return [
        f"Cette attestation de fin de couverture est établie le {issued}, d’après les informations connues ce jour-là. "
        "Elle est à remettre, si besoin, à un nouvel employeur ou à un autre organisme de complémentaire santé.",
        "La portabilité est le maintien gratuit de la couverture pendant l’indemnisation par France Travail (article "
        "L911-8 du code de la sécurité sociale). Elle cesse avant sa date de fin si l’indemnisation s’arrête.",
    ]


def _portability(portability: Portability) -> str:
    if portability.first is not None and portability.last is not None:
        first, last = short_date_in_words(portability.first), short_date_in_words(portability.last)
        return f"Possible du {first} au {last}, sur justificatif de France Travail"
    return "À l’étude" if portability.opening == "review" else "Non ouverte"


def _name(content: CertificateContent) -> str:
    return f"{CIVILITIES[content.civility]} {_typed(f'{content.first_names} {content.last_name}')}"


def _typed(text: str) -> str:
    return typeset.breakable(typeset.printable(text))


def _spaced(digits: str) -> str:
    """« 999 000 003 », « 999 000 003 00015 »."""
    parts = [digits[:3], digits[3:6], digits[6:9], digits[9:]]
    return NBSP.join(part for part in parts if part)


def _facts(rows: list[tuple[str, str]]) -> list[tuple[str, Marked]]:
    return [(name, _marked(value)) for name, value in rows]


def _marked(*runs: str | Run) -> Any:
    return typeset.marked(run if isinstance(run, Run) else Run(french(run), important=False) for run in runs)
