"""Small complete records for tests, and a clock that stands still."""

from __future__ import annotations

import itertools
import os
from typing import Any, Final

from squall.core.content.action import Action, Pack, RunnerType
from squall.core.execution.execution import REQUESTED, Execution, LogEntry
from squall.core.execution.launch import LaunchSpec
from squall.core.ids import make_id

NOON = 1_767_268_800_000_000
"""2026-01-01T12:00:00Z in µs: the time of the first sample."""


class HeldClock:
    """A `ports.Clock` that only `advance` moves. Its ids count up, so that tests know their order."""

    def __init__(self, now: int = NOON) -> None:
        self._now = now
        self._numbers = itertools.count(1)

    def now(self) -> int:
        """Returns the current time of the clock in µs since 1970."""
        return self._now

    def new_id(self) -> str:
        """Returns a new id, larger than all earlier ones."""
        return make_id(self._now, next(self._numbers).to_bytes(6, "big"))

    def advance(self, seconds: float) -> int:
        """Moves the clock (also back) and returns the new time in µs."""
        self._now += round(seconds * 1_000_000)
        return self._now


_RUN: Final = os.urandom(3)
"""A random part of all ids. Launchers find processes by execution ids, so parallel test runs must not share ids."""


def sample_id(number: int) -> str:
    """Returns the id with this number: 24 hex digits, sorted by number, constant within one test run."""
    return make_id(NOON + number * 1_000_000, _RUN + number.to_bytes(3, "big"))


def sample_execution(number: int = 1, **changes: Any) -> Execution:
    """Returns an execution requested `number` seconds after `NOON`, a root unless `changes` have another tree."""
    execution_id = changes.pop("id", sample_id(number))
    start = changes.pop("start", NOON + number * 1_000_000)
    fields: dict[str, Any] = {
        "id": execution_id,
        "tree": execution_id,
        "action": "core.local",
        "runner": "local-shell-cmd",
        "status": REQUESTED,
        "user": "ada",
        "snapshot": "0" * 32,
        "start": start,
        "log": (LogEntry(start, REQUESTED),),
    }
    return Execution(**(fields | changes))


def sample_action(ref: str = "core.local", number: int = 1, **changes: Any) -> Action:
    """Returns an action with this ref, of runner type `local-shell-cmd`."""
    pack, _, name = ref.partition(".")
    fields: dict[str, Any] = {
        "uid": f"action:{pack}:{name}",
        "name": name,
        "ref": ref,
        "pack": pack,
        "runner_type": "local-shell-cmd",
        "metadata_file": f"actions/{name}.yaml",
        "id": sample_id(number),
    }
    return Action(**(fields | changes))


def sample_runner(name: str = "local-shell-cmd", number: int = 1, **changes: Any) -> RunnerType:
    """Returns a runner type with the parameters `cmd` and `timeout`."""
    fields: dict[str, Any] = {
        "name": name,
        "uid": f"runner_type:{name}",
        "runner_module": name.replace("-", "_"),
        "runner_parameters": {"cmd": {"type": "string"}, "timeout": {"type": "integer", "default": 60}},
        "id": sample_id(number),
    }
    return RunnerType(**(fields | changes))


def sample_pack(ref: str = "core", number: int = 1, **changes: Any) -> Pack:
    """Returns a pack with this ref."""
    fields: dict[str, Any] = {
        "ref": ref,
        "name": ref,
        "uid": f"pack:{ref}",
        "path": f"/packs/{ref}",
        "id": sample_id(number),
    }
    return Pack(**(fields | changes))


def shell_spec(command: str, number: int = 1, **changes: Any) -> LaunchSpec:
    """Returns a launch of `command` by a shell, as its own tree unless `changes` have another tree."""
    fields: dict[str, Any] = {
        "execution": sample_id(number),
        "tree": sample_id(number),
        "attempt": 1,
        "argv": ["/bin/bash", "-c", command],
        "env": {"PATH": "/usr/local/bin:/usr/bin:/bin"},
    }
    return LaunchSpec(**(fields | changes))
