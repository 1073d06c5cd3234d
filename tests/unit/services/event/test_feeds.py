"""The live feed of everything: changes in their order, output between them, and the truth about what was missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.doubles.assembly import POLL, Assembly, output_of, scripted

from squall.adapters.bus.inproc import DeafBus
from squall.core.event import events
from squall.core.event.events import TRIGGER_INSTANCE, Announcement, Change
from squall.services.event import feeds, ring
from squall.services.event.feeds import Feeds
from squall.services.event.ring import Cursor, Item
from squall.testing.samples import NOON, sample_execution
from squall.testing.waiting import PATIENCE, called

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def feeding(squall: Assembly) -> AsyncIterator[Feeds]:
    """The feed at work, until the block ends."""
    async with asyncio.TaskGroup() as group:
        work = group.create_task(squall.feeds.run())
        await asyncio.sleep(0)
        yield squall.feeds
        work.cancel()


async def heard(cursor: Cursor, last: str) -> list[Item]:
    """What a listener is given up to the event with the status `last`."""
    items: list[Item] = []
    async with asyncio.timeout(PATIENCE):
        while not any(item.event and item.event.status == last for item in items):
            more, lost = await cursor.next(PATIENCE)
            assert not lost
            items += more
    return items


def story(items: list[Item]) -> list[str]:
    """Statuses, and what was printed between them."""
    told: list[str] = []
    for item in items:
        if item.event is not None:
            told.append(item.event.status)
            continue
        text = b"".join(bytes(record.payload) for record in item.records).decode()
        if told and told[-1].startswith("'"):
            told[-1] = f"'{told[-1].strip(chr(39))}{text}'"
        else:
            told.append(f"'{text}'")
    return told


async def test_a_listener_hears_every_change_from_now_on_in_order(squall: Assembly) -> None:
    await squall.request()
    async with feeding(squall) as feed, feed.listen(False) as cursor:
        ((task, execution, _),) = await squall.claim()
        await squall.end(task, execution)
        items = await heard(cursor, "succeeded")
    assert story(items) == ["scheduled", "running", "succeeded"]
    assert [item.row for item in items] == [item.event.id for item in items if item.event]
    assert [item.row for item in items] == sorted(item.row for item in items)


async def test_more_changes_than_are_read_at_once_are_all_heard(
    squall: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "_READ", 2)
    monkeypatch.setattr(ring, "_READ", 2)
    for requests in (3, 4):
        async with squall.feeds.listen(False) as cursor:
            made = [await squall.request("core.noop") for _ in range(requests)]
            async with feeding(squall):
                heard_of: list[str] = []
                async with asyncio.timeout(PATIENCE):
                    while len(heard_of) < requests:
                        items, lost = await cursor.next(PATIENCE)
                        assert not lost
                        heard_of += [item.event.resource for item in items if item.event]
            assert heard_of == [execution.id for execution in made]


async def test_all_output_comes_before_the_end_it_belongs_to(squall: Assembly) -> None:
    async with feeding(squall) as feed, feed.listen(True) as cursor:
        task, execution, _ = await squall.start()
        for number in range(50):
            scripted(squall).show(output_of(execution), b"%d;" % number)
        await squall.end(task, execution)
        items = await heard(cursor, "succeeded")
    output = "".join(f"{number};" for number in range(50))
    told = story(items)
    assert told[-1] == "succeeded"
    assert [text for text in told if text.startswith("'")] == [f"'{output}'"]
    assert [text for text in told if not text.startswith("'")] == ["requested", "scheduled", "running", "succeeded"]


async def test_with_streaming_off_output_is_heard_right_before_the_end(squall: Assembly) -> None:
    squall.outputs.live = False
    async with feeding(squall) as feed, feed.listen(True) as cursor:
        task, execution, _ = await squall.start()
        scripted(squall).show(output_of(execution), b"x")
        await called(feed, "_collect")
        await squall.end(task, execution)
        told = story(await heard(cursor, "succeeded"))
    assert told == ["requested", "scheduled", "running", "'x'", "succeeded"]


async def test_output_is_heard_while_the_execution_runs(squall: Assembly) -> None:
    async with feeding(squall) as feed, feed.listen(True) as cursor:
        _, execution, _ = await squall.start()
        scripted(squall).show(output_of(execution), b"live")
        items: list[Item] = []
        async with asyncio.timeout(PATIENCE):
            while "'live'" not in story(items):
                items += (await cursor.next(PATIENCE))[0]


async def test_who_does_not_ask_for_output_is_not_given_any(squall: Assembly) -> None:
    async with feeding(squall) as feed, feed.listen(False) as cursor:
        task, execution, _ = await squall.start()
        scripted(squall).show(output_of(execution), b"x")
        await squall.end(task, execution)
        assert story(await heard(cursor, "succeeded")) == ["requested", "scheduled", "running", "succeeded"]


async def test_output_from_before_the_first_listener_is_not_repeated(squall: Assembly) -> None:
    task, execution, _ = await squall.start()
    scripted(squall).show(output_of(execution), b"before ")
    async with feeding(squall) as feed, feed.listen(True) as cursor:
        scripted(squall).show(output_of(execution), b"after")
        await squall.end(task, execution)
        assert story(await heard(cursor, "succeeded")) == ["'after'", "succeeded"]


async def test_listeners_share_one_feed_and_each_is_given_all_of_it(squall: Assembly) -> None:
    async with feeding(squall) as feed, feed.listen(True) as first, feed.listen(True) as second:
        task, execution, _ = await squall.start()
        scripted(squall).show(output_of(execution), b"x")
        await squall.end(task, execution)
        stories = [story(await heard(cursor, "succeeded")) for cursor in (first, second)]
        async with feed.listen(True) as late:
            assert await late.next(0.01) == ([], False)
    assert stories[0] == stories[1]
    assert "'x'" in stories[0]


async def test_without_hints_the_feed_is_only_slower(squall: Assembly) -> None:
    deaf = Feeds(squall.store, DeafBus(), squall.journal, squall.outputs, poll=POLL)
    squall.feeds = deaf
    async with feeding(squall) as feed, feed.listen(True) as cursor:
        task, execution, _ = await squall.start()
        scripted(squall).show(output_of(execution), b"x")
        await squall.end(task, execution)
        assert "'x'" in story(await heard(cursor, "succeeded"))


async def test_output_of_a_tree_is_heard_once_though_a_child_outlives_its_root(squall: Assembly) -> None:
    async with feeding(squall) as feed, feed.listen(True) as cursor:
        root_task, root, _ = await squall.start()
        child = await squall.child_of(root)
        scripted(squall).show(output_of(root), b"root ")
        await squall.end(root_task, root)
        items = await heard(cursor, "succeeded")
        ((child_task, child, _),) = await squall.claim()
        scripted(squall).show(output_of(child), b"child")
        await squall.end(child_task, child, "failed")
        items += await heard(cursor, "failed")
    output = "".join(text.strip("'") for text in story(items) if text.startswith("'"))
    assert output == "root child"


async def test_a_listener_that_is_too_slow_is_told_that_it_missed_something(
    squall: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ring, "_RING_BYTES", 4 * ring._EVENT_BYTES)
    async with feeding(squall) as feed, feed.listen(False) as slow, feed.listen(False) as quick:
        for _ in range(10):
            await squall.request()
            items, lost = await quick.next(PATIENCE)
            assert (len(items), lost) == (1, False)
        items, lost = await slow.next(PATIENCE)
        assert lost
        assert 0 < len(items) <= 5
        rows = [item.row for item in items]
        missed, gone = await feed.events_between(slow.row, rows[0] - 1)
        assert [event.id for event in missed] + rows == list(range(slow.row + 1, rows[-1] + 1))
        assert not gone


async def test_what_is_no_longer_kept_is_told(squall: Assembly) -> None:
    for _ in range(5):
        await squall.request()
    await squall.store.tx(lambda tx: tx.events.prune(2))
    found, gone = await squall.feeds.events_between(0, 5)
    assert ([event.id for event in found], gone) == ([4, 5], True)
    found, gone = await squall.feeds.events_between(3, 4)
    assert ([event.id for event in found], gone) == ([4], False)


async def test_only_a_listener_of_frequent_events_misses_them(squall: Assembly) -> None:
    frequent = Change(kind=TRIGGER_INSTANCE, name="st2.trigger_instance__create", resource="i", at=NOON)
    for _ in range(5):
        await squall.store.tx(lambda tx: tx.events.add(frequent))
    await squall.request()
    await squall.store.tx(lambda tx: tx.events.prune(2))
    assert (await squall.feeds.events_between(0, 6, frequent=False))[1] is False
    assert (await squall.feeds.events_between(0, 6, frequent=True))[1] is True


async def test_events_of_every_kind_are_heard_and_open_no_output(squall: Assembly) -> None:
    change = Change(kind="rule", name="st2.rule__create", resource="p.r", at=1)
    async with feeding(squall) as feed, feed.listen(True) as cursor:
        row = await squall.store.tx(lambda tx: tx.events.add(change, b"{}"))
        await squall.request("core.noop")
        first, *_ = await heard(cursor, "requested")
        assert first.event is not None
        assert (first.row, first.event.kind, first.event.resource) == (row, "rule", "p.r")
        assert await feed.document(row) == b"{}"
        assert "" not in feed._taps


async def test_an_announcement_is_no_status_of_its_execution(squall: Assembly) -> None:
    task, execution, _ = await squall.start()
    await squall.end(task, execution)
    rows = await squall.feeds.rows(execution.id)
    change = Announcement("general", 1).change(execution.id, execution.tree, squall.clock.now())
    await squall.store.tx(lambda tx: tx.events.add(change, b"1"))
    assert await squall.feeds.rows(execution.id) == rows


async def test_the_rows_of_an_execution_are_told_by_status(squall: Assembly) -> None:
    task, execution, _ = await squall.start()
    await squall.end(task, execution)
    rows = await squall.feeds.rows(execution.id)
    assert list(rows) == ["requested", "scheduled", "running", "succeeded"]
    assert list(rows.values()) == sorted(rows.values())
    assert await squall.feeds.rows(sample_execution(9).id) == {}


async def test_stopping_wakes_every_listener(squall: Assembly) -> None:
    async with feeding(squall) as feed, feed.listen(True) as cursor, asyncio.TaskGroup() as group:
        waiting = group.create_task(cursor.next(10 * PATIENCE))
        await asyncio.sleep(0)
        squall.outputs.stop()
        feed.stop()
        async with asyncio.timeout(PATIENCE):
            assert await waiting == ([], False)
            assert await cursor.next(10 * PATIENCE) == ([], False)


async def test_a_listener_that_leaves_takes_the_reading_of_output_with_it(squall: Assembly) -> None:
    _, execution, _ = await squall.start()
    async with feeding(squall) as feed:
        async with feed.listen(True):
            assert execution.tree in feed._taps
        assert feed._taps == {}
        async with feed.listen(False) as cursor:
            await squall.control.cancel(execution.id, "ada")
            items = await heard(cursor, "canceling")
            assert items[-1].event is not None
            assert items[-1].event.name == events.EXECUTION_UPDATE
        assert feed._taps == {}


async def test_how_far_a_listener_is_behind_is_known(squall: Assembly) -> None:
    async with feeding(squall) as feed, feed.listen(False) as cursor:
        assert feed.behind(cursor, squall.clock.now()) == (0, 0)
        await squall.request()
        async with feed.listen(False):
            ms, waiting = feed.behind(cursor, squall.clock.now() + 3_000_000)
            assert ms >= 3000
            assert waiting > 0
            await cursor.next(5.0)
            assert feed.behind(cursor, squall.clock.now()) == (0, 0)
