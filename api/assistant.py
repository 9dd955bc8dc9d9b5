"""/assistant: questions in words, for employers' users and machines."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter

from api.problems import describes
from services.assistant import AssistantAnswer, AssistantQuestion, AssistantRating
from services.problems import InvalidFields, NotAllowed, NotAuthenticated, NotFound, TooManyRequests
from web.callers import AnyCaller, Use

router = APIRouter(prefix="/assistant", tags=["assistant"])


@router.post("/questions", responses=describes(NotAuthenticated, NotAllowed, InvalidFields, TooManyRequests))
async def ask(question: AssistantQuestion, caller: AnyCaller, use: Use) -> AssistantAnswer:
    """From the FAQ, or about the caller's own people; social-security numbers, bank details, telephone numbers and
    e-mail addresses are taken out of the question before it is looked for."""
    return await use.assistant.ask(caller, question)


@router.post(
    "/questions/{question_id}/rating",
    status_code=204,
    responses=describes(NotAuthenticated, NotAllowed, NotFound, InvalidFields),
)
async def rate(question_id: UUID, rating: AssistantRating, caller: AnyCaller, use: Use) -> None:
    """Whether the answer helped."""
    await use.assistant.rate(caller, question_id, rating)
