"""The keeper: the process that starts the actions, holds their pipes and writes their journals.

It does not depend on the server, which may be stopped, killed or replaced while actions run. It uses only the standard
library and one event loop, and its memory does not grow. `main` is its program.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import struct
import sys
import time
from functools import partial
from pathlib import Path

from squall.adapters.keeper import wire
from squall.adapters.keeper.families.cgroups import ActionGroups, base_of
from squall.adapters.keeper.families.processes import read_process
from squall.adapters.keeper.process.child import Child
from squall.adapters.keeper.process.children import Children
from squall.adapters.keeper.process.ends import Ends
from squall.adapters.keeper.process.flusher import Flusher
from squall.adapters.keeper.process.loop import EpollLoop
from squall.adapters.keeper.process.starting import lower_descriptors, raise_descriptors
from squall.adapters.keeper.process.writing.journals import Journals
from squall.adapters.keeper.process.writing.writer import TreeWriter
from squall.adapters.keeper.runlog import Process, RunLog, Started
from squall.core.execution.process import LaunchSpec
from squall.core.output.journal import ServerRecord

_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_IDLE_EXIT = 3.0
_FORSAKEN_EXIT = 15.0
_RECEIVE = 1 << 18
_WAITING_SERVERS = 128
_OOM_SCORE = "-900"
_LOAD_EVERY = 0.5
_BUSY, _NO_LONGER_BUSY = 0.4, 0.2


class _Link:
    """One connected server."""

    def __init__(self, keeper: Keeper, sock: socket.socket) -> None:
        self.keeper = keeper
        self.socket = sock
        self.unpacker = wire.Unpacker(wire.read_request)
        self.out = bytearray()

    def send(self, message: wire.Report) -> None:
        """Sends a message: as much as the socket accepts now, and the rest when it accepts more."""
        self.out += wire.report(message)
        self.flush()

    def hung_up(self) -> bool:
        """Returns True if the server has closed the connection, also if some of its data is still unread."""
        if self.socket.fileno() < 0:
            return True
        poll = select.poll()
        poll.register(self.socket, select.POLLRDHUP)
        return bool(poll.poll(0))

    def flush(self) -> None:
        """Sends as much of the pending data as the socket accepts now."""
        loop = self.keeper.loop
        try:
            while self.out:
                del self.out[: self.socket.send(self.out)]
            loop.remove_writer(self.socket.fileno())
        except BlockingIOError:
            loop.add_writer(self.socket.fileno(), self.flush)
        except OSError:
            self.keeper.drop(self)


class Keeper:
    """The whole keeper: listens on a socket in `home`, and writes journals below `journals_root`."""

    def __init__(
        self, home: Path, journals_root: Path, results: Path, groups: ActionGroups, floor: int, fsync_seconds: float
    ) -> None:
        self.loop = EpollLoop()
        self.open_files: int | None = None
        """The soft limit of descriptors that actions get; None: that of the keeper."""
        self._boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        boot = bytes.fromhex(self._boot.replace("-", ""))
        self._journals = Journals(journals_root, boot, int(time.time()) & 0xFFFFFFFF, floor)
        self._children = Children(
            self.loop, self._journals, groups, results, _now, self._started, self._ended, self._tell_wait_reason
        )
        self._log = RunLog(home / "run.log")
        self._flusher = Flusher(self.loop)
        self._ends = Ends(self.loop, self._flusher, self._log, self._tell)
        self._fsync_seconds = fsync_seconds
        self._links: list[_Link] = []
        self._busy = False
        self._socket = home / "socket"
        self._listener = _listener(home)
        self.loop.add_reader(self._listener.fileno(), self._accept)
        self._idle_since = self.loop.time()
        self.loop.on_child(lambda: _reap_strangers(self._children.pids()))
        self.loop.call_later(fsync_seconds, self._flush)
        self.loop.call_later(_IDLE_EXIT, self._leave_when_idle)
        self.loop.call_later(_LOAD_EVERY, self._look_at_load, 0.0, self.loop.time())

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid not in (0, os.geteuid()):
            sock.close()
            return
        sock.setblocking(False)
        link = _Link(self, sock)
        self._links.append(link)
        self.loop.add_reader(sock.fileno(), self._receive, link)

    def drop(self, link: _Link) -> None:
        """Closes the connection of a server that has gone."""
        if link in self._links:
            self._links.remove(link)
            self.loop.remove_reader(link.socket.fileno())
            self.loop.remove_writer(link.socket.fileno())
            link.socket.close()
            self._idle_since = self.loop.time()

    def _receive(self, link: _Link) -> None:
        try:
            data = link.socket.recv(_RECEIVE)
            messages = link.unpacker.feed(data) if data else None
        except BlockingIOError:
            return
        except (OSError, wire.BadMessageError):
            messages = None
        if messages is None:
            self.drop(link)
            return
        for number, message in messages:
            self._handle(link, number, message)

    def _handle(self, link: _Link, number: int | None, message: wire.Request | wire.Unreadable) -> None:
        """Executes a message and sends the reply. A message that fails gets an error reply; the keeper continues."""
        if isinstance(message, wire.Hello):
            link.send(self._greeting())
            return
        done: bool | None = None
        error: str | None = None
        try:
            done = self._do(link, message)
        except (TypeError, ValueError, OSError) as problem:
            error = f"{type(problem).__name__}: {problem}"
        if number is not None:
            link.send(wire.Reply(number, error, done))

    def _do(self, link: _Link, message: wire.Request | wire.Unreadable) -> bool | None:
        """Executes a message. Returns `Reply.done`: True if records were appended; None for other messages. Raises
        `ValueError` and `OSError`."""
        match message:
            case wire.Spawn(spec):
                self._spawn(link, spec)
            case wire.Cancel(unit):
                self._children.cancel(unit)
            case wire.AddSecrets(unit, values):
                self._children.add_secrets(unit, list(values))
            case wire.Acknowledge(unit, attempt):
                self._log.acknowledge(unit, attempt)
            case wire.Append(tree, unit, kind, at, event, payload, create):
                record = ServerRecord(unit, kind, at, event, payload, create)
                return not link.hung_up() and self._journals.append(tree, (record,))
            case wire.AppendRecords(tree, records):
                # The next server may have given the tree to another keeper while this one stood still.
                return not link.hung_up() and self._journals.append(tree, records)
            case wire.CloseTree(tree):
                self._journals.close(tree, _now())
            case wire.Leave():
                self._leave()
            case wire.Unreadable(reason):
                raise ValueError(reason)
        return None

    def _greeting(self) -> wire.Greeting:
        entries = self._log.entries
        return wire.Greeting(
            version=wire.VERSION,
            pid=os.getpid(),
            held=tuple(key for key, entry in entries.items() if entry.end is None or key in self._ends),
            ends=tuple(entry.end for key, entry in entries.items() if entry.end is not None and key not in self._ends),
            trees=tuple(sorted({*self._journals.trees(), *(entry.start.tree for entry in entries.values())})),
            waits={**self._children.waiting(), **self._ends.reasons()},
            busy=self._busy,
        )

    def _spawn(self, link: _Link, spec: LaunchSpec) -> None:
        if (spec.unit, spec.attempt) in self._log.entries:
            return
        self._log.start(Started(spec.unit, spec.attempt, spec.tree))
        if link.hung_up():
            # This process stood still and read the message late. The next server found no `start` in the log, so it
            # may have started the launch in another keeper.
            self._log.acknowledge(spec.unit, spec.attempt)
            return
        self._children.spawn(spec)

    def _started(self, child: Child) -> None:
        process = read_process(child.pid)
        started = process.started if process else 0
        group = str(child.group.folder) if child.group is not None else None
        self._log.pid(Process(child.spec.unit, child.spec.attempt, child.pid, started, self._boot, group))
        _unprotect(child.pid)
        if self.open_files is not None and "open_files" not in child.spec.limits:
            lower_descriptors(child.pid, self.open_files)

    def _ended(self, child: Child) -> None:
        self._ends.add(child, child.end_at(_now()), self._journals.take_dirty_of(child.spec.tree))

    def _look_at_load(self, masked_before: float, at: float) -> None:
        """Tells the servers if masking takes most of this process's time. New trees then go to another keeper."""
        masked, now = self._children.masking_seconds(), self.loop.time()
        share = (masked - masked_before) / (now - at)
        if self._busy != (share > (_NO_LONGER_BUSY if self._busy else _BUSY)):
            self._busy = not self._busy
            self._tell(wire.Busy(self._busy))
        self.loop.call_later(_LOAD_EVERY, self._look_at_load, masked, now)

    def _leave(self) -> None:
        """Ends the keeper if no child runs and the run log has no entries. A server asked for it."""
        if not self._children.running() and not self._log.entries:
            self._journals.close_all()
            self.loop.stop()

    def _tell_wait_reason(self, child: Child) -> None:
        self._tell(wire.Waits(child.spec.unit, child.wait_reason))

    def _tell(self, message: wire.Report) -> None:
        for link in list(self._links):
            link.send(message)

    def _flush(self) -> None:
        """Makes the journals durable. One whose flush fails is tried again the next time; it delays no other."""
        for writer in self._journals.take_dirty():
            try:
                writer.renew()
            except OSError:
                self._journals.put_back(writer)
            else:
                self._flusher.submit([writer], _nothing, partial(self._put_back, writer))
        self._flusher.submit([], self._flush_later, _ignore)

    def _flush_later(self) -> None:
        self.loop.call_later(self._fsync_seconds, self._flush)

    def _put_back(self, writer: TreeWriter, _error: OSError) -> None:
        self._journals.put_back(writer)

    def _leave_when_idle(self) -> None:
        """Ends the keeper if no child runs and no server is connected. The run log stays for the next server."""
        if not self._socket.exists() and not self._links:
            # Without the socket no server can ever connect, so the children end.
            for unit in self._children.running():
                self._children.cancel(unit)
            if self.loop.time() - self._idle_since >= _FORSAKEN_EXIT:
                self.loop.stop()
                return
        elif self._links or self._children.running() or self._ends:
            self._idle_since = self.loop.time()
        if self.loop.time() - self._idle_since >= _IDLE_EXIT:
            self._journals.close_all()
            self.loop.stop()
            return
        self.loop.call_later(_IDLE_EXIT / 3, self._leave_when_idle)


