"""Keeping output: how fast it is sealed, how fast one child of a huge sealed tree is read, how fast all is removed."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import apsw
from backports.zstd import CompressionParameter, ZstdCompressor, decompress
from tests.doubles.journals import Kept

from bench.context import Bench, BrokenError, median
from bench.filling import fill
from bench.goals import CHILD, PURGE, SEALED, SMALL
from bench.rows import Row
from squall.adapters.bus.inproc import InProcessBus
from squall.adapters.clock import SystemClock
from squall.adapters.keeper.process.writing.journals import Journals
from squall.adapters.keeper.server.remote import KeeperLauncher
from squall.adapters.marks.file import FileMarks
from squall.adapters.sql.sqlite import open_store
from squall.core.execution.retention import Selection, Terms
from squall.core.ids import make_id
from squall.core.output import journal as codec
from squall.core.output import sealed
from squall.services.output.retention import Retention
from squall.services.suspects import Suspects

_LINE = b"2026-11-25 04:00:00.%06d INFO worker-%d request %08d done in %4d ms, status ok, %d bytes\n"
_TIME = 1_795_000_000_000_000
_TOGETHER = 64
_FRAME = 16 << 10


def _id(number: int) -> str:
    return make_id(_TIME, number.to_bytes(6, "big"))


def _text(size: int) -> bytes:
    lines = []
    have = number = 0
    while have < size:
        number += 1
        line = _LINE % (number * 7919 % 10**6, number % 9, number * 104_729, number * 31 % 5000, number * 17 % 99_999)
        lines.append(line)
        have += len(line)
    return b"".join(lines)[:size]


class _Sealed(NamedTuple):
    rate: float
    ratio: float


def sealing(bench: Bench) -> Iterator[Row]:
    """Large trees by their bytes, small ones by their number."""
    size = bench.sized(256, 64) << 20
    text = _text(8 << 20)
    squalls, floors = bench.in_turns(partial(_seal_large, bench, text, size), partial(_compress, text, size))
    ratio = median([one.ratio for one in squalls]) or 0.0
    note = f"{size >> 20} MiB of log lines, {ratio:.1f} times smaller; the floor compresses and hashes in memory"
    ours, theirs = median([one.rate for one in squalls]), median(floors)
    yield Row("seal one large tree", "MB/s", ours, theirs, SEALED, more=True, note=note)
    count = bench.sized(10_000, 2_000)
    smalls, rows = bench.in_turns(partial(_seal_small, bench, text, count), partial(_insert, bench, text, count))
    note = "of 4 KB of output each; the floor inserts as many compressed texts into SQLite, 128 in a transaction"
    yield Row("seal small trees", "trees/s", median(smalls), median(rows), SMALL, more=True, note=note)


def _seal_large(bench: Bench, text: bytes, size: int) -> _Sealed:
    kept = Kept(bench.folder("large"))
    tree = _id(1)
    journals = Journals(kept.root, bytes(16), 1, floor=0)
    writer = journals.writer(tree, create=True)
    assert writer is not None
    for at in range(0, size, 64 << 10):
        start = at % (len(text) - (64 << 10))
        writer.output(tree, 1, _TIME + at, text[start : start + (64 << 10)])
    journals.close(tree, _TIME)

    async def work() -> _Sealed:
        began = time.monotonic()
        made = (await kept.archive.seal([tree]))[tree]
        await kept.archive.settle([tree])
        return _Sealed(made.size / (time.monotonic() - began) / 1e6, made.size / made.stored)

    found = asyncio.run(work())
    kept.close()
    return found


def _compress(text: bytes, size: int) -> float:
    compressor = ZstdCompressor(options={int(CompressionParameter.compression_level): 3})
    digest = hashlib.sha256()
    began = time.monotonic()
    for at in range(0, size, sealed.BLOCK):
        start = at % (len(text) - sealed.BLOCK)
        block = text[start : start + sealed.BLOCK]
        digest.update(block)
        compressor.compress(block, ZstdCompressor.FLUSH_FRAME)
    return size / (time.monotonic() - began) / 1e6


def _seal_small(bench: Bench, text: bytes, count: int) -> float:
    kept = Kept(bench.folder("small"))
    journals = Journals(kept.root, bytes(16), 1, floor=0)
    trees = [_id(number) for number in range(count)]
    for number, tree in enumerate(trees):
        writer = journals.writer(tree, create=True)
        assert writer is not None
        writer.output(tree, 1, _TIME, text[number * 100 : number * 100 + 4096])
        writer.note(codec.STATUS, tree, _TIME, 1, b'{"status":"succeeded"}')
        journals.close(tree, _TIME)

    async def work() -> float:
        began = time.monotonic()
        for at in range(0, count, 128):
            await kept.archive.seal(trees[at : at + 128])
            await kept.archive.settle(trees[at : at + 128])
        return count / (time.monotonic() - began)

    rate = asyncio.run(work())
    kept.close()
    return rate


def _insert(bench: Bench, text: bytes, count: int) -> float:
    database = apsw.Connection(str(bench.folder("rows") / "rows.db"))
    for statement in (
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "CREATE TABLE t (id TEXT PRIMARY KEY, b)",
    ):
        database.execute(statement).fetchall()
    compressor = ZstdCompressor()
    began = time.monotonic()
    for at in range(0, count, 128):
        with database:
            for number in range(at, min(at + 128, count)):
                body = compressor.compress(text[number * 100 : number * 100 + 4096], ZstdCompressor.FLUSH_FRAME)
                database.execute("INSERT INTO t VALUES (?, ?)", (_id(number), body))
    rate = count / (time.monotonic() - began)
    database.close()
    return rate


def child(bench: Bench) -> Iterator[Row]:
    """One of 10,000 children, 64 of which ran at a time."""
    children = bench.sized(10_000, 1_000)
    each = 1 << 20 if not bench.quick else 256 << 10
    kept = Kept(bench.folder("children"))
    size = _write_children(kept, children, each)

    async def seal() -> None:
        await kept.archive.seal([_id(0)])
        await kept.archive.settle([_id(0)])

    asyncio.run(seal())
    alone = bench.scratch / "alone.zst"
    compressor = ZstdCompressor()
    alone.write_bytes(compressor.compress(_text(each), ZstdCompressor.FLUSH_FRAME))
    numbers = [children // 7 * turn + 3 for turn in range(1, 6)]
    took, first, floors = [], [], []
    for number in numbers:
        whole, batch = asyncio.run(_read_child(kept, _id(number), each))
        took.append(whole)
        first.append(batch)
        began = time.monotonic()
        if len(decompress(alone.read_bytes())) != each:
            raise BrokenError("the floor has read something else")
        floors.append((time.monotonic() - began) * 1000)
    note = f"a tree of {size / 1e9:.2f} GB; opened anew each time; the floor reads a file that has this child only"
    name = f"1 of {children:,} children in a sealed tree"
    yield Row(f"{name}, first 256 KiB", "ms", median(first), None, CHILD, note=note)
    yield Row(f"{name}, all {each >> 10:,} KiB", "ms", median(took), median(floors), CHILD)
    kept.close()


def _write_children(kept: Kept, children: int, each: int) -> int:
    """Writes the tree; its size."""
    journals = Journals(kept.root, bytes(16), 1, floor=0)
    writer = journals.writer(_id(0), create=True)
    assert writer is not None
    text = _text(each)
    for begin in range(1, children + 1, _TOGETHER):
        for at in range(0, each, _FRAME):
            for number in range(begin, min(begin + _TOGETHER, children + 1)):
                writer.output(_id(number), 1, _TIME, text[at : at + _FRAME])
    journals.close(_id(0), _TIME)
    return writer.committed


async def _read_child(kept: Kept, execution: str, each: int) -> tuple[float, float]:
    """ms until all of a child has been read, and until its first batch was."""
    files = kept.journal()
    began = time.monotonic()
    have, after, first = 0, 0, 0.0
    with files.watch(_id(0)):
        while True:
            batch = await files.read_execution(_id(0), execution, after, 256 << 10)
            if not batch.records:
                break
            have += sum(len(record.payload) for record in batch.records)
            after = batch.position
            first = first or time.monotonic() - began
    took = time.monotonic() - began
    files.close()
    if have != each:
        raise BrokenError(f"{have} of {each} bytes of a child were read")
    return took * 1000, first * 1000


def purge(bench: Bench) -> Iterator[Row]:
    """Everything of 100,000 executions."""
    count = bench.sized(100_000, 10_000)
    ours = median([_purge(bench, count)])
    theirs = None if bench.profile else _delete(bench, count)
    note = "with pauses that leave the database to others; the floor deletes the rows in one statement a table"
    yield Row(f"purge {count:,} executions", "s", ours, theirs, PURGE if count == 100_000 else None, note=note)


def _purge(bench: Bench, count: int) -> float:
    home = bench.folder("purge")
    fill(home, count)
    kept = Kept(home)
    store = open_store(home / "squall.db", backup_suffix=".old")

    async def work() -> float:
        launcher = KeeperLauncher(home / "keepers", kept.root, SystemClock(), floor=0, fsync_seconds=1)
        files = kept.journal()
        suspects = Suspects(store, InProcessBus(), SystemClock(), FileMarks(home / "server.marks"), "bench", 0)
        retention = Retention(store, kept.archive, launcher, files, SystemClock(), Terms(0), suspects)
        removed, cursor = 0, None
        began = time.monotonic()
        while True:
            page = await retention.purge(Selection(before=1 << 60), cursor, 500, False)
            removed, cursor = removed + page.executions, page.cursor
            if cursor is None:
                break
        took = time.monotonic() - began
        left = await store.read(lambda tx: tx.retention.finished((0, ""), 1 << 60, 1))
        files.close()
        await store.close()
        if left or removed < count:
            raise BrokenError(f"{removed} of {count} executions were removed")
        return took

    took = asyncio.run(work())
    kept.close()
    return took


def _delete(bench: Bench, count: int) -> float:
    home: Path = bench.folder("delete")
    fill(home, count)
    database = apsw.Connection(str(home / "squall.db"))
    began = time.monotonic()
    with database:
        for table, column in (("results", "execution"), ("events", "resource"), ("executions", "id")):
            database.execute(f"DELETE FROM {table} WHERE {column} IN (SELECT id FROM executions)")
    took = time.monotonic() - began
    database.close()
    return took
