"""Tells a workflow something for a person who waits for the answer: what it refuses, in words."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from activities.contracts.affiliation import Progress
from domain.affiliation import Refusal, Refused
from domain.working_time import french_moment
from services.problems import EngineUnavailable, RefusedByRules
from workflows.client import Affiliations
from workflows.engine import EngineAway, NotRunning


async def tell(
    engine: Affiliations, affiliation_id: UUID, update: Any, request: object, request_id: str, *, started: bool = True
) -> Progress:
    """One update. `started`: its workflow is known to have begun. Raises RefusedByRules, EngineUnavailable."""
    try:
        return await engine.tell(str(affiliation_id), update, request, request_id)
    except Refusal as refusal:
        raise refused(refusal) from None
    except NotRunning:
        raise (refused(Refusal(Refused.closed)) if started else EngineUnavailable()) from None
    except EngineAway:
        raise EngineUnavailable() from None


_REFUSED = {
    Refused.closed: "Cette affiliation est terminée : cette action n’est plus possible.",
    Refused.not_sent_yet: "Rien n’est encore parti : l’invitation est en préparation.",
    Refused.under_way: "Un envoi vers ce salarié est déjà en cours : attendez qu’il soit parti.",
    Refused.unreachable: "Aucune adresse valable n’est connue : corrigez d’abord les coordonnées du salarié.",
    Refused.already_paused: "Les envois automatiques sont déjà en pause.",
    Refused.not_paused: "Les envois automatiques ne sont pas en pause.",
    Refused.nothing_to_skip: "Ce message n’est plus à venir : il vient de partir, ou les envois sont arrêtés.",
    Refused.no_doubt: "Aucun envoi n’attend de vérification.",
    Refused.stale_contact: "Ces coordonnées viennent d’être corrigées par ailleurs. Rechargez le dossier.",
    Refused.not_finalised: "Le formulaire de ce salarié n’est pas encore arrivé : il n’y a pas de pièces à suivre.",
    Refused.stale_pieces: "Les pièces de ce dossier viennent de changer par ailleurs. Rechargez le dossier.",
    Refused.waiver_ended: "Cette dispense est déjà terminée à cette date.",
}


def refused(refusal: Refusal) -> RefusedByRules:
    """The rules' refusal in words that say what to do, and when."""
    if refusal.code is Refused.too_soon and refusal.retry_at is not None:
        detail = (
            "Une relance est déjà partie à cette adresse il y a moins de 24 heures. "
            f"Prochaine relance possible : {french_moment(refusal.retry_at)}."
        )
    else:
        detail = _REFUSED[refusal.code]
    return RefusedByRules(refusal.code.value, detail.replace(" :", "\u00a0:"), refusal.retry_at)
