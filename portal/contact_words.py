"""What the pages of requests call things, for employers and staff alike; and what both sides' forms have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID, uuid4

from domain.contact import REASONS, ContactState
from messages.typography import french
from services.contact_views import MOST_CHARACTERS, MOST_FILES, FileState, Reply
from services.fields import validated
from services.problems import FieldError, InvalidFields

STATES: Final = {
    ContactState.received: "Reçue",
    ContactState.assigned: "En cours de traitement",
    ContactState.answered: "Répondue",
    ContactState.closed: "Close",
    ContactState.reopened: "Rouverte",
}
# Of each state the drawing, and the colour of an affiliation's status that says as much.
STATE_LOOKS: Final = {
    ContactState.received: ("clock", "preparing"),
    ContactState.assigned: ("edit", "started"),
    ContactState.answered: ("done", "finalised"),
    ContactState.closed: ("lock", "preparing"),
    ContactState.reopened: ("restart", "started"),
}
FILES: Final = {
    FileState.pending: french("vérification par l’antivirus en cours"),
    FileState.infected: "refusé par l’antivirus, supprimé",
    FileState.unreadable: "illisible, supprimé",
}
ACCEPTED: Final = "application/pdf,image/*"
_FILES_AGAIN: Final = french("Vos fichiers n’ont pas été gardés : choisissez-les de nouveau.")


def words() -> dict[str, Any]:
    """What the templates of requests are given."""
    return {
        "STATES": STATES,
        "STATE_LOOKS": STATE_LOOKS,
        "FILES": FILES,
        "ACCEPTED": ACCEPTED,
        "most_files": MOST_FILES,
        "most_characters": MOST_CHARACTERS,
    }


def typed_text(fields: Mapping[str, str], name: str) -> str:
    """As it is counted: a browser sends each end of a line as two characters."""
    return fields.get(name, "").replace("\r\n", "\n")[: 2 * MOST_CHARACTERS]


def reply_of(fields: Mapping[str, str]) -> Reply:
    """Raises InvalidFields."""
    return validated(Reply, {"message": typed_text(fields, "message")})


_MISSING: Final = {
    "company_id": "Choisissez l’entreprise que votre demande concerne.",
    "reason": "Choisissez le motif de votre demande.",
    "subject": "Indiquez l’objet de votre demande en quelques mots. Exemple : Cotisations d’octobre",
    "message": "Écrivez votre message. Exemple : Bonjour, je souhaite connaître le montant de nos cotisations.",
}
_TOO_LONG: Final = {
    "subject": "L’objet dépasse 120 caractères : raccourcissez-le. Exemple : Cotisations d’octobre",
    "message": "Votre message dépasse 4 000 caractères : raccourcissez-le, ou joignez un document PDF.",
}
_ABSENT: Final = ("missing", "string_too_short", "too_short", "text.empty", "uuid_parsing", "contact.reason")


def in_words(wrong: InvalidFields) -> InvalidFields:
    """Each field's first error, by what the form calls it."""
    errors: dict[str, FieldError] = {}
    for one in wrong.errors:
        field = "file" if one.field.partition(".")[0] == "files" else one.field
        message = one.message
        if one.code in _ABSENT and field in _MISSING:
            message = french(_MISSING[field])
        elif one.code == "string_too_long" and field in _TOO_LONG:
            message = french(_TOO_LONG[field])
        errors.setdefault(field, FieldError(field, f"form.{one.code}", message))
    return InvalidFields(list(errors.values()))


def with_files_again(wrong: InvalidFields, files: int) -> InvalidFields:
    """The same where files were chosen: no browser shows them again."""
    if not files or any(one.field == "file" for one in wrong.errors):
        return wrong
    return InvalidFields([*wrong.errors, FieldError("file", "again", _FILES_AGAIN)])


def key_of(fields: Mapping[str, str]) -> str:
    """By which sending twice is sending once; a new one where the form came back without."""
    try:
        return str(UUID(fields.get("cle", "")))
    except ValueError:
        return str(uuid4())


def known_reason(code: str) -> str:
    return code if code in REASONS else ""
