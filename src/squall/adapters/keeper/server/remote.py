"""The launcher: the port through which services run processes and write journals, implemented with keepers."""

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


async def _open_nothing(_tree: str) -> None:
    """Does nothing: the default for callers that seal no journals."""


def _release_nothing(_tree: str) -> None:
    """Does nothing: the default for callers that seal no journals."""


class KeeperLauncher:
    """A `ports.Launcher` with keepers below `homes`. Call `start` first; `run` receives the keepers' messages.

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
        open_tree: Callable[[str], Awaitable[None]] = _open_nothing,
        release_tree: Callable[[str], None] = _release_nothing,
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
        """Takes up the keepers of earlier servers, and has a keeper ready. Raises `UnavailableError`."""
        await self._keepers.start()
        with contextlib.suppress(OSError):
            await asyncio.to_thread(remove_stale, self._results, {launch.key for launch in self._launches})

    async def run(self) -> None:
        """Receives messages of the keepers until cancelled. The keepers continue without it."""
        await self._keepers.run()

    async def spawn(self, spec: LaunchSpec) -> None:
        """Starts the process of an execution, once per attempt. Waits until a keeper is available."""
        key = (spec.execution, spec.attempt)
        if key in self._launches:
            return
        launch = self._launches.get(key)
        launch.asking = True
        try:
            while not await self._try_to_spawn(launch, spec):
                pass
        finally:
            launch.asking = False
        if spec.execution in self._canceled:
            await self.cancel(spec.execution)

    async def _try_to_spawn(self, launch: Launch, spec: LaunchSpec) -> bool:
        """Asks a keeper to start it; waits a while if no keeper is available. Returns False if the caller must try
        again."""
        try:
            return await self._ask_to_spawn(launch, spec)
        except UnavailableError as error:
            if launch.unit in self._canceled:
                launch.link = None
                launch.ended(End(execution=launch.unit, attempt=launch.attempt, exit_code=-1, canceled=True))
                return True
            _LOG.warning("an execution waits", extra={"execution": launch.unit, "reason": str(error)})
            launch.wait_reason = str(error)
            await asyncio.sleep(_TRY_AGAIN)
            return False

    async def _ask_to_spawn(self, launch: Launch, spec: LaunchSpec) -> bool:
        """Asks a keeper to start it. Returns False if the keeper died before it logged the start: then another keeper
        may start it."""
        link = await self._link_of(spec.tree, True)
        assert link is not None  # noqa: S101 - `create` is true
        launch.link = link
        # From here on only the keeper sets the reason, and its message may arrive together with its reply.
        launch.wait_reason = ""
        try:
            await link.ask(wire.Spawn(spec))
        except UnavailableError:
            # The run log says whether the keeper started it; the server reads the log when the connection ends.
            await link.taken_over.wait()
            return launch.link is not link
        except OSError as error:
            launch.ended(End(execution=launch.unit, attempt=launch.attempt, exit_code=-1, error=str(error)))
        return True

    async def _link_of(self, tree: str, create: bool) -> Link | None:
        return await self._trees.take(tree, create, self._keepers.for_new_tree)

    async def ended(self, execution: str) -> End:
        """Waits for the end and returns it. Raises `KeyError` if the execution was never spawned, or was
        acknowledged."""
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
        """Forgets the end of an execution, in the keeper's run log too, and deletes its result file."""
        self._canceled.discard(execution)
        for launch in self._launches.forget(execution):
            # Most have none; an end that was lost may have left one. What stays is removed at the next start.
            with contextlib.suppress(OSError):
                (self._results / f"{launch.unit}.{launch.attempt}").unlink(missing_ok=True)
            if launch.link is not None:
                launch.link.tell(wire.Acknowledge(launch.unit, launch.attempt))
                self._keepers.dismiss(launch.link)
            for home in launch.dead_homes:
                if not self._launches.in_home(home):
                    with contextlib.suppress(OSError):
                        remove(home.parent, home)

    async def cancel(self, execution: str) -> None:
        """Ends all processes of an execution, also if its start is still in progress."""
        self._canceled.add(execution)
        for launch in self._launches.of(execution):
            if launch.link is not None:
                launch.link.tell(wire.Cancel(execution))

    async def add_secrets(self, execution: str, secrets: Sequence[bytes]) -> None:
        """Masks more secrets in an execution's output. Masking is in effect when this returns."""
        for launch in self._launches.of(execution):
            if launch.link is not None:
                await launch.link.ask(wire.AddSecrets(execution, tuple(secrets)))

    def waiting(self, execution: str) -> str:
        """Returns the reason why a running execution waits; empty if it does not."""
        launch = self._launches.latest(execution)
        return launch.wait_reason if launch is not None else ""

    def held(self) -> list[Key]:
        """Returns (execution, attempt) of each launch that runs, or whose end has not been acknowledged."""
        return [launch.key for launch in self._launches]

    async def append(self, tree: str, records: Sequence[ServerRecord]) -> bool:
        """Appends records of the server to a tree's journal. Returns False if the tree has no journal and no record may
        create one."""
        if (link := await self._link_of(tree, any(record.create for record in records))) is None:
            return False
        done = False
        for message in wire.appending(tree, records, link.version):
            done = bool((await link.ask(message)).done)
        return done

    async def close_tree(self, tree: str) -> None:
        """Closes the tree's journal. The journal is closed when this returns."""

        async def close(link: Link) -> None:
            # A keeper that ended, or failed to close the journal, writes no more records either.
            with contextlib.suppress(UnavailableError, OSError):
                await link.ask(wire.CloseTree(tree))

        if (link := await self._trees.close(tree, close)) is not None:
            self._keepers.dismiss(link)
