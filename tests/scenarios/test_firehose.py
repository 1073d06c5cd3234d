"""The stream of everything: what is in it without being asked, its filters, its ids, its heartbeats."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.scenarios.live.server import FINAL, OUTPUT, UPDATE, Server
from tests.scenarios.live.wire import Event, Stream

CREATE = "st2.execution__create"
LIVEACTION_CREATE, LIVEACTION_UPDATE = "st2.liveaction__create", "st2.liveaction__update"


def until_end_of(stream: Stream, execution_id: str) -> list[Event]:
    """Every event up to the final update of an execution."""
    found: list[Event] = []
    for event in stream.events():
        found.append(event)
        body = event.body
        if event.name == UPDATE and body["id"] == execution_id and body["status"] in FINAL:
            return found
    raise AssertionError("the stream ended before the execution")


def listening(server: Server, **query: str) -> Stream:
    """A stream whose first byte has come: from then on nothing is missed."""
    stream = server.stream(**query)
    assert stream.status == 200
    assert stream.read(1) == b"\n"
    return stream


def test_one_execution_is_eight_events_without_its_output(server: Server) -> None:
    with listening(server) as stream:
        execution = server.shell("echo x")
        events = until_end_of(stream, execution)
    assert [(event.name, event.body["status"]) for event in events] == [
        (LIVEACTION_CREATE, "requested"), (CREATE, "requested"),
        (LIVEACTION_UPDATE, "scheduled"), (UPDATE, "scheduled"),
        (LIVEACTION_UPDATE, "running"), (UPDATE, "running"),
        (LIVEACTION_UPDATE, "succeeded"), (UPDATE, "succeeded"),
    ]  # fmt: skip
    assert events[-1].body["result"]["stdout"] == "x"
    for event in events[0:8:2]:
        assert isinstance(event.body["result"], str)
        assert event.body["action"] == "core.local"
    assert events[1].body["action"]["ref"] == "core.local"
    assert events[-1].body == server.get(f"/v1/executions/{execution}")


def test_what_is_requested_after_the_first_byte_is_never_missed(server: Server) -> None:
    for _ in range(25):
        with listening(server, events=CREATE) as stream:
            execution = server.request("core.noop")
            assert next(iter(stream.events())).body["id"] == execution


def test_nothing_is_replayed_unless_it_is_asked_for(server: Server) -> None:
    server.ended(server.request("core.noop"))
    with listening(server) as stream:
        execution = server.request("core.noop")
        assert {event.body["id"] for event in until_end_of(stream, execution) if "execution__" in event.name} == {
            execution
        }


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("st2.execution__*", {CREATE, UPDATE}),
        ("st2.execution*", {CREATE, UPDATE, OUTPUT}),
        ("*__update", {UPDATE, LIVEACTION_UPDATE}),
        (f"{OUTPUT},{UPDATE}", {OUTPUT, UPDATE}),
        ("*", {CREATE, UPDATE, OUTPUT, LIVEACTION_CREATE, LIVEACTION_UPDATE}),
    ],
)
def test_events_are_chosen_by_name_and_by_glob(plain_server: Server, asked: str, names: set[str]) -> None:
    with listening(plain_server, events=asked) as stream:
        execution = plain_server.shell("echo x")
        assert {event.name for event in until_end_of(stream, execution)} == names


def test_executions_are_chosen_by_id_which_drops_liveactions(plain_server: Server) -> None:
    with (
        plain_server.puppet() as (execution, strings),
        listening(plain_server, execution_ids=execution, events="*") as stream,
    ):
        plain_server.ended(plain_server.shell("echo other"))
        strings.say(b"mine\n")
        strings.end()
        events = until_end_of(stream, execution)
    assert {event.name for event in events} <= {CREATE, UPDATE, OUTPUT}
    assert {event.body.get("execution_id", event.body.get("id")) for event in events} == {execution}
    assert "mine\n" in [event.body.get("data") for event in events]


def test_executions_are_chosen_by_action(plain_server: Server) -> None:
    with listening(plain_server, action_refs="core.local,core.echo", events="*") as stream:
        plain_server.ended(plain_server.request("core.noop"))
        execution = plain_server.shell("echo x")
        events = until_end_of(stream, execution)
    assert len(events) == 9
    assert all("noop" not in event.data for event in events)


def test_all_output_comes_before_the_final_update(server: Server) -> None:
    with listening(server, events=f"{OUTPUT},{UPDATE}") as stream:
        execution = server.shell("for i in $(seq 500); do echo line $i; done")
        events = until_end_of(stream, execution)
    texts = [event.body["data"] for event in events if event.name == OUTPUT]
    assert "".join(texts) == "".join(f"line {number}\n" for number in range(1, 501))
    assert events[-1].body["status"] == "succeeded"
    running = [event.body.get("status") for event in events].index("running")
    assert running < [event.name for event in events].index(OUTPUT)


def test_a_listener_that_comes_in_the_middle_gets_what_is_printed_from_then_on(server: Server) -> None:
    with server.puppet() as (execution, strings):
        with server.output(execution) as output:
            strings.say(b"before\n")
            output.until(b"before\n")
        with listening(server, events=OUTPUT) as stream:
            strings.say(b"after\n")
            assert next(iter(stream.events())).body["data"] == "after\n"


def recorded(server: Server) -> list[Event]:
    """All events of three executions that ran one after another."""
    with listening(server) as stream:
        for _ in range(3):
            last = server.request("core.noop")
            server.ended(last)
        return until_end_of(stream, last)


def after(server: Server, last_event_id: str, until: str) -> Iterator[Event]:
    """What a stream replays behind an id, up to the final update of an execution."""
    with server.stream(last_event_id=last_event_id) as stream:
        yield from until_end_of(stream, until)


def test_resource_events_resume_exactly_behind_each_of_them(server: Server) -> None:
    events = recorded(server)
    last = events[-1].body["id"]
    for number, event in enumerate(events[:-1], 1):
        assert list(after(server, event.id, last)) == events[number:], (number, event.name)


def test_a_resumed_stream_goes_on_live_without_a_repeat(server: Server) -> None:
    events = recorded(server)
    with server.stream(last_event_id=events[3].id) as stream:
        assert until_end_of(stream, events[-1].body["id"])[-1] == events[-1]
        execution = server.request("core.noop")
        fresh = until_end_of(stream, execution)
    assert {event.body["id"] for event in fresh if event.name == UPDATE} == {execution}


def test_output_that_was_missed_is_told_as_a_gap(server: Server) -> None:
    with listening(server, events="*") as stream:
        first = server.request("core.noop")
        place = until_end_of(stream, first)[-1].id
    missed = server.shell("echo missed")
    server.ended(missed)
    with server.stream(events="*", last_event_id=place) as stream:
        names = []
        for event in stream.events():
            names.append(event.name)
            if event.name == "gap":
                break
        assert OUTPUT not in names
        assert names.count(UPDATE) == 3
        live = server.shell("echo live")
        assert [e.body["data"] for e in until_end_of(stream, live) if e.name == OUTPUT] == ["live\n"]


def test_a_silent_stream_sends_heartbeats_that_no_client_takes_for_events(plain_server: Server) -> None:
    with listening(plain_server, events="st2.announcement__*") as stream:
        while stream.parser.comments < 2:
            assert stream.parser.feed(stream.read()) == []


def test_a_silent_output_stream_sends_heartbeats(plain_server: Server) -> None:
    with plain_server.puppet() as (execution, _), plain_server.output(execution, format="sse") as stream:
        while stream.parser.comments < 2:
            assert stream.parser.feed(stream.read()) == []
