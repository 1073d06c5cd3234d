from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest

from squall.core.errors import TooManyError
from squall.services.access import turns
from squall.services.access.turns import Turns
from squall.testing.waiting import PATIENCE, eventually

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
    return len(line)


async def order(attempts: Iterable[tuple[str, bool, int]]) -> list[str]:
    """The order of the turns of checks that arrive one after the other while all threads are busy.

    An attempt is its name, whose first letter is its address, whether its user is known, and the address's failures.
    """
    line, checks = Turns(1), Checks()
    # One thread begins checks in the order of their turns.
    line._threads = [ThreadPoolExecutor(1)] * 3
    async with asyncio.TaskGroup() as group:
        for busy in range(3):
            group.create_task(line.check(f"busy{busy}", True, 0, lambda: checks("busy")))
        await waiting(line)
        for count, (name, is_known, failures) in enumerate(attempts, 1):
            group.create_task(line.check(name[0], is_known, failures, lambda name=name: checks(name)))  # type: ignore[misc]
            assert await waiting(line) == count
        checks.go.set()
    return checks.began[3:]


async def test_addresses_have_their_turns_one_after_the_other_and_known_users_go_first() -> None:
    attempts = [("a1", False, 0), ("a2", False, 0), ("a3", False, 0), ("b1", False, 0), ("a4", True, 0)]
    assert await order(attempts) == ["a4", "b1", "a1", "a2", "a3"]


async def test_a_user_at_a_new_address_goes_before_all_addresses_that_failed() -> None:
    strangers = [(chr(ord("\u4e00") + number), False, 1 + number % 5) for number in range(24)]
    began = await order([*strangers, ("owner", False, 0)])
    assert began[0] == "owner"
    failures = {name: count for name, _, count in strangers}
    assert [failures[name] for name in began[1:]] == sorted(failures.values())


async def test_a_user_at_a_new_address_goes_before_all_that_came_earlier_from_new_addresses() -> None:
    strangers = [(chr(ord("\u4e00") + number), False, 0) for number in range(24)]
    began = await order([*strangers, ("owner", False, 0)])
    assert began[0] == "owner"


@pytest.mark.parametrize(
    ("is_known", "failures", "at_once"), [(False, 1, 1), (False, 0, 2), (True, 0, 3), (True, 9, 3)]
)
async def test_threads_are_kept_for_addresses_without_failures_and_for_known_users(
    is_known: bool, failures: int, at_once: int
) -> None:
    line, checks = Turns(1), Checks()
    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(line.check(f"{number}", is_known, failures, lambda: checks("check")))
        assert await waiting(line) == 5 - at_once
        await eventually(lambda: len(checks.began) == at_once, "as many checks as may run have begun")
        checks.go.set()


@pytest.mark.parametrize("is_known", [False, True])
async def test_a_user_does_not_wait_for_the_running_checks_of_addresses_that_failed(is_known: bool) -> None:
    line, checks = Turns(1), Checks()
    async with asyncio.TaskGroup() as group:
        for number in range(24):
            group.create_task(line.check(f"{number}", False, 1, lambda: checks("stranger")))
        assert await waiting(line) == 23
        assert await line.check("owner", is_known, 0, lambda: True)
        checks.go.set()


async def test_a_check_whose_client_hung_up_is_never_made() -> None:
    line, checks = Turns(1), Checks()
    async with asyncio.TaskGroup() as group:
        group.create_task(line.check("a", False, 0, lambda: checks("first")))
        gone = [group.create_task(line.check("a", False, 0, lambda: checks("gone"))) for _ in range(5)]
        group.create_task(line.check("b", False, 1, lambda: checks("last")))
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
            group.create_task(line.check("a", False, 0, lambda: checks("a")))
        await waiting(line)
        with pytest.raises(TooManyError):
            await line.check("a", False, 0, lambda: checks("refused"))
        group.create_task(line.check("b", False, 1, lambda: checks("b")))
        await waiting(line)
        checks.go.set()
    assert checks.began[:3] == ["a", "b", "a"]


async def test_a_turn_comes_back_when_its_client_hangs_up_during_the_check() -> None:
    line, checks = Turns(1), Checks()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(line.check("a", False, 0, lambda: checks("gone")))
        await waiting(line)
        task.cancel()
    checks.go.set()
    assert await line.check("b", False, 0, lambda: checks("next"))


async def test_an_error_of_a_check_reaches_its_caller_and_frees_the_turn() -> None:
    line = Turns(1)

    def broken() -> bool:
        raise OSError("unreadable")

    with pytest.raises(OSError, match="unreadable"):
        await line.check("a", False, 0, broken)
    assert await line.check("a", False, 0, lambda: True)


async def test_checks_of_guessers_give_way_to_those_of_users() -> None:
    line = Turns(1)

    async def niceness(is_known: bool, failures: int) -> int:
        values: list[int] = []

        def check() -> bool:
            values.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
            return True

        await line.check("a", is_known, failures, check)
        return values[0]

    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert [await niceness(False, 1), await niceness(False, 0), await niceness(True, 1)] == [
        max(own, nice) for nice in turns._NICE
    ]
