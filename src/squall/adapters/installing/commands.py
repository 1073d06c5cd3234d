"""Commands that installations run: what they print is printed as it comes."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from squall.core.errors import InvalidError

_PIECE = 1 << 16
_KEPT = 1 << 18


class CommandError(InvalidError):
    """A command failed; `errors` is the end of what it printed on its standard error."""

    def __init__(self, message: str, errors: str = "") -> None:
        self.errors = errors
        super().__init__(message)


def run(words: Sequence[str], what: str, env: Mapping[str, str], cwd: Path | None = None) -> None:
    """Runs a command to its end. Raises `CommandError` that says `what` failed."""
    print(f"$ {shlex.join(words)}", flush=True)
    try:
        with subprocess.Popen(
            words, env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            errors = _passed_on(process)
    except OSError as error:
        raise CommandError(f"{what}: {error}") from error
    if process.returncode:
        raise CommandError(f"{what} (exit status {process.returncode})", errors)


def _passed_on(process: subprocess.Popen[bytes]) -> str:
    """Prints what a process prints on its standard error, as it comes; returns the end of it."""
    kept = b""
    while process.stderr is not None and (piece := process.stderr.read1(_PIECE)):  # type: ignore[attr-defined]
        sys.stderr.buffer.write(piece)
        sys.stderr.buffer.flush()
        kept = (kept + piece)[-_KEPT:]
    return kept.decode(errors="replace")


def output(words: Sequence[str], env: Mapping[str, str], cwd: Path | None = None) -> str | None:
    """What a command prints, without the white space around it; None if it fails."""
    try:
        done = subprocess.run(
            words, env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
