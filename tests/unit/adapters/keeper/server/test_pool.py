"""Several keepers: which one a new tree is given to, those that stand still, and those of another version."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from squall.adapters.clock import SystemClock
from squall.adapters.keeper import wire
from squall.adapters.keeper.server import pool
from squall.adapters.keeper.server.link import Link
from squall.adapters.keeper.server.remote import KeeperLauncher
from squall.core.errors import UnavailableError
from squall.core.execution.launch import End, LaunchSpec
from squall.testing.samples import sample_id
from squall.testing.waiting import PATIENCE, eventually

pytestmark = pytest.mark.anyio

ONE, TWO, THREE = sample_id(1), sample_id(2), sample_id(3)


@asynccontextmanager
async def launching(home: Path, most: int = 2) -> AsyncIterator[KeeperLauncher]:
    """A server's launcher; its keepers live on when it goes, as when a server does."""
    (home / "journals").mkdir(exist_ok=True)
    made = KeeperLauncher(home / "keepers", home / "journals", SystemClock(), floor=0, fsync_seconds=0.05, most=most)
    await made.start()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(made.run())
        yield made
        running.cancel()


def spec(execution: str, command: str, tree: str = "", secret: str = "") -> LaunchSpec:
    secrets = (secret.encode(),) if secret else ()
    argv = ["/bin/sh", "-c", command]
    env = {"PATH": os.environ["PATH"]}
    return LaunchSpec(execution=execution, tree=tree or execution, attempt=1, argv=argv, env=env, secrets=secrets)


def links(launcher: KeeperLauncher) -> list[Link]:
    return launcher._keepers.pool.links


def pid(link: Link) -> int:
    peer = link.writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int(struct.unpack("3i", peer)[0])


def keeper_of(launcher: KeeperLauncher, execution: str) -> Link:
    link = launcher._launches.get((execution, 1)).link
    assert link is not None
    return link


def asked(launcher: KeeperLauncher) -> bool:
    return any(link.waiting for link in links(launcher))


async def until_ended(launcher: KeeperLauncher, execution: str) -> End:
    await eventually(lambda: (execution, 1) in launcher.held(), "it is held")
    async with asyncio.timeout(PATIENCE):
        return await launcher.ended(execution)


async def over(launcher: KeeperLauncher, execution: str, tree: str = "") -> int:
    async with asyncio.timeout(PATIENCE):
        end = await launcher.ended(execution)
        await launcher.acknowledge(execution)
        await launcher.close_tree(tree or execution)
    return end.exit_code


async def test_new_trees_leave_a_keeper_that_is_busy_masking_and_known_ones_stay(tmp_path: Path) -> None:
    async with launching(tmp_path) as launcher:
        await launcher.spawn(
            spec(ONE, "exec yes 'a long line that is looked through again and again'", secret="hidden")
        )
        first = keeper_of(launcher, ONE)
        await eventually(lambda: first.busy, "the keeper is busy")
        await launcher.spawn(spec(TWO, "exit 2"))
        await launcher.spawn(spec(THREE, "exit 3", tree=ONE))
        second = keeper_of(launcher, TWO)
        assert second is not first
        assert keeper_of(launcher, THREE) is first
        assert await over(launcher, TWO) == 2
        await launcher.cancel(ONE)
        await over(launcher, ONE, tree="none")
        assert await over(launcher, THREE, tree=ONE) == 3
        # With nothing to do, one of the two goes, and leaves no folder.
        await eventually(lambda: len(links(launcher)) == 1, "one keeper goes")
        await eventually(lambda: len(list((tmp_path / "keepers").iterdir())) == 1, "its folder goes")


async def test_an_action_waits_for_a_keeper_that_cannot_be_started_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with launching(tmp_path) as launcher:
        os.kill(pid(links(launcher)[0]), signal.SIGKILL)
        await eventually(lambda: not links(launcher), "no keeper is left")
        with monkeypatch.context() as broken:
            broken.setattr(pool, "_PROGRAM", "import sys; sys.exit('no memory')")
            async with asyncio.TaskGroup() as group:
                group.create_task(launcher.spawn(spec(ONE, "exit 3")))
                group.create_task(launcher.spawn(spec(TWO, "exit 4")))
                await eventually(
                    lambda: "no memory" in launcher.waiting(ONE) and "no memory" in launcher.waiting(TWO),
                    "both say why they wait",
                )
                await launcher.cancel(TWO)
                assert (await until_ended(launcher, TWO)).canceled
                assert list((tmp_path / "keepers").iterdir()) == []
                broken.undo()
        assert await over(launcher, ONE) == 3
        assert launcher.waiting(ONE) == ""


async def test_there_are_no_more_keepers_than_there_may_be(tmp_path: Path) -> None:
    async with launching(tmp_path, most=1) as launcher:
        links(launcher)[0].busy = True
        await launcher.spawn(spec(ONE, "exit 5"))
        assert len(links(launcher)) == 1
        assert await over(launcher, ONE) == 5


