from __future__ import annotations

import itertools
import json
import socket
import threading
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from squall.client.api import Api
from squall.client.follow import FINAL, Chunk, Follower, Gap, Note, StatusChange
from squall.client.http import Client
from squall.core.errors import NotFoundError, SquallError, UnavailableError
from squall.core.execution import execution

ID = "65a0c0ffee00000000000001"
RECORDS = [
    ("stdout", b"one\n"),
    ("stderr", b"two \xff\x00 bytes"),
    ("stdout", "drei äöü 🌩".encode()),
    ("output", b""),
    ("stdout", bytes(range(256)) * 20),
    ("stderr", b"\r\n\r\n"),
]


class Told:
    def __init__(self) -> None:
        self.events: list[tuple[str, str | None]] = []

    def lost(self, position: str | None) -> None:
        self.events.append(("lost", position))

    def back(self, position: str | None) -> None:
        self.events.append(("back", position))

    def warned(self, text: str) -> None:
        self.events.append(("warned", text))


def no_sleep(seconds: float) -> None:
    pass


def collect(url: str, **options: Any) -> list[Chunk | Gap | Note | StatusChange]:
    options.setdefault("sleep", no_sleep)
    with Api(Client(url)) as api:
        return list(Follower(api, ID, **options))


def contents(records: list[Chunk | Gap | Note | StatusChange]) -> list[tuple[str, bytes]]:
    return [(record.stream, record.data) for record in records if isinstance(record, Chunk)]


def test_the_final_statuses_are_the_cores() -> None:
    assert FINAL == execution.FINAL


def test_every_record_comes_once_and_in_order(fake: ModuleType) -> None:
    with fake.FakeSquall(RECORDS) as server:
        got = collect(server.url)
    assert contents(got) == RECORDS
    assert got[0] == Chunk("stdout", b"one\n", fake.TIME, "f-1", ID)
    assert server.requests[0].query == {"format": "sse", "raw_data": "true", "type": "all", "follow": "true"}


@given(cuts=st.lists(st.integers(0, 9000), max_size=12), piece=st.integers(1, 9000))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_connection_cut_anywhere_loses_and_repeats_nothing(fake: ModuleType, cuts: list[int], piece: int) -> None:
    with fake.FakeSquall(RECORDS, cuts=iter(cuts), piece=max(piece, 50)) as server:
        assert contents(collect(server.url)) == RECORDS


def test_only_a_reader_with_notes_gets_changes_of_status(fake: ModuleType) -> None:
    change = {"execution_id": "e1", "status": "failed", "parent": ID, "task": "roll", "item": 0}
    root = {"execution_id": ID, "status": "running"}

    def telling(request: Any, peer: Any) -> bool:
        peer.begin_stream()
        for at, fields in enumerate([root, change, ["odd"]], 1):
            peer.chunk(b"id: f-%d\nevent: status\ndata: %s\n\n" % (at, json.dumps(fields).encode()))
        peer.chunk(fake.EOF)
        return True

    with fake.ScriptedServer(telling) as server:
        changes = [StatusChange(ID, "running"), StatusChange("e1", "failed", ID, "roll", 0)]
        assert collect(server.url, notes=True) == changes
        assert collect(server.url) == []
        assert [request.query.get("statuses") for request in server.requests] == ["true", None]


def test_a_lost_connection_is_told_once_with_its_position(fake: ModuleType) -> None:
    told = Told()
    first = len(b":\n\n" + fake.sse(1, *RECORDS[0]))
    with fake.FakeSquall(RECORDS, cuts=iter([first, 0, 0])) as server:
        assert contents(collect(server.url, listener=told)) == RECORDS
        resumed = [request.headers.get("last-event-id") for request in server.requests]
    assert told.events == [("lost", "f-1"), ("back", "f-1")]
    assert resumed == [None, "f-1", "f-1", "f-1"]


