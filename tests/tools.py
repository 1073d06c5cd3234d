"""Programs that tests need and a machine may lack: `make test` installs their packages where it can."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

_PATHS = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def needed(command: str) -> str:
    """Where the program is; the test that needs it is skipped where there is none (see `.ci/packages.txt`)."""
    found = shutil.which(command, path=_PATHS)
    if found is None:
        pytest.skip(f"there is no {command} here; make test installs it when it is run by root where apt-get is")
    return found


def open_below(folder: Path) -> list[str]:
    """The files below a folder that this process holds open. Other descriptors may come and go while a test runs."""
    descriptors = Path("/proc/self/fd")
    targets = []
    for each in os.listdir(descriptors):
        try:
            targets.append(os.readlink(descriptors / each))
        except FileNotFoundError:  # The descriptor of the listing itself has been closed.
            continue
    return [target for target in targets if target.startswith(f"{folder}/")]
