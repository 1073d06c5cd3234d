"""The pump: reads pipes, and writes their data masked, limited and in order into the journal. Standard library only.

One read is one record: no data waits for a newline, and a fast writer costs one record per read. If the disk is full,
the pump stops reading the pipe and stores the data later: the action blocks, and no output is lost.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from squall.adapters.keeper.process.child import Child, Loop, Pipe, ResultFile
from squall.adapters.keeper.process.descriptors import pieces
from squall.adapters.keeper.process.writing.journals import Journals
from squall.adapters.keeper.process.writing.writer import DiskFullError, TreeWriter
from squall.core.output import journal

if TYPE_CHECKING:
    from squall.core.output.masking import Patterns

_READ_SIZE = 128 << 10
# Masking costs more than reading, so a masked pipe is read in smaller pieces and after the others.
_MASKED_READ_SIZE = 32 << 10
_SETTLE_AFTER = 0.25
_RETRY_FULL_DISK = 0.25
_TAIL_KEPT = 64 << 10
_PIPES_HOLD = 4 << 20


class NoRoomError(Exception):
    """The disk is full; the message says why. `rest` is the data that was not stored, for a later try."""

    def __init__(self, rest: bytes, error: OSError) -> None:
        super().__init__(error.strerror)
        self.rest = rest


class Books:
    """Writes the output of children into journals and result files, up to their limits. It calls `on_limit(child)` if
    the output exceeds its limit and the limit's policy is `fail`."""

    def __init__(self, journals: Journals, now: Callable[[], int], on_limit: Callable[[Child], None]) -> None:
        self._journals = journals
        self._now = now
        self._on_limit = on_limit

    def put(self, child: Child, pipe: Pipe, data: memoryview | bytes) -> None:
        """Stores data of a pipe. Counts and drops the data beyond the limit. Raises `NoRoomError`."""
        if pipe.result is not None:
            self._put_result(pipe.result, data)
            return
        room = len(data)
        if child.spec.limit_policy != "unlimited":
            room = child.spec.output_limit - sum(child.stored.values())
        allowed = data[: max(0, room)]
        if allowed:
            try:
                self._journals.reserve(len(allowed))
                self._opened_writer(child).output(child.spec.unit, pipe.stream, self._now(), allowed, pipe.tag)
            except OSError as error:
                raise NoRoomError(bytes(data), error) from error
            child.stored[pipe.stream] += len(allowed)
        if len(allowed) < len(data):
            self._drop(child, pipe, bytes(data[len(allowed) :]))

    def _put_result(self, result: ResultFile, data: memoryview | bytes) -> None:
        written = 0
        try:
            self._journals.reserve(max(0, min(len(data), result.room())))
            written = result.write(data)
            if written < len(data):
                raise DiskFullError(errno.ENOSPC, "no space for a result")
        except OSError as error:
            raise NoRoomError(bytes(data[written:]), error) from error

    def close(self, child: Child) -> None:
        """Writes the count and the last bytes of the output that the limit dropped. Raises `OSError`; then it must be
        called again, and goes on where it was."""
        for stream, tag in list(child.dropped):
            writer = self._writer(child)
            tail = child.tails.get((stream, tag), b"")
            if count := child.dropped[stream, tag]:
                self._gap(child, stream, tag, count - len(tail))
                writer.skip(child.spec.unit, stream, count - len(tail), tag)
                child.dropped[stream, tag] = 0
            if tail:
                writer.output(child.spec.unit, stream, self._now(), tail, tag)
            del child.dropped[stream, tag]
        if child.opened:
            child.first_record, child.last_record = self._writer(child).ends(child.spec.unit)

    def note(self, child: Child, kind: int, text: str) -> None:
        """Adds a record that is not output, unless the disk is full."""
        with contextlib.suppress(OSError):
            self._opened_writer(child).note(kind, child.spec.unit, self._now(), 0, text.encode())

    def _writer(self, child: Child) -> TreeWriter:
        writer = self._journals.writer(child.spec.tree, create=True)
        if writer is None:
            raise DiskFullError(errno.ENOSPC, "the journal cannot be opened")
        return writer

    def _opened_writer(self, child: Child) -> TreeWriter:
        """Returns the tree's writer, after it has written the record that the execution runs."""
        writer = self._writer(child)
        if not child.opened:
            spec = child.spec
            if spec.opening:
                writer.note(journal.STATUS, spec.unit, spec.opened_at, spec.opened, spec.opening)
            child.opened = True
        return writer

    def _drop(self, child: Child, pipe: Pipe, data: bytes) -> None:
        """Counts the output beyond the limit, and remembers its end. The first call adds a gap record to the
        journal."""
        if not child.over_limit:
            child.over_limit = True
            # A disk that refuses the record here gets it at the end of the output.
            with contextlib.suppress(OSError):
                self._gap(child, pipe.stream, pipe.tag, 0)
            if child.spec.limit_policy == "fail":
                child.stopped = True
                self._on_limit(child)
        key = (pipe.stream, pipe.tag)
        child.dropped[key] = child.dropped.get(key, 0) + len(data)
        child.tails[key] = (child.tails.get(key, b"") + data)[-_TAIL_KEPT:]

    def _gap(self, child: Child, stream: int, tag: str, count: int) -> None:
        text = f'{{"reason":"output limit","limit":{child.spec.output_limit},"bytes":{count}}}'
        writer = self._opened_writer(child)
        writer.note(journal.GAP, child.spec.unit, self._now(), 0, text.encode(), stream, tag)


