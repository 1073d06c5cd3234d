"""The one writer of a tree's journal file: appends frames, then moves the committed length behind them.

Standard library only. The committed length is written with `pwrite`, never through a mapping: readers learn of it
by inotify, and a mapping raises no event.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from squall.core.output import journal

_WINDOW = 4 * journal.MAX_PAYLOAD
_MOST_LOST = 1 << 30
# A write that fails for these reasons may succeed later: the disk is full, or a quota is used up.
_PATIENCE = (errno.ENOSPC, errno.EDQUOT)


class DiskFullError(OSError):
    """The frame could not be written whole; nothing of it is in the journal, and it may be tried again."""


class TreeWriter:
    """Appends to one tree's journal. Not thread-safe: one tree has one writer, which is its whole point.

    It remembers, for as long as the tree is open, 0.7 kB of each execution that has printed, events included:
    ten thousand children cost 7 MB until the root has ended.
    """

    __slots__ = (
        "_commit_seed", "_descriptor", "_end", "_events", "_heads", "_incarnation", "_leads", "_nonce", "_offsets",
        "_seed", "_tails",
    )  # fmt: skip

    def __init__(self, descriptor: int, header: journal.Header, incarnation: int) -> None:
        self._descriptor = descriptor
        self._nonce = header.nonce
        self._seed = journal.checksum_seed(header.nonce)
        self._commit_seed = header.commit_seed
        self._end = header.committed
        self._incarnation = incarnation
        self._tails: dict[str, int] = {}
        self._heads: dict[str, int] = {}
        self._events: set[int] = set()
        self._offsets: dict[tuple[str, int], int] = {}
        # Of what carries no tag: a tagged record ends where a character does, or its output ends.
        self._leads: dict[tuple[str, int], bytes] = {}

    @classmethod
    def create(cls, path: Path, tree: str, boot: bytes, incarnation: int) -> TreeWriter:
        """A new journal (mode 0600) at `path`; its folder is made (0700). Raises `OSError`."""
        header = journal.pack_header(os.urandom(16), boot, tree)
        descriptor = _make_file(path, header)
        return cls(descriptor, journal.unpack_header(header), incarnation)

    @classmethod
    def reopen(cls, path: Path, incarnation: int, boot: bytes) -> TreeWriter:
        """Goes on with an existing journal: what a dead writer left uncommitted is cut off, its counts are read back.

        One that was written before the machine's present `boot` may have lost bytes with the power: it is verified
        once. What is damaged stays in its place, as readers may have seen positions behind it, but is no frame any
        more: they are told of a gap. A damaged committed length is found again behind the last whole frame. Raises
        `OSError`, and `journal.NotAJournalError` when the file is none.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            header = journal.unpack_header(os.pread(descriptor, journal.HEADER_SIZE, 0))
            header = _with_commit(descriptor, header)
            # Also makes the file longer, by zeros, when a power loss took its end.
            os.ftruncate(descriptor, header.committed)
            writer = cls(descriptor, header, incarnation)
            if header.boot != boot:
                _verify_all(descriptor, header)
                os.fdatasync(descriptor)
                os.pwrite(descriptor, journal.pack_boot(header, boot), 0)
            writer._read_back()
            commit = journal.pack_commit(writer._end, 0, header.commit_seed)
            os.pwrite(descriptor, commit, journal.COMMIT_OFFSET)
        except (OSError, journal.NotAJournalError):
            os.close(descriptor)
            raise
        return writer

    def _read_back(self) -> None:
        at = journal.HEADER_SIZE
        while at < self._end:
            head = os.pread(self._descriptor, journal.FRAME_SIZE, at)
            length = journal.frame_length(head) if journal.plausible(head, 0, self._nonce) else 0
            whole = memoryview(os.pread(self._descriptor, length, at)) if length else memoryview(b"")
            record = journal.unpack_frame(whole, 0, at)
            if record is None:
                # What was counted before the damage is not known to go on behind it.
                self._leads.clear()
                at = _behind_damage(self._descriptor, at, self._end, self._nonce)
                continue
            self._count(record)
            at += length
        self._events.discard(0)

    def _count(self, record: journal.Record) -> None:
        """Knows where a record's execution and stream stand behind it."""
        if record.kind == journal.INDEX:
            return
        self._tails[record.execution] = record.start
        self._heads.setdefault(record.execution, record.start)
        self._events.add(record.event)
        key = (record.execution, record.stream)
        if record.kind == journal.OUTPUT:
            self._offsets[key] = record.offset + len(record.payload)
            if not record.tag:
                self._leads[key] = journal.decode_text(record.lead, record.payload)[1]

    @property
    def committed(self) -> int:
        """The committed length in bytes."""
        return self._end

    def ends(self, execution: str) -> tuple[int, int]:
        """Where the execution's first and last records start; zeros if it has none."""
        return self._heads.get(execution, 0), self._tails.get(execution, 0)

    def output(self, execution: str, stream: int, time: int, payload: bytes | memoryview, tag: str = "") -> None:
        """Appends what one read of a pipe returned. Raises `DiskFullError`; then nothing has been appended.

        With a `tag` it stands alone: its text depends on no record before it.
        """
        key = (execution, stream)
        offset = self._offsets.get(key, 0)
        lead = self._leads.get(key, b"") if not tag else b""
        self._append(journal.OUTPUT, execution, time, payload, stream=stream, offset=offset, lead=lead, tag=tag)
        self._offsets[key] = offset + len(payload)
        if tag:
            return
        # Only a chunk that ends inside a character leaves a lead; nearly all text ends in ASCII.
        if lead or (payload and payload[-1] >= 0x80):
            self._leads[key] = journal.decode_text(lead, payload)[1]

    def note(
        self, kind: int, execution: str, time: int, event: int, payload: bytes, stream: int = 0, tag: str = ""
    ) -> bool:
        """Appends a record that is no output. A copy of an event that is there already is dropped: then false.

        Raises `DiskFullError`.
        """
        if event and event in self._events:
            return False
        self._append(kind, execution, time, payload, stream=stream, event=event, tag=tag)
        if event:
            self._events.add(event)
        return True

    def skip(self, execution: str, stream: int, count: int, tag: str = "") -> None:
        """Counts `count` bytes of a stream that were dropped, so that the next offset shows the hole exactly."""
        key = (execution, stream)
        self._offsets[key] = self._offsets.get(key, 0) + count
        if not tag:
            self._leads.pop(key, None)

    def _append(
        self,
        kind: int,
        execution: str,
        time: int,
        payload: bytes | memoryview,
        *,
        stream: int = 0,
        event: int = 0,
        offset: int = 0,
        lead: bytes = b"",
        tag: str = "",
    ) -> None:
        start = self._end
        head = journal.pack_frame(
            self._nonce,
            self._seed,
            kind,
            bytes.fromhex(execution),
            time,
            payload,
            start=start,
            stream=stream,
            event=event,
            offset=offset,
            prev=self._tails.get(execution, 0),
            incarnation=self._incarnation,
            lead=lead,
            tag=tag.encode(),
        )
        end = start + len(head) + len(payload)
        commit = journal.pack_commit(end, start if kind == journal.INDEX else 0, self._commit_seed)
        try:
            whole = os.pwritev(self._descriptor, [head, payload], start) == end - start
            whole = whole and os.pwrite(self._descriptor, commit, journal.COMMIT_OFFSET) == len(commit)
        except OSError as error:
            if error.errno not in _PATIENCE:
                raise
            whole = False
        if not whole:
            os.ftruncate(self._descriptor, start)
            raise DiskFullError(errno.ENOSPC, "no space for a record")
        self._end = end
        if kind != journal.INDEX:
            self._tails[execution] = start
            self._heads.setdefault(execution, start)

    def flush(self) -> None:
        """Makes what is committed durable (fsync). One that has been closed meanwhile is left to the system."""
        if self._descriptor >= 0:
            os.fdatasync(self._descriptor)

    def close(self, tree: str, time: int) -> None:
        """Ends the journal with the record that finds each execution's chain, and closes the file."""
        if len(self._tails) > 1:
            self._append(journal.INDEX, tree, time, journal.pack_index(self._tails))
        self.abandon()

    def abandon(self) -> None:
        """Closes the file as it is; another writer may `reopen` it."""
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)


