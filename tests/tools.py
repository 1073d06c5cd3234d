"""Programs that tests need and a machine may lack: `make test` installs their packages where it can."""

from __future__ import annotations

import os
import shutil

import pytest

_PATHS = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def needed(command: str) -> str:
    """Where the program is; the test that needs it is skipped where there is none (see `.ci/packages.txt`)."""
    found = shutil.which(command, path=_PATHS)
    if found is None:
        pytest.skip(f"there is no {command} here; make test installs it when it is run by root where apt-get is")
    return found
