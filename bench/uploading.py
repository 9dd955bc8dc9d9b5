"""How long a phone's photo takes to be received, made harmless, looked at and kept; beside reading and writing it."""

from __future__ import annotations

import asyncio
import io
import time
from datetime import UTC, datetime
from statistics import median

from PIL import Image, ImageChops

from bench.employee import PATH, Employee, invited
from bench.people import declarations
from bench.report import Figure, percentile
from bench.stack import Stack, running
from bench.wire import Wire
from local import demo_documents

PIECE = "social_security_certificate"
PHOTO_SIZE = (3000, 4000)
PHOTO_BYTES = 5_000_000
GRAIN = 10  # levels
BOUNDARY = "bench-7f3a9c"


async def measure(stack: Stack, *, times: int = 12) -> list[Figure]:
    """Sent by one employee, one after the other; each is taken back, since nobody may send so many."""
    connection = await stack.database()
    bodies = declarations(stack.siret)
    taken, floors, ratios = [], [], []
    async with running(stack.worker()), running(stack.api()), invited(stack, connection, bodies) as employee:
        await employee.save()
        photo = await asyncio.to_thread(_photo, employee)
        wire = await Wire.open(stack.api_port)
        for number in range(times + 1):
            floor = await asyncio.to_thread(_read_and_write, photo)
            seconds = await _upload(wire, employee, photo)
            if number:  # the first one warms
                taken.append(seconds)
                floors.append(floor)
                ratios.append(seconds / floor)
        wire.close()
    await connection.close()
    return [
        Figure("the photo", len(photo) / 1e6, "MB"),
        Figure("bare floor: read and written by Pillow, p50", percentile(floors, 0.5), "s"),
        Figure("photo taken in and checked, p50", percentile(taken, 0.5), "s"),
        Figure("photo taken in and checked, p95", percentile(taken, 0.95), "s", 2),
        Figure("ratio (median)", median(ratios), "×"),
    ]


async def _upload(wire: Wire, employee: Employee, photo: bytes) -> float:
    headers = {**employee.headers, "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    began = time.perf_counter()
    status, content = await wire.send("POST", f"{PATH}/documents", headers, _multipart(photo))
    seconds = time.perf_counter() - began
    if status != 201:
        raise RuntimeError(f"{status} {content!r}")
    [document] = (await employee.http.get(f"{PATH}/documents")).raise_for_status().json()["items"]
    (await employee.http.delete(f"{PATH}/documents/{document['id']}")).raise_for_status()
    return seconds


def _multipart(photo: bytes) -> bytes:
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="piece"\r\n\r\n{PIECE}\r\n'
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="photo.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    return head.encode() + photo + f"\r\n--{BOUNDARY}--\r\n".encode()


def _photo(employee: Employee) -> bytes:
    """A certificate as a camera of 12 megapixels sees it, its grain included: some five megabytes."""
    answers = employee.answers
    holder, today = answers["account_holder"], datetime.now(UTC).date()
    seen = demo_documents.picture(demo_documents.certificate(answers["nir"], holder, on=today), PHOTO_SIZE)
    grain = Image.merge("RGB", [Image.effect_noise(PHOTO_SIZE, GRAIN) for _ in range(3)])
    grainy = ImageChops.add(seen.point(lambda level: level * 4 // 5), grain, offset=-128)
    for quality in range(95, 60, -1):
        out = io.BytesIO()
        grainy.save(out, "JPEG", quality=quality)
        if out.tell() <= PHOTO_BYTES:
            return out.getvalue()
    raise AssertionError("a photo of five megabytes")


def _read_and_write(photo: bytes) -> float:
    began = time.perf_counter()
    with Image.open(io.BytesIO(photo)) as image:
        image.convert("RGB").save(io.BytesIO(), "JPEG", quality=85)
    return time.perf_counter() - began
