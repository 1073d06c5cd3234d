"""An event loop on virtual time: nothing waits, the next timer is reached at once, and one seed decides the order.

Everything that runs belongs to a process (a server, or the world outside), by a context variable. A process that was
killed gets no more turns; one that is paused gets them later.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import contextvars
import heapq
import random
from collections.abc import Callable
from typing import Any

PROCESS: contextvars.ContextVar[int] = contextvars.ContextVar("process", default=0)
"""The number of the process that a callback belongs to; 0 is the world outside the servers."""

_MOST_TURNS = 400_000


class EndlessError(Exception):
    """The schedule takes far more turns than any schedule should, or nothing in it can ever happen again."""


class VirtualLoop(asyncio.BaseEventLoop):
    """The loop. With `shuffled`, callbacks that are ready at the same moment run in any order."""

    _ready: collections.deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, rng: random.Random, *, shuffled: bool) -> None:
        super().__init__()
        self._rng = rng
        self._shuffled = shuffled
        self._at = 1000.0
        self._turns = 0
        self._in_job = False
        self._ended: set[int] = set()
        self._paused: dict[int, list[asyncio.Handle]] = {}
        self.errors: list[str] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self.set_exception_handler(self._note)
        self.set_task_factory(self._new_task)

    # -- time and turns

    def time(self) -> float:
        return self._at

    def _run_once(self) -> None:
        scheduled, ready = self._scheduled, self._ready
        while scheduled and scheduled[0]._cancelled:
            self._drop_timer()
        if not ready:
            if not scheduled:
                raise EndlessError("nothing can happen any more")
            self._at = max(self._at, scheduled[0].when())
        while scheduled and scheduled[0].when() <= self._at:
            ready.append(self._drop_timer())
        turn = list(ready)
        ready.clear()
        if self._shuffled and len(turn) > 1:
            self._rng.shuffle(turn)
        for handle in turn:
            self._run(handle)

    def _drop_timer(self) -> asyncio.TimerHandle:
        timer: asyncio.TimerHandle = heapq.heappop(self._scheduled)
        timer._scheduled = False  # type: ignore[attr-defined]
        return timer

    def _run(self, handle: Any) -> None:
        if handle._cancelled:
            return
        process = handle._context.get(PROCESS, 0)
        if process:
            if process in self._ended:
                return
            if process in self._paused:
                self._paused[process].append(handle)
                return
        self._turns += 1
        if self._turns > _MOST_TURNS:
            raise EndlessError(f"more than {_MOST_TURNS} turns")
        handle._run()

    # -- processes

    def end(self, process: int) -> None:
        """Kills a process: none of its callbacks runs again."""
        self._ended.add(process)
        self._paused.pop(process, None)

    def has_ended(self, process: int) -> bool:
        """Returns whether a process was killed."""
        return process in self._ended

    def pause(self, process: int) -> None:
        """Stops a process: its callbacks wait for `resume`."""
        if process not in self._ended:
            self._paused.setdefault(process, [])

    def resume(self, process: int) -> None:
        """Lets a stopped process go on."""
        self._ready.extend(self._paused.pop(process, ()))

    # -- threads, of which there are none

    @property
    def turns(self) -> int:
        """The callbacks that have run so far."""
        return self._turns

    @property
    def in_job(self) -> bool:
        """Whether the code that runs now would run on a thread."""
        return self._in_job

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """Does the work of a thread a little later, in one turn."""
        future = self.create_future()

        def work() -> None:
            self._in_job = True
            try:
                result = func(*args)
            except Exception as error:
                if not future.cancelled():
                    future.set_exception(error)
            else:
                if not future.cancelled():
                    future.set_result(result)
            finally:
                self._in_job = False

        self.call_later(self._rng.random() * 0.002, work)
        return future

    def call_soon_threadsafe(self, callback: Callable[..., Any], *args: Any, context: Any = None) -> asyncio.Handle:  # type: ignore[override]
        """From the work of a thread, which waits for the answer: runs the callback and all that follows, at once."""
        if not self._in_job:
            return self.call_soon(callback, *args, context=context)
        outer = self._ready
        inner: collections.deque[asyncio.Handle] = collections.deque()
        self._ready = inner
        try:
            handle = self.call_soon(callback, *args, context=context)
            while inner:
                each: Any = inner.popleft()
                if not each._cancelled:
                    each._run()
        finally:
            self._ready = outer
        return handle

    def _write_to_self(self) -> None:
        """Wakes nothing: there is one thread."""

    def _note(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.errors.append(f"{context.get('message')}: {error!r}")

    def _new_task(self, _loop: asyncio.AbstractEventLoop, work: Any, context: Any = None) -> asyncio.Task[Any]:
        task = asyncio.Task(work, loop=self, context=context)
        self._tasks.append(task)
        return task

    def close(self) -> None:
        """Closes the loop, and ends the coroutines that will never run again, so that nothing complains about them."""
        for task in reversed(self._tasks):
            if not task.done():
                task._log_destroy_pending = False
                with contextlib.suppress(BaseException):
                    task.get_coro().close()
        self._tasks.clear()
        super().close()
