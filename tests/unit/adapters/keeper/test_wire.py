"""Messages between servers and keepers: every one comes back, whatever else comes is told apart, old bytes are read."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squall.adapters.keeper import wire
from squall.core.execution.process import End, ForkServer, LaunchSpec
from squall.core.output.journal import ServerRecord
from squall.testing.samples import sample_id

UNIT, TREE = sample_id(1), sample_id(2)
FULL = LaunchSpec(
    execution=UNIT,
    tree=TREE,
    attempt=2,
    argv=["sh", "-c", "é"],
    env={"A": "b"},
    cwd="/",
    stdin=b"\xff\0",
    timeout=1.5,
    pty=(24, 80),
    umask=0o027,
    limits={"open_files": 5},
    result_limit=7,
    tagged=True,
    fork_server=ForkServer("name", "stamp", ["python"], 2.0),
    output_limit=9,
    limit_policy="fail",
    secrets=(b"\xfe", b"two"),
    too_long=1,
    opening=b'{"status":"running"}',
    opened=11,
    opened_at=12,
)
SMALL = LaunchSpec(execution=UNIT, tree=TREE, attempt=1, argv=["true"], env={})
END = End(execution=UNIT, attempt=1, exit_code=-9, wall_seconds=0.5, result_file="/r", lost="gone")
REQUESTS: list[wire.Request] = [
    wire.Spawn(FULL),
    wire.Spawn(SMALL),
    wire.Cancel(UNIT),
    wire.AddSecrets(UNIT, (b"\xff", b"b")),
    wire.Acknowledge(UNIT, 3),
    wire.Append(TREE, UNIT, 4, 5, 6, b'{"a":"\xc3\xa9"}', True),
    wire.AppendRecords(TREE, (ServerRecord(UNIT, 4, 5, 6, b"{}"), ServerRecord(UNIT, 4, 5, 0, b"[]", create=False))),
    wire.CloseTree(TREE),
    wire.Leave(),
]
REPORTS: list[wire.Report] = [
    wire.Greeting(3, 4, ((UNIT, 1), (TREE, 2)), (END,), (TREE,), {UNIT: "why"}, True),
    wire.Greeting(3, 4, (), (), (), {}),
    wire.Reply(1),
    wire.Reply(2, "OSError: no"),
    wire.Reply(3, done=False),
    wire.Reply(4, done=True),
    END,
    wire.Waits(UNIT, "for the disk"),
    wire.Waits(UNIT, ""),
    wire.Busy(True),
    wire.Busy(False),
]
SPAWN = {"op": "spawn", "id": 1, "spec": {"execution": UNIT, "tree": TREE, "attempt": 1, "argv": ["true"], "env": {}}}
APPEND = {"execution": UNIT, "tree": TREE, "kind": 1, "at": 2, "event": 3, "payload": "{}", "create": True}


def framed(fields: object) -> bytes:
    body = json.dumps(fields).encode()
    return struct.pack(">I", len(body)) + body


def fields_of(data: bytes) -> dict[str, Any]:
    [fields] = wire.Unpacker(lambda fields: fields).feed(data)
    return fields


@pytest.mark.parametrize("message", REQUESTS)
def test_what_a_server_sends_arrives_as_it_was(message: wire.Request) -> None:
    for number in (5, None):
        read = wire.Unpacker(wire.read_request).feed(wire.request(message, number))
        assert read == [wire.Numbered(number, message)]
        assert type(read[0].message) is type(message)


def test_a_hello_always_wants_the_greeting() -> None:
    data = wire.request(wire.Hello(3))
    assert fields_of(data) == {"op": "hello", "version": 3, "id": 0}
    assert wire.Unpacker(wire.read_request).feed(data) == [(0, wire.Hello(3))]


@pytest.mark.parametrize("message", REPORTS)
def test_what_a_keeper_sends_arrives_as_it_was(message: wire.Report) -> None:
    [read] = wire.Unpacker(wire.read_report).feed(wire.report(message))
    assert (type(read), read) == (type(message), message)


@given(st.lists(st.integers(min_value=1, max_value=400)))
def test_messages_may_be_cut_anywhere(cuts: list[int]) -> None:
    data = b"".join(wire.request(message, 1) for message in REQUESTS)
    unpacker = wire.Unpacker(wire.read_request)
    read = []
    for cut in [*cuts, len(data)]:
        read += unpacker.feed(data[:cut])
        data = data[cut:]
    assert [message for _, message in read] == REQUESTS


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"op": "dance", "id": 1}, "the message 'dance' is unknown to version 5 of the protocol"),
        ({"id": 1}, "the message None is unknown"),
        ({"op": ["spawn"], "id": 1}, "is unknown"),
        ({"op": "end", "id": 1}, "'end' is unknown"),
        ({"op": "cancel", "id": 1}, "the message 'cancel' is malformed: it has no field 'execution'"),
        ({"op": "cancel", "id": 1, "execution": 5}, "its field 'execution' must be str, not int"),
        ({"op": "ack", "id": 1, "execution": UNIT, "attempt": True}, "'attempt' must be int, not bool"),
        ({"op": "secrets", "id": 1, "execution": UNIT, "values": "abc"}, "'values' must be list, not str"),
        ({"op": "secrets", "id": 1, "execution": UNIT, "values": [5]}, "'values' must be base64"),
        ({"op": "secrets", "id": 1, "execution": UNIT, "values": ["a"]}, "'values' must be base64"),
        ({**SPAWN, "spec": None}, "'spec' must be dict, not NoneType"),
        ({**SPAWN, "spec": {}}, "'spec' is wrong: it has no field 'execution'"),
        ({"op": "append", "id": 1, **APPEND, "payload": None}, "'payload' must be str, not NoneType"),
        ({"op": "append", "id": 1, **APPEND, "create": 1}, "'create' must be bool, not int"),
        ({"op": "append_records", "id": 1, "tree": UNIT, "records": [[UNIT, 2]]}, "'records' must be a list of 6"),
        (
            {"op": "append_records", "id": 1, "tree": UNIT, "records": [[UNIT, 2, 3, "4", "{}", True]]},
            "'records' must be int, not str",
        ),
    ],
)
def test_a_request_that_cannot_be_understood_says_why_and_keeps_its_number(fields: object, reason: str) -> None:
    [(number, message)] = wire.Unpacker(wire.read_request).feed(framed(fields))
    assert number == 1
    assert isinstance(message, wire.Unreadable)
    assert reason in message.reason


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"argv": "true"}, "'argv' must be list"),
        ({"argv": [1]}, "'argv' must be str, not int"),
        ({"env": {"A": 1}}, "'env' must be str, not int"),
        ({"pty": [1]}, "'pty' must be a list of two"),
        ({"pty": ["a", 2]}, "'pty' must be int, not str"),
        ({"timeout": "1"}, "'timeout' must be float, not str"),
        ({"limits": {"processes": 1.5}}, "'limits' must be int, not float"),
        ({"fork_server": {"name": "a"}}, "'fork_server' is wrong: it has no field 'stamp'"),
        ({"opening": 1}, "'opening' must be str, not int"),
    ],
)
def test_a_launch_with_a_field_of_another_type_is_refused(changed: dict[str, object], reason: str) -> None:
    fields = {**SPAWN, "spec": {**SPAWN["spec"], **changed}}  # type: ignore[dict-item]
    [(_, message)] = wire.Unpacker(wire.read_request).feed(framed(fields))
    assert isinstance(message, wire.Unreadable)
    assert reason in message.reason


@pytest.mark.parametrize("fields", [{"op": "dance"}, {"op": "end"}, {"op": "reply", "id": 0}, {"op": "reply"}])
def test_a_report_that_cannot_be_understood_says_so(fields: dict[str, object]) -> None:
    [message] = wire.Unpacker(wire.read_report).feed(framed(fields))
    assert isinstance(message, wire.Unreadable)
    assert message.number == fields.get("id")


@pytest.mark.parametrize(
    "data",
    [
        framed([1]),
        framed("text"),
        b"\0\0\0\2{]",
        b"\xff\xff\xff\xff",
        b"\0\0\0\3\xff\xff\xff",
        b"\0\1\0\0" + b"[" * 65536,
    ],
    ids=range(6),
)
def test_bytes_that_are_no_message_end_the_connection(data: bytes) -> None:
    with pytest.raises(wire.BadMessageError, match="a message"):
        wire.Unpacker(wire.read_request).feed(data)


def test_fields_of_a_later_version_are_left_out() -> None:
    [(_, message)] = wire.Unpacker(wire.read_request).feed(framed({**SPAWN, "more": 1}))
    assert message == wire.Spawn(SMALL)


def test_a_launch_of_the_first_release_is_read() -> None:
    """It writes every field, also those without a value."""
    fields = {
        "execution": UNIT,
        "tree": TREE,
        "attempt": 1,
        "argv": ["true"],
        "env": {},
        "cwd": None,
        "stdin": None,
        "timeout": 3,
        "pty": None,
        "umask": None,
        "limits": {},
        "result_limit": None,
        "tagged": False,
        "fork_server": None,
        "output_limit": 1 << 30,
        "limit_policy": "truncate",
        "secrets": [],
        "too_long": 0,
        "opening": "",
        "opened": 0,
        "opened_at": 0,
    }
    [(_, message)] = wire.Unpacker(wire.read_request).feed(framed({"op": "spawn", "id": 1, "spec": fields}))
    assert message == wire.Spawn(SMALL._replace(timeout=3))


def test_a_keeper_of_the_first_release_finds_the_fields_that_it_needs() -> None:
    fields = fields_of(wire.request(wire.Spawn(FULL), 7))
    spec = fields.pop("spec")
    assert fields == {"op": "spawn", "id": 7}
    assert (spec["execution"], spec["stdin"], spec["secrets"], spec["pty"]) == (
        UNIT,
        "/wA=",
        ["/g==", "dHdv"],
        [24, 80],
    )
    append = fields_of(wire.request(wire.Append(TREE, UNIT, 1, 2, 3, b"{}", False), 1))
    assert append == {"op": "append", "id": 1, **APPEND, "create": False}


def test_a_server_of_the_first_release_finds_the_fields_that_it_needs() -> None:
    assert fields_of(wire.report(wire.Reply(1))) == {"op": "reply", "id": 1}
    assert fields_of(wire.report(wire.Reply(1, done=False))) == {"op": "reply", "id": 1, "done": False}
    greeting = fields_of(wire.report(wire.Greeting(3, 4, ((UNIT, 1),), (), (), {})))
    assert greeting == {
        "op": "reply",
        "id": 0,
        "version": 3,
        "pid": 4,
        "held": [[UNIT, 1]],
        "ends": [],
        "trees": [],
        "waits": {},
    }
    assert fields_of(wire.report(END)).items() >= {"op": "end", "execution": UNIT, "attempt": 1}.items()
