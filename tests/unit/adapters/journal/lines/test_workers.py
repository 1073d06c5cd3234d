"""The processes that read lines: started when needed, replaced when they die or are too slow, ended with the server."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest

from squall.adapters.blobs.opening import BlobPlace
from squall.adapters.journal.lines import workers as workers_module
from squall.adapters.journal.lines.workers import LineWorkers
from squall.adapters.keeper.process.writing.journals import Journals
from squall.core.errors import InvalidError, UnavailableError
from squall.core.output.line_query import Search
from squall.server import linereader
from squall.testing.samples import NOON, sample_id

pytestmark = pytest.mark.anyio
TREE = sample_id(1)


class Started:
    """Starts processes, and keeps them."""

    def __init__(self, folder: Path) -> None:
        (folder / "journals").mkdir()
        journals = Journals(folder / "journals", bytes(16), 1, floor=0)
        writer = journals.writer(TREE, create=True)
        assert writer is not None
        writer.output(TREE, 1, NOON, b"one\ntwo\n")
        self.processes: list[subprocess.Popen[bytes]] = []
        self._real: Callable[[socket.socket], subprocess.Popen[bytes]] = partial(
            linereader.start, folder, BlobPlace(""), os.environ
        )

    def __call__(self, connection: socket.socket) -> subprocess.Popen[bytes]:
        self.processes.append(self._real(connection))
        return self.processes[-1]


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[tuple[Started, LineWorkers]]:
    started = Started(tmp_path)
    lines = LineWorkers(started, most=1)
    try:
        yield started, lines
    finally:
        lines.close()
        assert all(process.returncode is not None for process in started.processes)


async def count(lines: LineWorkers) -> int:
    return (await lines.sums(TREE, None))[TREE].lines


async def test_one_process_answers_many_questions(made: tuple[Started, LineWorkers]) -> None:
    started, lines = made
    assert started.processes == []
    assert [await count(lines) for _ in range(3)] == [2, 2, 2]
    assert len(started.processes) == 1


async def test_a_process_that_has_died_is_replaced(made: tuple[Started, LineWorkers]) -> None:
    started, lines = made
    await count(lines)
    started.processes[0].kill()
    with pytest.raises(UnavailableError):
        await count(lines)
    assert await count(lines) == 2


async def test_a_process_that_takes_too_long_is_ended(
    made: tuple[Started, LineWorkers], monkeypatch: pytest.MonkeyPatch
) -> None:
    started, lines = made
    await count(lines)
    monkeypatch.setattr(workers_module, "_GRACE", -0.9)
    started.processes[0].send_signal(19)
    with pytest.raises(UnavailableError, match="too long"):
        await count(lines)
    monkeypatch.undo()
    assert await count(lines) == 2


async def test_who_gives_up_does_not_leave_an_answer_to_the_next_one(made: tuple[Started, LineWorkers]) -> None:
    _, lines = made
    asking = asyncio.get_running_loop().create_task(count(lines))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    page = await lines.lines(TREE, TREE, 2, 2, None)
    assert [line.data for line in page.lines] == [b"two\n"]


async def test_a_wrong_expression_is_told_as_such(made: tuple[Started, LineWorkers]) -> None:
    _, lines = made
    with pytest.raises(InvalidError, match="RE2"):
        await lines.search(TREE, TREE, Search(pattern="(?<x"))
    assert lines.matcher(Search(pattern="a.c"))(b"xabcx\n")
    hits = await lines.search(TREE, TREE, Search(pattern="^t"))
    assert (hits.numbers, hits.resume) == ([2], 0)


async def test_a_crowd_is_turned_away(made: tuple[Started, LineWorkers]) -> None:
    started, _ = made
    lines = LineWorkers(started, most=1, crowd=1)
    results = await asyncio.gather(*(count(lines) for _ in range(3)), return_exceptions=True)
    lines.close()
    assert sum(result == 2 for result in results) == 1
    assert sum(isinstance(result, UnavailableError) for result in results) == 2
