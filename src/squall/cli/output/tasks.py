"""The output of a workflow: the task of each line, the order of lines, and the selection of tasks."""

from __future__ import annotations

import json
import re
import zlib
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import closing
from tempfile import SpooledTemporaryFile
from typing import Any, NamedTuple

from squall.cli.terminal.screen import RED, RESET, Screen
from squall.cli.terminal.table import cell, cell_width
from squall.client.api import Api
from squall.client.follow import Chunk, Follower, Gap, StatusChange
from squall.client.http import JsonObject
from squall.core.errors import SquallError

MARK = " ⦿ "
WORKFLOWS = frozenset({"orquesta", "orchestra", "action-chain"})
_IN_MEMORY = 1 << 20
_WIDEST = 32
"""The maximum width of the column of names, in cells. A longer name moves only its own lines."""
_COLOURS = (32, 33, 34, 35, 36, 92, 94, 95)
_ITEM = re.compile(r"\[\d+\]")


def configure_tasks(parser: ArgumentParser) -> None:
    """Adds the options for the output of workflows."""
    group = parser.add_argument_group("for workflows, whose lines are shown as `task ⦿ line`")
    group.add_argument(
        "--log-order",
        choices=("stream", "grouped"),
        default="stream",
        help="stream: lines as they come (the default); grouped: the lines of each task together, at the end",
    )
    group.add_argument("--only-failed", action="store_true", help="show at the end only the output of failed tasks")
    group.add_argument("--task", metavar="NAME", help="only this task, with all tasks below it")
    group.add_argument(
        "--output",
        choices=("tree", "lines", "raw", "json"),
        help="tree: the tasks, painted in place (the default at a terminal); raw: bytes without task names",
    )


def is_workflow(document: JsonObject) -> bool:
    """Returns True if an execution's document is that of a workflow or a chain."""
    action = document.get("action")
    return isinstance(action, dict) and action.get("runner_type") in WORKFLOWS


class TaskOptions(NamedTuple):
    """The selection and the form of a workflow's output."""

    grouped: bool = False
    only_failed: bool = False
    task: str | None = None
    output: str = "lines"

    @classmethod
    def of(cls, args: Namespace) -> TaskOptions:
        """Returns the values of the options of `configure_tasks`."""
        output = args.output if args.output in ("raw", "json") else "lines"
        return cls(args.log_order == "grouped", args.only_failed, args.task, output)


class Names:
    """The paths of tasks to executions, such as `deploy/restart[2]`; "" for the root."""

    def __init__(self, api: Api, root: str) -> None:
        self._api = api
        self._paths: dict[str, str] = {root: ""}

    def path(self, execution_id: str) -> str:
        """Returns the path of an execution. It requests each path from the server only once."""
        path = self._paths.get(execution_id)
        if path is None:
            path = self._paths[execution_id] = self._fetch(execution_id)
        return path

    def learn(self, change: StatusChange) -> None:
        """Stores the path of an execution whose status changed, so that it need not be requested."""
        if change.execution_id not in self._paths and change.parent and change.task:
            self._paths[change.execution_id] = _joined(self.path(change.parent), change.task, change.item)

    def _fetch(self, execution_id: str) -> str:
        try:
            document = self._api.execution(execution_id, only="context,parent")
        except SquallError:
            return execution_id
        context: Any = document.get("context") or {}
        task = context.get("orquesta") or {}
        name = str(task.get("task_name") or (context.get("chain") or {}).get("name") or execution_id)
        parent = self.path(str(document["parent"])) if document.get("parent") else ""
        return _joined(parent, name, task.get("item_id"))


def _joined(parent: str, name: str, item: int | None) -> str:
    """Returns the path of a task below the path `parent`, or of one of its items."""
    own = name if item is None else f"{name}[{item}]"
    return f"{parent}/{own}" if parent else own


