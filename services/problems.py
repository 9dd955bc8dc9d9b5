"""What can go wrong for a person, as typed exceptions: a stable code, French words, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from domain.media import Language
from messages.catalogue import catalogue


@dataclass(frozen=True)
class FieldError:
    """One wrong field: its path (`employee.nir`), a stable code, a French sentence with a valid example."""

    field: str
    code: str
    message: str
    example: str | None = None  # by itself, for words in another language


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


class BirthDateNeeded(Problem):
    """security.md L-07: what was saved opens again with a second knowledge."""

    status = 403
    code = "birth_date_needed"
    title = "Date de naissance nécessaire"

    def __init__(self) -> None:
        super().__init__("Pour protéger vos informations, indiquez votre date de naissance.")


class WrongBirthDate(Problem):
    """`tries_left`: before the pause."""

    status = 422
    code = "wrong_birth_date"
    title = "Date de naissance non reconnue"

    def __init__(self, tries_left: int) -> None:
        left = "Il vous reste un essai." if tries_left == 1 else f"Il vous reste {tries_left} essais."
        super().__init__(f"Cette date ne correspond pas au dossier. {left}", tries_left=tries_left)


class TooManyTries(Problem):
    status = 429
    code = "too_many_tries"
    title = "Trop d’essais"

    def __init__(self, retry_at: datetime, now: datetime) -> None:
        super().__init__(
            "La date de naissance a été refusée cinq fois. Réessayez après la pause, ou appelez-nous.",
            retry_at=retry_at,
        )
        self.retry_after = max(1, int((retry_at - now).total_seconds()))


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


class DocumentRefused(Problem):
    """A file that was not taken in; `code` says why. The words are the catalogue's (`document.refused.<code>`)."""

    status = 422
    title = "Ce fichier n’a pas pu être ajouté"

    def __init__(self, reason: str) -> None:
        super().__init__(catalogue(Language.fr).text(f"document.refused.{reason}"), reason=reason)
        self.code = "document_refused"
        self.reason = reason


class NotYetScanned(Problem):
    """security.md U-03: nobody reads a file before the antivirus has."""

    status = 409
    code = "not_yet_scanned"
    title = "Document en cours de vérification"

    def __init__(self) -> None:
        super().__init__("L’antivirus n’a pas encore répondu pour ce document. Réessayez dans quelques minutes.")


class StorageAway(Problem):
    status = 503
    code = "storage_unavailable"
    title = "Le fichier n’a pas pu être enregistré"
    retry_after = 30

    def __init__(self) -> None:
        super().__init__(
            "Le fichier n’a pas pu être enregistré pour le moment. Vos réponses sont gardées : "
            "ajoutez-le de nouveau dans quelques instants.".replace(" :", "\u00a0:")
        )


class UnreadableUpload(Problem):
    status = 422
    code = "unreadable_upload"
    title = "Aucun fichier reçu"

    def __init__(self) -> None:
        super().__init__("Choisissez un fichier, puis envoyez-le\u00a0: une photo (JPEG, PNG, HEIC) ou un PDF.")


class ErasureHeld(Problem):
    """A legal hold: nothing was erased. `until`: its last day, where there is one."""

    status = 409
    code = "erasure_held"
    title = "Effacement impossible pour le moment"

    def __init__(self, reason: str, until: date | None) -> None:
        words = {
            "open_affiliation": "Une affiliation de cette personne est en cours. Attendez sa fin, ou retirez-la.",
            "running_coverage": "Cette personne est assurée. Ses données sont nécessaires tant que le contrat court.",
            "running_waiver": "Une dispense de cette personne est en cours. Ses données servent jusqu’à sa fin.",
        }
        super().__init__(words[reason], reason=reason, **({"until": until} if until else {}))


class StepUpNeeded(Problem):
    """security.md A-27: a code of less than ten minutes."""

    status = 403
    code = "step_up_needed"
    title = "Code de sécurité nécessaire"

    def __init__(self) -> None:
        super().__init__("Pour cette action, confirmez d’abord votre identité avec un code de sécurité.")


class TermsNotAccepted(Problem):
    """security.md A-04: before anything else. `version`: the one to accept."""

    status = 403
    code = "terms_not_accepted"
    title = "Conditions générales à accepter"

    def __init__(self, version: str) -> None:
        super().__init__("Nos conditions générales ont changé. Acceptez-les pour continuer.", version=version)


class CsrfRefused(NotAllowed):
    """security.md H-01."""

    code = "csrf_refused"
    title = "Demande refusée"

    def __init__(self) -> None:
        super().__init__("Cette demande ne vient pas de nos pages. Rechargez la page, puis recommencez.")


