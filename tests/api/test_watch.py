"""One stream for a page: events and several trees on one connection, gone on with exactly."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import Server, serving
from tests.scenarios.live.wire import Event, Stream


def watch(server: Server, *trees: str, last_event_id: str = "", more: str = "") -> Stream:
    query = "&".join([*(f"tree={tree}" for tree in trees), *([more] if more else [])])
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    return Stream(server.url, f"/stream/v1/watch?{query}", headers)


def printed(events: list[Event], tree: str) -> str:
    return "".join(
        event.body["data"] for event in events if event.name.endswith("output__create") and event.body["tree"] == tree
    )


def until(stream: Stream, found: list[Event], tree: str, text: str) -> None:
    for event in stream.events():
        found.append(event)
        if text in printed(found, tree):
            return


def test_several_trees_and_their_changes_are_on_one_stream(plain_server: Server) -> None:
    with plain_server.puppet() as (one, first), plain_server.puppet() as (two, second):
        stream = watch(plain_server, one, two, more="events=st2.execution__*")
        with stream:
            found: list[Event] = []
            first.say(b"from one\n")
            until(stream, found, one, "from one\n")
            second.say(b"from two\n")
            until(stream, found, two, "from two\n")
            first.end()
            second.end()
            for event in stream.events():
                found.append(event)
                ends = {each.body["tree"] for each in found if each.name == "end"}
                told = {each.body["id"] for each in found if each.name == "st2.execution__update"
                        and each.body["status"] == "succeeded"}  # fmt: skip
                if ends == {one, two} and told >= {one, two}:
                    break
    statuses = [(event.body["tree"], event.body["status"]) for event in found if event.name == "status"]
    assert {(one, "succeeded"), (two, "succeeded")} <= set(statuses)
    outputs = [event.body for event in found if event.name.endswith("output__create")]
    assert all(body["tree"] == body["execution_id"] for body in outputs)


def test_an_id_holds_every_position(plain_server: Server) -> None:
    with plain_server.puppet() as (one, first), plain_server.puppet() as (two, second):
        found: list[Event] = []
        with watch(plain_server, one, two) as stream:
            first.say(b"1\n")
            until(stream, found, one, "1\n")
            second.say(b"2\n")
            until(stream, found, two, "2\n")
        first.say(b"3\n")
        second.say(b"4\n")
        with watch(plain_server, one, two, last_event_id=found[-1].id) as stream:
            until(stream, found, one, "3\n")
            if "4\n" not in printed(found, two):
                until(stream, found, two, "4\n")
        assert (printed(found, one), printed(found, two)) == ("1\n3\n", "2\n4\n")


def test_a_place_is_given_with_the_tree(plain_server: Server) -> None:
    execution = plain_server.shell("echo one; sleep 0.05; echo two")
    plain_server.ended(execution)
    with plain_server.output(execution, format="ndjson", limit=1) as stream:
        first = json.loads(stream.rest())["position"]
    found: list[Event] = []
    with watch(plain_server, f"{execution}@{first}") as stream:
        found += stream.events()
    assert printed(found, execution) == "two\n"
    assert found[-1].name == "end"


def test_pages_that_show_heads_get_the_last_lines(plain_server: Server) -> None:
    execution = plain_server.shell("seq 1 1000")
    plain_server.ended(execution)
    with watch(plain_server, execution, more="output=heads") as stream:
        heads = [event.body["heads"] for event in stream.events() if event.name == "output"]
    assert heads[-1][0]["last_line"] == "1000"


@pytest.mark.parametrize(
    ("query", "status"),
    [("tree=ffffffffffffffffffffffff", 404), ("tree=xyz", 400), ("tree={id}@f-7", 400), ("tree={id}@x", 400),
     ("&".join(["tree={id}"] * 2), 400), ("&".join(["tree={id}"] * 9), 400), ("output=some", 400),
     ("last_event_id=what", 400), ("lag=x", 400)],
)  # fmt: skip
def test_what_cannot_be_watched_is_refused(plain_server: Server, query: str, status: int) -> None:
    execution = plain_server.shell("true")
    reply = plain_server.call("GET", "/stream/v1/watch?" + query.replace("{id}", execution))
    assert (reply.status, bool(reply.fault)) == (status, True)


def test_a_watch_goes_on_exactly_behind_a_killed_server(tmp_path: Path, packs: Path) -> None:
    env = {**QUICK, "SQUALL_SERVER_STOP_ACTIONS": "false"}
    with serving(tmp_path, packs, env=env) as server, server.puppet() as (one, first):
        found: list[Event] = []
        with watch(server, one, more="events=st2.execution__*") as stream:
            first.say(b"before\n")
            until(stream, found, one, "before\n")
        port = server.port
        server.signal(signal.SIGKILL)
        server.wait()
        first.say(b"meanwhile\n")
        server.start(port)
        with watch(server, one, last_event_id=found[-1].id, more="events=st2.execution__*") as stream:
            until(stream, found, one, "meanwhile\n")
        assert printed(found, one) == "before\nmeanwhile\n"
