"""The packages that every pack may import without a requirement, because packs could import StackStorm's own packages.

One folder for each interpreter holds them. It is the last entry in `sys.path` of every virtualenv: a pack's own
requirements come before it, and cannot remove anything from it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from squall.adapters.installing.commands import output, run
from squall.adapters.installing.versions import Versions
from squall.core.errors import InvalidError

PACKAGES = (
    "six", "requests", "pyyaml", "urllib3", "jinja2", "simplejson", "python-dateutil", "pytz", "eventlet", "paramiko",
    "st2client>=3.8,<3.10", "setuptools<81",
)  # fmt: skip
"""The default packages. `setuptools` provides `pkg_resources`, which its later versions no longer contain."""

_RETRY_SECONDS = 3600
_MISSING = "squall-missing"
_LINES = "zzz-squall.pth"
_ABOUT = "import sys, sysconfig; print(sys.implementation.cache_tag, sys.abiflags, sysconfig.get_platform())"


class DefaultPackages:
    """The folders of the default packages below `folder`. Several processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._versions = Versions(folder)

    def provide(self, python: str, install: Callable[[Path], list[str]], env: Mapping[str, str]) -> Path:
        """Returns the folder for an interpreter. Creates it if it is missing, or if it lacks a package that can be
        installed now.

        `install(folder)` returns the command that installs into a folder, without the names of packages. Prints a
        warning that names the packages that cannot be installed. Raises `InvalidError` if the interpreter does not run.
        """
        ref = _ref(python, env)
        with self._versions.locked(ref):
            active = self._versions.active(ref)
            missing = _missing(active)
            if not missing:
                return active
            self._versions.clean(ref)
            version = self._versions.new(ref)
            lacking = _fill(version, install(version), env, _was_tried_recently(active))
            if len(lacking) < len(missing):
                self._versions.stage(ref, version)
                self._versions.activate(ref)
            else:
                self._versions.give_up(version)
                lacking = list(missing)
            if lacking:
                print(
                    f"WARNING: {', '.join(lacking)} cannot be had; a pack may need it without requiring it", flush=True
                )
        return active


def link(virtualenv: Path, packages: Path) -> None:
    """Adds a folder of default packages at the end of a virtualenv's import path."""
    for folder in sorted(virtualenv.glob("lib/python3*/site-packages")):
        (folder / _LINES).write_text(f"{packages.absolute()}\n")


def _ref(python: str, env: Mapping[str, str]) -> str:
    """Returns a name for an interpreter with its default packages: lower case letters, digits and `_`. Raises
    `InvalidError` if the interpreter does not run."""
    about = output([python, "-I", "-c", _ABOUT], env)
    if about is None:
        raise InvalidError(f"{python} does not run")
    key = hashlib.sha256("\n".join([about, *PACKAGES]).encode()).hexdigest()[:10]
    return "".join(letter if letter.isalnum() else "_" for letter in about.split()[0].lower()) + f"_{key}"


def _missing(folder: Path) -> Sequence[str]:
    """Returns the packages that a folder lacks. For a folder that does not exist: all packages and an empty name, which
    are more than any folder can lack."""
    try:
        return (folder / _MISSING).read_text().splitlines()
    except OSError:
        return [*PACKAGES, ""]


def _was_tried_recently(folder: Path) -> bool:
    """Returns True if an installation of all packages was tried within the last hour."""
    try:
        return time.time() - (folder / _MISSING).stat().st_mtime < _RETRY_SECONDS
    except OSError:
        return False


def _fill(folder: Path, command: Sequence[str], env: Mapping[str, str], at_once: bool) -> list[str]:
    """Installs all packages. If that fails, installs each one alone, unless they must come `at_once`. Returns the
    packages that were not installed."""
    folder.mkdir()
    lacking: list[str] = []
    if not _installs([*command, *PACKAGES], env):
        if at_once:
            return list(PACKAGES)
        print("The packages cannot be installed together; installing one after the other.", flush=True)
        lacking = [package for package in PACKAGES if not _installs([*command, package], env)]
    (folder / _MISSING).write_text("".join(f"{package}\n" for package in lacking))
    return lacking


def _installs(words: Sequence[str], env: Mapping[str, str]) -> bool:
    try:
        run(words, "it cannot be had", env)
    except InvalidError:
        return False
    return True
