"""After a failed sync the system may forget what it has not written. Then the next sync succeeds, and only data that
was written again is on the disk."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from squall.adapters import durable
from squall.adapters.keeper import runlog
from squall.adapters.keeper.process import child
from squall.adapters.keeper.process.child import ResultFile
from squall.adapters.keeper.process.writing import syncing
from squall.adapters.keeper.process.writing import writer as writer_module
from squall.adapters.keeper.process.writing.writer import TreeWriter
from squall.adapters.keeper.runlog import RunLog, Started, read_log
from squall.core.execution.process import End
from squall.core.output import journal
from squall.testing.samples import NOON, sample_id

UNIT = sample_id(1)
BOOT = bytes(16)


class ForgetfulDisk:
    """The module `os` for a module that writes. `on_disk` has the bytes of each file, by inode, that were synced. While
    `refuses` is true, a sync fails, and what it should have written is forgotten. `before_a_read` is called once."""

    def __init__(self) -> None:
        self.refuses = False
        self.before_a_read: Callable[[], None] | None = None
        self.on_disk: dict[int, bytearray] = {}
        self._unsynced: dict[int, list[tuple[int, bytes]]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def pread(self, descriptor: int, count: int, at: int) -> bytes:
        if self.before_a_read is not None:
            call, self.before_a_read = self.before_a_read, None
            call()
        return os.pread(descriptor, count, at)

    def _note(self, descriptor: int, at: int, data: bytes) -> None:
        self._unsynced.setdefault(os.fstat(descriptor).st_ino, []).append((at, data))

    def pwrite(self, descriptor: int, data: Any, at: int) -> int:
        self._note(descriptor, at, bytes(data))
        return os.pwrite(descriptor, data, at)

    def pwritev(self, descriptor: int, parts: Any, at: int) -> int:
        self._note(descriptor, at, b"".join(bytes(part) for part in parts))
        return os.pwritev(descriptor, parts, at)

    def write(self, descriptor: int, data: Any) -> int:
        self._note(descriptor, os.fstat(descriptor).st_size, bytes(data))
        return os.write(descriptor, data)

    def fdatasync(self, descriptor: int) -> None:
        inode = os.fstat(descriptor).st_ino
        writes = self._unsynced.pop(inode, [])
        if self.refuses:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        data = self.on_disk.setdefault(inode, bytearray())
        for at, piece in writes:
            data.extend(bytes(max(0, at + len(piece) - len(data))))
            data[at : at + len(piece)] = piece

    def content(self, path: Path) -> bytes:
        return bytes(self.on_disk.get(path.stat().st_ino, b""))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> ForgetfulDisk:
    made = ForgetfulDisk()
    for module in (writer_module, syncing, runlog, child, durable):
        monkeypatch.setattr(module, "os", made)
    return made


def fails_until_renewed(disk: ForgetfulDisk, flush: Callable[[], None], renew: Callable[[], None]) -> None:
    """Lets a flush fail, and checks that no later one succeeds before the data was written again."""
    disk.refuses = True
    with pytest.raises(OSError, match="Input/output"):
        flush()
    disk.refuses = False
    with pytest.raises(OSError, match="Input/output"):
        flush()
    renew()
    flush()


def new_writer(path: Path) -> TreeWriter:
    return TreeWriter.create(path, UNIT, BOOT, 1)


def test_a_journal_is_on_the_disk_after_a_flush_that_follows_a_failed_one(tmp_path: Path, disk: ForgetfulDisk) -> None:
    path = tmp_path / "journals" / "one.journal"
    writer = new_writer(path)
    writer.output(UNIT, 1, NOON, b"before\n")
    writer.flush()
    for number in range(3):
        writer.output(UNIT, 1, NOON, f"line {number}\n".encode())
        fails_until_renewed(disk, writer.flush, writer.renew)
        assert disk.content(path) == path.read_bytes()


def test_a_journal_that_was_never_on_the_disk_is_there_as_a_whole_after_a_failed_flush(
    tmp_path: Path, disk: ForgetfulDisk
) -> None:
    path = tmp_path / "journals" / "one.journal"
    writer = new_writer(path)
    writer.output(UNIT, 1, NOON, b"first\n")
    fails_until_renewed(disk, writer.flush, writer.renew)
    assert disk.content(path).rstrip(b"\0") == path.read_bytes().rstrip(b"\0")


def test_a_journal_that_is_closed_while_it_is_written_anew_changes_no_other_file(
    tmp_path: Path, disk: ForgetfulDisk
) -> None:
    writer = new_writer(tmp_path / "journals" / "one.journal")
    writer.output(UNIT, 1, NOON, b"first\n")
    disk.refuses = True
    with pytest.raises(OSError, match="Input/output"):
        writer.flush()
    disk.refuses = False
    writer.renew()
    others: list[tuple[Path, bytes]] = []

    def close_and_open_others() -> None:
        writer.abandon()
        for number in range(3):
            path = tmp_path / "journals" / f"other{number}.journal"
            new_writer(path).output(UNIT, 1, NOON, b"text of another tree\n")
            others.append((path, path.read_bytes()))

    disk.before_a_read = close_and_open_others
    with contextlib.suppress(OSError):
        writer.flush()
    assert [path.read_bytes() for path, _ in others] == [content for _, content in others]
    assert len(others) == 3


def test_output_that_the_system_has_lost_after_a_failed_flush_becomes_a_gap(
    tmp_path: Path, disk: ForgetfulDisk
) -> None:
    path = tmp_path / "journals" / "one.journal"
    writer = new_writer(path)
    for text in (b"kept", b"lost", b"kept too"):
        writer.output(UNIT, 1, NOON, text)
    with path.open("r+b") as file:
        file.seek(path.read_bytes().index(b"lost"))
        file.write(bytes(4))
    fails_until_renewed(disk, writer.flush, writer.renew)
    data = path.read_bytes()
    header = journal.unpack_header(data)
    records = list(
        journal.unpack_frames(data[journal.HEADER_SIZE : header.committed], journal.HEADER_SIZE, header.nonce)
    )
    assert [bytes(record.payload) for record in records] == [b"kept"]
    following = journal.find_frame(data, records[-1].end, header.nonce, journal.checksum_seed(header.nonce))
    record = journal.unpack_frame(memoryview(data), following, 0)
    assert record is not None
    assert bytes(record.payload) == b"kept too"


def test_a_run_log_is_written_anew_after_a_failed_flush(tmp_path: Path, disk: ForgetfulDisk) -> None:
    log = RunLog(tmp_path / "run.log")
    log.start(Started(UNIT, 1, UNIT))
    log.end(End(execution=UNIT, attempt=1, exit_code=7))
    fails_until_renewed(disk, log.flush, log.renew)
    assert disk.content(tmp_path / "run.log") == (tmp_path / "run.log").read_bytes()
    end = read_log(tmp_path / "run.log")[UNIT, 1].end
    assert end is not None
    assert end.exit_code == 7


def test_a_run_log_with_a_line_that_could_not_be_written_is_not_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = RunLog(tmp_path / "run.log")
    log.start(Started(UNIT, 1, UNIT))
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda _descriptor, _data: 3)
        log.end(End(execution=UNIT, attempt=1, exit_code=7))
    with pytest.raises(OSError, match="No space left"):
        log.flush()
    log.renew()
    log.flush()
    assert read_log(tmp_path / "run.log")[UNIT, 1].end is not None


def test_a_result_is_on_the_disk_after_a_flush_that_follows_a_failed_one(tmp_path: Path, disk: ForgetfulDisk) -> None:
    result = ResultFile(tmp_path / "results" / "one", 1 << 20)
    result.write(b"a result")
    fails_until_renewed(disk, result.flush, result.renew)
    assert disk.content(result.path) == b"a result"
    assert not result.lost


def test_a_result_that_the_system_has_lost_after_a_failed_flush_is_reported_as_lost(
    tmp_path: Path, disk: ForgetfulDisk
) -> None:
    result = ResultFile(tmp_path / "results" / "one", 1 << 20)
    result.write(b"a result")
    result.path.write_bytes(bytes(8))
    fails_until_renewed(disk, result.flush, result.renew)
    assert result.lost
