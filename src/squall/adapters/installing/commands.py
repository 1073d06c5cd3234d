"""Commands that installations run. Their output is printed while it arrives."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from squall.core.errors import InvalidError

_PIECE = 1 << 16
_MOST_ERRORS = 1 << 18


class CommandError(InvalidError):
    """The failure of a command. `errors` is the end of its standard error."""

    def __init__(self, message: str, errors: str = "") -> None:
        self.errors = errors
        super().__init__(message)


def run(words: Sequence[str], what: str, env: Mapping[str, str], cwd: Path | None = None) -> None:
    """Runs a command to its end. Raises `CommandError`, whose message begins with `what`."""
    print(f"$ {shlex.join(words)}", flush=True)
    try:
        with subprocess.Popen(
            words, env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            errors = _forward_errors(process)
    except OSError as error:
        raise CommandError(f"{what}: {error}") from error
    if process.returncode:
        raise CommandError(f"{what} (exit status {process.returncode})", errors)


def _forward_errors(process: subprocess.Popen[bytes]) -> str:
    """Prints a process's standard error while it arrives. Returns the end of it."""
    end = b""
    while process.stderr is not None and (piece := process.stderr.read1(_PIECE)):  # type: ignore[attr-defined]
        sys.stderr.buffer.write(piece)
        sys.stderr.buffer.flush()
        end = (end + piece)[-_MOST_ERRORS:]
    return end.decode(errors="replace")


def output(words: Sequence[str], env: Mapping[str, str], cwd: Path | None = None) -> str | None:
    """Returns the output of a command without surrounding white space; None if the command fails."""
    try:
        completed = subprocess.run(
            words, env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return completed.stdout.strip() if completed.returncode == 0 else None
