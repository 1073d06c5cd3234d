"""Workflows with real executions: lines of noop tasks, items, steps that are processes, many small ones at once."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.context import Bench, BrokenError
from bench.goals import FIRST_WORKFLOW, ITEM, STEP, STEPS, STEPS_RATE, WORKFLOWS
from bench.rows import Row
from bench.servers import Squall, floor, squall
from bench.wire import Connection, post_many

_PATIENCE = 180.0
_CONNECTIONS = 8
_SETTLED = 1.0
_FINAL = {"succeeded", "failed", "timeout", "canceled", "abandoned"}


def _line(steps: int, action: str = "core.noop", **parameters: str) -> dict[str, Any]:
    task = {"action": action, **({"input": parameters} if parameters else {})}
    tasks: dict[str, Any] = {f"t{at}": {**task, "next": [{"do": f"t{at + 1}"}]} for at in range(steps - 1)}
    return {"version": 1.0, "tasks": {**tasks, f"t{steps - 1}": task}}


def _items(count: int) -> dict[str, Any]:
    return {"version": 1.0, "tasks": {"t": {"with": f"x in <% range({count}) %>", "action": "core.noop"}}}


_OF_PROCESSES = {"shell": _line(3, "core.local", cmd="true"), "python": _line(3, "core.uuid", uuid_type="uuid4")}
"""Workflows of three steps that are processes; those of Python are forked from a warm server."""


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
    definitions |= {f"{kind}3": line for kind, line in _OF_PROCESSES.items()}
    with squall(bench, packs=_pack(bench.folder("packs"), definitions)) as ours, floor(bench) as theirs:
        connection = Connection(ours.port)
        step = _floor_step(theirs.port)
        try:
            time.sleep(_SETTLED)
            first = _followed(ours.port, connection, "flows.shell3")
            yield Row("first workflow of a server: three shell steps", "ms", first * 1000, None, FIRST_WORKFLOW)
            _run(connection, "flows.line3")
            before = ours.memory()
            for steps in lines:
                took = sorted(_run(connection, f"flows.line{steps}") for _ in range(3))[1]
                yield Row(f"workflow of {steps} noop tasks in a line, per step", "ms", took * 1000 / steps, step, STEP)
            for count in items:
                took = _run(connection, f"flows.items{count}")
                yield Row(f"workflow with {count} noop items, per item", "ms", took * 1000 / count, step, ITEM)
            yield Row("memory that these workflows have added", "MB", ours.memory() - before)
            for kind in _OF_PROCESSES:
                times = sorted(_followed(ours.port, connection, f"flows.{kind}3") for _ in range(bench.sized(60, 20)))
                p50 = times[len(times) // 2] * 1000
                yield Row(f"workflow of three {kind} steps, one after the other, p50", "ms", p50, None, STEPS[kind])
        finally:
            connection.close()
        several = f"workflows of three noop tasks, {_CONNECTIONS} connections"
        yield Row(several, "1/s", _rate(ours, "flows.line3", bench.sized(300, 100)), None, WORKFLOWS, more=True)
        for kind in _OF_PROCESSES:
            several = f"workflows of three {kind} steps, {_CONNECTIONS} connections"
            rate = _rate(ours, f"flows.{kind}3", bench.sized(150, 50))
            yield Row(several, "1/s", rate, None, STEPS_RATE[kind], more=True)


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


def _followed(port: int, connection: Connection, action: str) -> float:
    """Seconds from the request of a workflow until its output has ended: asking again and again would slow it down."""
    began = time.monotonic()
    execution = connection.post("/v1/executions", {"action": action, "parameters": {}})["id"]
    url = f"http://127.0.0.1:{port}/v1/executions/{execution}/output?format=raw"
    with urllib.request.urlopen(url, timeout=_PATIENCE) as output:
        output.read()
    took = time.monotonic() - began
    _, _, body = connection.request("GET", f"/v1/executions/{execution}?include_attributes=status")
    if (status := json.loads(body)["status"]) != "succeeded":
        raise BrokenError(f"{action} has {status} at the end of its output")
    return took


def _rate(server: Squall, action: str, count: int) -> float:
    connection = Connection(server.port)
    try:
        began = time.monotonic()
        post_many(server.port, "/v1/executions", {"action": action, "parameters": {}}, count, _CONNECTIONS)
        path = f"/v1/executions?limit=1&action={action}&include_attributes=id&status="
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
