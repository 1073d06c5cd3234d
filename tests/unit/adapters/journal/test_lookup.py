"""Lines looked up in journals, running and sealed, by an index that may be missing, torn or old: compared with lines
that are counted byte by byte."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.core.naive_lines import Part, naive_lines

from squall.adapters.journal import ending, worker
from squall.adapters.journal import index as index_module
from squall.adapters.journal.index import LineIndex
from squall.adapters.journal.worker import Indexes, Question, Reply
from squall.adapters.keeper.journals import Journals
from squall.core import journal
from squall.core.line_query import Hits, Search
from squall.core.lines import Line, Missing
from squall.testing.journals import Kept
from squall.testing.samples import NOON, sample_id

TREE, CHILD = sample_id(1), sample_id(2)
WRITES = st.lists(
    st.tuples(
        st.sampled_from([TREE, TREE, CHILD]),
        st.sampled_from([1, 1, 2]),
        st.lists(st.sampled_from([b"ab", b"error", b"\n", b"x\r", b"\xff", b"\n"]), min_size=1, max_size=5).map(
            b"".join
        ),
    ),
    min_size=1,
    max_size=40,
)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path)
    yield made
    made.close()


@pytest.fixture
def small_strides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Marks and side files also for little output."""
    monkeypatch.setattr(index_module, "STRIDE", 16)
    monkeypatch.setattr(index_module, "_READ", 300)
    monkeypatch.setattr(index_module, "_WRITE_AFTER", 500)
    monkeypatch.setattr(index_module, "_SMALL", 0)


Writes = list[tuple[str, int, bytes]]


def write(kept: Kept, writes: Writes, *, first: int = 0, close: bool = False) -> None:
    """Writes them at one nanosecond after the other, from `first` nanoseconds after noon on."""
    journals = Journals(kept.root, bytes(16), 1, floor=0)
    writer = journals.writer(TREE, create=True)
    assert writer is not None
    for number, (execution, stream, data) in enumerate(writes, first):
        writer.output(execution, stream, NOON + number, data)
    if close:
        journals.close(TREE, NOON)


def seal(kept: Kept) -> None:
    async def work() -> None:
        await kept.archive.seal([TREE])
        await kept.archive.settle([TREE])

    asyncio.run(work())
    assert not (kept.root / journal.file_name(TREE)).exists()


def naive(writes: Writes, execution: str) -> list[tuple[int, int, int, bytes]]:
    """Number, stream, time and bytes of every line of an execution."""
    own = [(number, stream, data) for number, (each, stream, data) in enumerate(writes) if each == execution]
    lines = naive_lines([Part(stream, "", data) for _, stream, data in own])
    return [(line.number, line.stream, NOON + own[line.time - 1000][0], line.data) for line in lines]


def ask(indexes: Indexes, op: str, **more: object) -> Reply:
    reply = indexes.answer(Question(op=op, tree=TREE, seconds=20.0, **more))  # type: ignore[arg-type]
    assert not reply.error, reply
    return reply


def search(indexes: Indexes, wanted: Search, execution: str = TREE) -> list[int]:
    """All matches, page by page."""
    found: list[int] = []
    while True:
        hits = ask(indexes, "search", execution=execution, search=wanted).hits
        assert isinstance(hits, Hits)
        found += hits.numbers
        if not hits.resume:
            return sorted(found)
        if wanted.backwards:
            wanted = msgspec.structs.replace(wanted, stop=hits.resume)
        else:
            wanted = msgspec.structs.replace(wanted, start=hits.resume)


def compare(indexes: Indexes, writes: Writes, first: int, length: int) -> None:
    for execution in (TREE, CHILD):
        lines = naive(writes, execution)
        page = ask(indexes, "lines", execution=execution, first=first, last=first + length)
        shown = [(line.number, line.stream, line.time, line.data) for _, line in page.rows]
        assert shown == [line for line in lines if first <= line[0] <= first + length]
        assert page.number == len(lines)
    both = sorted(
        ((line[2], execution, line[0], line[3]) for execution in (TREE, CHILD) for line in naive(writes, execution)),
    )
    for executions, expected in ((None, both), ([TREE], [line for line in both if line[1] == TREE])):
        rows = ask(indexes, "tail", executions=executions, last=length).rows
        shown_rows = [(line.time, execution, line.number, line.data) for execution, line in rows]
        assert shown_rows == expected[max(0, len(expected) - length) :] if length else not rows
    for pattern in ("error", "^x", "b$", "e.*r"):
        expression = re.compile(pattern.encode().replace(b"$", b"(?=\\n?$)"))
        matching = [number for number, _, _, data in naive(writes, TREE) if expression.search(data.rstrip(b"\n"))]
        for backwards in (False, True):
            assert search(indexes, Search(pattern=pattern, limit=3, backwards=backwards)) == matching, pattern


