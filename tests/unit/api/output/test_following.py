from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from tests.doubles.assembly import Assembly, assembled, output_of, scripted

from squall.api.output import following
from squall.api.output.following import Following, LagPolicy, lag_of
from squall.api.output.forms.records import Jump
from squall.core.execution.execution import Execution
from squall.core.output.journal import Batch, damage_record
from squall.core.output.places import BEGINNING, Place
from squall.testing.samples import sample_id

pytestmark = pytest.mark.anyio

PAGE = b"x" * 100_000


class Told:
    """A `following.Form` that tells what it was asked."""

    async def encode(self, after: Place, batch: Batch) -> str:
        """Where a batch begins and ends."""
        return f"{after} to {batch.position}"

    def jumped(self, jump: Jump) -> str:
        """Over how much."""
        return f"jump {jump.start} to {jump.end}, {jump.size} bytes"

    def lagging(self, sent: str, ms: int, behind: int) -> str | None:
        """How far behind."""
        return f"{behind} behind"


@pytest.fixture
async def squall(tmp_path: Path) -> AsyncIterator[Assembly]:
    async with assembled(tmp_path) as made:
        yield made


async def printed(squall: Assembly) -> Execution:
    """An execution that has printed five pages and runs on."""
    _, execution, _ = await squall.start()
    for _ in range(5):
        scripted(squall).show(output_of(execution), PAGE)
    return execution


async def parts(
    squall: Assembly, execution: Execution, policy: LagPolicy | None = None, until: Place | None = None
) -> list[str | None]:
    reader = Following(squall.outputs, execution, whole=True, policy=policy, heartbeat=60, now=lambda: 0)
    found = reader.parts(Told(), BEGINNING, wait=until is not None, until=until)
    async with aclosing(found):
        return [part async for part in found]


async def test_each_part_goes_on_where_the_one_before_it_ends(squall: Assembly) -> None:
    execution = await printed(squall)
    found = [part.split(" to ") for part in await parts(squall, execution) if part]
    assert found[0][0] == str(BEGINNING)
    assert [start for start, _ in found[1:]] == [end for _, end in found[:-1]]
    assert len(found) > 1
    assert found[-1][1] == str(squall.outputs.head(execution.tree))


async def test_a_reader_that_is_too_far_behind_jumps_to_the_present(squall: Assembly) -> None:
    execution = await printed(squall)
    head = squall.outputs.head(execution.tree)
    policy = LagPolicy(most_bytes=len(PAGE), most_ms=1 << 60)
    assert await parts(squall, execution, policy) == [f"jump 0 to {head}, {head} bytes"]
    assert await parts(squall, execution, LagPolicy(1 << 60, 1 << 60)) == await parts(squall, execution)


async def test_a_reader_jumps_no_further_than_it_may_read(squall: Assembly) -> None:
    execution = await printed(squall)
    first = await squall.journal.read(execution.tree, BEGINNING, 1)
    policy = LagPolicy(most_bytes=len(PAGE), most_ms=1 << 60)
    found = await parts(squall, execution, policy, until=first.position)
    assert found == [f"jump 0 to {first.position}, {first.position} bytes"]


async def test_the_lag_is_told_from_time_to_time(squall: Assembly, monkeypatch: pytest.MonkeyPatch) -> None:
    execution = await printed(squall)
    assert not any("behind" in str(part) for part in await parts(squall, execution))
    monkeypatch.setattr(following, "LAG_SECONDS", 0)
    assert (await parts(squall, execution))[-1] == "0 behind"


def test_where_a_disk_has_lost_a_record_its_age_is_not_known() -> None:
    lost = Batch([damage_record(10, 20, sample_id(1), 0)], 20)
    assert lag_of(lost, 5, 7_000) == (0, 5)
    assert lag_of(Batch([lost.records[0]._replace(time=1_000)], 20), 5, 7_000) == (6, 5)
    assert lag_of(Batch([lost.records[0]._replace(time=1_000)], 20), 0, 7_000) == (0, 0)
