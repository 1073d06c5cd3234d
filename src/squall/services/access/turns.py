"""The turns of password checks: a few at once, in an order in which guessers cannot keep a user waiting."""

from __future__ import annotations

import asyncio
import heapq
import os
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from squall.core.errors import TooManyError

_MOST_WAITING = 8
"""The most checks of one address that wait."""
_RETRY_AFTER = 2
_NICE = (10, 5, 0)
"""The niceness of the checks of everybody, of addresses without failures, and of known users. On a busy machine a check
that shares a processor with those of guessers would take several times as long."""
_KEPT = 2
"""Threads beside those for everybody: one for addresses without failures and for known users, one for known users."""


class _Place(NamedTuple):
    """The place of a check in the line; the smallest place has the next turn.

    `load` counts the address's failures and its other checks that run or wait. `arrival` falls from one check to the
    next: the latest comes first among equals. A user at a new address thus waits for one check at most, and not for
    everybody who guessed before from another new address.
    """

    is_unknown: bool
    load: int
    arrival: int

    @property
    def kept(self) -> int:
        """The number of threads that this check may use beside those for everybody."""
        if not self.is_unknown:
            return _KEPT
        return 0 if self.load else 1


class Turns:
    """Runs checks in threads, `most` at once and `_KEPT` more for those that go first: users that have logged in from
    their address before, then addresses with few failures and few checks. The others have the lowest priority."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._running = 0
        self._threads = [
            ThreadPoolExecutor(most + kept, "passwords", partial(_step_back, nice)) for kept, nice in enumerate(_NICE)
        ]
        self._line: list[tuple[_Place, str, asyncio.Future[None]]] = []
        self._waiting: Counter[str] = Counter()
        self._present: Counter[str] = Counter()
        self._arrivals = 0

    def __len__(self) -> int:
        """Returns the number of checks that wait."""
        return self._waiting.total()

    async def check(self, address: str, is_known: bool, failures: int, check: Callable[[], bool]) -> bool:
        """Returns what `check` returns. `failures` are those of the address in recent time. If it is cancelled while
        it waits, the check is never made. Raises `TooManyError` if too many of the address wait already."""
        self._arrivals += 1
        place = _Place(not is_known, failures + self._present[address], -self._arrivals)
        self._present[address] += 1
        try:
            await self._enter(place, address)
            # A thread cannot be cancelled: its turn ends when it does.
            running = asyncio.get_running_loop().run_in_executor(self._threads[place.kept], check)
            running.add_done_callback(self._done)
            return await asyncio.shield(running)
        finally:
            _subtract(self._present, address)

    async def _enter(self, place: _Place, address: str) -> None:
        """Waits for the turn of a check."""
        if self._is_free_for(place):
            self._running += 1
            return
        if self._waiting[address] >= _MOST_WAITING:
            raise TooManyError(f"Too many attempts to log in from {address} at once. Try again.", _RETRY_AFTER)
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._line, (place, address, turn))
        self._waiting[address] += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                _subtract(self._waiting, address)
                self._forget_cancelled()
            else:
                self._running -= 1
                self._give()
            raise

    def _is_free_for(self, place: _Place) -> bool:
        return self._running < self._most + place.kept

    def _done(self, check: asyncio.Future[bool]) -> None:
        if not check.cancelled():
            # Whoever waited for it may have gone; then nobody else takes its error.
            check.exception()
        self._running -= 1
        self._give()

    def _give(self) -> None:
        """Gives free turns to the first ones in the line."""
        while self._line:
            place, address, turn = self._line[0]
            if not turn.cancelled():
                if not self._is_free_for(place):
                    return
                self._running += 1
                _subtract(self._waiting, address)
                turn.set_result(None)
            heapq.heappop(self._line)

    def _forget_cancelled(self) -> None:
        """Keeps the line as short as twice the checks that wait."""
        if len(self._line) > 2 * len(self) + _MOST_WAITING:
            self._line = [entry for entry in self._line if not entry[2].cancelled()]
            heapq.heapify(self._line)


def _subtract(counts: Counter[str], address: str) -> None:
    counts[address] -= 1
    if not counts[address]:
        del counts[address]


def _step_back(nice: int) -> None:
    """Lowers the priority of this thread: a check keeps a processor busy on purpose, and the server answers others."""
    thread = threading.get_native_id()
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, thread, max(nice, os.getpriority(os.PRIO_PROCESS, thread)))
