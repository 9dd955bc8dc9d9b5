"""One person's data in French words, for the PDF that they read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from domain.departures import reasons
from domain.media import Language
from domain.pieces import Piece
from domain.retention import Rule, rule
from domain.working_time import PARIS, paris_date
from messages.audit_words import AUDIT_EVENTS, ROLES
from messages.catalogue import Catalogue, catalogue
from messages.dsn_words import CHANGE_KINDS
from messages.personal_data import DataSection, PersonalDataContent
from messages.words import ACTORS, CHANNELS, CLOSURE_REASONS, EVENTS, MEDIA, MESSAGE_KINDS, MESSAGE_STATES, STATUSES
from services.personal_data_views import (
    AffiliationData,
    AnswersData,
    ContactData,
    CoverageData,
    DocumentData,
    PayrollData,
    PersonalData,
    SignatureData,
    WaiverData,
)

_NOTHING = "—"
_LANGUAGES = {
    "fr": "Français",
    "falc": "Français facile à lire",
    "en": "Anglais",
    "pt": "Portugais",
    "es": "Espagnol",
    "ar": "Arabe",
}
_YES = {True: "Oui", False: "Non"}
_GIVEN_BY = {"employer": "Votre employeur", "employee": "Vous"}
_BY = {"email": "Par le lien de l’e-mail", "post": "Par le code du courrier", "sms": "Par le lien du SMS"}
_ORIGINS = {
    "declared": "Déclarée par votre employeur",
    "restarted": "Reprise par votre employeur",
    "waiver_ended": "À la fin de votre dispense",
}
_SCANS = {"clean": "Vérifié", "not_scanned": "Non vérifié", "pending": "En attente", "infected": "Refusé"}
_DECLARED = {
    "proposed": "À vérifier",
    "applied": "Appliqué",
    "refused": "Écarté",
    "reversed": "Annulé",
    "superseded": "Remplacé",
    "unchanged": "Rien à changer",
}
_KEPT = (
    ("Dossier qui n’a pas abouti", "never_affiliated", "après sa clôture"),
    ("Réponses non envoyées", "drafts", "après la clôture du dossier"),
    ("Contrat, bénéficiaires, réponses et signature", "coverages", "après la fin du contrat"),
    ("Dispense", "waivers", "après sa fin"),
    ("Documents acceptés", "documents_accepted", "après leur vérification"),
    ("Documents refusés", "documents_refused", "après leur vérification"),
    ("Noms et numéros lus dans une DSN", "dsn_people", "après sa réception"),
    ("Journal de sécurité", "security_log", "après l’événement"),
)


def sheet(data: PersonalData) -> PersonalDataContent:
    """What the PDF says."""
    sections: list[DataSection] = [_identity(data)]
    for number, affiliation in enumerate(data.affiliations, 1):
        many = f" ({number} sur {len(data.affiliations)})" if len(data.affiliations) > 1 else ""
        sections += _affiliation(affiliation, many)
    if data.payroll:
        sections.append(_payroll(data.payroll))
    sections.append(
        DataSection(
            "Combien de temps vos données sont conservées",
            rows=tuple((what, f"{_duration(rule(name))} {since}") for what, name, since in _KEPT),
        )
    )
    return PersonalDataContent(
        person=f"{data.first_names} {data.last_name}",
        made_on=paris_date(data.exported_at),
        sections=tuple(sections),
        intro=(
            "Ce document réunit tout ce que nous conservons sur vous. Vous pouvez demander que ces données soient "
            "corrigées ou effacées.",
        ),
    )


def _identity(data: PersonalData) -> DataSection:
    return DataSection(
        "Votre identité",
        rows=_rows(
            ("Civilité", {"M": "Monsieur", "MME": "Madame"}.get(data.civility, data.civility)),
            ("Nom", data.last_name),
            ("Nom de naissance", data.birth_name),
            ("Prénoms", data.first_names),
            ("Date de naissance", _day(data.birth_date)),
            ("Numéro de sécurité sociale", data.nir),
            ("Déclaré par", data.company),
            ("Connu depuis le", _moment(data.created_at)),
        ),
    )


def _payroll(declared: Iterable[PayrollData]) -> DataSection:
    return DataSection(
        "Ce que la paie de votre employeur a déclaré (DSN)",
        columns=("Reçu le", "Changement", "À la date du", "Motif", "Suite", "Nom déclaré"),
        lines=tuple(
            (
                _moment(one.recorded_at),
                CHANGE_KINDS.get(one.kind, one.kind),
                _day(one.on_day) or _NOTHING,
                known.label if (known := reasons().get(one.reason)) else one.reason or _NOTHING,
                _DECLARED.get(one.state, one.state),
                _name(one.declared),
            )
            for one in declared
        ),
    )


def _name(declared: Mapping[str, Any] | None) -> str:
    return _NOTHING if declared is None else f"{declared['first_names']} {declared['last_name']}"


def _affiliation(data: AffiliationData, many: str) -> Iterable[DataSection]:
    yield DataSection(
        f"Votre affiliation{many}",
        rows=_rows(
            ("Établissement", f"{data.establishment}, SIRET {data.siret}"),
            ("Origine", _ORIGINS.get(data.origin, data.origin)),
            ("Déclarée le", _moment(data.declared_at)),
            ("Statut", f"{STATUSES[data.status]}, depuis le {_moment(data.status_at)}"),
            ("Motif de clôture", CLOSURE_REASONS.get(data.closure, data.closure) if data.closure else None),
            ("Date d’embauche", _day(data.hired_on)),
            ("Statut professionnel", {"NC": "Non cadre", "C": "Cadre"}.get(data.professional_status)),
            ("Régime", {"RG": "Régime général", "RL": "Régime local Alsace-Moselle"}.get(data.scheme)),
            ("Contrat de travail", data.contract_kind.upper()),
            ("Langue", _LANGUAGES.get(data.language, data.language)),
            ("Média", MEDIA[data.medium]),
        ),
    )
    yield from (_contact(contact) for contact in data.contacts)
    if data.answers:
        yield _answers(data.answers)
    if data.signature:
        yield _signature(data.signature)
    if data.coverage:
        yield from _coverage(data.coverage)
    if data.waiver:
        yield _waiver(data.waiver)
    if data.documents:
        yield _documents(data.documents)
        yield from (
            DataSection(f"Texte lu dans « {document.name} »", rows=(("Texte", document.text),))
            for document in data.documents
            if document.text
        )
    yield DataSection(
        "Messages qui vous ont été adressés",
        columns=("Message", "Média", "Date", "État"),
        lines=tuple(
            (
                MESSAGE_KINDS.get(message.kind, message.kind),
                MEDIA[message.medium],
                _moment(message.handed_over_at or message.prepared_at),
                MESSAGE_STATES[message.state],
            )
            for message in data.messages
        ),
    )
    yield from (
        DataSection(
            message.subject or "Message", rows=_rows(("Destinataire", message.recipient), ("Texte", message.text))
        )
        for message in data.messages
        if message.text
    )
    yield DataSection(
        "Ce qui s’est passé",
        columns=("Date", "Événement", "Auteur"),
        lines=tuple(
            (_moment(event.at), EVENTS.get(event.kind, event.kind), ACTORS[event.actor_kind]) for event in data.events
        ),
    )
    if data.sessions:
        yield DataSection(
            "Ouvertures du formulaire",
            columns=("Date", "Comment"),
            lines=tuple((_moment(one.created_at), _BY.get(one.medium, one.medium)) for one in data.sessions),
        )
    yield DataSection(
        "Qui a consulté ou modifié votre dossier",
        columns=("Date", "Action", "Auteur"),
        lines=tuple(
            (_moment(access.at), AUDIT_EVENTS.get(access.event, access.event), ROLES[access.actor_kind])
            for access in data.accesses
        ),
    )


def _contact(contact: ContactData) -> DataSection:
    return DataSection(
        "Vos coordonnées",
        rows=_rows(
            ("Données par", f"{_GIVEN_BY[contact.given_by]}, le {_moment(contact.created_at)}"),
            ("E-mail", contact.email),
            ("Téléphone", contact.phone),
            ("Adresse", ", ".join(part for part in (contact.line1, contact.line2) if part)),
            ("Ville", f"{contact.postcode} {contact.city}, {contact.country}"),
        ),
    )


def _answers(answers: AnswersData) -> DataSection:
    state = "pas encore envoyé"
    if answers.submitted_at:
        channel = CHANNELS[answers.channel].lower() if answers.channel else ""
        state = f"reçu le {_moment(answers.submitted_at)}, {channel}"
    rows = [
        *_labelled(answers.answers),
        *((f"{name} (autre appareil)", value) for name, value in _labelled(answers.conflicts)),
    ]
    if answers.missing:
        rows.append(("Pièces attendues", ", ".join(_piece(piece) for piece in answers.missing)))
    return DataSection("Vos réponses au formulaire", intro=f"Formulaire {state}.", rows=_rows(*rows))


def _labelled(answers: Mapping[str, str]) -> list[tuple[str, str]]:
    """Each under its question, choices in words; a person of a list under their key."""
    texts = catalogue(Language.fr)
    found = []
    for path, value in sorted(answers.items()):
        group, *rest = path.split(".")
        key = ".".join(("form", group, *rest[1:]))
        label = _text(texts, f"{key}.label") or path
        person = f" ({rest[0]})" if rest and label != path else ""
        choices = (f"{key}.choice.{value.replace(' ', '_')}", f"waiver.{value}.label", f"form.{value}")
        words = next((text for choice in choices if (text := _text(texts, choice))), value)
        found.append((label + person, words))
    return found


def _text(texts: Catalogue, key: str) -> str | None:
    return texts.text(key) if key in texts.keys and "{" not in texts.source(key) else None


def _signature(signature: SignatureData) -> DataSection:
    return DataSection(
        "Votre signature",
        rows=_rows(
            ("Signé", signature.name),
            ("Le", _moment(signature.signed_at)),
            ("Formulaire", signature.form_version),
            ("Textes", f"{signature.text_version}, langue : {signature.language}"),
        ),
    )


def _coverage(coverage: CoverageData) -> Iterable[DataSection]:
    yield DataSection(
        "Votre contrat",
        rows=_rows(
            ("Formule", coverage.formula),
            ("Du", _day(coverage.starts_on)),
            ("Au", _day(coverage.ends_on)),
            ("IBAN", coverage.iban),
            ("Titulaire du compte", coverage.account_holder),
            ("Télétransmission", _YES[coverage.teletransmission]),
        ),
    )
    if coverage.dependants:
        yield DataSection(
            "Vos bénéficiaires",
            columns=("Nom", "Prénoms", "Naissance", "N° de sécurité sociale", "Lien"),
            lines=tuple(
                (
                    dependant.last_name,
                    dependant.first_names,
                    _day(dependant.birth_date) or _NOTHING,
                    dependant.nir or _NOTHING,
                    {"partner": "Conjoint", "child": "Enfant"}.get(dependant.kind, dependant.kind),
                )
                for dependant in coverage.dependants
            ),
        )


def _waiver(waiver: WaiverData) -> DataSection:
    texts = catalogue(Language.fr)
    key = f"waiver.{waiver.reason}.label"
    return DataSection(
        "Votre dispense",
        rows=_rows(
            ("Motif", texts.text(key) if key in texts.keys else waiver.reason),
            ("Du", _day(waiver.starts_on)),
            ("Au", _day(waiver.ended_on or waiver.ends_on)),
            ("Sur l’honneur", _YES[waiver.sworn]),
        ),
    )


def _documents(documents: list[DocumentData]) -> DataSection:
    return DataSection(
        "Vos documents",
        columns=("Document", "Fichier", "Reçu le", "Antivirus", "Décision"),
        lines=tuple(
            (
                _piece(document.piece),
                document.name,
                _moment(document.uploaded_at),
                _SCANS[document.scan],
                {"accepted": "Accepté", "refused": "Refusé"}.get(document.verdict or "", "En attente"),
            )
            for document in documents
        ),
    )


def _piece(piece: str) -> str:
    parsed = Piece.parse(piece)
    words = catalogue(Language.fr).text(f"piece.{parsed.code}")
    return f"{words} ({parsed.subject})" if parsed.subject else words


def _rows(*rows: tuple[str, str | None]) -> tuple[tuple[str, str], ...]:
    return tuple((label, value or _NOTHING) for label, value in rows)


def _day(day: date | None) -> str | None:
    return f"{day:%d/%m/%Y}" if day else None


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(PARIS):%d/%m/%Y à %H h %M}"


def _duration(kept: Rule) -> str:
    if kept.days:
        return f"{kept.days} jours"
    return f"{kept.months // 12} ans" if kept.months % 12 == 0 and kept.months > 12 else f"{kept.months} mois"
