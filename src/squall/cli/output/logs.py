"""`squall logs`: prints the server's log in readable form."""

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
from squall.cli.terminal.target import Target, read_server_info
from squall.cli.terminal.verb import Verb
from squall.core.errors import ConfigError

_LOOK_EVERY = 0.2
_BLOCK = 64 * 1024
_COLOURS: Mapping[str, str] = {"WARNING": "33", "ERROR": "31", "CRITICAL": "31"}
_OWN = ("ts", "level", "logger", "msg")


def readable(line: bytes, *, colour: bool) -> str:
    """Returns one line of the log for people. A line that is no JSON object stays as it is."""
    text = line.decode("utf-8", "replace").rstrip("\r\n")
    try:
        entry = json.loads(text)
    except ValueError:
        return cell(text)
    if not isinstance(entry, dict):
        return cell(text)
    level = str(entry.get("level", "")).upper()
    extra = "".join(f" {cell(key)}={cell(value)}" for key, value in entry.items() if key not in (*_OWN, "exception"))
    level_text = f"{cell(level):<8}"
    if colour and level in _COLOURS:
        level_text = f"\x1b[{_COLOURS[level]}m{level_text}\x1b[0m"
    head = f"{cell(entry.get('ts'))} {level_text} {cell(entry.get('logger'))}: {cell(entry.get('msg'))}{extra}"
    trace = entry.get("exception")
    if not isinstance(trace, str):
        return head
    return "\n".join([head, *(f"    {cell(part)}" for part in trace.rstrip("\n").split("\n"))])


def last_lines(file: BinaryIO, count: int) -> list[bytes]:
    """Returns the last `count` lines. It reads only the necessary part of the file, and leaves the file at its end."""
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
    """Yields new lines, even after the file was rotated or cut; b"" while nothing comes.

    Closes the file at the end.
    """
    rest = b""
    try:
        while True:
            # Check before reading, so that the last lines of a rotated file are still read.
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
        current = path.stat()
    except FileNotFoundError:
        return False
    opened = os.fstat(file.fileno())
    if (current.st_dev, current.st_ino) != (opened.st_dev, opened.st_ino):
        return True
    if current.st_size < file.tell():
        file.seek(0)
    return False


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument("-f", "--follow", action="store_true", help="follow the log")
    parser.add_argument("-n", "--lines", type=int, default=50, metavar="N", help="number of last lines (default: 50)")


def _logs(args: Namespace, target: Target) -> int:
    """Prints the log. Raises `ConfigError` if it cannot be read."""
    directory = target.directory
    log = read_server_info(directory).get("log")
    path = Path(log) if isinstance(log, str) else directory / "logs" / "server.log"
    colour = target.coloured(sys.stdout)
    try:
        file = path.open("rb")
    except OSError as error:
        raise ConfigError(
            f"cannot read the log {path}: {error.strerror}. Is {directory} the server's data directory? (--data-dir)"
        ) from None
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
