"""The pack `sim` of a simulation: actions that scripted processes run, and workflows over them, each with a plain model
that tells its outcome."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.simulation.keeper import Script

STEP_TIMEOUT = 6
SLOTS = {"sim.slotted": 2, "sim.narrow": 1, "sim.refused": 2, "sim.slow_flow": 1}
"""The policies of concurrency: the most executions of an action at once."""

RETRIES = 2


class Outcome(NamedTuple):
    """What must come of an execution that nobody disturbs: its final status, and the executions of its tree below it,
    by action. If not `exact`, the order of ends decides which of those below there are."""

    status: str
    below: tuple[tuple[str, str], ...] = ()
    exact: bool = True


class Piece(NamedTuple):
    """Work for a simulation: an action with its parameters, and what must come of it."""

    action: str
    parameters: dict[str, Any]
    outcome: Outcome


def _step(script: Script) -> str:
    if script.life > STEP_TIMEOUT:
        return "timeout"
    return "succeeded" if script.exit == 0 else "failed"


def random_script(rng: random.Random, *, failing: float = 0.25) -> Script:
    """Returns a script. Few take so long that they time out."""
    life = rng.choice((0.01, 0.1, 0.5, 1.0, 2.5)) if rng.random() > 0.04 else 20.0
    return Script(rng.randrange(4), life, int(rng.random() < failing), int(rng.random() < 0.2))


_FLOWS: dict[str, dict[str, Any]] = {
    "line": {
        "version": 1.0,
        "input": ["a", "b", "c"],
        "tasks": {
            "one": {
                "action": "sim.step",
                "input": {"script": "<% ctx(a) %>"},
                "next": [{"when": "<% succeeded() %>", "publish": [{"said": "<% result().stdout %>"}], "do": "two"}],
            },
            "two": {
                "action": "sim.step",
                "input": {"script": "<% ctx(b) %>"},
                "next": [{"when": "<% succeeded() %>", "do": "three"}],
            },
            "three": {"action": "sim.step", "input": {"script": "<% ctx(c) %>"}},
        },
        "output": [{"said": "<% ctx(said) %>"}],
    },
    "join": {
        "version": 1.0,
        "input": ["a", "b", "c"],
        "tasks": {
            name: {
                "action": "sim.step",
                "input": {"script": f"<% ctx({name}) %>"},
                "next": [{"when": "<% completed() %>", "do": "last"}],
            }
            for name in ("a", "b", "c")
        }
        | {"last": {"join": "all", "action": "core.noop"}},
    },
    "items": {
        "version": 1.0,
        "input": ["scripts", "most"],
        "tasks": {
            "each": {
                "with": {"items": "s in <% ctx(scripts) %>", "concurrency": "<% ctx(most) %>"},
                "action": "sim.step",
                "input": {"script": "<% item(s) %>"},
                "next": [{"when": "<% completed() %>", "do": "last"}],
            },
            "last": {"action": "core.noop"},
        },
    },
    "again": {
        "version": 1.0,
        "input": ["a"],
        "tasks": {
            "risky": {
                "action": "sim.step",
                "input": {"script": "<% ctx(a) %>"},
                "retry": {"when": "<% failed() %>", "count": RETRIES, "delay": 1},
            }
        },
    },
    "cure": {
        "version": 1.0,
        "input": ["a", "b"],
        "tasks": {
            "risky": {
                "action": "sim.step",
                "input": {"script": "<% ctx(a) %>"},
                "next": [{"when": "<% failed() %>", "do": "cure"}],
            },
            "cure": {"action": "sim.step", "input": {"script": "<% ctx(b) %>"}},
        },
    },
    "nested": {
        "version": 1.0,
        "input": ["a", "b", "c"],
        "tasks": {
            "inner": {
                "action": "sim.line",
                "input": {"a": "<% ctx(a) %>", "b": "<% ctx(b) %>", "c": "<% ctx(c) %>"},
                "next": [{"when": "<% completed() %>", "do": "after"}],
            },
            "after": {"action": "sim.items", "input": {"scripts": ["<% ctx(a) %>", "<% ctx(b) %>"], "most": 1}},
        },
    },
    "round": {
        "version": 1.0,
        "input": ["a", "times"],
        "vars": [{"i": 0}],
        "tasks": {
            "begin": {"action": "core.noop", "next": [{"do": "turn"}]},
            "turn": {
                "action": "sim.slotted",
                "input": {"script": "<% ctx(a) %>"},
                "next": [
                    {
                        "when": "<% succeeded() and ctx(i) + 1 < ctx(times) %>",
                        "publish": [{"i": "<% ctx(i) + 1 %>"}],
                        "do": "turn",
                    }
                ],
            },
        },
    },
    "slow_flow": {
        "version": 1.0,
        "input": ["a"],
        "tasks": {"only": {"action": "sim.narrow", "input": {"script": "<% ctx(a) %>"}}},
    },
}
_CHAIN = """chain:
  - {name: one, ref: sim.step, parameters: {script: "{{ a }}"}, on-success: two, on-failure: cure}
  - {name: two, ref: sim.line, parameters: {a: "{{ a }}", b: "{{ b }}", c: "{{ b }}"}}
  - {name: cure, ref: sim.step, parameters: {script: "{{ b }}"}}
