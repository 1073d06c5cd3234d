"""Calls a function of the event loop at SIGTERM or SIGINT, however busy the loop is."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from types import FrameType

STOPPING = (signal.SIGTERM, signal.SIGINT)
"""The signals that stop the server."""


def call_at_stop(loop: asyncio.AbstractEventLoop, stop: Callable[[], object]) -> None:
    """Calls `stop` on the running `loop` at each of the signals `STOPPING`. Call this on the main thread.

    The loop's own handlers read the signal's number from the socket by which threads wake the loop. If threads have
    woken a busy loop very often, that socket is full, and the number is lost. So this uses Python's handlers, and the
    socket only wakes the loop.
    """

    def handle(_number: int, _frame: FrameType | None) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop)

    for number in STOPPING:
        loop.add_signal_handler(number, _ignore)
        signal.signal(number, handle)
    # A full socket is no fault then.
    signal.set_wakeup_fd(signal.set_wakeup_fd(-1), warn_on_full_buffer=False)


def _ignore() -> None:
    """Does nothing: the handler of Python calls `stop`."""
