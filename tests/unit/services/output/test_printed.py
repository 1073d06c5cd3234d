"""What a result holds of an output, up to its limit."""

from __future__ import annotations

import asyncio

import pytest
from tests.doubles.assembly import Assembly, scripted

from squall.core.execution.launch import Outcome
from squall.services.execution.running import RunLimits

pytestmark = pytest.mark.anyio

LIMITS = RunLimits(output=1 << 20, policy="truncate", result_output=100)


async def ran(squall: Assembly, *steps: tuple[str, bytes]) -> Outcome:
    """The outcome of an execution of `core.local` that prints these (stream, text); its result holds 100 bytes of a
    stream."""
    _, execution, row = await squall.start()
    async with asyncio.TaskGroup() as group:
        run = group.create_task(squall.make_running(LIMITS).run(execution, row))
        spec = await scripted(squall).starting(execution.id)
        for stream, text in steps:
            scripted(squall).show(spec, text, stream)
        scripted(squall).end(spec)
    return run.result()


@pytest.mark.parametrize("size", [99, 100])
async def test_output_that_a_result_holds_is_in_it_whole(squall: Assembly, size: int) -> None:
    outcome = await ran(squall, ("stdout", b"x" * size), ("stderr", b"y" * size))
    assert (outcome.result["stdout"], outcome.result["stderr"]) == ("x" * size, "y" * size)
    assert "stdout_omitted" not in outcome.result


async def test_of_longer_output_a_result_holds_both_ends_and_says_what_is_left_out(squall: Assembly) -> None:
    steps = [("stdout", b"%03d." % number) for number in range(250)]
    outcome = await ran(squall, ("stderr", b"whole"), *steps)
    text = outcome.result["stdout"]
    assert text.startswith("000.001.")
    assert text.endswith("248.249.")
    assert outcome.result["stdout_omitted"] == 900
    assert "900 bytes" in text
    assert len(text) < 400
    assert outcome.result["stderr"] == "whole"
