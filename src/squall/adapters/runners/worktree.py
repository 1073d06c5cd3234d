"""Git worktrees: a pack's files at a commit, tag or branch, added and removed without a shell."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from squall.adapters.removing import remove
from squall.core import ERRNOS
from squall.core.environment import is_of_environment
from squall.core.errors import InvalidError, UnavailableError

_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+@{}^~-]*")
_WITHIN = 60.0


def add_worktree(pack: Path, revision: str, folder: Path, env: Mapping[str, str]) -> Path:
    """Checks out the files of `pack` at `revision` into `folder`. Returns `folder`. `env` is the environment of git.

    Raises `InvalidError` if the pack is not a git repository or has no such revision.
    """
    if not _REVISION.fullmatch(revision):
        raise InvalidError(f'Parameter "content_version": {revision[:80]!r} is not the name of a git revision.')
    if not (pack / ".git").exists():
        raise InvalidError(
            f'Failed to create a git worktree for pack "{pack.name}": Pack directory "{pack}" is not a git repository. '
            "To utilize this functionality, pack directory needs to be a git repository."
        )
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    remove(folder.parent, folder)
    problem = _git(pack, env, "worktree", "add", "--force", "--detach", str(folder), revision)
    if problem is not None:
        raise InvalidError(
            f'Failed to create a git worktree for pack "{pack.name}": Invalid content_version "{revision}" provided. '
            f"Make sure that git repository is up to date and contains that revision. ({problem})"
        )
    return folder


def remove_worktree(pack: Path, folder: Path, env: Mapping[str, str]) -> None:
    """Removes the worktree in `folder`, if it exists. `env` is the environment of git."""
    if folder.exists():
        _git(pack, env, "worktree", "remove", "--force", str(folder))
        remove(folder.parent, folder)


def _git(pack: Path, env: Mapping[str, str], *words: str) -> str | None:
    """Runs git in the pack. Returns the end of its error output if it fails, else None. Raises `OSError` and
    `UnavailableError` if only the machine is in the way."""
    # The repository may belong to the user who installed the pack, which git refuses without `safe.directory`.
    command = ["git", "-c", f"safe.directory={pack}", "-c", "core.hooksPath=/dev/null", "-C", str(pack), *words]
    try:
        # The files of the pack may name programs that git runs.
        completed = subprocess.run(
            command, env=dict(env), stdin=subprocess.DEVNULL, capture_output=True, timeout=_WITHIN, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        if is_of_environment(error):
            raise
        return str(error)
    if not completed.returncode:
        return None
    message = completed.stderr.decode(errors="replace").strip()[-300:]
    if any(os.strerror(number) in message for number in ERRNOS):
        raise UnavailableError(f"git cannot work now: {message}")
    return message
