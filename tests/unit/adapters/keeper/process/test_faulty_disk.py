"""One action while the n-th write or sync of its keeper fails: no byte is lost, and its end is the same."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.adapters.keeper.process.test_children import UNIT, Kept

from squall.adapters import durable
from squall.adapters.keeper import runlog, wire
from squall.adapters.keeper.process import child as child_module
from squall.adapters.keeper.process import ends as ends_module
from squall.adapters.keeper.process import pump as pump_module
from squall.adapters.keeper.process.ends import Ends
from squall.adapters.keeper.process.flusher import Flusher
from squall.adapters.keeper.process.writing import journals as journals_module
from squall.adapters.keeper.process.writing import syncing
from squall.adapters.keeper.process.writing import writer as writer_module
from squall.adapters.keeper.runlog import RunLog, Started, read_log
from squall.core.execution.process import End, LaunchSpec
from squall.core.output import journal
from squall.testing.samples import NOON, shell_spec

WRITES = ("open", "write", "pwrite", "pwritev", "ftruncate", "fsync", "fdatasync", "statvfs")
MODULES = (writer_module, syncing, journals_module, runlog, child_module, durable)
ERRORS = (errno.EIO, errno.ENOSPC, errno.EROFS)


class FaultyDisk:
    """The module `os` for the modules that write: calls `first` to `first + count - 1` of those that write fail.

    A write that fails with ENOSPC writes half of its data first, as on a disk that becomes full.
    """

    def __init__(self, first: int, count: int, number: int) -> None:
        self.calls = 0
        self.failed: list[str] = []
        self._bad = range(first, first + count)
        self._number = number

    def __getattr__(self, name: str) -> Any:
        value = getattr(os, name)
        if name not in WRITES:
            return value

        def counted(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            if self.calls not in self._bad:
                return value(*args, **kwargs)
            self.failed.append(name)
            if name == "pwrite" and self._number == errno.ENOSPC:
                return value(args[0], bytes(args[1])[: len(args[1]) // 2], args[2])
            raise OSError(self._number, os.strerror(self._number))

        return counted


class Reporting(Kept):
    """Children whose ends are reported as a keeper does."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.home = home
        self.log = RunLog(home / "run.log")
        self.told: list[wire.Report] = []
        self.ends = Ends(self.loop, Flusher(self.loop), self.log, self.told.append)
        self.children._on_end = self._end

    def _end(self, child: child_module.Child) -> None:
        self.ends.add(child, child.end_at(NOON), self.journals.take_dirty_of(child.spec.tree))

    def run(self, spec: LaunchSpec) -> End:
        """Runs one process to its reported end."""
        self.log.start(Started(spec.unit, spec.attempt, spec.tree))
        self.children.spawn(spec)
        self.until(lambda: any(isinstance(report, End) for report in self.told))
        return next(report for report in self.told if isinstance(report, End))


def output(home: Path) -> tuple[bytes, bytes]:
    """What the journal has of standard output and standard error; every frame must be whole."""
    data = (home / "journals" / journal.file_name(UNIT)).read_bytes()
    header = journal.unpack_header(data)
    texts = {1: b"", 2: b""}
    at = journal.HEADER_SIZE
    while at < header.committed:
        assert journal.verify(data, at, header.nonce, journal.checksum_seed(header.nonce))
        record = journal.unpack_frame(memoryview(data), at, 0)
        assert record is not None
        if record.kind == journal.OUTPUT:
            texts[record.stream] += bytes(record.payload)
        at = record.end
    return texts[1], texts[2]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once."""
    monkeypatch.setattr(ends_module, "_TRY_AGAIN", 0.0)
    monkeypatch.setattr(pump_module, "_RETRY_FULL_DISK", 0.0)
    monkeypatch.setattr("squall.adapters.keeper.process.children._LINGER_SILENCE", 0.01)


Check = Callable[[Path, End], None]


def printed(home: Path, end: End) -> None:
    assert output(home) == (b"one\n" * 100, b"two\n")
    assert (end.exit_code, end.stdout_bytes, end.stderr_bytes) == (3, 400, 4)


def limited(home: Path, end: End) -> None:
    data = (home / "journals" / journal.file_name(UNIT)).read_bytes()
    assert output(home)[0] == b"01234567" + b"89"
    assert b"output limit" in data
    assert (end.exit_code, end.stdout_bytes, end.over_limit) == (0, 8, True)


def returned(home: Path, end: End) -> None:
    assert end.result_file is not None
    assert Path(end.result_file).read_bytes() == b"result " * 50
    assert (end.result_bytes, end.result_cut, end.lost) == (350, False, None)


LAUNCHES = {
    "output": (shell_spec("printf 'one\\n%.0s' $(seq 100); echo two >&2; exit 3"), printed),
    "limit": (shell_spec("printf 0123456789", output_limit=8, limit_policy="truncate"), limited),
    "result": (shell_spec("printf 'result %.0s' $(seq 50) >&$SQUALL_RESULT_FD", result_limit=4096), returned),
}


@pytest.fixture(params=[1, 3])
def count(request: pytest.FixtureRequest) -> Iterator[int]:
    """How many calls fail in a row."""
    yield request.param


@pytest.mark.parametrize("number", ERRORS)
@pytest.mark.parametrize("name", sorted(LAUNCHES))
def test_no_failing_write_or_sync_of_a_keeper_loses_a_byte_or_changes_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, number: int, count: int
) -> None:
    spec, check = LAUNCHES[name]
    for first in itertools.count(1):
        (home := tmp_path / str(first)).mkdir()
        kept = Reporting(home)
        disk = FaultyDisk(first, count, number)
        with monkeypatch.context() as faulty:
            for module in MODULES:
                faulty.setattr(module, "os", disk)
            end = kept.run(spec)
        check(kept.home, end)
        assert kept.log.entries[UNIT, 1].end == end
        entry = read_log(kept.home / "run.log")[UNIT, 1]
        assert entry.end == end, disk.failed
        if not disk.failed:
            assert first > 5
            return


def test_an_end_waits_for_the_disk_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Reporting(tmp_path)
    spec, check = LAUNCHES["output"]
    with monkeypatch.context() as faulty:
        faulty.setattr(os, "fdatasync", refuse)
        kept.log.start(Started(spec.unit, spec.attempt, spec.tree))
        kept.children.spawn(spec)
        kept.until(lambda: kept.told)
        assert kept.told == [wire.Waits(UNIT, "its end waits for the disk: Input/output error")]
        assert (UNIT, 1) in kept.ends
        assert kept.ends.reasons() == {UNIT: "its end waits for the disk: Input/output error"}
    kept.until(lambda: len(kept.told) > 1)
    assert isinstance(kept.told[-1], End)
    check(kept.home, kept.told[-1])
    assert len(kept.ends) == 0


def refuse(_descriptor: int) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))
