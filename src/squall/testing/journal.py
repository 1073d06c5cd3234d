# ruff: noqa: S101 - asserting is what a contract suite is for
"""The contract suite of journals. A test class derives from `JournalContract`; its module has the fixtures `journal`
(a `ports.Journal`) and `launcher` (the `ports.Launcher` that writes it).
"""

from __future__ import annotations

import asyncio
import itertools

import pytest

from squall.core.output import journal as codec
from squall.core.output.journal import Record
from squall.ports import Journal, Launcher
from squall.testing.reading import read_all, read_one, read_until
from squall.testing.samples import NOON, sample_id
from squall.testing.waiting import PATIENCE

TREE = sample_id(1)


async def append(
    launcher: Launcher, count: int, *, tree: str = TREE, execution: str = TREE, first: int = 1, size: int = 20
) -> None:
    """Appends `count` records of `size` bytes each, with event rows from `first` on."""
    for event in range(first, first + count):
        payload = b"%d " % event + b"x" * size
        await launcher.append(
            tree, [codec.ServerRecord(execution, codec.PROGRESS, NOON + event, event, payload[:size])]
        )


def events(records: list[Record]) -> list[int]:
    """Returns the event rows of records. The suite identifies records by them."""
    return [record.event for record in records]


async def many_of_many(launcher: Launcher, executions: int, each: int) -> dict[str, list[int]]:
    """Appends `each` records of every execution, in turn. Returns the event rows by execution."""
    rows: dict[str, list[int]] = {}
    event = 0
    for _ in range(each):
        for number in range(1, executions + 1):
            event += 1
            await append(launcher, 1, execution=sample_id(number), first=event)
            rows.setdefault(sample_id(number), []).append(event)
    return rows


