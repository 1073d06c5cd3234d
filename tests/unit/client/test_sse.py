from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from squall.client.sse import Event, Parser
from squall.core.errors import UnavailableError

STREAM = (
    b':\n\nid: f-1\nevent: st2.execution.output__create\ndata: {"a": 1}\n\n'
    b"data: two\ndata: lines\n\nid: f-2\n\nevent: gap\ndata\n\n: nothing\ndata:no space\n\nevent: EOF\ndata: ''\n\n"
    b"data: never finished\n"
)
EVENTS = [
    Event("f-1", "st2.execution.output__create", b'{"a": 1}'),
    Event("f-1", "message", b"two\nlines"),
    Event("f-2", "gap", b""),
    Event("f-2", "message", b"no space"),
    Event("f-2", "EOF", b"''"),
]


def parse(chunks: list[bytes]) -> list[Event]:
    parser = Parser()
    return [event for chunk in chunks for event in parser.feed(chunk)]


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def test_a_whole_stream_gives_its_events() -> None:
    assert parse([STREAM]) == EVENTS


def test_one_byte_at_a_time_gives_the_same_events() -> None:
    assert parse([STREAM[at : at + 1] for at in range(len(STREAM))]) == EVENTS


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@given(cuts=st.lists(st.integers(0, 10_000), max_size=20))
@settings(max_examples=60, deadline=None)
def test_any_split_gives_the_same_events_with_any_line_end(line_end: bytes, cuts: list[int]) -> None:
    assert parse(split(STREAM.replace(b"\n", line_end), cuts)) == EVENTS


@given(
    payloads=st.lists(st.binary(max_size=50).map(lambda b: b.replace(b"\n", b"?").replace(b"\r", b"?")), max_size=8),
    cuts=st.lists(st.integers(0, 10_000), max_size=12),
)
@settings(max_examples=100, deadline=None)
def test_any_payload_comes_back_as_it_was(payloads: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(b"id: %d\ndata: %b\n\n" % (number, data) for number, data in enumerate(payloads))
    got = parse(split(stream, cuts))
    assert [(event.id, event.data) for event in got] == [(str(n), data) for n, data in enumerate(payloads)]


def test_an_id_with_a_nul_is_ignored() -> None:
    assert parse([b"id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n"])[1].id == "1"


def test_the_last_id_counts_also_without_data() -> None:
    parser = Parser()
    assert parser.feed(b"id: f-9\n\n") == []
    assert parser.last_id == "f-9"


def test_an_endless_event_is_refused() -> None:
    parser = Parser(max_event_bytes=1000)
    with pytest.raises(UnavailableError, match="1000 bytes"):
        for _ in range(20):
            parser.feed(b"data: " + b"x" * 100)
