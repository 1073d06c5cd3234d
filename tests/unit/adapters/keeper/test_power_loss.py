"""What a keeper has flushed before it tells an end is there after a loss of power: the end in the run log, and what was
printed in the journal."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tests.doubles.disk import Disk, crashes
from tests.doubles.recording import recorded_calls

from squall.adapters.durable import make_folder
from squall.adapters.keeper import runlog
from squall.adapters.keeper.process.writing.writer import TreeWriter
from squall.adapters.keeper.runlog import Started, read_log
from squall.core.execution.process import End
from squall.core.output import journal
from squall.testing.samples import NOON, sample_id

BOOT = bytes(16)


def test_an_end_that_was_told_is_in_the_log_and_its_output_in_the_journal(tmp_path: Path) -> None:
    disk = Disk(tmp_path.resolve() / "home")
    disk.root.mkdir()
    with recorded_calls(disk):
        make_folder(disk.root / "keepers" / "one")
        log = runlog.RunLog(disk.root / "keepers" / "one" / "run.log")
        for number in range(1, 6):
            unit = sample_id(number)
            log.start(Started(unit, 1, unit))
            writer = TreeWriter.create(disk.root / "journals" / journal.file_name(unit), unit, BOOT, 1)
            writer.output(unit, 1, NOON, f"output of {unit}".encode())
            log.end(End(execution=unit, attempt=1, exit_code=number))
            writer.flush()
            log.flush()
            disk.told(number)
            writer.close(unit, NOON)
            if number % 2:
                log.acknowledge(unit, 1)
    for crash in crashes(disk, range(len(disk.changes) + 1), random.Random(5), shares=(0.0, 0.5)):
        image = tmp_path / str(crash.at)
        crash.restore(image)
        entries = read_log(image / "keepers" / "one" / "run.log")
        for number in range(1, len(crash.facts) + 1):
            unit = sample_id(number)
            # An acknowledgement is written when the outcome is in the database, and may be lost.
            end = entries[unit, 1].end if (unit, 1) in entries else None
            assert (end is not None and end.exit_code == number) or (end is None and number % 2)
            data = (image / "journals" / journal.file_name(unit)).read_bytes()
            assert data[: journal.unpack_header(data).committed].endswith(f"output of {unit}".encode())


def test_a_log_that_was_written_anew_loses_no_later_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runlog, "_COMPACT_ABOVE", 200)
    disk = Disk(tmp_path.resolve() / "home")
    disk.root.mkdir()
    with recorded_calls(disk):
        log = runlog.RunLog(disk.root / "run.log")
        for number in range(1, 9):
            unit = sample_id(number)
            log.start(Started(unit, 1, unit))
            log.end(End(execution=unit, attempt=1, exit_code=number))
            log.flush()
            disk.told(unit)
            if number % 3:
                log.acknowledge(unit, 1)
    kept = {sample_id(number) for number in (3, 6)}
    for crash in crashes(disk, range(len(disk.changes) + 1), random.Random(5), shares=(0.0, 0.5)):
        image = tmp_path / str(crash.at)
        crash.restore(image)
        ends = {unit for (unit, _), entry in read_log(image / "run.log").items() if entry.end is not None}
        assert kept & set(crash.facts) <= ends
