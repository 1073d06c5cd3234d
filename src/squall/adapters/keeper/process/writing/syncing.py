"""Makes the data of one journal's writer durable, also after a sync that has failed. Standard library only."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from squall.adapters.durable import sync_folder
from squall.core.output import journal

_WINDOW = 4 * journal.MAX_PAYLOAD


class Syncing:
    """What of a journal is durable. `unnamed` is the folder in which a new file's name is not durable yet.

    After a failed sync the system may forget which data it has not written: a second sync succeeds, and the data is not
    on the disk. So the data behind the last durable position is written again before the next sync.
    """

    __slots__ = ("_closed", "_closing", "_constants", "_doubtful", "_failure", "_nonce", "_synced", "unnamed")

    def __init__(self, header: journal.Header) -> None:
        self.unnamed: Path | None = None
        self._constants = journal.pack_boot(header, header.boot)
        self._nonce = header.nonce
        self._synced = journal.HEADER_SIZE
        self._failure: OSError | None = None
        self._doubtful = False
        self._closing = threading.Lock()
        self._closed = False

    def close(self, descriptor: int) -> None:
        """Closes the file. A flush that runs meanwhile goes on with a descriptor of its own; a later one does
        nothing."""
        with self._closing:
            self._closed = True
            os.close(descriptor)

    def flush(self, descriptor: int, end: int) -> None:
        """Makes the file up to `end`, and its name, durable.

        After a failure, fails until `renew` was called; then it first writes again what was not durable. Frames that
        the system no longer has become gaps. Another thread may append behind `end`, or close the file, meanwhile.
        Raises `OSError`.
        """
        if self._failure is not None:
            raise self._failure
        with self._closing:
            if self._closed:
                return
            # The number of a closed descriptor may at once be that of another file, which must not be written.
            own = os.dup(descriptor)
        try:
            self._flush(own, end)
        finally:
            os.close(own)

    def _flush(self, descriptor: int, end: int) -> None:
        try:
            if self._doubtful:
                _write_anew(descriptor, self._synced, end, self._nonce)
            os.fdatasync(descriptor)
            if self.unnamed is not None:
                sync_folder(self.unnamed)
                self.unnamed = None
        except OSError as error:
            self._failure, self._doubtful = error, True
            raise
        self._synced, self._doubtful = end, False

    def renew(self, descriptor: int, commit: bytes) -> None:
        """Writes the header again after a failed flush; `commit` are the bytes of its committed length. Call it on the
        thread that appends. Raises `OSError`."""
        if self._failure is not None:
            os.pwrite(descriptor, self._constants, 0)
            os.pwrite(descriptor, commit, journal.COMMIT_OFFSET)
            self._failure = None


def _write_anew(descriptor: int, start: int, end: int, nonce: bytes) -> None:
    """Writes every frame between two positions again, as it reads now. A frame with a wrong checksum loses its
    marker."""
    at, seed = start, journal.checksum_seed(nonce)
    while at < end:
        head = os.pread(descriptor, journal.FRAME_SIZE, at)
        frame = b""
        if journal.plausible(head, 0, nonce):
            frame = os.pread(descriptor, journal.frame_length(head), at)
        if frame and journal.verify(frame, 0, nonce, seed, at):
            os.pwrite(descriptor, frame, at)
            at += len(frame)
            continue
        os.pwrite(descriptor, bytes(4), at)
        at = behind_damage(descriptor, at, end, nonce)


def behind_damage(descriptor: int, at: int, end: int, nonce: bytes) -> int:
    """Returns the position of the first undamaged frame behind `at`; `end`, the committed length, if there is none."""
    seed = journal.checksum_seed(nonce)
    start = at + 1
    while start < end:
        data = os.pread(descriptor, min(_WINDOW, end - start), start)
        index = journal.find_frame(data, 0, nonce, seed, start)
        if index >= 0:
            return start + index
        # A frame may begin in this window and end in the next one.
        start += max(1, len(data) - journal.LARGEST_FRAME)
        if len(data) <= journal.LARGEST_FRAME:
            break
    return end
