from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from squall.adapters import htpasswd, reading
from squall.adapters.cipher import KeyFileCipher
from squall.adapters.packs.document import read_yaml, repeated_keys
from squall.adapters.packs.texts import Texts
from squall.adapters.runners.ssh.keys import ACCEPT_NEW, HostKeys
from squall.adapters.vault import KeyFileVault
from squall.commands.copies import digest
from squall.commands.restore import read_manifest
from squall.config.loading import load
from squall.core.errors import SquallError


def bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def link_to_an_endless_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


UNREADABLE = pytest.mark.parametrize("make", [os.mkfifo, bind, link_to_an_endless_device])


@UNREADABLE
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(path := tmp_path / "file")
    for read in (reading.read_bytes, reading.read_text):
        with pytest.raises(OSError, match="it is not a regular file") as error:
            read(path)
        assert (error.value.strerror, error.value.filename) == ("it is not a regular file", str(path))


def test_a_folder_and_a_missing_file_have_the_errors_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        reading.read_bytes(tmp_path)
    with pytest.raises(FileNotFoundError):
        reading.read_bytes(tmp_path / "missing")


def test_files_links_and_the_null_device_are_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes("Zürich\r\n".encode())
    (tmp_path / "link").symlink_to("file")
    assert reading.read_bytes(tmp_path / "link") == "Zürich\r\n".encode()
    assert reading.read_text(tmp_path / "link") == "Zürich\n"
    assert reading.read_bytes(Path(os.devnull)) == b""


@UNREADABLE
@pytest.mark.parametrize(
    "read",
    [
        htpasswd.read,
        lambda path: htpasswd.HtpasswdFile(path).verify("ada", "secret"),
        KeyFileVault.open_file,
        lambda path: KeyFileCipher(path, make=False).fingerprint(),
        read_yaml,
        lambda path: Texts().read(str(path)),
        digest,
        lambda path: load({}, {"SQUALL_CONFIG": str(path)}),
        lambda path: load({"config": str(path)}, {}),
    ],
)
def test_every_reader_of_a_file_that_somebody_names_refuses_what_is_no_regular_file(
    tmp_path: Path, make: Callable[[Path], None], read: Callable[[Path], Any]
) -> None:
    make(path := tmp_path / "file")
    with pytest.raises((SquallError, OSError), match="not a regular file"):
        read(path)


@UNREADABLE
def test_files_with_fixed_names_are_refused_too(tmp_path: Path, make: Callable[[Path], None]) -> None:
    for name in ("squall.toml", "manifest.json"):
        make(tmp_path / name)
    with pytest.raises(SquallError, match="not a regular file"):
        load({"server.data_dir": str(tmp_path)}, {})
    with pytest.raises(SquallError, match="not a regular file"):
        read_manifest(tmp_path)


@UNREADABLE
def test_readers_without_errors_take_what_is_no_regular_file_for_empty(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(path := tmp_path / "file")
    assert repeated_keys(path) == []
    assert HostKeys(ACCEPT_NEW, [str(path)]).match("host", "", None)[0] == []