class TaskOutput:
    """The writer of a workflow's records to a screen with these options. It never mixes lines of several tasks."""

    def __init__(self, api: Api, screen: Screen, root: str, options: TaskOptions) -> None:
        self._api = api
        self._screen = screen
        self._options = options
        self._names = Names(api, root)
        self._rests: dict[tuple[str, str], bytes] = {}
        self._buffers: dict[str, SpooledTemporaryFile[bytes]] = {}
        self._times: dict[tuple[str, str], str] = {}
        self._column = 0

    def show(self, chunk: Chunk) -> None:
        """Writes one record, or buffers it until the end."""
        path = self._names.path(chunk.execution_id)
        if self._options.task is not None and self._options.task not in [
            part.partition("[")[0] for part in path.split("/")
        ]:
            return
        if self._options.output == "raw" and not self._buffers_lines:
            self._screen.show(chunk.stream, chunk.data, chunk.timestamp)
            return
        key = (chunk.execution_id, chunk.stream)
        self._times[key] = chunk.timestamp
        data = self._rests.pop(key, b"") + chunk.data
        whole, newline, rest = data.rpartition(b"\n")
        if rest:
            self._rests[key] = rest
        if newline:
            self._take(chunk.execution_id, chunk.stream, whole.split(b"\n"), chunk.timestamp)

    def finish(self) -> None:
        """Writes buffered lines, and lines that never ended."""
        for (execution_id, stream), rest in self._rests.items():
            self._take(execution_id, stream, [rest], self._times[execution_id, stream])
        self._rests.clear()
        for execution_id, buffer in self._buffers.items():
            if not self._options.only_failed or self._failed(execution_id):
                for stream, line, timestamp in _read(buffer):
                    self._write(execution_id, stream, line, timestamp)
            buffer.close()

    @property
    def _buffers_lines(self) -> bool:
        return self._options.grouped or self._options.only_failed

    def _take(self, execution_id: str, stream: str, lines: list[bytes], timestamp: str) -> None:
        for line in lines:
            if not self._buffers_lines:
                self._write(execution_id, stream, line, timestamp)
                continue
            if execution_id not in self._buffers:
                self._buffers[execution_id] = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - `finish` closes
            self._buffers[execution_id].write(f"{stream} {timestamp} ".encode() + line + b"\n")

    def _write(self, execution_id: str, stream: str, line: bytes, timestamp: str) -> None:
        path = self._names.path(execution_id)
        if self._options.output == "json":
            text = line.decode("utf-8", "replace")
            record = {
                "task": path,
                "execution_id": execution_id,
                "stream": stream,
                "timestamp": timestamp,
                "line": text,
            }
            self._screen.show("stdout", json.dumps(record).encode() + b"\n", timestamp)
            return
        prefix = self._prefix(path, stream) if path and self._options.output == "lines" else b""
        self._screen.show(stream, prefix + line + b"\n", timestamp)

    def _prefix(self, path: str, stream: str) -> bytes:
        """Returns the task name before a line. At a terminal, names stand in a column, each task in its own colour."""
        if not self._screen.shows(stream):
            return f"{path}{MARK}".encode()
        self._column = max(self._column, min(cell_width(path), _WIDEST))
        name = f"{path}{' ' * (self._column - cell_width(path))}{MARK}".encode()
        if not self._screen.colour:
            return name
        colour = b"\x1b[%dm" % _COLOURS[zlib.crc32(_ITEM.sub("", path).encode()) % len(_COLOURS)]
        return colour + name + RESET + (RED if stream == "stderr" else b"")

    def _failed(self, execution_id: str) -> bool:
        try:
            return self._api.execution(execution_id, only="status").get("status") != "succeeded"
        except SquallError:
            return True


def _read(buffer: SpooledTemporaryFile[bytes]) -> Iterator[tuple[str, bytes, str]]:
    buffer.seek(0)
    for record in buffer:
        stream, timestamp, line = record.rstrip(b"\n").split(b" ", 2)
        yield stream.decode(), line, timestamp.decode()


def show_tasks(follower: Follower, screen: Screen, api: Api, root: str, options: TaskOptions) -> None:
    """Writes all records of a workflow's follower."""
    output = TaskOutput(api, screen, root, options)
    try:
        with closing(iter(follower)) as records:
            for record in records:
                if isinstance(record, Chunk):
                    output.show(record)
                elif isinstance(record, Gap):
                    reason = f": {record.reason}" if record.reason else ""
                    screen.tell(f"squall: {record.missing} bytes of the output are missing here{cell(reason)}")
        output.finish()
    finally:
        screen.finish()
