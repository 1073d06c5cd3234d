from __future__ import annotations

import fcntl
import os
import pty
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from squall.cli.terminal.screen import Screen, Style, write_all

RECORDS = [
    ("stdout", b"one\n"),
    ("stderr", b"half a line, \xff"),
    ("stdout", b"\x1b[1mbold"),
    ("stderr", b" and its end\n"),
    ("output", b"\x00\r"),
]


class Pair:
    """The ends of two pipes, or of one terminal twice, with a screen on them."""

    def __init__(self, *, terminal: bool = False, environ: dict[str, str] | None = None, style: Style | None = None):
        if terminal:
            self._ends = [*pty.openpty()]
            # The terminal must not turn newlines into CR LF, so that bytes can be compared.
            import termios

            mode = termios.tcgetattr(self._ends[1])
            mode[1] &= ~termios.OPOST
            termios.tcsetattr(self._ends[1], termios.TCSANOW, mode)
            out, err = self._ends[1], self._ends[1]
            self._read_from = [self._ends[0]]
        else:
            out_read, out = os.pipe()
            err_read, err = os.pipe()
            self._ends = [out_read, out, err_read, err]
            self._read_from = [out_read, err_read]
        self.screen = Screen(out, err, environ or {}, style)

    def show(self, records: list[tuple[str, bytes]]) -> None:
        for stream, data in records:
            self.screen.show(stream, data, "2026-01-02T03:04:05Z")

    def read(self) -> list[bytes]:
        """What has been written so far to each end."""
        got = []
        for descriptor in self._read_from:
            os.set_blocking(descriptor, False)
            parts = []
            while True:
                try:
                    part = os.read(descriptor, 65536)
                except BlockingIOError:
                    break
                if not part:
                    break
                parts.append(part)
            got.append(b"".join(parts))
        return got

    def close(self) -> None:
        for descriptor in self._ends:
            os.close(descriptor)


@pytest.fixture
def piped() -> Iterator[Pair]:
    pair = Pair()
    yield pair
    pair.close()


@pytest.fixture
def terminal() -> Iterator[Pair]:
    pair = Pair(terminal=True)
    yield pair
    pair.close()


def test_piped_output_is_the_actions_own_bytes_on_two_streams(piped: Pair) -> None:
    piped.show(RECORDS)
    piped.screen.note("reconnecting")
    piped.screen.finish()
    assert piped.read() == [b"one\n\x1b[1mbold\x00\r", b"half a line, \xff and its end\n"]


def test_what_must_be_seen_is_told_without_a_terminal_too(piped: Pair) -> None:
    piped.screen.tell("failed")
    assert piped.read() == [b"", b"failed\n"]


def test_a_terminal_marks_stderr_and_changes_no_byte_otherwise(terminal: Pair) -> None:
    terminal.show(RECORDS)
    shown = terminal.read()[0]
    assert shown == (b"one\n\x1b[31mhalf a line, \xff\x1b[0m\x1b[1mbold\x1b[31m and its end\n\x1b[0m\x00\r")


def test_a_character_in_two_records_is_not_split_by_the_mark(terminal: Pair) -> None:
    terminal.show([("stderr", b"\xc3"), ("stderr", b"\xa4"), ("stderr", b"!\n")])
    assert terminal.read()[0] == b"\x1b[31m\xc3\xa4!\n\x1b[0m"


def test_the_mark_does_not_outlive_the_screen(terminal: Pair) -> None:
    terminal.show([("stderr", b"prompt> ")])
    terminal.screen.finish()
    assert terminal.read()[0].endswith(b"prompt> \x1b[0m")


def test_our_lines_on_a_terminal_are_dim_and_begin_a_line(terminal: Pair) -> None:
    terminal.show([("stdout", b"no newline")])
    terminal.screen.note("reconnecting at f-9")
    terminal.screen.note("back")
    assert terminal.read()[0] == b"no newline\n\x1b[2mreconnecting at f-9\x1b[0m\n\x1b[2mback\x1b[0m\n"


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_without_colour_gets_none(environ: dict[str, str]) -> None:
    pair = Pair(terminal=True, environ=environ)
    pair.show([("stderr", b"err\n")])
    pair.screen.note("note")
    assert pair.read()[0] == b"err\nnote\n"
    pair.close()


def test_every_line_gets_its_time_once() -> None:
    pair = Pair(style=Style(timestamps=True))
    pair.show([("stdout", b"a\nb"), ("stderr", b"x"), ("stdout", b"c\n"), ("stdout", b"\n"), ("stderr", b"y\n")])
    time = b"2026-01-02T03:04:05Z "
    assert pair.read() == [time + b"a\n" + time + b"bc\n" + time + b"\n", time + b"xy\n"]
    pair.close()


def test_metadata_is_the_time_and_the_stream() -> None:
    pair = Pair(style=Style(metadata=True))
    pair.show([("stdout", b"a\n"), ("output", b"b\n")])
    assert pair.read()[0] == b"[2026-01-02T03:04:05Z][stdout] a\n[2026-01-02T03:04:05Z][output] b\n"
    pair.close()


@given(st.lists(st.binary(max_size=30).map(lambda data: data.replace(b"x", b"\n")), max_size=8))
@settings(max_examples=50, deadline=None)
def test_taking_the_times_away_gives_the_bytes_back(parts: list[bytes]) -> None:
    pair = Pair(style=Style(timestamps=True))
    pair.show([("stdout", part) for part in parts])
    got = pair.read()[0]
    pair.close()
    prefix = b"2026-01-02T03:04:05Z "
    lines = got.split(b"\n")
    assert all(line.startswith(prefix) for line in lines[:-1])
    assert b"\n".join(line.removeprefix(prefix) for line in lines) == b"".join(parts)


def test_a_non_blocking_reader_that_is_slow_gets_everything() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    size = fcntl.fcntl(write, fcntl.F_GETPIPE_SZ) * 4
    got = bytearray()

    def drain() -> None:
        while len(got) < size:
            got.extend(os.read(read, 8192))

    thread = threading.Thread(target=drain)
    thread.start()
    write_all(write, b"z" * size)
    thread.join(10)
    assert len(got) == size
    os.close(read)
    os.close(write)


def test_a_reader_that_has_gone_is_told() -> None:
    read, write = os.pipe()
    os.close(read)
    with pytest.raises(BrokenPipeError):
        write_all(write, b"x")
    os.close(write)
