"""A ring of the latest events and output. Each listener reads it with its own cursor, so slow ones cost no memory."""

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
    """One event, or some records of one tree. `row` is the last event row up to this item."""

    row: int
    event: Event | None
    records: tuple[Record, ...]


class Cursor:
    """One listener's place in the ring: `number` is the next item's number, `row` the last event row it has read."""

    def __init__(self, ring: Ring, number: int, row: int) -> None:
        self._ring = ring
        self.number = number
        self.row = row

    async def next(self, timeout: float) -> tuple[list[Item], bool]:
        """Returns the next items, and whether items had left the ring before. Waits up to `timeout` seconds for one."""
        items, lost, self.number = await self._ring.take(self.number, timeout)
        return items, lost


class Ring:
    """The latest items, up to 32 MiB. Use it on one event loop."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._first = 0
        self._size = 0
        self._waiting: set[asyncio.Future[None]] = set()
        self._stopped = False

    @property
    def end(self) -> int:
        """The number that the next new item will have."""
        return self._first + len(self._items)

    def stop(self) -> None:
        """Wakes every listener. From now on no listener waits."""
        self._stopped = True
        self._wake()

    def clear(self) -> None:
        """Removes all items. Call it only without listeners."""
        self._first += len(self._items)
        self._items.clear()
        self._size = 0

    def append(self, item: Item) -> None:
        """Adds an item, removes the oldest items if the ring is full, and wakes waiting listeners."""
        self._items.append(item)
        self._size += _size(item)
        while self._size > _RING_BYTES and len(self._items) > 1:
            oldest = self._items.popleft()
            self._first += 1
            self._size -= _size(oldest)
        self._wake()

    async def take(self, number: int, timeout: float) -> tuple[list[Item], bool, int]:
        """Returns items from `number` on, whether items had left the ring before, and the number of the next item.

        Waits up to `timeout` seconds for an item.
        """
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
        """Returns the lag at `now` (µs) of a listener whose next item is `number`: the age of that item (ms), and the
        bytes that wait in the ring."""
        start = max(number - self._first, 0)
        waiting = list(self._items)[start:]
        if not waiting:
            return 0, 0
        first = waiting[0]
        time = first.event.at if first.event is not None else first.records[0].time
        return max(0, now - time) // 1000, sum(_size(item) for item in waiting)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)


def _size(item: Item) -> int:
    """Returns the bytes that an item counts for in the ring."""
    return sum(len(record.payload) for record in item.records) if item.records else _EVENT_BYTES
