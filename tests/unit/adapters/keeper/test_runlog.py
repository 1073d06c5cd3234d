"""The run log: what it says of a keeper's processes, also one that was written by the first release, or is cut off."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from squall.adapters.keeper.runlog import Process, RunLog, Started, read_log
from squall.core.execution.process import End
from squall.testing.samples import sample_id

ONE, TWO = sample_id(1), sample_id(2)
PROCESS = Process(ONE, 1, 77, 88, "boot", None)
END = End(execution=ONE, attempt=1, exit_code=3, stdout_bytes=5)


@pytest.fixture
def log(tmp_path: Path) -> RunLog:
    return RunLog(tmp_path / "run.log")


def test_a_log_says_what_was_started_what_runs_and_what_has_ended(log: RunLog, tmp_path: Path) -> None:
    log.start(Started(ONE, 1, ONE))
    log.start(Started(TWO, 2, ONE))
    log.pid(PROCESS)
    log.end(END)
    for entries in (log.entries, read_log(tmp_path / "run.log"), RunLog(tmp_path / "run.log").entries):
        assert list(entries) == [(ONE, 1), (TWO, 2)]
        assert (entries[ONE, 1].process, entries[ONE, 1].end) == (PROCESS, END)
        assert (entries[TWO, 2].start.tree, entries[TWO, 2].process, entries[TWO, 2].end) == (ONE, None, None)


def test_what_a_server_has_taken_care_of_is_forgotten(log: RunLog, tmp_path: Path) -> None:
    log.start(Started(ONE, 1, ONE))
    log.end(END)
    log.acknowledge(ONE, 1)
    log.acknowledge(TWO, 1)
    assert log.entries == read_log(tmp_path / "run.log") == {}


def test_a_log_of_the_first_release_is_read(tmp_path: Path) -> None:
    lines = [
        f'{{"log":"start","execution":"{ONE}","attempt":1,"tree":"{TWO}"}}',
        f'{{"log":"pid","execution":"{ONE}","attempt":1,"pid":77,"started":88,"boot":"boot","group":null}}',
        f'{{"op":"end","execution":"{ONE}","attempt":1,"exit_code":3,"timed_out":false,"canceled":false,'
        '"over_limit":false,"stopped":false,"error":null,"stdout_bytes":5,"stderr_bytes":0,"first_record":0,'
        '"last_record":0,"masked":0,"wall_seconds":0.0,"cpu_seconds":0.0,"peak_memory":0,"misused":null,'
        '"ended_at":0,"log":"end"}',
        f'{{"log":"start","execution":"{TWO}","attempt":1,"tree":"{TWO}"}}',
        f'{{"log":"ack","execution":"{TWO}","attempt":1}}',
    ]
    (tmp_path / "run.log").write_text("".join(line + "\n" for line in lines))
    [(key, entry)] = read_log(tmp_path / "run.log").items()
    assert (key, entry.start.tree, entry.process, entry.end) == ((ONE, 1), TWO, PROCESS, END)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"nonsense",
        b"5",
        b"[]",
        b'{"log":"start"}',
        b'{"log":"dance","execution":"a","attempt":1}',
        b'{"log":["pid"]}',
        b"[" * 100_000,
    ],
)
def test_a_line_that_is_none_is_left_out(log: RunLog, tmp_path: Path, line: bytes) -> None:
    log.start(Started(ONE, 1, ONE))
    with (tmp_path / "run.log").open("ab") as file:
        file.write(line + b"\n" + b'{"log":"sta')
    assert list(read_log(tmp_path / "run.log")) == [(ONE, 1)]


def test_a_log_that_has_grown_is_written_anew_with_what_is_needed(log: RunLog, tmp_path: Path) -> None:
    log.start(Started(ONE, 1, ONE))
    log.pid(PROCESS)
    log.end(END)
    number = 2
    while os.path.getsize(tmp_path / "run.log") > 1000 or number < 100:
        log.start(Started(sample_id(number), 1, ONE))
        log.acknowledge(sample_id(number), 1)
        number += 1
    [entry] = read_log(tmp_path / "run.log").values()
    assert (entry.start, entry.process, entry.end) == (Started(ONE, 1, ONE), PROCESS, END)


def test_no_log_says_nothing(tmp_path: Path) -> None:
    assert read_log(tmp_path / "none") == {}
