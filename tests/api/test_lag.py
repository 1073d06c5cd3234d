"""How far readers are behind, and the jump of those who do not want everything."""

from __future__ import annotations

import json
import re

from tests.scenarios.live.server import Server


def test_who_is_far_behind_jumps_with_a_gap_that_says_how_far(plain_server: Server) -> None:
    with plain_server.puppet() as (execution, strings):
        with plain_server.output(execution) as stream:
            for _ in range(40):
                strings.say(b"x" * 60_000)
            strings.say(b"old end\n")
            stream.until(b"old end\n")
        with plain_server.output(execution, format="sse", lag="skip", lag_mib=1) as stream:
            gap = next(iter(stream.events()))
            assert gap.name == "gap"
            told = gap.body
            assert (told["reason"], told["from"], told["to"]) == ("skipped", "f-0", gap.id)
            assert told["bytes"] > 2_000_000
            strings.say(b"new\n")
            assert b"old end" not in stream.until(b"new")
        with plain_server.output(execution, lag="skip", lag_mib=1, format="ndjson") as lines:
            first = lines.until(b"\n").partition(b"\n")[0]
            assert json.loads(first)["gap"]["reason"] == "skipped"
    # What has ended is told whole.
    with plain_server.output(execution, lag="skip", lag_mib=1) as stream:
        assert len(stream.rest()) == 40 * 60_000 + len("old end\nnew\n")


def test_without_asking_everything_comes_and_the_lag_is_a_comment(plain_server: Server) -> None:
    with plain_server.puppet() as (execution, strings), plain_server.output(execution, format="sse") as stream:
        strings.say(b"hello\n")
        seen = stream.until(b": lag ")
        seen += stream.until(b"\n\n")
        assert b"hello" in seen
        assert re.search(rb"^: lag ms=\d+ bytes=\d+$", seen, re.MULTILINE)


def test_the_streams_of_events_tell_their_lag_too(plain_server: Server) -> None:
    with plain_server.puppet() as (execution, _):
        for query in ({}, {"end_execution_id": execution, "end_event": "st2.execution__update"}):
            with plain_server.stream(**query) as stream:
                seen = stream.until(b": lag ") + stream.until(b"\n\n")
                assert re.search(rb"^: lag ms=\d+ bytes=\d+$", seen, re.MULTILINE)
