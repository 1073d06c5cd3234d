"""Deletes files and folders below one root, and never follows links."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from squall.core.errors import InvalidError


def remove(root: Path, path: Path) -> bool:
    """Deletes `path`: a file, a link, or a folder with its contents. It must lie below `root`.

    Deletes links, but not their targets, also inside of folders. Entries that cannot be deleted stay. Returns False if
    `path` did not exist. Raises `InvalidError`, and deletes nothing, if `path` is `root` itself or lies outside of it,
    even through a link in a parent folder.
    """
    real_root = os.path.realpath(root)
    parent = os.path.realpath(path.parent)
    if path.name in ("", ".", "..") or os.path.commonpath([real_root, parent]) != real_root:
        raise InvalidError(f"{path} is not below {root}, so it was not removed")
    entry = Path(parent, path.name)
    if entry.is_symlink() or not entry.is_dir():
        existed = os.path.lexists(entry)
        with contextlib.suppress(FileNotFoundError, PermissionError):
            entry.unlink()
        return existed
    shutil.rmtree(entry, ignore_errors=True)
    return True


def remove_empty(root: Path, folder: Path) -> None:
    """Deletes a folder below `root` if it is empty. Raises `InvalidError` in the same cases as `remove`."""
    if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
        remove(root, folder)