def _make_file(path: Path, header: bytes) -> int:
    """Makes a journal's file with its header; its folder is made (0700). Returns its descriptor. Raises `OSError`."""
    # Made under another name: under its own, a journal has a whole header from its first moment on.
    fresh = path.with_suffix(".new")
    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(fresh, flags, 0o600)
    except FileNotFoundError:
        # Who tidies up has just removed the folder, which was empty.
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(fresh, flags, 0o600)
    try:
        if os.pwrite(descriptor, header, 0) != len(header):
            raise DiskFullError(errno.ENOSPC, "no space for a journal's header", str(path))
        # Unlike a renaming, a link never replaces what is there.
        path.hardlink_to(fresh)
    except OSError:
        os.close(descriptor)
        raise
    finally:
        fresh.unlink(missing_ok=True)
    return descriptor


def _with_commit(descriptor: int, header: journal.Header) -> journal.Header:
    """Returns the header with a committed length that can be used: that of the file's last whole frame if the header's
    own is damaged."""
    size = os.fstat(descriptor).st_size
    # Format 1 cannot check its length: a power loss takes seconds of output, never so much.
    if header.committed and (header.commit_seed is not None or header.committed <= size + _MOST_LOST):
        return header
    seed = journal.checksum_seed(header.nonce)
    at = end = journal.HEADER_SIZE
    while at < size:
        head = os.pread(descriptor, journal.FRAME_SIZE, at)
        length = journal.frame_length(head) if journal.plausible(head, 0, header.nonce) else 0
        frame = os.pread(descriptor, length, at)
        if frame and journal.verify(frame, 0, header.nonce, seed, at):
            at = end = at + len(frame)
        else:
            at = _behind_damage(descriptor, at, size, header.nonce)
    return header._replace(committed=end, closing=0)


def _verify_all(descriptor: int, header: journal.Header) -> None:
    """Takes the marker off every frame whose checksum is wrong, so that nobody takes it for one."""
    at, nonce = journal.HEADER_SIZE, header.nonce
    seed = journal.checksum_seed(nonce)
    while at < header.committed:
        head = os.pread(descriptor, journal.FRAME_SIZE, at)
        if journal.plausible(head, 0, nonce):
            frame = os.pread(descriptor, journal.frame_length(head), at)
            if journal.verify(frame, 0, nonce, seed, at):
                at += len(frame)
                continue
            os.pwrite(descriptor, bytes(4), at)
        at = _behind_damage(descriptor, at, header.committed, nonce)


def _behind_damage(descriptor: int, at: int, end: int, nonce: bytes) -> int:
    """Returns where the first undamaged frame behind `at` starts; `end`, the committed length, if there is none."""
    seed = journal.checksum_seed(nonce)
    look = at + 1
    while look < end:
        data = os.pread(descriptor, min(_WINDOW, end - look), look)
        found = journal.find_frame(data, 0, nonce, seed, look)
        if found >= 0:
            return look + found
        # A frame may begin in this piece and end in the next one.
        look += max(1, len(data) - journal.LARGEST_FRAME)
        if len(data) <= journal.LARGEST_FRAME:
            break
    return end