@pytest.mark.anyio
class ReadContract:
    """The contract of reading existing records."""

    async def test_a_tree_without_a_journal_reads_as_empty(self, journal: Journal) -> None:
        """Most executions print nothing."""
        assert await journal.read(TREE, 0, 1000) == ([], 0)
        assert await journal.read_execution(TREE, TREE, 0, 1000) == ([], 0)
        assert await journal.read_last(TREE, 0, {1: 1000, 2: 1000}) == []
        assert journal.head(TREE) == 0
        with journal.watch(TREE) as watch:
            assert watch.head == journal.head(TREE) == 0

    async def test_records_come_in_the_order_they_were_appended(self, launcher: Launcher, journal: Journal) -> None:
        """Each record begins at the end of the previous one."""
        await append(launcher, 50)
        records = await read_all(journal, TREE)
        assert events(records) == list(range(1, 51))
        assert [record.start for record in records[1:]] == [record.end for record in records[:-1]]

    @pytest.mark.parametrize("limit", [1, 60, 200, 1 << 20])
    async def test_batches_of_any_size_join_to_the_same_records(
        self, launcher: Launcher, journal: Journal, limit: int
    ) -> None:
        """Every batch has at least one record, even with the smallest limit."""
        await append(launcher, 5, size=10)
        await append(launcher, 3, first=6, size=5000)
        assert events(await read_all(journal, TREE, limit=limit)) == list(range(1, 9))
        assert events(await read_one(journal, TREE, TREE, limit=limit)) == list(range(1, 9))

    async def test_a_batch_is_not_much_larger_than_asked(self, launcher: Launcher, journal: Journal) -> None:
        """A reader's memory is bounded by its limit plus one record."""
        await append(launcher, 40, size=1000)
        for read in (journal.read(TREE, 0, 5000), journal.read_execution(TREE, TREE, 0, 5000)):
            batch = await read
            assert 3 <= len(batch.records) <= 6
            assert batch.position == batch.records[-1].end

    async def test_reading_after_a_records_end_gives_exactly_the_rest(
        self, launcher: Launcher, journal: Journal
    ) -> None:
        """A reader resumes at the end of a record: no record comes twice and none is missing."""
        await append(launcher, 12)
        records = await read_all(journal, TREE)
        for index, record in enumerate(records):
            assert await read_all(journal, TREE, record.end) == records[index + 1 :]
        assert await journal.read(TREE, records[-1].end, 1000) == ([], records[-1].end)

    async def test_a_position_is_one_if_a_record_ends_there(self, launcher: Launcher, journal: Journal) -> None:
        """0 is always a position. Other numbers are refused."""
        await append(launcher, 3)
        ends = [record.end for record in await read_all(journal, TREE)]
        assert [await journal.check(TREE, end) for end in (0, *ends)] == [True] * 4
        wrong = [1, *(end - 1 for end in ends), *(end + 1 for end in ends), 10**12]
        assert [await journal.check(TREE, position) for position in wrong] == [False] * len(wrong)
        assert await journal.check(sample_id(2), 0)
        assert not await journal.check(sample_id(2), ends[0])

    async def test_places_have_an_order_and_bytes_between_them(self, launcher: Launcher, journal: Journal) -> None:
        """Only the journal knows the meaning of a place, so readers ask it."""
        await append(launcher, 6, size=500)
        places = [0, *(record.end for record in await read_all(journal, TREE))]
        for start, end in itertools.pairwise(places):
            assert journal.order(start) < journal.order(end)
            assert journal.distance(start, end) >= 500
            assert journal.distance(end, start) == journal.distance(end, end) == 0

    @pytest.mark.parametrize("closed", [False, True])
    async def test_one_execution_is_read_without_the_others(
        self, launcher: Launcher, journal: Journal, closed: bool
    ) -> None:
        """This holds while the tree grows and after it is closed; in batches of any size, from any position."""
        rows_by_execution = await many_of_many(launcher, 7, 40)
        if closed:
            await launcher.close_tree(TREE)
        for execution, rows in rows_by_execution.items():
            assert events(await read_one(journal, TREE, execution)) == rows
            assert events(await read_one(journal, TREE, execution, limit=200)) == rows
        records = await read_one(journal, TREE, sample_id(3))
        for index in (0, 17, 39):
            batch = await journal.read_execution(TREE, sample_id(3), records[index].end, 1 << 20)
            assert events(batch.records) == rows_by_execution[sample_id(3)][index + 1 :]
        assert await read_one(journal, TREE, sample_id(99)) == []

    async def test_a_closed_tree_reads_like_an_open_one(self, launcher: Launcher, journal: Journal) -> None:
        """Readers do not see what closing adds to the file."""
        await many_of_many(launcher, 3, 5)
        before = await read_all(journal, TREE)
        await launcher.close_tree(TREE)
        after = await read_all(journal, TREE)
        assert events(after) == events(before)
        assert [record.end for record in after] == [record.end for record in before]

    async def test_trees_do_not_mix(self, launcher: Launcher, journal: Journal) -> None:
        """Each tree has its own journal."""
        for number in (1, 2):
            tree = sample_id(number)
            await append(launcher, 3, tree=tree, execution=tree, first=number * 10)
        assert events(await read_all(journal, sample_id(2))) == [20, 21, 22]


