"""How well and how fast the assistant answers: tests/assistant/questions.toml against the entries of this release, by
the statement alone and through the whole service."""

from __future__ import annotations

import time
import tomllib
from uuid import uuid4

from bench.report import Figure, percentile
from bench.stack import Stack
from db import assistant
from db.pool import system
from services.assistant import ENOUGH, AssistantQuestion
from services.callers import Caller, Scope
from services.faq import load
from settings import ROOT
from web.parts import open_parts

QUESTIONS = ROOT / "tests" / "assistant" / "questions.toml"
TARGET_MS = 50
MOST_OF_A_SESSION = 20  # questions in a minute
AMONG, FIRST = 96, 88  # percent


async def measure(stack: Stack, rounds: int = 3) -> list[Figure]:
    listed = tomllib.loads(QUESTIONS.read_text(encoding="utf-8"))
    questions = listed["question"]
    first, among, wrongly = 0, 0, 0
    seconds: list[float] = []
    whole: list[float] = []
    async with open_parts(stack.config, await stack.temporal_client()) as parts:
        await load(parts.system)
        for number in range(rounds):
            for one in questions:
                async with system(parts.system) as connection:
                    began = time.perf_counter()
                    rows = await connection.fetch(assistant.FIND, one["asked"], 3)
                    seconds.append(time.perf_counter() - began)
                if number == 0:
                    found = [row["slug"] for row in rows]
                    first += bool(set(found[:1]) & set(one["wants"]))
                    among += bool(set(found) & set(one["wants"]))
        for text in listed["unanswerable"]:
            async with system(parts.system) as connection:
                rows = await connection.fetch(assistant.FIND, text, 1)
            wrongly += any(row["score"] >= ENOUGH for row in rows)
        for number, one in enumerate(questions):
            if number % MOST_OF_A_SESSION == 0:
                caller = Caller(str(uuid4()), (stack.company_id,), frozenset({Scope.read}))
            began = time.perf_counter()
            await parts.assistant.ask(caller, AssistantQuestion(text=one["asked"]))
            whole.append(time.perf_counter() - began)
    many = len(questions)
    return [
        Figure(f"{many} questions: the right entry first", 100 * first / many, "%", FIRST, "at least"),
        Figure(f"{many} questions: among three", 100 * among / many, "%", AMONG, "at least"),
        Figure("questions about something else that were answered", wrongly, "", 0),
        Figure("finding, p95", percentile(seconds, 0.95) * 1000, "ms", TARGET_MS),
        Figure("a whole answer: masked, limited, found, kept, p95", percentile(whole, 0.95) * 1000, "ms", TARGET_MS),
    ]
