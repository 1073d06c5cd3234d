"""The parts of a sealed journal's file, row or object, and a cache of decompressed blocks."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable

from squall.core.output import sealed

CACHED_BLOCKS = 128


class DamagedError(OSError):
    """A stored journal is damaged: its bytes are not those that were written."""


class BlockCache:
    """A cache of the `blocks` decompressed blocks that were used last. Several sources share one cache."""

    def __init__(self, blocks: int = CACHED_BLOCKS) -> None:
        self._most = blocks
        self._lock = threading.Lock()
        self._blocks: OrderedDict[tuple[int, int], bytes] = OrderedDict()

    def get(self, key: tuple[int, int]) -> bytes | None:
        """Returns one block; None if the cache does not hold it."""
        with self._lock:
            block = self._blocks.get(key)
            if block is not None:
                self._blocks.move_to_end(key)
            return block

    def put(self, key: tuple[int, int], block: bytes) -> None:
        """Stores a block, and drops the blocks that were not used for the longest time."""
        with self._lock:
            self._blocks[key] = block
            while len(self._blocks) > self._most:
                self._blocks.popitem(last=False)

    def forget(self, owner: int) -> None:
        """Drops the blocks of one owner."""
        with self._lock:
            for key in [key for key in self._blocks if key[0] == owner]:
                del self._blocks[key]


class Container:
    """A sealed journal's file, row or blob: `read(at, length)` returns its bytes, `size` is their number. If `read`
    takes the index from a copy, `original` reads the bytes themselves.

    Raises `sealed.NotSealedError` if the bytes are not a sealed journal.
    """

    def __init__(
        self, read: Callable[[int, int], bytes], size: int, original: Callable[[int, int], bytes] | None = None
    ) -> None:
        self.read = read
        self.original = original or read
        self.size = size
        table = sealed.table_size(read(size - sealed.FOOTER_SIZE, sealed.FOOTER_SIZE))
        last = read(size - sealed.FOOTER_SIZE - sealed.ENTRY_SIZE, sealed.ENTRY_SIZE)
        self.index_at = size - table - sealed.index_size(last)
        self.table_at = size - table
        head_size = sealed.HEAD_SIZE + sealed.INDEX_HEAD_SIZE
        if self.index_at < 0:
            raise sealed.NotSealedError("its seek table is not right")
        self.head = sealed.unpack_head(read(self.index_at, head_size))
        self._body_at = self.index_at + sealed.HEAD_SIZE

    def block(self, number: int) -> sealed.Block:
        """Returns the index entry of a block."""
        at = self._body_at + self.head.blocks_at + number * sealed.BLOCK_ENTRY_SIZE
        return sealed.unpack_block(self.read(at, sealed.BLOCK_ENTRY_SIZE))

    def frame(self, number: int) -> bytes:
        """Returns the compressed bytes of a block."""
        at = self.block(number).at
        end = self.block(number + 1).at if number + 1 < self.head.blocks else self.index_at
        if not at <= end <= self.index_at:
            raise DamagedError(f"the index of the sealed journal is damaged: block {number} has no place")
        return self.read(at, end - at)

    def entry(self, number: int) -> sealed.Entry:
        """Returns the index entry of an execution, by its number in the index."""
        at = self._body_at + self.head.executions_at + number * sealed.EXECUTION_ENTRY_SIZE
        return sealed.unpack_entry(self.read(at, sealed.EXECUTION_ENTRY_SIZE))

    def marks(self, entry: sealed.Entry) -> array[int]:
        """Returns the offsets of the record starts that an execution's entry names. Raises `NotSealedError`."""
        if self._body_at + self.head.marks_at + 8 * (entry.mark + entry.marks) > self.table_at:
            raise sealed.NotSealedError("its index names more marks than it has")
        starts = array("Q")
        starts.frombytes(self.read(self._body_at + self.head.marks_at + 8 * entry.mark, 8 * entry.marks))
        return starts

    def find(self, execution: str) -> sealed.Entry | None:
        """Finds an execution's index entry by bisection. Returns None if there is no such entry."""
        number = bisect_left(range(self.head.executions), execution, key=lambda at: self.entry(at).execution)
        if number < self.head.executions and (entry := self.entry(number)).execution == execution:
            return entry
        return None
