"""« Mes documents pratiques › Dossier de preuves (Urssaf) »: what is missing now, and packs of everything there is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from domain.evidence import Gap, ProofState
from messages.evidence import MEANINGS, STATES
from messages.typography import french
from portal.dsn_hires import HIRES
from portal.forms import Fields
from portal.pages import fragment, see_other
from portal.space import SpaceRoute, one_problem, signed_in_page
from services.callers import Caller
from services.evidence import EvidencePacks, EvidenceState, Lacking, NewEvidencePack
from services.exports import ExportStands
from services.fields import validated
from services.problems import ExportsUnderWay, InvalidFields, NotFound, Problem, StepUpNeeded, TooManyRequests
from web.callers import Use, UserCaller
from web.csrf import OwnSite
from web.downloads import download_answer
from web.parts import Parts

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

EVIDENCE: Final = "/documents/dossier-de-preuves"
FOLLOW_UP: Final = "/salaries/suivi"
PRE_AFFILIATION: Final = "/salaries/pre-affiliation"
MOST_CHOICES: Final = 300  # establishments to choose from
STATE_ICONS: Final = {
    ProofState.missing: "warning",
    ProofState.abandoned: "abandoned",
    ProofState.invited: "sent",
    ProofState.dispensed: "paper",
    ProofState.covered: "good",
    ProofState.left: "sign_out",
}
PACK_ICONS: Final = {
    ExportStands.asked: "clock",
    ExportStands.waiting: "clock",
    ExportStands.running: "refresh",
    ExportStands.done: "good",
    ExportStands.failed: "rejected",
    ExportStands.cancelled: "abandoned",
    ExportStands.expired: "withdraw",
}
_MOVING: Final = (ExportStands.waiting, ExportStands.running)
Text = Annotated[str, Query(max_length=40)]
Done = Annotated[str, Query(alias="fait", max_length=40)]
_DONE: Final = {
    "demande": french("Le dossier est en préparation : nous vous écrirons dès qu’il sera prêt."),
    "code": french(
        "Votre code est accepté. Le dossier n’est pas encore demandé : appuyez sur « Préparer le dossier »."
    ),
}


@router.get(EVIDENCE)
async def overview(
    request: Request, caller: UserCaller, use: Use, siren: Text = "", siret: Text = "", fait: Done = ""
) -> Response:
    """What can be proved now; a company's packs under way are looked at again by themselves."""
    state = await _state(caller, use, {"siren": siren, "siret": siret})
    packs = await use.evidence.packs(caller, state.siren)
    if "HX-Request" in request.headers:
        return fragment("space/evidence/overview.html", "packs", **_of_packs(state, packs))
    return await _page(request, caller, use, state, packs, note=_DONE.get(fait, ""))


@router.post(EVIDENCE)
async def make(request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    """Where a code is to be given first, it leads back to the same page."""
    try:
        asked = validated(NewEvidencePack, {"siren": fields.get("siren"), "siret": fields.get("siret") or None})
    except InvalidFields:
        raise NotFound() from None
    try:
        await use.evidence.ask(caller, asked)
    except StepUpNeeded:
        after = _address(asked.siren, asked.siret, "code")
        return see_other(f"/connexion/confirmer?{urlencode({'suite': after})}")
    except (ExportsUnderWay, TooManyRequests) as problem:
        return await _refused(request, caller, use, asked, problem)
    return see_other(_address(asked.siren, asked.siret, "demande"))


@router.get(f"{EVIDENCE}/{{pack_id:uuid}}/fichier")
async def file(pack_id: UUID, caller: UserCaller, use: Use) -> Response:
    try:
        return download_answer(await use.evidence.file(caller, pack_id))
    except StepUpNeeded:  # a download leaves the page of the code on the screen
        return see_other(f"/connexion/confirmer?{urlencode({'suite': EVIDENCE})}")


async def _refused(request: Request, caller: Caller, use: Parts, asked: NewEvidencePack, problem: Problem) -> Response:
    state = await use.evidence.state(caller, asked.siren, asked.siret)
    packs = await use.evidence.packs(caller, state.siren)
    wrong = one_problem(problem)
    return await _page(request, caller, use, state, packs, wrong=wrong, status=problem.status)


async def _state(caller: Caller, use: Parts, given: Mapping[str, str]) -> EvidenceState:
    """Of the company and establishment of an address. Raises NotFound for what is none of the caller's."""
    siren = given["siren"]
    if not siren:
        return await use.evidence.state(caller)
    try:
        asked = validated(NewEvidencePack, {"siren": siren, "siret": given["siret"] or None})
    except InvalidFields:
        raise NotFound() from None
    # another company was chosen: the establishment of the former one counts no more
    siret = asked.siret if asked.siret and asked.siret.startswith(asked.siren) else None
    return await use.evidence.state(caller, asked.siren, siret)


async def _page(
    request: Request,
    caller: Caller,
    use: Parts,
    state: EvidenceState,
    packs: EvidencePacks,
    *,
    note: str = "",
    wrong: InvalidFields | None = None,
    status: int = 0,
) -> Response:
    return await signed_in_page(
        request,
        caller,
        use,
        "evidence/overview",
        wrong,
        status,
        state=state,
        note=note,
        counts=[(one, STATES[one], MEANINGS[one], state.counts[one]) for one in ProofState],
        state_icons=STATE_ICONS,
        lacking=[(one, _way_on(one)) for one in state.lacking],
        choices=state.places if len(state.places) <= MOST_CHOICES else [],
        **_of_packs(state, packs),
    )


def _of_packs(state: EvidenceState, packs: EvidencePacks) -> dict[str, object]:
    return {
        "packs": packs.items,
        "pack_icons": PACK_ICONS,
        "moving": any(one.state in _MOVING for one in packs.items),
        "again": _address(state.siren, state.siret),
    }


def _way_on(one: Lacking) -> tuple[str, str]:
    """Where somebody who is missing is invited from: (address, words)."""
    match one.gap:
        case Gap.payroll_only:
            return HIRES, "Pré-affilier"
        case Gap.not_sent:
            return f"{FOLLOW_UP}/{one.affiliation_id}", "Voir son affiliation"
        case Gap.waiver_ended | Gap.no_record:
            return PRE_AFFILIATION, "Pré-affilier de nouveau"
        case None:  # it was closed without an answer
            return f"{FOLLOW_UP}/{one.affiliation_id}/reprise", "Reprendre son affiliation"


def _address(siren: str, siret: str | None = None, done: str = "") -> str:
    given = {"siren": siren, "siret": siret or "", "fait": done}
    return f"{EVIDENCE}?{urlencode({name: value for name, value in given.items() if value})}"
