"""Lines: what counts as one, which number it has, whatever the records are that its bytes come in."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.output.naive_lines import Part, naive_lines, records_of

from squall.core.output.lines import Assembler, Line, LineCounter, LineStream

PARTS = st.lists(
    st.tuples(st.sampled_from([1, 2, 3]), st.sampled_from(["", "a"]), st.text("ab\n\r\udcff", max_size=8)).map(
        lambda drawn: Part(drawn[0], drawn[1], drawn[2].encode("utf-8", "surrogateescape"))
    )
    | st.sampled_from([Part(0, "", None), Part(1, "", None)]),
    max_size=30,
)


def numbered(parts: Sequence[Part]) -> list[tuple[int, bytes]]:
    counter = LineCounter()
    assembler = Assembler(counter, 1, 1 << 53)
    for record in records_of(parts):
        assembler.take(record)
    return [(line.number, line.data) for line in assembler.lines()]


def test_a_line_has_its_number_from_its_first_byte_and_ends_behind_its_newline() -> None:
    parts = [Part(1, "", b"ab"), Part(2, "", b"x\n"), Part(1, "", b"c\n")]
    assert numbered(parts) == [(1, b"abc\n"), (2, b"x\n")]


def test_neither_a_carriage_return_nor_the_end_of_a_record_ends_a_line() -> None:
    assert numbered([Part(1, "", b"10%\r"), Part(1, "", b"20%\r\n"), Part(1, "", b"done")]) == [
        (1, b"10%\r20%\r\n"),
        (2, b"done"),
    ]


def test_bytes_that_are_no_text_are_bytes_of_lines() -> None:
    assert numbered([Part(1, "", b"\xff\xc3"), Part(1, "", b"\n\x00\n")]) == [(1, b"\xff\xc3\n"), (2, b"\x00\n")]


def test_an_empty_line_is_a_line_and_an_empty_record_is_none() -> None:
    assert numbered([Part(1, "", b"\n\n"), Part(1, "", b""), Part(1, "", b"a\n")]) == [
        (1, b"\n"), (2, b"\n"), (3, b"a\n"),
    ]  # fmt: skip


def test_streams_and_tags_have_open_lines_of_their_own() -> None:
    parts = [Part(1, "h1", b"a"), Part(1, "h2", b"b"), Part(1, "h1", b"a\n"), Part(1, "h2", b"b\n")]
    assert numbered(parts) == [(1, b"aa\n"), (2, b"bb\n")]


def test_a_gap_ends_the_open_line_of_its_stream_only() -> None:
    parts = [Part(1, "", b"a"), Part(2, "", b"x"), Part(1, "", None), Part(1, "", b"b\n"), Part(2, "", b"y\n")]
    assert numbered(parts) == [(1, b"a"), (2, b"xy\n"), (3, b"b\n")]


@given(PARTS)
def test_counting_gives_what_a_byte_by_byte_count_gives(parts: list[Part]) -> None:
    counter = LineCounter()
    for record in records_of(parts):
        counter.gap(record.stream) if parts[record.event].data is None else counter.take(
            record.stream, record.tag, record.payload
        )
    assert counter.lines == len(naive_lines(parts))


@given(PARTS, st.integers(1, 12), st.integers(0, 12), st.sampled_from([None, (1,), (2, 3)]))
def test_any_range_of_lines_is_cut_out_of_all_of_them(
    parts: list[Part], first: int, length: int, streams: tuple[int, ...] | None
) -> None:
    assembler = Assembler(LineCounter(), first, first + length, streams)
    for record in records_of(parts):
        assembler.take(record)
    expected = [
        line for line in naive_lines(parts)
        if first <= line.number <= first + length and (streams is None or line.stream in streams)
    ]  # fmt: skip
    assert list(assembler.lines()) == expected


@given(PARTS, st.integers(0, 30))
def test_who_follows_gets_each_line_once_when_it_is_complete(parts: list[Part], cut: int) -> None:
    records = records_of(parts)
    before, counter = Assembler(LineCounter(), 1, 1 << 53), LineCounter()
    for record in records[:cut]:
        before.take(record)
        counter.gap(record.stream) if parts[record.event].data is None else counter.take(
            record.stream, record.tag, record.payload
        )
    begun = [line for line in before.lines() if line.number in counter.open.values()]
    stream = LineStream(counter, begun)
    found: list[Line] = [line for line in before.lines() if line not in begun]
    for record in records[cut:]:
        found += stream.take(record)
    found += stream.rest()
    assert sorted((line.number, line.data) for line in found) == [
        (line.number, line.data) for line in naive_lines(parts)
    ]


def cut(*pieces: bytes, most: int) -> Line:
    """The one line that these make, of which at most so many bytes are kept."""
    assembler = Assembler(LineCounter(), 1, 1, most=most)
    for record in records_of([Part(1, "", piece) for piece in pieces]):
        assembler.take(record)
    (line,) = assembler.lines()
    return line


def test_the_beginning_of_a_long_line_is_kept() -> None:
    line = cut(b"abc", b"defg", b"hij\n", most=5)
    assert (line.data, line.left, line.from_end) == (b"abcde\n", 5, False)
    assert cut(b"abc", b"de\n", most=5)[5:] == (b"abcde\n", 0, False)
    # A carriage return before the newline is no way back.
    assert cut(b"abcdefg\r\n", most=5)[5:] == (b"abcde\n", 3, False)


def test_the_end_is_kept_of_a_long_line_that_goes_back_to_its_beginning() -> None:
    assert cut(b"\r1%", b"\r2%\r3", b"%\r4%", most=7)[5:] == (b"\r3%\r4%", 6, True)
    assert cut(b"\r1%", b"\r2%\r3", b"%\r4%\n", most=7)[5:] == (b"\r3%\r4%\n", 6, True)
