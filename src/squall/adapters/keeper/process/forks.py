"""The keeper's fork servers: starts them at the first request, requests processes from them, ends idle ones.

A fork server is a process of its own (`compat/squall_forks.py`) at the other end of a socket. A request has an action's
ends of pipes; the answer is the pid of a process that is the keeper's own child, waits for its order, and ends by
itself if none comes. So if a fork server fails (dies, hangs, answers late), no action has started yet, and the keeper
starts the action as a new process. Standard library only.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Callable

from squall.adapters.keeper.process.child import Handle, Loop
from squall.core.execution.process import ForkServer

_ANSWERS_WITHIN = 2.0
_READY_WITHIN = 60.0
_MOST = 16
_PIPES = 4
_DATAGRAM = 64


class Ends:
    """The pipes of a requested process: the fork server gets the ends `theirs`, the keeper has the ends `mine`. Their
    order is that of `compat/squall_forks.py`: stdin, stdout, stderr, result, and `tagged` output. Raises `OSError`."""

    def __init__(self, tagged: bool) -> None:
        self.mine: list[int] = []
        self.theirs: list[int] = []
        try:
            for number in range(_PIPES + tagged):
                reader, writer = os.pipe2(os.O_CLOEXEC)
                self.mine.append(reader if number else writer)
                self.theirs.append(writer if number else reader)
        except OSError:
            self.close()
            raise

    def hand_over(self) -> None:
        """Closes this process's copies of the ends that the fork server got."""
        for fd in self.theirs:
            os.close(fd)
        self.theirs = []

    def close(self) -> None:
        """Closes all ends."""
        for fd in (*self.mine, *self.theirs):
            os.close(fd)
        self.mine, self.theirs = [], []


class _ForkServer:
    """One fork server. `ready` is true once it has reported that its imports are done; `requests` are the unanswered
    requests by token, with their callbacks and timers."""

    def __init__(self, stamp: str, process: subprocess.Popen[bytes], link: socket.socket, idle: float) -> None:
        self.stamp = stamp
        self.pid = process.pid
        self.pidfd = os.pidfd_open(process.pid)
        self.link = link
        self.idle = idle
        self.ready = False
        self.requests: dict[bytes, tuple[Callable[[int], None], Handle]] = {}
        self.timer: Handle | None = None


class Forks:
    """The fork servers of a keeper, by name. There are at most `_MOST`; the least recently used one ends first."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._servers: dict[str, _ForkServer] = {}
        self._count = 0

    def request(self, spec: ForkServer, fds: list[int], then: Callable[[int], None]) -> bool:
        """Requests a process with these descriptors. It calls `then(pid)` later, with 0 if the request failed.

        Returns False if no such server is ready; then it starts one for the next time. The caller still owns `fds`.
        """
        name = spec.name
        server = self._servers.pop(name, None)
        if server is not None and server.stamp != spec.stamp:
            self._drop(server)
            server = None
        if server is None:
            self._start(spec)
            return False
        # The dict's order is that of the last use.
        self._servers[name] = server
        if not server.ready:
            return False
        self._count += 1
        token = b"%d" % self._count
        try:
            socket.send_fds(server.link, [token], fds)
        except OSError:
            self._forget(server)
            return False
        timer = self._loop.call_later(_ANSWERS_WITHIN, self._late, server)
        server.requests[token] = (then, timer)
        self._wait_idle(server)
        return True

    def pids(self) -> set[int]:
        """Returns the pids of the fork servers."""
        return {server.pid for server in self._servers.values()}

    def close(self) -> None:
        """Ends all fork servers."""
        for server in list(self._servers.values()):
            self._forget(server)

    def _start(self, spec: ForkServer) -> None:
        while len(self._servers) >= _MOST:
            self._forget(next(iter(self._servers.values())))
        try:
            mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError:
            return
        env = {name: value for name, value in os.environ.items() if not name.startswith("SQUALL_")}
        try:
            process = subprocess.Popen(
                [*spec.argv, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=env,
                cwd="/",
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except (OSError, ValueError):
            mine.close()
            return
        finally:
            theirs.close()
        # The keeper's loop reaps dead children; the Popen object must not wait for its process.
        process.returncode = 0
        mine.setblocking(False)
        try:
            server = self._servers[wanted.name] = _ForkServer(wanted.stamp, process, mine, wanted.idle)
        except OSError:
            # Without its descriptor nothing would tell when it ends. Without its link it ends by itself.
            mine.close()
            return
        server.timer = self._loop.call_later(_READY_WITHIN, self._late, server)
        self._loop.add_reader(mine.fileno(), self._heard, server)

    def _heard(self, server: _ForkServer) -> None:
        try:
            message = server.link.recv(_DATAGRAM)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        if not message:
            self._forget(server)
        elif not server.ready:
            server.ready = True
            self._wait_idle(server)
        else:
            token, _, pid = message.partition(b" ")
            if (request := server.requests.pop(token, None)) is not None:
                then, timer = request
                timer.cancel()
                then(int(pid) if pid.isdigit() else 0)

    def _wait_idle(self, server: _ForkServer) -> None:
        if server.timer is not None:
            server.timer.cancel()
        server.timer = self._loop.call_later(server.idle, self._look_if_idle, server)

    def _look_if_idle(self, server: _ForkServer) -> None:
        if server.requests:
            self._wait_idle(server)
        else:
            self._forget(server)

    def _late(self, server: _ForkServer) -> None:
        """Ends a server that did not answer in time. Its requests fail at once."""
        self._forget(server)

    def _forget(self, server: _ForkServer) -> None:
        for name, other in list(self._servers.items()):
            if other is server:
                del self._servers[name]
        self._drop(server)

    def _drop(self, server: _ForkServer) -> None:
        """Ends a server. Its requests fail. A process that it has forked already ends, as it never gets an order."""
        if server.timer is not None:
            server.timer.cancel()
            server.timer = None
        if server.link.fileno() >= 0:
            self._loop.remove_reader(server.link.fileno())
            server.link.close()
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(server.pidfd, signal.SIGKILL)
            os.close(server.pidfd)
        requests, server.requests = server.requests, {}
        for then, timer in requests.values():
            timer.cancel()
            then(0)
