"""Versions of packs, or of their virtualenvs, side by side. An installation prepares a new version beside the active
one, then switches to it in one step.

`<folder>/<ref>` is a link to `.versions/<id>/<ref>`. A prepared version has its link in `.staged`, or in
`.staged.<installation>` if the workflow execution `installation` prepares it. Installations that run side by side do
not see each other's versions; if two install the same pack, the last to finish wins. Running processes keep the files
they began with: a later installation deletes a version one day after its replacement.
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

from squall.adapters import durable
from squall.adapters.removing import remove, remove_empty
from squall.core.errors import InvalidError
from squall.core.names import below, pack_name

_RETENTION_SECONDS = 86_400
_INSTALLATION = re.compile(r"[0-9a-zA-Z_]{1,64}")


class Versions:
    """The versions in a folder. Several processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def active(self, ref: str) -> Path:
        """Returns the path of the active version, also if there is none yet. Raises `InvalidError` for a bad pack
        name."""
        return below(self._folder, pack_name(ref))

    def staged(self, ref: str, installation: str = "") -> Path | None:
        """Returns the prepared version; None if there is none. Raises `InvalidError` if `installation` is not an id."""
        link = self._staged(ref, installation)
        return link.resolve() if link.exists() else None

    def new(self, ref: str) -> Path:
        """Returns a path for the next version: unused, in a new folder of its own."""
        parent = self._folder / ".versions" / uuid.uuid4().hex[:12]
        path = below(parent, pack_name(ref))
        durable.make_folder(parent)
        return path

    def stage(self, ref: str, version: Path, installation: str = "") -> None:
        """Marks `version`, at a path from `new`, as the prepared version. It replaces an earlier prepared version."""
        # A link on the disk to files that are not would be a broken pack after a loss of power.
        durable.sync_tree(version)
        _link(self._staged(ref, installation), version)

    def activate(self, ref: str, installation: str = "") -> bool:
        """Makes the prepared version the active one. Returns False if there is none."""
        version = self.staged(ref, installation)
        if version is None:
            return False
        self._use(ref, version)
        self._unstage(self._staged(ref, installation))
        return True

    def discard(self, ref: str, installation: str = "") -> None:
        """Deletes the prepared version."""
        version = self.staged(ref, installation)
        self._unstage(self._staged(ref, installation))
        if version is not None:
            self._remove(version)

    def give_up(self, version: Path) -> None:
        """Deletes a version at a path from `new` that is neither active nor prepared."""
        self._remove(version)

    def remove(self, ref: str) -> bool:
        """Deletes all versions of a pack. If it has no active version, deletes only the prepared one and returns False.

        If the active version is a link to a folder elsewhere, such as a developer's checkout, that folder stays. Raises
        `InvalidError` for a bad pack name.
        """
        active = self.active(ref)
        self.discard(ref)
        if not remove(self._folder, active):
            return False
        for version in self._versions(ref):
            self._remove(version)
        return True

    def clean(self, ref: str) -> None:
        """Deletes versions that were replaced or abandoned more than a day ago."""
        used = {self.active(ref).resolve(), self.staged(ref)}
        for version in self._versions(ref):
            with contextlib.suppress(FileNotFoundError):
                old = time.time() - version.parent.stat().st_mtime > _RETENTION_SECONDS
                if version.resolve() not in used and old:
                    self._remove(version)
        # Failed installations leave links whose versions are gone.
        for folder in self._folder.glob(".staged.*"):
            link = folder / pack_name(ref)
            if link.is_symlink() and not link.exists():
                self._unstage(link)

    @contextlib.contextmanager
    def locked(self, ref: str) -> Iterator[None]:
        """Locks this pack against other processes until the block ends. Waits for the holder of the lock."""
        lock = below(self._folder, f".{pack_name(ref)}.lock")
        durable.make_folder(self._folder)
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
            # A person put this folder here by hand.
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
        """Deletes the link to a prepared version. With the last link, deletes the folder of its installation."""
        remove(self._folder, link)
        if link.parent.name != ".staged":
            remove_empty(self._folder, link.parent)

    def _versions(self, ref: str) -> list[Path]:
        return sorted((self._folder / ".versions").glob(f"*/{pack_name(ref)}"))

    def _is_version(self, path: Path) -> bool:
        return path.parent.parent == (self._folder / ".versions").resolve()

    def _remove(self, version: Path) -> None:
        """Deletes a version at a path from `new`, with its own folder. Does nothing for other paths."""
        if self._is_version(version) or self._is_version(version.absolute()):
            remove(self._folder, version)
            remove_empty(self._folder, version.parent)


_DEFAULT_PACK = """\
ref: default
name: default
description: Resources created over the API without a pack.
version: 0.1.0
author: The Squall authors
"""


def make_default_pack(folder: Path) -> None:
    """Creates the pack `default` in a folder of packs, if it is missing. Does nothing if the folder cannot be
    written."""
    with contextlib.suppress(OSError):
        durable.make_folder(folder / "default" / "actions")
        if not (path := folder / "default" / "pack.yaml").exists():
            durable.create(path, _DEFAULT_PACK.encode())


class Installed:
    """The versions of packs and of their virtualenvs, which change together."""

    def __init__(self, packs: Versions, virtualenvs: Versions) -> None:
        self._packs = packs
        self._virtualenvs = virtualenvs

    def staged(self, ref: str, installation: str) -> Path | None:
        """Returns the version of a pack that an installation has prepared; None if there is none."""
        return self._packs.staged(ref, installation)

    def activate(self, ref: str, installation: str) -> None:
        """Makes the pack version and the virtualenv that an installation has prepared the active ones."""
        if self._packs.staged(ref, installation) is None and self._virtualenvs.staged(ref, installation) is None:
            return
        # Two installations may end at once: under the lock, each changes both links together.
        with self._packs.locked(ref):
            self._virtualenvs.activate(ref, installation)
            self._packs.activate(ref, installation)

    def discard(self, ref: str, installation: str) -> None:
        """Deletes the pack version and the virtualenv that an installation has prepared."""
        self._virtualenvs.discard(ref, installation)
        self._packs.discard(ref, installation)


def _link(link: Path, target: Path) -> None:
    """Points `link` to `target` in one atomic step."""
    durable.make_folder(link.parent)
    durable.link(link, os.path.relpath(target.resolve(), link.parent.resolve()))
