"""Lines around matches, for who follows: a line is given when it is complete, with those before it if it matches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from squall.core.output.lines import Line


class Chosen(NamedTuple):
    """A line to show. `match`: it is what was searched for, and no line around it; `apart`: lines between it and the
    one before it are left out."""

    line: Line
    match: bool
    apart: bool


class LineContext:
    """Chooses from the lines of one execution those that match, and `around` (0 or more) before and after each."""

    def __init__(self, matches: Callable[[bytes], bool], around: int) -> None:
        self._matches = matches
        self._around = around
        self._before: deque[Line] = deque(maxlen=around)
        self._owed = 0
        self._shown = False
        self._left_out = False

    def take(self, line: Line) -> list[Chosen]:
        """What is to be shown now that this line is complete."""
        if self._matches(line.data):
            apart = self._around > 0 and self._shown and self._left_out
            lines = [*self._before, line]
            self._before.clear()
            self._owed, self._shown, self._left_out = self._around, True, False
            return [Chosen(each, each is line, apart and at == 0) for at, each in enumerate(lines)]
        if self._owed:
            self._owed -= 1
            return [Chosen(line, False, False)]
        self._left_out = self._left_out or len(self._before) == self._around
        self._before.append(line)
        return []