def _listener(home: Path) -> socket.socket:
    """Returns the listening socket in `home`. The path may be too long for a socket's name, so the bind uses the
    folder's descriptor."""
    folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    old = os.umask(0o177)
    listener.bind(f"/proc/self/fd/{folder}/socket")
    os.umask(old)
    listener.listen(_WAITING_SERVERS)
    os.close(folder)
    return listener


def _now() -> int:
    return time.time_ns() // 1000


def _nothing() -> None:
    """Does nothing after a flush that nobody waits for."""


def _ignore(_error: OSError) -> None:
    """Ignores the error of a flush that has no files."""


def _reap_strangers(ours: set[int]) -> None:
    """Reaps dead processes that are not in `ours`: orphans of actions, whose parent this process became."""
    for pid in _child_pids():
        if pid not in ours:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue


def _child_pids() -> list[int]:
    own_pid = os.getpid()
    try:
        text = Path(f"/proc/{own_pid}/task/{own_pid}/children").read_text()
    except OSError:
        return []
    return [int(pid) for pid in text.split()]


def _protect() -> None:
    """Makes this process the parent of orphans, hides its memory from processes of this user, and, if the system allows
    it, makes the OOM killer choose it last."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    try:
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)
    except OSError:
        return


def _unprotect(pid: int) -> None:
    """Makes the process of an action an ordinary one for the OOM killer."""
    try:
        Path(f"/proc/{pid}/oom_score_adj").write_text("0")
    except OSError:
        return


def main(arguments: list[str]) -> int:
    """Runs a keeper. The arguments are its home, the folder of journals, the folder of results, the free-space floor
    (bytes), the seconds between flushes, and the setting for cgroups of actions (see `cgroups.base_of`). Returns the
    exit status."""
    home, journals_root, results, floor, fsync_seconds, groups = arguments
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # The handler does nothing, but SIG_IGN would be inherited by every process of an action.
        signal.signal(number, lambda *_: None)
    _protect()
    action_groups = ActionGroups(base_of(groups))
    keeper = Keeper(Path(home), Path(journals_root), Path(results), action_groups, int(floor), float(fsync_seconds))
    keeper.open_files = raise_descriptors()
    os.write(1, b"ready\n")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    keeper.loop.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
