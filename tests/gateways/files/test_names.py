from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateways.files.names import MAX_CHARACTERS, content_disposition, extension_of, safe_name, stored_name


@pytest.mark.parametrize(
    ("given_name", "safe"),
    [
        ("RIB.pdf", "RIB.pdf"),
        ("Attestation d'Aliénor.PDF", "Attestation d’Aliénor.PDF"),
        ("Aline\u0301.jpg", "Aliné.jpg"),
        ("../../etc/passwd", "passwd"),
        (r"C:\Users\moi\rib.pdf", "rib.pdf"),
        ("rib\r\nSet-Cookie: a=b.pdf", "ribSet-Cookie a=b.pdf"),
        ("rib\0.pdf", "rib.pdf"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ('a"b`<i>.pdf', "abi.pdf"),
        ("\u200b\ufeff.pdf", "fichier.pdf"),
        (".htaccess", "htaccess"),
        ("", "fichier"),
        ("..", "fichier"),
        ("a/", "fichier"),
        ("   a \u00a0 b  .pdf", "a b.pdf"),
        ("rib.pdf. . ", "rib.pdf"),
        ("\ud800.png", "fichier.png"),
        ("x" * 300 + ".heic", "x" * 95 + ".heic"),
        ("a" * 300, "a" * 100),
    ],
)
def test_safe_names(given_name: str, safe: str) -> None:
    assert safe_name(given_name) == safe


@given(st.text(st.characters(), max_size=200))
@example("a.b.c" * 60)
@example("é\u200d\u0301" * 120)
@example("\u1fef.\u037e\u212a")
def test_whatever_the_name(name: str) -> None:
    safe = safe_name(name)
    assert 1 <= len(safe) <= MAX_CHARACTERS
    assert unicodedata.is_normalized("NFC", safe)
    assert not set(safe) & set("\"'`<>|:*?\\/\r\n\t\0")
    assert not any(unicodedata.category(character).startswith("C") for character in safe)
    assert safe[0] not in ". "
    assert safe[-1] not in ". "
    assert safe_name(safe) == safe
    assert safe.encode().decode() == safe


@given(st.text(st.characters(), max_size=60))
def test_the_header_is_one_ascii_token(name: str) -> None:
    header = content_disposition(name)
    assert header.isascii()
    assert header.startswith("attachment; filename*=UTF-8''")
    assert not set(header.removeprefix("attachment; filename*=UTF-8''")) & set("\"';, \r\n()<>@:\\/[]?={}")


def test_the_header_of_a_french_name() -> None:
    assert content_disposition("Relevé d'été.pdf") == (
        "attachment; filename*=UTF-8''Relev%C3%A9%20d%E2%80%99%C3%A9t%C3%A9.pdf"
    )


@pytest.mark.parametrize(
    ("given_name", "stored"),
    [
        ("photo.HEIC", "photo.jpg"),
        ("photo.png", "photo.jpg"),
        ("photo.JPEG", "photo.JPEG"),
        ("photo.jpg", "photo.jpg"),
        ("sans extension", "sans extension.jpg"),
        ("y" * 200, "y" * 96 + ".jpg"),
    ],
)
def test_the_stored_name_says_what_is_stored(given_name: str, stored: str) -> None:
    assert stored_name(given_name, "image/jpeg") == stored


def test_extensions() -> None:
    assert extension_of("a.tar.gz") == "gz"
    assert extension_of("M. Dupont") == ""
    assert stored_name("rib.jpg", "application/pdf") == "rib.pdf"
