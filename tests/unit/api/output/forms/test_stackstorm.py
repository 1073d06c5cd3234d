from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.api.records import FIRST, output

from squall.api.output.forms.stackstorm import joined_events, line_events, line_texts
from squall.services.output.labels import Label

LABEL = Label("core.local", "local-shell-cmd", None)

tricky = st.lists(st.sampled_from([b"a", b"\n", b'"', b",", b'","', b"\\", b"\0", b"\r", b"\xff", "€".encode()])).map(
    b"".join
)


@given(tricky)
def test_lines_keep_their_newline_and_the_rest_has_none(data: bytes) -> None:
    [record] = output([(data, 1)])
    texts = line_texts(record)
    assert "".join(texts) == data.decode("utf-8", "replace")
    assert all(text.endswith("\n") and text.count("\n") == 1 for text in texts[:-1])
    assert all(texts)


@given(tricky)
def test_each_line_is_one_event_whatever_is_in_it(data: bytes) -> None:
    [record] = output([(data, 2)])
    texts = line_texts(record)
    events = line_events(record, texts, LABEL)
    assert len(events) == len(texts)
    for event, text in zip(events, texts, strict=True):
        name, body, *rest = event.decode().split("\n")
        assert (name, rest) == ("event: st2.execution.output__create", ["", ""])
        document = json.loads(body.removeprefix("data: "))
        assert (document["data"], document["output_type"], document["execution_id"]) == (text, "stderr", FIRST)
        assert (document["action_ref"], document["runner_ref"]) == ("core.local", "local-shell-cmd")


@given(tricky)
def test_joined_events_are_the_same_events_under_one_id(data: bytes) -> None:
    [record] = output([(data, 1)])
    texts = line_texts(record)
    expected = b"".join(b"id: 7\n" + event for event in line_events(record, texts, LABEL))
    assert joined_events(record, texts, LABEL, b"7") == expected


def test_a_character_that_began_before_is_shown_where_it_ends() -> None:
    first, second = output([(b"\xe2\x82", 1), (b"\xac\n", 1)])
    assert line_texts(first) == []
    assert line_texts(second) == ["€\n"]
    assert line_events(first, [], LABEL) == []
    assert joined_events(first, [], LABEL, b"1") == b""
