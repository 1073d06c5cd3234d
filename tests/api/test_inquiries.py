"""Inquiries and announcements over HTTP, with StackStorm's answers."""

from __future__ import annotations

from typing import Any

from tests.scenarios.live.server import UPDATE, Server

SCHEMA = {
    "type": "object",
    "properties": {
        "secondfactor": {"type": "string", "description": "Second factor", "required": True},
        "n": {"type": "integer"},
    },
    "additionalProperties": False,
}


def ask(server: Server, **parameters: Any) -> str:
    """A pending inquiry."""
    with server.stream(events=UPDATE) as stream:
        events = iter(stream.events())
        inquiry = server.request("core.ask", **parameters)
        next(event for event in events if event.body["id"] == inquiry and event.body["status"] == "pending")
    return inquiry


def test_an_inquiry_is_asked_and_answered_as_recorded(plain_server: Server) -> None:
    inquiry = ask(plain_server, route="dev", schema=SCHEMA, ttl=60)
    asked = {"schema": SCHEMA, "roles": [], "users": [], "route": "dev", "ttl": 60}
    assert plain_server.get(f"/v1/executions/{inquiry}")["result"] == asked
    path = f"/v1/inquiries/{inquiry}"
    assert plain_server.get(path) == {"id": inquiry, **asked}
    assert inquiry in [each["id"] for each in plain_server.get("/v1/inquiries", limit=-1)]
    for body, text in (
        (
            {"id": inquiry, "response": {"n": "abc"}},
            "did not pass schema validation. 'secondfactor' is a required property",
        ),
        ({"id": inquiry}, "'response' is a required property"),
        ({"response": {"secondfactor": "x"}}, "'id' is a required property"),
    ):
        refused = plain_server.call("PUT", path, body)
        assert (refused.status, text in refused.fault) == (400, True), refused
    response = {"secondfactor": "bacon", "n": 3}
    taken = plain_server.call("PUT", path, {"id": inquiry, "response": response})
    assert (taken.status, taken.json) == (200, {"id": inquiry, "response": response})
    ended = plain_server.get(f"/v1/executions/{inquiry}")
    assert (ended["status"], ended["result"]) == ("succeeded", {**asked, "response": response})
    for late in (plain_server.call("PUT", path, {"id": inquiry, "response": {}}), plain_server.call("GET", path)):
        assert (late.status, late.fault) == (400, f'Inquiry "{inquiry}" has already been responded to.')


def test_what_is_no_inquiry_says_so(plain_server: Server) -> None:
    missing = plain_server.call("GET", "/v1/inquiries/000000000000000000000000")
    assert (missing.status, missing.fault) == (404, "The resource could not be found.")
    other = plain_server.request("core.noop")
    plain_server.ended(other)
    for method, body in (("GET", None), ("PUT", {"id": other, "response": {}})):
        reply = plain_server.call(method, f"/v1/inquiries/{other}", body)
        assert (reply.status, reply.fault) == (400, f'Action execution "{other}" is not an inquiry.')


def test_only_the_users_it_names_answer_an_inquiry(plain_server: Server) -> None:
    inquiry = ask(plain_server, users=["someoneelse"])
    reply = plain_server.call("PUT", f"/v1/inquiries/{inquiry}", {"id": inquiry, "response": {"continue": True}})
    assert reply.status == 403
    assert f'does not have permission to respond to inquiry "{inquiry}".' in reply.fault
    assert plain_server.get(f"/v1/executions/{inquiry}")["status"] == "pending"
    cancel = plain_server.call("DELETE", f"/v1/executions/{inquiry}")
    assert (cancel.status, cancel.json["status"]) == (200, "canceled")
    late = plain_server.call("GET", f"/v1/inquiries/{inquiry}")
    assert (late.status, late.fault) == (400, f'Inquiry "{inquiry}" is canceled and cannot be responded to.')


def test_a_secret_answer_is_shown_to_nobody(plain_server: Server) -> None:
    schema = {"type": "object", "properties": {"pin": {"type": "string", "secret": True}}}
    inquiry = ask(plain_server, schema=schema)
    body = {"id": inquiry, "response": {"pin": "hidden-pin"}}
    assert b"hidden-pin" not in plain_server.call("PUT", f"/v1/inquiries/{inquiry}", body).raw
    shown = plain_server.get(f"/v1/executions/{inquiry}")
    assert shown["result"]["response"] == {"pin": "********"}
    for part in ("result", "attribute/result"):
        assert plain_server.get(f"/v1/executions/{inquiry}/{part}")["response"] == {"pin": "********"}


def test_an_announcement_reaches_those_who_listen(plain_server: Server) -> None:
    with plain_server.stream(events="st2.announcement__*") as stream:
        events = iter(stream.events())
        made = plain_server.request("core.announcement", route="chatops", message={"a": 1})
        event = next(events)
    assert (event.name, event.body["payload"]) == ("st2.announcement__chatops", {"message": {"a": 1}})
    ended = plain_server.ended(made)
    assert ended["result"] == {"output": {"message": {"a": 1}}, "message": {"a": 1}}
