"""The tasks of a workflow as a tree on a terminal while it runs: states, times, last lines. Below the tree stands the
output of the task that printed last.

`TaskTree` makes the lines without a terminal. `LiveScreen` paints them in place, several times a second, because times
advance even if nothing comes.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

from squall.cli.output.tasks import Names
from squall.cli.terminal.screen import BOLD, CYAN, DIM, GREEN, RED, RESET, YELLOW, Screen, Style, write_all
from squall.cli.terminal.table import cell, cell_width, clipped, duration
from squall.client.api import Api
from squall.client.follow import FINAL, Chunk, Follower, Gap, Note, StatusChange

PAINT_SECONDS = 0.2
_MOST_REST = 200
_MOST_LINES = 8
_ITEM = re.compile(r"\[\d+\]")
_MARKS = {"running": "●", "succeeded": "✔", "waiting": "○", "paused": "‖", "pending": "?", "canceled": "⊘"}
_FAILED = "✘"
_FINE = ("succeeded", "canceled")
_COLOURS = {"✔": GREEN, "●": CYAN, "○": DIM, "‖": YELLOW, "?": YELLOW, "⊘": YELLOW}
_HEADER = re.compile(r"\d+/\d+ done, ")
_UP = b"\x1b[%dF"
_CLEAR = b"\x1b[J"


class _Run:
    """The run of a task in one workflow: its status, and the executions of its items. A workflow that runs for each
    item of another one has a run of its own for each task."""

    def __init__(self) -> None:
        self.expected = 0
        self.status = "running"
        self.is_over = False
        self._begun: set[str] = set()
        self._ended: set[str] = set()
        self._failed: set[str] = set()

    @property
    def size(self) -> int:
        """The number of items; 1 for a task without items."""
        return max(1, self.expected, len(self._begun))

    @property
    def done(self) -> int:
        """The number of items that have ended. When the task has ended, no item is open."""
        return self.size if self.is_over else len(self._ended)

    @property
    def failed(self) -> int:
        """The number of items that failed; 1 for a failed task without items."""
        return max(len(self._failed), int(self.is_over and self.status not in _FINE))

    def begin(self, expected: int) -> None:
        """Begins the run, or begins it again."""
        if self.is_over:
            self.clear()
        self.expected, self.is_over = expected, False

    def clear(self) -> None:
        """Forgets the items, because all of them run again."""
        for items in (self._begun, self._ended, self._failed):
            items.clear()

    def take(self, execution_id: str, status: str) -> None:
        """Applies the status of an item's execution. The same status may come twice."""
        self._begun.add(execution_id)
        if status in FINAL:
            self._ended.add(execution_id)
            if status not in _FINE:
                self._failed.add(execution_id)


class _Task:
    """One task. `began` and `ended` are in seconds of the clock. `runs` has the ids of the workflows that run it."""

    def __init__(self, name: str, depth: int, began: float) -> None:
        self.name = name
        self.depth = depth
        self.began = began
        self.ended: float | None = None
        self.status = "waiting"
        self.tries = 0
        self.items: set[str] = set()
        self.expected = 0
        self.runs: dict[str, _Run] = {}
        self.last = ""

    @property
    def over(self) -> bool:
        return self.ended is not None

    def line(self, now: float) -> str:
        mark = _MARKS.get(self.status, _FAILED if self.over else "●")
        parts = [f"{'  ' * self.depth}{mark} {self.name}"]
        if self.expected or len(self.items) > 1:
            parts.append(f"{max(self.expected, len(self.items))} items")
        if self.tries:
            parts.append(f"tried {self.tries + 1} times")
        if self.status == "waiting":
            parts.append("waits for other tasks")
        else:
            parts.append(duration((self.ended if self.ended is not None else now) - self.began))
        return "  ".join(parts)


