from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from squall.core.errors import ConfigError
from squall.core.ids import is_id
from squall.server import datadir


def test_a_directory_is_made_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "above" / "data"
    datadir.prepare(path)
    datadir.prepare(path)
    assert path.stat().st_mode & 0o777 == 0o700
    assert {child.name for child in path.iterdir()} == {"journals", "logs"}
    assert all(child.stat().st_mode & 0o777 == 0o700 for child in path.iterdir())


def test_what_cannot_be_a_directory_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigError, match="--data-dir"):
            datadir.prepare(path)


def test_it_is_held_once_and_names_its_holder(tmp_path: Path) -> None:
    with datadir.lock(tmp_path):
        assert (tmp_path / "server.lock").read_text() == f"{os.getpid()}\n"
        with pytest.raises(ConfigError, match=rf"pid {os.getpid()}\)"), datadir.lock(tmp_path):
            pass
        (tmp_path / "server.json").write_text('{"url": "http://127.0.0.1:7"}')
        with pytest.raises(ConfigError, match=r"at http://127\.0\.0\.1:7"), datadir.lock(tmp_path):
            pass
    with datadir.lock(tmp_path):
        pass
    assert (tmp_path / "server.lock").read_text() == ""


def test_it_is_given_back_when_the_holder_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), datadir.lock(tmp_path):
        raise RuntimeError
    with datadir.lock(tmp_path):
        pass


def test_the_lock_is_for_its_owner_only(tmp_path: Path) -> None:
    with datadir.lock(tmp_path):
        assert (tmp_path / "server.lock").stat().st_mode & 0o777 == 0o600


def test_what_is_told_is_there_for_as_long_as_the_server(tmp_path: Path) -> None:
    file = tmp_path / "server.json"
    with datadir.announce(tmp_path, {"pid": 7}):
        assert json.loads(file.read_text()) == {"pid": 7}
        assert file.stat().st_mode & 0o777 == 0o600
        assert [path.name for path in tmp_path.iterdir()] == ["server.json"]
    assert not file.exists()


def test_what_an_earlier_server_left_behind_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text('{"pid": 1, "and": "much longer than what follows"}')
    with datadir.announce(tmp_path, {"pid": 2}):
        assert json.loads((tmp_path / "server.json").read_text()) == {"pid": 2}


def test_the_server_of_a_directory_keeps_its_identity(tmp_path: Path) -> None:
    first = datadir.identity(tmp_path)
    assert is_id(first)
    assert datadir.identity(tmp_path) == first
    assert (tmp_path / "server.id").stat().st_mode & 0o777 == 0o600
    (tmp_path / "other").mkdir()
    assert datadir.identity(tmp_path / "other") != first


@pytest.mark.parametrize("content", [b"", b"../../x", b"\xff", b"abc"])
def test_a_damaged_identity_is_made_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "server.id").write_bytes(content)
    assert is_id(identity := datadir.identity(tmp_path))
    assert datadir.identity(tmp_path) == identity


def test_where_no_identity_can_be_kept_there_is_one_all_the_same(tmp_path: Path) -> None:
    assert is_id(datadir.identity(tmp_path / "missing"))


@pytest.mark.parametrize("name", ["server.lock", "server.id", "boot.id", "secret.key", "squall.db", "logs/server.log"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_should_be_a_file_and_is_none_stops_the_start_with_what_to_do(
    tmp_path: Path, name: str, make: Callable[[Path], None]
) -> None:
    datadir.prepare(tmp_path)
    make(tmp_path / name)
    with pytest.raises(ConfigError, match=rf"{name} is not a regular file\. Move it away"):
        datadir.prepare(tmp_path)


@pytest.mark.parametrize("name", ["journals", "keepers"])
def test_what_should_be_a_folder_and_is_none_stops_the_start_with_what_to_do(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("")
    with pytest.raises(ConfigError, match=f"{name} is not a folder"):
        datadir.prepare(tmp_path)
