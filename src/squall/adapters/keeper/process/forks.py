"""The keeper's side of fork servers: starts them, requests processes from them, replaces them, and ends idle ones.

A fork server is a process of its own (`compat/squall_forks.py`) at the other end of a socket. A request passes the
action's ends of pipes to it. Its answer is the pid of a new process: a child of the keeper, which waits for its order,
and ends if no order comes. So if a fork server dies, hangs or answers late, no action has started, and the keeper
starts the action in the ordinary way. Standard library only.
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
    """The pipes of a requested process: the fork server gets `theirs`, the keeper keeps `mine`. Their order is that of
    `compat/squall_forks.py`: standard input, output, error, result, and `tagged` output. Raises `OSError`."""

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
        """Closes the ends that the fork server has now."""
        for fd in self.theirs:
            os.close(fd)
        self.theirs = []

    def close(self) -> None:
        """Closes all ends."""
        for fd in (*self.mine, *self.theirs):
            os.close(fd)
        self.mine, self.theirs = [], []


class _ForkServer:
    """One fork server. `ready`: it has imported everything. `unanswered` are the requests without an answer."""

    def __init__(self, stamp: str, process: subprocess.Popen[bytes], link: socket.socket, idle: float) -> None:
        self.stamp = stamp
        self.pid = process.pid
        self.pidfd = os.pidfd_open(process.pid)
        self.link = link
        self.idle = idle
        self.ready = False
        self.unanswered: dict[bytes, tuple[Callable[[int], None], Handle]] = {}
        self.timer: Handle | None = None


class Forks:
    """The fork servers of a keeper, by name. There are at most `_MOST`; the least recently used ends first."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._servers: dict[str, _ForkServer] = {}
        self._count = 0

    def request(self, wanted: ForkServer, fds: list[int], then: Callable[[int], None]) -> bool:
        """Requests a process with these descriptors. `then(pid)` is called later, with 0 if there is no process.

        Returns False if no fork server is ready; then one starts for the next request. The caller must close the
        descriptors.
        """
        name = wanted.name
        server = self._servers.pop(name, None)
        if server is not None and server.stamp != wanted.stamp:
            self._drop(server)
            server = None
        if server is None:
            self._start(wanted)
            return False
        # The server with the latest request stands last.
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
        server.unanswered[token] = (then, timer)
        self._wait_idle(server)
        return True

    def pids(self) -> set[int]:
        """Returns the pids of the fork servers."""
        return {server.pid for server in self._servers.values()}

    def close(self) -> None:
        """Ends all fork servers."""
        for server in list(self._servers.values()):
            self._forget(server)

    def _start(self, wanted: ForkServer) -> None:
        while len(self._servers) >= _MOST:
            self._forget(next(iter(self._servers.values())))
        try:
            mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError:
            return
        env = {name: value for name, value in os.environ.items() if not name.startswith("SQUALL_")}
        try:
            process = subprocess.Popen(
                [*wanted.argv, str(theirs.fileno())],
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
        # The keeper's loop reaps all dead children. With a return code, `Popen` does not try to.
        process.returncode = 0
        mine.setblocking(False)
        try:
            server = self._servers[wanted.name] = _ForkServer(wanted.stamp, process, mine, wanted.idle)
        except OSError:
            # Without a descriptor of the process, nothing tells the keeper of its end. Without its link, it ends.
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
            if (waiting := server.unanswered.pop(token, None)) is not None:
                then, timer = waiting
                timer.cancel()
                then(int(pid) if pid.isdigit() else 0)

    def _wait_idle(self, server: _ForkServer) -> None:
        if server.timer is not None:
            server.timer.cancel()
        server.timer = self._loop.call_later(server.idle, self._look_if_idle, server)

    def _look_if_idle(self, server: _ForkServer) -> None:
        if server.unanswered:
            self._wait_idle(server)
        else:
            self._forget(server)

    def _late(self, server: _ForkServer) -> None:
        """Ends a fork server that has not answered in time. Its requests get 0 at once."""
        self._forget(server)

    def _forget(self, server: _ForkServer) -> None:
        for name, other in list(self._servers.items()):
            if other is server:
                del self._servers[name]
        self._drop(server)

    def _drop(self, server: _ForkServer) -> None:
        """Ends a fork server. Its requests get 0. A process that it has forked already ends, because no order comes."""
        if server.timer is not None:
            server.timer.cancel()
            server.timer = None
        if server.link.fileno() >= 0:
            self._loop.remove_reader(server.link.fileno())
            server.link.close()
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(server.pidfd, signal.SIGKILL)
            os.close(server.pidfd)
        unanswered, server.unanswered = server.unanswered, {}
        for then, timer in unanswered.values():
            timer.cancel()
            then(0)
