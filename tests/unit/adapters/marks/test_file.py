"""Marks outlive the process: they say what its code ran for, and nothing of what only waited."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from squall.adapters.marks import file as module
from squall.adapters.marks.file import FileMarks
from squall.adapters.marks.store import MarkedStore
from squall.adapters.sql.sqlite import open_store
from squall.ports import Tx

pytestmark = pytest.mark.anyio


def fresh(folder: Path) -> FileMarks:
    marks = FileMarks(folder / "marks")
    marks.forget()
    return marks


def seen(folder: Path) -> list[str]:
    """What a server that starts now is told."""
    return list(FileMarks(folder / "marks").left())


DIES = """
import asyncio, os, signal, sys
from pathlib import Path
from squall.adapters.marks.file import FileMarks

async def waits():
    await asyncio.sleep(0)
    await asyncio.get_running_loop().create_future()

async def dies():
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    with marks.carried():
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    await asyncio.gather(marks.watched("run innocent", waits()), marks.watched("run guilty", dies()))

marks = FileMarks(Path(sys.argv[1]))
marks.forget()
asyncio.run(main())
"""


async def test_a_process_that_is_killed_leaves_what_it_was_running_and_not_what_waited(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", DIES, str(tmp_path / "marks")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert seen(tmp_path) == ["run guilty"]


async def test_a_handler_has_its_result_its_errors_and_its_cancellation_through_its_mark(tmp_path: Path) -> None:
    marks = fresh(tmp_path)

    async def returns() -> int:
        await asyncio.sleep(0)
        assert seen(tmp_path) == ["run one"]
        return 3

    async def raises() -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    async def is_cancelled() -> str:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            return "cancelled"
        return ""

    async def waiting() -> str:
        return await marks.watched("run one", is_cancelled())

    assert await marks.watched("run one", returns()) == 3
    with pytest.raises(ValueError, match="no"):
        await marks.watched("run one", raises())
    async with asyncio.TaskGroup() as group:
        task = group.create_task(waiting())
        await asyncio.sleep(0)
        assert seen(tmp_path) == []
        task.cancel()
    assert task.result() == "cancelled"
    assert seen(tmp_path) == []


async def test_threads_have_the_mark_of_the_handler_for_which_they_work(tmp_path: Path) -> None:
    marks = fresh(tmp_path)
    opened = open_store(tmp_path / "squall.db", backup_suffix=".old")
    store = MarkedStore(opened, marks)
    inside: list[list[str]] = []

    async def look(tx: Tx) -> None:
        inside.append(seen(tmp_path))

    async def handler() -> None:
        await store.tx(look)
        await store.read(look)

    await marks.watched("advance flow", handler())
    await store.tx(look)
    await store.close()
    assert inside == [["advance flow"], ["advance flow"], []]


async def test_more_threads_than_slots_work_without_a_mark(tmp_path: Path) -> None:
    marks = fresh(tmp_path)
    contexts = [marks.on_thread(f"run {number}") for number in range(40)]
    for context in contexts:
        context.__enter__()
    assert len(seen(tmp_path)) == 30
    for context in contexts:
        context.__exit__(None, None, None)
    assert seen(tmp_path) == []


async def test_marks_of_another_boot_are_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with fresh(tmp_path).on_thread("run one"):
        assert seen(tmp_path) == ["run one"]
        boot = tmp_path / "boot"
        boot.write_text("another")
        monkeypatch.setattr(module, "_BOOT", boot)
        assert seen(tmp_path) == []


@pytest.mark.parametrize("data", [b"", b"torn", os.urandom(10_000)])
async def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "marks").write_bytes(data)
    assert seen(tmp_path) == []
    with fresh(tmp_path).on_thread("run one"):
        assert seen(tmp_path) == ["run one"]


async def test_without_room_for_the_file_marks_cost_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    marks = fresh(tmp_path)
    done: Callable[[], Awaitable[int]] = lambda: asyncio.sleep(0, 3)  # noqa: E731

    async def handler() -> int:
        return await done()

    assert await marks.watched("run one", handler()) == 3


async def test_a_unit_of_work_that_a_store_calls_twice_has_its_mark_both_times(tmp_path: Path) -> None:
    marks = fresh(tmp_path)
    calls: list[list[str]] = []

    class Twice:
        async def tx(self, work: Callable[[Tx], Awaitable[Any]], *, durable: bool = True) -> Any:
            await work(Mock())
            return await work(Mock())

        async def read(self, work: Callable[[Tx], Awaitable[Any]]) -> Any:
            return await self.tx(work)

        async def close(self) -> None: ...

    async def unit(_tx: Tx) -> None:
        calls.append(seen(tmp_path))

    await marks.watched("run guilty", MarkedStore(Twice(), marks).tx(unit))
    assert calls == [["run guilty"], ["run guilty"]]
    assert seen(tmp_path) == []


@pytest.mark.parametrize("kind", ["pipe", "folder", "link", "endless"])
def test_what_is_no_regular_file_is_no_mark_and_stops_no_start(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "marks"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        (tmp_path / "other").write_text("precious")
        path.symlink_to("/dev/zero" if kind == "endless" else tmp_path / "other")
    marks = FileMarks(path)
    assert marks.left() == ()
    marks.forget()
    with marks.on_thread("run x"):
        pass
    if kind == "link":
        assert (tmp_path / "other").read_text() == "precious"
