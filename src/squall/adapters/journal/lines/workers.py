"""`ports.Lines` by processes: started when somebody asks, killed when they take too long, ended when idle."""

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
    AskByte,
    Asked,
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
    """One process and the connection to it."""

    def __init__(
        self, process: subprocess.Popen[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self.used = monotonic()

    async def ask(self, question: bytes) -> Answer:
        """Its answer. Raises `OSError` or `EOFError` when the process has ended."""
        self._writer.write(LENGTH.pack(len(question)) + question)
        (length,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
        answer: Answer = _DECODER.decode(await self._reader.readexactly(length))
        self.used = monotonic()
        return answer

    def end(self) -> None:
        """Ends the process at once."""
        self._writer.close()
        self._process.kill()
        self._process.wait()


class LineWorkers:
    """Up to `most` processes, each made by `start` with its end of a socket pair; `patience` is how long (seconds) an
    answer may take in all, and `crowd` how many may wait for one. Use it on one event loop, and `close` it there."""

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
        """Ends the processes."""
        self._closed = True
        if self._reaper is not None:
            self._reaper.cancel()
        for worker in self._free:
            worker.end()
        self._free.clear()

    # -- the port

    async def sums(self, tree: str, executions: Collection[str] | None) -> dict[str, OutputSums]:
        """What each execution has printed."""
        asked = AskSums(tree=tree, seconds=_SLICE, executions=_listed(executions))
        return (await self._ask(asked, Sums)).sums

    async def lines(
        self, tree: str, execution: str, first: int, last: int, streams: tuple[int, ...] | None
    ) -> LinePage:
        """Lines by their numbers."""
        asked = AskLines(tree=tree, seconds=_SLICE, execution=execution, first=first, last=last, streams=streams)
        return (await self._ask(asked, Lines)).page

    async def rows(
        self, tree: str, execution: str, first: int, last: int, streams: tuple[int, ...] | None, cut: int | None
    ) -> RowPage:
        """Lines as counted among those on some streams."""
        asked = AskRows(
            tree=tree, seconds=_SLICE, execution=execution, first=first, last=last, streams=streams, cut=cut
        )
        return (await self._ask(asked, Rows)).page

    async def tail(
        self, tree: str, executions: Collection[str] | None, count: int, streams: tuple[int, ...] | None
    ) -> tuple[list[tuple[str, Line]], int]:
        """The last lines."""
        asked = AskTail(tree=tree, seconds=_SLICE, executions=_listed(executions), count=count, streams=streams)
        tail = await self._ask(asked, Tail)
        return tail.rows, tail.position

    async def states(
        self, tree: str, executions: Collection[str] | None, after: int | None = None
    ) -> tuple[dict[str, LineState], int]:
        """How far the lines go."""
        # The beginning has two names; what is counted begins behind the header.
        at = None if after is None else max(after, journal.HEADER_SIZE)
        asked = AskStates(tree=tree, seconds=_SLICE, executions=_listed(executions), position=at)
        states = await self._ask(asked, States)
        return states.states, states.position if at is None else at

    async def line_at(self, tree: str, execution: str, time: int) -> int:
        """The first line from a time on."""
        asked = AskLineAt(tree=tree, seconds=_SLICE, execution=execution, time=time)
        return (await self._ask(asked, LineNumber)).number

    async def search(self, tree: str, execution: str, wanted: Search) -> Hits:
        """The lines that match."""
        until = monotonic() + self._patience
        numbers: list[int] = []
        while True:
            asked = AskSearch(tree=tree, seconds=_SLICE, execution=execution, search=wanted)
            hits = (await self._ask(asked, Matches)).hits
            numbers = sorted(numbers + hits.numbers)
            if not hits.resume or len(numbers) >= wanted.limit or monotonic() > until:
                return Hits(numbers, hits.resume)
            # Its slice of time was over: others have their turn, then it goes on.
            edge = {"stop": hits.resume} if wanted.backwards else {"start": hits.resume}
            wanted = msgspec.structs.replace(wanted, limit=wanted.limit - len(hits.numbers), **edge)

    def matcher(self, wanted: Search) -> Callable[[bytes], bool]:
        """Whether a line matches."""
        # Only who searches needs RE2.
        from squall.adapters.journal.lines.search import compile_pattern

        expression = compile_pattern(wanted.pattern, fixed=wanted.fixed, ignore_case=wanted.ignore_case)
        return lambda line: expression.search(line) is not None

    async def byte(self, tree: str, execution: str, offset: int, streams: tuple[int, ...] | None) -> tuple[int, int]:
        """Where a byte is."""
        asked = AskByte(tree=tree, seconds=_SLICE, execution=execution, offset=offset, streams=streams)
        place = await self._ask(asked, BytePlace)
        return place.position, place.skip

    # -- processes

    async def _ask(self, asked: Asked, kind: type[A]) -> A:
        """An answer of this kind, after as many turns as the counting takes."""
        until = monotonic() + self._patience
        while True:
            answer = await self._turn(msgspec.msgpack.encode(asked))
            if isinstance(answer, kind):
                return answer
            if isinstance(answer, Failed):
                raise _ERRORS.get(answer.code, UnavailableError)(answer.error)
            assert isinstance(answer, Unfinished)  # noqa: S101 - each question has one kind of answer
            if monotonic() > until:
                raise UnavailableError(
                    f"The lines of this output are being counted ({answer.counted:.0%} so far). Ask again in a moment."
                )

    async def _turn(self, question: bytes) -> Answer:
        if self._waiting >= self._crowd:
            raise UnavailableError("Too many search in outputs just now. Ask again in a moment.")
        self._waiting += 1
        try:
            async with self._room:
                return await self._with_worker(question)
        finally:
            self._waiting -= 1

    async def _with_worker(self, question: bytes) -> Answer:
        worker = self._free.pop() if self._free else await self._begin()
        try:
            async with asyncio.timeout(_SLICE + _GRACE):
                reply = await worker.ask(question)
        except TimeoutError:
            worker.end()
            raise UnavailableError("This took too long, and has been stopped.") from None
        except (OSError, EOFError) as error:
            worker.end()
            _LOG.warning("a process that reads outputs has ended", extra={"error": str(error)})
            raise UnavailableError("The process that reads outputs has ended. Ask again.") from error
        except BaseException:
            # Whoever asked has gone: its answer would be taken for the next one's.
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
        """Ends the processes that nobody has needed for a while."""
        self._reaper = None
        old = [worker for worker in self._free if monotonic() - worker.used >= _IDLE]
        self._free = [worker for worker in self._free if worker not in old]
        for worker in old:
            with contextlib.suppress(OSError):
                worker.end()
        if self._free:
            self._arm()


def _listed(executions: Collection[str] | None) -> list[str] | None:
    return None if executions is None else list(executions)
