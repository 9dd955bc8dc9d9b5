"""`python -m bench [--only NAME …] [--rows N]`: every figure with its target. Nothing is asserted."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from bench import (
    arriving,
    assistant,
    declaring,
    documents,
    drafting,
    dsn,
    export,
    importing,
    insured,
    life,
    lists,
    login,
    memory,
    pages,
    starting,
    uploading,
)
from bench.report import Figure, show, write
from bench.stack import Stack, open_stack

Measure = Callable[[Stack], Awaitable[list[Figure]]]


def measurements(rows: int) -> dict[str, tuple[str, Measure]]:
    """Each on a stack of its own; in the order of their weight."""
    return {
        "life": ("A whole life on Temporal", life.measure),
        "arriving": ("From the employer's click to the mailbox, idle", arriving.measure),
        "declaring": ("Declaring people, beside the bare floor", declaring.measure),
        "drafting": ("One answer of the form kept, beside a bare UPDATE", drafting.measure),
        "uploading": ("A phone's photo of 12 megapixels, beside reading and writing it", uploading.measure),
        "login": ("Signing in, knowing who asks, and a flood of wrong passwords", login.measure),
        "memory": ("The worker's cache of open affiliations", memory.measure),
        "documents": ("Letters, forms and receipts as PDF, beside a bare page", lambda stack: documents.measure()),
        "starting": ("make run", lambda stack: starting.measure()),
        "pages": ("The signed-in pages, a million affiliations", pages.measure),
        "insured": ("« Mes salariés affiliés », a million insured persons", insured.measure),
        "assistant": ("The assistant, 160 questions as people type them", assistant.measure),
        "dsn": ("A DSN file of 100 MB read, matched and recorded", dsn.measure),
        "importing": ("A bulk import of 10,000 rows, and what another company notices", importing.measure),
        "export": ("« Exporter », 100,000 insured persons, beside a bare openpyxl loop", export.measure),
        "lists": (f"Lists, {rows:,} affiliations", lambda stack: lists.measure(stack, rows=rows)),
    }


async def run(only: list[str], rows: int) -> None:
    began = datetime.now(UTC)
    figures: list[Figure] = []
    for name, (title, measure) in measurements(rows).items():
        if not only or name in only:
            async with open_stack() as stack:
                measured = await measure(stack)
            show(title, measured)
            figures += measured
    print(f"\nkept in {write(figures, began)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--only", nargs="*", default=[], choices=list(measurements(0)), help="some measurements")
    parser.add_argument("--rows", type=int, default=100_000, help="affiliations in the lists, up to 1,000,000")
    chosen = parser.parse_args()
    asyncio.run(run(chosen.only, chosen.rows))


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # as worker.py: the interpreter's own exit can crash in the SDK's threads
