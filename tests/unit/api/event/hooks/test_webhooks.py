"""What a webhook's request may cost before its sender is proven."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from squall.api.event.hooks.webhooks import LONGEST_WAIT, UnprovenBodies, wait_of
from squall.api.http.wire import Query
from squall.core.errors import InvalidError, UnavailableError


def fits(bodies: UnprovenBodies, address: str, size: int) -> bool:
    try:
        with bodies.room(address, size):
            return True
    except UnavailableError:
        return False


def test_large_bodies_of_unproven_senders_have_a_bounded_room_and_small_ones_always_fit() -> None:
    bodies = UnprovenBodies(most=400 << 10)
    with ExitStack() as held:
        for number in range(4):
            assert fits(bodies, "a", 100 << 10)
            held.enter_context(bodies.room(f"address-{number}", 90 << 10))
        assert not fits(bodies, "a", 65 << 10)
        assert fits(bodies, "a", 64 << 10)
    assert fits(bodies, "a", 100 << 10)


def test_one_address_gets_a_quarter_of_the_room() -> None:
    bodies = UnprovenBodies(most=400 << 10)
    with bodies.room("a", 80 << 10):
        assert not fits(bodies, "a", 70 << 10)
        assert fits(bodies, "b", 70 << 10)
    assert not fits(bodies, "a", 101 << 10)


def test_the_room_is_free_again_after_an_error() -> None:
    bodies = UnprovenBodies(most=400 << 10)
    with pytest.raises(ValueError, match="broken"), bodies.room("a", 100 << 10):
        raise ValueError("broken")
    assert fits(bodies, "a", 100 << 10)


def test_a_wait_is_some_whole_seconds() -> None:
    assert wait_of(Query(b"")) is None
    assert wait_of(Query(b"wait=0")) == 0
    assert wait_of(Query(b"wait=60")) == LONGEST_WAIT
    for wrong in (b"wait=61", b"wait=-1", b"wait=x"):
        with pytest.raises(InvalidError, match="wait"):
            wait_of(Query(wrong))
