"""Imports the entry points of a pack's actions and sensors once, so that an installation reports import errors."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from squall.adapters import reading
from squall.core.safe_yaml import load_yaml

COMPAT = Path(__file__).parents[2] / "compat"
_PROGRAM = COMPAT / "squall_imports.py"
_LARGEST = 4 << 20
_LONGEST = 500
_PIECE = 1 << 16


class Limits(NamedTuple):
    """The time limits in seconds: for one file, and for all files of a pack together."""

    one: float = 30.0
    all: float = 240.0


def import_faults(folder: Path, python: str, env: Mapping[str, str], limits: Limits = Limits()) -> list[str]:  # noqa: B008
    """Imports each entry point of a pack once, in child processes of `python`. Returns one line for each failure."""
    faults: list[str] = []
    end = time.monotonic() + limits.all
    for kind in ("actions", "sensors"):
        users = _entry_points(folder, kind)
        files = [path for path in users if path.is_file() and path.suffix == ".py"]
        importer = _Importer(python, _paths(folder), env, limits.one, end)
        for path, error in importer.errors(files):
            names = users[path]
            listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            faults.append(f"{path.relative_to(folder)} cannot be imported ({kind}: {listed}): {error:.{_LONGEST}}")
    return faults


def _paths(folder: Path) -> list[str]:
    """Returns the first folders of an action's import path. The last one is `COMPAT`."""
    places = [folder / "lib", folder / "actions" / "lib"]
    return [str(path) for path in (*places, COMPAT)]


def _entry_points(folder: Path, kind: str) -> dict[Path, list[str]]:
    """Returns the Python files that the metadata of a kind name, each with the names of its actions or sensors."""
    users: dict[Path, list[str]] = {}
    for path in sorted([*(folder / kind).glob("*.yaml"), *(folder / kind).glob("*.yml")]):
        metadata = _metadata(path)
        entry = metadata.get("entry_point")
        name = metadata.get("class_name" if kind == "sensors" else "name")
        if not isinstance(entry, str) or (kind == "actions" and metadata.get("runner_type") != "python-script"):
            continue
        with contextlib.suppress(OSError, ValueError):
            file = (folder / kind / entry).resolve()
            if file.is_relative_to(folder):
                users.setdefault(file, []).append(str(name))
    return users


def _metadata(path: Path) -> dict[str, Any]:
    """Returns the mapping in a metadata file; empty for a bad file, which registration reports."""
    try:
        data = load_yaml(reading.read_bytes(path)) if path.stat().st_size <= _LARGEST else None
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


class _Importer:
    """An importer of files in child processes: until `end` (monotonic seconds), and at most `one` seconds for each
    file."""

    def __init__(self, python: str, paths: list[str], env: Mapping[str, str], one: float, end: float) -> None:
        self._python = python
        self._paths = paths
        self._env = {name: value for name, value in env.items() if not name.startswith("PYTHON")}
        self._one = one
        self._end = end

    def errors(self, files: Sequence[Path]) -> Iterator[tuple[Path, str]]:
        """Yields the files that cannot be imported, with the reason.

        One process imports all files, so that it loads libraries once. A file that fails there is a fault only if it
        also fails alone.
        """
        remaining = list(files)
        while remaining:
            results = self._import(remaining)
            for path, error in zip(remaining, results, strict=False):
                if error is None:
                    continue
                (alone,) = self._import([path]) if len(files) > 1 else (error,)
                if alone is not None:
                    yield path, alone
            remaining = remaining[len(results) :]

    def _import(self, files: Sequence[Path]) -> list[str | None]:
        """Returns the results of one process: at least one. The last result may be that of a file that ends the process
        or takes too long."""
        if time.monotonic() >= self._end:
            return ["it was not tried, as the others took too long"] * len(files)
        order = json.dumps({"paths": self._paths, "files": [str(path) for path in files]})
        words = [self._python, str(_PROGRAM)]
        results: list[str | None] = []
        with subprocess.Popen(
            words, env=self._env, cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:  # fmt: skip
            try:
                if process.stdin is not None:
                    with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
                        stdin.write(order.encode())
                lines = b""
                while len(results) < len(files):
                    piece = self._piece(process)
                    if not piece:
                        return [*results, "it takes too long" if piece is None else "it ends its process"]
                    *complete, lines = (lines + piece).split(b"\n")
                    results += [json.loads(line) for line in complete]
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        return results

    def _piece(self, process: subprocess.Popen[bytes]) -> bytes | None:
        """Returns the next output of the process; empty at the end, None if it takes too long."""
        if process.stdout is None:
            return b""
        wait = min(self._one, self._end - time.monotonic())
        ready, _, _ = select.select([process.stdout], [], [], max(wait, 0))
        return os.read(process.stdout.fileno(), _PIECE) if ready else None
