from __future__ import annotations

import asyncio
import threading

import pytest

from squall.core.errors import TooManyError
from squall.services.access import turns
from squall.services.access.turns import Turns
from squall.testing.waiting import PATIENCE

pytestmark = pytest.mark.anyio


class Checks:
    """Checks that wait until a test lets them end, and the order in which they began."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.began: list[str] = []

    def __call__(self, name: str) -> bool:
        self.began.append(name)
        return self.go.wait(PATIENCE)


async def waiting(line: Turns) -> int:
    """The number of checks that wait, after all tasks have run as far as they can."""
    for _ in range(10):
        await asyncio.sleep(0)
    return sum(len(each) for lines in (line._known, line._others) for each in lines.values())


async def test_addresses_have_their_turns_one_after_the_other_and_known_users_go_first() -> None:
    line, checks = Turns(1), Checks()
    async with asyncio.TaskGroup() as group:
        for name in ("first", "a1", "a2", "a3", "b1"):
            group.create_task(line.check(name[0], False, lambda name=name: checks(name)))  # type: ignore[misc]
        group.create_task(line.check("a", True, lambda: checks("known")))
        assert await waiting(line) == 5
        checks.go.set()
    assert checks.began == ["first", "known", "a1", "b1", "a2", "a3"]


async def test_a_check_whose_client_hung_up_is_never_made() -> None:
    line, checks = Turns(1), Checks()
    async with asyncio.TaskGroup() as group:
        group.create_task(line.check("a", False, lambda: checks("first")))
        gone = [group.create_task(line.check("a", False, lambda: checks("gone"))) for _ in range(5)]
        group.create_task(line.check("b", False, lambda: checks("last")))
        assert await waiting(line) == 6
        for task in gone:
            task.cancel()
        assert await waiting(line) == 1
        checks.go.set()
    assert checks.began == ["first", "last"]


async def test_an_address_fills_only_its_own_line() -> None:
    line, checks = Turns(1), Checks()
    async with asyncio.TaskGroup() as group:
        for _ in range(turns._MOST_WAITING + 1):
            group.create_task(line.check("a", False, lambda: checks("a")))
        await waiting(line)
        with pytest.raises(TooManyError):
            await line.check("a", False, lambda: checks("refused"))
        group.create_task(line.check("b", False, lambda: checks("b")))
        await waiting(line)
        checks.go.set()
    assert checks.began[:3] == ["a", "a", "b"]


async def test_a_turn_comes_back_when_its_client_hangs_up_during_the_check() -> None:
    line, checks = Turns(1), Checks()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(line.check("a", False, lambda: checks("gone")))
        await waiting(line)
        task.cancel()
    checks.go.set()
    assert await line.check("b", False, lambda: checks("next"))


async def test_an_error_of_a_check_reaches_its_caller_and_frees_the_turn() -> None:
    line = Turns(1)

    def broken() -> bool:
        raise OSError("unreadable")

    with pytest.raises(OSError, match="unreadable"):
        await line.check("a", False, broken)
    assert await line.check("a", False, lambda: True)
