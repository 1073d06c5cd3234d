"""Writes the server's own log: records with fields, as text on a terminal and as JSON lines everywhere else.

Fields are in logging's `extra`: `log.info("claimed", extra={"execution_id": id})`. The message of one kind of event
is constant; the fields hold the values. A `Secret` in a field is masked.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TextIO

from squall.cli.terminal.colour import coloured
from squall.config import Settings
from squall.core.environment import is_of_environment
from squall.core.errors import ConfigError
from squall.core.timestamp import to_iso

FILE_BYTES: Final = 10 << 20
OLD_FILES: Final = 3

_NOT_FIELDS: Final = frozenset([*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message"])
_COLOURS: Final = {"DEBUG": "2", "WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}
_CONTROLS: Final = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))} | {
    10: "\\n",
    13: "\\r",
    9: "\\t",
}


class JsonFormatter(logging.Formatter):
    """A formatter that writes one JSON object per line: `ts` (ISO 8601 with µs, UTC), `level`, `logger`, `msg`, the
    record's fields, and `exception`, the whole traceback as one text."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the record as one line, without the line end."""
        line = {
            "ts": to_iso(int(record.created * 1_000_000)),
            "level": record.levelname,
            "logger": record.name,
            "msg": record.getMessage(),
        }
        for key, value in _fields(record).items():
            # A field may have any name, but it must not replace a standard key.
            line[f"{key}_" if key in line or key == "exception" else key] = value
        if text := _exception(self, record):
            line["exception"] = text
        return json.dumps(line, ensure_ascii=False, default=str)


class HumanFormatter(logging.Formatter):
    """A formatter for people: local time, level, message, `key=value` fields; a traceback on separate lines.

    It escapes control characters, so that text from actions or clients cannot forge lines or control the terminal.
    """

    def __init__(self, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """Returns the record as one line, and the exception on the lines below."""
        clock = time.strftime("%H:%M:%S", time.localtime(record.created)) + f".{int(record.msecs):03d}"
        words = [record.getMessage().translate(_CONTROLS)]
        for key, value in _fields(record).items():
            text = str(value).translate(_CONTROLS)
            words.append(f"{key}={text if text and ' ' not in text else repr(text)}")
        level = f"{record.levelname:<8}"
        if self._colour and (colour := _COLOURS.get(record.levelname)):
            level = f"\x1b[{colour}m{level}\x1b[0m"
        line = f"{clock} {level} {record.name}: {' '.join(words)}"
        text = _exception(self, record)
        return "\n".join([line, *(part.translate(_CONTROLS) for part in text.splitlines())])


class _PrivateFile(logging.handlers.RotatingFileHandler):
    """A log file that only its owner can read. What a full disk keeps out of it is lost to it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name that `logging` calls
        """Reports a record that could not be written, unless the machine is in the way: the other log has it."""
        error = sys.exc_info()[1]
        if error is None or not is_of_environment(error):
            super().handleError(record)

    def _open(self) -> Any:
        return open(
            self.baseFilename,
            self.mode,
            encoding="utf-8",
            # Undecodable text, such as a file name, becomes an escape instead of an error.
            errors="backslashreplace",
            opener=lambda path, flags: os.open(path, flags, 0o600),
        )


def configure(settings: Settings, stream: TextIO, color: str | None = None) -> Callable[[], None]:
    """Sends every log record of the process to `stream` and, as JSON, to `logs/server.log` of the data directory.

    `color` is `always`, `never` or `auto`; None is `auto`.
    Returns a function that restores logging and closes the file. Raises `ConfigError` if the file cannot be written.
    """
    handlers: list[logging.Handler] = [_to_file(log_path(settings)), _to_stream(settings.logging.format, stream, color)]
    root = logging.getLogger()
    level = root.level
    root.setLevel(settings.logging.level)
    for handler in handlers:
        root.addHandler(handler)

    def undo() -> None:
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()
        handlers.clear()
        root.setLevel(level)

    return undo


def log_path(settings: Settings) -> Path:
    """Returns the path of the log file."""
    return settings.server.data_dir / "logs" / "server.log"


def _to_file(path: Path) -> logging.Handler:
    try:
        for directory in (path.parent.parent, path.parent):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        handler = _PrivateFile(path, maxBytes=FILE_BYTES, backupCount=OLD_FILES)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror}); check --data-dir") from error
    handler.setFormatter(JsonFormatter())
    return handler


def _to_stream(form: str, stream: TextIO, color: str | None) -> logging.Handler:
    handler = logging.StreamHandler(stream)
    terminal = stream.isatty()
    human = form == "human" or (form == "auto" and terminal)
    handler.setFormatter(HumanFormatter(coloured(color, os.environ, terminal)) if human else JsonFormatter())
    return handler


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key not in _NOT_FIELDS}


def _exception(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    text = formatter.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else ""
    if record.stack_info:
        text = f"{text}\n{record.stack_info}" if text else record.stack_info
    return text
