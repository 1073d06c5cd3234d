"""Journals that are written, and looked into, by the tests of lines and rows."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st
from tests.doubles.journals import Kept

from squall.adapters.journal.lines.worker import Indexes, Question, Reply
from squall.adapters.keeper.journals import Journals
from squall.core.output.line_query import Hits, Search
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
