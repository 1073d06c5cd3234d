"""Journals that are written, and looked into, by the tests of lines and rows."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from hypothesis import strategies as st
from tests.doubles.journals import Kept

from squall.adapters.journal.lines.messages import (
    AnyQuestion,
    AskLines,
    AskRows,
    AskSearch,
    AskSums,
    AskTail,
    Lines,
    Matches,
    Rows,
    Sums,
    Tail,
)
from squall.adapters.journal.lines.worker import Indexes
from squall.adapters.keeper.process.writing.journals import Journals
from squall.core.output.line_query import LinePage, OutputSums, RowPage, Search
from squall.core.output.lines import Line
from squall.testing.samples import NOON, sample_id

A = TypeVar("A")

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


def ask(indexes: Indexes, kind: type[A], question: AnyQuestion) -> A:
    """Returns the answer to a question. Fails if it is not of the type `kind`."""
    answer = indexes.answer(question)
    assert isinstance(answer, kind), answer
    return answer


def lines_page(
    indexes: Indexes, execution: str, first: int, last: int, streams: tuple[int, ...] | None = None
) -> LinePage:
    """Lines by number."""
    asked = AskLines(tree=TREE, seconds=20.0, execution=execution, first=first, last=last, streams=streams)
    return ask(indexes, Lines, asked).page


def rows_page(
    indexes: Indexes,
    execution: str,
    first: int,
    last: int,
    streams: tuple[int, ...] | None = None,
    cut: int | None = None,
) -> RowPage:
    """Rows by number."""
    asked = AskRows(tree=TREE, seconds=20.0, execution=execution, first=first, last=last, streams=streams, cut=cut)
    return ask(indexes, Rows, asked).page


def count_all(indexes: Indexes) -> dict[str, OutputSums]:
    """The sums of all executions, for which all lines are counted."""
    return ask(indexes, Sums, AskSums(tree=TREE, seconds=20.0)).sums


def last_rows(
    indexes: Indexes, executions: list[str] | None, count: int, streams: tuple[int, ...] | None = None
) -> list[tuple[str, Line]]:
    """The last lines."""
    asked = AskTail(tree=TREE, seconds=20.0, executions=executions, count=count, streams=streams)
    return ask(indexes, Tail, asked).rows


def search(indexes: Indexes, wanted: Search, execution: str = TREE) -> list[int]:
    """All matches, page by page."""
    found: list[int] = []
    while True:
        asked = AskSearch(tree=TREE, seconds=20.0, execution=execution, search=wanted)
        hits = ask(indexes, Matches, asked).hits
        found += hits.numbers
        if not hits.resume:
            return sorted(found)
        if wanted.backwards:
            wanted = msgspec.structs.replace(wanted, stop=hits.resume)
        else:
            wanted = msgspec.structs.replace(wanted, start=hits.resume)
