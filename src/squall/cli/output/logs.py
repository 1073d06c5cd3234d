"""`squall logs`: the server's log, made readable."""

from __future__ import annotations

import json
import os
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import BinaryIO

from squall.cli.terminal import exits
from squall.cli.terminal.table import cell
from squall.cli.terminal.target import Target, read_told
from squall.cli.terminal.verb import Verb
from squall.core.errors import ConfigError

_LOOK_EVERY = 0.2
_BLOCK = 64 * 1024
_COLOURS: Mapping[str, str] = {"WARNING": "33", "ERROR": "31", "CRITICAL": "31"}
_OWN = ("ts", "level", "logger", "msg")


def readable(line: bytes, *, colour: bool) -> str:
    """One line of the log for people; a line that is no JSON object stays as it is."""
    text = line.decode("utf-8", "replace").rstrip("\r\n")
    try:
        told = json.loads(text)
    except ValueError:
        return cell(text)
    if not isinstance(told, dict):
        return cell(text)
    level = str(told.get("level", "")).upper()
    extra = "".join(f" {cell(key)}={cell(value)}" for key, value in told.items() if key not in (*_OWN, "exception"))
    shown = f"{cell(level):<8}"
    if colour and level in _COLOURS:
        shown = f"\x1b[{_COLOURS[level]}m{shown}\x1b[0m"
    head = f"{cell(told.get('ts'))} {shown} {cell(told.get('logger'))}: {cell(told.get('msg'))}{extra}"
    trace = told.get("exception")
    if not isinstance(trace, str):
        return head
    return "\n".join([head, *(f"    {cell(part)}" for part in trace.rstrip("\n").split("\n"))])


def last_lines(file: BinaryIO, count: int) -> list[bytes]:
    """The last `count` lines, reading no more of the file than they need. The file stands at its end afterwards."""
    position = file.seek(0, os.SEEK_END)
    data = b""
    while position > 0 and data.count(b"\n") <= count:
        step = min(_BLOCK, position)
        position = file.seek(position - step)
        data = file.read(step) + data
    file.seek(0, os.SEEK_END)
    lines = data.splitlines(keepends=True)
    return lines[-count:] if count else []


def new_lines(path: Path, file: BinaryIO) -> Generator[bytes, None, None]:
    """The lines that come from now on, also after the file was rotated or cut; b"" while nothing comes.

    Closes the file at the end.
    """
    rest = b""
    try:
        while True:
            # Asked before reading: what was written before the file was put away is still read.
            replaced = _replaced(path, file)
            data = file.read(_BLOCK)
            if data:
                *whole, rest = (rest + data).split(b"\n")
                for line in whole:
                    yield line + b"\n"
            elif replaced:
                file.close()
                file = path.open("rb")
                rest = b""
            else:
                yield b""
    finally:
        file.close()


def _replaced(path: Path, file: BinaryIO) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(file.fileno())
    if (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino):
        return True
    if there.st_size < file.tell():
        file.seek(0)
    return False


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what is logged from now on")
    parser.add_argument("-n", "--lines", type=int, default=50, metavar="N", help="how many lines (default: 50)")


def _logs(args: Namespace, target: Target) -> int:
    """Raises `ConfigError` when there is no log."""
    directory = target.directory
    named = read_told(directory).get("log")
    path = Path(named) if isinstance(named, str) else directory / "logs" / "server.log"
    colour = target.coloured(sys.stdout)
    try:
        file = path.open("rb")
    except OSError as error:
        raise ConfigError(f"cannot read the log {path}: {error.strerror}") from None
    with file:
        for line in last_lines(file, max(args.lines, 0)):
            print(readable(line, colour=colour))
        sys.stdout.flush()
        if args.follow:
            for line in new_lines(path, file):
                if line:
                    print(readable(line, colour=colour), flush=True)
                else:
                    time.sleep(_LOOK_EVERY)
    return exits.OK


VERBS = {"logs": Verb(_configure, _logs)}
