from __future__ import annotations

import base64
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.unit.api.records import FIRST, SECOND, gap, output, status

from squall.api.output.forms.records import (
    NDJSON,
    RAW,
    SSE,
    SSE_RAW,
    TEXT,
    encode,
    leftovers,
    pieces,
)
from squall.core.output.journal import Record
from squall.services.output.labels import Label

LABELS = {FIRST: Label("core.local", "local-shell-cmd", None)}

parts = st.lists(
    st.tuples(
        st.one_of(st.binary(max_size=8), st.sampled_from([b"\xe2", b"\x82", b"\xac", b"\n", b"a\n", "€\n".encode()])),
        st.sampled_from([1, 2]),
    ),
    max_size=12,
)


def cut(records: list[Record], at: int) -> list[list[Record]]:
    """The records as two batches."""
    at = min(at, len(records))
    return [records[:at], records[at:]]


def texts(form: str, batches: list[list[Record]]) -> dict[str, str]:
    """The text of each stream, from events or JSON lines, with what was never finished."""
    found = {"stdout": "", "stderr": ""}
    leads: dict[tuple[str, int], bytes] = {}
    raw = b""
    for batch in batches:
        encoded = encode(form, batch, LABELS)
        leads.update(encoded.leads)
        raw += encoded.data
    raw += leftovers(form, leads, LABELS, 4096)
    for line in raw.decode().split("\n"):
        text = line if form == NDJSON else line.removeprefix("data: ") if line.startswith("data: ") else ""
        if text:
            document = json.loads(text)
            found[document["output_type"]] += document["data"]
    return found


@given(parts, st.integers(0, 12))
@example([("\x85\u2028".encode(), 1)], 0)
def test_text_is_decoded_with_replacement_wherever_it_was_cut(found: list[tuple[bytes, int]], at: int) -> None:
    whole = {
        name: b"".join(data for data, stream in found if stream == number).decode("utf-8", "replace")
        for name, number in (("stdout", 1), ("stderr", 2))
    }
    batches = cut(output(found), at)
    assert texts(SSE, batches) == whole
    assert texts(NDJSON, batches) == whole


@given(st.lists(st.binary(max_size=6), max_size=10), st.integers(0, 10))
def test_the_text_of_one_stream_is_that_of_its_bytes(found: list[bytes], at: int) -> None:
    leads: dict[tuple[str, int], bytes] = {}
    data = b""
    for batch in cut(output([(part, 1) for part in found]), at):
        encoded = encode(TEXT, batch, {})
        leads.update(encoded.leads)
        data += encoded.data
    data += leftovers(TEXT, leads, {}, 4096)
    assert data.decode() == b"".join(found).decode("utf-8", "replace")


@given(parts)
def test_raw_is_the_bytes(found: list[tuple[bytes, int]]) -> None:
    assert encode(RAW, output(found), {}).data == b"".join(data for data, _ in found)


@given(parts)
@example([("\x85\u2028".encode(), 1)])
def test_raw_events_hold_the_exact_bytes_and_the_position_behind_them(found: list[tuple[bytes, int]]) -> None:
    records = output(found)
    got, last = b"", ""
    for line in encode(SSE_RAW, records, LABELS).data.decode().split("\n"):
        if line.startswith("id: "):
            last = line[4:]
        if line.startswith("data: "):
            body = json.loads(line[6:])
            got += base64.b64decode(body["data_b64"]) if "data_b64" in body else body["data"].encode()
            assert body["position"] == last
    assert got == b"".join(data for data, _ in found)
    assert last == (f"f-{records[-1].end}" if records else "")


def test_neighbours_of_one_stream_leave_as_one_piece() -> None:
    records = output([(b"a", 1), (b"b", 1), (b"c", 2), (b"d", 2), (b"e", 1)])
    assert [bytes(piece.payload) for piece in pieces(records)] == [b"ab", b"cd", b"e"]
    mixed = [*output([(b"a", 1)]), *output([(b"b", 1)], SECOND), gap(b"{}"), gap(b"{}")]
    assert len(pieces(mixed)) == 4


def test_what_comes_at_the_end_is_a_replacement_for_each_unfinished_character() -> None:
    leads = {(FIRST, 1): b"\xe2\x82", (FIRST, 2): b"", (SECOND, 1): b"\xf0"}
    assert leftovers(TEXT, leads, {}, 4096).decode() == "\N{REPLACEMENT CHARACTER}" * 2
    assert leftovers(RAW, leads, {}, 4096) == b""
    assert leftovers(SSE_RAW, leads, {}, 4096) == b""
    assert leftovers(SSE, {}, {}, 4096) == b""


@pytest.mark.parametrize("form", [NDJSON, SSE])
def test_each_unfinished_character_has_a_place_behind_it_and_none_comes_twice(form: str) -> None:
    leads = {(FIRST, 3): b"\xc3", (FIRST, 2): b"", (FIRST, 1): b"\xf0\x9f"}
    between = b"\n" if form == NDJSON else b"\n\n"
    first, second = leftovers(form, leads, LABELS, 4096).rstrip(b"\n").split(between)
    assert (b"f-4096~1" in first, b"f-4096~2" in second) == (True, True)
    assert leftovers(form, leads, LABELS, 4096, 1).rstrip(b"\n") == second
    assert leftovers(form, leads, LABELS, 4096, 2) == b""


@pytest.mark.parametrize("form", [TEXT, NDJSON, SSE, SSE_RAW])
def test_a_gap_is_told_in_every_format_but_raw(form: str) -> None:
    record = gap(b'{"bytes": 17, "reason": "limit", "limit": 5}')
    assert b"17" in encode(form, [record], LABELS).data
    assert encode(RAW, [record], LABELS).data == b""


def test_a_gap_event_has_its_name_and_position() -> None:
    record = gap(b'{"bytes": 17, "reason": "limit"}')
    head, name, data = encode(SSE, [record], {}).data.decode().rstrip("\n").split("\n")
    assert (head, name) == (f"id: f-{record.end}", "event: gap")
    assert json.loads(data.removeprefix("data: ")).items() >= {"bytes": 17, "execution_id": FIRST}.items()


def test_a_status_names_the_task_and_the_item_of_its_execution() -> None:
    record = status("failed", SECOND)
    labels = {SECOND: Label("core.noop", "noop", FIRST, "roll", 1, 3)}
    fields = {
        "execution_id": SECOND,
        "status": "failed",
        "final": True,
        "timestamp": "2023-11-14T22:13:20.000000Z",
        "position": f"f-{record.end}",
        "parent": FIRST,
        "task": "roll",
        "item": 3,
    }
    event = encode(SSE, [record], labels).data.decode()
    start, _, body = event.partition("data: ")
    assert (start, json.loads(body)) == (f"id: f-{record.end}\nevent: status\n", fields)
    assert json.loads(encode(NDJSON, [record], labels).data) == {"status": fields}
    assert encode(TEXT, [record], labels).data == encode(RAW, [record], labels).data == b""