class TaskTree:
    """The tasks so far, and the lines that show them. `path` returns the path of tasks to an execution."""

    def __init__(self, path: Callable[[str], str], clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._start = clock()
        self._tasks: dict[str, _Task] = {}
        self._output: dict[str, deque[str]] = {}
        self._rests: dict[tuple[str, str], bytes] = {}
        self._early: dict[str, str] = {}
        self._focus = ""

    def note(self, execution_id: str, message: Mapping[str, Any]) -> None:
        """Applies a message of a workflow about one of its tasks."""
        if not message.get("task"):
            return
        task = self._task(_joined(self._node(execution_id), str(message["task"])))
        run = task.runs.setdefault(execution_id, _Run())
        event = message.get("event")
        items = message["items"] if isinstance(message.get("items"), int) else 0
        task.expected = items or task.expected
        if event == "task_requested":
            task.status, task.began, task.ended = "running", self._clock(), None
            run.begin(items)
        elif event == "task_retried":
            task.tries += 1
            run.clear()
        elif event == "item_refused":
            # An item without an execution is known by its number.
            run.take(str(message.get("item")), "failed")
        elif event == "task_ended":
            task.status, task.ended = str(message.get("status")), self._clock()
            run.status, run.is_over = task.status, True

    def status(self, change: StatusChange) -> None:
        """Applies a new status of the execution of an item."""
        if change.item is None or change.parent is None or not self._path(change.execution_id):
            return
        task = self._task(self._node(change.execution_id))
        task.runs.setdefault(change.parent, _Run()).take(change.execution_id, change.status)

    def output(self, chunk: Chunk) -> None:
        """Adds output of an execution."""
        path = self._path(chunk.execution_id)
        task_path = self._node(chunk.execution_id)
        # Output of a task may come before its workflow's message about the task.
        node = self._nearest_task(task_path) or task_path
        task = self._tasks.get(node)
        if task is not None and path != node:
            task.items.add(path)
        key = (chunk.execution_id, chunk.stream)
        *lines, rest = (self._rests.get(key, b"") + chunk.data).split(b"\n")
        self._rests[key] = rest[-_MOST_REST:]
        texts = [text for line in lines if (text := _visible(line))]
        self._output.setdefault(node, deque(maxlen=_MOST_LINES)).extend(texts[-_MOST_LINES:])
        if last := _visible(rest) or (texts[-1] if texts else ""):
            self._focus = node
            if task is not None:
                task.last = last
            else:
                self._early[node] = last

    def _node(self, execution_id: str) -> str:
        """Returns the path of an execution without numbers of items."""
        return _ITEM.sub("", self._path(execution_id))

    def _nearest_task(self, path: str) -> str:
        """Returns the nearest task on the path that a workflow has reported, or the root. The output of executions
        below a chain or an action belongs to that task."""
        while path and path not in self._tasks:
            path = path.rpartition("/")[0]
        return path

    def _task(self, path: str) -> _Task:
        task = self._tasks.get(path)
        if task is None:
            *_, name = path.split("/")
            task = self._tasks[path] = _Task(name, path.count("/"), self._clock())
            task.last = self._early.pop(path, "")
        return task

    def header(self, columns: int) -> str:
        """Returns the progress, such as `214/300 done, 3 failed, 1:02`. Each item of a task counts when it ends."""
        runs = [run for task in self._tasks.values() for run in task.runs.values()]
        failed = sum(run.failed for run in runs)
        seconds = int(self._clock() - self._start)
        hours = f"{seconds // 3600}:{seconds // 60 % 60:02}" if seconds >= 3600 else f"{seconds // 60}"
        counts = f"{sum(run.done for run in runs)}/{sum(run.size for run in runs)} done"
        return _cut(f"{counts}{f', {failed} failed' if failed else ''}, {hours}:{seconds % 60:02}", columns)

    def lines(self, columns: int, rows: int) -> list[str]:
        """Returns the lines of the tree: at most `rows` lines, each at most `columns` wide."""
        now = self._clock()
        output = list(self._output.get(self._focus, ()))[-max(0, min(_MOST_LINES, rows // 3)) :]
        room = max(1, rows - (len(output) + 1 if output else 0))
        paths = _in_order(self._tasks)
        if len(paths) > room:
            # Running and failed tasks matter most; of the others, show the newest.
            first = [path for path in paths if not self._tasks[path].over or self._tasks[path].status != "succeeded"]
            rest = [path for path in paths if path not in set(first)]
            selected = set([*first[-(room - 1) :], *rest[-max(0, room - 1 - len(first)) :]][: room - 1])
            visible = [path for path in paths if path in selected]
            lines = [self._row(self._tasks[path], now) for path in visible]
            lines.append(f"… and {len(paths) - len(visible)} more tasks")
        else:
            lines = [self._row(self._tasks[path], now) for path in paths]
        if output:
            lines += [f"── {self._focus or 'output'} ──", *(f"  {line}" for line in output)]
        return [_cut(line, columns) for line in lines]

    def final(self, columns: int) -> list[str]:
        """Returns the lines for the end: every task, and below each failed task its last output."""
        now = self._clock()
        lines = []
        for path in _in_order(self._tasks):
            task = self._tasks[path]
            lines.append(self._row(task, now))
            if task.over and task.status not in _FINE:
                lines += [f"{'  ' * (task.depth + 2)}{line}" for line in self._output.get(path, ())]
        return [_cut(line, columns) for line in lines]

    @staticmethod
    def _row(task: _Task, now: float) -> str:
        line = task.line(now)
        return f"{line}  {task.last}" if task.last and not task.over else line


def _visible(line: bytes) -> str:
    """Returns the part of a line that stays visible on a terminal: after its last carriage return."""
    return cell(line.decode("utf-8", "replace").rstrip("\r").rpartition("\r")[2])


def _joined(parent: str, name: str) -> str:
    return f"{parent}/{name}" if parent else name


def _in_order(tasks: Mapping[str, _Task]) -> list[str]:
    """Returns the paths, each after its parent, in the order in which tasks began."""
    children: dict[str, list[str]] = {}
    for path in tasks:
        parent = path.rpartition("/")[0]
        children.setdefault(parent if parent in tasks else "", []).append(path)
    ordered: list[str] = []
    waiting = children.get("", [])[::-1]
    while waiting:
        path = waiting.pop()
        ordered.append(path)
        waiting += children.get(path, [])[::-1]
    return ordered


def _cut(line: str, columns: int) -> str:
    # The last column stays empty, because some terminals go to the next line when it is full.
    return clipped(line, columns - 1)


class LiveScreen(Screen):
    """A screen with a tree at its end, which a thread paints again and again. Other output comes above the tree."""

    def __init__(
        self,
        out: int,
        err: int,
        environ: Mapping[str, str],
        style: Style | None = None,
        color: str | None = None,
    ) -> None:
        super().__init__(out, err, environ, style, color)
        self._lock = threading.RLock()
        self._painted_widths: list[int] = []
        self._terminal = out

    def note(self, text: str) -> None:
        """Writes a note above the tree."""
        with self._lock:
            self.erase()
            super().note(text)

    def tell(self, text: str) -> None:
        """Writes a message above the tree."""
        with self._lock:
            self.erase()
            super().tell(text)

    def paint(self, lines: list[str]) -> None:
        """Replaces the lines that were painted last."""
        with self._lock:
            data = b"".join(self._coloured(line) + b"\n" for line in lines)
            write_all(self._terminal, self._back() + data)
            self._painted_widths = [cell_width(line) for line in lines]

    def erase(self) -> None:
        """Erases the lines that were painted last."""
        with self._lock:
            if self._painted_widths:
                write_all(self._terminal, self._back())
                self._painted_widths = []

    def forget(self) -> None:
        """Leaves the painted lines where they are, because other output follows them."""
        with self._lock:
            self._painted_widths = []

    def _back(self) -> bytes:
        """Returns the codes that move to the first painted line and clear from there. In a terminal that has become
        narrower, a line takes several rows."""
        try:
            columns = os.get_terminal_size(self._terminal).columns
        except OSError:
            columns = 0
        rows = sum(max(1, -(-width // columns)) if columns else 1 for width in self._painted_widths)
        return (_UP % rows if rows else b"") + _CLEAR

    def _coloured(self, line: str) -> bytes:
        text = line.encode("utf-8", "backslashreplace")
        if not self._colour:
            return text
        if _HEADER.match(line):
            return BOLD + text + RESET
        if line.startswith(("──", "…")):
            return DIM + text + RESET
        mark = line.lstrip()[:1]
        if mark == _FAILED:
            return RED + text + RESET
        colour = _COLOURS.get(mark)
        return text if colour is None else text.replace(mark.encode(), colour + mark.encode() + RESET, 1)


def show_tree(follower: Follower, screen: LiveScreen, api: Api, root: str, asking: Callable[[], bool]) -> None:
    """Paints the tree while the workflow runs, and leaves the whole tree at the end. It does not paint while `asking()`
    is true: then a question is on the terminal."""
    names = Names(api, root)
    tree = TaskTree(names.path)
    lock = threading.Lock()
    over = threading.Event()

    def paint() -> None:
        was_asking = False
        while not over.wait(PAINT_SECONDS):
            if asking():
                was_asking = True
                continue
            if was_asking:
                was_asking = False
                screen.forget()
            size = shutil.get_terminal_size()
            with lock:
                lines = [tree.header(size.columns), *tree.lines(size.columns, size.lines - 2)]
            screen.paint(lines)

    painter = threading.Thread(target=paint, daemon=True)
    painter.start()
    try:
        with closing(iter(follower)) as records:
            for record in records:
                if isinstance(record, Chunk):
                    with lock:
                        tree.output(record)
                elif isinstance(record, Note):
                    with lock:
                        tree.note(record.execution_id, record.document)
                elif isinstance(record, StatusChange):
                    with lock:
                        names.learn(record)
                        tree.status(record)
                elif isinstance(record, Gap):
                    reason = f": {record.reason}" if record.reason else ""
                    screen.tell(f"squall: {record.missing} bytes of the output are missing here{cell(reason)}")
    finally:
        over.set()
        painter.join()
        screen.erase()
        size = shutil.get_terminal_size()
        screen.paint(tree.final(size.columns))
        screen.forget()
        screen.finish()


def can_paint(environ: Mapping[str, str]) -> bool:
    """Returns True if this process has a terminal that can be painted on in place."""
    return os.isatty(1) and os.isatty(2) and environ.get("TERM", "dumb") != "dumb"
