"""Rows: lines as counted among those of some streams, or of a whole tree; and what is missing between them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.doubles.journals import Kept
from tests.unit.adapters.journal.lines.looking import CHILD, TREE, WRITES, Writes, count_all, rows_page, search, write
from tests.unit.core.output.naive_lines import Part, naive_lines

from squall.adapters.journal.lines import worker
from squall.adapters.journal.lines.worker import Indexes
from squall.adapters.keeper.process.writing.journals import Journals
from squall.core.output import journal
from squall.core.output.line_query import Search
from squall.core.output.lines import Line, Missing
from squall.testing.samples import NOON


def rows_of(indexes: Indexes, execution: str, first: int, last: int, streams: tuple[int, ...] | None, cut: int) -> Any:
    """Rows page by page, as (row, execution, line)."""
    found: list[tuple[int, str, Line]] = []
    while True:
        page = rows_page(indexes, execution, first, last, streams, cut)
        found += [(page.first + at, each, line) for at, (each, line) in enumerate(page.rows)]
        first = page.first + len(page.rows)
        if not page.rows or first > min(page.total, last if last > 0 else page.total + last):
            return found, page.total


def naive_rows(writes: Writes, whole: bool, streams: tuple[int, ...] | None) -> list[tuple[str, int, bytes]]:
    """Execution, number among all of them, and bytes: of lines on some streams, in the order in which they begin."""
    parts = [Part(stream, execution, data) for execution, stream, data in writes if whole or execution == TREE]
    lines = naive_lines(parts)
    return [(line.tag, line.number, line.data) for line in lines if streams is None or line.stream in streams]


def beginning_or_end(body: bytes, most: int) -> bytes:
    """What is given of a line that is cut: the end, from where it goes back to its beginning, if it does there."""
    end = body[-most:]
    back = end[:-1].find(b"\r")
    return end[back:] if len(body) > most and back >= 0 else body[:most]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    writes=WRITES,
    split=st.integers(0, 40),
    first=st.integers(-5, 12),
    length=st.integers(0, 8),
    whole=st.booleans(),
    streams=st.sampled_from([None, (1,), (2,), (1, 2)]),
)
def test_rows_are_lines_as_counted_among_those_that_are_asked_for(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    small_strides: None,
    writes: Writes,
    split: int,
    first: int,
    length: int,
    whole: bool,
    streams: tuple[int, ...] | None,
) -> None:
    monkeypatch.setattr(worker, "MOST_BYTES", 12)
    kept = Kept(tmp_path_factory.mktemp("journals"))
    try:
        indexes = Indexes(kept.root, kept.sources)
        write(kept, writes[:split])
        count_all(indexes)
        write(kept, writes[split:], first=split)
        expected = naive_rows(writes, whole, streams)
        execution = "" if whole else TREE
        begin = max(1, first if first > 0 else len(expected) + first)
        end = begin + length if first > 0 else min(0, first + length)
        last = end if end > 0 else len(expected) + end
        for each in (indexes, Indexes(kept.root, kept.sources)):
            found, total = rows_of(each, execution, first, end, streams, 3)
            assert total == len(expected)
            assert [row for row, _, _ in found] == list(range(begin, min(last, total) + 1))
            for row, owner, line in found:
                name, number, data = expected[row - 1]
                body = data.removesuffix(b"\n")
                shown = beginning_or_end(body, 3)
                assert (owner, line.number, line.data) == (name, number, shown + data[len(body) :])
                assert line.left == len(body) - len(shown)
            matching = [at for at, (_, _, data) in enumerate(expected, 1) if b"error" in data]
            for backwards in (False, True):
                wanted = Search(
                    pattern="error", limit=2, backwards=backwards, streams=streams, rows=True, counted=streams
                )
                assert search(each, wanted, execution) == matching
                after = msgspec.structs.replace(wanted, start=begin, stop=max(begin, last))
                inside = [row for row in matching if begin <= row <= max(begin, last)]
                assert search(each, after, execution) == inside
    finally:
        kept.close()


def test_what_was_left_out_is_told_behind_its_row(kept: Kept) -> None:
    writer = Journals(kept.root, bytes(16), 1, floor=0).writer(TREE, create=True)
    assert writer is not None

    def gap(execution: str, size: int) -> None:
        writer.note(journal.GAP, execution, NOON, 0, b'{"bytes":%d}' % size, 1, "")

    gap(TREE, 1)
    writer.output(TREE, 1, NOON, b"one\ntw")
    writer.output(CHILD, 1, NOON, b"child\n")
    gap(CHILD, 2)
    writer.output(TREE, 1, NOON, b"o\n")
    gap(TREE, 3)
    indexes = Indexes(kept.root, kept.sources)
    expected: dict[str, tuple[list[bytes], list[tuple[int, bytes]]]] = {
        TREE: ([b"one\n", b"two\n"], [(0, b'{"bytes":1}'), (2, b'{"bytes":3}')]),
        CHILD: ([b"child\n"], [(1, b'{"bytes":2}')]),
        # The child's gap ends no line of another execution.
        "": ([b"one\n", b"two\n", b"child\n"], [(0, b'{"bytes":1}'), (3, b'{"bytes":2}'), (3, b'{"bytes":3}')]),
    }
    for execution, (lines, missing) in expected.items():
        page = rows_page(indexes, execution, 1, 9)
        assert [line.data for _, line in page.rows] == lines
        assert [(each.after, each.told) for each in page.missing] == missing
    assert rows_page(indexes, TREE, 2, 2).missing == [Missing(2, 1, b'{"bytes":3}')]


def test_what_was_left_out_is_told_also_where_a_stream_printed_nothing(kept: Kept, small_strides: None) -> None:
    writer = Journals(kept.root, bytes(16), 1, floor=0).writer(TREE, create=True)
    assert writer is not None
    writer.output(TREE, 2, NOON, b"first\n")
    for number in range(40):
        writer.output(TREE, 1, NOON, b"%d\n" % number)
        if number == 20:
            writer.note(journal.GAP, TREE, NOON, 0, b'{"bytes":5}', 2, "")
    writer.output(TREE, 2, NOON, b"second\n")
    page = rows_page(Indexes(kept.root, kept.sources), TREE, 1, 2, (2,))
    assert [line.data for _, line in page.rows] == [b"first\n", b"second\n"]
    assert page.missing == [Missing(1, 2, b'{"bytes":5}')]
