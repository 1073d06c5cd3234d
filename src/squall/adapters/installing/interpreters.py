"""Chooses the Python of a pack's virtualenv: an interpreter of this machine, never a download."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from squall.adapters.installing.commands import output
from squall.core.content.metadata import python_request
from squall.core.errors import InvalidError

DEFAULT = "default"
"""The request that drops the stored choice: it selects the Python of the pack's metadata, or else the server's own."""

_CHOICE = "squall-python"


def chosen(request: str | None, virtualenv: Path, metadata_value: object) -> tuple[str | None, str | None]:
    """Returns the request for a pack's Python (None: the server's own), and the choice to store (None: no choice).

    `request` is the user's choice. It wins over the stored choice of `virtualenv`, the one in use, which wins over the
    pack's metadata. Raises `InvalidError` for a request that names no Python.
    """
    by_pack = python_request(metadata_value) if metadata_value not in (None, "") else None
    if request == DEFAULT:
        return by_pack, None
    if not request:
        request = _remembered(virtualenv)
    elif not request.startswith("/"):
        request = python_request(request)
    return request or by_pack, request


def remember(virtualenv: Path, request: str | None) -> None:
    """Stores a choice in the virtualenv that was created for it, so that both share their lifetime."""
    if request is not None:
        (virtualenv / _CHOICE).write_text(f"{request}\n")


def _remembered(virtualenv: Path) -> str | None:
    try:
        return (virtualenv / _CHOICE).read_text().strip() or None
    except OSError:
        return None


def find(request: str | None, uv: Sequence[str] | None, env: Mapping[str, str], own: str = sys.executable) -> str:
    """Returns the path of an interpreter of this machine. Raises `InvalidError` that says how to get one."""
    if request is None or _is_own(request, own):
        return own
    if request.startswith("/"):
        path = request if Path(request).is_file() else None
    else:
        path = _searched(request, uv, env)
        if not path and (folders := _pyenv_folders(env)):
            # A shim of pyenv for a version that is not selected fails, and uv then ends its search.
            path = _searched(request, uv, {**env, "PATH": folders})
    if path:
        return path
    raise InvalidError(
        f"No Python {request} is on this machine. Install one, or fetch one as the user of the server: "
        f"uv python install {request}"
    )


def _searched(request: str, uv: Sequence[str] | None, env: Mapping[str, str]) -> str | None:
    """Returns the path of an interpreter on the `PATH` of `env` that fits the request; None or "" if there is none."""
    if uv is not None:
        return output([*uv, "python", "find", "--system", request], env)
    return shutil.which(f"python{request}", path=env.get("PATH"))


def _pyenv_folders(env: Mapping[str, str]) -> str:
    """Returns the folders of the interpreters that pyenv has installed, as a `PATH`; "" if there are none."""
    root = env.get("PYENV_ROOT") or (f"{env['HOME']}/.pyenv" if env.get("HOME") else "")
    return os.pathsep.join(str(each) for each in sorted(Path(root).glob("versions/*/bin"))) if root else ""


def installer() -> list[str] | None:
    """Returns the command of uv; None if uv is missing."""
    if find_spec("uv") is not None:
        return [sys.executable, "-m", "uv"]
    path = shutil.which("uv")
    return [path] if path is not None else None


def _is_own(request: str, own: str) -> bool:
    version = ".".join(str(number) for number in sys.version_info[:3])
    return own == sys.executable and (version == request or version.startswith(f"{request}."))
