"""The slots of a worker: who gets the free ones."""

from __future__ import annotations

import asyncio

import pytest

from squall.ports import Due
from squall.services.execution.reservations import Claimed, Claimer
from squall.services.execution.slots import Slots
from squall.services.lanes import RUN
from squall.testing.samples import sample_execution, sample_id
from squall.testing.waiting import PATIENCE

pytestmark = pytest.mark.anyio


def claimed(number: int) -> Claimed:
    return Claimed(Due(number, RUN, sample_id(number), None, 1, 1), sample_execution(number), number)


def claim(slots: Slots, rows: int) -> None:
    """Claims queued executions, of which there are so many."""
    slots.release(min(rows, slots.hold()))


@pytest.fixture
def slots() -> Slots:
    made = Slots(Claimer("w1", 30_000_000, {}), 2, lambda _claimed: None, lambda _reservation: None)
    made.open()
    claim(made, 0)
    return made


async def test_reserved_slots_are_taken(slots: Slots) -> None:
    first = slots.reserve(5)
    assert (first.count, slots.room, slots.reserve(1).count) == (2, 0, 0)
    first.claimed.append(claimed(1))
    slots.settle(first, committed=True)
    assert (list(slots.tasks), slots.room) == ([sample_id(1)], 1)
    slots.leave(sample_id(1))
    assert slots.room == 2


async def test_no_slot_is_reserved_while_queued_executions_wait(slots: Slots) -> None:
    claim(slots, 1)
    assert slots.reserve(1).count == 0
    claim(slots, 0)
    assert slots.reserve(1).count == 1


async def test_executions_that_came_while_all_slots_were_full_are_not_overtaken(slots: Slots) -> None:
    for number in (1, 2):
        slots.take(claimed(number))
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(slots.wait_for_room())
        await asyncio.sleep(0)
        slots.leave(sample_id(1))
        assert slots.reserve(1).count == 0
    claim(slots, 0)
    assert slots.reserve(1).count == 1


async def test_closed_slots_wait_for_what_is_reserved(slots: Slots) -> None:
    reservation = slots.reserve(1)
    slots.close()
    assert slots.reserve(1).count == 0
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        waiting = group.create_task(slots.wait_for_reservations())
        empty = group.create_task(slots.wait_until_empty())
        await asyncio.sleep(0)
        assert not waiting.done()
        reservation.claimed.append(claimed(1))
        slots.settle(reservation, committed=True)
        await waiting
        assert not empty.done()
        slots.leave(sample_id(1))


async def test_what_was_not_committed_takes_no_slot(slots: Slots) -> None:
    reservation = slots.reserve(2)
    reservation.claimed.append(claimed(1))
    slots.settle(reservation, committed=False)
    assert (slots.room, dict(slots.tasks)) == (2, {})


async def test_a_claim_and_a_reservation_never_take_the_same_slot(slots: Slots) -> None:
    held = slots.hold()
    reservation = slots.reserve(2)
    assert (held, reservation.count, slots.room) == (1, 1, 0)
    slots.release(1)
    slots.take(claimed(1))
    reservation.claimed.append(claimed(2))
    slots.settle(reservation, committed=True)
    assert len(slots.tasks) == 2


async def test_a_claim_that_failed_gives_its_slots_back(slots: Slots) -> None:
    slots.hold()
    slots.release(None)
    assert slots.reserve(2).count == 2