def test_a_stream_that_ends_without_its_end_event_is_taken_up_again(fake: ModuleType) -> None:
    def stopping(request: Any, peer: Any) -> bool:
        peer.begin_stream()
        peer.chunk(fake.sse(1, "stdout", b"a"))
        peer.end_stream()
        return True

    def whole(request: Any, peer: Any) -> bool:
        assert request.headers["last-event-id"] == "f-1"
        peer.begin_stream()
        peer.chunk(fake.sse(2, "stdout", b"b") + fake.EOF)
        return True

    with fake.ScriptedServer(stopping, whole) as server:
        assert contents(collect(server.url)) == [("stdout", b"a"), ("stdout", b"b")]


def test_a_server_that_shuts_down_may_move_the_position_without_output(fake: ModuleType) -> None:
    def stopping(request: Any, peer: Any) -> bool:
        peer.begin_stream()
        peer.chunk(fake.sse(1, "stdout", b"a") + b"id: f-7\n\n")
        peer.end_stream()
        return True

    def whole(request: Any, peer: Any) -> bool:
        peer.begin_stream()
        peer.chunk(fake.EOF)
        return True

    with fake.ScriptedServer(stopping, whole) as server:
        assert contents(collect(server.url)) == [("stdout", b"a")]
    assert server.requests[1].headers["last-event-id"] == "f-7"


def test_the_position_given_is_where_it_begins(fake: ModuleType) -> None:
    with fake.FakeSquall(RECORDS, cuts=iter([0])) as server:
        assert contents(collect(server.url, after="f-4")) == RECORDS[4:]
    assert server.requests[0].query["after"] == "f-4"
    assert "after" not in server.requests[1].query and server.requests[1].headers["last-event-id"] == "f-4"


def test_one_stream_alone_can_be_followed(fake: ModuleType) -> None:
    with fake.FakeSquall(RECORDS) as server:
        assert contents(collect(server.url, kind="stderr")) == [RECORDS[1], RECORDS[5]]


def test_without_following_it_ends_with_what_is_there(fake: ModuleType) -> None:
    with fake.FakeSquall(RECORDS, held=True) as server:
        assert contents(collect(server.url, follow=False)) == RECORDS


def test_silence_is_a_lost_connection(fake: ModuleType) -> None:
    told = Told()

    def silent(request: Any, peer: Any) -> bool:
        peer.begin_stream()
        peer.chunk(fake.sse(1, "stdout", b"a"))
        return peer.read_request() is not None

    def whole(request: Any, peer: Any) -> bool:
        peer.begin_stream()
        peer.chunk(fake.EOF)
        return True

    with fake.ScriptedServer(silent, whole) as server:
        assert contents(collect(server.url, silence=0.05, listener=told)) == [("stdout", b"a")]
    assert told.events == [("lost", "f-1"), ("back", "f-1")]


def test_a_heartbeat_keeps_a_quiet_stream_alive(fake: ModuleType) -> None:
    told = Told()
    quiet = threading.Event()

    def slow(request: Any, peer: Any) -> bool:
        peer.begin_stream()
        for _ in range(13):
            quiet.wait(0.25)
            peer.chunk(b":\n\n")
        peer.chunk(fake.EOF)
        return True

    with fake.ScriptedServer(slow) as server:
        assert collect(server.url, silence=3, listener=told) == []
    assert told.events == []


