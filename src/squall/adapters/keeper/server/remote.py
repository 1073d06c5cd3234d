"""The launcher: the port over which services run processes and write journals, with keepers behind it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from squall.adapters.durable import make_folder
from squall.adapters.keeper import wire
from squall.adapters.keeper.runlog import Key
from squall.adapters.keeper.server.keepers import Keepers
from squall.adapters.keeper.server.launches import Launch, Launches
from squall.adapters.keeper.server.leftovers import remove_stale
from squall.adapters.keeper.server.link import Link
from squall.adapters.keeper.server.pool import Pool
from squall.adapters.keeper.server.trees import Trees
from squall.adapters.removing import remove
from squall.core.errors import UnavailableError
from squall.core.execution.process import End, LaunchSpec
from squall.core.output.journal import ServerRecord
from squall.ports import Clock

_LOG = logging.getLogger("squall.keeper")
_READ_AT_ONCE = 256 << 10
_TRY_AGAIN = 0.5


async def _untouched(_tree: str) -> None:
    """The default for callers that seal no journals."""


def _forgotten(_tree: str) -> None:
    """The default for callers that seal no journals."""


class KeeperLauncher:
    """`ports.Launcher` over keepers below `homes`. Call `start` before anything else; `run` listens to them.

    There are at most `most` of this version, with the variables `environment` (None: those of this process).
    `results` is where results are kept until they are acknowledged; if None, beside the journals. `open_tree` is
    awaited before a tree is given to a keeper, `release_tree` called when none has it any more.
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
        environment: Mapping[str, str] | None = None,
        results: Path | None = None,
    ) -> None:
        make_folder(homes)
        self._results = results or journals.parent / "results"
        self._launches = Launches()
        self._trees = Trees(journals, open_tree, release_tree)
        arguments = [str(journals), str(self._results), str(floor), str(fsync_seconds), cgroup]
        self._keepers = Keepers(Pool(homes, arguments, clock, most, environment), self._launches, self._trees)
        self._canceled: set[str] = set()

    async def start(self) -> None:
        """Takes up what earlier servers left, and has a keeper ready. Raises `UnavailableError`."""
        await self._keepers.start()
        with contextlib.suppress(OSError):
            await asyncio.to_thread(remove_stale, self._results, {launch.key for launch in self._launches})

    async def run(self) -> None:
        """Listens to the keepers until cancelled; they go on without it."""
        await self._keepers.run()

    async def spawn(self, spec: LaunchSpec) -> None:
        """Starts it, once for each attempt. Waits until there is a keeper that can be asked."""
        key = (spec.execution, spec.attempt)
        if key in self._launches:
            return
        launch = self._launches.get(key)
        launch.asking = True
        try:
            while not await self._tried(launch, spec):
                pass
        finally:
            launch.asking = False
        if spec.execution in self._canceled:
            await self.cancel(spec.execution)

    async def _tried(self, launch: Launch, spec: LaunchSpec) -> bool:
        """Has a keeper start it, or waits a while for there to be one. Returns whether that is settled."""
        try:
            return await self._ask_to_spawn(launch, spec)
        except UnavailableError as error:
            if launch.unit in self._canceled:
                launch.link = None
                launch.ended(End(execution=launch.unit, attempt=launch.attempt, exit_code=-1, canceled=True))
                return True
            _LOG.warning("an execution waits", extra={"execution": launch.unit, "reason": str(error)})
            launch.waits = str(error)
            await asyncio.sleep(_TRY_AGAIN)
            return False

    async def _ask_to_spawn(self, launch: Launch, spec: LaunchSpec) -> bool:
        """Has a keeper start it. Returns False if that keeper died before it began to, so that another may be asked."""
        link = await self._link_of(spec.tree, True)
        assert link is not None  # noqa: S101 - one is made where there is none
        launch.link = link
        # From here on only the keeper says what it waits for, and may do so in the same moment as it answers.
        launch.waits = ""
        try:
            await link.ask(wire.Spawn(spec))
        except UnavailableError:
            # Whether it was started is in the run log, which is read when the connection's end is noticed.
            await link.buried.wait()
            return launch.link is not link
        except OSError as error:
            launch.ended(End(execution=launch.unit, attempt=launch.attempt, exit_code=-1, error=str(error)))
        return True

    async def _link_of(self, tree: str, create: bool) -> Link | None:
        return await self._trees.take(tree, create, self._keepers.for_new_tree)

    async def ended(self, execution: str) -> End:
        """Waits for the end. Raises `KeyError` if it was never spawned, or is forgotten."""
        launch = self._launches.latest(execution)
        if launch is None:
            raise KeyError(execution)
        return await asyncio.shield(launch.end)

    async def result(self, end: End) -> bytes:
        """Returns what is in the file that the end names. Raises `UnavailableError` if it cannot be read now."""
        path = Path(end.result_file or os.devnull)
        try:
            return path.read_bytes() if end.result_bytes < _READ_AT_ONCE else await asyncio.to_thread(path.read_bytes)
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise UnavailableError(f"The result cannot be read: {error}") from error

    async def acknowledge(self, execution: str) -> None:
        """Forgets an end; the keeper's log does too."""
        self._canceled.discard(execution)
        for launch in self._launches.forget(execution):
            # Most have none; an end that was lost may have left one. What stays is removed at the next start.
            with contextlib.suppress(OSError):
                (self._results / f"{launch.unit}.{launch.attempt}").unlink(missing_ok=True)
            if launch.link is not None:
                launch.link.tell(wire.Acknowledge(launch.unit, launch.attempt))
                self._keepers.let_go(launch.link)
            for home in launch.dead_homes:
                if not self._launches.in_home(home):
                    with contextlib.suppress(OSError):
                        remove(home.parent, home)

    async def cancel(self, execution: str) -> None:
        """Ends a process as a whole, also one that is just about to be started."""
        self._canceled.add(execution)
        for launch in self._launches.of(execution):
            if launch.link is not None:
                launch.link.tell(wire.Cancel(execution))

    async def add_secrets(self, execution: str, secrets: Sequence[bytes]) -> None:
        """Masks these in an execution's output from now on; they are when this returns."""
        for launch in self._launches.of(execution):
            if launch.link is not None:
                await launch.link.ask(wire.AddSecrets(execution, tuple(secrets)))

    def waiting(self, execution: str) -> str:
        """Returns what a running execution waits for; empty if for nothing."""
        launch = self._launches.latest(execution)
        return launch.waits if launch is not None else ""

    def held(self) -> list[Key]:
        """Returns (execution, attempt) of each launch that runs, or has ended without having been acknowledged."""
        return [launch.key for launch in self._launches]

    async def append(self, tree: str, records: Sequence[ServerRecord]) -> bool:
        """Appends records of the server's."""
        if (link := await self._link_of(tree, any(record.create for record in records))) is None:
            return False
        done = False
        for message in wire.appending(tree, records, link.version):
            done = bool((await link.ask(message)).done)
        return done

    async def close_tree(self, tree: str) -> None:
        """Closes the tree's journal; it is closed when this returns."""

        async def close(link: Link) -> None:
            # A keeper that is gone, or could not, writes no more either.
            with contextlib.suppress(UnavailableError, OSError):
                await link.ask(wire.CloseTree(tree))

        if (link := await self._trees.close(tree, close)) is not None:
            self._keepers.let_go(link)
