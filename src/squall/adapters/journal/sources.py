"""The sources of a journal's bytes: its own file, a sealed file, a row, or an object in a blob store. Readers get the
same bytes at the same offsets from each.

A source needs no event loop: any thread may use it, and so may programs other than the server.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from squall.adapters.journal.container import BlockCache, Container, DamagedError
from squall.core.errors import GoneError, SquallError
from squall.core.output import journal, sealed
from squall.ports import BLOB, FILE, LIVE, Blobs, SealRows

_ATTEMPTS = 3


class Source(Protocol):
    """The bytes of one tree's journal. `committed` may grow until the journal is sealed; the bytes below it never
    change. `nonce` and `seed` check its frames."""

    tree: str
    nonce: bytes
    seed: int
    place: str

    @property
    def committed(self) -> int:
        """The current number of readable bytes."""
        ...

    @property
    def closing(self) -> int:
        """The offset of the closing index record; 0 if there is none."""
        ...

    def pread(self, at: int, length: int) -> bytes | memoryview:
        """Returns `length` bytes from offset `at` on; fewer only at the end. Raises `OSError`; `GoneError` if the
        journal has been removed meanwhile."""
        ...

    def pread_now(self, at: int, length: int) -> bytes | memoryview:
        """Returns the same bytes as `pread`. Raises `BlockingIOError` if not all of them are in memory."""
        ...

    def chain(self, execution: str) -> tuple[int, array[int] | None]:
        """Returns the offset of the execution's last record (0 if it has none, -1 if unknown), and the offsets of some
        of its records, which include the last one (None if unknown)."""
        ...

    def stale(self) -> bool:
        """Returns True if the journal has moved to another place and must be opened again."""
        ...

    def close(self) -> None:
        """Closes the file and drops the cached blocks."""
        ...


class LiveSource:
    """`Source` of a journal's own file. `opened` is the header at the time of opening."""

    place = LIVE

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        header = self.opened = journal.unpack_header(os.pread(descriptor, journal.HEADER_SIZE, 0))
        self.tree = header.tree
        self.nonce = header.nonce
        self.seed = journal.checksum_seed(header.nonce)

    def commit(self) -> tuple[int, int]:
        """Returns the current committed length and the offset of the closing index record."""
        return journal.unpack_commit(os.pread(self._descriptor, 16, journal.COMMIT_OFFSET))

    @property
    def committed(self) -> int:
        """The current committed length."""
        return self.commit()[0]

    @property
    def closing(self) -> int:
        """The offset of the closing index record; 0 if there is none."""
        return self.commit()[1]

    def pread(self, at: int, length: int) -> bytes:
        """Reads from memory or from the disk."""
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
        """Looks the execution up in the closing index record."""
        if not (closing := self.closing):
            return -1, None
        data = self.pread(closing, journal.frame_length(self.pread(closing, journal.FRAME_SIZE)))
        record = journal.unpack_frame(memoryview(data), 0, closing)
        return (journal.unpack_index(record.payload).get(execution, 0) if record is not None else -1), None

    def stale(self) -> bool:
        """Returns True if the file has been sealed or removed."""
        return os.fstat(self._descriptor).st_nlink == 0

    def close(self) -> None:
        """Closes the file."""
        os.close(self._descriptor)


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
        head = container.head
        self.tree = head.tree
        self.nonce = head.nonce
        self.seed = journal.checksum_seed(head.nonce)
        self.closing = head.closing

    @property
    def committed(self) -> int:
        """The length of the original journal, in bytes."""
        return self.container.head.size

    @property
    def digest(self) -> str:
        """The SHA-256 (hex) of the journal when it was sealed."""
        return self.container.head.digest.hex()

    def _load(self, number: int) -> bytes:
        """Returns one decompressed block, and caches it. Raises `OSError` if it is damaged."""
        if (block := self._cache.get((id(self), number))) is not None:
            return block
        block = self.decompress(number)
        self._cache.put((id(self), number), block)
        return block

    def decompress(self, number: int) -> bytes:
        """Reads and decompresses one block without the cache. Raises `OSError` if it is damaged."""
        # The first read of a sealed journal loads the library, so an idle server needs less memory.
        from backports.zstd import ZstdDecompressor, ZstdError

        head = self.container.head
        expected_size = min(head.block, head.size - number * head.block)
        try:
            block = ZstdDecompressor().decompress(self.container.frame(number))
        except (ZstdError, EOFError) as error:
            raise DamagedError(f"block {number} of the sealed journal is damaged: {error}") from error
        if len(block) != expected_size:
            raise DamagedError(
                f"block {number} of the sealed journal has {len(block)} bytes instead of {expected_size}"
            )
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
        """Reads bytes. Blocks that are not in memory are loaded and decompressed."""
        return self._collect(at, length, self._load)

    def pread_now(self, at: int, length: int) -> bytes | memoryview:
        """Reads bytes of blocks that are in memory. Raises `BlockingIOError` for other blocks."""

        def load(number: int) -> bytes:
            block = self._cache.get((id(self), number))
            if block is None:
                raise BlockingIOError
            return block

        return self._collect(at, length, load)

    def chain(self, execution: str) -> tuple[int, array[int] | None]:
        """Looks the execution up in the index."""
        entry = self.container.find(execution)
        return (entry.tail, self.container.marks(entry)) if entry is not None else (0, None)

    def close(self) -> None:
        """Closes the file and drops the cached blocks."""
        self._cache.forget(id(self))
        self._close()


