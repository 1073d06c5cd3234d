"""A callback that takes long fails the test that caused it, here and in servers."""

from __future__ import annotations

import asyncio
import time

import pytest
from tests.stalls import LIMIT, measure

pytestmark = pytest.mark.anyio


def work(seconds: float) -> None:
    """Takes so many seconds of processor time."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


@pytest.mark.stalls("the test is about them")
async def test_a_callback_that_takes_long_is_reported_with_the_name_of_its_task() -> None:
    found: list[str] = []

    async def handler() -> None:
        await asyncio.sleep(0)
        work(LIMIT * 1.5)

    end = measure(found.append)
    async with asyncio.TaskGroup() as group:
        group.create_task(handler(), name="workflow 7")
    end()
    [text] = found
    assert text.startswith("workflow 7 (test_a_callback")
    assert "of processor time" in text


async def test_a_callback_that_sleeps_or_waits_is_not_reported() -> None:
    found: list[str] = []

    async def handler() -> None:
        time.sleep(LIMIT * 1.5)
        await asyncio.to_thread(work, LIMIT * 1.5)

    end = measure(found.append)
    async with asyncio.TaskGroup() as group:
        group.create_task(handler())
    end()
    assert found == []