class Pump:
    """Moves output from pipes to journals. It calls `on_quiet(child)` when a pipe closes or a paused one resumes,
    `on_limit(child)` as `Books` does, `on_wait(child)` when `child.wait_reason` has changed. `masking_seconds` is the
    time that masking has taken."""

    def __init__(
        self,
        loop: Loop,
        journals: Journals,
        now: Callable[[], int],
        on_quiet: Callable[[Child], None],
        on_limit: Callable[[Child], None],
        on_wait: Callable[[Child], None],
    ) -> None:
        self._loop = loop
        self._books = Books(journals, now, on_limit)
        self._on_quiet = on_quiet
        self._on_wait = on_wait
        self.masking_seconds = 0.0
        self._buffer = bytearray(_READ_SIZE)
        self._view = memoryview(self._buffer)

    def attach(self, child: Child, fd: int, stream: int) -> None:
        """Reads `fd`, a pipe or the master of a PTY, as one of the child's streams. The pump owns `fd` from now on."""
        self.attach_pipe(child, Pipe(fd, stream, child.patterns))

    def attach_pipe(self, child: Child, pipe: Pipe) -> None:
        """Reads a `Pipe`, such as one of a result or of tagged output. The pump owns its descriptor from now on."""
        os.set_blocking(pipe.fd, False)
        child.pipes.append(pipe)
        self._listen(child, pipe)

    def _listen(self, child: Child, pipe: Pipe) -> None:
        self._loop.add_reader(pipe.fd, self._readable, child, pipe)
        if pipe.masker is not None:
            self._loop.yield_to_others(pipe.fd)

    def set_patterns(self, child: Child, patterns: Patterns) -> None:
        """Masks the matches of `patterns` from now on, also in the data that the maskers hold."""
        child.patterns = patterns
        for pipe in child.pipes:
            if pipe.frames is not None:
                continue
            pipe.mask(patterns)
            if pipe.open:
                self._loop.yield_to_others(pipe.fd)

    def drain(self, child: Child) -> None:
        """Reads the present data of the pipes: at most a pipe's capacity, as a process may still be writing."""
        for pipe in child.pipes:
            remaining = _PIPES_HOLD
            while pipe.open and not _held_back(child, pipe) and remaining > 0 and (count := self._read(child, pipe)):
                remaining -= count

    def close_books(self, child: Child) -> None:
        """Writes the data that the maskers hold, then the count and the last bytes of the output that the limit
        dropped."""
        for pipe in child.pipes:
            if pipe.masker is not None:
                self._settle(child, pipe, finish=True)
            if pipe.source is not None and pipe.source.frames is not None:
                self._store_behind(child, pipe, pipe.source.frames.finish(pipe))
        child.masked = sum(pipe.masker.count for pipe in child.pipes if pipe.masker is not None)
        try:
            self._books.close(child)
        except OSError as error:
            if not child.opened and not child.spec.output_limit:
                # What may print nothing waits for no journal.
                return
            child.books_open = True
            self.waits(child, f"its output waits for the disk: {error.strerror or error}")
            return
        if child.books_open:
            child.books_open = False
            self.waits(child, "")

    def note(self, child: Child, kind: int, text: str) -> None:
        """Adds a record that is not output, unless the disk is full."""
        self._books.note(child, kind, text)

    def _readable(self, child: Child, pipe: Pipe) -> None:
        self._read(child, pipe)

    def _read(self, child: Child, pipe: Pipe) -> int:
        """Reads once. Returns the number of bytes; 0 if there are none now."""
        size = _READ_SIZE if pipe.masker is None else _MASKED_READ_SIZE
        try:
            count = os.readv(pipe.fd, [self._view[:size]])
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            # The last process has closed the PTY.
            count = 0
        if count == 0:
            self._close(child, pipe)
            return 0
        child.last_read = self._loop.time()
        if not child.ended:
            self._pass(child, pipe, self._view[:count])
        return count

    def _pass(self, child: Child, pipe: Pipe, data: memoryview) -> None:
        """Masks data, if there are secrets, and writes it into the journal."""
        if pipe.frames is not None:
            for stream, payload in pipe.frames.feed(child, data):
                self._pass(child, stream, memoryview(payload))
            return
        if pipe.masker is None:
            self._put(child, pipe, data)
            return
        began = self._loop.time()
        clean = pipe.masker.feed(data)
        if pipe.settling is not None:
            pipe.settling.cancel()
            pipe.settling = None
        if pipe.masker.held and pipe.result is None:
            pipe.settling = self._loop.call_later(_SETTLE_AFTER, self._settle, child, pipe)
        if clean:
            self._put(child, pipe, clean)
        self.masking_seconds += self._loop.time() - began

    def _settle(self, child: Child, pipe: Pipe, finish: bool = False) -> None:
        """Writes the data that the masker holds, after a silence or (`finish`) at the end of the output."""
        if child.ended or pipe.masker is None:
            return
        pipe.settling = None
        clean = pipe.masker.finish() if finish else pipe.masker.settle()
        if clean:
            self._put(child, pipe, clean)

    def _put(self, child: Child, pipe: Pipe, data: memoryview | bytes) -> None:
        """Writes masked data into the journal; of a tagged stream only complete characters."""
        if pipe.source is not None and pipe.source.frames is not None:
            data = pipe.source.frames.whole(pipe, bytes(data))
        self._store_behind(child, pipe, data)

    def _store_behind(self, child: Child, pipe: Pipe, data: memoryview | bytes) -> None:
        """Stores data after the unwritten data of the pipe."""
        if pipe.unwritten:
            pipe.unwritten += data
        elif data:
            self._store(child, pipe, data)

    def _store(self, child: Child, pipe: Pipe, data: memoryview | bytes) -> None:
        if pipe.result is None and len(data) > journal.MAX_PAYLOAD:
            for piece in pieces(bytes(data)):
                self._store_behind(child, pipe, piece)
            return
        try:
            self._books.put(child, pipe, data)
        except NoRoomError as error:
            self._pause(child, pipe, error)

    def _pause(self, child: Child, pipe: Pipe, error: NoRoomError) -> None:
        pipe.unwritten = error.rest
        source = pipe.source or pipe
        if source.open:
            self._loop.remove_reader(source.fd)
        self.waits(child, f"its output waits for the disk: {error}")
        again = self._loop.call_later(_RETRY_FULL_DISK, self._retry, child, pipe)
        child.timers[f"retry {pipe.stream} {pipe.tag}"] = again

    def _retry(self, child: Child, pipe: Pipe) -> None:
        if child.ended or not pipe.unwritten:
            return
        data, pipe.unwritten = pipe.unwritten, b""
        self._store(child, pipe, data)
        if pipe.unwritten:
            return
        # The pump was silent while the pipe was paused, not the action.
        child.last_read = self._loop.time()
        source = pipe.source or pipe
        if source.open and not _held_back(child, source):
            self._listen(child, source)
        if not any(other.unwritten for other in child.pipes):
            self.waits(child, "")
        self._on_quiet(child)

    def waits(self, child: Child, reason: str) -> None:
        """Notes what a child waits for, in words for people; empty if for nothing any more."""
        if child.wait_reason != reason:
            child.wait_reason = reason
            self._on_wait(child)

    def _close(self, child: Child, pipe: Pipe) -> None:
        if pipe.open:
            pipe.open = False
            if pipe.frames is not None:
                pipe.frames.end(child)
            self._loop.remove_reader(pipe.fd)
            os.close(pipe.fd)
            self._on_quiet(child)


def _held_back(child: Child, pipe: Pipe) -> bool:
    """Returns True if data of a pipe, or of its tagged streams, is unwritten."""
    return any(other.unwritten for other in child.pipes if other is pipe or other.source is pipe)
