"""Where an execution's output goes: two file descriptors, byte for byte, marked only on a terminal.

It writes with `os.write` and keeps nothing back, so what an action printed is seen at once, in order, and a signal
handler may write between two writes.
"""

from __future__ import annotations

import os
import select
from collections.abc import Mapping
from typing import NamedTuple

from squall.cli.terminal.colour import coloured

DIM = b"\x1b[2m"
RED = b"\x1b[31m"
GREEN = b"\x1b[32m"
YELLOW = b"\x1b[33m"
CYAN = b"\x1b[36m"
BOLD = b"\x1b[1m"
RESET = b"\x1b[0m"


class Style(NamedTuple):
    """What is put before every line: with `timestamps` its record's time, with `metadata` its time and stream."""

    timestamps: bool = False
    metadata: bool = False


class Screen:
    """Writes records to `out` and `err` (file descriptors), and our own lines to `err`.

    Raises `BrokenPipeError` from every method when the reader has gone.
    """

    def __init__(
        self,
        out: int,
        err: int,
        environ: Mapping[str, str],
        style: Style | None = None,
        color: str | None = None,
    ) -> None:
        self._out = out
        self._err = err
        self._style = style or Style()
        self.is_terminal = os.isatty(err)
        self._out_is_terminal = os.isatty(out)
        self._colour = coloured(color, environ, self.is_terminal)
        self._marked = False
        self._line_begins: dict[str, bool] = {}
        self._terminal_mid_line = False

    def show(self, stream: str, data: bytes, timestamp: str) -> None:
        """Write one record where its stream belongs: `stderr` to err, everything else to out."""
        style = self._style
        if not data:
            return
        if style.metadata:
            data = self._prefixed(stream, data, f"[{timestamp}][{stream}] ".encode())
        elif style.timestamps:
            data = self._prefixed(stream, data, f"{timestamp} ".encode())
        if stream == "stderr":
            self._show_error(data)
        else:
            self._unmark()
            write_all(self._out, data)
        if self.shows(stream):
            self._terminal_mid_line = not data.endswith(b"\n")

    @property
    def colour(self) -> bool:
        """Whether what is written gets colours."""
        return self._colour

    def shows(self, stream: str) -> bool:
        """Whether records of this stream go to a terminal."""
        return self.is_terminal if stream == "stderr" else self._out_is_terminal

    def note(self, text: str) -> None:
        """A line of our own, dim, and only on a terminal: what is piped stays the action's own bytes."""
        if self.is_terminal:
            self._line(text, DIM)

    def tell(self, text: str) -> None:
        """A line of our own that must be seen, on a terminal or not."""
        self._line(text, b"")

    def finish(self) -> None:
        """Leave the terminal as it was found."""
        self._unmark()

    def _line(self, text: str, colour: bytes) -> None:
        self._unmark()
        line = text.encode("utf-8", "backslashreplace")
        if colour and self._colour:
            line = colour + line + RESET
        before = b"\n" if self._terminal_mid_line else b""
        self._terminal_mid_line = False
        write_all(self._err, before + line + b"\n")

    def _show_error(self, data: bytes) -> None:
        """On a terminal the mark stays on until a line ends: switched off within one it could split a character."""
        if self._colour:
            ended = data.endswith(b"\n")
            data = (b"" if self._marked else RED) + data + (RESET if ended else b"")
            self._marked = not ended
        write_all(self._err, data)

    def _unmark(self) -> None:
        if self._marked:
            self._marked = False
            write_all(self._err, RESET)

    def _prefixed(self, stream: str, data: bytes, prefix: bytes) -> bytes:
        """The data with the prefix before each line that begins in it."""
        begins = self._line_begins.get(stream, True)
        ends = data.endswith(b"\n")
        self._line_begins[stream] = ends
        lines = (data[:-1] if ends else data).replace(b"\n", b"\n" + prefix)
        return (prefix if begins else b"") + lines + (b"\n" if ends else b"")


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte, also to a descriptor that some other program has made non-blocking."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            # No `select`, which fails for descriptors above 1023.
            room = select.poll()
            room.register(descriptor, select.POLLOUT)
            room.poll()
