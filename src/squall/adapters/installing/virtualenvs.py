"""Virtualenvs of packs: made by uv, which links packages from its cache; by `venv` and pip where uv is not there.

Each has what packs rely on without saying so, because StackStorm's own packages were importable for them.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from squall.adapters.installing.commands import run
from squall.adapters.removing import remove
from squall.core.errors import InvalidError

BASE_SET = (
    "six", "requests", "pyyaml", "urllib3", "jinja2", "simplejson", "python-dateutil", "pytz", "eventlet", "paramiko",
    "st2client>=3.8,<3.10",
)  # fmt: skip


def make_virtualenv(
    at: Path, requirements: Sequence[Path], options: Sequence[str], env: Mapping[str, str], python: str = sys.executable
) -> None:
    """Makes the virtualenv `at` with the base set and what the files of requirements ask for; those must be met, while
    of the base set what cannot be had is only told. Raises `InvalidError`."""
    environment = _environment(env)
    uv = _uv()
    try:
        if uv is not None:
            # Not `--relocatable`: the path of a version never changes. The link to it may.
            run(
                [*uv, "venv", "--no-project", "--python", python, str(at)], "the virtualenv cannot be made", environment
            )
        else:
            run([python, "-m", "venv", str(at)], "the virtualenv cannot be made", environment)
        _fill(at, uv, [path for path in requirements if path.is_file()], options, environment)
    except InvalidError:
        remove(at.parent, at)
        raise


def install(at: Path, requirements: Sequence[str], options: Sequence[str], env: Mapping[str, str]) -> None:
    """Installs more into a virtualenv. Raises `InvalidError`."""
    words = [*_installer(at, _uv()), *options, *requirements]
    run(words, f"{', '.join(requirements)} cannot be installed", _environment(env))


def _fill(at: Path, uv: list[str] | None, files: list[Path], options: Sequence[str], env: Mapping[str, str]) -> None:
    with TemporaryDirectory() as folder:
        base = Path(folder) / "base.txt"
        base.write_text("\n".join(BASE_SET) + "\n")
        named = [word for path in files for word in ("-r", str(path))]
        command = [*_installer(at, uv), *options]
        try:
            return run([*command, "-r", str(base), *named], "the requirements cannot be met", env)
        except InvalidError:
            print("Not all at once: first what the pack asks for, then what every pack gets.", flush=True)
    if named:
        run([*command, *named], "the requirements of the pack cannot be met", env)
    bounds = [word for path in files for word in ("-c", str(path))]
    missing = [each for each in BASE_SET if not _have([*command, *bounds, each], env)]
    if missing:
        print(f"WARNING: {', '.join(missing)} cannot be had: packs may need it without saying so", flush=True)
    return None


def _have(words: Sequence[str], env: Mapping[str, str]) -> bool:
    """Whether this could be installed, beside what is there."""
    try:
        run(words, "it cannot be had", env)
    except InvalidError:
        return False
    return True


def _installer(at: Path, uv: list[str] | None) -> list[str]:
    python = str(at / "bin" / "python")
    return [*uv, "pip", "install", "--python", python] if uv is not None else [python, "-m", "pip", "install"]


def _uv() -> list[str] | None:
    if find_spec("uv") is not None:
        return [sys.executable, "-m", "uv"]
    found = shutil.which("uv")
    return [found] if found is not None else None


def _environment(env: Mapping[str, str]) -> dict[str, str]:
    """Without what belongs to the process that asks; pip's settings of offline sites hold for uv as well."""
    kept = {name: value for name, value in env.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME")}
    for theirs, ours in (("PIP_FIND_LINKS", "UV_FIND_LINKS"), ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
                         ("PIP_EXTRA_INDEX_URL", "UV_INDEX"), ("PIP_NO_INDEX", "UV_NO_INDEX")):  # fmt: skip
        if env.get(theirs) and ours not in kept:
            kept[ours] = env[theirs]
    kept.setdefault("UV_LINK_MODE", "hardlink" if os.name == "posix" else "copy")
    kept.setdefault("UV_NO_PROGRESS", "1")
    return kept
