"""Marks in a mapped file: a store to memory is all that a mark costs, and the kernel keeps it if the process is killed.

The file has one line with the id of the machine's boot, then slots: the first is the event loop's, the others are
those of threads. After a loss of power the file may show any older state, so marks of another boot are ignored.
"""

from __future__ import annotations

import mmap
import os
import threading
from collections.abc import Coroutine, Generator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from types import coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_SLOT = 128
_SLOTS = 31
_SIZE = _SLOT * (_SLOTS + 1)
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class FileMarks:
    """`ports.Marks` in the file at `path`. If the file cannot be written, marks live only as long as the process."""

    def __init__(self, path: Path) -> None:
        self._boot = _read(_BOOT).strip()[:_SLOT]
        self._left = _names(_read(path), self._boot)
        self._memory = _mapped(path)
        self._current = b""
        self._free = list(range(_SLOTS, 1, -1))
        self._lock = threading.Lock()

    def left(self) -> Sequence[str]:
        """Returns what the previous process was working on when it ended; empty if it ended properly."""
        return self._left

    def forget(self) -> None:
        """Forgets what the previous process left."""
        self._left = ()
        self._memory[:] = self._boot.ljust(_SIZE, b"\0")

    @coroutine
    def watched(self, name: str, work: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
        """Runs `work` with a mark of `name` while its code runs. While it waits there is no mark."""
        mark = _mark(name)
        value: Any = None
        error: BaseException | None = None
        while True:
            before = self._set_current(mark)
            try:
                waits = work.send(value) if error is None else work.throw(error)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # the value of `work`
            finally:
                self._set_current(before)
            try:
                value, error = (yield waits), None
            except GeneratorExit:
                work.close()
                raise
            except BaseException as raised:
                error = raised

    def carried(self) -> AbstractContextManager[None]:
        """Returns a context for a thread, in which it has a mark of what the event loop works on now."""
        return _Marked(self, self._current) if self._current else nullcontext()

    def on_thread(self, name: str) -> AbstractContextManager[None]:
        """Returns a context for a thread, in which it has a mark of `name`."""
        return _Marked(self, _mark(name))

    def take_slot(self, mark: bytes) -> int | None:
        """Puts a mark into a free slot. Returns the slot; None if all slots have one."""
        with self._lock:
            slot = self._free.pop() if self._free else None
        if slot is not None:
            self._set(slot, mark)
        return slot

    def free_slot(self, slot: int) -> None:
        """Removes the mark from a slot."""
        self._memory[slot * _SLOT] = 0
        with self._lock:
            self._free.append(slot)

    def _set_current(self, mark: bytes) -> bytes:
        """Marks what the event loop works on (empty: nothing). Returns the previous mark."""
        before, self._current = self._current, mark
        if mark:
            self._set(1, mark)
        else:
            self._memory[_SLOT] = 0
        return before

    def _set(self, slot: int, mark: bytes) -> None:
        self._memory[slot * _SLOT : slot * _SLOT + len(mark)] = mark


class _Marked:
    """A context for a thread, with a mark. It may be entered again after it was left: a store may call a unit of work
    more than once."""

    def __init__(self, marks: FileMarks, mark: bytes) -> None:
        self._marks = marks
        self._mark = mark
        self._slot: int | None = None

    def __enter__(self) -> None:
        self._slot = self._marks.take_slot(self._mark)

    def __exit__(self, *_: object) -> None:
        if self._slot is not None:
            self._marks.free_slot(self._slot)


def _mark(name: str) -> bytes:
    return name.encode()[: _SLOT - 1] + b"\0"


def _read(path: Path) -> bytes:
    """Returns the first bytes of a file; none if it cannot be read or is no regular file, such as a pipe."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return b""
    try:
        return os.pread(descriptor, _SIZE, 0)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _names(data: bytes, boot: bytes) -> tuple[str, ...]:
    slots = [data[at : at + _SLOT].partition(b"\0")[0] for at in range(0, len(data), _SLOT)]
    if len(data) < _SIZE or slots[0] != boot:
        return ()
    return tuple(sorted({slot.decode(errors="replace") for slot in slots[1:] if slot}))


def _mapped(path: Path) -> mmap.mmap:
    """Returns the file's memory. Its bytes are written first, because a store to memory for which a disk has no room
    would end the process."""
    with suppress(OSError):
        descriptor = os.open(path, _FLAGS, 0o600)
        try:
            data = os.pread(descriptor, _SIZE, 0).ljust(_SIZE, b"\0")
            if os.pwrite(descriptor, data, 0) == _SIZE:
                return mmap.mmap(descriptor, _SIZE)
        finally:
            os.close(descriptor)
    return mmap.mmap(-1, _SIZE)
