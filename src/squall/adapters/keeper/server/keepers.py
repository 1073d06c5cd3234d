"""A server's side of all its keepers: greets them, hears what they say, and takes over what dead ones left.

What a keeper holds survives the server. At its start a server connects to every keeper that lives, and reads the run
log of every one that does not: what such a keeper had started is killed, and its executions are lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import Any

import msgspec

from squall.adapters.keeper import wire
from squall.adapters.keeper.runlog import Key, read_log
from squall.adapters.keeper.server.launches import Launch, Launches
from squall.adapters.keeper.server.leftovers import kill_leftovers, lost, reap
from squall.adapters.keeper.server.link import Link
from squall.adapters.keeper.server.pool import Pool, reach
from squall.adapters.keeper.server.trees import Trees
from squall.adapters.removing import remove
from squall.core.execution.launch import End

_LOG = logging.getLogger("squall.keeper")
_RECEIVE = 1 << 18
_GREET_WITHIN = 3.0


class Keepers:
    """The keepers of `pool`. What they say of launches and trees goes into `launches` and `trees`."""

    def __init__(self, pool: Pool, launches: Launches, trees: Trees) -> None:
        self.pool = pool
        self._launches = launches
        self._trees = trees
        self._group: asyncio.TaskGroup | None = None

    async def start(self) -> None:
        """Takes up what earlier servers left, and has a keeper ready.

        Does not wait for a keeper that stands still: its run log says what it has, and the rest follows later.
        """
        async with asyncio.TaskGroup() as group:
            for home in sorted(self.pool.homes.iterdir()):
                group.create_task(self._take_up(home))
        if not any(link.fit for link in self.pool.links):
            await self.for_new_tree()
        for link in list(self.pool.links):
            self.let_go(link)

    async def run(self) -> None:
        """Listens to the keepers until cancelled; they go on without it."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for link in self.pool.links:
                    group.create_task(self._listen(link))
                await asyncio.Event().wait()
        finally:
            for link in self.pool.links:
                link.close()

    async def for_new_tree(self) -> Link:
        """Returns the keeper for a new tree. Raises `UnavailableError` if none can be started."""
        return await self.pool.choose(lambda link: len(self._launches.at(link)), self._connect)

    def let_go(self, link: Link) -> None:
        """Sends a keeper home that has nothing to do and is not needed: of another version, or one too many."""
        if self.pool.surplus(link) and not self._launches.at(link) and not self._trees.at(link):
            link.leaving = True
            link.tell({"op": "leave"})

    async def _take_up(self, home: Path) -> None:
        if await self._connect(home) is None:
            await asyncio.to_thread(kill_leftovers, home)
            self._take_over(home)

    async def _connect(self, home: Path) -> Link | None:
        """Connects to the keeper in `home` and hears its greeting. Returns None if none lives there."""
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
                await self._trees.take_up(str(entry.start["tree"]), link)
                self._hold(key, link)
        self.pool.links.append(link)
        for message in messages:
            await self._hear(link, message)
        if self._group is not None:
            self._group.create_task(self._listen(link))
        return link

    async def _welcome(self, link: Link, hello: dict[str, Any]) -> None:
        """Takes up what a keeper has, from its greeting."""
        link.version = int(hello["version"])
        link.pid = int(hello["pid"])
        link.busy = bool(hello.get("busy"))
        ends = {(end["execution"], end["attempt"]): end for end in hello["ends"]}
        for key in [*((execution, attempt) for execution, attempt in hello["held"]), *ends]:
            # What its log told while it was silent may have been taken care of meanwhile.
            if key not in link.known or key in self._launches:
                self._hold(key, link)
        for end in ends.values():
            self._ended(end)
        waits = hello.get("waits", {})
        for launch in self._launches.at(link):
            launch.waits = waits.get(launch.unit, "")
        for tree in hello["trees"]:
            await self._trees.take_up(tree, link)
        link.known.clear()
        if not link.fit:
            self.let_go(link)

    def _hold(self, key: Key, link: Link | None) -> Launch:
        launch = self._launches.get(key)
        launch.link = link
        return launch

    async def _listen(self, link: Link) -> None:
        with contextlib.suppress(OSError, wire.BadMessageError):
            while data := await link.reader.read(_RECEIVE):
                for message in link.unpacker.feed(data):
                    await self._hear(link, message)
        link.close()
        self.pool.links.remove(link)
        self._trees.drop(link)
        if not link.leaving:
            _LOG.error("a keeper has ended", extra={"home": str(link.home)})
        await asyncio.to_thread(kill_leftovers, link.home)
        self._take_over(link.home)
        if link.pid:
            await asyncio.to_thread(reap, link.pid)
        for launch in self._launches.at(link):
            if not launch.asking:
                # The log of the keeper could not be written, or is gone.
                launch.link = None
                launch.ended(_end(lost(launch.key)))
        link.buried.set()

    async def _hear(self, link: Link, message: dict[str, Any]) -> None:
        if message["op"] == "reply" and message["id"] == 0:
            await self._welcome(link, message)
        elif message["op"] == "reply":
            link.answered(message)
        elif message["op"] == "end":
            self._ended(message)
        elif message["op"] == "waits":
            self._waits(message["execution"], message["reason"])
        elif message["op"] == "busy":
            link.busy = bool(message["busy"])

    def _waits(self, unit: str, reason: str) -> None:
        if (launch := self._launches.latest(unit)) is not None:
            launch.waits = reason
        if reason:
            _LOG.warning("an execution waits", extra={"execution": unit, "reason": reason})
        else:
            _LOG.info("an execution waits no more", extra={"execution": unit})

    def _ended(self, message: dict[str, Any]) -> None:
        end = _end(message)
        if (end.execution, end.attempt) in self._launches:
            self._launches.get((end.execution, end.attempt)).ended(end)

    def _take_over(self, home: Path) -> None:
        """Takes up the ends that a dead keeper has logged. What it has not ended is lost."""
        entries = read_log(home / "run.log")
        for key, entry in entries.items():
            launch = self._hold(key, None)
            launch.dead_homes.add(home)
            launch.ended(_end(entry.end or lost(key)))
        if not entries:
            remove(home.parent, home)


def _end(message: dict[str, Any]) -> End:
    return msgspec.convert({key: message[key] for key in _END_FIELDS if key in message}, End)


_END_FIELDS = frozenset(field.name for field in msgspec.structs.fields(End))
