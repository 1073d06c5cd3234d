from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from squall.cli.output.logs import last_lines, new_lines, readable

LINE = {"ts": "2026-01-02T03:04:05Z", "level": "INFO", "logger": "squall.api", "msg": "listening", "port": 9101}


def line(**more: Any) -> bytes:
    return json.dumps({**LINE, **more}).encode() + b"\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs" / "server.log"


def test_a_record_is_one_readable_line() -> None:
    assert readable(line(), colour=False) == "2026-01-02T03:04:05Z INFO     squall.api: listening port=9101"


def test_a_level_has_its_colour_on_a_terminal_only() -> None:
    assert "\x1b[31mERROR   \x1b[0m" in readable(line(level="ERROR"), colour=True)
    assert "\x1b" not in readable(line(level="ERROR"), colour=False)


def test_a_traceback_stands_below_its_line() -> None:
    shown = readable(line(exception="Traceback:\n  File\nValueError"), colour=False)
    assert shown.split("\n")[1:] == ["    Traceback:", "      File", "    ValueError"]


@pytest.mark.parametrize(
    ("raw", "shown"), [(b"plain\n", "plain"), (b"[1]\n", "[1]"), (b"\xff\x1b[2J\n", "��[2J"), (b"", "")]
)
def test_a_line_of_another_kind_is_shown_as_it_is_but_harmless(raw: bytes, shown: str) -> None:
    assert readable(raw, colour=False) == shown


@pytest.mark.parametrize("count", [0, 1, 3, 4000, 9999])
def test_the_last_lines_are_found_from_the_end(count: int) -> None:
    lines = [b"%d %b\n" % (number, b"x" * (number % 100)) for number in range(5000)]
    file = io.BytesIO(b"".join(lines))
    assert last_lines(file, count) == (lines[-count:] if count else [])
    assert file.read() == b""


def test_the_last_line_needs_no_newline() -> None:
    assert last_lines(io.BytesIO(b"a\nb\nc"), 2) == [b"b\n", b"c"]


def test_new_lines_come_whole_and_survive_rotation_and_cutting(log: Path) -> None:
    log.write_bytes(b"old\n")
    with log.open("rb") as file, log.open("ab", buffering=0) as writer:
        file.read()
        lines = new_lines(log, file)
        assert next(lines) == b""
        writer.write(b"one\ntw")
        assert next(lines) == b"one\n"
        assert next(lines) == b""
        writer.write(b"o\n")
        assert next(lines) == b"two\n"
        log.rename(log.with_suffix(".1"))
        writer.write(b"last in the old file\n")
        log.write_bytes(b"first in the new one\n")
        assert [next(lines), next(lines)] == [b"last in the old file\n", b"first in the new one\n"]
        log.write_bytes(b"cut\n")
        assert [line for line in (next(lines), next(lines)) if line] == [b"cut\n"]
        lines.close()


def test_logs_shows_the_last_lines(log: Path, tmp_path: Path, run: Callable[..., Any]) -> None:
    log.write_bytes(b"".join(line(number=number) for number in range(60)))
    got = run("logs", "--data-dir", str(tmp_path), "-n", "2")
    assert got.status == 0
    assert [shown.split()[-1] for shown in got.out.decode().splitlines()] == ["number=58", "number=59"]
    assert len(run("logs", "--data-dir", str(tmp_path)).out.splitlines()) == 50


def test_logs_follows_until_ctrl_c(log: Path, tmp_path: Path, spawn: Callable[..., Any]) -> None:
    log.write_bytes(line())
    session = spawn("logs", "-f", "--data-dir", str(tmp_path))
    session.until("listening")
    with log.open("ab") as writer:
        writer.write(line(msg="more"))
    session.until("more")
    session.press_ctrl_c()
    assert session.end().status == 130


def test_without_a_log_one_line_says_so(tmp_path: Path, run: Callable[..., Any]) -> None:
    got = run("logs", "--data-dir", str(tmp_path))
    assert got.status == 2 and b"cannot read the log" in got.err and got.err.count(b"\n") == 1
