"""The assignment of trees to keepers: one keeper writes the journal of a tree."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from squall.adapters.keeper.server.link import Link
from squall.core.output import journal


class Tree:
    """One tree that a keeper has, is about to get, or closes.

    `link` is the keeper that has it. `takers` counts the callers that are assigning it to a keeper. `closed` is set
    when a keeper has closed the journal; None if no keeper is closing it.
    """

    __slots__ = ("closed", "link", "takers")

    def __init__(self) -> None:
        self.link: Link | None = None
        self.takers = 0
        self.closed: asyncio.Event | None = None


class Trees:
    """The trees of all keepers. `journals` is the folder of the live journals. It awaits `open_tree` before a keeper
    gets a tree, and calls `release_tree` when no keeper has the tree any more."""

    def __init__(
        self, journals: Path, open_tree: Callable[[str], Awaitable[None]], release_tree: Callable[[str], None]
    ) -> None:
        self._journals = journals
        self._open_tree = open_tree
        self._release_tree = release_tree
        self._trees: dict[str, Tree] = {}

    def at(self, link: Link) -> list[str]:
        """Returns the trees that a keeper has."""
        return [name for name, tree in self._trees.items() if tree.link is link]

    async def take_up(self, name: str, link: Link) -> None:
        """Records that a keeper has the tree from an earlier server."""
        tree = self._trees.setdefault(name, Tree())
        if tree.link is not None:
            return
        tree.takers += 1
        try:
            await self._open_tree(name)
            if tree.link is None:
                tree.link = link
        finally:
            tree.takers -= 1
            self._forget_idle(name, tree)

    async def take(self, name: str, create: bool, choose: Callable[[], Awaitable[Link]]) -> Link | None:
        """Returns the keeper that has the tree. If none has it, assigns the tree to the keeper that `choose` returns.

        If `create` is false and the tree has no journal, returns None. Raises the errors of `choose` and `open_tree`.
        """
        tree = self._trees.setdefault(name, Tree())
        if tree.link is not None:
            return tree.link
        tree.takers += 1
        try:
            while tree.closed is not None:
                await tree.closed.wait()
            await self._open_tree(name)
            if not create and not (self._journals / journal.file_name(name)).exists():
                return None
            link = await choose()
            # Another caller may have been faster; a tree never has two keepers.
            if tree.link is None:
                tree.link = link
            return tree.link
        finally:
            tree.takers -= 1
            self._forget_idle(name, tree)

    async def close(self, name: str, close: Callable[[Link], Awaitable[None]]) -> Link | None:
        """Takes the tree from its keeper and closes its journal with `close`. Returns that keeper; None if no keeper
        had it. Concurrent calls of `take` wait until the journal is closed."""
        tree = self._trees.get(name)
        if tree is None or tree.link is None:
            return None
        link, tree.link = tree.link, None
        closed = tree.closed = asyncio.Event()
        try:
            await close(link)
        finally:
            tree.closed = None
            self._forget_idle(name, tree)
            closed.set()
        return link

    def drop(self, link: Link) -> None:
        """Takes all trees from a keeper that has ended."""
        for name in self.at(link):
            tree = self._trees[name]
            tree.link = None
            self._forget_idle(name, tree)

    def _forget_idle(self, name: str, tree: Tree) -> None:
        """Releases a tree that no keeper has, is about to get, or closes."""
        if tree.link is None and not tree.takers and tree.closed is None:
            del self._trees[name]
            self._release_tree(name)
