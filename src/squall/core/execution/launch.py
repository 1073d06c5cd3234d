"""The data of a run of an action: the process to start, its end, and the outcome of the execution."""

from __future__ import annotations

from typing import Any

import msgspec

from squall.core.content.action import Action, RunnerType
from squall.core.content.pack_config import PackConfig
from squall.core.event.events import Announcement
from squall.core.execution.execution import Execution
from squall.core.execution.process import End, ForkServer, LaunchSpec
from squall.core.output.accounts import Account

__all__ = ["End", "ForkServer", "Job", "LaunchSpec", "Outcome"]


class Outcome(msgspec.Struct, frozen=True):
    """The outcome of an execution: its final status, its result (any JSON value), and its time `at` (µs, UTC; 0: now).

    `used` is the usage of its process: `cpu_seconds`, `peak_memory` (bytes), and `masked`, the number of secrets that
    it printed. If the execution succeeds, its `announcement` becomes an event in the transaction of its end. `account`
    is what is known of the process's output.
    """

    status: str
    result: Any
    at: int = 0
    used: dict[str, Any] = {}
    announcement: Announcement | None = None
    account: Account | None = None


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """An execution that is about to run, with everything that a runner needs: revealed parameters, paths, addresses.

    `secrets` are the secret values among the parameters, and what was rendered from them.
    """

    execution: Execution
    action: Action
    runner_type: RunnerType
    runner_parameters: dict[str, Any]
    action_parameters: dict[str, Any]
    entry_point: str
    environment: dict[str, str]
    pack_path: str = ""
    config: PackConfig = PackConfig()
    secrets: tuple[bytes, ...] = ()
