from __future__ import annotations

import asyncio

import pytest

from squall.services.access import braking
from squall.services.access.braking import Brake

pytestmark = pytest.mark.anyio


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each attempt was made to wait; nobody waits for it."""
    told: list[float] = []

    async def sleep(seconds: float) -> None:
        told.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return told


async def attempt(brake: Brake, user: str, peer: str, right: bool) -> None:
    async with brake.attempt(user, peer) as made:
        if not right:
            made.failed()


async def test_each_failure_of_a_user_doubles_the_wait_up_to_a_limit(waits: list[float]) -> None:
    brake = Brake()
    for number in range(9):
        await attempt(brake, "ada", f"10.0.0.{number}", False)
    assert waits == [0, 0.25, 0.5, 1, 2, 4, 8, 8, 8]


async def test_a_success_forgets_the_users_failures(waits: list[float]) -> None:
    brake = Brake()
    for right in (False, False, True, False):
        await attempt(brake, "ada", "10.0.0.1", right)
    assert waits == [0, 0.25, 0.5, 0]


async def test_an_address_that_tries_many_users_waits_too(waits: list[float]) -> None:
    brake = Brake()
    for number in range(8):
        await attempt(brake, f"user{number}", "10.0.0.1", False)
    assert waits == [0, 0, 0, 0, 0, 0, 0.25, 0.5]


async def test_attempts_of_one_user_come_one_after_the_other() -> None:
    brake, inside, most = Brake(), 0, 0

    async def one() -> None:
        nonlocal inside, most
        async with brake.attempt("ada", "10.0.0.1"):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(one())
    assert most == 1


async def test_what_is_remembered_is_bounded(waits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(braking, "_MOST_KEYS", 10)
    brake = Brake()
    for number in range(50):
        await attempt(brake, f"user{number}", "10.0.0.1", False)
    assert len(brake._keys) <= 10
