"""The watchdog tells what held the event loop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import pytest

from squall.server.watchdog import Watchdog


def sleep_in_code() -> None:
    time.sleep(0.5)


def stay_in_one_call() -> None:
    sum(range(40_000_000))


@pytest.mark.stalls("the watchdog needs a loop that is held")
@pytest.mark.anyio
@pytest.mark.parametrize(("hold", "code"), [(sleep_in_code, "sleep_in_code"), (stay_in_one_call, "")])
async def test_a_loop_that_was_held_is_logged(
    hold: Callable[[], None], code: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "squall.watchdog")

    async def request() -> None:
        while not caplog.records:
            hold()
            await asyncio.sleep(0.2)

    async with asyncio.TaskGroup() as group:
        watching = group.create_task(Watchdog(limit=0.05).run())
        await group.create_task(request(), name="GET /v1/slow")
        watching.cancel()
    record = vars(caplog.records[0])
    assert record["msg"] == "the event loop was held"
    assert record["seconds"] > 0.05
    if code:
        assert record["task"] == "GET /v1/slow"
        assert code in record["code"]
