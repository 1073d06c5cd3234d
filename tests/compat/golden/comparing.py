"""Comparing an execution with one that was recorded of StackStorm: status, keys, types, values of some fields."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
_KINDS = {
    bool: "boolean", int: "integer", float: "number", str: "string", dict: "object", list: "array", type(None): "null",
}  # fmt: skip


def recordings(name: str) -> list[dict[str, Any]]:
    """What was recorded of one runner: requests, and what is compared of the answers."""
    found: list[dict[str, Any]] = json.loads((HERE / f"{name}.json").read_text())
    return found


def fields(runner: str) -> dict[str, Any]:
    """What is compared of a runner's executions (`equal`), and what is left out and why (`left_out`)."""
    found: dict[str, Any] = tomllib.loads((HERE.parent / "fields.toml").read_text())[runner]
    return found


def kind(value: Any) -> str:
    """The JSON type of a value."""
    return _KINDS[type(value)]


def at(document: Any, path: str) -> Any:
    """What stands at a dotted path; `...` where there is nothing."""
    for name in path.split("."):
        if not isinstance(document, dict) or name not in document:
            return ...
        document = document[name]
    return document


def differences(recorded: dict[str, Any], document: dict[str, Any], runner: str) -> list[str]:
    """Everything in which the document is not as recorded, in words."""
    wanted = fields(runner)
    left_out = set(wanted["left_out"])
    found = []
    for name, kinds in (("", recorded["kinds"]), ("result", recorded["result_kinds"])):
        part = at(document, name) if name else document
        found += [f"{name} lacks {key}" for key in kinds if key not in part]
        found += [
            f"{name} {key} is a {kind(part[key])}, was a {was}"
            for key, was in kinds.items()
            if key in part and kind(part[key]) != was
        ]
        known = {*kinds, *left_out}
        found += [f"{name} has {key}" for key in part if key not in known]
    statuses = [entry["status"] for entry in document["log"]]
    if statuses != recorded["log"]:
        found.append(f"the statuses are {statuses}, were {recorded['log']}")
    for path in wanted["equal"]:
        if path in recorded["values"] and at(document, path) != recorded["values"][path]:
            found.append(f"{path} is {at(document, path)!r}, was {recorded['values'][path]!r}")
    return found
