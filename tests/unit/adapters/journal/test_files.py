"""Journals in files: chains in large trees, links, damage, and files that come and grow while they are read."""

from __future__ import annotations

import asyncio
import os
import random
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.tools import open_below

from squall.adapters.journal.files import FileJournal
from squall.adapters.journal.inotify import Inotify
from squall.core.errors import UnavailableError
from squall.core.ids import time_of
from squall.core.output import journal as codec
from squall.core.output.journal import Record
from squall.testing.reading import printed, read_all, read_one
from squall.testing.samples import sample_id
from squall.testing.waiting import PATIENCE, turns

pytestmark = pytest.mark.anyio

TREE, CHILD = sample_id(1), sample_id(2)
NONCE = bytes(range(16))


@pytest.fixture
async def files(tmp_path: Path) -> AsyncIterator[FileJournal]:
    made = FileJournal(tmp_path)
    yield made
    made.close()


class File:
    """A journal written by the codec alone, frame by frame: what any writer leaves on the disk."""

    def __init__(self, root: Path, tree: str = TREE) -> None:
        self.path = root / codec.file_name(tree)
        self.path.parent.mkdir(exist_ok=True)
        self.data = bytearray(codec.pack_header(NONCE, bytes(16), tree))
        self.tails: dict[str, int] = {}
        self.event = 0

    def add(self, payload: bytes, execution: str = TREE, stream: int = 1, kind: int = codec.OUTPUT) -> int:
        """Adds a record; gives its start. Nothing is on the disk before `write`."""
        start = len(self.data)
        self.event += 1
        self.data += codec.pack_frame(
            NONCE, codec.checksum_seed(NONCE), kind, bytes.fromhex(execution), 1, payload, start=start,
            stream=stream, event=self.event, prev=self.tails.get(execution, 0),
        )  # fmt: skip
        self.data += payload
        if kind != codec.INDEX:
            self.tails[execution] = start
        return start

    def write(self, closing: int = 0) -> None:
        """Writes all there is, and the committed length after it."""
        commit = codec.pack_commit(len(self.data), closing, codec.checksum_seed(NONCE))
        self.data[codec.COMMIT_OFFSET : codec.COMMIT_OFFSET + len(commit)] = commit
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600)
        os.pwrite(descriptor, self.data[codec.COMMIT_OFFSET + len(commit) :], codec.COMMIT_OFFSET + len(commit))
        os.pwrite(descriptor, self.data[: codec.COMMIT_OFFSET + len(commit)], 0)
        os.close(descriptor)

    def close(self) -> None:
        """As `write`, with the closing index."""
        self.write(self.add(codec.pack_index(self.tails), kind=codec.INDEX))


