"""French words for the events of the audit log, one table for all who show them, and for who did them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from messages.typography import french

AUDIT_EVENTS: Mapping[str, str] = MappingProxyType(
    {
        event: french(words)
        for event, words in {
            "affiliation.declared": "Déclaration",
            "affiliation.restarted": "Reprise",
            "affiliation.waiver_ended": "Nouvelle affiliation après une dispense",
            "waiver.ended": "Fin anticipée de la dispense",
            "link.opened": "Ouverture du formulaire",
            "link.handed_over": "Code affiché pour continuer sur un téléphone",
            "form.submitted": "Réception du formulaire",
            "data.viewed": "Consultation du dossier",
            "data.revealed": "Affichage d'un numéro complet",
            "data.exported": "Remise de toutes les données",
            "data.rectified": "Correction de données",
            "data.erased": "Effacement de données",
            "file.uploaded": "Dépôt d'un document",
            "file.removed": "Retrait d'un document",
            "file.downloaded": "Lecture d'un document",
            "file.accepted": "Document accepté",
            "file.refused": "Document redemandé",
            "file.infected": "Document refusé par l'antivirus",
            "file.lost": "Document illisible, redemandé",
            "file.purged": "Document effacé à la fin de sa durée de conservation",
            "demo.loaded": "Dossier de démonstration",
            # sign-in
            "auth.login.ok": "Connexion",
            "auth.login.fail": "Connexion refusée",
            "auth.login.blocked": "Connexion bloquée après trop d'essais",
            "auth.login.code_asked": "Code de sécurité demandé à la connexion",
            "auth.stuffing": "Mots de passe essayés sur beaucoup de comptes",
            "auth.logout": "Déconnexion",
            "auth.otp.sent": "Code de sécurité envoyé",
            "auth.otp.ok": "Code de sécurité donné",
            "auth.otp.fail": "Code de sécurité faux",
            "auth.otp.dead": "Code de sécurité annulé après trop d'essais",
            "auth.otp.limit": "Limite des codes de sécurité atteinte",
            "auth.device.trusted": "Navigateur reconnu",
            "auth.device.revoked": "Navigateur oublié",
            "auth.device.reuse": "Ancien navigateur réutilisé : tous oubliés",
            "auth.session.closed": "Session fermée",
            "auth.password.created": "Mot de passe créé",
            "auth.password.changed": "Mot de passe changé",
            "auth.password.wrong": "Mot de passe faux dans une session",
            "auth.reset.asked": "Nouveau mot de passe demandé",
            "auth.reset.done": "Nouveau mot de passe choisi",
            "auth.reset.limit": "Limite des demandes de mot de passe atteinte",
            "auth.phone.proved": "Numéro de téléphone confirmé",
            "auth.phone.changed": "Numéro de téléphone changé",
            "auth.phone.loss_asked": "Perte du téléphone déclarée",
            "auth.phone.loss_stopped": "Perte du téléphone contestée",
            "auth.phone.lost": "Numéro de téléphone retiré après sa perte",
            "auth.email.asked": "Changement d'adresse e-mail demandé",
            "auth.email.changed": "Adresse e-mail changée",
            "auth.totp.on": "Application de codes ajoutée",
            "auth.totp.off": "Application de codes retirée",
            "auth.totp.codes": "Codes de secours créés",
            "auth.activation.tried": "Première connexion tentée",
            "auth.activation.limit": "Limite des premières connexions atteinte",
            "terms.accepted": "Conditions générales acceptées",
            # users and companies
            "user.invited": "Invitation envoyée",
            "user.resent": "Invitation renvoyée",
            "user.accepted": "Invitation acceptée",
            "user.renamed": "Nom corrigé",
            "user.role": "Rôle modifié",
            "user.suspended": "Accès suspendu",
            "user.reactivated": "Accès réactivé",
            "user.revoked": "Accès retiré",
            "user.kept": "Accès confirmé",
            "user.confirmed": "Accès confirmé",
            "user.deleted": "Compte inutilisé supprimé",
            "company.activated": "Entreprise activée",
            "company.activation_agreed": "Activation confirmée par le contact connu",
            "company.activation_disputed": "Activation contestée",
            "company.activation_stopped": "Activation arrêtée",
            "company.recovery_requested": "Reprise d'une entreprise sans administrateur demandée",
            "company.recovery_code_entered": "Code du courrier de reprise donné",
            "company.recovery_stopped": "Reprise arrêtée",
            "company.recovery_granted": "Reprise accordée",
            "company.recovery_expired": "Reprise sans suite",
            "company.recovery_undeliverable": "Reprise sans suite, courrier impossible",
            "company.created": "Entreprise ajoutée au registre",
            "company.corrected": "Fiche de l'entreprise corrigée",
            "company.contact_replaced": "Contact connu de l'entreprise remplacé",
            "establishment.added": "Établissement ajouté au registre",
            "establishment.closed": "Établissement fermé",
            "establishment.reopened": "Établissement rouvert",
            "look_as.began": "Consultation de l'espace d'une entreprise par un gestionnaire",
            "look_as.ended": "Fin de la consultation par un gestionnaire",
            "company.orphaned": "Entreprise sans administrateur",
            "mandate.asked": "Mandat demandé",
            "mandate.accepted": "Mandat accepté",
            "mandate.refused": "Mandat refusé",
            "mandate.revoked": "Mandat retiré",
            "mandate.ended": "Mandat terminé",
            "key.created": "Clé d'accès créée",
            "key.revoked": "Clé d'accès retirée",
            # the log itself
            "authz.denied": "Accès refusé",
            "authz.mass_read": "Consultation en nombre, arrêtée",
            "log.viewed": "Consultation du journal",
            "log.purged": "Fin de conservation d'événements de sécurité",
        }.items()
    }
)

# As a person reads it of their own file: what somebody is to them, never who (security.md R-02, J-08).
ROLES: Mapping[str, str] = MappingProxyType(
    {
        "employer": "Votre employeur",
        "employee": "Vous",
        "staff": "Un gestionnaire HCR Bien-Être",
        "provider": "Un prestataire",
        "system": "Automatique",
    }
)
