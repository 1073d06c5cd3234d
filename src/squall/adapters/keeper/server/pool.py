"""A server's keepers: starting them, reaching those of earlier servers, and choosing one for a new tree.

A tree stays with its keeper, as its journal has one writer and its processes have one parent. What moves is the next
tree: away from a keeper that is busy masking or has many trees, to a further one (docs/adr/0005).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from squall.adapters.durable import make_folder
from squall.adapters.keeper import wire
from squall.adapters.keeper.server.link import Link
from squall.adapters.removing import remove
from squall.core.environment import is_of_environment
from squall.core.errors import UnavailableError
from squall.ports import Clock

MANY = 250
"""Executions of one keeper from which on new trees go to a further one."""

_CONNECT_WITHIN = 15.0
_CONNECT_AGAIN = 0.05
_SOURCE = Path(__file__).parents[4]
_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from squall.adapters.keeper.process.keeper import main; sys.exit(main(sys.argv[2:]))"
)


class Pool:
    """The keepers below `homes`. `links` are those that are connected; `arguments` are what a new one is given behind
    its home; `most` is how many there are started, `environment` are their variables (None: those of this process)."""

    def __init__(
        self, homes: Path, arguments: list[str], clock: Clock, most: int, environment: Mapping[str, str] | None = None
    ) -> None:
        self.homes = homes
        self.links: list[Link] = []
        self._arguments = arguments
        self._clock = clock
        self._most = most
        self._environment = environment
        self._starting = asyncio.Lock()

    async def choose(self, load: Callable[[Link], int], connect: Callable[[Path], Awaitable[Link | None]]) -> Link:
        """The keeper for a new tree: the first that is neither busy nor full; a further one while there may be more;
        else the one with the least `load` (executions). `connect` greets one that was started. Raises
        `UnavailableError`."""
        async with self._starting:
            fit = [link for link in self.links if link.fit]
            for link in fit:
                if not link.busy and load(link) < MANY:
                    return link
            if len(fit) >= self._most:
                return min(fit, key=lambda link: (link.busy, load(link)))
            home = self.homes / self._clock.new_id()
            try:
                await asyncio.to_thread(make_folder, home)
                await asyncio.to_thread(launch, home, self._arguments, self._environment)
                started = await connect(home)
            except (OSError, UnavailableError) as error:
                await asyncio.to_thread(remove, self.homes, home)
                raise UnavailableError(f"The keeper of actions could not be started: {error}") from error
            if started is None or not started.fit:
                raise UnavailableError("The keeper of actions ended while it was started.")
            return started

    def surplus(self, link: Link) -> bool:
        """Whether `link`, which has nothing to do, may go: another version's, or one of several."""
        others = [other for other in self.links if other is not link and other.fit and not other.busy]
        return not link.leaving and (bool(others) or (not link.silent and not link.fit))


async def reach(home: Path) -> Link | None:
    """A connection to the keeper in `home`, which has not greeted yet; None when none lives there.

    Raises `OSError` when the machine is in the way, so that nobody knows whether one lives there, and
    `UnavailableError` when there is one that has stood still for so long that its socket takes nobody more.
    """
    sock = await asyncio.to_thread(_connected, home)
    if sock is None:
        return None
    link = Link(home, *await asyncio.open_unix_connection(sock=sock))
    link.writer.write(wire.request(wire.Hello(wire.VERSION)))
    return link


def _connected(home: Path) -> socket.socket | None:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        sock.close()
        raise
    until = time.monotonic() + _CONNECT_WITHIN
    try:
        while True:
            with contextlib.suppress(BlockingIOError):
                # Through the folder's descriptor, as a path may be longer than a socket's name.
                sock.connect(f"/proc/self/fd/{folder}/socket")
                return sock
            if time.monotonic() > until:
                sock.close()
                raise UnavailableError(f"The keeper in {home} does not answer; let it go on, or kill it.")
            time.sleep(_CONNECT_AGAIN)
    except OSError as error:
        sock.close()
        if is_of_environment(error):
            raise
        return None
    finally:
        os.close(folder)


def launch(home: Path, arguments: list[str], environment: Mapping[str, str] | None) -> None:
    """Starts a keeper's process and waits until it listens. `environment` are its variables (None: those of this
    process). Raises `UnavailableError`."""
    command = [sys.executable, "-I", "-S", "-E", "-c", _PROGRAM, str(_SOURCE), str(home), *arguments]
    with open(home / "errors.log", "ab", opener=lambda name, flags: os.open(name, flags, 0o600)) as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
            cwd="/",
            env=environment,
        )
    assert process.stdout is not None  # noqa: S101 - it was asked for above
    with process.stdout as ready:
        if ready.readline() != b"ready\n":
            process.kill()
            process.wait()
            told = (home / "errors.log").read_text(errors="replace")[-500:]
            raise UnavailableError(told.strip() or "it ended at once")
    # It outlives us, so nobody waits for it here; init reaps it, or we do when we are asked to.
    process.returncode = 0