@pytest.mark.anyio
class FollowContract:
    """The contract of waiting for more records."""

    async def test_a_wait_ends_at_its_time_when_nothing_comes(self, launcher: Launcher, journal: Journal) -> None:
        """This holds with and without a journal."""
        await append(launcher, 1, tree=sample_id(2))
        for tree in (TREE, sample_id(2)):
            with journal.watch(tree) as watch:
                async with asyncio.timeout(PATIENCE):
                    assert not await watch.beyond(watch.head, 0.01)

    async def test_a_follower_wakes_for_a_tree_that_is_created_later(
        self, launcher: Launcher, journal: Journal
    ) -> None:
        """A follower may start before the first byte is written."""
        async with asyncio.TaskGroup() as group:
            following = group.create_task(read_until(journal, TREE, lambda records: len(records) == 3))
            await asyncio.sleep(0)
            await append(launcher, 3)
        assert events(following.result()) == [1, 2, 3]

    async def test_followers_see_every_record_once_while_it_is_written(
        self, launcher: Launcher, journal: Journal
    ) -> None:
        """This holds for any number of followers and any time at which each one starts."""
        total = 200

        async def follow() -> list[int]:
            return events(await read_until(journal, TREE, lambda records: len(records) >= total))

        async with asyncio.TaskGroup() as group:
            followers = []
            for chunk in range(10):
                followers += [group.create_task(follow()) for _ in range(3)]
                await append(launcher, total // 10, first=chunk * (total // 10) + 1)
                await asyncio.sleep(0)
        assert [follower.result() for follower in followers] == [list(range(1, total + 1))] * 30

    async def test_the_head_is_behind_the_last_record(self, launcher: Launcher, journal: Journal) -> None:
        """Records exist beyond every position before the head, and none beyond the head."""
        await append(launcher, 2)
        records = await read_all(journal, TREE)
        with journal.watch(TREE) as watch:
            assert watch.head == journal.head(TREE) == records[-1].end
            assert await watch.beyond(0, 0)
            assert await watch.beyond(records[0].end, 0)
            assert not await watch.beyond(records[1].end, 0)

    async def test_a_poke_wakes_all_who_wait_for_the_tree(self, journal: Journal) -> None:
        """They wake although there is no new record: something else about the tree has changed."""
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            with journal.watch(TREE) as first, journal.watch(TREE) as second, journal.watch(sample_id(2)) as other:
                waits = [group.create_task(watch.beyond(0, 2 * PATIENCE)) for watch in (first, second)]
                apart = group.create_task(other.beyond(0, 0.05))
                await asyncio.sleep(0)
                journal.poke(TREE)
                assert [await wait for wait in waits] == [False, False]
                assert not await apart

    async def test_who_waits_for_no_output_is_not_woken_by_any(self, launcher: Launcher, journal: Journal) -> None:
        """Only a poke counts."""
        await append(launcher, 1)
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            with journal.watch(TREE) as watch:
                assert not await watch.beyond(None, 0)
                wait = group.create_task(watch.beyond(None, 2 * PATIENCE))
                await asyncio.sleep(0)
                journal.poke(TREE)
                assert not await wait

    async def test_a_poke_between_a_look_and_the_wait_is_not_missed(self, journal: Journal) -> None:
        """The value of `changes` from before the read ends the wait at once."""
        with journal.watch(TREE) as watch:
            last_changes = watch.changes
            journal.poke(TREE)
            async with asyncio.timeout(PATIENCE):
                assert not await watch.beyond(0, 2 * PATIENCE, last_changes)
            assert watch.changes != last_changes

    async def test_poking_what_nobody_watches_is_fine(self, journal: Journal) -> None:
        """The caller of `poke` does not know the watches."""
        journal.poke(TREE)

    async def test_a_canceled_wait_leaves_the_watch_usable(self, launcher: Launcher, journal: Journal) -> None:
        """Clients go away while others stay."""
        with journal.watch(TREE) as watch:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await watch.beyond(0, PATIENCE)
            await append(launcher, 1)
            assert await watch.beyond(0, PATIENCE)

    async def test_a_tree_may_be_watched_again_and_again(self, launcher: Launcher, journal: Journal) -> None:
        """Watches of one tree come and go in any order."""
        first, second = journal.watch(TREE), journal.watch(TREE)
        first.__enter__()
        watch = second.__enter__()
        first.__exit__(None, None, None)
        await append(launcher, 1)
        assert await watch.beyond(0, PATIENCE)
        second.__exit__(None, None, None)
        with journal.watch(TREE) as third:
            assert await third.beyond(0, 0)


class JournalContract(ReadContract, FollowContract):
    """The whole contract of `ports.Journal`."""
