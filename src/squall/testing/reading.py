"""Reads journals for the suites: all records, or the records up to a condition. It waits without sleeping."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from squall.core.output import journal as codec
from squall.core.output.journal import Record
from squall.ports import Journal
from squall.testing.waiting import PATIENCE as PATIENCE


async def read_all(journal: Journal, tree: str, after: int = 0, limit: int = 1 << 20) -> list[Record]:
    """Returns all records of a tree after a position, read in batches of about `limit` bytes."""
    records: list[Record] = []
    with journal.watch(tree):
        while (batch := await journal.read(tree, after, limit)).position != after:
            records += batch.records
            after = batch.position
    return records


async def read_one(journal: Journal, tree: str, execution: str, limit: int = 1 << 20) -> list[Record]:
    """Returns all records of one execution, read with `read_execution`."""
    records: list[Record] = []
    after = 0
    with journal.watch(tree):
        while (batch := await journal.read_execution(tree, execution, after, limit)).position != after:
            records += batch.records
            after = batch.position
    return records


async def read_until(journal: Journal, tree: str, enough: Callable[[list[Record]], bool]) -> list[Record]:
    """Follows a tree until `enough(records)` is true. Returns the records.

    Raises `TimeoutError` after `PATIENCE` seconds.
    """
    records: list[Record] = []
    after = 0
    async with asyncio.timeout(PATIENCE):
        with journal.watch(tree) as watch:
            while True:
                batch = await journal.read(tree, after, 1 << 20)
                records += batch.records
                if enough(records):
                    return records
                if batch.position == after:
                    await watch.beyond(after, PATIENCE)
                after = batch.position


def printed(records: list[Record], stream: str | None = None, execution: str | None = None) -> bytes:
    """Returns the bytes of the output records of a stream and an execution (None: of all)."""
    return b"".join(
        bytes(record.payload)
        for record in records
        if record.kind == codec.OUTPUT
        and stream in (None, codec.STREAMS.get(record.stream))
        and execution in (None, record.execution)
    )
