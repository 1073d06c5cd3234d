"""Signals that stop the server."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from squall.server.stopping import STOPPING, call_at_stop
from squall.testing.waiting import PATIENCE

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in STOPPING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", STOPPING)
@pytest.mark.parametrize("wakes", [0, 100_000])
async def test_a_signal_stops_a_loop_that_threads_have_woken_often(number: signal.Signals, wakes: int) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    calls: list[int] = []

    def stop() -> None:
        calls.append(1)
        stopped.set()

    call_at_stop(loop, stop)
    try:
        for _ in range(wakes):
            loop.call_soon_threadsafe(int)
        os.kill(os.getpid(), number)
        async with asyncio.timeout(PATIENCE):
            await stopped.wait()
        await asyncio.sleep(0)
        assert calls == [1]
    finally:
        for each in STOPPING:
            loop.remove_signal_handler(each)
