"""The connections of a server to all its keepers: greetings, messages, and the takeover of dead keepers.

The processes and journals of a keeper survive the server. At its start a server connects to every living keeper and
reads the run log of every dead one: it kills the processes that the dead keeper had started, and their executions are
lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path

from squall.adapters.keeper import wire
from squall.adapters.keeper.runlog import Key, read_log
from squall.adapters.keeper.server.launches import Launch, Launches
from squall.adapters.keeper.server.leftovers import kill_leftovers, lost, reap
from squall.adapters.keeper.server.link import Link
from squall.adapters.keeper.server.pool import Pool, reach
from squall.adapters.keeper.server.trees import Trees
from squall.adapters.removing import remove
from squall.core.environment import RETRIED, is_of_environment
from squall.core.execution.process import End

_LOG = logging.getLogger("squall.keeper")
_RECEIVE = 1 << 18
_GREET_WITHIN = 3.0
_TRY_AGAIN = 0.5


class Keepers:
    """The keepers of `pool`. Their messages about launches and trees update `launches` and `trees`."""

    def __init__(self, pool: Pool, launches: Launches, trees: Trees) -> None:
        self.pool = pool
        self._launches = launches
        self._trees = trees
        self._group: asyncio.TaskGroup | None = None

    async def start(self) -> None:
        """Connects to the keepers of earlier servers, takes over the dead ones, and has at least one keeper ready.

        Does not wait for a keeper that stands still: its run log says what it has, and the rest follows later. Does not
        wait either for a keeper that cannot be started now: whoever needs one starts it. Raises `OSError` and
        `UnavailableError` if what earlier servers left cannot be read now; then it may be called again.
        """
        async with asyncio.TaskGroup() as group:
            for home in sorted(self.pool.homes.iterdir()):
                if all(link.home != home for link in self.pool.links):
                    group.create_task(self._take_up(home))
        if not any(link.fit for link in self.pool.links):
            try:
                await self.for_new_tree()
            except RETRIED as error:
                _LOG.warning("no keeper can be started now; executions wait for one", extra={"error": str(error)})
        for link in list(self.pool.links):
            self.dismiss(link)

    async def run(self) -> None:
        """Receives messages of the keepers until cancelled. The keepers continue without it."""
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

    def dismiss(self, link: Link) -> None:
        """Asks a keeper to end if it has nothing to do and the pool does not need it: it speaks another version, or
        there are enough others."""
        if self.pool.surplus(link) and not self._launches.at(link) and not self._trees.at(link):
            link.leaving = True
            link.tell(wire.Leave())

    async def _take_up(self, home: Path) -> None:
        while True:
            try:
                if await self._connect(home) is None:
                    await self._bury(home)
                return
            except OSError as error:
                # Whether a keeper lives there is not known. Without knowing it, nothing may be called lost.
                if not is_of_environment(error):
                    raise
                _LOG.warning("a keeper cannot be reached now", extra={"home": str(home), "error": str(error)})
                await asyncio.sleep(_TRY_AGAIN)

    async def _bury(self, home: Path) -> None:
        """Kills what a dead keeper has left, and takes up the ends that it has logged. Waits as long as the machine
        is in the way: what cannot be read now is not lost."""
        while True:
            try:
                await asyncio.to_thread(kill_leftovers, home)
                self._take_over(home)
                return
            except RETRIED as error:
                _LOG.warning("what a keeper left cannot be read now", extra={"home": str(home), "error": str(error)})
                await asyncio.sleep(_TRY_AGAIN)

    async def _connect(self, home: Path) -> Link | None:
        """Connects to the keeper in `home` and reads its greeting. Returns None if no keeper lives there."""
        link = await reach(home)
        if link is None:
            return None
        try:
            async with asyncio.timeout(_GREET_WITHIN):
                messages = await _first(link)
            if not messages:
                link.close()
                return None
        except TimeoutError:
            _LOG.warning(
                "a keeper does not answer; the server takes up its actions when it does", extra={"home": str(home)}
            )
            messages = []
        if not messages or isinstance(messages[0], wire.Unreadable):
            await self._take_up_logged(link)
        self.pool.links.append(link)
        for message in messages:
            await self._handle(link, message)
        if self._group is not None:
            self._group.create_task(self._listen(link))
        return link

    async def _take_up_logged(self, link: Link) -> None:
        """Takes up the executions in the run log of a living keeper that sent no readable greeting."""
        for key, entry in read_log(link.home / "run.log").items():
            link.logged.add(key)
            await self._trees.take_up(entry.start.tree, link)
            self._assign(key, link)

    async def _welcome(self, link: Link, greeting: wire.Greeting) -> None:
        """Takes up the executions, ends and trees in the greeting of a keeper."""
        link.version = greeting.version
        link.pid = greeting.pid
        link.busy = greeting.busy
        for key in [*greeting.held, *((end.unit, end.attempt) for end in greeting.ends)]:
            # An entry of its log may have been acknowledged since the server read the log.
            if key not in link.logged or key in self._launches:
                self._assign(key, link)
        for end in greeting.ends:
            self._ended(end)
        for launch in self._launches.at(link):
            launch.wait_reason = greeting.waits.get(launch.unit, "")
        for tree in greeting.trees:
            await self._trees.take_up(tree, link)
        link.logged.clear()
        if not link.fit:
            self.dismiss(link)

    def _assign(self, key: Key, link: Link | None) -> Launch:
        launch = self._launches.get(key)
        launch.link = link
        return launch

    async def _listen(self, link: Link) -> None:
        with contextlib.suppress(OSError, wire.BadMessageError):
            while data := await link.reader.read(_RECEIVE):
                for message in link.unpacker.feed(data):
                    await self._handle(link, message)
        link.close()
        self.pool.links.remove(link)
        self._trees.drop(link)
        if not link.leaving:
            _LOG.error("a keeper has ended", extra={"home": str(link.home)})
        await self._bury(link.home)
        if link.pid:
            await asyncio.to_thread(reap, link.pid)
        for launch in self._launches.at(link):
            if not launch.asking:
                # The keeper could not write its log, or the log is gone.
                launch.link = None
                launch.ended(lost(launch.key))
        link.taken_over.set()

    async def _handle(self, link: Link, message: wire.Report | wire.Unreadable) -> None:
        match message:
            case wire.Greeting():
                await self._welcome(link, message)
            case wire.Reply():
                link.answered(message)
            case End():
                self._ended(message)
            case wire.Waits(unit, reason):
                self._set_wait_reason(unit, reason)
            case wire.Busy(busy):
                link.busy = busy
            case wire.Unreadable(reason, number):
                _LOG.error("a message of a keeper is unreadable", extra={"home": str(link.home), "reason": reason})
                if number is not None:
                    link.answered(wire.Reply(number, error=reason))

    def _set_wait_reason(self, unit: str, reason: str) -> None:
        if (launch := self._launches.latest(unit)) is not None:
            launch.wait_reason = reason
        if reason:
            _LOG.warning("an execution waits", extra={"execution": unit, "reason": reason})
        else:
            _LOG.info("an execution waits no more", extra={"execution": unit})

    def _ended(self, end: End) -> None:
        if (end.unit, end.attempt) in self._launches:
            self._launches.get((end.unit, end.attempt)).ended(end)

    def _take_over(self, home: Path) -> None:
        """Takes up the ends in the run log of a dead keeper. An execution without an end is lost."""
        entries = read_log(home / "run.log")
        for key, entry in entries.items():
            launch = self._assign(key, None)
            launch.dead_homes.add(home)
            launch.ended(entry.end or lost(key))
        if not entries:
            remove(home.parent, home)


async def _first(link: Link) -> list[wire.Report | wire.Unreadable]:
    """Waits for the first messages of a keeper. Returns an empty list if the keeper has ended: one that dies during the
    greeting resets or closes the connection."""
    with contextlib.suppress(OSError, wire.BadMessageError):
        while data := await link.reader.read(_RECEIVE):
            if messages := link.unpacker.feed(data):
                return messages
    return []
