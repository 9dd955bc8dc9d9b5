"""The proofs that an employer keeps of its employees' cover: the summary, one employee's sheet, the declaration of an
exemption. In French, as tagged PDF.

Of an exemption they hold the legal case, its days and its signature: what the employer has to show (CSS R242-1-6,
D911-5). Never the documents that prove the case, nor anything of the family or of health (security.md Z-06).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Final

from domain.evidence import Gap, ProofState
from domain.working_time import PARIS, paris_date
from messages import house, typeset
from messages.legal import legal_text
from messages.typography import NBSP, french, short_date_in_words
from messages.words import CIVILITIES, MEDIA, MESSAGE_KINDS, MESSAGE_STATES, insurer_label

_MOST = 600  # characters of one value
_WIDEST = 30  # characters that a column is measured by
MOST_LINES: Final = 2_000  # of the summary, so that it takes a few seconds and bounded memory; the CSV has them all
SWORN: Final = "sworn_waiver"  # the text that is signed


def _words(entries: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType({code: french(text) for code, text in entries.items()})


STATES = _words(
    {
        ProofState.missing: "Preuve manquante",
        ProofState.abandoned: "Sans réponse, affiliation close",
        ProofState.invited: "Invité, sans réponse à ce jour",
        ProofState.dispensed: "Dispensé",
        ProofState.covered: "Affilié",
        ProofState.left: "Parti ou non embauché",
    }
)
MEANINGS = _words(
    {
        ProofState.missing: "Rien ne prouve que ce salarié est couvert, dispensé, ou qu’il a été invité.",
        ProofState.abandoned: "L’invitation et les relances sont restées sans réponse : à relancer.",
        ProofState.invited: "L’invitation est partie ; le salarié n’a pas encore répondu.",
        ProofState.dispensed: "Le salarié a demandé une dispense par écrit ; elle n’est pas terminée.",
        ProofState.covered: "Le salarié est couvert par le contrat de l’entreprise.",
        ProofState.left: "Le contrat de travail a pris fin, ou n’a pas commencé.",
    }
)
GAPS = _words(
    {
        Gap.payroll_only: "Déclaré en paie (DSN), jamais invité",
        Gap.not_sent: "Pré-affilié, l’invitation n’est pas partie",
        Gap.waiver_ended: "Dispense terminée, ni affilié ni réinvité",
        Gap.no_record: "Aucune affiliation ni dispense conservée",
    }
)
# The legal case, as the employer names it; its article is in domain/data/waivers.toml.
CASES = _words(
    {
        "short_fixed_term": "Contrat court (couverture de 3 mois au plus) avec une couverture individuelle responsable",
        "fixed_term_under_12": "Contrat à durée déterminée de moins de 12 mois",
        "fixed_term_12_or_more": "Contrat à durée déterminée de 12 mois ou plus avec une couverture individuelle",
        "contribution_over_10_percent": "Cotisation d’au moins 10 % de la rémunération (temps partiel, apprentissage)",
        "individual_cover": "Couverture individuelle antérieure, jusqu’à son échéance",
        "c2s": "Bénéfice de la Complémentaire santé solidaire",
        "covered_by_spouse": "Couverture collective obligatoire en qualité d’ayant droit",
        "several_employers": "Couverture collective obligatoire chez un autre employeur",
    }
)


@dataclass(frozen=True)
class Employer:
    """Whose proofs these are. `places`: the establishments they are about. `settled_at`: « arrêté au »."""

    company: str
    siren: str
    insurer: str
    insurer_reference: str
    places: tuple[str, ...]
    settled_at: datetime


@dataclass(frozen=True)
class Waived:
    """An exemption. `case`: a key of CASES; `source`: its articles. `sworn`: a statement on honour stands for the
    document."""

    case: str
    source: str
    starts_on: date
    ends_on: date
    sworn: bool = True


@dataclass(frozen=True)
class Person:
    """What is proved of one employee. `folder`: in the archive; "" where there is nothing of them to put there."""

    reference: str
    folder: str
    civility: str
    first_names: str
    last_name: str
    place: str
    state: ProofState
    gap: Gap | None = None
    hired_on: date | None = None
    invited_at: datetime | None = None
    invited_by: str = ""
    reminders: int = 0
    covered: tuple[date, date | None] | None = None
    waived: Waived | None = None

    @property
    def name(self) -> str:
        return f"{self.last_name} {self.first_names}"


@dataclass(frozen=True)
class Sending:
    """A message that left, or was to. `file`: what holds it in the folder; "": its content is not handed on, for the
    reason `unread`."""

    kind: str
    medium: str
    state: str
    at: datetime
    file: str = ""
    unread: str = ""


@dataclass(frozen=True)
class Signed:
    """How a declaration was signed. `by_hand`: on the paper form, whose day is written on it."""

    name: str
    at: datetime
    version: str
    sha256: str
    by_hand: bool


UNREAD = _words(
    {
        "about_documents": "non communiqué : il porte sur les pièces du salarié",
        "own_contact": "non communiqué : adressé aux coordonnées données par le salarié",
        "never_left": "remplacé avant de partir",
    }
)


def render_summary(employer: Employer, people: Sequence[Person]) -> bytes:
    """« sommaire.pdf »: who lacks what, first; then what each proof is."""
    counts = Counter(person.state for person in people)
    several = len(employer.places) > 1
    parts = [
        _Part(
            "En bref",
            columns=("État", "Personnes", "Ce que cela veut dire"),
            lines=tuple((STATES[state], str(counts[state]), MEANINGS[state]) for state in ProofState),
        )
    ]
    room = MOST_LINES
    for state in ProofState:
        if counts[state]:
            shown = [person for person in people if person.state is state][:room]
            room -= len(shown)
            parts.append(
                _Part(
                    f"{STATES[state]} ({counts[state]})",
                    paragraphs=() if len(shown) == counts[state] else ("La liste complète est dans sommaire.csv.",),
                    columns=("Salarié", "Référence", *(["Établissement"] if several else []), "Invitation", "Preuve"),
                    lines=tuple(_line(person, several) for person in shown),
                    widths=(22, 15, 18, 18, 27) if several else (26, 16, 24, 34),
                )
            )
    return _render(employer, "Dossier de preuves", "", [*parts, *_EXPLAINED], len(people))


def render_sheet(employer: Employer, person: Person, sendings: Sequence[Sending], proofs: Sequence[str]) -> bytes:
    """« fiche.pdf »: one employee, what was sent to them and what they answered. `proofs`: files of the folder."""
    parts = [
        _Part(
            "Messages adressés au salarié",
            paragraphs=() if sendings else ("Aucun message n’est parti.",),
            columns=("Date", "Message", "Envoi", "État", "Contenu"),
            lines=tuple(
                (
                    moment(one.at),
                    MESSAGE_KINDS.get(one.kind, one.kind),
                    MEDIA[one.medium],
                    MESSAGE_STATES[one.state],
                    one.file or UNREAD[one.unread],
                )
                for one in sendings
            ),
        ),
        _Part(
            "Réponse du salarié",
            paragraphs=(
                french(f"Dans ce dossier : {', '.join(proofs)}.")
                if proofs
                else "Aucune attestation ni déclaration à ce jour.",
            ),
        ),
    ]
    facts = [
        ("Salarié", f"{CIVILITIES.get(person.civility, '')} {person.first_names} {person.last_name}".strip()),
        ("Référence", person.reference or "Aucune"),
        ("Établissement", person.place),
        *([("Embauche", day(person.hired_on))] if person.hired_on else []),
        ("État", proof_in_words(person)),
    ]
    return _render(employer, "Fiche de preuve", person.name, parts, facts=facts)


def render_declaration(employer: Employer, person: Person, waived: Waived, signed: Signed | None) -> bytes:
    """« Déclaration de dispense »: the legal case, until when, and the text that was signed, word for word."""
    parts = [
        _Part(
            "La dispense",
            facts=(
                ("Cas prévu par la loi", CASES[waived.case]),
                ("Texte", source_in_words(waived)),
                ("Du", day(waived.starts_on)),
                ("Au", day(waived.ends_on)),
                ("Justification", "Sur l’honneur" if waived.sworn else "Document à remettre par le salarié"),
            ),
        )
    ]
    if signed is not None:
        paragraphs = [text for text in legal_text(SWORN, signed.version).french.strip().split("\n\n")]
        how = (
            ("Signature", f"{signed.name}, à la main sur le formulaire papier, reçu le {moment(signed.at)}")
            if signed.by_hand
            else ("Signature", f"{signed.name}, en ligne, le {moment(signed.at)}")
        )
        parts.append(_Part("Ce que le salarié a déclaré", paragraphs=tuple(paragraphs)))
        parts.append(
            _Part(
                "Signature",
                facts=(how, ("Version du texte", signed.version), ("Empreinte des textes (SHA-256)", signed.sha256)),
            )
        )
    else:
        parts.append(
            _Part("Signature", paragraphs=("Le formulaire papier est revenu sans signature : à demander au salarié.",))
        )
    parts.append(
        _Part(
            "Justificatifs",
            paragraphs=(
                french(
                    f"Les documents du salarié restent chez {house.NAME}. L’employeur conserve cette déclaration et la "
                    "présente en cas de contrôle (code de la sécurité sociale, articles R242-1-6 et D911-5)."
                ),
            ),
        )
    )
    facts = [
        ("Salarié", f"{CIVILITIES.get(person.civility, '')} {person.first_names} {person.last_name}".strip()),
        ("Référence", person.reference),
        ("Établissement", person.place),
    ]
    return _render(employer, "Déclaration de dispense d’affiliation", person.name, parts, facts=facts)


# --- words that the table, the CSV and the page share


def invitation_in_words(person: Person) -> str:
    if person.invited_at is None:
        return "Aucune"
    reminders = f", {person.reminders} relance{'s' if person.reminders > 1 else ''}" if person.reminders else ""
    return f"{day(paris_date(person.invited_at))}, {MEDIA[person.invited_by].lower()}{reminders}"


def proof_in_words(person: Person) -> str:
    """What is proved, or what is lacking."""
    match person.state:
        case ProofState.covered if person.covered is not None:
            starts_on, ends_on = person.covered
            return f"Affilié depuis le {day(starts_on)}" + (f", jusqu’au {day(ends_on)}" if ends_on else "")
        case ProofState.dispensed if person.waived is not None:
            return french(f"Dispensé jusqu’au {day(person.waived.ends_on)} : {CASES[person.waived.case]}")
        case ProofState.missing if person.gap is Gap.waiver_ended and person.waived is not None:
            return f"{GAPS[person.gap]} (le {day(person.waived.ends_on)})"
        case ProofState.missing if person.gap is not None:
            return GAPS[person.gap]
        case ProofState.left if person.covered is not None and person.covered[1] is not None:
            return f"Affilié du {day(person.covered[0])} au {day(person.covered[1])}"
        case _:
            return STATES[person.state]


def source_in_words(waived: Waived) -> str:
    return waived.source.replace(" and ", " et ").replace("HCR agreement", "accord de branche HCR")


def day(on: date) -> str:
    return f"{on:%d/%m/%Y}"


def moment(at: datetime) -> str:
    local = at.astimezone(PARIS)
    return f"{local:%d/%m/%Y} à {local.hour}{NBSP}h{NBSP}{local.minute:02}"


# --- the document


@dataclass(frozen=True)
class _Part:
    heading: str
    paragraphs: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    columns: tuple[str, ...] = ()
    lines: tuple[tuple[str, ...], ...] = ()
    widths: tuple[int, ...] = ()  # of the columns; else by their longest values


_EXPLAINED: Final = (
    _Part(
        french("Ce que contient le dossier"),
        facts=(
            ("fiche.pdf", french("Par salarié : son état, et les messages partis avec leur date et leur sort.")),
            (
                "envois",
                french(
                    "L’invitation et les relances telles qu’elles sont parties : lettre en PDF, e-mail en texte. Le "
                    "lien et le code personnels en sont retirés, le numéro de sécurité sociale aussi."
                ),
            ),
            (
                "attestation-affiliation",
                french("Attestation d’affiliation : le contrat, sa date d’effet, sa date de fin s’il y en a une."),
            ),
            (
                "declaration-dispense",
                french(
                    "Déclaration de dispense : le cas prévu par la loi, sa durée, le texte signé. Les justificatifs du "
                    "salarié, sa famille et sa santé n’y figurent pas."
                ),
            ),
            (
                "manifest.json",
                french(
                    "L’empreinte SHA-256 de chaque fichier. L’empreinte du manifeste lui-même est inscrite au journal "
                    "de l’Espace Entreprise Santé : elle prouve que rien n’a changé depuis."
                ),
            ),
        ),
    ),
)


def _line(person: Person, several: bool) -> tuple[str, ...]:
    place = (person.place,) if several else ()
    reference = person.reference.replace(" ", NBSP) or "–"
    return person.name, reference, *place, invitation_in_words(person), proof_in_words(person)


def _render(
    employer: Employer,
    title: str,
    about: str,
    parts: Iterable[_Part],
    people: int | None = None,
    facts: Sequence[tuple[str, str]] = (),
) -> bytes:
    settled = f"Arrêté au {moment(employer.settled_at)} (heure de Paris)"
    dated = paris_date(employer.settled_at)
    of_employer = [
        ("Entreprise", f"{employer.company}, SIREN {employer.siren}"),
        *([("Établissements", ", ".join(employer.places[:10]))] if people is not None else []),
        ("Contrat collectif", f"{insurer_label(employer.insurer)}, numéro {employer.insurer_reference}"),
        *([("Personnes", str(people))] if people is not None else []),
    ]
    data = {
        "document": _value(f"{title} – {about or employer.company}"),
        "title": _value(title),
        "settled": _value(settled),
        "footer": _value(f"{house.NAME}, {title.lower()}, {employer.company}, {short_date_in_words(dated)}"),
        "facts": [[_value(name), _value(value)] for name, value in [*facts, *of_employer]],
        "parts": [_part(part) for part in parts],
    }
    return typeset.render("evidence.typ", dated, data, {})


def _part(part: _Part) -> dict[str, object]:
    return {
        "heading": _value(part.heading),
        "paragraphs": [_value(paragraph, 4000) for paragraph in part.paragraphs],
        "facts": [[_value(name), _value(value)] for name, value in part.facts],
        "columns": [_value(column) for column in part.columns],
        "widths": part.widths or [_width(column) for column in zip(part.columns, *part.lines, strict=True)],
        "lines": [[_value(value) for value in line] for line in part.lines],
    }


def _width(values: tuple[str, ...]) -> int:
    """A column's share of the page, by its longest value within reason."""
    return max(8, min(max(map(len, values)), _WIDEST))


def _value(text: str, most: int = _MOST) -> str:
    return typeset.breakable(typeset.printable(text, most))
