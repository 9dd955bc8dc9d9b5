import base64
import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from local.errors import LocalError
from local.secrets import load_or_create


def test_secrets_are_made_once_and_kept_for_their_owner_only(tmp_path: Path) -> None:
    first = load_or_create(tmp_path)

    assert load_or_create(tmp_path) == first
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert first.owner_password != first.app_password != first.postgres_password


def test_keys_are_32_random_bytes_in_base64(tmp_path: Path) -> None:
    secrets = load_or_create(tmp_path)

    version, key = secrets.field_keys.split(":")
    assert version == "1"
    texts = (key, secrets.blind_index_key, secrets.link_key, secrets.password_pepper)
    keys = [base64.b64decode(text) for text in texts]
    assert [len(key) for key in keys] == [32, 32, 32, 32]
    assert len(set(keys)) == 4


def test_a_secret_is_not_shown_when_the_object_is_printed(tmp_path: Path) -> None:
    secrets = load_or_create(tmp_path)

    assert secrets.link_key not in repr(secrets)


def test_a_file_older_than_the_users_passwords_gets_their_pepper_and_keeps_its_keys(tmp_path: Path) -> None:
    first = load_or_create(tmp_path)
    older = asdict(first)
    del older["password_pepper"]
    (tmp_path / "secrets.json").write_text(json.dumps(older))

    read = load_or_create(tmp_path, may_create=False)

    assert read == load_or_create(tmp_path)
    assert read == replace(first, password_pepper=read.password_pepper)
    assert read.password_pepper != first.password_pepper
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_rights_opened_by_a_copy_are_closed_again(tmp_path: Path) -> None:
    load_or_create(tmp_path)
    (tmp_path / "secrets.json").chmod(0o644)

    load_or_create(tmp_path)

    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_new_keys_are_refused_when_data_exist_that_they_could_not_read(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="missing although there are data"):
        load_or_create(tmp_path, may_create=False)


@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps({"field_keys": "1:x"})])
def test_a_damaged_file_is_a_message_and_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(text)

    with pytest.raises(LocalError, match="cannot be read"):
        load_or_create(tmp_path)

    assert path.read_text() == text
