from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any


def test_the_list_is_a_table(fake: ModuleType, run: Callable[..., Any]) -> None:
    with fake.FakeSquall([]) as server:
        got = run("--url", server.url, "action", "list", "--pack", "core")
        assert server.requests[0].query["pack"] == "core"
    assert got == (0, b"ACTION      DESCRIPTION\ncore.local  Run.\n", b"")


def test_the_list_as_json(fake: ModuleType, run: Callable[..., Any]) -> None:
    with fake.FakeSquall([]) as server:
        got = run("--url", server.url, "action", "list", "-j")
    assert json.loads(got.out) == [{"ref": "core.local", "description": "Run."}]


def test_one_action_is_shown_with_its_parameters_the_required_ones_first(
    fake: ModuleType, run: Callable[..., Any]
) -> None:
    with fake.FakeSquall([]) as server:
        server.parameters["sudo"] = {"type": "boolean", "default": False, "immutable": True}
        shown = run("--url", server.url, "action", "get", "core.local").out.decode()
    assert shown.startswith("action:      core.local\n")
    rows = [line.split() for line in shown.splitlines()[-4:]]
    assert rows == [
        ["cmd", "string", "(required)"],
        ["env", "object"],
        ["sudo", "boolean", "false", "(fixed)"],
        ["timeout", "integer", "60"],
    ]


def test_one_action_as_json(fake: ModuleType, run: Callable[..., Any]) -> None:
    with fake.FakeSquall([]) as server:
        got = run("--url", server.url, "action", "get", "core.local", "-j")
    assert json.loads(got.out)["ref"] == "core.local"
