"""The watchdog of the event loop: it logs what held the loop, so that nobody has to guess why all clients waited."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
import traceback
from types import FrameType

_LOG = logging.getLogger("squall.watchdog")
_EVERY = 0.1
_FRAMES = 6


class Watchdog:
    """Measures from a thread how long the event loop takes to answer.

    If it takes more than `limit` seconds, the log names the task (a request, or the row of a queue), the lines of code
    that it was in, and the time. The code is missing if one call of C code held the interpreter all the time.
    """

    def __init__(self, limit: float = 0.25) -> None:
        self._limit = limit
        self._stop = threading.Event()

    async def run(self) -> None:
        """Watches the running loop until cancelled."""
        loop = asyncio.get_running_loop()
        thread = threading.Thread(target=self._watch, args=(loop, threading.get_ident()), name="watchdog", daemon=True)
        thread.start()
        try:
            await loop.create_future()
        finally:
            self._stop.set()

    def _watch(self, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        while True:
            # The time of the wait counts, too: a call of C code that holds the interpreter delays this thread as well.
            began = time.monotonic() + _EVERY
            if self._stop.wait(_EVERY):
                return
            answered = threading.Event()
            try:
                loop.call_soon_threadsafe(answered.set)
            except RuntimeError:
                return  # the loop is closed
            task, code = "", ""
            if not answered.wait(self._limit):
                task, code = _name(asyncio.current_task(loop)), _code(sys._current_frames().get(thread))
                while not answered.wait(_EVERY):
                    if self._stop.is_set():
                        return
            seconds = time.monotonic() - began
            if seconds > self._limit:
                _LOG.warning(
                    "the event loop was held", extra={"seconds": round(seconds, 3), "task": task, "code": code}
                )


def _name(task: asyncio.Task[object] | None) -> str:
    return task.get_name() if task is not None else ""


def _code(frame: FrameType | None) -> str:
    """Returns the innermost lines of code of a thread, outermost first."""
    if frame is None:
        return ""
    stack = traceback.extract_stack(frame)[-_FRAMES:]
    return " > ".join(f"{each.filename.rpartition('/')[2]}:{each.lineno} {each.name}" for each in stack)
