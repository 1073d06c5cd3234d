"""Fork servers, as the keeper sees them: started when first wanted, asked for processes, replaced, dropped when idle.

A fork server is a process of its own (`compat/squall_forks.py`) at the other end of a socket. A request hands it an
action's ends of pipes; the answer is the pid of a process that is the keeper's own child, waits for its order, and ends
by itself if none comes. So whatever goes wrong here (the server dies, hangs, answers late) nothing has been started
yet, and the action is started anew the ordinary way. Standard library only.
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
    """The pipes of a process that is asked for: `theirs` are handed over, `mine` stay here, in the order of
    `compat/squall_forks.py`: standard input, output, errors, result, and `tagged` output. Raises `OSError`."""

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
        """Closes those that have been handed over."""
        for fd in self.theirs:
            os.close(fd)
        self.theirs = []

    def close(self) -> None:
        """Closes all of them."""
        for fd in (*self.mine, *self.theirs):
            os.close(fd)
        self.mine, self.theirs = [], []


class _ForkServer:
    """One of them. `ready` once it has told that it has imported all; `asked` are the requests it has not answered."""

    def __init__(self, stamp: str, process: subprocess.Popen[bytes], link: socket.socket, idle: float) -> None:
        self.stamp = stamp
        self.pid = process.pid
        self.pidfd = os.pidfd_open(process.pid)
        self.link = link
        self.idle = idle
        self.ready = False
        self.asked: dict[bytes, tuple[Callable[[int], None], Handle]] = {}
        self.timer: Handle | None = None


class Forks:
    """The fork servers of a keeper, by name; at most `_MOST`, of which the one not asked for longest goes first."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._servers: dict[str, _ForkServer] = {}
        self._count = 0

    def request(self, wanted: ForkServer, fds: list[int], then: Callable[[int], None]) -> bool:
        """Asks for a process with these descriptors; `then(pid)` is called later, with 0 when there is none.

        False when there is no server that could be asked now; one is started for the next time. The descriptors stay
        the caller's.
        """
        name = wanted.name
        server = self._servers.pop(name, None)
        if server is not None and server.stamp != wanted.stamp:
            self._drop(server)
            server = None
        if server is None:
            self._start(wanted)
            return False
        # The last one asked stands last.
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
        server.asked[token] = (then, timer)
        self._wait_idle(server)
        return True

    def pids(self) -> set[int]:
        """The processes of the servers."""
        return {server.pid for server in self._servers.values()}

    def close(self) -> None:
        """Ends all of them."""
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
        # The loop takes what has died; the object must not look for it.
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
            if (asked := server.asked.pop(token, None)) is not None:
                asked[1].cancel()
                asked[0](int(pid) if pid.isdigit() else 0)

    def _wait_idle(self, server: _ForkServer) -> None:
        if server.timer is not None:
            server.timer.cancel()
        server.timer = self._loop.call_later(server.idle, self._look_if_idle, server)

    def _look_if_idle(self, server: _ForkServer) -> None:
        if server.asked:
            self._wait_idle(server)
        else:
            self._forget(server)

    def _late(self, server: _ForkServer) -> None:
        """It hangs, or the machine does: who waits is told at once."""
        self._forget(server)

    def _forget(self, server: _ForkServer) -> None:
        for name, other in list(self._servers.items()):
            if other is server:
                del self._servers[name]
        self._drop(server)

    def _drop(self, server: _ForkServer) -> None:
        """Ends a server; its requests get nothing. What it has forked already waits for an order that never comes."""
        if server.timer is not None:
            server.timer.cancel()
            server.timer = None
        if server.link.fileno() >= 0:
            self._loop.remove_reader(server.link.fileno())
            server.link.close()
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(server.pidfd, signal.SIGKILL)
            os.close(server.pidfd)
        asked, server.asked = server.asked, {}
        for then, timer in asked.values():
            timer.cancel()
            then(0)
