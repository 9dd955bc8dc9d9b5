"""The vault over S3's protocol: a stand-in that knows the four calls which it makes."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateways.encryption import FieldCipher
from gateways.files.storage import FileMissing, FileVault, StorageUnavailable, open_store
from tests.standins.server import Standin

CONTENT = b"the account of Camille Martin " * 1000


class S3Standin(Standin):
    """One bucket, `files`."""

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[str, bytes] = {}

    def routes(self) -> Iterable[BaseRoute]:
        yield Route("/files", self._list, methods=["GET"])
        yield Route("/files", self._delete, methods=["POST"])
        yield Route("/files/{key:path}", self._object, methods=["GET", "PUT"])

    async def _object(self, request: Request) -> Response:
        key = request.path_params["key"]
        if request.method == "PUT":
            if request.headers.get("if-none-match") == "*" and key in self.objects:
                return Response(status_code=412)
            self.objects[key] = await request.body()
            return Response(headers={"ETag": '"1"'})
        if key not in self.objects:
            return Response("<Error><Code>NoSuchKey</Code></Error>", status_code=404)
        headers = {"ETag": '"1"', "Last-Modified": "Mon, 23 Nov 2026 10:00:00 GMT"}
        return Response(self.objects[key], headers=headers)

    async def _delete(self, request: Request) -> Response:
        assert "delete" in request.query_params
        keys = re.findall(r"<Key>(.*?)</Key>", (await request.body()).decode())
        for key in keys:
            self.objects.pop(key, None)
        deleted = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
        return Response(f"<DeleteResult>{deleted}</DeleteResult>", media_type="application/xml")

    async def _list(self, request: Request) -> Response:
        prefix = request.query_params.get("prefix", "")
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2026-11-23T10:00:00.000Z</LastModified>"
            f'<ETag>"1"</ETag><Size>{len(content)}</Size></Contents>'
            for key, content in self.objects.items()
            if key.startswith(prefix)
        )
        return Response(
            f"<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>",
            media_type="application/xml",
        )


@pytest.fixture
def s3() -> Iterator[S3Standin]:
    with S3Standin() as standin:
        yield standin


@pytest.fixture
def vault(s3: S3Standin, monkeypatch: pytest.MonkeyPatch) -> FileVault:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIADEMO")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "demo")
    field, index, link = (base64.b64encode(hashlib.sha256(seed).digest()).decode() for seed in (b"1", b"2", b"3"))
    return FileVault(open_store("s3://files/documents"), FieldCipher(f"1:{field}", index, link), timeout_seconds=2)


async def test_a_file_s_life(vault: FileVault, s3: S3Standin) -> None:
    stored = await vault.put(CONTENT, "row-1")
    assert list(s3.objects) == [f"documents/{stored.object_key}"]
    assert b"Camille" not in s3.objects[f"documents/{stored.object_key}"]
    assert await vault.get(stored.object_key, stored.data_key_sealed, stored.sha256, "row-1") == CONTENT
    assert [found.object_key async for found in vault.list()] == [stored.object_key]
    await vault.delete(stored.object_key)
    await vault.delete(stored.object_key)
    assert s3.objects == {}
    with pytest.raises(FileMissing):
        await vault.get(stored.object_key, stored.data_key_sealed, stored.sha256, "row-1")


async def test_credentials_come_from_the_environment_and_nothing_is_overwritten(
    vault: FileVault, s3: S3Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateways.files.storage.new_object_key", lambda: "aa/same")
    await vault.put(CONTENT, "row-1")
    written = dict(s3.objects)
    with pytest.raises(StorageUnavailable):
        await vault.put(b"other", "row-2")
    assert s3.objects == written
    assert all("AKIADEMO" in call.headers["authorization"] for call in s3.calls)


@pytest.mark.parametrize("status", [403, 500, 503])
async def test_an_ill_bucket(vault: FileVault, s3: S3Standin, status: int) -> None:
    stored = await vault.put(CONTENT, "row-1")
    s3.fail_next(status, times=1000)
    for call in (
        vault.put(CONTENT, "row-2"),
        vault.get(stored.object_key, stored.data_key_sealed, stored.sha256, "row-1"),
        vault.delete(stored.object_key),
    ):
        with pytest.raises(StorageUnavailable):
            await call


async def test_nobody_answers(vault: FileVault, s3: S3Standin) -> None:
    s3.down()
    with pytest.raises(StorageUnavailable):
        await vault.put(CONTENT, "row-1")
    s3.up()
    await vault.put(CONTENT, "row-1")
