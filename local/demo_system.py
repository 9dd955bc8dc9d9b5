"""The system that the demonstration uses: the one that runs, or one started around it; and what is asked of it."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from temporalio.client import Client

from local.demo_page import Page, seconds_in_words
from local.demo_register import KEYS_FILE, Keys, read_keys
from local.errors import LocalError
from local.lock import is_held
from local.ports import http_status, reachable
from local.processes import Child
from local.temporal import HOST
from settings import ROOT, Settings

WAIT_SECONDS = 20.0  # for any one thing that is told
START_SECONDS = 90.0

_FALL = " ended ("  # as the supervisor tells it


class DemoFailed(LocalError):
    """Something did not happen as told."""


@asynccontextmanager
async def running_system(settings: Settings, page: Page) -> AsyncIterator[str]:
    """The address of the running system; where none runs, one is started around the story. Raises LocalError."""
    host = reachable(settings.api_host)
    base = f"http://{host}:{settings.api_port}"
    directory = settings.local_dir.resolve()

    async def ready() -> bool:
        return await http_status(host, settings.api_port, "/health/ready") == 200

    if await ready() or is_held(directory):  # held: another terminal is starting it
        await until(ready, "Le système démarré dans un autre terminal ne répond pas", START_SECONDS)
        yield base
        return
    began = time.monotonic()
    page.aside("Le système n’est pas encore démarré : je le lance le temps de l’histoire.")
    with tempfile.TemporaryDirectory(prefix="demo-") as logs:
        log = Path(logs) / "run.log"
        system = Child(
            "le système",
            [sys.executable, "-m", "local", "run"],
            log=log,
            environment=os.environ,
            directory=ROOT,
            stop_seconds=60,
        )

        async def announced() -> bool:
            return "Ctrl-C stops it" in log.read_text(encoding="utf-8", errors="replace")

        try:
            await system.start()
            await system.until_ready(announced, seconds=START_SECONDS)
            page.aside(f"Prêt en {seconds_in_words(time.monotonic() - began)}.")
            yield base
            page.aside("J’arrête le système. Pour le garder ouvert et regarder ce dossier : make run")
        except (DemoFailed, httpx2.HTTPError):
            for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
                if _FALL in line:  # a part that fell is the likely reason, and its log is gone with the next line
                    page.aside(line)
            raise
        finally:
            await system.stop()


async def demo_keys(settings: Settings, base: str) -> Keys:
    """The keys that the running system knows; it may just be learning them."""
    path = settings.local_dir / KEYS_FILE

    async def known() -> Keys | None:
        keys = read_keys(path)
        if keys is None:
            if is_held(settings.local_dir.resolve()):
                return None
            raise DemoFailed(f"Le système qui répond sur {base} n’est pas celui de {settings.local_dir.resolve()}.")
        async with http(base, keys.employer) as employer, http(base, keys.staff) as staff:
            answers = await employer.get("/api/v1/companies"), await staff.get("/api/v1/staff/desk")
        return keys if all(answer.status_code == 200 for answer in answers) else None

    keys: Keys = await until(known, f"Le système de {base} ne connaît pas les clés de {path}", 10)
    return keys


async def temporal_client(settings: Settings) -> Client:
    address = settings.temporal_address or f"{HOST}:{settings.local_temporal_port}"
    try:
        return await Client.connect(address, namespace=settings.temporal_namespace)
    except RuntimeError as error:
        raise DemoFailed(f"Temporal ne répond pas à l’adresse {address} : {error}") from None


def http(base: str, key: str | None = None) -> httpx2.AsyncClient:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx2.AsyncClient(base_url=base, headers=headers, timeout=WAIT_SECONDS)


async def until(holds: Callable[[], Awaitable[Any]], otherwise: str, seconds: float = WAIT_SECONDS) -> Any:
    """The first answer of `holds` that is not falsy. Raises DemoFailed."""
    deadline = time.monotonic() + seconds
    while not (found := await holds()):
        if time.monotonic() > deadline:
            raise DemoFailed(f"{otherwise[0].upper()}{otherwise[1:]}, après {seconds:.0f} secondes d’attente.")
        await asyncio.sleep(0.04)
    return found


def answered(answer: httpx2.Response, status: int) -> Any:
    """The JSON of an answer. Raises DemoFailed with the problem's own words."""
    if answer.status_code == status:
        return answer.json()
    try:
        problem = answer.json()
        said = f"{problem['title']}. {problem.get('detail', '')}".strip()
    except (ValueError, KeyError, TypeError):
        said = answer.text[:200]
    raise DemoFailed(f"{answer.request.method} {answer.request.url.path} : {answer.status_code}. {said}")


def check(holds: bool, otherwise: str) -> None:
    """Raises DemoFailed."""
    if not holds:
        raise DemoFailed(otherwise[0].upper() + otherwise[1:] + ".")
