"""`make tour`: a newcomer's way through a system of its own, started for it; what is seen goes to `docs/tour/`."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.async_api import async_playwright

from local.ports import free_ports
from local.processes import Child
from settings import ROOT
from tests.tour.walk import Camera, Newcomer, Space

FOLDER = ROOT / "docs" / "tour"
START_SECONDS = 120.0
PORTS = ("API_PORT", "LOCAL_TEMPORAL_PORT", "LOCAL_TEMPORAL_UI_PORT", "WORKER_METRICS_PORT", "WORKER_SDK_METRICS_PORT")


async def tour() -> None:
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    if browser_path is None:
        sys.exit("No browser: `make browser` installs one.")
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.png"):
        old.unlink()
    with tempfile.TemporaryDirectory(prefix="tour-") as directory:
        ports = {name: str(port) for name, port in zip(PORTS, free_ports(len(PORTS)), strict=True)}
        log = Path(directory) / "run.log"
        system = Child(
            "the system",
            [sys.executable, "-m", "local", "run"],
            log=log,
            environment={**os.environ, **ports, "LOCAL_DIR": str(Path(directory) / "data")},
            directory=ROOT,
            stop_seconds=60,
        )

        async def announced() -> bool:
            return "Ctrl-C stops it" in log.read_text(encoding="utf-8", errors="replace")

        try:
            await system.start()
            await system.until_ready(announced, seconds=START_SECONDS)
            offered = re.search(r"Activate +\S+ with SIRET (\d+), identifiant (\S+)", log.read_text(encoding="utf-8"))
            assert offered, "make run says what a space is activated with"
            space = Space(offered[1], offered[2], "noe.garnier@example.fr")
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
                camera = Camera(FOLDER)
                await Newcomer(browser, f"http://127.0.0.1:{ports['API_PORT']}", camera).tell(space)
                await browser.close()
        finally:
            await system.stop()
    print(f"{len(camera.seen)} pictures in {FOLDER.relative_to(ROOT)}/, shown by docs/tour.md")


if __name__ == "__main__":
    asyncio.run(tour())
