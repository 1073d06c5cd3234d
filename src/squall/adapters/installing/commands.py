"""Commands that installations run: what they print is printed as it comes."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from squall.core.errors import InvalidError


def run(words: Sequence[str], what: str, env: Mapping[str, str], cwd: Path | None = None) -> None:
    """Runs a command to its end. Raises `InvalidError` that says `what` failed."""
    print(f"$ {shlex.join(words)}", flush=True)
    try:
        done = subprocess.run(words, env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, check=False)
    except OSError as error:
        raise InvalidError(f"{what}: {error}") from error
    if done.returncode:
        raise InvalidError(f"{what} (exit status {done.returncode})")


def output(words: Sequence[str], env: Mapping[str, str], cwd: Path | None = None) -> str | None:
    """What a command prints, without the white space around it; None if it fails."""
    try:
        done = subprocess.run(
            words, env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
