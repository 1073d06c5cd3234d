"""An event loop of one thread: readers, writers, timers, dead children. Standard library only, and nothing more."""

from __future__ import annotations

import heapq
import os
import select
import signal
import time
from collections.abc import Callable
from typing import Any

_IN = select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR


class _Timer:
    __slots__ = ("arguments", "callback", "cancelled")

    def __init__(self, callback: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.callback = callback
        self.arguments = arguments
        self.cancelled = False

    def cancel(self) -> None:
        """Cancels the timer."""
        self.cancelled = True
        # The timer may stay in the heap for long; its arguments must not stay in memory with it.
        self.arguments = ()


class EpollLoop:
    """An event loop with asyncio's four calls, and `run`. It serves patient readers (`yield_to_others`) after the other
    ones; another reader waits for at most one of them."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._readers: dict[int, tuple[Callable[..., Any], tuple[Any, ...]]] = {}
        self._writers: dict[int, tuple[Callable[..., Any], tuple[Any, ...]]] = {}
        self._timers: list[tuple[float, int, _Timer]] = []
        self._count = 0
        self._patient: set[int] = set()
        self._stopped = False

    def add_reader(self, fd: int, callback: Callable[..., Any], *args: Any) -> None:
        """Calls `callback` each time `fd` is readable."""
        self._readers[fd] = (callback, args)
        self._register(fd)

    def remove_reader(self, fd: int) -> bool:
        """Stops the calls of `add_reader`. Returns False if there was no reader."""
        removed = self._readers.pop(fd, None) is not None
        self._patient.discard(fd)
        self._register(fd)
        return removed

    def add_writer(self, fd: int, callback: Callable[..., Any], *args: Any) -> None:
        """Calls `callback` each time `fd` is writable."""
        self._writers[fd] = (callback, args)
        self._register(fd)

    def remove_writer(self, fd: int) -> None:
        """Stops the calls of `add_writer`."""
        self._writers.pop(fd, None)
        self._register(fd)

    def yield_to_others(self, fd: int) -> None:
        """Makes the reader of `fd` patient: from now on the loop serves it only if no other descriptor is ready."""
        self._patient.add(fd)

    def _register(self, fd: int) -> None:
        mask = (_IN if fd in self._readers else 0) | (select.EPOLLOUT if fd in self._writers else 0)
        try:
            if mask:
                self._epoll.modify(fd, mask)
            else:
                self._epoll.unregister(fd)
        except FileNotFoundError:
            if mask:
                self._epoll.register(fd, mask)
        except OSError:
            # The kernel has already removed a closed descriptor from the set.
            if mask:
                raise

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any) -> _Timer:
        """Calls `callback` once, after `delay` seconds. Returns the timer."""
        timer = _Timer(callback, args)
        self._count += 1
        heapq.heappush(self._timers, (self.time() + delay, self._count, timer))
        return timer

    def time(self) -> float:
        """Returns the seconds of a monotonic clock."""
        return time.monotonic()

    def on_child(self, callback: Callable[[], Any]) -> None:
        """Calls `callback` when children may have died."""
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

        def drain() -> None:
            os.read(reader, 4096)
            callback()

        self.add_reader(reader, drain)

    def stop(self) -> None:
        """Ends `run` after this turn."""
        self._stopped = True

    def run(self) -> None:
        """Runs until `stop`."""
        while not self._stopped:
            self._turn()

    def _turn(self) -> None:
        now = self.time()
        while self._timers and (self._timers[0][2].cancelled or self._timers[0][0] <= now):
            timer = heapq.heappop(self._timers)[2]
            if not timer.cancelled:
                timer.callback(*timer.arguments)
        wait = max(0.0, self._timers[0][0] - self.time()) if self._timers else -1
        ready = self._epoll.poll(wait)
        if self._patient:
            ready.sort(key=lambda pair: pair[0] in self._patient)
        for fd, mask in ready:
            self._serve(fd, mask)
            if fd in self._patient:
                # Serving a patient reader takes long. Descriptors that became ready meanwhile come before the next one.
                for other, now_ready in self._epoll.poll(0):
                    if other not in self._patient:
                        self._serve(other, now_ready)

    def _serve(self, fd: int, mask: int) -> None:
        # An earlier callback of this turn may have removed it.
        if mask & _IN and (reader := self._readers.get(fd)) is not None:
            reader[0](*reader[1])
        if mask & select.EPOLLOUT and (writer := self._writers.get(fd)) is not None:
            writer[0](*writer[1])
