"""The tasks of a workflow as a tree on a terminal, while it runs: states, times, last lines; below it what the task
prints that printed last.

What is shown is made by `TaskTree`, which knows of no terminal. `LiveScreen` paints it in place, several times a
second, as times go on while nothing comes.
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
from squall.client.follow import Chunk, Follower, Gap, Note

PAINT_SECONDS = 0.2
_KEPT = 200
_SHOWN = 8
_ITEM = re.compile(r"\[\d+\]")
_MARKS = {"running": "●", "succeeded": "✔", "waiting": "○", "paused": "‖", "pending": "?", "canceled": "⊘"}
_FAILED = "✘"
_COLOURS = {"✔": GREEN, "●": CYAN, "○": DIM, "‖": YELLOW, "?": YELLOW, "⊘": YELLOW}
_HEADER = re.compile(r"\d+/\d+ done, ")
_UP = b"\x1b[%dF"
_CLEAR = b"\x1b[J"


class _Task:
    """One task: `began` and `ended` are seconds of the clock."""

    def __init__(self, name: str, depth: int, began: float) -> None:
        self.name = name
        self.depth = depth
        self.began = began
        self.ended: float | None = None
        self.status = "waiting"
        self.tries = 0
        self.items: set[str] = set()
        self.expected = 0
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
            parts.append("waits for others")
        else:
            parts.append(duration((self.ended if self.ended is not None else now) - self.began))
        return "  ".join(parts)


class TaskTree:
    """What is known of the tasks so far, and the lines that show it. `path` gives the path of tasks to an execution."""

    def __init__(self, path: Callable[[str], str], clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._start = clock()
        self._tasks: dict[str, _Task] = {}
        self._output: dict[str, deque[str]] = {}
        self._begun: dict[tuple[str, str], bytes] = {}
        self._early: dict[str, str] = {}
        self._focus = ""

    def note(self, execution_id: str, told: Mapping[str, Any]) -> None:
        """Takes what a workflow says of one of its tasks."""
        if not told.get("task"):
            return
        task = self._task(_joined(self._node(execution_id), str(told["task"])))
        event = told.get("event")
        if isinstance(told.get("items"), int):
            task.expected = told["items"]
        if event == "task_requested":
            task.status, task.began, task.ended = "running", self._clock(), None
        elif event == "task_retried":
            task.tries += 1
        elif event == "task_ended":
            task.status, task.ended = str(told.get("status")), self._clock()

    def output(self, chunk: Chunk) -> None:
        """Takes what an execution has printed."""
        path = self._path(chunk.execution_id)
        own = self._node(chunk.execution_id)
        # What a task prints may come before its workflow tells of it.
        node = self._known(own) or own
        task = self._tasks.get(node)
        if task is not None and path != node:
            task.items.add(path)
        key = (chunk.execution_id, chunk.stream)
        *lines, rest = (self._begun.get(key, b"") + chunk.data).split(b"\n")
        self._begun[key] = rest[-_KEPT:]
        whole = [text for line in lines if (text := _shown(line))]
        self._output.setdefault(node, deque(maxlen=_SHOWN)).extend(whole[-_SHOWN:])
        if last := _shown(rest) or (whole[-1] if whole else ""):
            self._focus = node
            if task is not None:
                task.last = last
            else:
                self._early[node] = last

    def _node(self, execution_id: str) -> str:
        """The path without numbers of items, and without what is below a task that is no workflow."""
        return _ITEM.sub("", self._path(execution_id))

    def _known(self, path: str) -> str:
        """The nearest task that a workflow has told of: what a chain, or an action of its own making, has below it is
        shown as its own. The root if there is none."""
        while path and path not in self._tasks:
            path = path.rpartition("/")[0]
        return path

    def _task(self, path: str) -> _Task:
        found = self._tasks.get(path)
        if found is None:
            *_, name = path.split("/")
            found = self._tasks[path] = _Task(name, path.count("/"), self._clock())
            found.last = self._early.pop(path, "")
        return found

    def header(self, columns: int) -> str:
        """How much is done, such as `214/300 done, 3 failed, 1:02`. The items of a task count one by one."""
        sizes = {path: max(1, task.expected) for path, task in self._tasks.items()}
        over = [path for path, task in self._tasks.items() if task.over]
        failed = sum(self._tasks[path].status not in ("succeeded", "canceled") for path in over)
        seconds = int(self._clock() - self._start)
        hours = f"{seconds // 3600}:{seconds // 60 % 60:02}" if seconds >= 3600 else f"{seconds // 60}"
        counts = f"{sum(sizes[path] for path in over)}/{sum(sizes.values())} done"
        return _cut(f"{counts}{f', {failed} failed' if failed else ''}, {hours}:{seconds % 60:02}", columns)

    def lines(self, columns: int, rows: int) -> list[str]:
        """At most so many rows, each at most so wide."""
        now = self._clock()
        below = list(self._output.get(self._focus, ()))[-max(0, min(_SHOWN, rows // 3)) :]
        room = max(1, rows - (len(below) + 1 if below else 0))
        paths = _in_order(self._tasks)
        if len(paths) > room:
            # What runs, and what went wrong, is what somebody looks for; of the rest the newest.
            first = [path for path in paths if not self._tasks[path].over or self._tasks[path].status != "succeeded"]
            rest = [path for path in paths if path not in set(first)]
            kept = set([*first[-(room - 1) :], *rest[-max(0, room - 1 - len(first)) :]][: room - 1])
            shown = [path for path in paths if path in kept]
            made = [self._row(self._tasks[path], now) for path in shown]
            made.append(f"… and {len(paths) - len(shown)} more tasks")
        else:
            made = [self._row(self._tasks[path], now) for path in paths]
        if below:
            made += [f"── {self._focus or 'output'} ──", *(f"  {line}" for line in below)]
        return [_cut(line, columns) for line in made]

    def final(self, columns: int) -> list[str]:
        """Every task, for the end; below each that failed what it printed last."""
        now = self._clock()
        made = []
        for path in _in_order(self._tasks):
            task = self._tasks[path]
            made.append(self._row(task, now))
            if task.over and task.status not in ("succeeded", "canceled"):
                made += [f"{'  ' * (task.depth + 2)}{line}" for line in self._output.get(path, ())]
        return [_cut(line, columns) for line in made]

    @staticmethod
    def _row(task: _Task, now: float) -> str:
        line = task.line(now)
        return f"{line}  {task.last}" if task.last and not task.over else line


def _shown(line: bytes) -> str:
    """A line as a terminal would show it last: behind its last carriage return."""
    return cell(line.decode("utf-8", "replace").rstrip("\r").rpartition("\r")[2])


def _joined(above: str, name: str) -> str:
    return f"{above}/{name}" if above else name


def _in_order(tasks: Mapping[str, _Task]) -> list[str]:
    """Paths, each behind the one above it, in the order in which tasks began."""
    below: dict[str, list[str]] = {}
    for path in tasks:
        above = path.rpartition("/")[0]
        below.setdefault(above if above in tasks else "", []).append(path)
    found: list[str] = []
    waiting = below.get("", [])[::-1]
    while waiting:
        path = waiting.pop()
        found.append(path)
        waiting += below.get(path, [])[::-1]
    return found


def _cut(line: str, columns: int) -> str:
    # The last column stays empty: some terminals go to the next line once it is full.
    return clipped(line, columns - 1)


class LiveScreen(Screen):
    """A screen at whose end a tree is painted, again and again, by a thread; what else is written comes above it."""

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
        self._drawn: list[int] = []
        self._terminal = out

    def note(self, text: str) -> None:
        """Above the tree."""
        with self._lock:
            self.erase()
            super().note(text)

    def tell(self, text: str) -> None:
        """Above the tree."""
        with self._lock:
            self.erase()
            super().tell(text)

    def paint(self, lines: list[str]) -> None:
        """Puts these lines in the place of those that were painted last."""
        with self._lock:
            data = b"".join(self._coloured(line) + b"\n" for line in lines)
            write_all(self._terminal, self._back() + data)
            self._drawn = [cell_width(line) for line in lines]

    def erase(self) -> None:
        """Takes away what was painted last."""
        with self._lock:
            if self._drawn:
                write_all(self._terminal, self._back())
                self._drawn = []

    def forget(self) -> None:
        """Somebody else has written: what was painted stays where it is."""
        with self._lock:
            self._drawn = []

    def _back(self) -> bytes:
        """Moves to where the painting began, and clears from there. In a terminal that has become narrower a line
        takes several rows."""
        try:
            columns = os.get_terminal_size(self._terminal).columns
        except OSError:
            columns = 0
        rows = sum(max(1, -(-width // columns)) if columns else 1 for width in self._drawn)
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
    """Paints the tree while the workflow runs, and leaves the whole of it behind. `asking`: a question stands on the
    terminal, which is not to be painted over."""
    tree = TaskTree(Names(api, root).path)
    lock = threading.Lock()
    over = threading.Event()

    def paint() -> None:
        asked = False
        while not over.wait(PAINT_SECONDS):
            if asking():
                asked = True
                continue
            if asked:
                asked = False
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
                        tree.note(record.execution_id, record.told)
                elif isinstance(record, Gap):
                    why = f": {record.reason}" if record.reason else ""
                    screen.tell(f"squall: {record.missing} bytes of the output are missing here{cell(why)}")
    finally:
        over.set()
        painter.join()
        screen.erase()
        size = shutil.get_terminal_size()
        screen.paint(tree.final(size.columns))
        screen.forget()
        screen.finish()


def can_paint(environ: Mapping[str, str]) -> bool:
    """Whether this process has a terminal that things can be painted on in place."""
    return os.isatty(1) and os.isatty(2) and environ.get("TERM", "dumb") != "dumb"