def counted_reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the reads of files from now on: their offsets."""
    reads: list[int] = []
    pread = os.pread

    def counting(descriptor: int, size: int, at: int) -> bytes:
        reads.append(at)
        return pread(descriptor, size, at)

    monkeypatch.setattr(os, "pread", counting)
    return reads


def events(records: list[Record]) -> list[int]:
    return [record.event for record in records]


async def test_one_of_many_executions_in_a_large_closed_tree_is_read_by_its_chain(
    files: FileJournal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = File(tmp_path)
    chosen = random.Random(7)
    told: dict[str, list[int]] = {}
    for _ in range(20_000):
        execution = sample_id(chosen.choice([1, 1, 1, 1, 1, chosen.randrange(2, 300)]))
        file.add(b"x" * 20, execution)
        told.setdefault(execution, []).append(file.event)
    file.close()
    assert len(told[TREE]) > 10_000
    assert events(await read_one(files, TREE, TREE, limit=10_000)) == told[TREE]
    # Few of the reads that the whole file would need are enough for a child.
    rare = min(told, key=lambda execution: len(told[execution]))
    reads = counted_reads(monkeypatch)
    assert events(await read_one(files, TREE, rare)) == told[rare]
    assert len(reads) < 30 * (len(told[rare]) + 2)


async def test_a_chain_can_be_taken_up_at_any_of_its_positions(files: FileJournal, tmp_path: Path) -> None:
    file = File(tmp_path)
    for number in range(6000):
        file.add(b"x", sample_id(1 + number % 2))
    file.close()
    whole = await read_one(files, TREE, CHILD)
    with files.watch(TREE):
        for index in (0, 1, 1023, 1024, 1025, 2047, 2048, 2998):
            batch = await files.read_execution(TREE, CHILD, whole[index].end, 1)
            assert events(batch.records) == events(whole[index + 1 : index + 2])
        assert (await files.read_execution(TREE, CHILD, whole[-1].end, 1)).records == []


async def test_the_end_of_a_long_output_is_read_without_walking_to_its_beginning(
    files: FileJournal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = File(tmp_path)
    for _ in range(5000):
        file.add(b"x" * 10)
    last = file.add(b"the end")
    file.write()
    reads = counted_reads(monkeypatch)
    assert printed(await files.read_last(TREE, last, {1: 10})).endswith(b"the end")
    assert len(reads) < 200


@pytest.mark.parametrize("closed", [False, True])
async def test_a_closed_tree_that_is_gone_on_with_is_read_to_its_new_end(
    files: FileJournal, tmp_path: Path, closed: bool
) -> None:
    file = File(tmp_path)
    file.add(b"1", CHILD)
    file.add(b"root")
    file.close()
    with files.watch(TREE) as watch:
        before = await files.read_execution(TREE, CHILD, 0, 1 << 20)
        assert printed(before.records) == b"1"
        file.add(b"2", CHILD)
        file.close() if closed else file.write()
        async with asyncio.timeout(PATIENCE):
            await watch.beyond(watch.head, PATIENCE)
        after = await files.read_execution(TREE, CHILD, before.position, 1 << 20)
        assert printed(after.records) == b"2"
        assert printed(await read_one(files, TREE, CHILD)) == b"12"
    assert printed(await read_all(files, TREE)) == b"1root2"


async def test_nothing_behind_the_committed_length_is_looked_at(files: FileJournal, tmp_path: Path) -> None:
    file = File(tmp_path)
    file.add(b"committed")
    file.write()
    uncommitted = len(file.data)
    file.add(b"not yet")
    with file.path.open("ab") as out:
        out.write(file.data[uncommitted:])
    assert printed(await read_all(files, TREE)) == b"committed"
    assert printed(await read_one(files, TREE, TREE)) == b"committed"
    assert not await files.check(TREE, len(file.data))
    file.write()
    assert printed(await read_all(files, TREE)) == b"committednot yet"


async def test_a_link_is_not_followed(files: FileJournal, tmp_path: Path) -> None:
    file = File(tmp_path)
    file.add(b"secret")
    file.write()
    link = tmp_path / codec.file_name(CHILD)
    link.symlink_to(file.path)
    with pytest.raises(UnavailableError, match="ymbolic link"):
        await files.read(CHILD, 0, 1000)
    assert printed(await read_all(files, TREE)) == b"secret"


@pytest.mark.parametrize("content", [b"", b"short", bytes(codec.HEADER_SIZE), b"something else" * 1000])
async def test_what_is_no_journal_reads_as_empty(files: FileJournal, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / codec.file_name(TREE)
    path.parent.mkdir()
    path.write_bytes(content)
    assert await files.read(TREE, 0, 1000) == ([], 0)


async def test_a_file_that_gets_its_header_only_later_is_followed(files: FileJournal, tmp_path: Path) -> None:
    file = File(tmp_path)
    file.add(b"x")
    with files.watch(TREE) as watch:
        file.path.touch(mode=0o600)
        assert not await watch.beyond(0, 0.02)
        file.write()
        async with asyncio.timeout(PATIENCE):
            # Without a further event a reader finds it at its own next look.
            while not await watch.beyond(0, 0.2):
                pass
    assert printed(await read_all(files, TREE)) == b"x"


async def test_one_journal_wakes_its_own_readers_at_once_among_many(files: FileJournal, tmp_path: Path) -> None:
    trees = [sample_id(number) for number in range(1, 30)]
    written = {tree: File(tmp_path, tree) for tree in trees}
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:

        async def follow(tree: str) -> bytes:
            with files.watch(tree) as watch:
                assert await watch.beyond(0, 2 * PATIENCE)
            return printed(await read_all(files, tree))

        followers = {tree: group.create_task(follow(tree)) for tree in trees}
        await turns()
        for tree, file in written.items():
            file.add(tree.encode(), tree)
            file.write()
    assert {tree: follower.result() for tree, follower in followers.items()} == {tree: tree.encode() for tree in trees}


async def test_readers_without_inotify_find_what_is_new_at_their_own_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Inotify, "watch", lambda *_: -1)
    files = FileJournal(tmp_path)
    file = File(tmp_path)
    with files.watch(TREE) as watch:
        assert not await watch.beyond(0, 0.01)
        file.add(b"x")
        file.write()
        assert await watch.beyond(0, 0.01)
        file.add(b"y")
        file.write()
        assert await watch.beyond(watch.head, 0)
    assert printed(await read_all(files, TREE)) == b"xy"
    files.close()


async def test_what_nobody_watches_holds_no_file_open(files: FileJournal, tmp_path: Path) -> None:
    file = File(tmp_path)
    file.add(b"x")
    file.write()
    for _ in range(3):
        await read_all(files, TREE)
        await files.check(TREE, 5)
        with files.watch(TREE), files.watch(TREE), files.watch(sample_id(5)):
            pass
    assert open_below(tmp_path) == []


def damage(file: File, at: int, data: bytes) -> None:
    descriptor = os.open(file.path, os.O_WRONLY)
    os.pwrite(descriptor, data, at)
    os.close(descriptor)


@pytest.mark.parametrize("length", [0, 3, 500, 1 << 20, 1 << 28])
async def test_a_damaged_record_costs_no_reader_its_memory_or_its_patience(
    files: FileJournal, tmp_path: Path, length: int
) -> None:
    file = File(tmp_path)
    file.add(b"before")
    bad = file.add(b"damaged")
    file.add(b"after")
    file.write()
    damage(file, bad + 4, length.to_bytes(4, "little"))
    tracemalloc.start()
    try:
        async with asyncio.timeout(PATIENCE):
            records = await read_all(files, TREE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert printed(records).startswith(b"before")
    assert peak < 16 * codec.MAX_PAYLOAD


async def test_a_reader_gets_past_damage_and_is_told_of_the_gap(files: FileJournal, tmp_path: Path) -> None:
    file = File(tmp_path)
    file.add(b"before")
    bad = file.add(b"damaged")
    file.add(b"after")
    file.write()
    damage(file, bad, bytes(40))
    records = await read_all(files, TREE)
    assert printed(records) == b"beforeafter"
    assert [record.kind for record in records] == [codec.OUTPUT, codec.GAP, codec.OUTPUT]
    assert records[1].time == records[2].time


async def test_a_gap_at_the_end_of_a_damaged_journal_has_the_time_of_its_tree(
    files: FileJournal, tmp_path: Path
) -> None:
    file = File(tmp_path)
    file.add(b"before")
    bad = file.add(b"damaged")
    file.write()
    damage(file, bad, bytes(40))
    assert [record.time for record in await read_all(files, TREE)][1:] == [time_of(TREE)]


async def test_the_way_past_damage_does_not_stop_at_a_frame_that_a_disk_has_put_in_its_place(
    files: FileJournal, tmp_path: Path
) -> None:
    file = File(tmp_path)
    start = file.add(b"before")
    bad = file.add(b"damaged" * 100)
    after = file.add(b"after")
    file.write()
    # A whole record of this journal stands where it does not belong, behind bytes that are none.
    damage(file, bad, bytes(20) + bytes(file.data[start:bad]))
    records = await read_all(files, TREE)
    assert printed(records) == b"beforeafter"
    assert [(record.kind, record.end) for record in records[1:]] == [(codec.GAP, after), (codec.OUTPUT, len(file.data))]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("target", ["itself", "later", "nowhere"])
async def test_a_damaged_chain_ends_every_reader(files: FileJournal, tmp_path: Path, target: str) -> None:
    file = File(tmp_path)
    file.add(b"first", CHILD)
    file.add(b"root")
    bad = file.add(b"second", CHILD)
    last = file.add(b"third", CHILD)
    file.close()
    to = {"itself": bad, "later": last, "nowhere": 1 << 60}[target]
    # Where the record before this one starts is told 56 bytes into a frame.
    damage(file, bad + 56, to.to_bytes(8, "little"))
    assert printed(await files.read_last(TREE, last, {1: 1000})).endswith(b"third")
    assert printed(await read_one(files, TREE, CHILD)).endswith(b"third")
