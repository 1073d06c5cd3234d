"""The source of a journal that is not sealed: its own file, which may still grow."""

from __future__ import annotations

import os
from array import array

from squall.core.output import journal
from squall.ports import LIVE

_COMMIT_ATTEMPTS = 8
_MOST_LOST = 1 << 30


class LiveSource:
    """`Source` of a journal's own file. `opened` is the header at the time of opening.

    Raises `journal.NotAJournalError` if the header is damaged or belongs to another tree than `tree`.
    """

    place = LIVE

    def __init__(self, descriptor: int, tree: str) -> None:
        self._descriptor = descriptor
        header = journal.unpack_header(os.pread(descriptor, journal.HEADER_SIZE, 0))
        if header.tree != tree:
            raise journal.NotAJournalError(f"it is the journal of {header.tree}")
        self.tree = header.tree
        self.nonce = header.nonce
        self.seed = journal.checksum_seed(header.nonce)
        self._commit_seed = header.commit_seed
        self._commit = (0, 0)
        committed, closing = self.commit()
        self.opened = header._replace(committed=committed, closing=closing)

    def _sound_commit(self) -> tuple[int, int] | None:
        """Reads the committed length and the offset of the closing index record; None if they are damaged."""
        for _ in range(_COMMIT_ATTEMPTS):
            # A read beside a write may get bytes of both.
            data = os.pread(self._descriptor, journal.COMMIT_SIZE, journal.COMMIT_OFFSET)
            commit = journal.unpack_commit(data, self._commit_seed)
            if commit is None:
                continue
            # Format 1 cannot check its length: a power loss takes seconds of output, never so much.
            if self._commit_seed is None and commit != self._commit and commit[0] > self.stored + _MOST_LOST:
                return None
            return commit
        return None

    def commit(self) -> tuple[int, int]:
        """Returns the current committed length and the offset of the closing index record. If they are damaged, returns
        the last ones that were read, or the whole file: its records say by themselves what is undamaged."""
        commit = self._sound_commit()
        if commit is None:
            commit = self._commit if self._commit[0] else (max(journal.HEADER_SIZE, self.stored), 0)
        self._commit = commit
        return commit

    @property
    def stored(self) -> int:
        """The length of the file in bytes."""
        return os.fstat(self._descriptor).st_size

    def faults(self) -> list[str]:
        """Returns what is wrong with the header's changing part."""
        return [] if self._sound_commit() is not None else ["the committed length in the journal's header is damaged"]

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
        length = journal.frame_length(self.pread(closing, journal.FRAME_SIZE))
        data = self.pread(closing, min(length, journal.LARGEST_FRAME))
        if not journal.verify(data, 0, self.nonce, self.seed, closing):
            return -1, None
        record = journal.unpack_frame(memoryview(data), 0, closing)
        if record is None or record.kind != journal.INDEX:
            return -1, None
        return journal.unpack_index(record.payload).get(execution, 0), None

    def stale(self) -> bool:
        """Returns True if the file has been sealed or removed."""
        return os.fstat(self._descriptor).st_nlink == 0

    def close(self) -> None:
        """Closes the file."""
        os.close(self._descriptor)
