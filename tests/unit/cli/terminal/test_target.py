from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from squall.cli.terminal.target import DEFAULT_URL, Holder, Target, lock_holder, read_server_info
from squall.core.errors import ConfigError


@contextmanager
def held(directory: Path, pid: str = "4242", url: str | None = "http://127.0.0.1:7777") -> Iterator[None]:
    """A data directory as a running server holds it."""
    with (directory / "server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(pid)
        lock.flush()
        if url:
            (directory / "server.json").write_text(json.dumps({"pid": 4242, "url": url}))
        yield


def target(tmp_path: Path, *, url: str | None = None, data_dir: str | None = None, **environ: str) -> Target:
    return Target(url, data_dir, False, {"HOME": str(tmp_path), **environ})


def test_the_first_thing_that_names_a_server_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    directory = str(tmp_path)
    with held(tmp_path):
        every = {"SQUALL_URL": "http://b", "ST2_API_URL": "http://c/v1", "SQUALL_DATA_DIR": directory}
        assert target(tmp_path, url="http://a", data_dir=directory, **every).find_url() == "http://a"
        assert target(tmp_path, data_dir=directory, **every).find_url() == "http://127.0.0.1:7777"
        assert target(tmp_path, **every).find_url() == "http://b"
        del every["SQUALL_URL"]
        assert target(tmp_path, **every).find_url() == "http://c/v1"
        del every["ST2_API_URL"]
        assert target(tmp_path, **every).find_url() == "http://127.0.0.1:7777"
    assert target(tmp_path).find_url() == DEFAULT_URL


@pytest.mark.parametrize("by_option", [True, False])
def test_a_named_directory_without_a_server_never_means_another_server(tmp_path: Path, by_option: bool) -> None:
    (tmp_path / "server.json").write_text('{"url": "http://127.0.0.1:1"}')
    named = target(tmp_path, data_dir=str(tmp_path)) if by_option else target(tmp_path, SQUALL_DATA_DIR=str(tmp_path))
    with pytest.raises(ConfigError, match=rf"no server runs in {tmp_path}: start one with `squall serve"):
        named.find_url()


def test_a_server_is_known_by_its_lock_and_not_by_its_files(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text('{"pid": 1, "url": "http://127.0.0.1:1"}')
    (tmp_path / "server.lock").write_text("4242")
    assert Holder.of(tmp_path) is None
    with held(tmp_path):
        assert Holder.of(tmp_path) == Holder(4242, {"pid": 4242, "url": "http://127.0.0.1:7777"})
    assert Holder.of(tmp_path) is None


@pytest.mark.parametrize("text", ["", "nonsense", "0", "1", "-5"])
def test_a_lock_that_names_nobody_is_held_all_the_same(tmp_path: Path, text: str) -> None:
    with held(tmp_path, pid=text, url=None):
        assert lock_holder(tmp_path) == 0
        assert Holder.of(tmp_path) == Holder(None, {})


def test_looking_does_not_keep_a_server_from_starting(tmp_path: Path) -> None:
    (tmp_path / "server.lock").write_text("")
    assert lock_holder(tmp_path) is None
    with (tmp_path / "server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_a_broken_server_file_tells_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "server.json").write_bytes(content)
    assert read_server_info(tmp_path) == {}


def test_a_directory_that_is_not_there_has_no_server(tmp_path: Path) -> None:
    assert Holder.of(tmp_path / "nope") is None


def test_a_lock_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"cannot read .*file/server.lock: Not a directory"):
        lock_holder(tmp_path / "file")
