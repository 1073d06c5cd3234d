"""The line counter looks at what is complete, once however often it is hinted at, and goes on whatever happens."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from squall.adapters.bus.inproc import InProcessBus
from squall.core.errors import UnavailableError
from squall.roles.line_counter import LineCounting
from squall.services.lanes import COMPLETE
from squall.services.output.line_reading import LineReading
from squall.testing.waiting import PATIENCE

pytestmark = pytest.mark.anyio


class Counted:
    """Counts what is looked at; the tree `bad` cannot be read."""

    def __init__(self) -> None:
        self.trees: list[str] = []
        self.looked = asyncio.Event()

    async def count_finished(self, tree: str) -> None:
        self.trees.append(tree)
        self.looked.set()
        if tree == "bad":
            raise UnavailableError("it is being moved")


async def test_a_tree_that_is_complete_is_looked_at_once_in_a_while() -> None:
    reading, bus = Counted(), InProcessBus()
    role = LineCounting(cast(LineReading, reading), bus, poll=60, pause=0.05)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        task = group.create_task(role.run())
        await asyncio.sleep(0)
        bus.publish(COMPLETE, "bad")
        await reading.looked.wait()
        # While it pauses, all these are one hint.
        for _ in range(1000):
            bus.publish(COMPLETE, "good")
        while "good" not in reading.trees:
            reading.looked.clear()
            await reading.looked.wait()
        task.cancel()
    assert reading.trees == ["bad", "good"]