def rows_of(indexes: Indexes, execution: str, first: int, last: int, streams: tuple[int, ...] | None, cut: int) -> Any:
    """Rows page by page, as (row, execution, line)."""
    found: list[tuple[int, str, Line]] = []
    while True:
        page = ask(indexes, "rows", execution=execution, first=first, last=last, streams=streams, cut=cut)
        found += [(page.first + at, each, line) for at, (each, line) in enumerate(page.rows)]
        first = page.first + len(page.rows)
        if not page.rows or first > min(page.number, last if last > 0 else page.number + last):
            return found, page.number


def naive_rows(writes: Writes, whole: bool, streams: tuple[int, ...] | None) -> list[tuple[str, int, bytes]]:
    """Execution, number among all of them, and bytes: of lines on some streams, in the order in which they begin."""
    parts = [Part(stream, execution, data) for execution, stream, data in writes if whole or execution == TREE]
    lines = naive_lines(parts)
    return [(line.tag, line.number, line.data) for line in lines if streams is None or line.stream in streams]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
        ask(indexes, "sums")
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
                assert (owner, line.number, line.data) == (name, number, body[:3] + data[len(body) :])
                assert line.left == max(0, len(body) - 3)
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


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(writes=WRITES, cut=st.integers(0, 40), first=st.integers(1, 12), length=st.integers(0, 8))
def test_running_and_sealed_journals_give_what_counting_every_byte_gives(
    tmp_path_factory: pytest.TempPathFactory, small_strides: None, writes: Writes, cut: int, first: int, length: int
) -> None:
    kept = Kept(tmp_path_factory.mktemp("journals"))
    try:
        indexes = Indexes(kept.root, kept.sources)
        cut = max(1, cut)
        write(kept, writes[:cut])
        compare(indexes, writes[:cut], first, length)
        write(kept, writes[cut:], first=cut)
        compare(indexes, writes, first, length)
        write(kept, [], close=True)
        fresh = Indexes(kept.root, kept.sources)
        before = [ask(fresh, "lines", execution=each, first=1, last=99).rows for each in (TREE, CHILD)]
        seal(kept)
        for each in (indexes, fresh, Indexes(kept.root, kept.sources)):
            assert [ask(each, "lines", execution=name, first=1, last=99).rows for name in (TREE, CHILD)] == before
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
        page = ask(indexes, "rows", execution=execution, first=1, last=9)
        assert [line.data for _, line in page.rows] == lines
        assert [(each.after, each.told) for each in page.missing] == missing
    assert ask(indexes, "rows", execution=TREE, first=2, last=2).missing == [Missing(2, 1, b'{"bytes":3}')]


LARGE: Writes = [(TREE if at % 3 else CHILD, 1, b"%06d %s\n" % (at, b"." * 90) * 40) for at in range(900)]


def counted(kept: Kept) -> LineIndex:
    source = kept.sources.open(TREE)
    assert source is not None
    index = LineIndex(source, kept.root / journal.lines_name(TREE))
    assert index.catch_up(source.committed, lambda: True)
    index.keep()
    source.close()
    return index


def test_the_side_file_is_private_and_is_gone_on_with(kept: Kept) -> None:
    write(kept, LARGE)
    first = counted(kept)
    path = kept.root / journal.lines_name(TREE)
    assert path.stat().st_mode & 0o777 == 0o600
    size = path.stat().st_size
    write(kept, LARGE)
    assert counted(kept).tallies[TREE].now.lines == 2 * first.tallies[TREE].now.lines
    assert path.stat().st_size > size
    kept_by = path.read_bytes()
    assert counted(kept).tallies == counted(kept).tallies
    assert path.read_bytes() == kept_by


