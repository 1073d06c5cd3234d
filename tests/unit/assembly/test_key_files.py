"""Key files that a server accepts, and those that it refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from squall.adapters.sql.key_checks import KeyChecks
from squall.adapters.sql.sqlite import SqliteStore, open_store
from squall.assembly import key_files
from squall.config import Settings, load
from squall.core.access.secret import Sealed
from squall.core.content.keyvalue import Key
from squall.core.errors import KeyFileError
from squall.testing.samples import sample_execution

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = open_store(tmp_path / "squall.db", backup_suffix=".old")
    yield opened
    await opened.close()


def settings(home: Path) -> Settings:
    return load({"server.data_dir": str(home)}, {"HOME": str(home)}).settings


async def keep_secrets(store: SqliteStore, home: Path) -> None:
    """Stores a sealed parameter, and a secret key of the datastore."""
    sealed = Sealed(key_files.vault(settings(home)).seal("hunter2"))
    await store.tx(lambda tx: tx.executions.insert(sample_execution(1, parameters={"password": sealed})))
    value = key_files.cipher(settings(home)).encrypt("s3cret")
    await store.tx(
        lambda tx: tx.keys.put(Key(id="1" * 24, scope="system", user="", name="token", value=value, secret=True))
    )


def both(home: Path) -> None:
    """Opens both key files as a start does."""
    key_files.vault(settings(home))
    key_files.cipher(settings(home))


NAMES = ["secret.key", "datastore.key.json"]


async def test_a_new_data_directory_gets_a_key_and_its_check_value(store: SqliteStore, tmp_path: Path) -> None:
    vault = key_files.vault(settings(tmp_path))
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600
    assert KeyChecks(tmp_path / "squall.db").value("secret.key") == vault.fingerprint
    assert vault.fingerprint not in (tmp_path / "secret.key").read_text()
    both(tmp_path)


@pytest.mark.parametrize("checked", [True, False], ids=["checked", "of an older version"])
@pytest.mark.parametrize("name", NAMES)
async def test_a_missing_key_file_stops_the_start_and_is_not_made_anew(
    store: SqliteStore, tmp_path: Path, name: str, checked: bool
) -> None:
    await keep_secrets(store, tmp_path)
    if checked:
        both(tmp_path)
    else:
        KeyChecks(tmp_path / "squall.db").forget(name)
    (tmp_path / name).rename(tmp_path / "away")
    with pytest.raises(KeyFileError, match=rf"{tmp_path}/{name} is missing, .*: restore the file from a backup"):
        both(tmp_path)
    assert not (tmp_path / name).exists()
    (tmp_path / "away").rename(tmp_path / name)
    both(tmp_path)


@pytest.mark.parametrize("checked", [True, False], ids=["checked", "of an older version"])
@pytest.mark.parametrize("name", NAMES)
async def test_another_key_stops_the_start(store: SqliteStore, tmp_path: Path, name: str, checked: bool) -> None:
    await keep_secrets(store, tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    other_store = open_store(other / "squall.db", backup_suffix=".old")
    await keep_secrets(other_store, other)
    await other_store.close()
    if checked:
        both(tmp_path)
    else:
        KeyChecks(tmp_path / "squall.db").forget(name)
    (other / name).replace(tmp_path / name)
    with pytest.raises(KeyFileError, match=rf"{tmp_path}/{name} is another one .*: restore the right file"):
        both(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no key"])
@pytest.mark.parametrize("name", NAMES)
async def test_an_empty_or_damaged_key_file_stops_the_start(
    store: SqliteStore, tmp_path: Path, name: str, content: bytes
) -> None:
    await keep_secrets(store, tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(KeyFileError, match=f"{tmp_path}/{name} .*[Rr]estore it"):
        both(tmp_path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o602])
@pytest.mark.parametrize("name", NAMES)
async def test_a_key_file_that_others_can_read_stops_the_start(
    store: SqliteStore, tmp_path: Path, name: str, mode: int
) -> None:
    await keep_secrets(store, tmp_path)
    (tmp_path / name).chmod(mode)
    with pytest.raises(KeyFileError, match=f"mode {mode:04o}.*: run chmod 600 {tmp_path}/{name}"):
        both(tmp_path)
    (tmp_path / name).chmod(0o600)
    both(tmp_path)


@pytest.mark.parametrize("name", NAMES)
async def test_an_older_data_directory_gets_a_check_value_from_the_key_that_opens_what_is_stored(
    store: SqliteStore, tmp_path: Path, name: str
) -> None:
    await keep_secrets(store, tmp_path)
    both(tmp_path)
    checks = KeyChecks(tmp_path / "squall.db")
    value = checks.value(name)
    checks.forget(name)
    both(tmp_path)
    assert checks.value(name) == value is not None


async def test_restoring_without_keys_forgets_only_the_check_values_of_keys_that_nothing_needs(
    store: SqliteStore, tmp_path: Path
) -> None:
    both(tmp_path)
    checks = KeyChecks(tmp_path / "squall.db")
    key_files.forget_unused(tmp_path)
    assert checks.value("secret.key") is None
    await keep_secrets(store, tmp_path)
    both(tmp_path)
    key_files.forget_unused(tmp_path)
    assert None not in [checks.value(name) for name in NAMES]