async def test_a_full_keeper_is_given_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "MANY", 2)
    async with launching(tmp_path, most=3) as launcher:
        ids = [sample_id(number) for number in range(7)]
        for execution in ids:
            await launcher.spawn(spec(execution, "read -r _ || exec sleep 7777"))
        counts = sorted(sum(keeper_of(launcher, one) is link for one in ids) for link in links(launcher))
        assert counts == [2, 2, 3]
        for execution in ids:
            await launcher.cancel(execution)
            await over(launcher, execution)


async def test_a_keeper_that_stands_still_holds_up_no_start_and_is_taken_up_when_it_goes_on(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    async with launching(tmp_path) as launcher:
        await launcher.spawn(spec(ONE, f"read -r x <{gate}; exit 7"))
        await launcher.spawn(spec(TWO, "exit 8"))
        await launcher.ended(TWO)
        keeper = pid(keeper_of(launcher, ONE))
        os.kill(keeper, signal.SIGSTOP)
    try:
        async with launching(tmp_path) as launcher:
            assert set(launcher.held()) == {(ONE, 1), (TWO, 1)}
            # Another keeper serves what is new meanwhile.
            await launcher.spawn(spec(THREE, "exit 9"))
            assert await over(launcher, THREE) == 9
            # What the database knows to have ended is forgotten while it still stands.
            await launcher.acknowledge(TWO)
            os.kill(keeper, signal.SIGCONT)
            await eventually(lambda: not any(link.silent for link in links(launcher)), "no keeper is silent")
            assert launcher.held() == [(ONE, 1)]
            gate.write_text("go\n")
            assert await over(launcher, ONE) == 7
            assert launcher.held() == []
    finally:
        # With the server gone and nothing to do it may have ended by now.
        with suppress(ProcessLookupError):
            os.kill(keeper, signal.SIGCONT)


async def test_what_a_server_sent_to_a_keeper_that_stood_still_is_not_started_twice(tmp_path: Path) -> None:
    begun = f"echo x >>{tmp_path}/starts"
    async with launching(tmp_path) as launcher:
        keeper = pid(links(launcher)[0])
        os.kill(keeper, signal.SIGSTOP)
        async with asyncio.TaskGroup() as group:
            lost = group.create_task(launcher.spawn(spec(ONE, begun)))
            await eventually(lambda: asked(launcher), "a keeper is asked")
            lost.cancel()
    try:
        async with launching(tmp_path) as launcher:
            # No log knows it, so the next server starts it; the old keeper reads of it only now.
            assert launcher.held() == []
            await launcher.spawn(spec(ONE, begun))
            assert await over(launcher, ONE) == 0
            os.kill(keeper, signal.SIGCONT)
            await eventually(lambda: not any(link.silent for link in links(launcher)), "no keeper is silent")
            assert launcher.held() == []
            assert (tmp_path / "starts").read_text() == "x\n"
    finally:
        # With the server gone and nothing to do it may have ended by now.
        with suppress(ProcessLookupError):
            os.kill(keeper, signal.SIGCONT)


async def test_a_keeper_of_an_older_version_is_used_until_it_is_idle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    older = pool._PROGRAM.replace(
        "from squall", f"import squall.adapters.keeper.wire as w; w.VERSION = {wire.VERSION - 1}; from squall", 1
    )
    with monkeypatch.context() as past:
        past.setattr(pool, "_PROGRAM", older)
        past.setattr(wire, "VERSION", wire.VERSION - 1)
        async with launching(tmp_path) as launcher:
            await launcher.spawn(spec(ONE, f"read -r x <{gate}; exit 4"))
            old = pid(keeper_of(launcher, ONE))
    async with launching(tmp_path) as launcher:
        assert launcher.held() == [(ONE, 1)]
        await launcher.spawn(spec(TWO, "exit 6"))
        await launcher.spawn(spec(THREE, "exit 5", tree=ONE))
        assert pid(keeper_of(launcher, TWO)) != old
        assert pid(keeper_of(launcher, THREE)) == old
        assert await over(launcher, TWO) == 6
        assert await over(launcher, THREE, tree="none") == 5
        assert any(pid(link) == old for link in links(launcher))
        gate.write_text("go\n")
        assert await over(launcher, ONE) == 4
        await eventually(lambda: not any(pid(link) == old for link in links(launcher)), "the old keeper is left")
        await eventually(lambda: not Path(f"/proc/{old}").exists(), "the old keeper ends")


def test_a_keeper_that_takes_no_connection_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_CONNECT_WITHIN", 0.05)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen(0)
        held = pool._connected(tmp_path)
        assert held is not None
        with pytest.raises(UnavailableError, match="does not answer"):
            pool._connected(tmp_path)
        held.close()


async def test_a_keeper_answers_what_it_does_not_understand_and_goes_on(tmp_path: Path) -> None:
    async with launching(tmp_path) as launcher, asyncio.timeout(PATIENCE):
        link = links(launcher)[0]
        for number, body in ((98, b'{"op":"dance","id":98}'), (99, b'{"op":"spawn","id":99,"spec":{}}')):
            answer = link.waiting[number] = asyncio.get_running_loop().create_future()
            link.writer.write(struct.pack(">I", len(body)) + body)
            reply = await answer
            assert "'dance' is unknown" in reply.error or "no field 'execution'" in reply.error
        await launcher.spawn(spec(ONE, "exit 3"))
        assert await over(launcher, ONE) == 3
