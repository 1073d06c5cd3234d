"""A thread that makes files durable. Standard library only."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable

from squall.adapters.keeper.process.loop import EpollLoop


class Flusher:
    """Makes files durable on a thread of its own, so that a slow disk does not stop the pipes."""

    def __init__(self, loop: EpollLoop) -> None:
        self._work: queue.SimpleQueue[tuple[list[Callable[[], None]], Callable[[], None] | None]] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        loop.add_reader(self._reader, self._deliver)
        threading.Thread(target=self._run, daemon=True).start()

    def submit(self, flushes: list[Callable[[], None]], then: Callable[[], None] | None) -> None:
        """Runs the flushes on the thread, then calls `then` on the loop."""
        self._work.put((flushes, then))

    def _run(self) -> None:
        while True:
            # All pending work runs together, so that many ends cost one flush of the log.
            waiting = [self._work.get()]
            while not self._work.empty():
                waiting.append(self._work.get())
            for flush in dict.fromkeys(flush for flushes, _ in waiting for flush in flushes):
                try:
                    flush()
                except OSError:
                    # The data is readable but not durable. The keeper can only continue.
                    continue
            for _, then in waiting:
                if then is not None:
                    self._done.put(then)
            os.write(self._writer, b".")

    def _deliver(self) -> None:
        os.read(self._reader, 4096)
        while not self._done.empty():
            self._done.get()()
