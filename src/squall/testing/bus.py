# ruff: noqa: S101 - asserting is what a contract suite is for
"""The contract suites of buses: `BusContract` for a bus that loses all hints, `HearingBusContract` for the others.

A test class derives from one of them; its module has a fixture `bus` that returns a `ports.Bus`.
"""

from __future__ import annotations

import asyncio

import pytest

from squall.ports import Bus, BusSubscription
from squall.testing.waiting import PATIENCE


async def heard(subscription: BusSubscription, count: int) -> set[str]:
    """Returns the next `count` different keys of a subscription. Raises `TimeoutError` after `PATIENCE` seconds."""
    keys: set[str] = set()
    async with asyncio.timeout(PATIENCE):
        while len(keys) < count:
            keys |= await subscription.wait(PATIENCE)
    return keys


@pytest.mark.anyio
class BusContract:
    """The contract of every bus, whether hints arrive or not."""

    async def test_a_wait_without_hints_ends_empty_at_its_time_out(self, bus: Bus) -> None:
        """Polling roles depend on waits that end."""
        with bus.subscribe("run") as subscription:
            async with asyncio.timeout(PATIENCE):
                assert await subscription.wait(0.01) == set()

    async def test_publishing_to_nobody_is_fine(self, bus: Bus) -> None:
        """A publisher does not know the subscribers."""
        bus.publish("run", "a")
        with bus.subscribe("run"):
            pass
        bus.publish("run", "b")

    async def test_a_canceled_wait_leaves_the_subscription_usable(self, bus: Bus) -> None:
        """Roles race a wait against other events."""
        with bus.subscribe("run") as subscription:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await subscription.wait(PATIENCE)
            assert await subscription.wait(0) == set()


@pytest.mark.anyio
class HearingBusContract(BusContract):
    """The contract of a bus whose hints usually arrive."""

    async def test_a_hint_ends_a_wait(self, bus: Bus) -> None:
        """The purpose of a hint is to be faster than the poll."""
        with bus.subscribe("run") as subscription:
            async with asyncio.TaskGroup() as group:
                waiting = group.create_task(heard(subscription, 1))
                await asyncio.sleep(0)
                bus.publish("run", "a")
            assert waiting.result() == {"a"}

    async def test_hints_collect_until_they_are_asked_for(self, bus: Bus) -> None:
        """Hints that arrive while a role is busy are not lost; two hints with the same key become one."""
        with bus.subscribe("run") as subscription:
            for key in ("a", "b", "a"):
                bus.publish("run", key)
            assert await heard(subscription, 2) == {"a", "b"}

    async def test_a_hint_is_given_once(self, bus: Bus) -> None:
        """The next wait returns only new hints."""
        with bus.subscribe("run") as subscription:
            bus.publish("run", "a")
            assert await heard(subscription, 1) == {"a"}
            bus.publish("run", "b")
            assert await heard(subscription, 1) == {"b"}

    async def test_only_the_topic_asked_for_is_heard(self, bus: Bus) -> None:
        """Lanes do not wake each other."""
        with bus.subscribe("run") as subscription:
            bus.publish("journal", "x")
            bus.publish("run", "a")
            assert await heard(subscription, 1) == {"a"}

    async def test_every_subscriber_hears_every_hint(self, bus: Bus) -> None:
        """Subscribers do not take hints from each other."""
        with bus.subscribe("run") as first, bus.subscribe("run") as second:
            bus.publish("run", "a")
            assert await heard(first, 1) == await heard(second, 1) == {"a"}

    async def test_nothing_is_heard_from_before_the_subscription(self, bus: Bus) -> None:
        """A role subscribes first and then reads the store, which has all earlier changes."""
        bus.publish("run", "old")
        with bus.subscribe("run") as subscription:
            bus.publish("run", "new")
            assert await heard(subscription, 1) == {"new"}
