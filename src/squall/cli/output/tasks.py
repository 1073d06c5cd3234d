"""The output of a workflow: which task each line is from, in which order lines are shown, and which are at all."""

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
from squall.client.follow import Chunk, Follower, Gap
from squall.client.http import JsonObject
from squall.core.errors import SquallError

MARK = " ⦿ "
WORKFLOWS = frozenset({"orquesta", "orchestra", "action-chain"})
_IN_MEMORY = 1 << 20
_WIDEST = 32
"""Cells of the column of names: a longer name moves its own lines only."""
_COLOURS = (32, 33, 34, 35, 36, 92, 94, 95)
_ITEM = re.compile(r"\[\d+\]")


def configure_tasks(parser: ArgumentParser) -> None:
    """The options for the output of workflows."""
    group = parser.add_argument_group("of workflows, whose lines are shown as `task ⦿ line`")
    group.add_argument(
        "--log-order",
        choices=("stream", "grouped"),
        default="stream",
        help="lines as they come (the default), or the lines of each task together, at the end",
    )
    group.add_argument(
        "--only-failed", action="store_true", help="at the end, only what tasks that failed have printed"
    )
    group.add_argument("--task", metavar="NAME", help="only this task, with all below it")
    group.add_argument(
        "--output",
        choices=("tree", "lines", "raw", "json"),
        help="tree: the tasks, painted in place (the default at a terminal); raw: bytes without names",
    )


def is_workflow(document: JsonObject) -> bool:
    """Whether an execution's document is a workflow's or a chain's."""
    action = document.get("action")
    return isinstance(action, dict) and action.get("runner_type") in WORKFLOWS


class Wanted(NamedTuple):
    """What of a workflow's output is shown, and how."""

    grouped: bool = False
    only_failed: bool = False
    task: str | None = None
    output: str = "lines"

    @classmethod
    def of(cls, args: Namespace) -> Wanted:
        """From the options of `configure_tasks`."""
        output = args.output if args.output in ("raw", "json") else "lines"
        return cls(args.log_order == "grouped", args.only_failed, args.task, output)


class Names:
    """The path of tasks to each execution, such as `deploy/restart[2]`; empty for the root."""

    def __init__(self, api: Api, root: str) -> None:
        self._api = api
        self._paths: dict[str, str] = {root: ""}

    def path(self, execution_id: str) -> str:
        """The path, asked for once."""
        found = self._paths.get(execution_id)
        if found is None:
            found = self._paths[execution_id] = self._ask(execution_id)
        return found

    def _ask(self, execution_id: str) -> str:
        try:
            document = self._api.execution(execution_id, only="context,parent")
        except SquallError:
            return execution_id
        context: Any = document.get("context") or {}
        task = context.get("orquesta") or {}
        name = str(task.get("task_name") or (context.get("chain") or {}).get("name") or execution_id)
        if "item_id" in task:
            name += f"[{task['item_id']}]"
        above = self.path(str(document["parent"])) if document.get("parent") else ""
        return f"{above}/{name}" if above else name


class TaskOutput:
    """Writes the records of a workflow to a screen as `wanted` says. Lines of several tasks are never mixed."""

    def __init__(self, api: Api, screen: Screen, root: str, wanted: Wanted) -> None:
        self._api = api
        self._screen = screen
        self._wanted = wanted
        self._names = Names(api, root)
        self._begun: dict[tuple[str, str], bytes] = {}
        self._kept: dict[str, SpooledTemporaryFile[bytes]] = {}
        self._times: dict[tuple[str, str], str] = {}
        self._column = 0

    def show(self, chunk: Chunk) -> None:
        """Takes one record."""
        path = self._names.path(chunk.execution_id)
        if self._wanted.task is not None and self._wanted.task not in [
            part.partition("[")[0] for part in path.split("/")
        ]:
            return
        if self._wanted.output == "raw" and not self._holds_back:
            self._screen.show(chunk.stream, chunk.data, chunk.timestamp)
            return
        key = (chunk.execution_id, chunk.stream)
        self._times[key] = chunk.timestamp
        data = self._begun.pop(key, b"") + chunk.data
        whole, newline, rest = data.rpartition(b"\n")
        if rest:
            self._begun[key] = rest
        if newline:
            self._take(chunk.execution_id, chunk.stream, whole.split(b"\n"), chunk.timestamp)

    def finish(self) -> None:
        """Writes what has been held back, and lines that never ended."""
        for (execution_id, stream), rest in self._begun.items():
            self._take(execution_id, stream, [rest], self._times[execution_id, stream])
        self._begun.clear()
        for execution_id, kept in self._kept.items():
            if not self._wanted.only_failed or self._failed(execution_id):
                for stream, line, timestamp in _read(kept):
                    self._write(execution_id, stream, line, timestamp)
            kept.close()

    @property
    def _holds_back(self) -> bool:
        return self._wanted.grouped or self._wanted.only_failed

    def _take(self, execution_id: str, stream: str, lines: list[bytes], timestamp: str) -> None:
        for line in lines:
            if not self._holds_back:
                self._write(execution_id, stream, line, timestamp)
                continue
            if execution_id not in self._kept:
                self._kept[execution_id] = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - `finish` closes
            self._kept[execution_id].write(f"{stream} {timestamp} ".encode() + line + b"\n")

    def _write(self, execution_id: str, stream: str, line: bytes, timestamp: str) -> None:
        path = self._names.path(execution_id)
        if self._wanted.output == "json":
            text = line.decode("utf-8", "replace")
            told = {"task": path, "execution_id": execution_id, "stream": stream, "timestamp": timestamp, "line": text}
            self._screen.show("stdout", json.dumps(told).encode() + b"\n", timestamp)
            return
        prefix = self._prefix(path, stream) if path and self._wanted.output == "lines" else b""
        self._screen.show(stream, prefix + line + b"\n", timestamp)

    def _prefix(self, path: str, stream: str) -> bytes:
        """The name before a line. At a terminal names stand in a column, each task in a colour of its own."""
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


def _read(kept: SpooledTemporaryFile[bytes]) -> Iterator[tuple[str, bytes, str]]:
    kept.seek(0)
    for record in kept:
        stream, timestamp, line = record.rstrip(b"\n").split(b" ", 2)
        yield stream.decode(), line, timestamp.decode()


def show_tasks(follower: Follower, screen: Screen, api: Api, root: str, wanted: Wanted) -> None:
    """Writes everything that the follower of a workflow brings."""
    output = TaskOutput(api, screen, root, wanted)
    try:
        with closing(iter(follower)) as records:
            for record in records:
                if isinstance(record, Chunk):
                    output.show(record)
                elif isinstance(record, Gap):
                    why = f": {record.reason}" if record.reason else ""
                    screen.tell(f"squall: {record.missing} bytes of the output are missing here{cell(why)}")
        output.finish()
    finally:
        screen.finish()
