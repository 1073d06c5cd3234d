# ruff: noqa: S101 - asserting is what a contract suite is for
"""The contract of the queue; a part of `squall.testing.tables.store`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from squall.ports import Due, Store, Tx
from squall.testing.samples import NOON

LEASE = 30_000_000


async def put(store: Store, *keys: str, lane: str = "run", at: int = NOON, payload: Any = None) -> None:
    """Queues one row per key, in this order."""

    async def work(tx: Tx) -> None:
        for key in keys:
            await tx.queue.put(lane, key, payload, at)

    await store.tx(work)


async def claim(
    store: Store, at: int = NOON, *, lane: str = "run", owner: str = "w1", limit: int = 100
) -> Sequence[Due]:
    """Claims due rows for `LEASE` µs."""
    return await store.tx(lambda tx: tx.queue.claim(lane, owner, at, LEASE, limit))


async def claim_one(store: Store, at: int = NOON, owner: str = "w1") -> Due:
    """Claims the only due row."""
    (task,) = await claim(store, at, owner=owner)
    return task


def keys(tasks: Sequence[Due]) -> list[str]:
    """Returns the keys of the tasks, in their order."""
    return [task.key for task in tasks]


@pytest.mark.anyio
class QueueContract:
    """The contract of `ports.QueueRows`."""

    async def test_rows_are_claimed_in_the_order_they_were_put(self, store: Store) -> None:
        """Status records of one execution must not overtake each other."""
        await put(store, *"cab", payload=["x", 1, None])
        tasks = await claim(store)
        assert keys(tasks) == ["c", "a", "b"]
        assert [task.payload for task in tasks] == [["x", 1, None]] * 3
        assert {(task.lane, task.attempts) for task in tasks} == {("run", 1)}

    async def test_a_claim_takes_no_more_than_its_limit_and_those_first_that_waited_longest(self, store: Store) -> None:
        """The other rows stay for other claims."""
        await put(store, "late", at=NOON - 1)
        await put(store, "early", at=NOON - 2)
        await put(store, "last", at=NOON)
        assert keys(await claim(store, limit=1)) == ["early"]
        assert keys(await claim(store, limit=1)) == ["late"]
        assert keys(await claim(store, limit=5)) == ["last"]
        assert await claim(store) == []

    async def test_a_row_is_not_claimed_before_it_is_due(self, store: Store) -> None:
        """Delayed executions wait in the same lane."""
        await put(store, "a", at=NOON + 10)
        assert await claim(store, NOON + 9) == []
        assert keys(await claim(store, NOON + 10)) == ["a"]

    async def test_lanes_do_not_see_each_other(self, store: Store) -> None:
        """A claim and a query of one lane ignore the rows of other lanes."""
        await put(store, "a", lane="run")
        await put(store, "a", lane="journal", at=NOON + 5)
        assert keys(await claim(store, NOON + 9, lane="journal")) == ["a"]
        assert await store.read(lambda tx: tx.queue.next_due("run")) == NOON
        assert await claim(store, NOON + 9, lane="nosuch") == []

    async def test_a_leased_row_is_nobody_elses_until_its_lease_runs_out(self, store: Store) -> None:
        """Then the next claim gets it: no component needs to notice that the holder died."""
        await put(store, "a")
        first = await claim_one(store)
        assert await claim(store, NOON + LEASE - 1, owner="w2") == []
        second = await claim_one(store, NOON + LEASE, "w2")
        assert (second.id, second.key, second.attempts) == (first.id, "a", 2)
        assert second.token > first.token

    async def test_a_holder_whose_lease_was_taken_can_do_nothing(self, store: Store) -> None:
        """Its token is old: it may not finish, renew or release a row that another owner holds now."""
        await put(store, "a")
        old = await claim_one(store)
        new = await claim_one(store, NOON + LEASE, "w2")
        later = NOON + LEASE + 1
        assert not await store.tx(lambda tx: tx.queue.done(old))
        assert not await store.tx(lambda tx: tx.queue.release(old, later))
        assert await store.tx(lambda tx: tx.queue.renew([old], later, LEASE)) == []
        assert await claim(store, later) == []
        assert await store.tx(lambda tx: tx.queue.done(new))

    async def test_what_is_done_is_gone(self, store: Store) -> None:
        """A second call of `done` returns False."""
        await put(store, "a")
        task = await claim_one(store)
        assert await store.tx(lambda tx: tx.queue.done(task))
        assert not await store.tx(lambda tx: tx.queue.done(task))
        assert await claim(store, NOON + 2 * LEASE) == []
        assert await store.read(lambda tx: tx.queue.next_due("run")) is None

    async def test_a_renewed_lease_lasts_from_its_renewal(self, store: Store) -> None:
        """`renew` returns the tasks that the owner still holds."""
        await put(store, "a", "b")
        first, second = await claim(store)
        await store.tx(lambda tx: tx.queue.done(second))
        renewal = NOON + LEASE - 1
        assert list(await store.tx(lambda tx: tx.queue.renew([first, second], renewal, LEASE))) == [first.id]
        assert await claim(store, renewal + LEASE - 1, owner="w2") == []
        assert keys(await claim(store, renewal + LEASE, owner="w2")) == ["a"]

    async def test_a_released_row_may_be_claimed_from_the_moment_given(self, store: Store) -> None:
        """The owner that released it no longer holds it."""
        await put(store, "a")
        task = await claim_one(store)
        assert await store.tx(lambda tx: tx.queue.release(task, NOON + 50))
        assert not await store.tx(lambda tx: tx.queue.done(task))
        assert not await store.tx(lambda tx: tx.queue.release(task, NOON))
        assert await claim(store, NOON + 49) == []
        second = await claim_one(store, NOON + 50)
        assert second.token > task.token

    async def test_discarding_removes_what_a_lane_has_about_a_key(self, store: Store) -> None:
        """It removes claimed and unclaimed rows. Rows of other lanes and keys stay."""
        await put(store, "a")
        held = await claim_one(store)
        await put(store, "a", "b")
        await put(store, "a", lane="journal")
        await store.tx(lambda tx: tx.queue.discard("run", "a"))
        assert not await store.tx(lambda tx: tx.queue.done(held))
        assert keys(await claim(store, NOON + 2 * LEASE)) == ["b"]
        assert await store.read(lambda tx: tx.queue.holds("journal", "a"))

    async def test_the_next_due_row_is_told_leased_ones_at_the_end_of_their_lease(self, store: Store) -> None:
        """A worker sleeps until that time."""
        assert await store.read(lambda tx: tx.queue.next_due("run")) is None
        await put(store, "late", at=NOON + 2 * LEASE)
        await put(store, "now")
        assert await store.read(lambda tx: tx.queue.next_due("run")) == NOON
        await claim(store)
        assert await store.read(lambda tx: tx.queue.next_due("run")) == NOON + LEASE

    async def test_a_lane_tells_whether_it_has_a_row_about_a_key(self, store: Store) -> None:
        """A leased row counts. Only `done` removes it."""
        await put(store, "a")
        task = await claim_one(store)
        assert await store.read(lambda tx: tx.queue.holds("run", "a"))
        assert not await store.read(lambda tx: tx.queue.holds("run", "b"))
        assert not await store.read(lambda tx: tx.queue.holds("journal", "a"))
        await store.tx(lambda tx: tx.queue.done(task))
        assert not await store.read(lambda tx: tx.queue.holds("run", "a"))

    async def test_an_owner_that_starts_anew_frees_its_own_leases_at_once(self, store: Store) -> None:
        """Its earlier tokens become invalid, and other owners keep their leases."""
        await put(store, "a")
        mine = await claim_one(store, owner="w1")
        await put(store, "b")
        theirs = await claim_one(store, owner="w2")
        await store.tx(lambda tx: tx.queue.free("w1", NOON + 7))
        assert keys(await claim(store, NOON + 7, owner="w3")) == ["a"]
        assert not await store.tx(lambda tx: tx.queue.done(mine))
        assert await store.tx(lambda tx: tx.queue.done(theirs))

    async def test_rows_that_are_freed_at_once_come_before_later_ones(self, store: Store) -> None:
        """What a server held when it died is not overtaken by what nobody had claimed."""
        await put(store, "a", "b", at=0)
        await claim(store, limit=1)
        await store.tx(lambda tx: tx.queue.free("w1", 0))
        assert keys(await claim(store, limit=1)) == ["a"]

    async def test_freeing_leaves_delayed_rows_delayed(self, store: Store) -> None:
        """A row that was released for later has no owner."""
        await put(store, "a")
        task = await claim_one(store)
        await store.tx(lambda tx: tx.queue.release(task, NOON + LEASE))
        await put(store, "b", at=NOON + LEASE)
        await store.tx(lambda tx: tx.queue.free("w1", NOON + 1))
        assert await claim(store, NOON + LEASE - 1) == []

    async def test_the_depth_of_every_lane_counts_claimed_rows_too(self, store: Store) -> None:
        """Empty lanes are left out."""
        assert await store.read(lambda tx: tx.queue.depths()) == {}
        await put(store, "a", "b")
        await put(store, "a", lane="journal")
        await claim(store, limit=1)
        assert await store.read(lambda tx: tx.queue.depths()) == {"run": 2, "journal": 1}

    async def test_a_row_that_is_moved_to_another_lane_is_not_in_the_first_one(self, store: Store) -> None:
        """It keeps its payload, has no owner, and the earlier claim is void."""
        await put(store, "a", payload={"x": 1})
        task = await claim_one(store)
        assert await store.tx(lambda tx: tx.queue.move(task, "later"))
        assert not await store.tx(lambda tx: tx.queue.move(task, "later"))
        assert not await store.tx(lambda tx: tx.queue.done(task))
        assert await claim(store) == []
        assert await store.read(lambda tx: tx.queue.depths()) == {"later": 1}
        assert await store.tx(lambda tx: tx.queue.move_all("later", "run")) == 1
        assert (await claim_one(store)).payload == {"x": 1}

    async def test_concurrent_claims_never_share_a_row(self, store: Store) -> None:
        """Forty workers that claim at the same time empty the lane and get each row once."""
        queued = [f"k{number}" for number in range(200)]
        await put(store, *queued)
        claims = await asyncio.gather(*(claim(store, owner=f"w{number}", limit=5) for number in range(40)))
        claimed = [task.key for tasks in claims for task in tasks]
        assert sorted(claimed) == sorted(queued)
        assert all(len(tasks) == 5 for tasks in claims)

    async def test_a_claim_in_a_failing_unit_has_not_happened(self, store: Store) -> None:
        """The claim is rolled back with the unit."""
        await put(store, "a")

        async def work(tx: Tx) -> None:
            await tx.queue.claim("run", "w1", NOON, LEASE, 5)
            raise LookupError

        with pytest.raises(LookupError):
            await store.tx(work)
        task = await claim_one(store)
        assert task.attempts == 1

    @pytest.mark.parametrize("payload", [None, {"a": [1, "ü", None]}, "text", 5, [], 2**60])
    async def test_a_payload_may_be_any_json_value(self, store: Store, payload: Any) -> None:
        """The claimed row has the same payload."""
        await put(store, "a", payload=payload)
        assert (await claim_one(store)).payload == payload

    async def test_rows_that_wait_for_a_late_time_are_woken_and_no_others(self, store: Store) -> None:
        """What is set aside waits for a time that never comes."""
        late = NOON + 1_000_000
        await put(store, "soon", at=NOON + 1)
        await put(store, "late", at=late)
        await put(store, "elsewhere", lane="other", at=late)
        await store.tx(lambda tx: tx.queue.wake("run", late, NOON))
        assert keys(await claim(store)) == ["late"]
        assert await claim(store, lane="other") == []
