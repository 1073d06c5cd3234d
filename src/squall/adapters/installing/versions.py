"""Versions of packs, or of their virtualenvs, side by side: what is new is prepared beside what is used, and takes its
place at once.

`<folder>/<ref>` is a link to `.versions/<id>/<ref>`; what was prepared and is not used yet has its link in `.staged`,
or in `.staged.<installation>` if the workflow execution `installation` prepares it: installations that run side by side
do not see what the others prepare, and of two of one pack the last to finish wins. What runs keeps the files it began
with: a version that was used goes with a later installation, a day after it was replaced.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from squall.adapters.removing import remove, remove_empty
from squall.core.errors import InvalidError
from squall.core.names import below, pack_name

_KEPT_SECONDS = 86_400
_INSTALLATION = re.compile(r"[0-9a-zA-Z_]{1,64}")


class Versions:
    """The versions in a folder. Several processes may use it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def active(self, ref: str) -> Path:
        """Where the version that is used is, or will be. Raises `InvalidError` for what is no name of a pack."""
        return below(self._folder, pack_name(ref))

    def staged(self, ref: str, installation: str = "") -> Path | None:
        """The version that is prepared, if there is one. Raises `InvalidError` for what is no id."""
        link = self._staged(ref, installation)
        return link.resolve() if link.exists() else None

    def new(self, ref: str) -> Path:
        """Where the next version can be made: a path in a folder of its own, at which nothing is yet."""
        parent = self._folder / ".versions" / uuid.uuid4().hex[:12]
        path = below(parent, pack_name(ref))
        parent.mkdir(mode=0o700, parents=True)
        return path

    def stage(self, ref: str, version: Path, installation: str = "") -> None:
        """Has `version`, made at a path of `new`, wait for `activate`, in place of what waited before."""
        _link(self._staged(ref, installation), version)

    def activate(self, ref: str, installation: str = "") -> bool:
        """Uses the version that is prepared from now on; False if there is none."""
        version = self.staged(ref, installation)
        if version is None:
            return False
        self._use(ref, version)
        self._unstage(self._staged(ref, installation))
        return True

    def discard(self, ref: str, installation: str = "") -> None:
        """Removes the version that is prepared."""
        version = self.staged(ref, installation)
        self._unstage(self._staged(ref, installation))
        if version is not None:
            self._remove(version)

    def give_up(self, version: Path) -> None:
        """Removes a version that was made at a path of `new` and is neither used nor prepared."""
        self._remove(version)

    def remove(self, ref: str) -> bool:
        """Removes what is used and what is prepared; False if there was nothing.

        A link that leads elsewhere, such as to a developer's checkout, is removed; what it leads to stays.
        Raises `InvalidError` for what is no name of a pack.
        """
        active = self.active(ref)
        self.discard(ref)
        if not remove(self._folder, active):
            return False
        for version in self._versions(ref):
            self._remove(version)
        return True

    def clean(self, ref: str) -> None:
        """Removes versions that were replaced long ago, and what was left behind half made."""
        used = {self.active(ref).resolve(), self.staged(ref)}
        for version in self._versions(ref):
            with contextlib.suppress(FileNotFoundError):
                old = time.time() - version.parent.stat().st_mtime > _KEPT_SECONDS
                if version.resolve() not in used and old:
                    self._remove(version)
        # An installation that failed left what it had prepared.
        for folder in self._folder.glob(".staged.*"):
            link = folder / pack_name(ref)
            if link.is_symlink() and not link.exists():
                self._unstage(link)

    @contextlib.contextmanager
    def locked(self, ref: str) -> Iterator[None]:
        """Keeps others from changing this pack meanwhile; waits for whoever does."""
        lock = below(self._folder, f".{pack_name(ref)}.lock")
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(lock, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(f'Waiting for another installation of "{ref}" ...', flush=True)
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _use(self, ref: str, version: Path) -> None:
        active = self.active(ref)
        if active.is_dir() and not active.is_symlink():
            # Somebody has put it there by hand.
            active.rename(self.new(ref))
        elif active.is_symlink() and self._is_version(active.resolve()):
            with contextlib.suppress(OSError):
                os.utime(active.resolve().parent)
        _link(active, version)

    def _staged(self, ref: str, installation: str) -> Path:
        if installation and not _INSTALLATION.fullmatch(installation):
            raise InvalidError(f'"{installation:.80}" is not the id of an execution that installs packs')
        return below(self._folder / f".staged{installation and f'.{installation}'}", pack_name(ref))

    def _unstage(self, link: Path) -> None:
        """Removes a link to what was prepared, and the folder of its installation with the last of them."""
        remove(self._folder, link)
        if link.parent.name != ".staged":
            remove_empty(self._folder, link.parent)

    def _versions(self, ref: str) -> list[Path]:
        return sorted((self._folder / ".versions").glob(f"*/{pack_name(ref)}"))

    def _is_version(self, path: Path) -> bool:
        return path.parent.parent == (self._folder / ".versions").resolve()

    def _remove(self, version: Path) -> None:
        """Removes a version that was made at a path of `new`, and the folder of its own; nothing else."""
        if self._is_version(version) or self._is_version(version.absolute()):
            remove(self._folder, version)
            remove_empty(self._folder, version.parent)


_DEFAULT_PACK = """\
ref: default
name: default
description: What is made over the API without saying in which pack.
version: 0.1.0
author: The Squall authors
"""


def make_default_pack(folder: Path) -> None:
    """Makes the pack `default` in a folder of packs, where there is none; its actions may have files. A folder that
    cannot be written has none."""
    with contextlib.suppress(OSError):
        (folder / "default" / "actions").mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(folder / "default" / "pack.yaml", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(_DEFAULT_PACK)


class Installed:
    """Packs and their virtualenvs, whose versions change together."""

    def __init__(self, packs: Versions, virtualenvs: Versions) -> None:
        self._packs = packs
        self._virtualenvs = virtualenvs

    def staged(self, ref: str, installation: str) -> Path | None:
        """The version of a pack that an installation has prepared, if there is one."""
        return self._packs.staged(ref, installation)

    def activate(self, ref: str, installation: str) -> None:
        """Uses what an installation has prepared of a pack from now on."""
        if self._packs.staged(ref, installation) is None and self._virtualenvs.staged(ref, installation) is None:
            return
        # Two installations may end at once: both links are changed by one of them, then by the other.
        with self._packs.locked(ref):
            self._virtualenvs.activate(ref, installation)
            self._packs.activate(ref, installation)

    def discard(self, ref: str, installation: str) -> None:
        """Removes what an installation has prepared of a pack."""
        self._virtualenvs.discard(ref, installation)
        self._packs.discard(ref, installation)


def _link(link: Path, target: Path) -> None:
    """Makes `link` lead to `target`, at once."""
    link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = link.with_name(f".{link.name}.{uuid.uuid4().hex[:8]}")
    beside.symlink_to(os.path.relpath(target.resolve(), link.parent.resolve()))
    beside.replace(link)
