"""kill -9 of the server, and its next start: nothing that was printed is lost, nothing stays running for ever."""

from __future__ import annotations

import itertools
import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import Server, serving
from tests.scenarios.live.wire import Event, Stream


@pytest.fixture
def mortal(tmp_path: Path, packs: Path) -> Iterator[Server]:
    with serving(tmp_path, packs, env=QUICK) as server:
        yield server


def kill(server: Server) -> None:
    server.signal(signal.SIGKILL)
    assert server.wait() == -signal.SIGKILL


def test_what_ran_goes_on_and_a_follower_resumes_where_it_was(mortal: Server) -> None:
    with mortal.puppet() as (execution, strings):
        with mortal.output(execution, format="sse", raw_data="true") as stream:
            strings.say(b"one\n")
            [event] = [event for event in stream.parser.feed(stream.until(b'one\\n"}\n\n')) if event.name != "message"]
            kill(mortal)
        strings.say(b"two, while nobody was there\n")
        mortal.start(mortal.port)
        strings.say(b"three\n")
        strings.end()
        with mortal.output(execution, format="raw", last_event_id=event.id) as stream:
            assert stream.rest() == b"two, while nobody was there\nthree\n"
        with mortal.output(execution, format="raw") as stream:
            assert stream.rest() == b"one\ntwo, while nobody was there\nthree\n"
        document = mortal.ended(execution)
        assert document["status"] == "succeeded"
        assert document["result"]["stdout"].startswith("one\n")


def test_what_ended_while_the_server_was_away_has_its_outcome(mortal: Server) -> None:
    with mortal.puppet() as (execution, strings):
        with mortal.output(execution) as stream:
            strings.say(b"begun\n")
            stream.until(b"begun\n")
        kill(mortal)
        strings.say(b"done\n")
        strings.end(7)
        mortal.start()
        document = mortal.ended(execution)
    assert (document["status"], document["result"]["return_code"]) == ("failed", 7)
    with mortal.output(execution) as stream:
        assert stream.rest() == b"begun\ndone\n"


def test_nothing_that_was_requested_before_is_forgotten(mortal: Server) -> None:
    wanted = [mortal.request("core.noop") for _ in range(30)]
    kill(mortal)
    mortal.start()
    assert {mortal.ended(execution)["status"] for execution in wanted} == {"succeeded"}


def test_each_announcement_is_sent_once_over_a_kill(mortal: Server) -> None:
    # Its parameter has the name under which the result holds all parameters.
    saying = {"name": "say", "pack": "default", "runner_type": "announcement", "parameters": {
        "experimental": {"default": True, "immutable": True}, "output": {"type": "integer"}}}  # fmt: skip
    assert mortal.call("POST", "/v1/actions", saying).status == 201
    with mortal.stream(events="st2.announcement__*") as stream:
        mortal.ended(mortal.request("default.say", output=0))
        [first] = take(stream, 1)
        executions = [mortal.request("default.say", output=number) for number in range(1, 21)]
        kill(mortal)
    mortal.start(mortal.port)
    for execution in executions:
        mortal.ended(execution)
    mortal.ended(mortal.request("default.say", output=21))
    with mortal.stream(events="st2.announcement__*", last_event_id=first.id) as stream:
        rest = take(stream, 21)
    numbers = [event.body["payload"] for event in (first, *rest)]
    assert sorted(numbers, key=lambda payload: payload["output"]) == [{"output": number} for number in range(22)]
    assert numbers[-1] == {"output": 21}


def take(stream: Stream, count: int) -> list[Event]:
    """The next events of a stream."""
    return list(itertools.islice(stream.events(), count))


def test_what_cannot_be_known_after_the_death_of_everything_is_abandoned(mortal: Server) -> None:
    execution = mortal.shell("echo begun; exec sleep 600")
    with mortal.output(execution) as stream:
        stream.until(b"begun\n")
    keepers = keeper_pids(mortal)
    assert keepers
    kill(mortal)
    for pid in keepers:
        pid.kill()
    mortal.start()
    document = mortal.ended(execution)
    assert document["status"] == "abandoned"
    assert document["result"]["error"]
    with mortal.output(execution) as stream:
        assert stream.rest() == b"begun\n"
    assert mortal.tail(execution)[-1].body["status"] == "abandoned"


class Pid:
    """A process that is no child of ours."""

    def __init__(self, number: int) -> None:
        self._descriptor = os.pidfd_open(number)

    def kill(self) -> None:
        """Kills it and waits until it is gone."""
        signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        ready = poll.poll(10_000)
        assert ready
        os.close(self._descriptor)


def keeper_pids(server: Server) -> list[Pid]:
    """The keepers of a server: the processes that were started with its folder of keepers."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if any(word.startswith(bytes(server.data_dir / "keepers")) for word in words):
            found.append(Pid(int(path.parent.name)))
    return found