"""


def write_pack(folder: Path) -> None:
    """Writes the files of the pack below `folder`."""
    pack = folder / "sim"
    for name in ("actions/workflows", "policies"):
        (pack / name).mkdir(parents=True)
    (pack / "pack.yaml").write_text(json.dumps({"ref": "sim", "name": "sim", "version": "1.0.0", "author": "s"}))
    for name in ("step", "slotted", "narrow", "refused", "retried"):
        parameters = {
            "script": {"type": "string", "required": True},
            "cmd": {"default": "{{ script }}", "immutable": True},
            "timeout": {"default": STEP_TIMEOUT},
        }
        _write_action(pack, name, "local-shell-cmd", "", parameters)
    for name, document in _FLOWS.items():
        _write_action(pack, name, "orquesta", f"workflows/{name}.yaml", {key: {} for key in document["input"]})
        (pack / "actions/workflows" / f"{name}.yaml").write_text(json.dumps(document))
    _write_action(pack, "chained", "action-chain", "workflows/chained.yaml", {"a": {}, "b": {}})
    (pack / "actions/workflows/chained.yaml").write_text(_CHAIN)
    for action, threshold in SLOTS.items():
        then = "cancel" if action == "sim.refused" else "delay"
        _write_policy(pack, action, "action.concurrency", {"threshold": threshold, "action": then})
    _write_policy(pack, "sim.retried", "action.retry", {"retry_on": "failure", "max_retry_count": RETRIES, "delay": 1})


def _write_action(pack: Path, name: str, runner: str, entry: str, parameters: dict[str, Any]) -> None:
    document = {"name": name, "pack": "sim", "runner_type": runner, "entry_point": entry, "parameters": parameters}
    (pack / "actions" / f"{name}.yaml").write_text(json.dumps({**document, "enabled": True}))


def _write_policy(pack: Path, action: str, kind: str, parameters: dict[str, Any]) -> None:
    name = f"of_{action.partition('.')[2]}"
    document = {"name": name, "pack": "sim", "resource_ref": action, "policy_type": kind, "parameters": parameters}
    (pack / "policies" / f"{name}.yaml").write_text(json.dumps({**document, "enabled": True}))


# -- the plain model


def _stepped(action: str, script: Script) -> tuple[str, str]:
    return action, _step(script)


def _line(scripts: list[Script]) -> Outcome:
    below = []
    for script in scripts:
        below.append(_stepped("sim.step", script))
        if below[-1][1] != "succeeded":
            return Outcome("failed", tuple(below))
    return Outcome("succeeded", tuple(below))


def _items(scripts: list[Script], most: int) -> Outcome:
    below = tuple(_stepped("sim.step", script) for script in scripts)
    # After an item has failed, no more items start.
    exact = all(status == "succeeded" for _, status in below) or most >= len(scripts)
    return Outcome("succeeded", (*below, ("core.noop", "succeeded")), exact)


def _simple(rng: random.Random) -> Piece:
    action = rng.choice(("sim.step", "sim.slotted", "sim.narrow", "sim.retried", "sim.step", "core.noop"))
    if action == "core.noop":
        return Piece(action, {}, Outcome("succeeded"))
    script = random_script(rng)
    return Piece(action, {"script": script.command()}, Outcome(_step(script)))


def _of_three(name: str) -> Callable[[random.Random], Piece]:
    def make(rng: random.Random) -> Piece:
        scripts = [random_script(rng) for _ in range(3)]
        parameters = dict(zip("abc", (script.command() for script in scripts), strict=True))
        inner = _line(scripts)
        if name == "line":
            outcome = inner
        elif name == "join":
            below = [_stepped("sim.step", script) for script in scripts]
            outcome = Outcome("succeeded", (*below, ("core.noop", "succeeded")))
        else:
            after = _items(scripts[:2], 1)
            outcome = Outcome(
                "succeeded",
                (("sim.line", inner.status), *inner.below, ("sim.items", after.status), *after.below),
                after.exact,
            )
        return Piece(f"sim.{name}", parameters, outcome)

    return make


def _make_items(rng: random.Random) -> Piece:
    scripts = [random_script(rng) for _ in range(rng.randrange(6))]
    most = rng.randrange(1, 4)
    return Piece("sim.items", {"scripts": [each.command() for each in scripts], "most": most}, _items(scripts, most))


def _again(rng: random.Random) -> Piece:
    script = random_script(rng, failing=0.6)
    status = _step(script)
    runs = 1 if status == "succeeded" else RETRIES + 1
    below = tuple(_stepped("sim.step", script) for _ in range(runs))
    return Piece("sim.again", {"a": script.command()}, Outcome("succeeded" if runs == 1 else "failed", below))


def _cure(rng: random.Random) -> Piece:
    first, second = random_script(rng, failing=0.6), random_script(rng)
    below, status = [_stepped("sim.step", first)], "succeeded"
    if _step(first) != "succeeded":
        below.append(_stepped("sim.step", second))
        status = "succeeded" if _step(second) == "succeeded" else "failed"
    return Piece("sim.cure", {"a": first.command(), "b": second.command()}, Outcome(status, tuple(below)))


def _round(rng: random.Random) -> Piece:
    script, times = random_script(rng, failing=0.1), rng.randrange(1, 4)
    good = _step(script) == "succeeded"
    below = (("core.noop", "succeeded"), *(_stepped("sim.slotted", script) for _ in range(times if good else 1)))
    return Piece(
        "sim.round", {"a": script.command(), "times": times}, Outcome("succeeded" if good else "failed", below)
    )


def _slow_flow(rng: random.Random) -> Piece:
    script = random_script(rng)
    good = _step(script) == "succeeded"
    below = (_stepped("sim.narrow", script),)
    return Piece("sim.slow_flow", {"a": script.command()}, Outcome("succeeded" if good else "failed", below))


def _chained(rng: random.Random) -> Piece:
    first, second = random_script(rng), random_script(rng)
    below = [_stepped("sim.step", first)]
    if _step(first) == "succeeded":
        inner = _line([first, second, second])
        below += [("sim.line", inner.status), *inner.below]
        status = inner.status
    else:
        below.append(_stepped("sim.step", second))
        status = _step(second)
    return Piece("sim.chained", {"a": first.command(), "b": second.command()}, Outcome(status, tuple(below)))


_MAKERS = (_simple, _simple, _of_three("line"), _of_three("join"), _make_items, _again, _cure, _round, _slow_flow,
           _of_three("nested"), _chained)  # fmt: skip


def random_piece(rng: random.Random) -> Piece:
    """Returns some work, and what must come of it."""
    return rng.choice(_MAKERS)(rng)
