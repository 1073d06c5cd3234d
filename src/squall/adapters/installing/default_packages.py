"""The packages that every pack may import without asking, because StackStorm's own packages were importable for them.

They lie in one folder per interpreter, which stands at the end of `sys.path` of every virtualenv: what a pack requires
comes before it, and nothing a pack requires takes anything away from it.
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
"""`setuptools` is there for `pkg_resources`, which its later versions no longer have."""

_RETRY_SECONDS = 3600
_MISSING = "squall-missing"
_LINES = "zzz-squall.pth"
_ABOUT = "import sys, sysconfig; print(sys.implementation.cache_tag, sys.abiflags, sysconfig.get_platform())"


class DefaultPackages:
    """The folders of these packages below `folder`. Several processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._versions = Versions(folder)

    def provide(self, python: str, install: Callable[[Path], list[str]], env: Mapping[str, str]) -> Path:
        """Returns the folder for an interpreter, made if it is not there or lacks a package that can be had now.

        `install(folder)` is the command that installs into a folder, without the names of packages. What cannot be had
        is told. Raises `InvalidError` if the interpreter does not run.
        """
        ref = _ref(python, env)
        with self._versions.locked(ref):
            active = self._versions.active(ref)
            missing = _missing(active)
            if not missing:
                return active
            self._versions.clean(ref)
            version = self._versions.new(ref)
            left = _fill(version, install(version), env, _was_tried_lately(active))
            if len(left) < len(missing):
                self._versions.stage(ref, version)
                self._versions.activate(ref)
            else:
                self._versions.give_up(version)
                left = list(missing)
            if left:
                print(f"WARNING: {', '.join(left)} cannot be had: packs may need it without saying so", flush=True)
        return active


def link(virtualenv: Path, packages: Path) -> None:
    """Puts a folder of default packages at the end of what a virtualenv imports from."""
    for folder in sorted(virtualenv.glob("lib/python3*/site-packages")):
        (folder / _LINES).write_text(f"{packages.absolute()}\n")


def _ref(python: str, env: Mapping[str, str]) -> str:
    """A name for an interpreter and what is installed for it: lower case letters, digits and `_`."""
    about = output([python, "-I", "-c", _ABOUT], env)
    if about is None:
        raise InvalidError(f"{python} does not run")
    key = hashlib.sha256("\n".join([about, *PACKAGES]).encode()).hexdigest()[:10]
    return "".join(letter if letter.isalnum() else "_" for letter in about.split()[0].lower()) + f"_{key}"


def _missing(folder: Path) -> Sequence[str]:
    """The packages that are not in a folder; all of them and one more if it was never made."""
    try:
        return (folder / _MISSING).read_text().splitlines()
    except OSError:
        return [*PACKAGES, ""]


def _was_tried_lately(folder: Path) -> bool:
    """Whether it is no hour ago that each package was tried."""
    try:
        return time.time() - (folder / _MISSING).stat().st_mtime < _RETRY_SECONDS
    except OSError:
        return False


def _fill(folder: Path, command: Sequence[str], env: Mapping[str, str], at_once: bool) -> list[str]:
    """Installs all packages, or, unless they must come `at_once`, those that can be had; returns the others."""
    folder.mkdir()
    left: list[str] = []
    if not _had([*command, *PACKAGES], env):
        if at_once:
            return list(PACKAGES)
        print("Not all at once: one after the other.", flush=True)
        left = [package for package in PACKAGES if not _had([*command, package], env)]
    (folder / _MISSING).write_text("".join(f"{package}\n" for package in left))
    return left


def _had(words: Sequence[str], env: Mapping[str, str]) -> bool:
    try:
        run(words, "it cannot be had", env)
    except InvalidError:
        return False
    return True
