"""The inotify instance."""

from __future__ import annotations

import ctypes
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from squall.adapters.journal.inotify import CREATE, MODIFY, MOVED_TO, Inotify
from squall.testing.waiting import eventually

pytestmark = pytest.mark.anyio


@pytest.fixture
async def inotify() -> AsyncIterator[Inotify]:
    made = Inotify()
    yield made
    made.close()


async def happened(names: list[str], count: int) -> list[str]:
    await eventually(lambda: len(names) >= count, f"{count} events")
    return names


async def test_entries_that_come_into_a_folder_are_told_by_name(inotify: Inotify, tmp_path: Path) -> None:
    names: list[str] = []
    assert inotify.watch(tmp_path, CREATE | MOVED_TO, names.append) > 0
    (tmp_path / "ü").touch()
    (tmp_path / "ü").rename(tmp_path / "b")
    assert await happened(names, 2) == ["ü", "b"]


async def test_a_positioned_write_to_a_file_is_told(inotify: Inotify, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(100))
    names: list[str] = []
    inotify.watch(path, MODIFY, names.append)
    descriptor = os.open(path, os.O_WRONLY)
    os.pwrite(descriptor, b"x", 64)
    os.close(descriptor)
    assert await happened(names, 1) == [""]


async def test_what_is_forgotten_is_told_no_more(inotify: Inotify, tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    for path in (first, second):
        path.touch()
    names: list[str] = []
    forgotten = inotify.watch(first, MODIFY, lambda _: names.append("first"))
    inotify.watch(second, MODIFY, lambda _: names.append("second"))
    inotify.forget(forgotten)
    inotify.forget(forgotten)
    inotify.forget(-1)
    first.write_bytes(b"x")
    second.write_bytes(b"x")
    assert set(await happened(names, 1)) == {"second"}


async def test_no_such_path_and_no_more_watches_are_no_watch(
    inotify: Inotify, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert inotify.watch(tmp_path / "nosuch", MODIFY, lambda _: None) == -1
    monkeypatch.setattr(ctypes, "get_errno", lambda: 28)
    assert inotify.watch(tmp_path / "nosuch", MODIFY, lambda _: None) == -1


async def test_a_closed_one_watches_nothing(tmp_path: Path) -> None:
    made = Inotify()
    made.close()
    made.close()
    assert made.watch(tmp_path, CREATE, lambda _: None) == -1
