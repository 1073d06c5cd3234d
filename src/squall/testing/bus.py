# ruff: noqa: S101 - asserting is what a contract suite is for
"""What every bus must do: `BusContract` holds for one that loses everything, `HearingBusContract` for the others.

A class of tests derives from one of them and stands beside a fixture `bus`, which gives a `ports.Bus`.
"""

from __future__ import annotations

import asyncio

import pytest

from squall.ports import Bus, BusSubscription
from squall.testing.waiting import PATIENCE


async def heard(subscription: BusSubscription, count: int) -> set[str]:
    """The next `count` different keys a subscription hears. Raises `TimeoutError` after `PATIENCE` seconds."""
    keys: set[str] = set()
    async with asyncio.timeout(PATIENCE):
        while len(keys) < count:
            keys |= await subscription.wait(PATIENCE)
    return keys


@pytest.mark.anyio
class BusContract:
    """Holds whether hints arrive or not."""

    async def test_a_wait_without_hints_ends_empty_at_its_time_out(self, bus: Bus) -> None:
        """Polling roles depend on waits that end."""
        with bus.subscribe("run") as subscription:
            async with asyncio.timeout(PATIENCE):
                assert await subscription.wait(0.01) == set()

    async def test_publishing_to_nobody_is_fine(self, bus: Bus) -> None:
        """The publisher never knows who listens."""
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
    """Holds for a bus whose hints usually arrive."""

    async def test_a_hint_ends_a_wait(self, bus: Bus) -> None:
        """A hint is there to be quicker than the poll."""
        with bus.subscribe("run") as subscription:
            async with asyncio.TaskGroup() as group:
                waiting = group.create_task(heard(subscription, 1))
                await asyncio.sleep(0)
                bus.publish("run", "a")
            assert waiting.result() == {"a"}

    async def test_hints_collect_until_they_are_asked_for(self, bus: Bus) -> None:
        """What comes while a role is busy is not lost, and what comes twice is one hint."""
        with bus.subscribe("run") as subscription:
            for key in ("a", "b", "a"):
                bus.publish("run", key)
            assert await heard(subscription, 2) == {"a", "b"}

    async def test_a_hint_is_given_once(self, bus: Bus) -> None:
        """The next wait is for what is new."""
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
        """Subscribe first, then look: what was before is for the look to find."""
        bus.publish("run", "old")
        with bus.subscribe("run") as subscription:
            bus.publish("run", "new")
            assert await heard(subscription, 1) == {"new"}
