"""The writer of an execution's output: it writes exact bytes to two file descriptors, and adds colours only on a
terminal.

It writes with `os.write` and buffers nothing, so output appears at once and in order, and a signal handler may write
between two writes.
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
    """The prefix of every line: with `timestamps` its record's time, with `metadata` its time and stream."""

    timestamps: bool = False
    metadata: bool = False


class Screen:
    """The writer of records to `out` and `err` (file descriptors), and of Squall's own lines to `err`.

    Every method raises `BrokenPipeError` if the reader has closed its end.
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
        self._is_red = False
        self._line_begins: dict[str, bool] = {}
        self._terminal_mid_line = False

    def show(self, stream: str, data: bytes, timestamp: str) -> None:
        """Writes one record to the descriptor of its stream: `stderr` to err, everything else to out."""
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
        """True if the output gets colours."""
        return self._colour

    def shows(self, stream: str) -> bool:
        """Returns True if records of this stream go to a terminal."""
        return self.is_terminal if stream == "stderr" else self._out_is_terminal

    def note(self, text: str) -> None:
        """Writes a line of Squall's own, dim, and only on a terminal: a pipe gets only the action's bytes."""
        if self.is_terminal:
            self._line(text, DIM)

    def tell(self, text: str) -> None:
        """Writes a line of Squall's own, on a terminal or not."""
        self._line(text, b"")

    def finish(self) -> None:
        """Resets the colours of the terminal."""
        self._unmark()

    def _line(self, text: str, colour: bytes) -> None:
        self._unmark()
        line = text.encode("utf-8", "backslashreplace")
        if colour and self._colour:
            line = colour + line + RESET
        newline = b"\n" if self._terminal_mid_line else b""
        self._terminal_mid_line = False
        write_all(self._err, newline + line + b"\n")

    def _show_error(self, data: bytes) -> None:
        """Writes to err. On a terminal the colour stays on until a line ends: a reset within a line could split a
        character."""
        if self._colour:
            ended = data.endswith(b"\n")
            data = (b"" if self._is_red else RED) + data + (RESET if ended else b"")
            self._is_red = not ended
        write_all(self._err, data)

    def _unmark(self) -> None:
        if self._is_red:
            self._is_red = False
            write_all(self._err, RESET)

    def _prefixed(self, stream: str, data: bytes, prefix: bytes) -> bytes:
        """Returns the data with the prefix before each line that begins in it."""
        begins = self._line_begins.get(stream, True)
        ends = data.endswith(b"\n")
        self._line_begins[stream] = ends
        lines = (data[:-1] if ends else data).replace(b"\n", b"\n" + prefix)
        return (prefix if begins else b"") + lines + (b"\n" if ends else b"")


def write_all(descriptor: int, data: bytes) -> None:
    """Writes every byte, even if another program made the descriptor non-blocking."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            # `select.select` fails for descriptors above 1023, so use `poll`.
            room = select.poll()
            room.register(descriptor, select.POLLOUT)
            room.poll()
