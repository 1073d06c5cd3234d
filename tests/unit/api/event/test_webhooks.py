"""What a webhook's request may cost before its sender is proven."""

from __future__ import annotations

import pytest

from squall.api.event.webhooks import LONGEST_WAIT, UnprovenBodies, wait_of
from squall.api.http.wire import Query
from squall.core.errors import InvalidError, UnavailableError


def test_large_bodies_of_unproven_senders_have_a_bounded_room_and_small_ones_always_fit() -> None:
    bodies = UnprovenBodies(most=100 << 10)
    with bodies.room(90 << 10):
        with pytest.raises(UnavailableError, match="Send it again"), bodies.room(65 << 10):
            pass
        with bodies.room(64 << 10), bodies.room(64 << 10):
            pass
    with bodies.room(100 << 10):
        pass


def test_the_room_is_free_again_after_an_error() -> None:
    bodies = UnprovenBodies(most=100 << 10)
    with pytest.raises(ValueError, match="broken"), bodies.room(100 << 10):
        raise ValueError("broken")
    with bodies.room(100 << 10):
        pass


def test_a_wait_is_some_whole_seconds() -> None:
    assert wait_of(Query(b"")) is None
    assert wait_of(Query(b"wait=0")) == 0
    assert wait_of(Query(b"wait=60")) == LONGEST_WAIT
    for wrong in (b"wait=61", b"wait=-1", b"wait=x"):
        with pytest.raises(InvalidError, match="wait"):
            wait_of(Query(wrong))
