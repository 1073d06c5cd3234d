"""The context lines of a line search that follows its execution.

A line is passed on when it is complete. If it matches, the lines before it are passed on too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from squall.core.output.lines import Line


class Chosen(NamedTuple):
    """A line to show. `match`: the line matches the search; else it is context around a match. `apart`: lines between
    this one and the one shown before it are left out."""

    line: Line
    match: bool
    apart: bool


class LineContext:
    """Selects the matching lines of one execution, and `around` (0 or more) lines before and after each match."""

    def __init__(self, matches: Callable[[bytes], bool], around: int) -> None:
        self._matches = matches
        self._around = around
        self._before: deque[Line] = deque(maxlen=around)
        self._after = 0
        self._any_chosen = False
        self._left_out = False

    def take(self, line: Line) -> list[Chosen]:
        """Takes the next complete line; returns the lines to show now."""
        if self._matches(line.data):
            apart = self._around > 0 and self._any_chosen and self._left_out
            lines = [*self._before, line]
            self._before.clear()
            self._after, self._any_chosen, self._left_out = self._around, True, False
            return [Chosen(each, each is line, apart and at == 0) for at, each in enumerate(lines)]
        if self._after:
            self._after -= 1
            return [Chosen(line, False, False)]
        self._left_out = self._left_out or len(self._before) == self._around
        self._before.append(line)
        return []
