"""One process: what to start, and how it ended. The only definition of both: keepers receive and send these records.

Standard library only, as keepers load nothing else.
"""

from __future__ import annotations

from typing import NamedTuple


class ForkServer(NamedTuple):
    """A process that has imported what others need, and becomes one of them when asked.

    There is one for each `name`; with another `stamp` the old one is replaced. `argv` starts it, the number of its
    socket as the last word; after `idle` seconds without a request it ends.
    """

    name: str
    stamp: str
    argv: list[str]
    idle: float


class LaunchSpec(NamedTuple):
    """One process to start: everything the keeper of processes needs, and nothing it would have to look up.

    `timeout` is in seconds (None: none); `stdin` is given to it and closed; with `pty` (rows, columns) it has a
    terminal instead of pipes. With `result_limit` it has a further pipe, whose number is in `SQUALL_RESULT_FD`:
    what it writes there, so many bytes of it, is kept in a file that the end names. With `tagged` it has one more,
    in `SQUALL_RECORDS_FD`, for output under tags (`core.tagged`). A `fork_server` may make the process, where
    `argv` is only what it would be started with otherwise. `umask` None is that of the keeper. `limits` are the
    kernel's, by name: `open_files`, `processes`, `memory_bytes`, `file_bytes`, `cpu_seconds`. `output_limit` is in
    bytes of output; what happens beyond it is `limit_policy`: `truncate`, `fail` (the process is killed) or
    `unlimited`. `secrets` are masked in its output, which says that `too_long` others are not. `opening` is the
    payload of the status record that stands before the first output, `opened` its event row and `opened_at` its
    time (µs). Give fields by name: their order means nothing.
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
    limits: dict[str, int] = {}  # noqa: RUF012 - nobody changes it
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

    @property
    def unit(self) -> str:
        """The id of what has this process and a journal; keepers do not care that it is an execution."""
        return self.execution


class End(NamedTuple):
    """How a process ended. `exit_code` is negative for a signal; `error` says why it could not be started.

    `over_limit`: it printed more than was kept; `stopped`: it was killed for that. The byte counts are of what was
    kept, `masked` counts secrets found in it, `first_record` and `last_record` are where its records in the journal
    start (0: there are none). `peak_memory` is in bytes. `lost` says why nothing is known of the end: then the
    process is gone. `result_file` is the path of what it wrote as its result (None: nothing), of which
    `result_bytes` were written in all; `result_cut` tells that the file holds only the first of them. `misused`
    says what was wrong with what it wrote to a descriptor of its own. `ended_at` is when it was through (µs, UTC;
    0: not known).
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

    @property
    def unit(self) -> str:
        """The id of what had this process; see `LaunchSpec.unit`."""
        return self.execution
