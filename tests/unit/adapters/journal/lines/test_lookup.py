"""Lines looked up in journals, running and sealed, by an index that may be missing, torn or old: compared with lines
that are counted byte by byte."""

from __future__ import annotations

import asyncio
import os
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.doubles.journals import Kept
from tests.unit.adapters.journal.lines.looking import (
    CHILD,
    TREE,
    WRITES,
    Writes,
    ask,
    count_all,
    last_rows,
    lines_page,
    search,
    write,
)
from tests.unit.core.output.naive_lines import Part, naive_lines

from squall.adapters.journal.lines import ending
from squall.adapters.journal.lines.index import LineIndex
from squall.adapters.journal.lines.messages import AskByte, BytePlace
from squall.adapters.journal.lines.worker import Indexes
from squall.core.output import journal
from squall.core.output.line_query import Search
from squall.testing.samples import NOON, sample_id


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


def compare(indexes: Indexes, writes: Writes, first: int, length: int) -> None:
    for execution in (TREE, CHILD):
        lines = naive(writes, execution)
        page = lines_page(indexes, execution, first, first + length)
        shown = [(line.number, line.stream, line.time, line.data) for line in page.lines]
        assert shown == [line for line in lines if first <= line[0] <= first + length]
        assert page.total == len(lines)
    both = sorted(
        ((line[2], execution, line[0], line[3]) for execution in (TREE, CHILD) for line in naive(writes, execution)),
    )
    for executions, expected in ((None, both), ([TREE], [line for line in both if line[1] == TREE])):
        rows = last_rows(indexes, executions, length)
        shown_rows = [(line.time, execution, line.number, line.data) for execution, line in rows]
        assert shown_rows == expected[max(0, len(expected) - length) :] if length else not rows
    for pattern in ("error", "^x", "b$", "e.*r"):
        expression = re.compile(pattern.encode().replace(b"$", b"(?=\\n?$)"))
        matching = [number for number, _, _, data in naive(writes, TREE) if expression.search(data.rstrip(b"\n"))]
        for backwards in (False, True):
            assert search(indexes, Search(pattern=pattern, limit=3, backwards=backwards)) == matching, pattern


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
        before = [lines_page(fresh, each, 1, 99).lines for each in (TREE, CHILD)]
        seal(kept)
        for each in (indexes, fresh, Indexes(kept.root, kept.sources)):
            assert [lines_page(each, name, 1, 99).lines for name in (TREE, CHILD)] == before
    finally:
        kept.close()


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
    page = lines_page(Indexes(kept.root, kept.sources), sample_id(9), 3, 5)
    assert [line.data for line in page.lines] == [b"107\n", b"157\n", b"207\n"]


def test_the_side_file_of_a_journal_that_was_removed_is_not_made_again(kept: Kept) -> None:
    write(kept, LARGE)
    indexes = Indexes(kept.root, kept.sources)
    assert count_all(indexes)
    asyncio.run(kept.archive.remove([TREE]))
    assert count_all(indexes) == {}
    assert not (kept.root / journal.lines_name(TREE)).exists()


def test_bytes_are_found_by_their_number(kept: Kept, small_strides: None) -> None:
    write(kept, LARGE[:50])
    indexes = Indexes(kept.root, kept.sources)
    whole = b"".join(data for execution, _, data in LARGE[:50] if execution == TREE)
    for offset in (0, 1, 5000, len(whole) - 1):
        place = ask(indexes, BytePlace, AskByte(tree=TREE, seconds=20.0, execution=TREE, offset=offset))
        source = kept.sources.open(TREE)
        assert source is not None
        from squall.adapters.journal import reading

        batch = reading.read(source, source.pread, source.committed, place.position, 1 << 24)
        rest = b"".join(bytes(record.payload) for record in batch.records if record.execution == TREE)
        assert rest[place.skip :] == whole[offset:]
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
            counted_rows = last_rows(Indexes(kept.root, kept.sources), executions, count, stream)
            assert [(each, line._replace(number=0)) for each, line in counted_rows] == rows
        source.close()
    finally:
        kept.close()
