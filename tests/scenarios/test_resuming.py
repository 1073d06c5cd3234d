"""A follower that is cut off anywhere and comes back where it was: nothing is lost, nothing comes twice."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from tests.scenarios.live.server import OUTPUT, UPDATE, Server
from tests.scenarios.live.wire import Event, Stream

Opener = Callable[[str], Stream]

# Several writes of many lines each: a cut falls into the middle of what the server has read at once.
WRITES = [b"".join(b"%d.%d %s\n" % (part, line, b"abc\xe2\x82\xac\xff" * (line % 5)) for line in range(40))
          for part in range(8)]  # fmt: skip
WHOLE = b"".join(WRITES)


def ran(server: Server) -> str:
    """An execution that has printed `WHOLE` and ended."""
    with server.puppet() as (execution, strings), server.output(execution, format="raw") as stream:
        for write in WRITES:
            strings.say(write)
            stream.until(write[-20:])
        strings.end()
        stream.rest()
    return execution


def cut_often(connect: Opener, ends: Callable[[Event], bool], seed: int, longest: int) -> list[Event]:
    """Reads by connections that break after a random number of bytes, until an event that `ends` it."""
    rng = random.Random(seed)
    found: list[Event] = []
    last_id = ""
    for _ in range(3000):
        # A connection may break before a single event: now and then one must live longer, or nothing moves.
        budget = rng.randrange(1, longest) * (1 if rng.random() < 0.7 else 8)
        with connect(last_id) as stream:
            assert stream.status == 200, stream.rest()
            while stream.received < budget:
                data = stream.read(min(997, budget - stream.received))
                assert data, "the stream ended before its last event"
                for event in stream.parser.feed(data):
                    found.append(event)
                    if ends(event):
                        return found
            # An id counts once its event is whole.
            last_id = stream.parser.last_id or last_id
    raise AssertionError("the stream makes no progress")


def outputs(events: list[Event]) -> list[Event]:
    return [event for event in events if event.name == OUTPUT]


def assert_no_id_twice(events: list[Event]) -> None:
    ids = [event.id for event in events if event.name not in ("EOF", "gap")]
    assert len(ids) == len(set(ids))


@pytest.fixture(scope="module")
def finished(server: Server) -> str:
    return ran(server)


@pytest.mark.parametrize("seed", range(4))
def test_raw_output_events_are_exact_over_any_cuts(server: Server, finished: str, seed: int) -> None:
    events = cut_often(
        lambda last: server.output(finished, format="sse", raw_data="true", last_event_id=last),
        lambda event: event.name == "EOF",
        seed,
        6000,
    )
    assert b"".join(event.raw for event in outputs(events)) == WHOLE
    assert_no_id_twice(events)


@pytest.mark.parametrize("seed", range(4))
def test_text_output_events_say_the_same_text_over_any_cuts(server: Server, finished: str, seed: int) -> None:
    events = cut_often(
        lambda last: server.output(finished, format="sse", last_event_id=last),
        lambda event: event.name == "EOF",
        seed,
        6000,
    )
    assert "".join(event.body["data"] for event in outputs(events)) == WHOLE.decode("utf-8", "replace")
    assert_no_id_twice(events)


@pytest.mark.parametrize("seed", range(4))
def test_the_tail_stream_is_exact_over_cuts_within_a_record_of_many_lines(
    server: Server, finished: str, seed: int
) -> None:
    whole = server.tail(finished)
    assert len(whole) > 300
    query = {"end_execution_id": finished, "events": f"{UPDATE},{OUTPUT}"}
    events = cut_often(
        lambda last: server.stream(last_event_id=last, **query),
        lambda event: event.name == UPDATE and event.body["status"] == "succeeded",
        seed,
        4000,
    )
    assert events == whole
    assert_no_id_twice(events)
    assert "".join(event.body["data"] for event in outputs(events)) == WHOLE.decode("utf-8", "replace")


def test_the_tail_stream_resumes_exactly_behind_each_of_its_events(server: Server) -> None:
    with server.puppet() as (top, strings), server.output(top) as stream:
        strings.say(b"a\nb\nc\n")
        stream.until(b"c\n")
        server.ended(server.shell("echo d; echo e", parent=top))
        strings.end()
    # Everything there is, liveactions too: two events for one change.
    every = "st2.execution__*,st2.liveaction__*,st2.execution.output__*"
    whole = server.tail(top, every)
    assert len(whole) > 8
    for number, event in enumerate(whole[:-1], 1):
        assert server.tail(top, every, event.id) == whole[number:], (number, event)
    assert server.tail(top, every, whole[-1].id) == []


def test_the_tail_stream_is_exact_over_cuts_while_the_action_runs(server: Server) -> None:
    rng = random.Random(7)
    found: list[Event] = []
    last_id = ""
    with server.puppet() as (execution, strings):
        for number in range(30):
            strings.say(b"".join(b"%d %d\n" % (number, line) for line in range(rng.randrange(1, 9))))
            query = {"end_execution_id": execution, "events": f"{UPDATE},{OUTPUT}"}
            with server.stream(last_event_id=last_id, **query) as stream:
                for event in stream.events():
                    found.append(event)
                    last_id = event.id
                    if rng.random() < 0.4:
                        break
        strings.end()
        found += server.tail(execution, last_event_id=last_id)
    assert found == server.tail(execution)


def test_output_resumes_behind_every_position_by_header_and_by_parameter(server: Server, finished: str) -> None:
    with server.output(finished, format="ndjson") as stream:
        lines = [Event("", OUTPUT, line).body for line in stream.rest().decode().splitlines()]
    assert len(lines) >= 1
    with server.output(finished, format="sse", raw_data="true") as stream:
        positions = [event.id for event in stream.events() if event.name == OUTPUT]
    rests = set()
    for position in positions:
        with server.output(finished, format="raw", after=position) as stream:
            by_parameter = stream.rest()
        with server.output(finished, format="raw", last_event_id=position) as stream:
            assert stream.rest() == by_parameter
        assert WHOLE.endswith(by_parameter)
        rests.add(by_parameter)
    assert b"" in rests
    assert len(rests) == len(positions)


def test_text_is_the_same_when_a_reader_resumes_within_an_unfinished_character(server: Server) -> None:
    with server.puppet() as (execution, strings), server.output(execution, format="raw") as stream:
        for piece in (b"one \xe2", b"\x82\xac two \xf0", b"\x9f"):
            strings.say(piece)
            stream.until(piece)
        strings.end()
        stream.rest()
    text = "one € two \N{REPLACEMENT CHARACTER}"
    with server.output(execution, format="sse") as stream:
        events = outputs(list(stream.events()))
    assert "".join(event.body["data"] for event in events) == text
    for number, event in enumerate(events, 1):
        with server.output(execution, format="sse", last_event_id=event.id) as stream:
            rest = outputs(list(stream.events()))
        assert "".join(found.body["data"] for found in events[:number] + rest) == text, number


def test_a_follower_that_resumes_while_the_action_runs_gets_the_rest_once(server: Server) -> None:
    with server.puppet() as (execution, strings):
        got, position = b"", ""
        for number in range(20):
            line = b"%d\n" % number
            strings.say(line)
            with server.output(execution, format="sse", raw_data="true", last_event_id=position) as stream:
                for event in stream.events():
                    got += event.raw
                    position = event.id
                    if got.endswith(line):
                        break
        assert got == b"".join(b"%d\n" % number for number in range(20))


def test_a_stream_filtered_by_type_resumes_at_ids_of_the_unfiltered_one(server: Server) -> None:
    execution = server.shell("for i in 1 2 3 4; do echo out$i; echo err$i >&2; sleep 0.01; done")
    server.ended(execution)
    with server.output(execution, format="sse", raw_data="true") as stream:
        events = [event for event in stream.events() if event.name == OUTPUT]
    for number, event in enumerate(events, 1):
        rest = [later.raw for later in events[number:] if later.body["output_type"] == "stderr"]
        with server.output(execution, format="raw", type="stderr", after=event.id) as one:
            assert one.rest() == b"".join(rest)
