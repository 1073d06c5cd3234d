"""Where a journal's bytes come from: its own file, a sealed file, a row, or a blob store. To all who read, they are the
same bytes at the same offsets.

A source needs no event loop: everything here may be used on any thread, and in programs beside the server.
"""

from __future__ import annotations

import os
import threading
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from squall.core import journal, sealed
from squall.core.errors import GoneError, SquallError
from squall.ports import BLOB, FILE, LIVE, Blobs, SealRows

CACHED_BLOCKS = 64
_LOOKS = 3


class Source(Protocol):
    """The bytes of one tree's journal. `committed` may grow for as long as the journal is not sealed; what lies below
    it never changes. `nonce` and `seed` check its frames."""

    tree: str
    nonce: bytes
    seed: int
    place: str

    @property
    def committed(self) -> int:
        """How many bytes may be read, now."""
        ...

    @property
    def closing(self) -> int:
        """Where the closing index record starts; 0 if there is none."""
        ...

    def pread(self, at: int, length: int) -> bytes | memoryview:
        """`length` bytes from offset `at` on; fewer only at the end. Raises `OSError`, and `GoneError` when the journal
        has been removed meanwhile."""
        ...

    def pread_now(self, at: int, length: int) -> bytes | memoryview:
        """As `pread`, of what is in memory. Raises `BlockingIOError` when that is not all of it."""
        ...

    def chain(self, execution: str) -> tuple[int, array[int] | None]:
        """Where the execution's last record starts (0 if it has none, -1 if that is not known) and the starts of some
        of its records, the last one's among them (None if not known)."""
        ...

    def stale(self) -> bool:
        """Whether the journal is elsewhere by now, and should be opened again."""
        ...

    def close(self) -> None:
        """Gives back what it holds."""
        ...


class LiveSource:
    """`Source` of a journal's own file."""

    place = LIVE

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        header = journal.unpack_header(os.pread(descriptor, journal.HEADER_SIZE, 0))
        self.tree = header.tree
        self.nonce = header.nonce
        self.seed = journal.checksum_seed(header.nonce)

    def commit(self) -> tuple[int, int]:
        """Committed length and start of the closing index record, as they are now."""
        return journal.unpack_commit(os.pread(self._descriptor, 16, journal.COMMIT_OFFSET))

    @property
    def committed(self) -> int:
        """The committed length as it is now."""
        return self.commit()[0]

    @property
    def closing(self) -> int:
        """Where the closing index record starts."""
        return self.commit()[1]

    def pread(self, at: int, length: int) -> bytes:
        """Reads, from the disk if need be."""
        return os.pread(self._descriptor, length, at)

    def pread_now(self, at: int, length: int) -> memoryview:
        """Reads from memory."""
        buffer = bytearray(length)
        try:
            count = os.preadv(self._descriptor, [buffer], at, os.RWF_NOWAIT)
        except OSError as error:
            raise BlockingIOError from error
        if count < length:
            raise BlockingIOError
        return memoryview(buffer)

    def chain(self, execution: str) -> tuple[int, array[int] | None]:
        """What the closing index record says."""
        if not (closing := self.closing):
            return -1, None
        data = self.pread(closing, journal.frame_length(self.pread(closing, journal.FRAME_SIZE)))
        record = journal.unpack_frame(memoryview(data), 0, closing)
        return (journal.unpack_index(record.payload).get(execution, 0) if record is not None else -1), None

    def stale(self) -> bool:
        """Whether the file has been sealed or removed."""
        return os.fstat(self._descriptor).st_nlink == 0

    def close(self) -> None:
        """Closes the file."""
        os.close(self._descriptor)


