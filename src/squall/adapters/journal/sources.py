"""Where a journal's bytes come from: its own file, a sealed file, a row, or a blob store. To all who read, they are the
same bytes at the same offsets.

A source needs no event loop: everything here may be used on any thread, and in programs beside the server.
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
    """`Source` of a journal's own file; `opened` is its header as it was then."""

    place = LIVE

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        header = self.opened = journal.unpack_header(os.pread(descriptor, journal.HEADER_SIZE, 0))
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
            raise DamagedError(f"block {number} of the sealed journal is damaged: {error}") from error
        if len(block) != want:
            raise DamagedError(f"block {number} of the sealed journal has {len(block)} bytes instead of {want}")
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
