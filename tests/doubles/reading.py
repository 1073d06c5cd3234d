"""Services with the processes that read lines, for the suites."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from tests.doubles.assembly import Assembly, assembled

from squall.adapters.blobs.opening import BlobPlace
from squall.adapters.journal.lines.workers import LineWorkers
from squall.server import linereader
from squall.services.output.line_history import LineQuery, Reached, Row
from squall.services.output.line_reading import LineReading


class Made:
    """Services with processes that read lines."""

    def __init__(self, squall: Assembly, lines: LineWorkers) -> None:
        self.squall = squall
        self.lines = lines
        self.reading = LineReading(lines, squall.outputs)


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Made]:
    """The services on a folder of their own."""
    async with assembled(tmp_path) as squall:
        lines = LineWorkers(partial(linereader.start, tmp_path, BlobPlace(""), os.environ))
        try:
            yield Made(squall, lines)
        finally:
            lines.close()


async def shown(reading: LineReading, query: LineQuery) -> list[tuple[int, bytes]]:
    """The lines that a query gives, with their numbers."""
    rows: list[Row] = []
    async for page in reading.history(query):
        if not isinstance(page, Reached):
            rows += page
    return [(row.line.number, row.line.data) for row in rows]
