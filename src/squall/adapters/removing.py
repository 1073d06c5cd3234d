"""Removing files and folders: below one root, and never through a link."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from squall.core.errors import InvalidError


def remove(root: Path, path: Path) -> bool:
    """Removes `path`, a file, a link or a folder with all that is in it, which must lie below `root`.

    A link is removed, and what it leads to stays; so do the targets of links inside of a folder. What cannot be
    removed stays too. False if nothing was there. Raises `InvalidError`, before anything is removed, for a path that
    is `root` itself or outside of it, also when a link on the way leads there.
    """
    real_root = os.path.realpath(root)
    parent = os.path.realpath(path.parent)
    if path.name in ("", ".", "..") or os.path.commonpath([real_root, parent]) != real_root:
        raise InvalidError(f"{path} is not below {root}: it is not removed")
    entry = Path(parent, path.name)
    if entry.is_symlink() or not entry.is_dir():
        existed = os.path.lexists(entry)
        with contextlib.suppress(FileNotFoundError, PermissionError):
            entry.unlink()
        return existed
    shutil.rmtree(entry, ignore_errors=True)
    return True


def remove_empty(root: Path, folder: Path) -> None:
    """Removes a folder below `root` if nothing is in it. Raises `InvalidError` as `remove` does."""
    if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
        remove(root, folder)
