"""Texts that are kept are those of the files as they are now."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from squall.adapters import reading
from squall.adapters.packs.texts import Texts

_LONG_AGO = 1_000_000_000


def _old(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the file pass for one that has not changed for long."""
    monkeypatch.setattr("time.time_ns", lambda: path.stat().st_ctime_ns + 3_000_000_000)


def test_a_text_that_has_settled_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "flow.yaml"
    path.write_text("version: 1.0")
    _old(path, monkeypatch)
    texts = Texts()
    assert texts.read(str(path)) == "version: 1.0"
    monkeypatch.setattr(reading, "read_text", lambda _: pytest.fail("the file was read again"))
    assert texts.read(str(path)) == "version: 1.0"


def test_a_change_is_seen_at_once_even_of_the_same_size_and_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "flow.yaml"
    path.write_text("one")
    _old(path, monkeypatch)
    texts = Texts()
    assert texts.read(str(path)) == "one"
    before = path.stat()
    path.write_text("two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert texts.read(str(path)) == "two"


def test_a_file_that_changed_just_now_is_read_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "flow.yaml"
    path.write_text("one")
    now = path.stat().st_ctime_ns + _LONG_AGO
    monkeypatch.setattr("time.time_ns", lambda: now)
    texts = Texts()
    texts.read(str(path))
    reads: list[Path] = []
    read_text = reading.read_text

    def counted(path: Path) -> str:
        reads.append(path)
        return read_text(path)

    monkeypatch.setattr(reading, "read_text", counted)
    texts.read(str(path))
    assert reads == [path]


def test_a_file_that_is_gone_is_an_error_also_when_it_was_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "flow.yaml"
    path.write_text("one")
    _old(path, monkeypatch)
    texts = Texts()
    texts.read(str(path))
    path.unlink()
    with pytest.raises(FileNotFoundError):
        texts.read(str(path))
