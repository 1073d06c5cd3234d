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
from squall.adapters.journal.live import LiveSource
from squall.core.errors import GoneError, SquallError
from squall.core.output import journal, sealed
from squall.ports import BLOB, FILE, Blobs, SealRows

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
        self._damaged: dict[int, str] = {}

    @property
    def committed(self) -> int:
        """The length of the original journal, in bytes."""
        return self.container.head.size

    @property
    def digest(self) -> str:
        """The SHA-256 (hex) of the journal when it was sealed."""
        return self.container.head.digest.hex()

    def _load(self, number: int) -> bytes:
        """Returns one decompressed block, and caches it. A damaged block reads as zeros, which are no records, so that
        readers are told of a gap and get what follows it. Raises `OSError`."""
        if (block := self._cache.get((id(self), number))) is not None:
            return block
        try:
            block = self.decompress(number)
        except DamagedError as error:
            self._damaged[number] = str(error)
            head = self.container.head
            return bytes(min(head.block, head.size - number * head.block))
        self._cache.put((id(self), number), block)
        return block

    def faults(self) -> list[str]:
        """Returns what was wrong with the blocks that were read."""
        return list(self._damaged.values())

    def decompress(self, number: int) -> bytes:
        """Reads and decompresses one block without the cache. Raises `OSError` if it is damaged."""
        # The first read of a sealed journal loads the library, so an idle server needs less memory.
        from backports.zstd import ZstdDecompressor, ZstdError

        head = self.container.head
        expected_size = min(head.block, head.size - number * head.block)
        try:
            block = ZstdDecompressor().decompress(self.container.frame(number), expected_size + 1)
        except (ZstdError, EOFError, sealed.NotSealedError) as error:
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
        try:
            entry = self.container.find(execution)
            return (entry.tail, self.container.marks(entry)) if entry is not None else (0, None)
        except sealed.NotSealedError:
            return -1, None

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
        """Opens the tree's journal. Returns None if there is none. Raises `OSError`; `DamagedError` if what there is
        is damaged as a whole; `GoneError` if the journal is removed at the same time."""
        damage: DamagedError | None = None
        for _ in range(_ATTEMPTS):
            # A move puts the journal in its new place before it removes the old one. If the journal moves between these
            # looks, the next attempt finds it.
            damage = None
            for open_place in (self._open_live, self._open_file, self._open_row):
                try:
                    if (source := open_place(tree)) is not None:
                        return source
                except DamagedError as error:
                    damage = damage or error
            if not (self._root / journal.file_name(tree)).exists():
                break
        if damage is None and (live := self._root / journal.file_name(tree)).with_suffix(journal.DAMAGED).exists():
            damage = DamagedError(f"{live.name} was damaged, and is now {live.stem}{journal.DAMAGED}")
        if damage is not None:
            raise damage
        return None

    def damaged_size(self, tree: str) -> int | None:
        """Returns the length in bytes of what was a journal of the tree and cannot be opened; None if there is nothing.
        Call it when `open` has returned no source."""
        live = self._root / journal.file_name(tree)
        for path in (live, live.with_suffix(journal.DAMAGED), self._root / sealed.file_name(tree)):
            with suppress(FileNotFoundError):
                return path.stat().st_size
        row = self._rows.get(tree) if self._rows is not None else None
        return row.seal.size if row is not None else None

    def _open_live(self, tree: str) -> Source | None:
        try:
            descriptor = os.open(self._root / journal.file_name(tree), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        try:
            return LiveSource(descriptor, tree)
        except journal.NotAJournalError as error:
            # The header is damaged, or a writer of release 0.1.0 has not written it yet.
            os.close(descriptor)
            raise DamagedError(f"{tree}.journal is damaged: {error}") from error
        except OSError:
            os.close(descriptor)
            raise

    def _open_file(self, tree: str) -> Source | None:
        try:
            descriptor = os.open(self._root / sealed.file_name(tree), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        live = self._root / journal.file_name(tree)
        try:
            container = Container(
                lambda at, length: os.pread(descriptor, length, at) if at >= 0 else b"", os.fstat(descriptor).st_size
            )
            _check_tree(container, tree)
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
                stored = row.seal.stored
                container = Container(
                    self._blob_reader(tree, stored, body), stored, self._blob_reader(tree, stored, b"")
                )
            else:
                container = Container(lambda at, length: body[at : at + length] if at >= 0 else b"", len(body))
            _check_tree(container, tree)
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
                live = self._root / journal.file_name(tree)
                if not live.exists() and self._rows is not None and self._rows.get(tree) is not None:
                    raise DamagedError(f"{key} is missing from the blob store") from error
                raise GoneError(f'The output of execution "{tree}" is no longer kept.') from error

        return read


def _check_tree(container: Container, tree: str) -> None:
    if container.head.tree != tree:
        raise sealed.NotSealedError(f"it is the journal of {container.head.tree}")


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
