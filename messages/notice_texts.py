"""The French words of every notice, in one place: what happened, what to do, what to do if it was somebody else.

`{company}`, `{until}`, `{moment}`, `{day}`, `{count}`, `{left}`, `{role}` are filled in; no person is named.
Typed with ordinary spaces: `messages.typography` makes them right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

SIGN_IN = "/connexion"
STAFF_SIGN_IN = "/gestion/connexion"
FORGOTTEN = "/mot-de-passe-oublie"
RIGHTS = "/habilitations"
WEBHOOKS = "/habilitations/webhooks"
PROFILE = "/profil"
EXPORTS = "/salaries/affilies/exports"
IMPORTS = "/salaries/pre-affiliation/imports"
NOTIFICATIONS = "/notifications"
REQUEST = "/demarches/{request}"
STAFF_REQUEST = "/gestion/demandes/{request}"


@dataclass(frozen=True)
class NoticeText:
    """`page`: where the button leads when the notice has no secret link of its own. `lasts`: how long its link works.
    `facts`: when it happened, and in what browser where that is known. `alarm`: what to do if it was somebody else;
    `reset`: with the page where a password is chosen anew."""

    subject: str
    title: str
    says: tuple[str, ...]
    button: str
    page: str = SIGN_IN
    lasts: str = ""
    facts: bool = False
    alarm: str = ""
    reset: bool = False


_NOT_ASKED = "Vous n’avez rien demandé ? Ne cliquez pas : sans le lien, rien ne se passe."
_NOT_EXPECTED = "Vous n’attendiez pas cette invitation ? Ne cliquez pas : sans le lien, aucun accès n’est ouvert."
_NOT_YOU = "Choisissez tout de suite un nouveau mot de passe, puis appelez-nous : nous vérifierons avec vous."
_CALL = "Appelez-nous tout de suite : nous vérifierons avec vous."

# What a digest counts, in its order: one, several.
COUNTED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "to_correct": ("une affiliation à corriger", "{} affiliations à corriger"),
        "abandoned_soon": ("une affiliation bientôt abandonnée", "{} affiliations bientôt abandonnées"),
        "finalised": ("une affiliation finalisée", "{} affiliations finalisées"),
        "ended": ("une affiliation déclinée ou abandonnée", "{} affiliations déclinées ou abandonnées"),
    }
)

TEXTS: Mapping[str, NoticeText] = MappingProxyType(
    {
        # --- to somebody who becomes a user
        "activation": NoticeText(
            subject="Confirmez votre adresse e-mail",
            title="Confirmez votre adresse e-mail",
            says=(
                "Vous avez demandé à activer l’Espace Entreprise Santé de {company}. Il reste une seule étape : "
                "confirmer que cette adresse e-mail est bien la vôtre.",
            ),
            button="Confirmer mon adresse",
            lasts="Ce lien fonctionne pendant 24 heures, jusqu’au {until}. Il ne sert qu’une fois.",
            alarm=_NOT_ASKED,
        ),
        "activation_agreement": NoticeText(
            subject="Votre accord pour activer l’espace de votre entreprise",
            title="Votre accord est nécessaire",
            says=(
                "Une personne demande à activer l’Espace Entreprise Santé de {company}. Nous vous écrivons parce que "
                "vous êtes le contact que nous connaissons dans cette entreprise.",
                "Si c’est prévu, donnez votre accord : nous écrirons à cette personne, qui terminera l’activation.",
            ),
            button="Donner mon accord",
            lasts="Ce lien fonctionne pendant 7 jours, jusqu’au {until}.",
            alarm="Ce n’est pas prévu, ou vous avez un doute ? Ne cliquez pas : sans votre accord, personne n’entrera.",
        ),
        "activation_told": NoticeText(
            subject="L’espace de votre entreprise est en cours d’activation",
            title="L’espace de votre entreprise est en cours d’activation",
            says=(
                "Une personne active en ce moment l’Espace Entreprise Santé de {company}. Nous vous écrivons parce que "
                "vous êtes le contact que nous connaissons dans cette entreprise.",
                "C’est prévu ? Vous n’avez rien à faire.",
                "Ce n’est pas prévu, ou vous avez un doute ? Arrêtez l’activation : personne n’entrera.",
            ),
            button="Arrêter l’activation",
            facts=True,
        ),
        "invitation": NoticeText(
            subject="Votre accès à l’Espace Entreprise Santé",
            title="Créez votre mot de passe",
            says=(
                "Un accès à l’Espace Entreprise Santé de {company} vous attend. Vous y suivrez l’affiliation des "
                "salariés à leur complémentaire santé.",
                "Pour l’ouvrir, choisissez votre mot de passe.",
            ),
            button="Créer mon mot de passe",
            lasts="Ce lien fonctionne pendant 72 heures, jusqu’au {until}. Il est à vous seul : ne le transférez pas.",
            alarm=_NOT_EXPECTED,
        ),
        "access_offered": NoticeText(
            subject="Un nouvel accès vous est proposé",
            title="Un nouvel accès vous est proposé",
            says=(
                "Un accès à l’Espace Entreprise Santé de {company} vous est proposé.",
                "Vous le retrouverez avec votre compte actuel : votre adresse et votre mot de passe ne changent pas.",
            ),
            button="Voir la proposition",
            lasts="Ce lien fonctionne pendant 72 heures, jusqu’au {until}.",
            alarm=_NOT_EXPECTED,
        ),
        "staff_invitation": NoticeText(
            subject="Votre accès à l’espace gestionnaire",
            title="Créez votre mot de passe",
            says=(
                "Un accès à l’espace gestionnaire HCR Bien-Être vous attend. Choisissez votre mot de passe, puis "
                "une application d’authentification sur votre téléphone.",
            ),
            button="Créer mon mot de passe",
            lasts="Ce lien fonctionne pendant 72 heures, jusqu’au {until}. Il est à vous seul : ne le transférez pas.",
            alarm=_NOT_EXPECTED,
        ),
        # --- sign-in
        "password_reset": NoticeText(
            subject="Choisissez un nouveau mot de passe",
            title="Choisissez un nouveau mot de passe",
            says=(
                "Vous avez oublié votre mot de passe ? Cela arrive à tout le monde. Ce lien permet d’en choisir un "
                "nouveau.",
            ),
            button="Choisir un nouveau mot de passe",
            lasts="Ce lien fonctionne pendant une heure, jusqu’au {until}. Il ne sert qu’une fois.",
            alarm="Vous n’avez rien demandé ? Ne cliquez pas : sans le lien, votre mot de passe ne change pas.",
        ),
        "password_changed": NoticeText(
            subject="Votre mot de passe a changé",
            title="Votre mot de passe a changé",
            says=(
                "Le mot de passe de votre compte vient de changer. Par sécurité, toutes vos autres connexions ont été "
                "fermées, et un code vous sera demandé la prochaine fois.",
            ),
            button="Me connecter",
            facts=True,
            alarm=_NOT_YOU,
            reset=True,
        ),
        "new_device": NoticeText(
            subject="Nouvelle connexion à votre compte",
            title="Nouvelle connexion à votre compte",
            says=(
                "Une connexion à votre compte vient d’avoir lieu depuis un navigateur ou un lieu que nous ne "
                "connaissions pas. C’est vous ? Vous n’avez rien à faire.",
            ),
            button="Voir mes connexions",
            page=PROFILE,
            facts=True,
            alarm=_NOT_YOU,
            reset=True,
        ),
        "code_not_completed": NoticeText(
            subject="Connexion non terminée à votre compte",
            title="Une connexion n’a pas été terminée",
            says=(
                "Votre mot de passe a été saisi, mais pas le code de confirmation. Personne n’est entré dans votre "
                "compte.",
                "C’est vous ? Connectez-vous à nouveau quand vous voulez : un nouveau code vous sera demandé.",
            ),
            button="Me connecter",
            facts=True,
            alarm="Quelqu’un connaît peut-être votre mot de passe. " + _NOT_YOU,
            reset=True,
        ),
        "code_limit": NoticeText(
            subject="Trop de codes erronés sur votre compte",
            title="Trop de codes erronés",
            says=(
                "Trop de codes de confirmation erronés ont été saisis sur votre compte. Pour vous protéger, aucun code "
                "n’est accepté pendant une heure, même le bon.",
                "C’est vous ? Attendez une heure, puis connectez-vous à nouveau.",
            ),
            button="Me connecter",
            facts=True,
            alarm="Quelqu’un connaît peut-être votre mot de passe. " + _NOT_YOU,
            reset=True,
        ),
        "device_reused": NoticeText(
            subject="Vos appareils ont été oubliés par sécurité",
            title="Nous avons oublié vos appareils",
            says=(
                "Un navigateur s’est présenté avec une ancienne clé de votre compte : elle a peut-être été copiée. "
                "Pour vous protéger, nous ne reconnaissons plus aucun de vos appareils.",
                "À votre prochaine connexion, un code vous sera demandé. C’est tout ce qui change pour vous.",
            ),
            button="Me connecter",
            facts=True,
            alarm=_NOT_YOU,
            reset=True,
        ),
        "phone_changed": NoticeText(
            subject="Votre numéro de téléphone a changé",
            title="Votre numéro de téléphone a changé",
            says=("Les codes de confirmation partent maintenant vers un nouveau numéro de téléphone.",),
            button="Voir mon profil",
            page=PROFILE,
            facts=True,
            alarm=_NOT_YOU,
            reset=True,
        ),
        "phone_loss": NoticeText(
            subject="Votre numéro de téléphone va être retiré",
            title="Votre numéro de téléphone va être retiré",
            says=(
                "Notre équipe a enregistré que vous n’avez plus votre téléphone. Votre numéro sera retiré de votre "
                "compte le {moment}. Vous pourrez alors en donner un nouveau en vous connectant.",
                "C’est bien vous ? Vous n’avez rien à faire.",
                "Ce n’est pas vous ? Arrêtez la demande : rien ne changera.",
            ),
            button="Arrêter la demande",
        ),
        "email_change": NoticeText(
            subject="Confirmez votre nouvelle adresse e-mail",
            title="Confirmez votre nouvelle adresse",
            says=(
                "Vous avez demandé à utiliser cette adresse e-mail pour votre compte. Confirmez qu’elle est bien la "
                "vôtre : vous vous connecterez ensuite avec elle.",
            ),
            button="Confirmer mon adresse",
            lasts="Ce lien fonctionne jusqu’au {until}. Il ne sert qu’une fois.",
            alarm="Vous n’avez rien demandé ? Ne cliquez pas : sans le lien, rien ne change.",
        ),
        "email_changed": NoticeText(
            subject="L’adresse e-mail de votre compte a changé",
            title="L’adresse de votre compte a changé",
            says=(
                "Votre compte utilise maintenant une autre adresse e-mail. Nous n’écrirons plus à celle-ci, et elle ne "
                "permet plus de se connecter.",
            ),
            button="Me connecter",
            facts=True,
            alarm=_CALL,
        ),
        "totp_changed": NoticeText(
            subject="Application d’authentification ajoutée",
            title="Application d’authentification ajoutée",
            says=("Les codes de confirmation viennent maintenant de votre application d’authentification.",),
            button="Voir mon profil",
            page=PROFILE,
            facts=True,
            alarm=_NOT_YOU,
            reset=True,
        ),
        "totp_removed": NoticeText(
            subject="Application d’authentification retirée",
            title="Application d’authentification retirée",
            says=(
                "L’application d’authentification ne protège plus votre compte. Les codes de confirmation vous seront "
                "envoyés par SMS.",
            ),
            button="Voir mon profil",
            page=PROFILE,
            facts=True,
            alarm=_NOT_YOU,
            reset=True,
        ),
        "recovery_code_used": NoticeText(
            subject="Un code de secours a été utilisé",
            title="Un code de secours a été utilisé",
            says=("Un de vos codes de secours vient de servir à une connexion. {left}",),
            button="Voir mon profil",
            page=PROFILE,
            facts=True,
            alarm=_NOT_YOU,
            reset=True,
        ),
        "account_ending": NoticeText(
            subject="Votre compte sera bientôt supprimé",
            title="Votre compte sera bientôt supprimé",
            says=(
                "Vous n’avez pas utilisé votre compte depuis longtemps. Nous ne gardons pas les données dont personne "
                "ne se sert : il sera supprimé le {day}.",
                "Vous voulez le garder ? Connectez-vous une fois avant cette date.",
            ),
            button="Garder mon compte",
        ),
        # --- rights
        "rights_changed": NoticeText(
            subject="Vos droits ont changé",
            title="Vos droits ont changé",
            says=("Dans l’Espace Entreprise Santé de {company}, votre rôle est maintenant : {role}.",),
            button="Ouvrir mon espace",
            facts=True,
        ),
        "access_suspended": NoticeText(
            subject="Votre accès est suspendu",
            title="Votre accès est suspendu",
            says=(
                "Votre accès à l’Espace Entreprise Santé de {company} est suspendu pour le moment. Un administrateur "
                "de l’entreprise peut le rouvrir : adressez-vous à lui.",
            ),
            button="Ouvrir l’Espace Entreprise",
            facts=True,
        ),
        "access_reactivated": NoticeText(
            subject="Votre accès est rouvert",
            title="Votre accès est rouvert",
            says=(
                "Votre accès à l’Espace Entreprise Santé de {company} est rouvert. À votre prochaine connexion, un "
                "code de confirmation vous sera demandé.",
            ),
            button="Me connecter",
            facts=True,
        ),
        "access_revoked": NoticeText(
            subject="Votre accès est fermé",
            title="Votre accès est fermé",
            says=(
                "Votre accès à l’Espace Entreprise Santé de {company} est fermé. Vous pensez que c’est une erreur ? "
                "Adressez-vous à un administrateur de l’entreprise.",
            ),
            button="Ouvrir l’Espace Entreprise",
            facts=True,
        ),
        "account_suspended": NoticeText(
            subject="Votre compte est suspendu",
            title="Votre compte est suspendu",
            says=(
                "Notre équipe a suspendu votre compte. Vos connexions sont fermées, dans toutes vos entreprises.",
                "Vous pensez que c’est une erreur ? Appelez-nous : nous verrons avec vous comment le rouvrir.",
            ),
            button="Ouvrir l’Espace Entreprise",
            facts=True,
        ),
        "account_reactivated": NoticeText(
            subject="Votre compte est rouvert",
            title="Votre compte est rouvert",
            says=(
                "Notre équipe a rouvert votre compte. À votre prochaine connexion, un code de confirmation vous sera "
                "demandé.",
            ),
            button="Me connecter",
            facts=True,
        ),
        "review_due": NoticeText(
            subject="Des accès sont à confirmer",
            title="Qui a encore besoin de son accès ?",
            says=(
                "Tous les trois mois, un administrateur confirme qui a besoin d’un accès à l’Espace Entreprise Santé "
                "de {company}. Accès à confirmer : {count}.",
                "Cela prend une minute. Un accès qui n’est pas confirmé avant le {day} sera suspendu ; vous pourrez "
                "le rouvrir à tout moment.",
            ),
            button="Confirmer les accès",
            page=RIGHTS,
        ),
        "review_lapsed": NoticeText(
            subject="Votre accès est suspendu",
            title="Votre accès est suspendu",
            says=(
                "Tous les trois mois, les accès à l’Espace Entreprise Santé de {company} sont à confirmer. Le vôtre ne "
                "l’a pas été : il est suspendu.",
                "Vous en avez encore besoin ? Un administrateur de l’entreprise peut le rouvrir.",
            ),
            button="Ouvrir l’Espace Entreprise",
            facts=True,
        ),
        "api_key_created": NoticeText(
            subject="Une clé d’API a été créée",
            title="Une clé d’API a été créée",
            says=(
                "Une clé d’API vient d’être créée pour {company}. Le logiciel qui la détient agit au nom de "
                "l’entreprise, sans code de confirmation.",
            ),
            button="Voir les habilitations",
            page=RIGHTS,
            facts=True,
            alarm="Révoquez la clé, puis appelez-nous.",
        ),
        "webhook_stopped": NoticeText(
            subject="Un webhook est arrêté",
            title="Un webhook est arrêté",
            says=(
                "Un logiciel relié à l’Espace Entreprise Santé de {company} ne reçoit plus nos messages : il ne répond "
                "pas depuis plusieurs jours, ou les a refusés. Nous avons cessé de les lui envoyer.",
                "Rien n’est perdu : ce qui se passe dans vos affiliations est gardé pendant 30 jours. Quand le "
                "logiciel répond de nouveau, reprenez les envois dans « Mes habilitations », rubrique « Webhooks ».",
            ),
            button="Voir les webhooks",
            page=WEBHOOKS,
            facts=True,
        ),
        # --- what happened in the companies
        "digest": NoticeText(
            subject="Vos affiliations : les nouvelles",
            title="Ce qui s’est passé dans vos affiliations",
            says=("Voici ce qui compte depuis notre dernier message.",),
            button="Voir les notifications",
            page=NOTIFICATIONS,
            lasts="Vous choisissez dans votre profil, rubrique « Mes notifications », quand nous vous écrivons.",
        ),
        "digest_now": NoticeText(
            subject="Vos affiliations : du nouveau",
            title="Du nouveau dans vos affiliations",
            says=("Vous avez demandé à le savoir tout de suite.",),
            button="Voir les notifications",
            page=NOTIFICATIONS,
            lasts="Vous choisissez dans votre profil, rubrique « Mes notifications », quand nous vous écrivons.",
        ),
        # --- exports
        "export_ready": NoticeText(
            subject="Votre export est prêt",
            title="Votre export est prêt",
            says=(
                "Le fichier que vous avez demandé vous attend dans votre espace. Un code de sécurité peut vous être "
                "demandé pour le télécharger.",
                "Il est disponible pendant 24 heures, puis il est supprimé.",
            ),
            button="Télécharger le fichier",
            page=EXPORTS,
            facts=True,
            alarm=_NOT_YOU,
            reset=True,
        ),
        "export_failed": NoticeText(
            subject="Votre export n’a pas abouti",
            title="Votre export n’a pas abouti",
            says=(
                "Le fichier que vous avez demandé n’a pas pu être préparé, de notre fait. Aucune donnée n’est perdue.",
                "Demandez-le de nouveau depuis votre espace. Si cela se reproduit, appelez-nous.",
            ),
            button="Voir mes exports",
            page=EXPORTS,
        ),
        # --- requests to HCR Bien-Être
        "contact_received": NoticeText(
            subject="Votre demande est bien reçue",
            title="Votre demande est bien reçue",
            says=(
                "Nous avons bien reçu votre demande. Son numéro est {number} : rappelez-le si vous nous appelez.",
                "Un gestionnaire vous répond au plus tard le {day}. Nous vous écrirons dès que la réponse sera dans "
                "votre espace.",
            ),
            button="Suivre ma demande",
            page=REQUEST,
        ),
        "contact_answered": NoticeText(
            subject="Une réponse à votre demande",
            title="Une réponse vous attend",
            says=(
                "Nous avons répondu à votre demande {number}. Pour protéger les informations qu’elle contient, la "
                "réponse se lit dans votre espace, dans « Mes démarches ».",
                "Elle ne vous suffit pas ? Répondez au même endroit : votre demande sera rouverte.",
            ),
            button="Lire la réponse",
            page=REQUEST,
        ),
        "contact_closed": NoticeText(
            subject="Votre demande est close",
            title="Votre demande est close",
            says=(
                "Votre demande {number} est maintenant close. Êtes-vous satisfait de notre réponse ? Donnez votre "
                "avis en un clic : il nous aide à mieux vous répondre.",
                "Il reste une question ? Vous pouvez rouvrir votre demande à tout moment.",
            ),
            button="Donner mon avis",
            page=REQUEST,
        ),
        "contact_escalated": NoticeText(
            subject="Une demande attend une réponse",
            title="Une demande a dépassé son délai",
            says=("La demande {number} n’a pas reçu de réponse dans le délai annoncé à l’employeur.",),
            button="Ouvrir la demande",
            page=STAFF_REQUEST,
        ),
        "import_done": NoticeText(
            subject="Votre import de pré-affiliations est terminé",
            title="Votre import est terminé",
            says=(
                "Toutes les lignes que vous avez confirmées ont été traitées.",
                "Le compte rendu, ligne par ligne, vous attend dans votre espace pendant 30 jours après le dépôt.",
            ),
            button="Voir le compte rendu",
            page=IMPORTS,
        ),
        "establishment_added": NoticeText(
            subject="Un établissement a été ajouté",
            title="Un établissement a été ajouté",
            says=("Un établissement de {company} vient d’être ajouté au périmètre que vous suivez.",),
            button="Voir mon profil",
            page=PROFILE,
            facts=True,
            alarm=_CALL,
        ),
        # --- mandates
        "mandate_asked": NoticeText(
            subject="Un tiers déclarant demande un accès",
            title="Un tiers déclarant demande un accès",
            says=(
                "Un tiers déclarant (cabinet comptable, prestataire de paie…) demande à agir pour {company} dans "
                "l’Espace Entreprise Santé.",
                "Tant que vous n’avez pas accepté, il ne voit rien. Si vous acceptez, vous choisissez jusqu’à quand, "
                "vous voyez ce qu’il fait, et vous pouvez y mettre fin à tout moment.",
            ),
            button="Répondre à la demande",
            page=RIGHTS,
        ),
        "mandate_accepted": NoticeText(
            subject="Votre mandat est accepté",
            title="Votre mandat est accepté",
            says=("Vous pouvez agir pour {company} dans l’Espace Entreprise Santé, jusqu’au {day} inclus.",),
            button="Ouvrir mon espace",
        ),
        "mandate_refused": NoticeText(
            subject="Votre demande de mandat n’a pas été acceptée",
            title="Votre demande n’a pas été acceptée",
            says=(
                "Vous aviez demandé à agir pour {company}. L’entreprise n’a pas accepté votre demande : pour en savoir "
                "plus, adressez-vous à elle.",
            ),
            button="Ouvrir mon espace",
        ),
        "mandate_revoked": NoticeText(
            subject="Votre mandat a pris fin",
            title="Votre mandat a pris fin",
            says=(
                "Il a été mis fin à votre mandat pour {company}. Vous n’agissez plus en son nom dans l’Espace "
                "Entreprise Santé.",
            ),
            button="Ouvrir mon espace",
            facts=True,
        ),
        "mandate_ended": NoticeText(
            subject="Votre mandat a pris fin",
            title="Votre mandat a pris fin",
            says=(
                "Votre mandat pour {company} est arrivé à son terme. Vous n’agissez plus en son nom. Pour continuer, "
                "demandez-en un nouveau.",
            ),
            button="Ouvrir mon espace",
        ),
        "mandate_ending": NoticeText(
            subject="Un mandat se termine bientôt",
            title="Un mandat se termine bientôt",
            says=(
                "Le mandat du tiers déclarant de {company} se termine le {day}. Après cette date, il n’agit plus au "
                "nom de l’entreprise.",
                "Pour continuer, le tiers déclarant demande un nouveau mandat, et l’entreprise l’accepte.",
            ),
            button="Ouvrir mon espace",
        ),
        # --- recovery of a company
        "recovery_told": NoticeText(
            subject="Une reprise de votre espace est demandée",
            title="Une reprise de votre espace est demandée",
            says=(
                "Une personne qui indique travailler pour {company} dit que plus aucun administrateur ne peut entrer "
                "dans l’Espace Entreprise Santé. Nous envoyons un code par courrier au siège de l’entreprise.",
                "C’est prévu ? Vous n’avez rien à faire.",
                "Vous êtes encore là, ou vous avez un doute ? Arrêtez la demande : rien ne changera.",
            ),
            button="Arrêter la demande",
            facts=True,
        ),
        "recovery_waiting": NoticeText(
            subject="Votre code est bon : encore un peu de patience",
            title="Votre code est bon",
            says=(
                "Le code du courrier envoyé au siège de {company} est le bon. Par sécurité, nous laissons à "
                "l’entreprise le temps de réagir : votre accès sera ouvert le {moment}.",
                "Vous recevrez alors un e-mail pour entrer. Vous n’avez rien à faire d’ici là.",
            ),
            button="Ouvrir l’Espace Entreprise",
        ),
        "recovery_granted": NoticeText(
            subject="Votre accès est ouvert",
            title="Votre accès est ouvert",
            says=(
                "Vous êtes maintenant administrateur de l’Espace Entreprise Santé de {company}. Pour entrer, "
                "choisissez votre mot de passe.",
            ),
            button="Créer mon mot de passe",
            lasts="Ce lien fonctionne pendant 72 heures, jusqu’au {until}. Il est à vous seul : ne le transférez pas.",
            alarm=_NOT_ASKED,
        ),
        "recovery_stopped": NoticeText(
            subject="Votre demande d’accès a été arrêtée",
            title="Votre demande a été arrêtée",
            says=(
                "Vous aviez demandé à reprendre l’Espace Entreprise Santé de {company}. La demande a été arrêtée : "
                "adressez-vous à un administrateur de l’entreprise, qui peut vous inviter.",
            ),
            button="Ouvrir l’Espace Entreprise",
        ),
    }
)
