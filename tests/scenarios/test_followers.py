"""Any follower, at any time, sees every byte exactly once and in order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import OUTPUT, Server, serving
from tests.scenarios.live.wire import Stream

LINES = [f"line {number}\n".encode() for number in range(60)]
WHOLE = b"".join(LINES)


def raw_of(stream: Stream) -> bytes:
    """The bytes of an event stream with raw data, which must end with EOF."""
    got, seen, ended = b"", set(), False
    for event in stream.events():
        assert not ended
        ended = event.name == "EOF"
        if event.name == OUTPUT:
            assert event.id not in seen
            seen.add(event.id)
            got += event.raw
    assert ended
    return got


def test_followers_from_before_during_and_after_the_action_read_the_same(server: Server) -> None:
    with server.puppet() as (execution, strings):
        with server.output(execution, format="raw") as early, server.output(execution, format="raw") as from_start:
            strings.say(b"".join(LINES[:20]))
            first = early.until(LINES[19])
            with server.output(execution, format="raw") as during:
                strings.say(b"".join(LINES[20:]))
                strings.end()
                assert during.rest() == WHOLE
            assert first + early.rest() == WHOLE
            assert from_start.rest() == WHOLE
        with server.output(execution, format="raw") as after:
            assert after.rest() == WHOLE


def test_a_line_shows_while_the_action_still_runs(server: Server) -> None:
    with server.puppet() as (execution, strings), server.output(execution) as stream:
        for line in LINES[:5]:
            strings.say(line)
            assert stream.until(line) == line


def test_a_follower_that_waits_for_a_delayed_execution_sees_all_of_it(server: Server) -> None:
    body = {"action": "core.local", "parameters": {"cmd": "echo late"}, "delay": 300}
    execution = server.call("POST", "/v1/executions", body).json["id"]
    with server.output(execution) as stream:
        assert stream.rest() == b"late\n"


def test_two_hundred_followers_at_once_read_the_same(server: Server) -> None:
    ready = threading.Barrier(201, timeout=120)

    def follow(number: int, execution: str) -> bytes:
        if number % 2:
            with server.output(execution, format="sse", raw_data="true") as stream:
                ready.wait()
                return raw_of(stream)
        with server.output(execution, format="raw") as stream:
            ready.wait()
            return stream.rest()

    with ThreadPoolExecutor(200) as pool, server.puppet() as (execution, strings):
        strings.say(b"".join(LINES[:10]))
        found = [pool.submit(follow, number, execution) for number in range(200)]
        ready.wait()
        for line in LINES[10:]:
            strings.say(line)
        strings.end()
        assert {future.result() for future in found} == {WHOLE}


def test_who_stops_reading_for_a_while_holds_up_nobody_and_misses_nothing(server: Server) -> None:
    said = b""
    block = b"".join(b"%06d " % number * 9 + b"\n" for number in range(4096))
    with server.puppet() as (execution, strings), ExitStack() as stack:
        paused = [
            stack.enter_context(server.output(execution, receive_buffer=4096, format="sse", raw_data="true"))
            for _ in range(3)
        ]
        quick = stack.enter_context(server.output(execution, format="raw"))
        # More than sockets hold, so that the server must put those off that do not read.
        for number in range(40):
            part = block + b"end %03d\n" % number
            strings.say(part)
            said += part
            quick.until(b"end %03d\n" % number)
        strings.end()
        assert quick.rest() == b""
        for stream in paused:
            assert raw_of(stream) == said


def test_stdout_and_stderr_keep_the_order_in_which_they_were_printed(server: Server) -> None:
    with server.puppet() as (execution, strings), server.output(execution) as stream:
        expected = b""
        for number in range(10):
            line = b"%d\n" % number
            strings.say(line, to=1 + number % 2)
            # Two pipes have no order between them but that of their readings.
            expected += stream.until(line)
        strings.end()
        assert stream.rest() == b""
        with server.output(execution) as again:
            assert again.rest() == expected
        for kind, parity in (("stdout", 0), ("stderr", 1)):
            with server.output(execution, type=kind) as one:
                assert one.rest() == b"".join(b"%d\n" % number for number in range(parity, 10, 2))


def test_the_output_of_a_tree_includes_its_descendants_unless_it_is_not_wanted(server: Server) -> None:
    with server.puppet() as (top, strings), server.output(top) as stream:
        strings.say(b"top one\n")
        stream.until(b"top one\n")
        with server.puppet(parent=top) as (child, below):
            below.say(b"child\n")
            stream.until(b"child\n")
            grandchild = server.shell("echo grandchild", parent=child)
            server.ended(grandchild)
        server.ended(child)
        strings.say(b"top two\n")
        strings.end()
        assert stream.rest() == b"grandchild\ntop two\n"
    texts = {}
    for name, execution, tree in (("tree", top, "true"), ("top", top, "false"), ("child", child, "true")):
        with server.output(execution, tree=tree) as stream:
            texts[name] = stream.rest()
    assert texts == {
        "tree": b"top one\nchild\ngrandchild\ntop two\n",
        "top": b"top one\ntop two\n",
        "child": b"child\ngrandchild\n",
    }


SIZE = 48 << 20


def pour(server: Server, form: str, parent: str | None = None, slow: Stream | None = None) -> tuple[str, int]:
    """Prints a lot, read by a quick follower, of each MiB of which `slow` reads a KiB: the execution, the bytes."""
    execution = server.request("examples.firehose", parent=parent, lines=SIZE // 1024, bytes=1024)
    behind = 0
    with server.output(execution, format=form, raw_data="true") as quick:
        while quick.read():
            if slow is not None and quick.received - behind > 1 << 20:
                behind = quick.received
                slow.read(1024)
    return execution, quick.received


@pytest.fixture(scope="module")
def lean_server(tmp_path_factory: pytest.TempPathFactory, packs: Path) -> Iterator[Server]:
    """A server whose memory does not go up and down with the results of what it ran."""
    env = {**QUICK, "SQUALL_ACTIONRUNNER_RESULT_OUTPUT_BYTES": "64 KiB"}
    with serving(tmp_path_factory.mktemp("lean"), packs, env=env) as server:
        yield server


@pytest.mark.parametrize("form", ["raw", "sse"])
def test_a_reader_that_hardly_reads_slows_nobody_and_costs_no_memory(lean_server: Server, form: str) -> None:
    # What the server keeps for everybody is there afterwards.
    for _ in range(2):
        pour(lean_server, form)
    before = lean_server.resident
    with lean_server.puppet() as (top, strings):
        strings.say(b"x" * (64 << 10))
        slow = [lean_server.output(top, receive_buffer=4096, format=form, raw_data="true") for _ in range(4)]
        try:
            child, received = pour(lean_server, form, top, slow[0])
            assert received >= SIZE
            assert lean_server.get(f"/v1/executions/{child}")["status"] == "succeeded"
            assert 0 < slow[0].received <= 64 << 10
            grown = lean_server.resident - before
            assert grown < 8 << 20
            strings.end()
            slow[1].rest()
            assert slow[1].received >= SIZE
        finally:
            for stream in slow:
                stream.close()