class CompanySwitched(Problem):
    """security.md Z-04: a tab left on a company that is not the session's any more."""

    status = 409
    code = "company_switched"
    title = "Vous avez changé d’entreprise"

    def __init__(self) -> None:
        super().__init__(
            "Vous avez changé d’entreprise dans un autre onglet. Rien n’a été enregistré\u00a0: rechargez cette page."
        )


class TooManyRequests(Problem):
    """An abuse limit. `retry_after`: seconds."""

    status = 429
    code = "too_many_requests"
    title = "Trop de demandes"

    def __init__(self, retry_after: float) -> None:
        super().__init__("Trop de demandes en peu de temps. Patientez un peu, puis réessayez.")
        self.retry_after = max(1, int(retry_after + 0.999))


class ExportsUnderWay(Problem):
    """A user's exports are bounded, so that nobody waits for those of another."""

    status = 409
    code = "exports_under_way"
    title = "Des exports sont déjà en préparation"

    def __init__(self) -> None:
        super().__init__(
            "Deux de vos exports sont déjà en préparation. Attendez que l’un d’eux soit prêt, puis recommencez."
        )


class MassReading(Problem):
    """security.md Z-09: a member of staff has read too many files within the hour."""

    status = 429
    code = "mass_reading"
    title = "Beaucoup de dossiers consultés"

    def __init__(self) -> None:
        super().__init__(
            "Vous avez consulté beaucoup de dossiers en une heure. La consultation est suspendue pour vous et reprend "
            "d’elle-même au cours de l’heure qui vient. Si votre travail le demande, prévenez votre responsable."
        )


class Overloaded(Problem):
    """Too many people sign in at once: nothing was tried, and nothing counts (security.md A-06)."""

    status = 503
    code = "overloaded"
    title = "Service très sollicité"
    retry_after = 5

    def __init__(self) -> None:
        super().__init__("Beaucoup de personnes se connectent en ce moment. Réessayez dans quelques secondes.")


class ActivationRefused(Problem):
    """security.md A-02: one answer, whatever of a SIRET and an identifier does not go."""

    status = 404
    code = "activation_refused"
    title = "Informations non reconnues"

    def __init__(self) -> None:
        super().__init__(
            "Vérifiez le SIRET et l’identifiant entreprise. Si l’entreprise a déjà un espace, demandez à l’un de ses "
            "administrateurs de vous inviter ou d’accepter votre mandat."
        )


class LinkRefused(Problem):
    """One answer for a mailed link that is unknown, used, stopped or too old."""

    status = 404
    code = "link_refused"
    title = "Lien non valable"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or "Ce lien n’est pas valable, ou ne l’est plus. En cas de doute, appelez-nous.")


class OfficeCodeRefused(Problem):
    """One answer for the code of a letter to a registered office that is unknown, wrong, used or too old."""

    status = 404
    code = "office_code_refused"
    title = "Code non reconnu"

    def __init__(self) -> None:
        super().__init__("Ce code n’est pas valable. Vérifiez votre saisie sur le courrier, puis réessayez.")


class WrongCredentials(Problem):
    """One answer for unknown, wrong, suspended, revoked, not yet activated and blocked (security.md A-07, A-08)."""

    status = 401
    code = "wrong_credentials"
    title = "Connexion impossible"

    def __init__(self) -> None:
        super().__init__(
            "L’adresse e-mail ou le mot de passe ne permet pas de vous connecter. Vérifiez votre saisie, ou choisissez "
            "un nouveau mot de passe avec «\u00a0Mot de passe oublié\u00a0»."
        )


class WrongCode(Problem):
    """One answer for wrong, expired, used and dead codes, and beyond the limits (security.md A-14, A-15)."""

    status = 422
    code = "wrong_code"
    title = "Code non accepté"

    def __init__(self) -> None:
        super().__init__(
            "Ce code n’est pas valable, ou ne l’est plus. Vérifiez votre saisie, ou demandez un nouveau code. "
            "Après plusieurs codes refusés, la vérification est suspendue pendant une heure."
        )


class CodeNotSent(Problem):
    """The SMS provider did not take the code; nothing is queued (security.md A-18). `app`: one is enrolled."""

    status = 503
    code = "code_not_sent"
    title = "Le code n’a pas pu être envoyé"
    retry_after = 30

    def __init__(self, *, app: bool) -> None:
        words = "L’envoi de SMS ne fonctionne pas pour le moment. Réessayez dans quelques instants"
        other = ", ou utilisez votre application d’authentification." if app else "."
        super().__init__(words + other)
