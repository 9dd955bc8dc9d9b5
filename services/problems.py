"""What can go wrong for a person, as typed exceptions: a stable code, French words, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class FieldError:
    """One wrong field: its path (`employee.nir`), a stable code, a French sentence with a valid example."""

    field: str
    code: str
    message: str


class Problem(Exception):
    """Base of everything a door shows as a problem (RFC 9457). Subclasses set `status`, `code` and `title`."""

    status = 400
    code = "bad_request"
    title = "La demande n’a pas pu être traitée"

    def __init__(self, detail: str = "", **extensions: object) -> None:
        super().__init__(self.code)
        self.detail = detail
        self.extensions = extensions

    retry_after: int | None = None  # seconds


class InvalidFields(Problem):
    """Some fields are wrong; nothing was done."""

    status = 422
    code = "invalid_fields"
    title = "Certaines informations sont à corriger"

    def __init__(self, errors: list[FieldError]) -> None:
        count = len(errors)
        words = "Un champ est à corriger." if count == 1 else f"{count} champs sont à corriger."
        super().__init__(words)
        self.errors = errors


class NotAuthenticated(Problem):
    status = 401
    code = "not_authenticated"
    title = "Identification nécessaire"


class NotAllowed(Problem):
    status = 403
    code = "not_allowed"
    title = "Action non autorisée"


class NotFound(Problem):
    """Unknown, or not the caller's: nobody can tell which."""

    status = 404
    code = "not_found"
    title = "Introuvable"

    def __init__(self) -> None:
        super().__init__("Cet élément n’existe pas, ou vous n’y avez pas accès.")


class AlreadyOpen(Problem):
    """product.md, rule 7."""

    status = 409
    code = "affiliation_already_open"
    title = "Une affiliation est déjà en cours"

    def __init__(self, affiliation_id: str) -> None:
        super().__init__(
            "Une affiliation est déjà en cours pour cette personne dans cet établissement. "
            "Vous pouvez la suivre ou la relancer au lieu d’en déclarer une autre.",
            id=affiliation_id,
        )


class RefusedByRules(Problem):
    """The workflow's rules refuse the request in its present state."""

    status = 409
    title = "Action impossible pour le moment"

    def __init__(self, code: str, detail: str, retry_at: datetime | None = None) -> None:
        super().__init__(detail, **({"retry_at": retry_at} if retry_at else {}))
        self.code = code


class KeyReused(Problem):
    status = 409
    code = "idempotency_key_reused"
    title = "Clé d’idempotence déjà utilisée"

    def __init__(self) -> None:
        super().__init__("Cette clé a déjà servi pour une autre demande. Utilisez une nouvelle clé.")


class EngineUnavailable(Problem):
    """Nobody answered in time. The request may still be carried out: repeated, it is carried out once."""

    status = 503
    code = "not_confirmed"
    title = "Demande non confirmée"
    retry_after = 5

    def __init__(self) -> None:
        super().__init__(
            "Le service n’a pas répondu à temps. Renouvelez la demande dans quelques instants, "
            "avec la même clé : elle ne sera pas exécutée deux fois."
        )


class WrongAccess(Problem):
    """One answer for a link or a code that is unknown, wrong or dead."""

    status = 404
    code = "access_not_recognised"
    title = "Lien ou code non reconnu"

    def __init__(self) -> None:
        super().__init__(
            "Ce lien ou ce code n’est pas valable. Vérifiez votre saisie, ou demandez à votre employeur "
            "de vous renvoyer le formulaire."
        )


class StaleDraft(Problem):
    """Another device saved in between; its version comes along, so that nothing is lost."""

    status = 409
    code = "stale_draft"
    title = "Ce brouillon a été modifié ailleurs"

    def __init__(self, current: dict[str, object]) -> None:
        super().__init__(
            "Le brouillon a été enregistré depuis un autre appareil. Votre saisie n’est pas perdue : "
            "reprenez la version enregistrée, puis enregistrez de nouveau.",
            current=current,
        )


class AlreadySubmitted(Problem):
    status = 409
    code = "already_submitted"
    title = "Formulaire déjà envoyé"

    def __init__(self) -> None:
        super().__init__("Ce formulaire a déjà été reçu. Il n’est plus modifiable ici.")
