"""A catalogue of packs of the public one's shape: registered, registered again, listed and searched."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import yaml

from bench.context import Bench, BrokenError
from bench.goals import CATALOGUE, CATALOGUE_MEMORY, LISTED
from bench.rows import Row
from bench.servers import floor, squall
from bench.wire import Connection

_PACKS = 169
_ACTIONS = 10_244
_PARAMETERS = 8


def catalogue(bench: Bench) -> Iterator[Row]:
    """Seconds and memory of registering; p50 of a page and of one action. The floor reads the same files as YAML."""
    packs = bench.sized(_PACKS, 17)
    actions = bench.sized(_ACTIONS, 1024)
    folder = _write(bench.folder("catalogue"), packs, actions)
    bare = _floor_seconds(folder)
    with squall(bench, packs=bench.folder("none")) as empty:
        before = empty.memory()
    with squall(bench, packs=folder) as ours, floor(bench) as theirs:
        connection, other = Connection(ours.port), Connection(theirs.port)
        try:
            began = time.monotonic()
            status, _, body = connection.request("POST", "/v1/packs/register", {})
            took = time.monotonic() - began
            if status != 200 or json.loads(body)["actions"] < actions:
                raise BrokenError(f"registering gave {status}: {body[:200]!r}")
            yield Row(f"registering {packs} packs, {actions} actions again", "s", took, bare, CATALOGUE)
            yield Row(
                "memory that they have added, at its peak", "MB", ours.memory("VmHWM") - before, None, CATALOGUE_MEMORY
            )
            page = "/v1/actions?limit=50&offset=5000&include_attributes=ref,description"
            there = _p50(other, "/")
            yield Row("50 of these actions, p50", "ms", _p50(connection, page), there, LISTED)
            yield Row("one of these actions, p50", "ms", _p50(connection, "/v1/actions/pack5.action7"), there)
            yield Row("one pack's actions, p50", "ms", _p50(connection, "/v1/actions?pack=pack5"), there)
        finally:
            connection.close()
            other.close()


def _write(folder: Path, packs: int, actions: int) -> Path:
    """Actions are spread as in the census: a few packs have most of them, nearly all are Python's."""
    parameters = {
        f"parameter{number}": {
            "type": "string",
            "description": f"What parameter {number} is for.",
            "required": number < 2,
        }
        for number in range(_PARAMETERS)
    }
    shares = [1 / (number + 1) for number in range(packs)]
    for number, share in enumerate(shares):
        pack = folder / f"pack{number}"
        (pack / "actions").mkdir(parents=True)
        (pack / "pack.yaml").write_text(
            f"ref: pack{number}\nname: pack{number}\ndescription: Pack {number}.\nversion: 1.0.0\nauthor: a\n"
        )
        for at in range(max(8, round(actions * share / sum(shares)))):
            action = {
                "name": f"action{at}",
                "runner_type": "python-script",
                "description": f"Calls operation {at} of service {number}.",
                "enabled": True,
                "entry_point": "run.py",
                "parameters": parameters,
            }
            (pack / "actions" / f"action{at}.yaml").write_text(yaml.safe_dump(action, sort_keys=False))
    return folder


def _floor_seconds(folder: Path) -> float:
    """Reading and parsing every file once, and no more."""
    began = time.monotonic()
    for path in folder.glob("*/*/*.yaml"):
        yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
    return time.monotonic() - began


def _p50(connection: Connection, path: str) -> float:
    took = []
    for _ in range(30):
        began = time.perf_counter()
        _, _, body = connection.request("GET", path)
        took.append(time.perf_counter() - began)
        json.loads(body)
    return sorted(took)[len(took) // 2] * 1000
