"""`squall workflow …`: no server is needed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

GOOD = "version: 1.0\ntasks:\n  a:\n    action: core.noop\n    next: [{do: b}]\n  b:\n    action: core.noop\n"


def test_a_rehearsal_finds_its_workflow_and_says_how_it_went(run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "workflows" / "good.yaml").write_text(GOOD)
    (tmp_path / "tests" / "result.json").write_text("5")
    rehearsal: dict[str, Any] = {"workflow": "workflows/good.yaml", "expected_task_sequence": ["a", "b"]}
    good, bad = tmp_path / "tests" / "good.yaml", tmp_path / "tests" / "wrong.yaml"
    good.write_text(json.dumps(rehearsal))
    got = run("workflow", "test", str(good))
    assert (got.status, got.out.decode()) == (0, f"ok     {good}\n1 of 1 rehearsals went as expected\n")
    bad.write_text(json.dumps({**rehearsal, "expected_task_sequence": ["b"]}))
    got = run("workflow", "test", str(tmp_path / "tests"))
    assert got.status == 1
    assert b"The actual task sequence ['a', 'b'] does not match expected ['b']." in got.out
    assert b"1 of 2 rehearsals" in got.out


def test_what_is_no_rehearsal_fails(run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("nosuch: 1\n")
    got = run("workflow", "test", str(tmp_path / "x.yaml"), str(tmp_path / "missing.yaml"))
    assert got.status == 1
    assert b"The rehearsal is wrong" in got.out
    assert b"cannot be read" in got.out


def test_lint_names_lines(run: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "w.yaml"
    file.write_text(GOOD.replace("do: b", "do: c"))
    got = run("workflow", "lint", str(file))
    assert got.status == 1
    assert got.out.decode() == f'{file}:5: semantic: The task "c" is not defined.\n'
    assert json.loads(run("workflow", "lint", "-j", str(file)).out)[0]["line"] == 5
    file.write_text("tasks: [")
    assert b":1: syntax: Failed to load" in run("workflow", "lint", str(file)).out
    file.write_text(GOOD)
    assert run("workflow", "lint", str(file)).status == 0


def test_lint_says_that_it_did_not_check_actions(run: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "w.yaml"
    file.write_text(GOOD)
    got = run("workflow", "lint", str(file))
    assert (got.status, b"were not checked: add --actions" in got.err) == (0, True)
    got = run("--data-dir", str(tmp_path), "workflow", "lint", "--actions", str(file))
    assert (got.status, b"were not checked" in got.err) == (0, True)


def test_lint_finds_functions_that_do_not_exist(run: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "w.yaml"
    file.write_text(GOOD.replace("do: b", "when: <% suceeded() %>, do: b"))
    got = run("workflow", "lint", str(file))
    assert got.status == 1
    assert b"Did you mean succeeded?" in got.out


def test_graph_draws(run: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "w.yaml"
    file.write_text(GOOD)
    assert run("workflow", "graph", str(file)).out.decode() == "a runs core.noop\n  └─ → b\nb runs core.noop\n"
    assert run("workflow", "graph", "--format", "dot", str(file)).out.startswith(b"digraph")
    file.write_text("tasks: {a: 5}")
    assert run("workflow", "graph", str(file)).status == 2
