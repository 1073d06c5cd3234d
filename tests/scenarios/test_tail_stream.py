"""The stream that names an `end_execution_id`: what `st2 execution tail` asks for, in the order its algorithm needs."""

from __future__ import annotations

from typing import Any

import pytest
from tests.scenarios.live.server import FINAL, OUTPUT, TAIL_EVENTS, UPDATE, Server
from tests.scenarios.live.wire import Event

LIVEACTION = "st2.liveaction__update"


def told(events: list[Event]) -> list[tuple[str, str]]:
    """(execution, what is told of it: a status or a line) in order."""
    return [
        (event.body["id"], event.body["status"]) if event.name == UPDATE else
        (event.body["execution_id"], event.body["data"])
        for event in events
    ]  # fmt: skip


def test_the_running_update_comes_first_and_the_final_one_last_then_the_stream_closes(server: Server) -> None:
    execution = server.shell("echo one; echo two; printf three")
    live = server.tail(execution)
    expected = [(execution, "running"), (execution, "one\n"), (execution, "two\n"), (execution, "three")]
    assert told(live) == [*expected, (execution, "succeeded")]
    assert server.tail(execution) == live


def test_the_updates_are_whole_documents_of_their_moment(server: Server) -> None:
    execution = server.shell("echo x")
    events = server.tail(execution)
    running, final = events[0].body, events[-1].body
    assert running["status"] == "running"
    assert {"result", "end_timestamp", "elapsed_seconds", "children"}.isdisjoint(running)
    assert [entry["status"] for entry in running["log"]] == ["requested", "scheduled", "running"]
    shown = server.get(f"/v1/executions/{execution}")
    assert final == shown


@pytest.mark.parametrize(
    ("command", "status"),
    [("exit 3", "failed"), ("sleep 60", "canceled"), ("sleep 61", "timeout"), ("true", "succeeded")],
)
def test_the_stream_ends_with_every_kind_of_end(server: Server, command: str, status: str) -> None:
    more: dict[str, Any] = {"timeout": 1} if status == "timeout" else {}
    execution = server.request("core.local", cmd=f"echo begun; {command}", **more)
    if status == "canceled":
        with server.output(execution) as stream:
            stream.until(b"begun\n")
        server.call("DELETE", f"/v1/executions/{execution}")
    events = told(server.tail(execution))
    middle = [(execution, "canceling")] if status == "canceled" else []
    assert events == [(execution, "running"), (execution, "begun\n"), *middle, (execution, status)]


def test_an_execution_without_output_has_its_two_updates(server: Server) -> None:
    execution = server.request("core.noop")
    expected = [(execution, "running"), (execution, "succeeded")]
    assert told(server.tail(execution)) == expected
    server.ended(execution)
    assert told(server.tail(execution)) == expected


def test_an_execution_canceled_before_it_ran_has_only_its_end(server: Server) -> None:
    execution = server.call("POST", "/v1/executions", {"action": "core.noop", "delay": 60_000}).json["id"]
    with server.stream(end_execution_id=execution, events=TAIL_EVENTS) as stream:
        server.call("DELETE", f"/v1/executions/{execution}")
        assert told(list(stream.events())) == [(execution, "canceled")]
    assert told(server.tail(execution)) == [(execution, "canceled")]


def test_a_silent_execution_is_told_to_run_before_it_ends(server: Server) -> None:
    with server.puppet() as (execution, _), server.stream(end_execution_id=execution, events=UPDATE) as stream:
        assert next(iter(stream.events())).body["status"] == "running"


def test_children_are_told_with_their_parent_before_their_output(server: Server) -> None:
    with server.puppet() as (top, strings):
        strings.say(b"top\n")
        with server.stream(end_execution_id=top, events=TAIL_EVENTS) as stream:
            events: list[Event] = []
            for event in stream.events():
                events.append(event)
                if event.name == OUTPUT:
                    break
            body = {
                "action": "core.local",
                "parameters": {"cmd": "echo child"},
                "context": {"parent": {"execution_id": top}, "orquesta": {"task_name": "build"}},
            }
            child = server.call("POST", "/v1/executions", body).json["id"]
            server.ended(child)
            grandchild_parent = server.request("live.typed", parent=top, count=1)
            server.ended(grandchild_parent)
            strings.end()
            events += stream.events()
    assert told(events) == [
        (top, "running"), (top, "top\n"),
        (child, "running"), (child, "child\n"), (child, "succeeded"),
        (grandchild_parent, "running"), (grandchild_parent, "succeeded"),
        (top, "succeeded"),
    ]  # fmt: skip
    [first, *_] = [event.body for event in events if event.name == UPDATE and event.body["id"] == child]
    assert first["context"]["parent"]["execution_id"] == top
    assert first["context"]["orquesta"]["task_name"] == "build"
    assert server.tail(top) == events


def test_updates_of_a_parent_are_told_without_its_children(server: Server) -> None:
    with server.puppet() as (top, strings), server.output(top) as output:
        strings.say(b"x\n")
        output.until(b"x\n")
        server.ended(server.request("core.noop", parent=top))
    events = server.tail(top)
    assert all("children" not in event.body for event in events if event.name == UPDATE)
    assert len(server.get(f"/v1/executions/{top}")["children"]) == 1


