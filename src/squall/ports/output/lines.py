"""Lines of output by their number, and searches in them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from squall.core.output.line_query import Hits, LinePage, LineState, OutputSums, RowPage, Search
from squall.core.output.lines import Line
from squall.core.output.places import Place


class Lines(Protocol):
    """Reads the output of executions by line. Each method first counts the lines that are not counted yet.

    Every method raises `UnavailableError` if the count takes too long, or there are too many requests; a retry
    continues the count.
    """

    async def sums(self, tree: str, executions: Collection[str] | None) -> dict[str, OutputSums]:
        """Returns the sums of each of these executions of a tree (None: all) that has output. An empty name stands for
        the whole tree, if several executions have output."""
        ...

    async def states(
        self, tree: str, executions: Collection[str] | None, after: Place | None = None
    ) -> tuple[dict[str, LineState], int]:
        """Returns the states of the lines of these executions (None: all) at a place (None: now), and that place."""
        ...

    async def tail(
        self, tree: str, executions: Collection[str] | None, count: int, streams: tuple[int, ...] | None
    ) -> tuple[list[tuple[str, Line]], int]:
        """Returns the last `count` lines of these executions (None: all) together, each with its execution, in the
        order in which they began, and the position of the next read: records behind it continue these lines. If
        counting would take long, the lines have no numbers (0)."""
        ...

    async def lines(
        self, tree: str, execution: str, first: int, last: int, streams: tuple[int, ...] | None
    ) -> LinePage:
        """Returns the existing lines from `first` to `last`: as many, from the first on, as fit into a few MiB."""
        ...

    async def rows(
        self, tree: str, execution: str, first: int, last: int, streams: tuple[int, ...] | None, cut: int | None
    ) -> RowPage:
        """Returns the rows `first` to `last`: only lines on these streams count. They are those of one execution or
        (empty name) of the whole tree, in the order in which they began. Returns as many as fit into a few MiB, each
        with up to `cut` bytes. Numbers below 1 count from the end: 0 is the last row."""
        ...

    async def line_at(self, tree: str, execution: str, time: int) -> int:
        """Returns the number of the first line that began at `time` (µs) or later; if none did, the number of lines
        plus one."""
        ...

    async def search(self, tree: str, execution: str, wanted: Search) -> Hits:
        """Searches the lines of one execution or (empty name) of the whole tree. Raises `InvalidError` for an invalid
        expression."""
        ...

    def matcher(self, wanted: Search) -> Callable[[bytes], bool]:
        """Returns a function that checks whether a line matches, for followers. Raises `InvalidError` for an invalid
        expression."""
        ...

    async def byte(self, tree: str, execution: str, offset: int, streams: tuple[int, ...] | None) -> tuple[int, int]:
        """Finds the byte at `offset` of these streams' output. Returns the position to read from, and the number of
        bytes between that position and the byte."""
        ...
