"""The latest of everything, for all who listen: each reads with a cursor of its own, so a slow one costs no memory."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import NamedTuple

from squall.core.event.events import Event
from squall.core.output.journal import Record

_RING_BYTES = 32 << 20
_EVENT_BYTES = 512
_READ = 512


class Item(NamedTuple):
    """One change, or some records of one tree; `row` is the event row reached with it."""

    row: int
    event: Event | None
    records: tuple[Record, ...]


class Cursor:
    """One listener's place in the ring: `number` is that of the next item to read, `row` the event row reached."""

    def __init__(self, ring: Ring, number: int, row: int) -> None:
        self._ring = ring
        self.number = number
        self.row = row

    async def next(self, timeout: float) -> tuple[list[Item], bool]:
        """What came since, waiting up to `timeout` seconds, and whether something had left the ring before."""
        items, lost, self.number = await self._ring.take(self.number, timeout)
        return items, lost


class Ring:
    """The latest items, as many as fit into some MiB. Use it on one event loop."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._first = 0
        self._size = 0
        self._waiting: set[asyncio.Future[None]] = set()
        self._stopped = False

    @property
    def end(self) -> int:
        """The number of the next item that will come."""
        return self._first + len(self._items)

    def stop(self) -> None:
        """Wakes every listener; from now on none waits."""
        self._stopped = True
        self._wake()

    def clear(self) -> None:
        """Forgets all items; nobody listens."""
        self._first += len(self._items)
        self._items.clear()
        self._size = 0

    def append(self, item: Item) -> None:
        """Adds an item, lets the oldest go, and wakes those who wait."""
        self._items.append(item)
        self._size += _size(item)
        while self._size > _RING_BYTES and len(self._items) > 1:
            gone = self._items.popleft()
            self._first += 1
            self._size -= _size(gone)
        self._wake()

    async def take(self, number: int, timeout: float) -> tuple[list[Item], bool, int]:
        """Some items from `number` on, waiting up to `timeout` seconds for one; whether something had left the ring
        before; and the number of the next one."""
        if number >= self.end and not self._stopped:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(future)
            try:
                async with asyncio.timeout(timeout):
                    await future
            except TimeoutError:
                return [], False, number
            finally:
                self._waiting.discard(future)
        lost = number < self._first
        start = max(number, self._first) - self._first
        # A slice of a deque walks it, which is fine for the few items a listener is behind.
        items = [self._items[index] for index in range(start, min(len(self._items), start + _READ))]
        return items, lost, self._first + start + len(items)

    def behind(self, number: int, now: int) -> tuple[int, int]:
        """How far a listener whose next item is `number` is behind at `now` (µs): ms since that item came to be, and
        bytes that wait in the ring."""
        start = max(number - self._first, 0)
        waiting = list(self._items)[start:]
        if not waiting:
            return 0, 0
        first = waiting[0]
        came = first.event.at if first.event is not None else first.records[0].time
        return max(0, now - came) // 1000, sum(_size(item) for item in waiting)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)


def _size(item: Item) -> int:
    """What an item counts for in the ring, in bytes."""
    return sum(len(record.payload) for record in item.records) if item.records else _EVENT_BYTES
