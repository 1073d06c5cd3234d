"""Workflows with real executions: lines of noop tasks, items, and many small workflows at once."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.context import Bench, BrokenError
from bench.goals import STEP, WORKFLOWS
from bench.rows import Row
from bench.servers import Squall, floor, squall
from bench.wire import Connection, post_many

_PATIENCE = 180.0
_CONNECTIONS = 8
_FINAL = {"succeeded", "failed", "timeout", "canceled", "abandoned"}


def _line(steps: int) -> dict[str, Any]:
    tasks: dict[str, Any] = {
        f"t{at}": {"action": "core.noop", "next": [{"do": f"t{at + 1}"}]} for at in range(steps - 1)
    }
    return {"version": 1.0, "tasks": {**tasks, f"t{steps - 1}": {"action": "core.noop"}}}


def _items(count: int) -> dict[str, Any]:
    return {"version": 1.0, "tasks": {"t": {"with": f"x in <% range({count}) %>", "action": "core.noop"}}}


def _pack(folder: Path, definitions: dict[str, dict[str, Any]]) -> Path:
    actions = folder / "flows" / "actions"
    (actions / "workflows").mkdir(parents=True)
    (folder / "flows" / "pack.yaml").write_text("ref: flows\nname: flows\nversion: 1.0.0\n")
    for name, definition in definitions.items():
        (actions / "workflows" / f"{name}.yaml").write_text(json.dumps(definition))
        action = {"name": name, "runner_type": "orquesta", "entry_point": f"workflows/{name}.yaml", "parameters": {}}
        (actions / f"{name}.yaml").write_text(json.dumps(action))
    return folder


def workflows(bench: Bench) -> Iterator[Row]:
    """Time per step of lines and items; workflows of three steps per second. The floor answers as many requests."""
    lines = [10, 100, 1000]
    items = [100, 1000, bench.sized(10_000, 2000)]
    definitions = {f"line{steps}": _line(steps) for steps in [3, *lines]} | {f"items{n}": _items(n) for n in items}
    with squall(bench, packs=_pack(bench.folder("packs"), definitions)) as ours, floor(bench) as theirs:
        connection = Connection(ours.port)
        step = _floor_step(theirs.port)
        try:
            _run(connection, "flows.line3")
            before = ours.memory()
            for steps in lines:
                took = sorted(_run(connection, f"flows.line{steps}") for _ in range(3))[1]
                yield Row(f"workflow of {steps} noop tasks in a line, per step", "ms", took * 1000 / steps, step, STEP)
            for count in items:
                took = _run(connection, f"flows.items{count}")
                yield Row(f"workflow with {count} noop items, per item", "ms", took * 1000 / count, step, STEP)
            yield Row("memory that these workflows have added", "MB", ours.memory() - before)
        finally:
            connection.close()
        several = f"workflows of three noop tasks, {_CONNECTIONS} connections"
        yield Row(several, "1/s", _rate(ours, bench.sized(300, 100)), None, WORKFLOWS, more=True)


def _floor_step(port: int) -> float:
    """ms of one answer of the floor, one after the other."""
    began = time.monotonic()
    post_many(port, "/noop", {}, 1000, 1)
    return time.monotonic() - began


def _run(connection: Connection, action: str) -> float:
    """Seconds from the request of a workflow to its success."""
    began = time.monotonic()
    execution = connection.post("/v1/executions", {"action": action, "parameters": {}})["id"]
    while time.monotonic() - began < _PATIENCE:
        _, _, body = connection.request("GET", f"/v1/executions/{execution}?include_attributes=status")
        status = json.loads(body)["status"]
        if status == "succeeded":
            return time.monotonic() - began
        if status in _FINAL:
            raise BrokenError(f"{action} has {status}")
        time.sleep(0.002)
    raise BrokenError(f"{action} had not ended after {_PATIENCE:.0f} s")


def _rate(server: Squall, count: int) -> float:
    connection = Connection(server.port)
    try:
        began = time.monotonic()
        post_many(server.port, "/v1/executions", {"action": "flows.line3", "parameters": {}}, count, _CONNECTIONS)
        path = "/v1/executions?limit=1&action=flows.line3&include_attributes=id&status="
        while time.monotonic() - began < _PATIENCE:
            open_ = 0
            for status in ("requested", "scheduled", "running"):
                _, _, body = connection.request("GET", path + status)
                open_ += len(json.loads(body))
            if not open_:
                return count / (time.monotonic() - began)
            time.sleep(0.01)
        raise BrokenError("the workflows did not end")
    finally:
        connection.close()
