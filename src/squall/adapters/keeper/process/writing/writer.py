"""The only writer of a tree's journal file: appends frames, then moves the committed length behind them.

Standard library only. It writes the committed length with `pwrite`, never through a memory mapping: readers wait for
an inotify event, and a mapping raises none.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from squall.adapters.durable import make_folder
from squall.adapters.keeper.process.writing.syncing import Syncing, behind_damage
from squall.core.output import journal

_MOST_LOST = 1 << 30
# A write that fails for these reasons may succeed later: the disk is full, or a quota is used up.
_PATIENCE = (errno.ENOSPC, errno.EDQUOT)


class DiskFullError(OSError):
    """The disk is full, so the frame could not be written. No part of it is in the journal; a later try may succeed."""


class TreeWriter:
    """The writer of one tree's journal. It is not thread-safe, as a tree has only one writer.

    While the tree is open, it has 0.7 kB of memory per execution with records: 7 MB for ten thousand children.
    """

    __slots__ = (
        "_commit_seed", "_descriptor", "_end", "_events", "_heads", "_incarnation", "_leads", "_nonce", "_offsets",
        "_seed", "_syncing", "_tails",
    )  # fmt: skip

    def __init__(self, descriptor: int, header: journal.Header, incarnation: int) -> None:
        self._descriptor = descriptor
        self._nonce, self._commit_seed = header.nonce, header.commit_seed
        self._seed = journal.checksum_seed(header.nonce)
        self._end, self._incarnation = header.committed, incarnation
        self._syncing = Syncing(header)
        self._tails: dict[str, int] = {}
        self._heads: dict[str, int] = {}
        self._events: set[int] = set()
        self._offsets: dict[tuple[str, int], int] = {}
        # Only for untagged output: a tagged record ends with a complete character, or is the last of its output.
        self._leads: dict[tuple[str, int], bytes] = {}

    @classmethod
    def create(cls, path: Path, tree: str, boot: bytes, incarnation: int) -> TreeWriter:
        """Creates a journal (mode 0600) at `path`, and its folder (0700). Returns its writer. Raises `OSError`."""
        header = journal.pack_header(os.urandom(16), boot, tree)
        writer = cls(_make_file(path, header), journal.unpack_header(header), incarnation)
        writer._syncing.unnamed = path.parent
        return writer

    @classmethod
    def reopen(cls, path: Path, incarnation: int, boot: bytes) -> TreeWriter:
        """Opens an existing journal: cuts off the uncommitted bytes of a dead writer, and reads its counts.

        A journal from an earlier boot of the machine (`boot` is the present one) may have lost bytes in a power loss,
        so it is verified once. A damaged frame stays in its place, as readers may have positions behind it, but loses
        its marker: readers get a gap. The end of the last whole frame replaces a damaged committed length. Raises
        `OSError`, and `journal.NotAJournalError` if the file is no journal.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            header = _with_commit(descriptor, journal.unpack_header(os.pread(descriptor, journal.HEADER_SIZE, 0)))
            # If a power loss took the file's end, this appends zeros.
            os.ftruncate(descriptor, header.committed)
            writer = cls(descriptor, header, incarnation)
            if header.boot != boot:
                _verify_all(descriptor, header)
                os.fdatasync(descriptor)
                writer._syncing = Syncing(header._replace(boot=boot))
                os.pwrite(descriptor, journal.pack_boot(header, boot), 0)
            writer._read_back()
            os.pwrite(descriptor, journal.pack_commit(writer._end, 0, header.commit_seed), journal.COMMIT_OFFSET)
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
                # The text after the damage may not continue the text before it.
                self._leads.clear()
                at = behind_damage(self._descriptor, at, self._end, self._nonce)
                continue
            self._count(record)
            at += length
        self._events.discard(0)

    def _count(self, record: journal.Record) -> None:
        """Updates the chain, the events and the offsets with a record of the journal."""
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
        """Returns the positions of the execution's first and last records; zeros if it has none."""
        return self._heads.get(execution, 0), self._tails.get(execution, 0)

    def output(self, execution: str, stream: int, time: int, payload: bytes | memoryview, tag: str = "") -> None:
        """Appends the data of one read of a pipe. `time` is in µs. Raises `DiskFullError`; then nothing was appended.

        The text of a record with a `tag` does not depend on earlier records.
        """
        key = (execution, stream)
        offset = self._offsets.get(key, 0)
        lead = self._leads.get(key, b"") if not tag else b""
        self._append(journal.OUTPUT, execution, time, payload, stream=stream, offset=offset, lead=lead, tag=tag)
        self._offsets[key] = offset + len(payload)
        # Only a chunk that ends inside a character leaves a lead; nearly all text ends in ASCII.
        if not tag and (lead or (payload and payload[-1] >= 0x80)):
            self._leads[key] = journal.decode_text(lead, payload)[1]

    def note(
        self, kind: int, execution: str, time: int, event: int, payload: bytes, stream: int = 0, tag: str = ""
    ) -> bool:
        """Appends a record that is not output. If the journal has its event already, returns False and appends nothing.

        `time` is in µs. Raises `DiskFullError`.
        """
        if event and event in self._events:
            return False
        self._append(kind, execution, time, payload, stream=stream, event=event, tag=tag)
        if event:
            self._events.add(event)
        return True

    def skip(self, execution: str, stream: int, count: int, tag: str = "") -> None:
        """Counts `count` dropped bytes of a stream, so that the offset of the next record shows the gap exactly."""
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
        """Makes what is committed durable, as `Syncing.flush` does. Leaves a closed file to the system."""
        if self._descriptor >= 0:
            self._syncing.flush(self._descriptor, self._end)

    def renew(self) -> None:
        """Prepares the next try after a failed flush, on the thread that appends. Raises `OSError`."""
        if self._descriptor >= 0:
            self._syncing.renew(self._descriptor, journal.pack_commit(self._end, 0, self._commit_seed))

    def close(self, tree: str, time: int) -> None:
        """Appends the closing index, which has the last record of each execution, and closes the file. `time` is in
        µs. Raises `DiskFullError`."""
        if len(self._tails) > 1:
            self._append(journal.INDEX, tree, time, journal.pack_index(self._tails))
        self.abandon()

    def abandon(self) -> None:
        """Closes the file without a closing index. Another writer may `reopen` it."""
        descriptor, self._descriptor = self._descriptor, -1
        self._syncing.close(descriptor)


def _make_file(path: Path, header: bytes) -> int:
    """Creates a journal's file with its header, and its folder (0700). Returns its descriptor. Raises `OSError`."""
    # The file gets its name after its header is written, so that a journal always has a complete header.
    fresh = path.with_suffix(".new")
    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    make_folder(path.parent)
    try:
        descriptor = os.open(fresh, flags, 0o600)
    except FileNotFoundError:
        # Who tidies up has just removed the folder, which was empty.
        make_folder(path.parent)
        descriptor = os.open(fresh, flags, 0o600)
    try:
        if os.pwrite(descriptor, header, 0) != len(header):
            raise DiskFullError(errno.ENOSPC, "no space for a journal's header", str(path))
        # Unlike a rename, a link never replaces an existing file.
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
            at = behind_damage(descriptor, at, size, header.nonce)
    return header._replace(committed=end, closing=0)


def _verify_all(descriptor: int, header: journal.Header) -> None:
    """Clears the marker of every frame with a wrong checksum, so that readers do not read it as a frame."""
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
        at = behind_damage(descriptor, at, header.committed, nonce)
