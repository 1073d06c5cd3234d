"""Lines of output by their number, and searching them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from squall.core.output.line_query import Hits, LinePage, LineState, OutputSums, RowPage, Search
from squall.core.output.lines import Line
from squall.core.output.places import Place


class Lines(Protocol):
    """Looks into what executions have printed, by line. It counts what has not been counted yet first.

    Every method raises `UnavailableError` when that takes too long, or too many ask; asking again goes on with it.
    """

    async def sums(self, tree: str, executions: Collection[str] | None) -> dict[str, OutputSums]:
        """What each of these executions of a tree (None: all) has printed; only those that have printed something. An
        empty name stands for all of a tree in which several have."""
        ...

    async def states(
        self, tree: str, executions: Collection[str] | None, after: Place | None = None
    ) -> tuple[dict[str, LineState], int]:
        """How far the lines of these executions (None: all) go at a place (None: now), and that place."""
        ...

    async def tail(
        self, tree: str, executions: Collection[str] | None, count: int, streams: tuple[int, ...] | None
    ) -> tuple[list[tuple[str, Line]], int]:
        """The last `count` lines of these executions (None: all) together, each with its execution, in the order in
        which they began; and the position up to which the journal has been looked at: what follows goes on with the
        last ones. Where counting would take long, they have no numbers (0)."""
        ...

    async def lines(
        self, tree: str, execution: str, first: int, last: int, streams: tuple[int, ...] | None
    ) -> LinePage:
        """The lines numbered `first` to `last` that there are: as many, from the first on, as fit into a few MiB."""
        ...

    async def rows(
        self, tree: str, execution: str, first: int, last: int, streams: tuple[int, ...] | None, cut: int | None
    ) -> RowPage:
        """The rows `first` to `last`: lines as counted among those on these streams only, of one execution or (with
        an empty name) of all of the tree, in the order in which they began. As many as fit into a few MiB, each up to
        `cut` bytes. Numbers below 1 count from the end: 0 is the last one."""
        ...

    async def line_at(self, tree: str, execution: str, time: int) -> int:
        """The first line that began at `time` (µs) or later; one more than there are if none did."""
        ...

    async def search(self, tree: str, execution: str, wanted: Search) -> Hits:
        """The lines that match, of one execution or (with an empty name) of all of the tree. Raises `InvalidError` for
        an expression that is none."""
        ...

    def matcher(self, wanted: Search) -> Callable[[bytes], bool]:
        """Whether a line matches, for those who follow. Raises `InvalidError` for an expression that is none."""
        ...

    async def byte(self, tree: str, execution: str, offset: int, streams: tuple[int, ...] | None) -> tuple[int, int]:
        """Where the byte at `offset` of these streams' output is: the position to read on from, and how many of the
        bytes behind it come before."""
        ...
