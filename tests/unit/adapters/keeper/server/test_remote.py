"""The launcher against a keeper that says what a test makes it say, in the bytes of protocol version 5."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from squall.adapters.clock import SystemClock
from squall.adapters.keeper.server.remote import KeeperLauncher
from squall.core.output.journal import ServerRecord
from squall.testing.samples import sample_id, shell_spec
from squall.testing.waiting import PATIENCE, eventually

pytestmark = pytest.mark.anyio

UNIT = sample_id(1)
Message = dict[str, Any]
Answering = Callable[[Message], list[Message]]
HELLO: Message = {"op": "reply", "id": 0, "version": 5, "pid": 0, "held": [], "ends": [], "trees": [], "waits": {}}


def packed(*messages: Message) -> bytes:
    bodies = [json.dumps(message).encode() for message in messages]
    return b"".join(struct.pack(">I", len(body)) + body for body in bodies)


class ScriptedKeeper:
    """Answers each message with the messages of `script`, all in one write. `heard` are those that came."""

    def __init__(self, script: Answering, hello: Message) -> None:
        self.heard: list[Message] = []
        self._script = script
        self._hello = hello
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        while head := await reader.read(4):
            message = json.loads(await reader.readexactly(struct.unpack(">I", head)[0]))
            self.heard.append(message)
            hello = message["op"] == "hello"
            self.say(*([{**HELLO, **self._hello}] if hello else self._script(message)))

    def say(self, *messages: Message) -> None:
        """Sends messages in one write."""
        self._writers[-1].write(packed(*messages))

    async def hang_up(self) -> None:
        """Ends the connections, as a keeper does that dies."""
        for writer in self._writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def reply(message: Message, **fields: object) -> Message:
    return {"op": "reply", "id": message["id"], **fields}


def agrees(message: Message) -> list[Message]:
    """Does what it is asked, and says nothing more."""
    return [reply(message)] if "id" in message else []


@asynccontextmanager
async def scripted(
    home: Path, script: Answering = agrees, **hello: Any
) -> AsyncIterator[tuple[KeeperLauncher, ScriptedKeeper]]:
    (home / "keepers" / "one").mkdir(parents=True)
    keeper = ScriptedKeeper(script, hello)
    server = await asyncio.start_unix_server(keeper.serve, home / "keepers" / "one" / "socket")
    launcher = KeeperLauncher(home / "keepers", home / "journals", SystemClock(), floor=0, fsync_seconds=0.05)
    await launcher.start()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(launcher.run())
        # Only a launcher that has begun to listen closes its connections.
        await asyncio.sleep(0)
        yield launcher, keeper
        running.cancel()
    await keeper.hang_up()
    server.close()
    await server.wait_closed()


async def test_what_a_keeper_says_in_the_moment_it_starts_a_process_is_kept(tmp_path: Path) -> None:
    """A disk that is full from the start holds back the first byte, often before the server has read the answer."""

    def script(message: Message) -> list[Message]:
        full = {"op": "waits", "execution": UNIT, "reason": "its output waits for the disk: full"}
        return [reply(message), full] if message["op"] == "spawn" else agrees(message)

    async with scripted(tmp_path, script) as (launcher, keeper):
        await launcher.spawn(shell_spec("echo a"))
        assert launcher.waiting(UNIT) == "its output waits for the disk: full"
        keeper.say({"op": "waits", "execution": UNIT, "reason": ""})
        await eventually(lambda: launcher.waiting(UNIT) == "", "it waits no more")


async def test_an_end_that_comes_with_the_answer_is_kept(tmp_path: Path) -> None:
    def script(message: Message) -> list[Message]:
        end = {"op": "end", "execution": UNIT, "attempt": 1, "exit_code": 3}
        return [reply(message), end] if message["op"] == "spawn" else agrees(message)

    async with scripted(tmp_path, script) as (launcher, _), asyncio.timeout(PATIENCE):
        await launcher.spawn(shell_spec("exit 3"))
        assert (await launcher.ended(UNIT)).exit_code == 3


async def test_a_greeting_says_what_runs_what_has_ended_and_what_waits(tmp_path: Path) -> None:
    end = {"op": "end", "log": "end", "execution": sample_id(2), "attempt": 1, "exit_code": 4}
    hello: Message = {"held": [[UNIT, 1]], "ends": [end], "trees": [UNIT], "waits": {UNIT: "for the disk"}}
    async with scripted(tmp_path, **hello) as (launcher, keeper), asyncio.timeout(PATIENCE):
        assert set(launcher.held()) == {(UNIT, 1), (sample_id(2), 1)}
        assert launcher.waiting(UNIT) == "for the disk"
        assert (await launcher.ended(sample_id(2))).exit_code == 4
        await launcher.acknowledge(sample_id(2))
        ack = {"op": "ack", "execution": sample_id(2), "attempt": 1}
        await eventually(lambda: ack in keeper.heard, "the keeper may forget it")


async def test_what_waits_is_forgotten_with_its_end(tmp_path: Path) -> None:
    async with scripted(tmp_path, held=[[UNIT, 1]], waits={UNIT: "for the disk"}) as (launcher, _):
        await launcher.acknowledge(UNIT)
        assert launcher.waiting(UNIT) == ""
        assert launcher.held() == []


async def test_of_two_attempts_the_later_ones_end_counts(tmp_path: Path) -> None:
    async with scripted(tmp_path, held=[[UNIT, 2], [UNIT, 1]]) as (launcher, keeper), asyncio.timeout(PATIENCE):
        for attempt, exit_code in ((1, 5), (2, 6)):
            keeper.say({"op": "end", "execution": UNIT, "attempt": attempt, "exit_code": exit_code})
        assert (await launcher.ended(UNIT)).exit_code == 6


async def test_a_tree_that_is_being_closed_is_given_to_a_keeper_when_it_is_closed(tmp_path: Path) -> None:
    held: list[Message] = []

    def script(message: Message) -> list[Message]:
        if message["op"] == "close":
            held.append(message)
            return []
        return agrees(message)

    async with scripted(tmp_path, script, trees=[UNIT]) as (launcher, keeper), asyncio.TaskGroup() as group:
        closing = group.create_task(launcher.close_tree(UNIT))
        await eventually(lambda: bool(held), "the keeper is asked to close it")
        group.create_task(launcher.spawn(shell_spec("true")))
        assert [message["op"] for message in keeper.heard] == ["hello", "close"]
        keeper.say(reply(held[0]))
        await closing
        await eventually(lambda: keeper.heard[-1]["op"] == "spawn", "the process is started")


async def test_a_server_goes_on_when_it_does_not_understand_its_keeper(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def script(message: Message) -> list[Message]:
        return [reply(message, error=5)] if message["op"] == "append_records" else agrees(message)

    async with scripted(tmp_path, script, held=[[UNIT, 1]], trees=[UNIT]) as (launcher, keeper):
        with pytest.raises(
            OSError, match=r"could not append_records: the message 'reply' is malformed: its field 'error'"
        ):
            await launcher.append(UNIT, [ServerRecord(UNIT, 2, 3, 4, b"{}")])
        keeper.say({"op": "dance"}, {"op": "end"}, {"op": "waits", "execution": UNIT, "reason": "for the disk"})
        await eventually(lambda: launcher.waiting(UNIT) == "for the disk", "what comes behind is heard")
        assert "a message of a keeper is unreadable" in caplog.text


async def test_records_go_together_to_a_keeper_that_can_and_one_by_one_to_an_older_one(tmp_path: Path) -> None:
    def script(message: Message) -> list[Message]:
        return [reply(message, done=True)]

    records = [ServerRecord(UNIT, 2, 3, event, b"{}") for event in (4, 5)]
    singly: Message = {
        "op": "append",
        "tree": UNIT,
        "execution": UNIT,
        "kind": 2,
        "at": 3,
        "payload": "{}",
        "create": True,
    }
    for version, expected in (
        (4, [{"op": "append_records", "tree": UNIT, "records": [[UNIT, 2, 3, each, "{}", True] for each in (4, 5)]}]),
        (3, [{**singly, "event": each} for each in (4, 5)]),
    ):
        home = tmp_path / str(version)
        async with scripted(home, script, version=version, held=[[UNIT, 1]], trees=[UNIT]) as (launcher, keeper):
            assert await launcher.append(UNIT, records)
            sent = [{name: value for name, value in each.items() if name != "id"} for each in keeper.heard]
            assert [each for each in sent if each["op"].startswith("append")] == expected


async def test_what_one_moment_has_for_a_keeper_goes_in_one_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scripted(tmp_path, lambda message: [reply(message, done=True)], held=[[UNIT, 1]], trees=[UNIT]) as (
        launcher,
        keeper,
    ):
        pieces: list[bytes] = []
        write = asyncio.StreamWriter.write

        def counted(writer: asyncio.StreamWriter, data: bytes) -> None:
            if b"append_records" in data:
                pieces.append(data)
            write(writer, data)

        monkeypatch.setattr(asyncio.StreamWriter, "write", counted)
        appends = [launcher.append(UNIT, [ServerRecord(UNIT, 2, 3, each, b"{}")]) for each in (4, 5, 6)]
        assert all(await asyncio.gather(*appends))
        assert len(pieces) == 1
        assert len([each for each in keeper.heard if each["op"] == "append_records"]) == 3