class BlockCache:
    """Decompressed blocks, the last used ones of all who share it."""

    def __init__(self, blocks: int = CACHED_BLOCKS) -> None:
        self._most = blocks
        self._lock = threading.Lock()
        self._blocks: OrderedDict[tuple[int, int], bytes] = OrderedDict()

    def get(self, key: tuple[int, int]) -> bytes | None:
        """One block."""
        with self._lock:
            found = self._blocks.get(key)
            if found is not None:
                self._blocks.move_to_end(key)
            return found

    def put(self, key: tuple[int, int], block: bytes) -> None:
        """Keeps a block."""
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
    """A sealed journal's file, row or blob: `read(at, length)` gives its bytes, `size` is their number.

    Raises `sealed.NotSealedError` when it is none.
    """

    def __init__(self, read: Callable[[int, int], bytes], size: int) -> None:
        self.read = read
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
        """What the index says of a block."""
        at = self._body_at + self.head.blocks_at + number * sealed.BLOCK_ENTRY_SIZE
        return sealed.unpack_block(self.read(at, sealed.BLOCK_ENTRY_SIZE))

    def frame(self, number: int) -> bytes:
        """The compressed bytes of a block."""
        at = self.block(number).at
        end = self.block(number + 1).at if number + 1 < self.head.blocks else self.index_at
        return self.read(at, end - at)

    def entry(self, number: int) -> sealed.Entry:
        """An execution's entry."""
        at = self._body_at + self.head.executions_at + number * sealed.EXECUTION_ENTRY_SIZE
        return sealed.unpack_entry(self.read(at, sealed.EXECUTION_ENTRY_SIZE))

    def marks(self, entry: sealed.Entry) -> array[int]:
        """The starts that an execution's entry names."""
        found = array("Q")
        found.frombytes(self.read(self._body_at + self.head.marks_at + 8 * entry.mark, 8 * entry.marks))
        return found

    def find(self, execution: str) -> sealed.Entry | None:
        """An execution's entry, by bisection."""
        number = bisect_left(range(self.head.executions), execution, key=lambda at: self.entry(at).execution)
        if number < self.head.executions and (entry := self.entry(number)).execution == execution:
            return entry
        return None


class SealedSource:
    """`Source` of a sealed journal."""

    def __init__(
        self, container: Container, cache: BlockCache, place: str, stale: Callable[[], bool], close: Callable[[], None]
    ) -> None:
        self.container = container
        self.place = place
        self.stale = stale
        self._cache = cache
        self._close = close
        header = journal.unpack_header(bytes(self.pread(0, journal.HEADER_SIZE)))
        self.tree = header.tree
        self.nonce = header.nonce
        self.seed = journal.checksum_seed(header.nonce)
        self.closing = header.closing

    @property
    def committed(self) -> int:
        """The journal's length."""
        return self.container.head.size

    @property
    def digest(self) -> str:
        """The SHA-256 (hex) that was taken when it was sealed."""
        return self.container.head.digest.hex()

    def _load(self, number: int) -> bytes:
        """One block, decompressed. Raises `OSError` when it is damaged."""
        if (found := self._cache.get((id(self), number))) is not None:
            return found
        block = self.decompress(number)
        self._cache.put((id(self), number), block)
        return block

    def decompress(self, number: int) -> bytes:
        """One block from where it is stored, kept nowhere. Raises `OSError` when it is damaged."""
        # Loaded with the first sealed journal that is read: an idle server does without.
        from backports.zstd import ZstdDecompressor, ZstdError

        head = self.container.head
        want = min(head.block, head.size - number * head.block)
        try:
            block = ZstdDecompressor().decompress(self.container.frame(number))
        except (ZstdError, EOFError) as error:
            raise OSError(f"block {number} of the sealed journal is damaged: {error}") from error
        if len(block) != want:
            raise OSError(f"block {number} of the sealed journal has {len(block)} bytes instead of {want}")
        return block

    def _collect(self, at: int, length: int, load: Callable[[int], bytes]) -> bytes | memoryview:
        size, block = self.container.head.size, self.container.head.block
        end = min(at + length, size)
        if at >= end:
            return b""
        first, last = at // block, (end - 1) // block
        if first == last:
            return memoryview(load(first))[at - first * block : end - first * block]
        parts: list[bytes | memoryview] = []
        for number in range(first, last + 1):
            begin = number * block
            parts.append(memoryview(load(number))[max(at - begin, 0) : end - begin])
        return b"".join(parts)

    def pread(self, at: int, length: int) -> bytes | memoryview:
        """Reads and decompresses what is not in memory."""
        return self._collect(at, length, self._load)

    def pread_now(self, at: int, length: int) -> bytes | memoryview:
        """Reads blocks that are in memory."""

        def load(number: int) -> bytes:
            found = self._cache.get((id(self), number))
            if found is None:
                raise BlockingIOError
            return found

        return self._collect(at, length, load)

    def chain(self, execution: str) -> tuple[int, array[int] | None]:
        """What the index says."""
        entry = self.container.find(execution)
        return (entry.tail, self.container.marks(entry)) if entry is not None else (0, None)

    def close(self) -> None:
        """Gives back the file and what is kept in memory."""
        self._cache.forget(id(self))
        self._close()


