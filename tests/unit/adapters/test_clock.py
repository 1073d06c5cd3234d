"""The machine's clock."""

from __future__ import annotations

import time

from squall.adapters.clock import SystemClock
from squall.core.ids import is_id


def test_the_time_is_that_of_the_machine_in_microseconds() -> None:
    before = time.time_ns() // 1000
    now = SystemClock().now()
    assert before <= now <= time.time_ns() // 1000


def test_ids_are_ids_and_no_two_are_alike() -> None:
    ids = [SystemClock().new_id() for _ in range(1000)]
    assert all(is_id(each) for each in ids)
    assert len(set(ids)) == 1000
    assert [each[:12] for each in ids] == sorted(each[:12] for each in ids)
