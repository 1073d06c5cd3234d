"""A thread that makes files durable. Standard library only."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from squall.adapters.keeper.process.loop import EpollLoop


class Unsynced(Protocol):
    """A file with data that may not be on the disk yet.

    After a failed sync the system may forget which data it has not written, so that the next sync succeeds although
    nothing was written. So after a failure `flush` fails until `renew` has been called, and then writes the data anew.
    """

    def flush(self) -> None:
        """Makes the data durable. Any thread may call it. Raises `OSError`."""
        ...

    def renew(self) -> None:
        """Prepares the next try after a failed flush, on the loop's thread; does nothing if none has failed. Raises
        `OSError`."""
        ...


class _Work(NamedTuple):
    files: Sequence[Unsynced]
    then: Callable[[], None]
    failed: Callable[[OSError], None]


class Flusher:
    """Makes files durable on a thread of its own, so that a slow disk does not stop the pipes."""

    def __init__(self, loop: EpollLoop) -> None:
        self._work: queue.SimpleQueue[_Work] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        loop.add_reader(self._reader, self._deliver)
        threading.Thread(target=self._run, daemon=True).start()

    def submit(self, files: Sequence[Unsynced], then: Callable[[], None], failed: Callable[[OSError], None]) -> None:
        """Flushes the files on the thread. Then calls on the loop: `then` if all are durable, otherwise `failed` with
        the first error."""
        self._work.put(_Work(files, then, failed))

    def _run(self) -> None:
        while True:
            # All pending work runs together, so that many ends cost one flush of the log.
            waiting = [self._work.get()]
            while not self._work.empty():
                waiting.append(self._work.get())
            errors: dict[Unsynced, OSError] = {}
            for file in dict.fromkeys(file for work in waiting for file in work.files):
                try:
                    file.flush()
                except OSError as error:
                    errors[file] = error
            for work in waiting:
                failed = [errors[file] for file in work.files if file in errors]
                self._done.put(partial(work.failed, failed[0]) if failed else work.then)
            os.write(self._writer, b".")

    def _deliver(self) -> None:
        os.read(self._reader, 4096)
        while not self._done.empty():
            self._done.get()()