class Sources:
    """Opens journals below `root`, wherever they are: `rows` and `blobs` are asked for what is no file there."""

    def __init__(
        self, root: Path, rows: SealRows | None = None, blobs: Callable[[], Blobs | None] | None = None
    ) -> None:
        self._root = root
        self._rows = rows
        self._blobs = blobs
        self._cache = BlockCache()

    def open(self, tree: str) -> Source | None:
        """The tree's journal; None if it has none. Raises `OSError`, and `GoneError` when it is removed just now."""
        for _ in range(_LOOKS):
            # Whatever moves a journal has it in its new place before it leaves the old one.
            for place in (self._open_live, self._open_file, self._open_row):
                if (found := place(tree)) is not None:
                    return found
            if not (self._root / journal.file_name(tree)).exists():
                return None
        return None

    def _open_live(self, tree: str) -> Source | None:
        try:
            descriptor = os.open(self._root / journal.file_name(tree), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        try:
            return LiveSource(descriptor)
        except journal.NotAJournalError:
            # Damage, or a header that an older writer has not yet written.
            os.close(descriptor)
            return None

    def _open_file(self, tree: str) -> Source | None:
        try:
            descriptor = os.open(self._root / sealed.file_name(tree), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        live = self._root / journal.file_name(tree)
        try:
            container = Container(lambda at, length: os.pread(descriptor, length, at), os.fstat(descriptor).st_size)
            return SealedSource(
                container,
                self._cache,
                FILE,
                lambda: os.fstat(descriptor).st_nlink == 0 or live.exists(),
                lambda: os.close(descriptor),
            )
        except (sealed.NotSealedError, journal.NotAJournalError) as error:
            os.close(descriptor)
            raise OSError(f"{sealed.file_name(tree)} is damaged: {error}") from error

    def _open_row(self, tree: str) -> Source | None:
        row = self._rows.get(tree) if self._rows is not None else None
        if row is None:
            return None
        live = self._root / journal.file_name(tree)
        body = row.body
        try:
            if row.seal.place == BLOB:
                container = Container(self._blob_reader(tree, row.seal.stored, body), row.seal.stored)
            else:
                container = Container(lambda at, length: body[at : at + length], len(body))
            return SealedSource(container, self._cache, row.seal.place, live.exists, lambda: None)
        except (sealed.NotSealedError, journal.NotAJournalError) as error:
            raise OSError(f"the sealed journal of {tree} is damaged: {error}") from error

    def _blob_reader(self, tree: str, stored: int, tail: bytes) -> Callable[[int, int], bytes]:
        """Reads a journal in the blob store; its index and seek table, which are looked into often, are in its row."""
        key = sealed.file_name(tree)
        tail_at = stored - len(tail)

        def read(at: int, length: int) -> bytes:
            if at >= tail_at:
                return tail[at - tail_at : at - tail_at + length]
            blobs = self._blobs() if self._blobs is not None else None
            if blobs is None:
                raise OSError(f"the journal of {tree} is in a blob store, and no blob store is set (storage.blobs)")
            try:
                return blobs.read(key, at, length)
            except FileNotFoundError as error:
                raise GoneError(f'The output of execution "{tree}" is no longer kept.') from error

        return read


def open_source(
    root: Path, tree: str, rows: SealRows | None = None, blobs: Callable[[], Blobs | None] | None = None
) -> Source:
    """The journal of `tree` below the folder of journals, for reading without an event loop, in any process.

    `rows` and `blobs` find what is no file there. Raises `FileNotFoundError` when there is no journal, and `OSError`.
    """
    found = Sources(root, rows, blobs).open(tree)
    if found is None:
        raise FileNotFoundError(f"there is no journal of {tree}")
    return found


def close_quietly(source: Source) -> None:
    """Closes what may be damaged."""
    with suppress(OSError, SquallError):
        source.close()
