"""The turns of password checks: a few at once, the addresses in turn, and a line that nobody can fill for others."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeAlias

from squall.core.errors import TooManyError

_MOST_WAITING = 8
"""The most checks of one address that wait."""
_RETRY_AFTER = 2
_NICE = 10

_Line: TypeAlias = OrderedDict[str, deque[asyncio.Future[None]]]


class Turns:
    """Runs checks in threads of low priority, `most` at once. Those that wait get their turn by address, one of each
    address after the other; those of known users go first."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._threads = ThreadPoolExecutor(most, "passwords", _step_back)
        self._known: _Line = OrderedDict()
        self._others: _Line = OrderedDict()

    async def check(self, address: str, is_known: bool, check: Callable[[], bool]) -> bool:
        """Returns what `check` returns. If it is cancelled while it waits, the check is never made. Raises
        `TooManyError` if too many of the address wait already."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(self._known if is_known else self._others, address)
        # A thread cannot be cancelled: its turn ends when it does.
        running = asyncio.get_running_loop().run_in_executor(self._threads, check)
        running.add_done_callback(self._done)
        return await asyncio.shield(running)

    async def _wait(self, line: _Line, address: str) -> None:
        if len(line.get(address, ())) >= _MOST_WAITING:
            raise TooManyError(f"Too many attempts to log in from {address} at once. Try again.", _RETRY_AFTER)
        turn = asyncio.get_running_loop().create_future()
        line.setdefault(address, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._next()
            else:
                self._leave(line, address, turn)
            raise

    @staticmethod
    def _leave(line: _Line, address: str, turn: asyncio.Future[None]) -> None:
        turns = line.get(address, deque())
        with suppress(ValueError):
            turns.remove(turn)
        if not turns:
            line.pop(address, None)

    def _done(self, check: asyncio.Future[bool]) -> None:
        if not check.cancelled():
            # Whoever waited for it may have gone; then nobody else takes its error.
            check.exception()
        self._next()

    def _next(self) -> None:
        """Gives a free turn to the address that has waited longest."""
        for line in (self._known, self._others):
            while line:
                address, turns = line.popitem(last=False)
                turn = turns.popleft()
                if turns:
                    line[address] = turns
                if not turn.done():
                    turn.set_result(None)
                    return
        self._free += 1


def _step_back() -> None:
    """Lowers the priority of this thread: a check keeps a processor busy on purpose, and the server answers others."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
