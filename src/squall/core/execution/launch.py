"""The data of a run of an action: the process to start, its end, and the outcome of the execution."""

from __future__ import annotations

from typing import Any

import msgspec

from squall.core.content.action import Action, RunnerType
from squall.core.content.pack_config import PackConfig
from squall.core.event.events import Announcement
from squall.core.execution.execution import Execution


class ForkServer(msgspec.Struct, frozen=True, kw_only=True):
    """A process that has imported the modules of others, and forks them on request.

    There is one for each `name`; one with another `stamp` replaces it. `argv` starts it, with the number of its socket
    as the last word. After `idle` seconds without a request it ends.
    """

    name: str
    stamp: str
    argv: list[str]
    idle: float


class LaunchSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One process to start: everything that the keeper of processes needs, so that it looks up nothing.

    `timeout` is in seconds (None: none). The keeper writes `stdin` to the process, then closes it. If `pty` (rows,
    columns) is set, the process has a terminal instead of pipes. If `result_limit` is set, it has a further pipe, whose
    number is in `SQUALL_RESULT_FD`: the keeper stores that many bytes from it in a file that the `End` names. If
    `tagged`, it has one more pipe, in `SQUALL_RECORDS_FD`, for output under tags (`core.output.tagged`). A
    `fork_server` may fork the process; `argv` then is only for starting it without one. `umask` None is that of the
    keeper. `limits` are the kernel's, by name: `open_files`, `processes`, `memory_bytes`, `file_bytes`,
    `cpu_seconds`. `output_limit` is in bytes of output; `limit_policy` says what happens beyond it: `truncate`, `fail`
    (the process is killed) or `unlimited`. `secrets` are masked in the output, which also says that `too_long` others
    are not. `opening` is the payload of the status record before the first output, `opened` its event row and
    `opened_at` its time (µs).
    """

    execution: str
    tree: str
    attempt: int
    argv: list[str]
    env: dict[str, str]
    cwd: str | None = None
    stdin: bytes | None = None
    timeout: float | None = None
    pty: tuple[int, int] | None = None
    umask: int | None = None
    limits: dict[str, int] = {}
    result_limit: int | None = None
    tagged: bool = False
    fork_server: ForkServer | None = None
    output_limit: int = 1 << 30
    limit_policy: str = "truncate"
    secrets: tuple[bytes, ...] = ()
    too_long: int = 0
    opening: bytes = b""
    opened: int = 0
    opened_at: int = 0


class End(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a process. `exit_code` is negative for a signal; `error` says why the process could not be started.

    `over_limit`: it printed more than was stored; `stopped`: it was killed for that. The byte counts are those of the
    stored output, `masked` is the number of secrets masked in it. `first_record` and `last_record` are the starts of
    its first and last record in the journal (0: it has none). `peak_memory` is in bytes. `lost` says why the end is
    unknown: then the process is gone. `result_file` is the path of the result that it wrote (None: it wrote none),
    `result_bytes` the number of bytes it wrote; `result_cut`: the file holds only the first of them. `misused` says
    what was wrong with the bytes that it wrote to a descriptor for records or results. `ended_at` is the time of the
    end (µs, UTC; 0: unknown).
    """

    execution: str
    attempt: int
    exit_code: int
    timed_out: bool = False
    canceled: bool = False
    over_limit: bool = False
    stopped: bool = False
    error: str | None = None
    stdout_bytes: int = 0
    stderr_bytes: int = 0
    first_record: int = 0
    last_record: int = 0
    masked: int = 0
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory: int = 0
    lost: str | None = None
    result_file: str | None = None
    result_bytes: int = 0
    result_cut: bool = False
    misused: str | None = None
    ended_at: int = 0


class Outcome(msgspec.Struct, frozen=True):
    """The outcome of an execution: its final status, its result (any JSON value), and its time `at` (µs, UTC; 0: now).

    `used` is the usage of its process: `cpu_seconds`, `peak_memory` (bytes), and `masked`, the number of secrets that
    it printed. If the execution succeeds, its `announcement` becomes an event in the transaction of its end.
    """

    status: str
    result: Any
    at: int = 0
    used: dict[str, Any] = {}
    announcement: Announcement | None = None


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """An execution that is about to run, with everything that a runner needs: revealed parameters, paths, addresses."""

    execution: Execution
    action: Action
    runner_type: RunnerType
    runner_parameters: dict[str, Any]
    action_parameters: dict[str, Any]
    entry_point: str
    environment: dict[str, str]
    pack_path: str = ""
    config: PackConfig = PackConfig()
