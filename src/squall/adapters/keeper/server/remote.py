"""The launcher: starts keepers, finds those of earlier servers, and speaks to them.

What a keeper holds survives the server. At its start a server connects to every keeper that lives, and reads the run
log of every one that does not: what such a keeper had started is killed, and its executions are lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from squall.adapters.keeper import wire
from squall.adapters.keeper.runlog import Key, read_log
from squall.adapters.keeper.server.leftovers import kill_leftovers, lost, reap, remove_stale
from squall.adapters.keeper.server.link import Link
from squall.adapters.keeper.server.pool import Pool, reach
from squall.adapters.removing import remove
from squall.core.errors import UnavailableError
from squall.core.execution.launch import End, LaunchSpec
from squall.core.output import journal
from squall.core.output.journal import ServerRecord
from squall.ports import Clock

_LOG = logging.getLogger("squall.keeper")
_RECEIVE = 1 << 18
_GREET_WITHIN = 3.0
_READ_AT_ONCE = 256 << 10
_TRY_AGAIN = 0.5


async def _untouched(_tree: str) -> None:
    """For who seals no journals."""


def _forgotten(_tree: str) -> None:
    """For who seals no journals."""


class KeeperLauncher:
    """`ports.Launcher` over keepers below `homes`. Call `start` before anything else; `run` listens to them.

    There are at most `most` of this version. `results` is where results are kept until they are acknowledged; if not
    told, beside the journals. `open_tree` is awaited before a tree is given to a keeper, `release_tree`
    called when none has it any more.
    """

    def __init__(
        self,
        homes: Path,
        journals: Path,
        clock: Clock,
        *,
        floor: int,
        fsync_seconds: float,
        open_tree: Callable[[str], Awaitable[None]] = _untouched,
        release_tree: Callable[[str], None] = _forgotten,
        cgroup: str = "off",
        most: int = 1,
        results: Path | None = None,
    ) -> None:
        homes.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._journals = journals
        self._open_tree = open_tree
        self._release_tree = release_tree
        self._results = results or journals.parent / "results"
        self._pool = Pool(
            homes, [str(journals), str(self._results), str(floor), str(fsync_seconds), cgroup], clock, most
        )
        self._group: asyncio.TaskGroup | None = None
        self._arrived = asyncio.Event()
        self._holders: dict[Key, Link | None] = {}
        self._ends: dict[str, asyncio.Future[End]] = {}
        self._trees: dict[str, Link] = {}
        self._closing: dict[str, asyncio.Event] = {}
        self._taking: Counter[str] = Counter()
        self._asking: set[Key] = set()
        self._early: set[str] = set()
        self._waits: dict[str, str] = {}
        self._dead_homes: dict[Path, set[Key]] = {}

    async def start(self) -> None:
        """Takes up what earlier servers left, and has a keeper ready.

        One that stands still is not waited for: what its run log tells is held, and the rest comes when it goes on.
        """
        async with asyncio.TaskGroup() as group:
            for home in sorted(self._pool.homes.iterdir()):
                group.create_task(self._take_up(home))
        if not any(link.fit for link in self._pool.links):
            await self._keeper()
        for link in list(self._pool.links):
            self._let_go(link)
        await asyncio.to_thread(remove_stale, self._results, set(self._holders))

    async def run(self) -> None:
        """Listens to the keepers until cancelled; they go on without it."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for link in self._pool.links:
                    group.create_task(self._listen(link))
                await asyncio.Event().wait()
        finally:
            for link in self._pool.links:
                link.close()

    # -- keepers

    async def _keeper(self) -> Link:
        """The keeper for a new tree."""
        return await self._pool.choose(self._load, self._connect)

    def _load(self, link: Link) -> int:
        return sum(1 for holder in self._holders.values() if holder is link)

    async def _take_up(self, home: Path) -> None:
        if await self._connect(home) is None:
            await asyncio.to_thread(kill_leftovers, home)
            self._take_over(home)

    async def _connect(self, home: Path) -> Link | None:
        """Connects to the keeper in `home`, and is told what it has; None when none lives there."""
        link = await reach(home)
        if link is None:
            return None
        messages: list[dict[str, Any]] = []
        try:
            async with asyncio.timeout(_GREET_WITHIN):
                # One that dies while it is greeted resets the connection, or ends it.
                with contextlib.suppress(OSError, wire.BadMessageError):
                    while not messages and (data := await link.reader.read(_RECEIVE)):
                        messages = link.unpacker.feed(data)
            if not messages:
                link.close()
                return None
        except TimeoutError:
            _LOG.warning("a keeper stands still; its actions are taken up when it goes on", extra={"home": str(home)})
            for key, entry in read_log(home / "run.log").items():
                link.known.add(key)
                await self._give(str(entry.start["tree"]), link)
                self._hold(key, link)
        self._pool.links.append(link)
        for message in messages:
            await self._hear(link, message)
        if self._group is not None:
            self._group.create_task(self._listen(link))
        return link

    async def _welcome(self, link: Link, hello: dict[str, Any]) -> None:
        """What a keeper has, from its greeting."""
        link.version = int(hello["version"])
        link.pid = int(hello["pid"])
        link.busy = bool(hello.get("busy"))
        ends = {(end["execution"], end["attempt"]): end for end in hello["ends"]}
        for key in [*((execution, attempt) for execution, attempt in hello["held"]), *ends]:
            # What its log told while it was silent may have been taken care of meanwhile.
            if key not in link.known or key in self._holders:
                self._hold(key, link)
        for end in ends.values():
            self._end(end)
        self._waits.update(hello.get("waits", {}))
        for tree in hello["trees"]:
            await self._give(tree, link)
        link.known.clear()
        if not link.fit:
            self._let_go(link)

    async def _give(self, tree: str, link: Link) -> None:
        if tree not in self._trees:
            await self._open_tree(tree)
            self._trees[tree] = link

    def _let_go(self, link: Link) -> None:
        """Sends a keeper home that has nothing to do and is not needed: of another version, or one too many."""
        if self._pool.surplus(link) and link not in {*self._holders.values(), *self._trees.values()}:
            link.leaving = True
            link.tell({"op": "leave"})

    async def _listen(self, link: Link) -> None:
        with contextlib.suppress(OSError, wire.BadMessageError):
            while data := await link.reader.read(_RECEIVE):
                for message in link.unpacker.feed(data):
                    await self._hear(link, message)
        link.close()
        self._pool.links.remove(link)
        for tree in [tree for tree, holder in self._trees.items() if holder is link]:
            del self._trees[tree]
            self._release_tree(tree)
        if not link.leaving:
            _LOG.error("a keeper has ended", extra={"home": str(link.home)})
        await asyncio.to_thread(kill_leftovers, link.home)
        self._take_over(link.home)
        if link.pid:
            await asyncio.to_thread(reap, link.pid)
        for key in [key for key, holder in self._holders.items() if holder is link and key not in self._asking]:
            # Its log could not be written, or is gone.
            self._hold(key, None)
            self._end(lost(key))
        link.buried.set()

    async def _hear(self, link: Link, message: dict[str, Any]) -> None:
        if message["op"] == "reply" and message["id"] == 0:
            await self._welcome(link, message)
        elif message["op"] == "reply":
            future = link.waiting.pop(message["id"], None)
            if future is not None and not future.done():
                future.set_result(message)
        elif message["op"] == "end":
            self._end(message)
        elif message["op"] == "waits":
            _LOG.warning("an execution waits", extra={"execution": message["execution"], "reason": message["reason"]})
            self._waits[message["execution"]] = message["reason"]
        elif message["op"] == "busy":
            link.busy = bool(message["busy"])

    def _hold(self, key: Key, link: Link | None) -> None:
        if key not in self._holders:
            # Of two attempts the later one's end is waited for.
            self._ends[key[0]] = asyncio.get_running_loop().create_future()
        self._holders[key] = link

    def _end(self, message: dict[str, Any]) -> None:
        execution, attempt = message["execution"], message["attempt"]
        future = self._ends.get(execution)
        if any(key[0] == execution and key[1] > attempt for key in self._holders):
            return
        if future is not None and not future.done():
            future.set_result(msgspec.convert({key: message.get(key) for key in _END_FIELDS if key in message}, End))

    def _take_over(self, home: Path) -> None:
        """Knows the ends a dead keeper has logged, and that the rest is lost."""
        entries = read_log(home / "run.log")
        for key, entry in entries.items():
            self._hold(key, None)
            self._end(entry.end or lost(key))
        if entries:
            self._dead_homes[home] = set(entries)
        else:
            remove(home.parent, home)

    # -- the port

    async def spawn(self, spec: LaunchSpec) -> None:
        """Starts it, once for each attempt."""
        key = (spec.execution, spec.attempt)
        if key in self._holders:
            return
        fields = msgspec.structs.asdict(spec)
        fields["stdin"] = wire.to_text(spec.stdin)
        fields["opening"] = spec.opening.decode()
        fields["fork_server"] = msgspec.to_builtins(spec.fork_server)
        fields["secrets"] = [wire.to_text(secret) for secret in spec.secrets]
        self._asking.add(key)
        try:
            while not await self._tried(key, spec.tree, fields):
                pass
        finally:
            self._asking.discard(key)
        if spec.execution in self._early:
            await self.cancel(spec.execution)

    async def _tried(self, key: Key, tree: str, fields: dict[str, Any]) -> bool:
        """Has a keeper start it, or waits a while for there to be one; whether that is settled."""
        execution = key[0]
        try:
            done = await self._ask_to_spawn(key, tree, fields)
        except UnavailableError as error:
            if execution in self._early:
                self._hold(key, None)
                self._end({"execution": execution, "attempt": key[1], "exit_code": -1, "canceled": True})
                return True
            _LOG.warning("an execution waits", extra={"execution": execution, "reason": str(error)})
            self._waits[execution] = str(error)
            await asyncio.sleep(_TRY_AGAIN)
            return False
        if done:
            self._waits.pop(execution, None)
        return done

    async def _ask_to_spawn(self, key: Key, tree: str, fields: dict[str, Any]) -> bool:
        """Has a keeper start it; false when that keeper died before it began to, so that another may be asked."""
        link = await self._link_of(tree, True)
        assert link is not None  # noqa: S101 - one is made where there is none
        self._hold(key, link)
        try:
            await link.ask({"op": "spawn", "spec": fields})
        except UnavailableError:
            # Whether it was started is in the run log, which is read when the connection's end is noticed.
            await link.buried.wait()
            return self._holders.get(key) is not link
        except OSError as error:
            self._end({"execution": key[0], "attempt": key[1], "exit_code": -1, "error": str(error)})
        return True

    async def _link_of(self, tree: str, create: bool) -> Link | None:
        """The keeper that has the tree, or has it from now on; without `create` None if the tree has no journal."""
        if (link := self._trees.get(tree)) is not None:
            return link
        self._taking[tree] += 1
        try:
            while (closing := self._closing.get(tree)) is not None:
                await closing.wait()
            await self._open_tree(tree)
            if not create and not (self._journals / journal.file_name(tree)).exists():
                return None
            keeper = await self._keeper()
            return self._trees.setdefault(tree, keeper)
        finally:
            self._taking[tree] -= 1
            if not self._taking[tree]:
                del self._taking[tree]
                if tree not in self._trees:
                    self._release_tree(tree)

    async def ended(self, execution: str) -> End:
        """Waits for the end."""
        return await asyncio.shield(self._ends[execution])

    async def result(self, end: End) -> bytes:
        """What is in the file that the end names."""
        path = Path(end.result_file or os.devnull)
        with contextlib.suppress(OSError):
            return path.read_bytes() if end.result_bytes < _READ_AT_ONCE else await asyncio.to_thread(path.read_bytes)
        return b""

    async def acknowledge(self, execution: str) -> None:
        """Forgets an end; the keeper's log does too."""
        self._ends.pop(execution, None)
        self._early.discard(execution)
        self._waits.pop(execution, None)
        for key in [key for key in self._holders if key[0] == execution]:
            link = self._holders.pop(key)
            # Most have none; an end that was lost may have left one.
            (self._results / f"{key[0]}.{key[1]}").unlink(missing_ok=True)
            if link is not None:
                link.tell({"op": "ack", "execution": key[0], "attempt": key[1]})
                self._let_go(link)
            for home, keys in list(self._dead_homes.items()):
                keys.discard(key)
                if not keys:
                    del self._dead_homes[home]
                    remove(home.parent, home)

    async def cancel(self, execution: str) -> None:
        """Ends a process as a whole, also one that is just about to be started."""
        self._early.add(execution)
        for key, link in self._holders.items():
            if key[0] == execution and link is not None:
                link.tell({"op": "cancel", "execution": execution})

    async def add_secrets(self, execution: str, secrets: Sequence[bytes]) -> None:
        """Masks these in an execution's output from now on; they are when this returns."""
        for key, link in list(self._holders.items()):
            if key[0] == execution and link is not None:
                values = [wire.to_text(secret) for secret in secrets]
                await link.ask({"op": "secrets", "execution": execution, "values": values})

    def waiting(self, execution: str) -> str:
        """What a running execution waits for; empty if for nothing."""
        return self._waits.get(execution, "")

    def held(self) -> list[Key]:
        """What is running, or has ended without having been acknowledged: (execution, attempt) of each."""
        return list(self._holders)

    async def append(self, tree: str, records: Sequence[ServerRecord]) -> bool:
        """Appends records of the server's."""
        if (link := await self._link_of(tree, any(record.create for record in records))) is None:
            return False
        done = False
        for message in wire.appending(tree, records, link.version):
            done = bool((await link.ask(message))["done"])
        return done

    async def close_tree(self, tree: str) -> None:
        """Closes the tree's journal; it is closed when this returns."""
        link = self._trees.pop(tree, None)
        if link is None:
            return
        self._closing[tree] = done = asyncio.Event()
        try:
            # A keeper that is gone, or could not, writes no more either.
            with contextlib.suppress(UnavailableError, OSError):
                await link.ask({"op": "close", "tree": tree})
        finally:
            del self._closing[tree]
            self._release_tree(tree)
            done.set()
            self._let_go(link)


_END_FIELDS = frozenset(field.name for field in msgspec.structs.fields(End))
