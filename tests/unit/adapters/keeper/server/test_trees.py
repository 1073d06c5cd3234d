"""A tree has one keeper at a time, and is open for as long as one has it, gets it, or closes it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest

from squall.adapters.keeper.server.link import Link
from squall.adapters.keeper.server.trees import Trees
from squall.core.output import journal
from squall.testing.samples import sample_id
from squall.testing.waiting import eventually

pytestmark = pytest.mark.anyio

TREE = sample_id(1)
ONE, TWO = cast("Link", object()), cast("Link", object())


class Opening:
    """What is done to trees, in order: `open` and `release`. `error` is raised by the next `open`."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.error: OSError | None = None

    async def open(self, tree: str) -> None:
        self.done.append("open")
        if self.error is not None:
            raise self.error

    def release(self, tree: str) -> None:
        self.done.append("release")


@pytest.fixture
def opening() -> Opening:
    return Opening()


@pytest.fixture
def trees(opening: Opening, tmp_path: Path) -> Trees:
    return Trees(tmp_path, opening.open, opening.release)


def chooses(link: Link, gate: asyncio.Event | None = None) -> Callable[[], Awaitable[Link]]:
    async def choose() -> Link:
        if gate is not None:
            await gate.wait()
        return link

    return choose


async def test_a_tree_stays_with_the_keeper_that_got_it_first(trees: Trees, opening: Opening) -> None:
    assert await trees.take(TREE, True, chooses(ONE)) is ONE
    assert await trees.take(TREE, True, chooses(TWO)) is ONE
    assert (trees.at(ONE), trees.at(TWO), opening.done) == ([TREE], [], ["open"])


async def test_two_who_take_a_tree_at_once_get_the_same_keeper(trees: Trees) -> None:
    gate = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        late = group.create_task(trees.take(TREE, True, chooses(ONE, gate)))
        group.create_task(trees.take(TREE, True, chooses(TWO)))
        await eventually(lambda: trees.at(TWO) == [TREE], "the faster one has given it away")
        gate.set()
        assert await late is TWO


async def test_a_tree_without_a_journal_is_given_to_nobody_unless_it_is_to_be_made(
    trees: Trees, opening: Opening, tmp_path: Path
) -> None:
    assert await trees.take(TREE, False, chooses(ONE)) is None
    assert opening.done == ["open", "release"]
    path = tmp_path / journal.file_name(TREE)
    path.parent.mkdir(parents=True)
    path.touch()
    assert await trees.take(TREE, False, chooses(ONE)) is ONE


async def test_a_tree_that_cannot_be_opened_is_not_kept(trees: Trees, opening: Opening) -> None:
    opening.error = OSError("no space")
    with pytest.raises(OSError, match="no space"):
        await trees.take(TREE, True, chooses(ONE))
    with pytest.raises(OSError, match="no space"):
        await trees.take_up(TREE, ONE)
    opening.error = None
    assert trees.at(ONE) == []
    assert await trees.take(TREE, True, chooses(TWO)) is TWO


async def test_a_closing_keeps_others_away_until_it_is_over(trees: Trees, opening: Opening) -> None:
    await trees.take(TREE, True, chooses(ONE))
    gate = asyncio.Event()

    async def close(_link: Link) -> None:
        opening.done.append("close")
        await gate.wait()

    async with asyncio.TaskGroup() as group:
        closing = group.create_task(trees.close(TREE, close))
        await eventually(lambda: "close" in opening.done, "it is being closed")
        assert await trees.close(TREE, close) is None
        taking = group.create_task(trees.take(TREE, True, chooses(TWO)))
        gate.set()
        assert await closing is ONE
        assert await taking is TWO
    assert opening.done[-1] == "open"


async def test_the_trees_of_a_dead_keeper_are_released(trees: Trees, opening: Opening) -> None:
    await trees.take(TREE, True, chooses(ONE))
    await trees.take_up(sample_id(2), TWO)
    trees.drop(ONE)
    assert (trees.at(ONE), trees.at(TWO)) == ([], [sample_id(2)])
    assert opening.done == ["open", "open", "release"]
