"""Letters, forms and receipts as PDF: how long each takes, and how many a second on all cores.

The floor is one page of plain text, made by the same library with the same fonts and standards.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from queue import LifoQueue

import typst

from bench.report import Figure, percentile
from domain.media import Language, MessageKind
from messages import typeset
from messages.forms import FormContent, FormDependant, render_affiliation_form
from messages.letters import LetterContent, render_letter
from messages.receipts import CoverageOutcome, ReceiptContent, Signature, render_receipt

BARE = Path(__file__).with_name("bare.typ")
DOCUMENT_MS = 30
BARE_PAGES = 10
DOCUMENTS_A_SECOND = 50
WARM_UP = 3

Render = Callable[[int], bytes]


async def measure(times: int = 60) -> list[Figure]:
    """Each document is another person's; each kind is warm before it is timed."""
    return await asyncio.to_thread(_measure, times)


def _measure(times: int) -> list[Figure]:
    kinds: dict[str, Render] = {
        "letter": lambda number: _letter(MessageKind.missing_pieces, Language.fr, number),
        "letter, Arabic": lambda number: _letter(MessageKind.missing_pieces, Language.ar, number),
        "form": lambda number: render_affiliation_form(_form(number)),
        "receipt": _receipt,
        "letter with its form": lambda number: _letter(MessageKind.invitation, Language.fr, number),
    }
    numbers = count()
    bare_page = _bare_page()
    figures = []
    for name, render in kinds.items():
        spent, bare = _milliseconds(render, bare_page, numbers, times)
        pages = 2 if render is kinds["letter with its form"] else 1
        figures += [
            Figure(f"{name}: p50", spent, "ms", DOCUMENT_MS * pages),
            Figure(f"{name}: as many bare pages", spent / bare, "", BARE_PAGES * pages),
        ]
    mixed = [render for name, render in kinds.items() if name != "letter with its form"]
    pages_rate = _a_second(lambda number: mixed[number % len(mixed)](number), numbers, times)
    return [
        *figures,
        Figure(
            "letters with their forms, on all cores", _a_second(kinds["letter with its form"], numbers, times), "/s"
        ),
        Figure("documents of a page, on all cores", pages_rate, "/s", DOCUMENTS_A_SECOND, "at least"),
        Figure("bare pages, on all cores", _a_second(bare_page, numbers, times), "/s"),
    ]


def _milliseconds(render: Render, bare_page: Render, numbers: count[int], times: int) -> tuple[float, float]:
    """The medians of a document and of the bare page, taken in turn: what else the machine does weighs on both."""
    for _ in range(WARM_UP):
        render(next(numbers))
        bare_page(next(numbers))
    spent: dict[Render, list[float]] = {render: [], bare_page: []}
    for _ in range(times):
        for kind, milliseconds in spent.items():
            began = time.perf_counter()
            kind(next(numbers))
            milliseconds.append((time.perf_counter() - began) * 1000)
    return percentile(spent[render], 0.5), percentile(spent[bare_page], 0.5)


def _a_second(render: Render, numbers: count[int], times: int) -> float:
    threads = os.cpu_count() or 1
    wanted = [next(numbers) for _ in range(times * threads)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(render, wanted[: WARM_UP * threads]))
        began = time.perf_counter()
        list(pool.map(render, wanted))
        return len(wanted) / (time.perf_counter() - began)


def _bare_page() -> Render:
    compilers: LifoQueue[typst.Compiler] = LifoQueue()
    for _ in range(os.cpu_count() or 1):
        compilers.put(typst.Compiler(BARE, root=BARE.parent, font_paths=typeset.fonts()))

    def render(number: int) -> bytes:
        compiler = compilers.get()
        pdf = compiler.compile(format="pdf", sys_inputs={"number": str(number)}, pdf_standards=typeset.STANDARDS)
        compilers.put(compiler)
        assert isinstance(pdf, bytes)
        return pdf

    return render


def _letter(kind: MessageKind, language: Language, number: int) -> bytes:
    content = LetterContent(
        recipient_lines=(f"MADAME CAMILLE MARTIN{number}", "14 RUE DES LILAS", "34200 SETE"),
        first_name="Camille",
        last_name=f"Martin{number}",
        civility="Madame",
        employer=f"Hôtel {number}",
        city="Sète",
        web_address="entreprise.example/courrier",
        code="A7K3-9QXT-M2PD-H4RZ8",
        qr_link=f"https://entreprise.example/e/Yk3vQm9ZrT1cXw8LpD2sNf{number}",
        deadline=date(2026, 5, 12),
        missing=("rib", "school_certificate:k1"),
        names={"k1": f"Alix{number}"},
        language=language,
        reference=_reference(number),
        sent_on=date(2026, 3, 13),
    )
    return render_letter(kind, content, _form(number))


def _form(number: int) -> FormContent:
    return FormContent(
        reference=_reference(number),
        civility="Madame",
        last_name=f"Martin{number}",
        birth_name=f"Martin{number}",
        first_name="Camille",
        birth_date=date(1992, 3, 10),
        nir=f"2920334{number % 10**8:08}",
        scheme="general",
        address=f"{number} rue des Lilas",
        postal_code="34200",
        city="Sète",
        employer=f"Hôtel {number}",
        siret="73282932000074",
        hire_date=date(2026, 3, 1),
        status="non_cadre",
        children=(FormDependant(f"Martin{number}", "Alix", date(2019, 8, 30)),),
    )


def _receipt(number: int) -> bytes:
    moment = datetime(2026, 3, 13, 13, 2, tzinfo=UTC)
    return render_receipt(
        ReceiptContent(
            language=Language.pt,
            reference=_reference(number),
            first_name="Camille",
            last_name=f"Martin{number}",
            employer=f"Hôtel {number}",
            city="Sète",
            received_at=moment,
            channel="online",
            outcome=CoverageOutcome("BASE CCN HCR NC DUO RG", date(2026, 3, 1), 5900, 1),
            received=("rib",),
            missing=("school_certificate:k1",),
            names={"k1": f"Alix{number}"},
            deadline=date(2026, 5, 12),
            signature=Signature(f"Camille Martin{number}", moment, "2026-11"),
        )
    )


def _reference(number: int) -> str:
    return f"0F3A 77C2 {number:04X}"
