"""The assistant: answers in the FAQ's own words with their source, and about the caller's own people with what the
caller's own pages would show; else it says that it does not know (security.md B-02). No text leaves the system, none is
made up."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

import asyncpg
from pydantic import AfterValidator, BaseModel, Field

from db import assistant, library
from db.pool import system
from domain.assistant import wanted
from domain.identifiers import InvalidValue
from domain.masking import masked
from messages.typography import french
from services.assistant_cases import Case, CaseAnswer, CaseReader
from services.callers import Caller, Scope
from services.fields import Form
from services.limits import Limit
from services.problems import NotFound
from services.tools import Tools

MOST_ASKED: Final = 2000
MOST_SEARCHED: Final = 400  # characters: a question's own; the rest of a long story finds nothing more
MOST_OTHERS: Final = 2
# What an entry must reach to answer, and to be offered beside an answer; found on tests/assistant/questions.toml.
ENOUGH: Final = 0.4
NEAR: Final = 0.25
CONTACT: Final = "/contact"
DOCUMENTS: Final = "/documents"
_FIRST: Final = ("pre-affilier", "relancer", "identifiant-entreprise", "fin-contrat-dsn", "dispense", "portabilite")
_UNKNOWN: Final = french(
    "Je n’ai pas trouvé de réponse à cette question. Reformulez-la en quelques mots, ou posez-la à nos conseillers."
)
_OF_CASES: Final = "affiliation"
_DOCUMENT: Final = french("Vous le trouvez dans « Mes documents pratiques » :")


def _readable(text: str) -> str:
    text = "".join(mark if mark.isprintable() or mark == "\n" else " " for mark in text).strip()
    if not any(mark.isalnum() for mark in text):
        raise InvalidValue("question.empty", "Écrivez votre question.", "Comment relancer un salarié ?")
    return text


class AssistantQuestion(Form):
    """What is asked, in the asker's own words."""

    text: Annotated[
        str,
        Field(min_length=1, max_length=MOST_ASKED, examples=["Comment relancer un salarié ?"]),
        AfterValidator(_readable),
    ]


class AnswerKind(StrEnum):
    """`entry`: from the FAQ; `cases`: about the caller's own people; `document`: one of « Mes documents pratiques » is
    named; `none`: nothing fits."""

    entry = "entry"
    cases = "cases"
    document = "document"
    none = "none"


class AnswerLink(BaseModel):
    """A page of the portal."""

    label: str
    page: str


class AssistantAnswer(BaseModel):
    """`answer`: paragraphs of plain text. `source`: the entry's own question, with `link` where it is done. `others`:
    questions that are near. `documents`: that the question names. `reason`: of « Nous contacter », that it was about.
    `masked`: a number or an address was taken out of the question."""

    id: UUID
    kind: AnswerKind
    asked: str
    answer: list[str]
    cases: list[Case] = []
    source: str | None = None
    link: AnswerLink | None = None
    others: list[str] = []
    documents: list[AnswerLink] = []
    reason: str = ""
    contact: AnswerLink
    masked: bool


class AssistantRating(Form):
    """Whether an answer helped."""

    helpful: bool


class AssistantService:
    def __init__(self, tools: Tools, cases: CaseReader) -> None:
        self._tools = tools
        self._cases = cases

    async def ask(self, caller: Caller, question: AssistantQuestion) -> AssistantAnswer:
        """Raises NotAllowed, TooManyRequests."""
        caller.need(Scope.read)
        await self._tools.limiter.take(Limit.assistant_session, _whom(caller))
        text = masked(question.text)
        asked = wanted(text)
        about = await self._cases.read(caller, asked) if asked is not None else None
        async with system(self._tools.system) as connection:
            rows = await connection.fetch(assistant.FIND, text[:MOST_SEARCHED], 1 + MOST_OTHERS)
            named = await connection.fetch(library.NAMED, text[:MOST_SEARCHED], MOST_OTHERS)
        found = [row for row in rows if row["score"] >= NEAR]
        answer = _of_cases(about, found) if about is not None else _of_faq(found)
        answer.documents = [AnswerLink(label=row["title"], page=f"{DOCUMENTS}/{row['slug']}.pdf") for row in named]
        if named and answer.kind is AnswerKind.none:
            answer.kind, answer.answer = AnswerKind.document, [_DOCUMENT]
        answer.asked, answer.masked = text, text != question.text
        await self._keep(caller, answer, found)
        return answer

    async def rate(self, caller: Caller, question_id: UUID, rating: AssistantRating) -> None:
        """Raises NotAllowed, NotFound (not the caller's, or gone)."""
        caller.need(Scope.read)
        user = caller.signed_in.user_id if caller.signed_in else None
        async with system(self._tools.system) as connection:
            if await connection.fetchval(assistant.HELPED, question_id, user, rating.helpful) is None:
                raise NotFound()

    async def first_questions(self, caller: Caller) -> list[str]:
        """What is asked most, for whoever does not know what to ask. Raises NotAllowed."""
        caller.need(Scope.read)
        async with system(self._tools.system) as connection:
            rows = await connection.fetch(assistant.SUGGESTED, list(_FIRST))
        return [row["question"] for row in rows]

    async def _keep(self, caller: Caller, answer: AssistantAnswer, found: list[asyncpg.Record]) -> None:
        """What staff learn from. Of a question about somebody whom the caller employs no word is kept."""
        entry_id = found[0]["id"] if answer.kind is AnswerKind.entry else None
        sealed = None
        user = caller.signed_in.user_id if caller.signed_in else None
        async with system(self._tools.system) as connection:
            answer.id = await connection.fetchval(assistant.NEW_ID)
            if answer.kind is not AnswerKind.cases:
                sealed = self._tools.cipher.encrypt(answer.asked, "assistant_question", "text", str(answer.id))
            await connection.execute(assistant.ADD_QUESTION, answer.id, user, sealed, answer.kind.value, entry_id)


def _of_faq(found: list[asyncpg.Record]) -> AssistantAnswer:
    if not found or found[0]["score"] < ENOUGH:
        return AssistantAnswer(
            id=UUID(int=0),
            kind=AnswerKind.none,
            asked="",
            answer=[_UNKNOWN],
            others=[row["question"] for row in found[:MOST_OTHERS]],
            contact=contact_link(),
            masked=False,
        )
    best = found[0]
    return AssistantAnswer(
        id=UUID(int=0),
        kind=AnswerKind.entry,
        asked="",
        answer=best["answer"].split("\n\n"),
        source=best["question"],
        link=AnswerLink(label=best["page_label"], page=best["page"]) if best["page"] else None,
        others=[row["question"] for row in found[1:]],
        reason=best["reason"],
        contact=contact_link(best["reason"]),
        masked=False,
    )


def _of_cases(about: CaseAnswer, found: list[asyncpg.Record]) -> AssistantAnswer:
    return AssistantAnswer(
        id=UUID(int=0),
        kind=AnswerKind.cases,
        asked="",
        answer=about.says,
        cases=about.cases,
        link=AnswerLink(label=about.label, page=about.page),
        others=[row["question"] for row in found[:MOST_OTHERS]],
        reason=_OF_CASES,
        contact=contact_link(_OF_CASES),
        masked=False,
    )


def contact_link(reason: str = "") -> AnswerLink:
    """« Nous contacter », at the reason that the question was about."""
    return AnswerLink(label="Nous contacter", page=f"{CONTACT}?motif={reason}" if reason else CONTACT)


def _whom(caller: Caller) -> str:
    return str(caller.signed_in.session_id) if caller.signed_in else caller.id
