"""`[actionrunner] stream_output = false`: output shows only when its execution has ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import OUTPUT, Server, serving


@pytest.fixture(scope="module")
def held_back(tmp_path_factory: pytest.TempPathFactory, packs: Path) -> Iterator[Server]:
    env = {**QUICK, "SQUALL_ACTIONRUNNER_STREAM_OUTPUT": "false"}
    with serving(tmp_path_factory.mktemp("held"), packs, env=env) as server:
        yield server


def test_nothing_is_shown_before_the_end_and_everything_then(held_back: Server) -> None:
    with held_back.puppet() as (execution, strings):
        with held_back.output(execution, format="sse") as stream:
            strings.say(b"early\n")
            # Two heartbeats long the server had every reason to show it.
            while stream.parser.comments < 2:
                assert stream.parser.feed(stream.read()) == []
            with held_back.output(execution, follow="false") as now:
                assert now.rest() == b""
            strings.say(b"late\n")
            strings.end()
            events = [event.body["data"] for event in stream.events() if event.name == OUTPUT]
        assert "".join(events) == "early\nlate\n"
    with held_back.output(execution) as stream:
        assert stream.rest() == b"early\nlate\n"


def test_the_tail_stream_has_all_output_before_the_final_update(held_back: Server) -> None:
    execution = held_back.shell("echo one; echo two")
    events = held_back.tail(execution)
    assert [event.body.get("data", event.body.get("status")) for event in events] == [
        "running", "one\n", "two\n", "succeeded"
    ]  # fmt: skip


def test_the_stream_of_everything_has_no_output_of_what_still_runs(held_back: Server) -> None:
    with held_back.stream(events=OUTPUT) as stream:
        assert stream.read(1) == b"\n"
        with held_back.puppet() as (_, strings):
            strings.say(b"early\n")
            while stream.parser.comments < 2:
                assert stream.parser.feed(stream.read()) == []
            strings.end()