class Sources:
    """Opens journals: files below `root`, or sealed ones in `rows` and `blobs`."""

    def __init__(
        self, root: Path, rows: SealRows | None = None, blobs: Callable[[], Blobs | None] | None = None
    ) -> None:
        self._root = root
        self._rows = rows
        self._blobs = blobs
        self._cache = BlockCache()

    def open(self, tree: str) -> Source | None:
        """Opens the tree's journal. Returns None if there is none. Raises `OSError`; `GoneError` if the journal is
        removed at the same time."""
        for _ in range(_ATTEMPTS):
            # A move puts the journal in its new place before it removes the old one. If the journal moves between these
            # looks, the next attempt finds it.
            for open_place in (self._open_live, self._open_file, self._open_row):
                if (source := open_place(tree)) is not None:
                    return source
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
            # The header is damaged, or an older writer has not written it yet.
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
        except sealed.NotSealedError as error:
            os.close(descriptor)
            raise DamagedError(f"{sealed.file_name(tree)} is damaged: {error}") from error

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
        except sealed.NotSealedError as error:
            raise DamagedError(f"the sealed journal of {tree} is damaged: {error}") from error

    def _blob_reader(self, tree: str, stored: int, tail: bytes) -> Callable[[int, int], bytes]:
        """Returns a reader of a journal in the blob store. Reads its index and seek table, which are needed often, from
        its row."""
        key = sealed.file_name(tree)
        tail_at = stored - len(tail)

        def read(at: int, length: int) -> bytes:
            if at >= tail_at:
                return tail[at - tail_at : at - tail_at + length]
            blobs = self._blobs() if self._blobs is not None else None
            if blobs is None:
                raise OSError(
                    f"the journal of {tree} is in a blob store, but no blob store is configured: set storage.blobs"
                )
            try:
                return blobs.read(key, at, length)
            except FileNotFoundError as error:
                raise GoneError(f'The output of execution "{tree}" is no longer kept.') from error

        return read


def open_source(
    root: Path, tree: str, rows: SealRows | None = None, blobs: Callable[[], Blobs | None] | None = None
) -> Source:
    """Opens the journal of `tree`, for reading without an event loop in any process. `root` is the folder of journals;
    `rows` and `blobs` find journals that are not files.

    Raises `FileNotFoundError` if there is no journal, and other kinds of `OSError`.
    """
    source = Sources(root, rows, blobs).open(tree)
    if source is None:
        raise FileNotFoundError(f"there is no journal of {tree}")
    return source


def close_quietly(source: Source) -> None:
    """Closes a source. Ignores the errors of a damaged one."""
    with suppress(OSError, SquallError):
        source.close()
