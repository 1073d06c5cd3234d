"""Examines journals: compares every stored byte with a checksum, with a second place that says the same, or with what
the database knows."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Sequence

from squall.adapters.journal import sealing
from squall.adapters.journal.container import DamagedError
from squall.adapters.journal.live import LiveSource
from squall.adapters.journal.sources import SealedSource, Source
from squall.core.output import journal, sealed
from squall.core.output.accounts import Account, losses
from squall.ports import Verdict

_MOST_FAULTS = 20

Pace = Callable[[int], None]
"""A function that is called with the number of bytes after each read; it may wait, or raise."""


class _Examiner:
    """Checks the chain and the output offsets of every record of a journal."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.records = 0
        self.last_index = 0
        self.held: dict[tuple[str, int], int] = {}
        self._tails: dict[str, int] = {}
        self._offsets: dict[tuple[str, int], int] = {}

    def fault(self, text: str) -> None:
        """Adds a fault to the report, which holds only as many as a person can read."""
        if len(self.faults) < _MOST_FAULTS:
            self.faults.append(text)

    def record(self, record: journal.Record) -> None:
        """Checks the next record of the journal."""
        self.records += 1
        self.last_index = record.start if record.kind == journal.INDEX else 0
        if record.kind == journal.INDEX:
            tails = journal.unpack_index(record.payload)
            if any(self._tails.get(execution) != tail for execution, tail in tails.items()):
                self.fault(f"{record.start}: the closing index names other last records than there are")
            return
        tail = self._tails.get(record.execution, 0)
        if record.prev != tail:
            self.fault(f"{record.start}: the chain of {record.execution} leads to {record.prev} instead of {tail}")
        self._tails[record.execution] = record.start
        if record.kind == journal.OUTPUT:
            key = record.execution, record.stream
            expected = self._offsets.get(key, 0)
            if record.offset < expected:
                stream = journal.STREAMS.get(record.stream, "?")
                self.fault(
                    f"{record.start}: {record.execution} repeats {stream} from byte {record.offset}, behind {expected}"
                )
            self._offsets[key] = record.offset + len(record.payload)
            self.held[key] = self.held.get(key, 0) + len(record.payload)


class _Bytes:
    """Reads a journal's blocks in their order, and hashes what is read."""

    def __init__(self, source: Source, pace: Pace) -> None:
        self._source = source
        self._pace = pace
        self.digest = hashlib.sha256()
        self.table: list[tuple[int, int]] = []
        self.stored_crc = 0

    def block(self, at: int, length: int) -> bytes | memoryview:
        """Returns `length` bytes from `at` on. Raises `DamagedError` if they cannot be had; `OSError`."""
        if isinstance(self._source, SealedSource):
            packed = self._source.container.frame(at // sealed.BLOCK)
            self.stored_crc = zlib.crc32(packed, self.stored_crc)
            self.table.append((len(packed), length))
            block: bytes | memoryview = self._source.decompress(at // sealed.BLOCK)
            self._pace(len(packed))
        else:
            block = self._source.pread(at, length)
            self._pace(length)
        if len(block) < length:
            raise DamagedError(f"the file has only {at + len(block)} bytes, fewer than its committed length")
        self.digest.update(block)
        return block


def examine(source: Source, accounts: Sequence[Account], *, closed: bool, pace: Pace = lambda _count: None) -> Verdict:
    """Reads every byte of a journal and returns the faults. Checks that each frame is whole and has the right checksum,
    that each execution's records form a chain, that no output is repeated, and that the output of `accounts` is there.
    For a sealed journal, also checks its bytes by the hash from its sealing, and its index and seek table by the
    records. `closed`: nobody writes to the journal.

    Raises `OSError` if the journal cannot be read.
    """
    size = source.committed
    examiner = _Examiner()
    survey = sealed.Survey()

    def note(view: memoryview, offset: int, base: int, length: int, kind: int, execution: bytes, time: int) -> None:
        if not journal.verify(view, offset, source.nonce, source.seed, base):
            examiner.fault(f"{base + offset}: the record's checksum is wrong")
        if (record := journal.unpack_frame(view, offset, base)) is not None:
            examiner.record(record)
        if kind != journal.INDEX:
            survey.note(execution, base + offset, length, time)

    frames = sealing.Frames(source, size, note)
    read = _Bytes(source, pace)
    page = b""
    whole = False
    try:
        for at in range(0, size, sealed.BLOCK):
            block = read.block(at, min(sealed.BLOCK, size - at))
            page = page or bytes(block[: journal.HEADER_SIZE])
            frames.feed(block, at)
        whole = True
    except DamagedError as error:
        examiner.fault(str(error))
    for begin, end in frames.holes:
        examiner.fault(f"{begin}: {end - begin} bytes are no records")
    if not examiner.faults and frames.end != size:
        examiner.fault(f"{frames.end}: the last record is not whole")
    _examine_header(source, page, examiner, closed)
    if whole and isinstance(source, SealedSource):
        _examine_seal(source, page, read, survey, examiner)
    for loss in losses(accounts, examiner.held):
        examiner.fault(loss.text())
    return Verdict(source.tree, source.place, size, read.digest.hexdigest(), examiner.records, tuple(examiner.faults))


def _examine_header(source: Source, page: bytes, examiner: _Examiner, closed: bool) -> None:
    """Compares the header page with the source and with the last record."""
    if isinstance(source, LiveSource):
        for fault in source.faults():
            examiner.fault(fault)
        if closed and (behind := source.stored - source.committed) > 0:
            examiner.fault(f"{source.committed}: {behind} bytes follow the committed length")
    try:
        header = journal.unpack_header(page)
    except journal.NotAJournalError as error:
        examiner.fault(f"0: {error}")
        return
    if header.tree != source.tree or header.nonce != source.nonce:
        examiner.fault("0: the header is that of another journal")
    if closed and not examiner.faults and source.closing not in (0, examiner.last_index):
        examiner.fault(f"{source.closing}: the header's closing index is not the last record")


def _examine_seal(source: SealedSource, page: bytes, read: _Bytes, survey: sealed.Survey, examiner: _Examiner) -> None:
    """Compares what stands beside the journal's bytes in its sealed form with what it must be for these bytes."""
    if read.digest.hexdigest() != source.digest:
        examiner.fault("the bytes have another hash than when the journal was sealed")
        return
    container = source.container
    try:
        header = journal.unpack_header(page)
    except journal.NotAJournalError:
        return
    # A commit that was damaged when the journal was sealed says nothing.
    header = header._replace(committed=container.head.size, closing=header.closing or container.head.closing)
    stored = container.read(container.index_at, container.size - container.index_at)
    if container.original(container.index_at, len(stored)) != stored:
        examiner.fault("the index of the sealed journal differs from the copy in its row")
    blocks = sealing.blocks(read.table, survey)
    for crc in (read.stored_crc, None):
        index = sealed.pack_index(header, read.digest.digest(), blocks, survey.chains(), crc)
        if stored == index + sealed.pack_table([*read.table, (len(index), 0)]):
            return
    examiner.fault("the index of the sealed journal, or its compressed bytes, are not those that were written")
