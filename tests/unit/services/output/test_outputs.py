"""Following what executions print: everything once, from any position, to the end and no further."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from tests.doubles.assembly import POLL, Assembly, output_of, scripted

from squall.core.errors import InvalidError
from squall.core.execution.execution import Execution
from squall.core.execution.launch import Outcome
from squall.core.output import journal as codec
from squall.core.output.journal import Batch, Record
from squall.ports import Tx
from squall.services.output.outputs import Outputs, is_end, status_of
from squall.testing.reading import printed, read_all
from squall.testing.samples import sample_id
from squall.testing.waiting import PATIENCE, called, turns

pytestmark = pytest.mark.anyio


async def followed(
    outputs: Outputs,
    execution: Execution,
    *,
    after: int = 0,
    tree: bool = True,
    wait: bool = True,
    until: int | None = None,
) -> list[Record]:
    """All a follower is given until it ends."""
    records: list[Record] = []
    async with asyncio.timeout(PATIENCE):
        async for batch in outputs.follow(execution, tree, after, wait, 60, until):
            assert batch is not None
            records += batch.records
    return records


async def test_a_follower_sees_everything_once_whenever_it_comes(squall: Assembly) -> None:
    task, execution, _ = await squall.start()
    spec = output_of(execution)
    async with asyncio.TaskGroup() as group:
        followers = []
        for number in range(20):
            followers.append(group.create_task(followed(squall.outputs, execution)))
            await turns()
            scripted(squall).show(spec, b"%d;" % number)
        await squall.end(task, execution)
    late = await followed(squall.outputs, execution)
    for records in (late, *(follower.result() for follower in followers)):
        assert printed(records) == b"".join(b"%d;" % number for number in range(20))
        assert is_end(records[-1], execution.id)
        assert records == late


async def test_a_follower_takes_up_exactly_where_it_was(squall: Assembly) -> None:
    task, execution, _ = await squall.start()
    for number in range(5):
        scripted(squall).show(output_of(execution), b"%d" % number)
    await squall.end(task, execution)
    whole = await followed(squall.outputs, execution)
    for index, record in enumerate(whole[:-1]):
        assert await followed(squall.outputs, execution, after=record.end) == whole[index + 1 :]
    assert await followed(squall.outputs, execution, after=whole[-1].end) == []


async def test_a_follower_is_given_nothing_beyond_where_it_wants_to_stop(squall: Assembly) -> None:
    _, execution, _ = await squall.start()
    for number in range(5):
        scripted(squall).show(output_of(execution), b"%d" % number)
    whole = await followed(squall.outputs, execution, wait=False)
    for index, record in enumerate(whole):
        assert await followed(squall.outputs, execution, until=record.end) == whole[: index + 1]
        assert await followed(squall.outputs, execution, after=record.end, until=record.end) == []
    assert await followed(squall.outputs, execution, wait=False, tree=False) == whole


async def test_who_reads_the_same_reads_it_once_and_together_with_what_has_come_since(
    squall: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, execution, _ = await squall.start()
    reads = 0
    read = squall.journal.read

    async def counted(tree: str, after: int, limit: int) -> Batch:
        nonlocal reads
        batch = await read(tree, after, limit)
        reads += bool(batch.records)
        return batch

    monkeypatch.setattr(squall.journal, "read", counted)
    scripted(squall).show(output_of(execution), b"a")
    for _ in range(3):
        assert printed(await followed(squall.outputs, execution, wait=False)) == b"a"
    assert reads == 1
    scripted(squall).show(output_of(execution), b"b")
    for _ in range(3):
        stream = squall.outputs.follow(execution, True, 0, True, 60)
        batch = await anext(stream)
        assert batch is not None
        assert printed(batch.records) == b"ab"
        await stream.aclose()
    assert reads == 2


async def test_an_execution_that_prints_nothing_ends_its_followers(squall: Assembly) -> None:
    task, execution, _ = await squall.start()
    async with asyncio.TaskGroup() as group:
        following = group.create_task(followed(squall.outputs, execution))
        await called(squall.outputs, "settled", 1)
        await squall.end(task, execution)
    assert following.result() == []
    assert await followed(squall.outputs, execution) == []


async def test_no_follower_ends_before_the_final_status_is_in_the_journal(squall: Assembly) -> None:
    task, execution, _ = await squall.start()
    scripted(squall).show(output_of(execution), b"x")
    async with asyncio.TaskGroup() as group:
        following = group.create_task(followed(squall.outputs, execution))
        await squall.claims.finish(task, execution, Outcome("failed", "x"))
        await called(squall.outputs, "settled")
        assert not following.done()
        await squall.journaling.carry()
    assert status_of(following.result()[-1]) == "failed"


async def test_who_does_not_want_to_wait_gets_what_is_there(squall: Assembly) -> None:
    _, execution, _ = await squall.start()
    assert await followed(squall.outputs, execution, wait=False) == []
    scripted(squall).show(output_of(execution), b"so far")
    assert printed(await followed(squall.outputs, execution, wait=False)) == b"so far"


async def test_without_hints_and_wakes_followers_are_only_slower(
    squall: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, execution, _ = await squall.start()
    monkeypatch.setattr(squall.journal, "poke", lambda tree: None)
    async with asyncio.TaskGroup() as group:
        following = group.create_task(followed(squall.outputs, execution))
        await asyncio.sleep(0)
        scripted(squall).show(output_of(execution), b"x")
        await squall.end(task, execution)
    assert printed(following.result()) == b"x"


async def test_one_execution_is_followed_without_its_family_and_a_tree_with_it(squall: Assembly) -> None:
    root = await squall.request()
    child = await squall.child_of(root)
    claimed = {execution.id: (task, execution) for task, execution, _ in await squall.claim()}
    async with asyncio.TaskGroup() as group:
        whole = group.create_task(followed(squall.outputs, root))
        alone = group.create_task(followed(squall.outputs, child, tree=False))
        for number in range(3):
            scripted(squall).show(output_of(claimed[root.id][1]), b"r%d" % number)
            scripted(squall).show(output_of(claimed[child.id][1]), b"c%d" % number)
        await squall.end(*claimed[child.id])
        async with asyncio.timeout(PATIENCE):
            assert printed(await alone) == b"c0c1c2"
        assert not whole.done()
        await squall.end(*claimed[root.id])
    assert printed(whole.result()) == b"r0c0r1c1r2c2"
    assert is_end(whole.result()[-1], root.id)
    assert printed(await followed(squall.outputs, root, tree=False)) == b"r0r1r2"


async def test_with_streaming_off_output_shows_only_at_the_end(squall: Assembly) -> None:
    outputs = Outputs(squall.store, squall.journal, poll=POLL, live=False)
    task, execution, _ = await squall.start()
    scripted(squall).show(output_of(execution), b"hidden")
    assert await followed(outputs, execution, wait=False) == []
    async with asyncio.TaskGroup() as group:
        following = group.create_task(followed(outputs, execution))
        await called(outputs, "settled")
        assert not following.done()
        await squall.end(task, execution)
    assert printed(following.result()) == b"hidden"


async def test_a_silent_execution_gives_heartbeats(squall: Assembly) -> None:
    _, execution, _ = await squall.start()
    async with asyncio.timeout(PATIENCE):
        stream = squall.outputs.follow(execution, True, 0, True, POLL)
        assert [await anext(stream) for _ in range(3)] == [None] * 3
        scripted(squall).show(output_of(execution), b"x")
        while (batch := await anext(stream)) is None:
            pass
        assert printed(batch.records) == b"x"
        await stream.aclose()


async def test_stopping_ends_every_follower_where_it_is(squall: Assembly) -> None:
    _, execution, _ = await squall.start()
    scripted(squall).show(output_of(execution), b"x")
    async with asyncio.TaskGroup() as group:
        following = [group.create_task(followed(squall.outputs, execution)) for _ in range(3)]
        await called(squall.outputs, "settled")
        squall.outputs.stop()
    assert [printed(each.result()) for each in following] == [b"x"] * 3
    assert await followed(squall.outputs, execution) == []


async def test_a_follower_that_goes_away_leaves_nothing(squall: Assembly) -> None:
    _, execution, _ = await squall.start()
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                async for _batch in squall.outputs.follow(execution, True, 0, True, 60):
                    pass
    assert not squall.journal._watches


async def test_who_asks_together_is_answered_together_and_nobody_suffers_from_who_gives_up(squall: Assembly) -> None:
    task, execution, _ = await squall.start()
    await squall.end(task, execution)
    outputs = Outputs(squall.store, squall.journal, poll=POLL, live=True)
    asked = 0
    read, allowed = squall.store.read, asyncio.Event()

    async def slow(work: Callable[[Tx], Any]) -> Any:
        nonlocal asked
        asked += 1
        await allowed.wait()
        return await read(work)

    squall.store.read = slow  # type: ignore[method-assign]
    asking = [asyncio.get_running_loop().create_task(outputs.settled(execution.id)) for _ in range(5)]
    await turns()
    asking[0].cancel()
    await turns()
    allowed.set()
    answers = await asyncio.gather(*asking[1:], return_exceptions=True)
    assert answers == [True] * 4
    assert asked <= 2


async def test_what_is_settled_has_ended_and_its_last_status_is_carried(squall: Assembly) -> None:
    task, execution, _ = await squall.start()
    assert not await squall.outputs.settled(execution.id)
    await squall.claims.finish(task, execution, Outcome("succeeded", 1))
    assert not await squall.outputs.settled(execution.id)
    await squall.journaling.carry()
    assert await squall.outputs.settled(execution.id)
    assert await squall.outputs.settled(sample_id(9))


async def test_a_position_that_is_none_is_told_as_its_token(squall: Assembly) -> None:
    _, execution, _ = await squall.start()
    scripted(squall).show(output_of(execution), b"x")
    (*_, last) = await read_all(squall.journal, execution.tree)
    await squall.outputs.check(execution.tree, last.end)
    with pytest.raises(InvalidError, match='after: "f-5" is not a position'):
        await squall.outputs.check(execution.tree, 5)


async def test_changes_of_a_tree_end_a_wait_once(squall: Assembly) -> None:
    async with squall.outputs.changes(sample_id(1)) as changed:
        assert not await changed(0.01)
        squall.journal.poke(sample_id(1))
        assert await changed(PATIENCE)
        assert not await changed(0.01)
        squall.journal.poke(sample_id(2))
        assert not await changed(0.01)


async def test_readers_are_counted_while_they_read(squall: Assembly) -> None:
    with squall.outputs.reader():
        with squall.outputs.reader():
            assert squall.outputs.followers == 2
        assert squall.outputs.followers == 1
    assert squall.outputs.followers == 0


def test_only_a_final_status_of_the_execution_itself_is_its_end() -> None:
    def record(kind: int, execution: str, payload: bytes) -> Record:
        return Record(0, 1, kind, 0, execution, 0, 0, 0, 0, 0, b"", "", memoryview(payload))

    assert is_end(record(codec.STATUS, sample_id(1), b'{"status":"failed"}'), sample_id(1))
    assert not is_end(record(codec.STATUS, sample_id(2), b'{"status":"failed"}'), sample_id(1))
    assert not is_end(record(codec.STATUS, sample_id(1), b'{"status":"canceling"}'), sample_id(1))
    assert not is_end(record(codec.OUTPUT, sample_id(1), b'{"status":"failed"}'), sample_id(1))


def test_a_batch_is_its_records_and_where_to_go_on() -> None:
    assert Batch([], 5) == ([], 5)


async def test_nothing_that_was_read_stays_in_memory_when_the_caches_are_cleared(
    squall: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, execution, _ = await squall.start()
    scripted(squall).show(output_of(execution), b"x" * 5000)
    await squall.end(task, execution)
    batches: list[weakref.ref[memoryview]] = []
    read = type(squall.journal).read

    async def observed(*args: Any) -> Batch:
        batch = await read(*args)
        batches.extend(weakref.ref(record.payload) for record in batch.records)
        return batch

    monkeypatch.setattr(type(squall.journal), "read", observed)
    assert len(printed(await followed(squall.outputs, execution))) == 5000
    await squall.outputs.clear_caches()
    gc.collect()
    assert batches
    assert all(batch() is None for batch in batches)


async def test_caches_are_not_cleared_as_long_as_somebody_reads(squall: Assembly) -> None:
    cleared: list[int] = []
    squall.outputs.add_cache(lambda: cleared.append(squall.outputs.followers))
    with squall.outputs.reader():
        await squall.outputs.clear_caches()
    assert cleared == []
    await squall.outputs.clear_caches()
    assert cleared == [0]