def test_a_server_that_restarts_on_its_port_is_found_again(fake: ModuleType) -> None:
    first = len(b":\n\n" + fake.sse(1, *RECORDS[0]))
    old = fake.FakeSquall(RECORDS, cuts=iter([first]))
    servers = [old.__enter__()]
    waits: list[float] = []

    def restart(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 1:
            old.stop()
        if len(waits) == 3:
            servers.append(fake.FakeSquall(RECORDS, port=old.port).__enter__())

    assert contents(collect(old.url, sleep=restart)) == RECORDS
    servers[1].stop()
    assert len(waits) == 3


def test_it_gives_up_after_five_minutes_and_waits_longer_each_time(fake: ModuleType) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    now = [1000.0]
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    with pytest.raises(UnavailableError, match=r"no server answers .*; gave up after 300 seconds"):
        collect(url, sleep=sleep, clock=lambda: now[0])
    assert 300 <= now[0] - 1000 < 302
    assert waits[0] <= 0.05 and max(waits) <= 1.0 and sum(wait >= 0.5 for wait in waits) > 290


def test_the_patience_begins_anew_after_every_answer(fake: ModuleType) -> None:
    now = itertools.count(0.0, 200.0)
    with fake.FakeSquall(RECORDS, cuts=iter([3, 3, 3, 3])) as server:
        assert contents(collect(server.url, clock=lambda: next(now))) == RECORDS


def test_what_the_server_refuses_is_not_tried_again(fake: ModuleType) -> None:
    with fake.FakeSquall(RECORDS) as server, Api(Client(server.url)) as api:
        with pytest.raises(NotFoundError):
            list(Follower(api, "nope", sleep=no_sleep))
        assert len(server.requests) == 1


def test_a_server_that_is_not_ready_is_tried_again(fake: ModuleType) -> None:
    def starting(request: Any, peer: Any) -> bool:
        peer.answer(503, {"faultstring": "starting"})
        return True

    def whole(request: Any, peer: Any) -> bool:
        peer.begin_stream()
        peer.chunk(fake.sse(1, "stdout", b"a") + fake.EOF)
        return True

    with fake.ScriptedServer(starting, starting, whole) as server:
        assert contents(collect(server.url)) == [("stdout", b"a")]


def test_a_gap_is_told_and_a_strange_event_is_passed_over(fake: ModuleType) -> None:
    def respond(request: Any, peer: Any) -> bool:
        peer.begin_stream()
        gap = b'{"execution_id": "%b", "bytes": 77, "reason": "limit"}' % ID.encode()
        peer.chunk(b"id: f-1\nevent: news\ndata: [1]\n\nid: f-2\nevent: gap\ndata: %b\n\n" % gap + fake.EOF)
        return True

    with fake.ScriptedServer(respond) as server:
        assert collect(server.url) == [Gap(77, "limit", "f-2", ID)]


def test_text_of_a_server_without_raw_data_is_shown(fake: ModuleType) -> None:
    def respond(request: Any, peer: Any) -> bool:
        peer.begin_stream()
        peer.chunk('event: st2.execution.output__create\ndata: {"output_type": "stdout", "data": "ä"}\n\n'.encode())
        peer.chunk(fake.EOF)
        return True

    with fake.ScriptedServer(respond) as server:
        assert contents(collect(server.url)) == [("stdout", "ä".encode())]


@pytest.mark.parametrize("data", [b"{", b"[]", b"{}", b'{"data_b64": "x"}', b'{"data": 5}'])
def test_output_that_cannot_be_read_is_an_error_and_not_skipped(fake: ModuleType, data: bytes) -> None:
    def respond(request: Any, peer: Any) -> bool:
        peer.begin_stream()
        peer.chunk(b"event: st2.execution.output__create\ndata: %b\n\n" % data + fake.EOF)
        return True

    with fake.ScriptedServer(respond) as server, pytest.raises(SquallError, match="cannot be read"):
        collect(server.url)


def test_the_outcome_is_asked_without_the_result_unless_wanted(fake: ModuleType) -> None:
    with fake.FakeSquall(RECORDS, status="failed") as server, Api(Client(server.url)) as api:
        follower = Follower(api, ID, sleep=no_sleep)
        assert follower.outcome()["status"] == "failed"
        follower.outcome(result=True)
    assert [request.query for request in server.requests] == [{"exclude_attributes": "result"}, {}]


def test_the_outcome_waits_for_a_server_that_is_away_and_for_the_final_status(fake: ModuleType) -> None:
    told = Told()

    def say(status: int, document: Any) -> Any:
        def respond(request: Any, peer: Any) -> bool:
            peer.answer(status, document)
            return True

        return respond

    script = [say(503, {}), say(200, {"status": "running"}), say(200, {"status": "canceled"})]
    with fake.ScriptedServer(*script) as server, Api(Client(server.url)) as api:
        follower = Follower(api, ID, sleep=no_sleep, listener=told)
        assert follower.outcome()["status"] == "canceled"
    assert told.events == [("lost", None), ("back", None)]
