"""The keepers of a server: starts them, connects to those of earlier servers, and chooses one for a new tree.

A tree stays with its keeper, because its journal has one writer and its processes have one parent. If a keeper is busy
with masking or has many trees, new trees go to another keeper (docs/adr/0005).
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
"""The number of executions of one keeper at which new trees go to another one."""

_CONNECT_WITHIN = 15.0
_CONNECT_AGAIN = 0.05
_SOURCE = Path(__file__).parents[4]
_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from squall.adapters.keeper.process.keeper import main; sys.exit(main(sys.argv[2:]))"
)


class Pool:
    """The keepers below the folder `homes`. `links` are the connected ones. A new keeper gets its home and `arguments`,
    and the variables `environment` (None: those of this process). At most `most` keepers are started."""

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
        """Returns the keeper for a new tree: the first that is neither busy nor full; else a new one, if there may be
        more; else the one with the least `load` (executions). `connect` connects to a new one. Raises
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
        """Checks whether an idle keeper may end: it has another version, or other keepers can take new trees."""
        others = [other for other in self.links if other is not link and other.fit and not other.busy]
        return not link.leaving and (bool(others) or (not link.silent and not link.fit))


async def reach(home: Path) -> Link | None:
    """Returns a connection to the keeper in `home`, which has not greeted yet; None if no keeper runs there.

    Raises `OSError` after an error of the machine, which leaves open whether a keeper runs there. Raises
    `UnavailableError` if a keeper has stood still for so long that its socket accepts no more connections.
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
                # The path goes through the folder's descriptor, because a path may be longer than a socket's name.
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
    assert process.stdout is not None  # noqa: S101 - it is a pipe, see above
    with process.stdout as ready:
        if ready.readline() != b"ready\n":
            process.kill()
            process.wait()
            text = (home / "errors.log").read_text(errors="replace")[-500:]
            raise UnavailableError(text.strip() or "it ended at once")
    # The keeper outlives this process, so nothing waits for it here. With a return code, `Popen` does not try to.
    process.returncode = 0
