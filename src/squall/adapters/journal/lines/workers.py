"""`ports.Lines` with worker processes: started on demand, killed when they take too long, ended when idle."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import subprocess
from collections.abc import Callable, Collection
from time import monotonic
from typing import TypeVar

import msgspec

from squall.adapters.journal.lines.messages import (
    LENGTH,
    Answer,
    AnyQuestion,
    AskByte,
    AskLineAt,
    AskLines,
    AskRows,
    AskSearch,
    AskStates,
    AskSums,
    AskTail,
    BytePlace,
    Failed,
    LineNumber,
    Lines,
    Matches,
    Rows,
    States,
    Sums,
    Tail,
    Unfinished,
)
from squall.core.errors import GoneError, InvalidError, SquallError, UnavailableError
from squall.core.output import journal
from squall.core.output.line_query import Hits, LinePage, LineState, OutputSums, RowPage, Search
from squall.core.output.lines import Line

_LOG = logging.getLogger("squall.lines")
_SLICE = 1.0
_GRACE = 4.0
_IDLE = 60.0
_DECODER = msgspec.msgpack.Decoder[Answer](Answer)
_ERRORS: dict[str, type[SquallError]] = {"invalid": InvalidError, "gone": GoneError}


A = TypeVar("A", Sums, Tail, States, Lines, Rows, LineNumber, BytePlace, Matches)


class _Worker:
    """One worker process and the connection to it."""

    def __init__(
        self, process: subprocess.Popen[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self.used = monotonic()

    async def ask(self, message: bytes) -> Answer:
        """Sends an encoded question. Returns the answer. Raises `OSError` or `EOFError` if the process has ended."""
        self._writer.write(LENGTH.pack(len(message)) + message)
        (length,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
        answer: Answer = _DECODER.decode(await self._reader.readexactly(length))
        self.used = monotonic()
        return answer

    def end(self) -> None:
        """Kills the process."""
        self._writer.close()
        self._process.kill()
        self._process.wait()


class LineWorkers:
    """A pool of up to `most` processes. `start` starts one with its end of a socket pair. An answer may take `patience`
    seconds in all, and at most `crowd` requests may wait. Use it on one event loop, and `close` it there."""

    def __init__(
        self,
        start: Callable[[socket.socket], subprocess.Popen[bytes]],
        *,
        most: int = 2,
        patience: float = 30.0,
        crowd: int = 64,
    ) -> None:
        self._start = start
        self._patience = patience
        self._crowd = crowd
        self._waiting = 0
        self._room = asyncio.Semaphore(most)
        self._free: list[_Worker] = []
        self._closed = False
        self._reaper: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """Kills the processes."""
        self._closed = True
        if self._reaper is not None:
            self._reaper.cancel()
        for worker in self._free:
            worker.end()
        self._free.clear()

    # -- the port

    async def sums(self, tree: str, executions: Collection[str] | None) -> dict[str, OutputSums]:
        """Returns the output sums of each execution."""
        question = AskSums(tree=tree, seconds=_SLICE, executions=_as_list(executions))
        return (await self._ask(question, Sums)).sums

    async def lines(
        self, tree: str, execution: str, first: int, last: int, streams: tuple[int, ...] | None
    ) -> LinePage:
        """Returns lines by their numbers."""
        question = AskLines(tree=tree, seconds=_SLICE, execution=execution, first=first, last=last, streams=streams)
        return (await self._ask(question, Lines)).page

    async def rows(
        self, tree: str, execution: str, first: int, last: int, streams: tuple[int, ...] | None, cut: int | None
    ) -> RowPage:
        """Returns lines by their numbers among the lines on some streams."""
        question = AskRows(
            tree=tree, seconds=_SLICE, execution=execution, first=first, last=last, streams=streams, cut=cut
        )
        return (await self._ask(question, Rows)).page

    async def tail(
        self, tree: str, executions: Collection[str] | None, count: int, streams: tuple[int, ...] | None
    ) -> tuple[list[tuple[str, Line]], int]:
        """Returns the last lines with their executions, and the position up to which they go."""
        question = AskTail(tree=tree, seconds=_SLICE, executions=_as_list(executions), count=count, streams=streams)
        tail = await self._ask(question, Tail)
        return tail.rows, tail.position

    async def states(
        self, tree: str, executions: Collection[str] | None, after: int | None = None
    ) -> tuple[dict[str, LineState], int]:
        """Returns the line states of executions at a position, and that position."""
        # Both 0 and the end of the header stand for the beginning; counting begins behind the header.
        at = None if after is None else max(after, journal.HEADER_SIZE)
        question = AskStates(tree=tree, seconds=_SLICE, executions=_as_list(executions), position=at)
        states = await self._ask(question, States)
        return states.states, states.position if at is None else at

    async def line_at(self, tree: str, execution: str, time: int) -> int:
        """Returns the number of the first line that began at a time (µs) or later."""
        question = AskLineAt(tree=tree, seconds=_SLICE, execution=execution, time=time)
        return (await self._ask(question, LineNumber)).number

    async def search(self, tree: str, execution: str, wanted: Search) -> Hits:
        """Returns the lines that match, and the line to resume from if the time ran out."""
        deadline = monotonic() + self._patience
        numbers: list[int] = []
        while True:
            question = AskSearch(tree=tree, seconds=_SLICE, execution=execution, search=wanted)
            hits = (await self._ask(question, Matches)).hits
            numbers = sorted(numbers + hits.numbers)
            if not hits.resume or len(numbers) >= wanted.limit or monotonic() > deadline:
                return Hits(numbers, hits.resume)
            # The search used up its time slice: other requests get a turn before it resumes.
            edge = {"stop": hits.resume} if wanted.backwards else {"start": hits.resume}
            wanted = msgspec.structs.replace(wanted, limit=wanted.limit - len(hits.numbers), **edge)

    def matcher(self, wanted: Search) -> Callable[[bytes], bool]:
        """Returns a function that checks whether a line matches."""
        # Only searches need RE2.
        from squall.adapters.journal.lines.search import compile_pattern

        expression = compile_pattern(wanted.pattern, fixed=wanted.fixed, ignore_case=wanted.ignore_case)
        return lambda line: expression.search(line) is not None

    async def byte(self, tree: str, execution: str, offset: int, streams: tuple[int, ...] | None) -> tuple[int, int]:
        """Returns a position to read from for a byte, and the number of output bytes to skip behind it."""
        question = AskByte(tree=tree, seconds=_SLICE, execution=execution, offset=offset, streams=streams)
        place = await self._ask(question, BytePlace)
        return place.position, place.skip

    # -- processes

    async def _ask(self, question: AnyQuestion, kind: type[A]) -> A:
        """Returns the answer to a question. Repeats the question until all lines are counted.

        Raises the error that the worker reports; `UnavailableError` after `patience` seconds."""
        deadline = monotonic() + self._patience
        while True:
            answer = await self._turn(msgspec.msgpack.encode(question))
            if isinstance(answer, kind):
                return answer
            if isinstance(answer, Failed):
                raise _ERRORS.get(answer.code, UnavailableError)(answer.error)
            assert isinstance(answer, Unfinished)  # noqa: S101 - each question has one other type of answer
            if monotonic() > deadline:
                raise UnavailableError(
                    f"The lines of this output are being counted ({answer.counted:.0%} so far). Try again in a moment."
                )

    async def _turn(self, message: bytes) -> Answer:
        if self._waiting >= self._crowd:
            raise UnavailableError("Too many clients search outputs now. Try again in a moment.")
        self._waiting += 1
        try:
            async with self._room:
                return await self._with_worker(message)
        finally:
            self._waiting -= 1

    async def _with_worker(self, message: bytes) -> Answer:
        worker = self._free.pop() if self._free else await self._begin()
        try:
            async with asyncio.timeout(_SLICE + _GRACE):
                reply = await worker.ask(message)
        except TimeoutError:
            worker.end()
            raise UnavailableError("The search in the output took too long, so the server stopped it.") from None
        except (OSError, EOFError) as error:
            worker.end()
            _LOG.warning("a process that reads outputs has ended", extra={"error": str(error)})
            raise UnavailableError("The process that reads outputs has ended. Try again.") from error
        except BaseException:
            # The request was canceled: its answer must not reach the next request.
            worker.end()
            raise
        if self._closed:
            worker.end()
        else:
            self._free.append(worker)
            self._arm()
        return reply

    async def _begin(self) -> _Worker:
        if self._closed:
            raise UnavailableError("The server is stopping.")
        ours, theirs = socket.socketpair()
        with theirs:
            process = self._start(theirs)
        try:
            reader, writer = await asyncio.open_connection(sock=ours)
        except BaseException:
            ours.close()
            process.kill()
            process.wait()
            raise
        return _Worker(process, reader, writer)

    def _arm(self) -> None:
        if self._reaper is None:
            self._reaper = asyncio.get_running_loop().call_later(_IDLE, self._reap)

    def _reap(self) -> None:
        """Kills the processes that have been idle for `_IDLE` seconds."""
        self._reaper = None
        idle = [worker for worker in self._free if monotonic() - worker.used >= _IDLE]
        self._free = [worker for worker in self._free if worker not in idle]
        for worker in idle:
            with contextlib.suppress(OSError):
                worker.end()
        if self._free:
            self._arm()


def _as_list(executions: Collection[str] | None) -> list[str] | None:
    return None if executions is None else list(executions)