def test_children_of_a_parent_that_prints_nothing_are_told(server: Server) -> None:
    with server.puppet() as (top, _):
        server.running(top)
        child = server.request("core.noop", parent=top)
        server.ended(child)
    expected = [(top, "running"), (child, "running"), (child, "succeeded"), (top, "succeeded")]
    assert told(server.tail(top)) == expected


def test_a_child_canceled_before_it_ran_is_told_once(server: Server) -> None:
    with server.puppet() as (top, strings), server.output(top) as output:
        strings.say(b"x\n")
        output.until(b"x\n")
        body = {"action": "core.noop", "delay": 60_000, "context": {"parent": {"execution_id": top}}}
        child = server.call("POST", "/v1/executions", body).json["id"]
        server.call("DELETE", f"/v1/executions/{child}")
    assert [status for execution, status in told(server.tail(top)) if execution == child] == ["canceled"]


def family(server: Server) -> tuple[str, str, str]:
    """A top, its child, and that one's child, all ended; the child's child before the child."""
    with server.puppet() as (top, strings), server.output(top) as output:
        strings.say(b"top\n")
        output.until(b"top\n")
        with server.puppet(parent=top) as (child, below):
            below.say(b"child\n")
            output.until(b"child\n")
            grandchild = server.shell("echo grandchild", parent=child)
            server.ended(grandchild)
            sibling = server.shell("echo sibling", parent=top)
            server.ended(sibling)
            below.say(b"again\n")
    return top, child, grandchild


def test_only_the_execution_and_its_descendants_are_told(server: Server) -> None:
    stranger = server.shell("echo stranger")
    _, child, grandchild = family(server)
    server.ended(stranger)
    assert {execution for execution, _ in told(server.tail(child))} == {child, grandchild}
    assert told(server.tail(grandchild)) == [
        (grandchild, "running"), (grandchild, "grandchild\n"), (grandchild, "succeeded")
    ]  # fmt: skip


def test_of_an_execution_with_a_parent_no_descendant_ends_before_it(server: Server) -> None:
    top, child, grandchild = family(server)
    events = told(server.tail(child))
    assert events == [
        (child, "running"), (child, "child\n"),
        (grandchild, "running"), (grandchild, "grandchild\n"),
        (child, "again\n"), (child, "succeeded"),
    ]  # fmt: skip
    ends = [execution for execution, text in told(server.tail(top)) if text in FINAL]
    assert ends.index(grandchild) < ends.index(child) < ends.index(top) == len(ends) - 1


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        (UPDATE, {UPDATE}),
        (OUTPUT, {OUTPUT}),
        ("st2.execution*", {UPDATE, OUTPUT}),
        ("*", {UPDATE, OUTPUT, LIVEACTION}),
        ("", {UPDATE, LIVEACTION}),
        ("st2.announcement__*", set()),
    ],
)
def test_the_stream_is_filtered_by_events_and_ends_whatever_is_asked(
    plain_server: Server, asked: str, names: set[str]
) -> None:
    execution = plain_server.shell("echo x")
    assert {event.name for event in plain_server.tail(execution, asked)} == names


def test_the_tail_of_an_announcement_ends_with_its_final_update(plain_server: Server) -> None:
    execution = plain_server.request("core.announcement", message={"a": 1})
    plain_server.ended(execution)
    last = plain_server.tail(execution)[-1]
    assert (last.name, last.body["status"]) == (UPDATE, "succeeded")
    assert plain_server.tail(execution, last_event_id=last.id) == []
    # The announcement stands behind that update.
    with plain_server.stream(events="st2.announcement__*", last_event_id=last.id) as stream:
        assert next(iter(stream.events())).body == {"payload": {"message": {"a": 1}}, "trace_context": None}


def test_output_events_have_stackstorms_fields(plain_server: Server) -> None:
    execution = plain_server.shell("echo x >&2")
    [event] = [event for event in plain_server.tail(execution) if event.name == OUTPUT]
    body = event.body
    assert {key: body[key] for key in ("execution_id", "action_ref", "runner_ref", "output_type", "data")} == {
        "execution_id": execution,
        "action_ref": "core.local",
        "runner_ref": "local-shell-cmd",
        "output_type": "stderr",
        "data": "x\n",
    }
    assert body["timestamp"].endswith("Z")
    assert body["id"]


def test_unknown_executions_and_ids_are_refused(plain_server: Server) -> None:
    execution = plain_server.shell("true")
    plain_server.ended(execution)
    for path, status in (
        ("end_execution_id=0123456789abcdef01234567", 404),
        (f"end_execution_id={execution}&last_event_id=bogus", 400),
        (f"end_execution_id={execution}&last_event_id=1.f-99999999", 400),
        ("last_event_id=bogus", 400),
    ):
        reply = plain_server.call("GET", f"/stream/v1/stream?{path}")
        assert (reply.status, bool(reply.fault)) == (status, True)
