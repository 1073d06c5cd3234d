"""Imports what the actions and sensors of a pack run, once, so that what cannot be imported is known at once."""

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

from squall.core.safe_yaml import load_yaml

COMPAT = Path(__file__).parents[2] / "compat"
_PROGRAM = COMPAT / "squall_imports.py"
_LARGEST = 4 << 20
_LONGEST = 500
_PIECE = 1 << 16


class Limits(NamedTuple):
    """How long one file may take, and all files of a pack together, in seconds."""

    one: float = 30.0
    all: float = 240.0


def import_faults(folder: Path, python: str, env: Mapping[str, str], limits: Limits = Limits()) -> list[str]:  # noqa: B008
    """Imports each entry point of a pack once, in child processes of `python`; returns a line for each that fails."""
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
    """Where actions import from before anything else; `squall.compat` comes last of all."""
    places = [folder / "lib", folder / "actions" / "lib"]
    return [str(path) for path in (*places, COMPAT)]


def _entry_points(folder: Path, kind: str) -> dict[Path, list[str]]:
    """The files with Python code that the metadata of a kind name, each with the names of what runs it."""
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
    """The mapping in a metadata file; empty for what is none, which registration tells."""
    try:
        data = load_yaml(path.read_bytes()) if path.stat().st_size <= _LARGEST else None
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


class _Importer:
    """Imports files in child processes until `end` (monotonic seconds), each for `one` seconds at most."""

    def __init__(self, python: str, paths: list[str], env: Mapping[str, str], one: float, end: float) -> None:
        self._python = python
        self._paths = paths
        self._env = {name: value for name, value in env.items() if not name.startswith("PYTHON")}
        self._one = one
        self._end = end

    def errors(self, files: Sequence[Path]) -> Iterator[tuple[Path, str]]:
        """Yields the files that cannot be imported, and why.

        One process imports all, so that libraries are loaded once; what fails there fails alone, too, or is no fault.
        """
        left = list(files)
        while left:
            results = self._import(left)
            for path, error in zip(left, results, strict=False):
                if error is None:
                    continue
                (again,) = self._import([path]) if len(files) > 1 else (error,)
                if again is not None:
                    yield path, again
            left = left[len(results) :]

    def _import(self, files: Sequence[Path]) -> list[str | None]:
        """The results of one process, at least one: the last may be of a file that ends it or takes too long."""
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
                    *whole, lines = (lines + piece).split(b"\n")
                    results += [json.loads(line) for line in whole]
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        return results

    def _piece(self, process: subprocess.Popen[bytes]) -> bytes | None:
        """What it writes next; empty at the end, None if it takes too long."""
        if process.stdout is None:
            return b""
        wait = min(self._one, self._end - time.monotonic())
        ready, _, _ = select.select([process.stdout], [], [], max(wait, 0))
        return os.read(process.stdout.fileno(), _PIECE) if ready else None
