"""How long a loop waits for the next row of its lane."""

from __future__ import annotations

from squall.ports import Clock, Store

SOON = 0.02
"""The seconds for which a loop under load waits for the next hint, before it asks the database."""

_LEAST = 0.001


async def seconds_until_due(store: Store, clock: Clock, lane: str, poll: float) -> float:
    """Returns the seconds until the next row of a lane is due, at least a millisecond and at most `poll`."""
    due = await store.read(lambda tx: tx.queue.next_due(lane))
    return poll if due is None else min(max((due - clock.now()) / 1_000_000, _LEAST), poll)