@pytest.mark.parametrize("damage", ["missing", "empty", "torn", "flipped", "foreign", "ahead"])
def test_a_side_file_that_is_no_good_is_made_again(kept: Kept, damage: str) -> None:
    write(kept, LARGE)
    expected = counted(kept)
    path = kept.root / journal.lines_name(TREE)
    good = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "ahead":
        # A loss of power has taken back the end of the journal, and another end has been written since.
        live = kept.root / journal.file_name(TREE)
        live.unlink()
        write(kept, [(execution, stream, data.replace(b".", b"-", 7)) for execution, stream, data in LARGE])
        header = journal.unpack_header(live.read_bytes()[: journal.HEADER_SIZE])
        path.write_bytes(good[:8] + header.nonce + good[24:])
    else:
        middle = len(good) // 2
        bad = {
            "empty": b"",
            "torn": good[:-3],
            "flipped": good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :],
            "foreign": good[:8] + os.urandom(16) + good[24:],
        }
        path.write_bytes(bad[damage])
    again = counted(kept)
    lines = {execution: tally.now.lines for execution, tally in again.tallies.items()}
    assert lines == {execution: tally.now.lines for execution, tally in expected.tallies.items()}
    assert again.marks(TREE) == expected.marks(TREE) or damage == "ahead"
    source = kept.sources.open(TREE)
    assert source is not None
    reloaded = LineIndex(source, path)
    source.close()
    assert reloaded.counted > journal.HEADER_SIZE


def test_counting_ends_at_its_time_and_goes_on_from_there(kept: Kept) -> None:
    write(kept, LARGE)
    source = kept.sources.open(TREE)
    assert source is not None
    index = LineIndex(source, kept.root / journal.lines_name(TREE))
    turns = iter([True, False])
    assert not index.catch_up(source.committed, lambda: next(turns))
    assert journal.HEADER_SIZE < index.counted < source.committed
    assert index.catch_up(source.committed, lambda: True)
    assert index.tallies[TREE].now.lines == 40 * 600
    source.close()


def test_one_child_of_a_crowd_is_found_by_its_chain(kept: Kept, small_strides: None) -> None:
    crowd: Writes = [(sample_id(2 + at % 50), 1, b"%d\n" % at) for at in range(2000)]
    write(kept, crowd)
    page = ask(Indexes(kept.root, kept.sources), "lines", execution=sample_id(9), first=3, last=5)
    assert [line.data for _, line in page.rows] == [b"107\n", b"157\n", b"207\n"]


def test_the_side_file_of_a_journal_that_was_removed_is_not_made_again(kept: Kept) -> None:
    write(kept, LARGE)
    indexes = Indexes(kept.root, kept.sources)
    ask(indexes, "sums")
    asyncio.run(kept.archive.remove([TREE]))
    assert indexes.answer(Question(op="sums", tree=TREE, seconds=20.0)).sums == {}
    assert not (kept.root / journal.lines_name(TREE)).exists()


def test_bytes_are_found_by_their_number(kept: Kept, small_strides: None) -> None:
    write(kept, LARGE[:50])
    indexes = Indexes(kept.root, kept.sources)
    whole = b"".join(data for execution, _, data in LARGE[:50] if execution == TREE)
    for offset in (0, 1, 5000, len(whole) - 1):
        reply = ask(indexes, "byte", execution=TREE, first=offset)
        source = kept.sources.open(TREE)
        assert source is not None
        from squall.adapters.journal import reading

        batch = reading.read(source, source.pread, source.committed, reply.number, 1 << 24)
        rest = b"".join(bytes(record.payload) for record in batch.records if record.execution == TREE)
        assert rest[reply.skip :] == whole[offset:]
        source.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(writes=WRITES, count=st.integers(0, 9), stream=st.sampled_from([None, (1,), (2,)]))
def test_the_last_lines_are_the_same_without_counting(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    writes: Writes,
    count: int,
    stream: tuple[int, ...] | None,
) -> None:
    monkeypatch.setattr(ending, "_WINDOW", 200)
    kept = Kept(tmp_path_factory.mktemp("journals"))
    try:
        write(kept, writes)
        source = kept.sources.open(TREE)
        assert source is not None
        for executions in (None, [CHILD]):
            rows = ending.uncounted_tail(source, source.committed, executions, count, stream)
            counted_rows = ask(
                Indexes(kept.root, kept.sources), "tail", executions=executions, last=count, streams=stream
            ).rows
            assert [(each, line._replace(number=0)) for each, line in counted_rows] == rows
        source.close()
    finally:
        kept.close()
