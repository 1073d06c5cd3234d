"""Runs one command on one host. Its secrets appear in no process list, and all of its processes can be killed."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shlex
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import asyncssh

_READ = 1 << 16
_KILL_WITHIN = 2.5
_WRONG_PASSWORD = re.compile(rb"incorrect password attempt|Sorry, try again|no password was provided")
_MARKER_MOST = 4096
_LINGER_SILENCE, _LINGER_MOST, _LINGER_LOOK = 0.5, 5.0, 0.1
"""Seconds: the silence after a command's end that ends its output, the longest wait for it, and the poll interval."""


class _Process(asyncssh.SSHClientProcess[bytes]):
    """A process that sets `exited` when the host reports its exit status, even if its output is still open."""

    def __init__(self, exited: asyncio.Event) -> None:
        super().__init__()
        self._exited = exited

    def exit_status_received(self, status: int) -> None:
        """Notes that the host reported an exit status."""
        self._exited.set()

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        """Notes that the host reported the signal that ended the process."""
        self._exited.set()


class Excerpt:
    """The beginning and the end of an output: at most `most` bytes. `omitted` counts the bytes between them."""

    def __init__(self, most: int) -> None:
        self._half = max(1, most // 2)
        self._first = bytearray()
        self._last = bytearray()
        self.omitted = 0

    def add(self, data: bytes) -> None:
        """Adds a piece of output."""
        room = self._half - len(self._first)
        self._first += data[:room] if room > 0 else b""
        self._last += data[max(0, room) :]
        over = len(self._last) - self._half
        # One cut for many pieces is faster than one for each.
        if over > self._half:
            del self._last[:over]
            self.omitted += over

    def text(self) -> str:
        """Returns the text, with a note in place of omitted bytes."""
        over = len(self._last) - self._half
        if over > 0:
            del self._last[:over]
            self.omitted += over
        note = f"\n[squall: {self.omitted} bytes are left out here]\n" if self.omitted else ""
        return self._first.decode("utf-8", "replace") + note + self._last.decode("utf-8", "replace")


def one_line(text: str) -> str:
    """Quotes `text` for a POSIX shell on one line. The result uses the shell variable NL, which holds a newline."""
    return '"$NL"'.join(shlex.quote(part) for part in text.split("\n"))


def script_line(mark: str, env: Mapping[str, str], cwd: str, command: str) -> str:
    """Returns the line that the remote shell reads and runs: it prints its process id behind `mark`, then executes the
    command. The line holds the variables, because every user on the host can read command lines."""
    exports = "".join(f"export {name}={one_line(value)}; " for name, value in env.items())
    shell = 'S=$(command -v bash || echo /bin/sh); exec "$S" -c'
    change = f"cd {one_line(cwd)} || exit 1; " if cwd else ""
    newline = "NL=$(printf '\\nx'); NL=${NL%x}; "
    return f"{mark} printf '%s%s\\n' {mark} $$ >&2; {newline}{exports}{change}{shell} {one_line(command)}\n"


def start_command(mark: str, sudo: bool, has_password: bool) -> str:
    """Returns the command to start on the host: a shell that waits for the marked line, under sudo if `sudo` is set."""
    wait = f'while IFS= read -r L; do case $L in "{mark}"*) break;; esac; done; eval "${{L#{mark}}}"'
    start = f"/bin/sh -c {shlex.quote(wait)}"
    if not sudo:
        return start
    return f"sudo {'-S -p' if has_password else '-n -p'} '' -E -- {start}"


def kill_command(pid: int, sudo: bool) -> str:
    """Returns the command that ends the process group and the session of `pid`: TERM, then KILL after 1.5 seconds."""
    alive = f"kill -0 -- -{pid} 2>/dev/null"
    end = (
        f"kill -TERM -- -{pid} 2>/dev/null; pkill -TERM -s {pid} 2>/dev/null; "
        f"for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do {alive} || break; sleep 0.1; done; "
        f"kill -KILL -- -{pid} 2>/dev/null; pkill -KILL -s {pid} 2>/dev/null; true"
    )
    return f"{'sudo -n ' if sudo else ''}/bin/sh -c {shlex.quote(end)}"


class Remote:
    """A command on a host. `write(stream, data)` receives its output; the result holds `keep` bytes of each stream."""

    def __init__(
        self, job: Mapping[str, Any], mark: str, write: Callable[[int, bytes], Awaitable[None]], keep: int
    ) -> None:
        self._job = job
        self._mark = mark.encode()
        self._write = write
        self.stdout = Excerpt(keep)
        self.stderr = Excerpt(keep)
        self.pid: int | None = None
        self.started = asyncio.Event()
        self.exited = asyncio.Event()
        self._last_read = 0.0
        self._writing = 0
        self._head: bytearray | None = bytearray()
        self.wrong_password = False

    async def run(self, connection: asyncssh.SSHClientConnection, command: str) -> int:
        """Runs the command. Returns its exit code, 128 + n for signal n. Raises `asyncssh.Error` if the connection
        ends.

        Processes that the command left behind may hold its output open. They go on, and delay the end by at most
        `_LINGER_MOST` seconds."""
        job = self._job
        password = job.get("sudo_password") if job["sudo"] else None
        start = start_command(self._mark.decode(), job["sudo"], bool(password))
        line = script_line(self._mark.decode(), job["env"], job["cwd"], command)
        _, session = await connection.create_session(lambda: _Process(self.exited), start, encoding=None)
        process = cast(_Process, session)
        process.stdin.write((f"{password}\n" if password else "").encode() + line.encode())
        process.stdin.write_eof()
        async with asyncio.TaskGroup() as group:
            pumps = {
                group.create_task(self._pump(process.stdout, 1)),
                group.create_task(self._pump(process.stderr, 2)),
            }
            silence = group.create_task(self._silence())
            ended = group.create_task(asyncio.wait(pumps))
            await asyncio.wait({silence, ended}, return_when=asyncio.FIRST_COMPLETED)
            for task in (silence, ended, *pumps):
                task.cancel()
        if not self.exited.is_set():
            await process.wait_closed()
        process.close()
        if process.exit_signal is not None:
            return 128 + signal_number(process.exit_signal[0])
        if process.exit_status is None:
            raise asyncssh.ConnectionLost("The connection was lost")
        return int(process.exit_status)

    async def _silence(self) -> None:
        """Returns when the command has ended and its output has been silent long enough."""
        await self.exited.wait()
        self._last_read = time.monotonic()
        waited = 0.0
        # While the keeper reads nothing, the command's own output may still be on its way.
        while self._writing or (waited < _LINGER_MOST and time.monotonic() - self._last_read < _LINGER_SILENCE):
            await asyncio.sleep(_LINGER_LOOK)
            waited += 0 if self._writing else _LINGER_LOOK

    async def _pump(self, reader: asyncssh.SSHReader[bytes], stream: int) -> None:
        with contextlib.suppress(asyncssh.Error):  # `run` reports the missing exit status.
            while data := await reader.read(_READ):
                if stream == 2:
                    data = self._without_mark(data)
                if data:
                    await self._take(stream, data)
        if stream == 2 and self._head:
            await self._take(2, bytes(self._head))

    async def _take(self, stream: int, data: bytes) -> None:
        (self.stdout if stream == 1 else self.stderr).add(data)
        if stream == 2 and self._job["sudo"] and _WRONG_PASSWORD.search(data):
            self.wrong_password = True
        self._last_read = time.monotonic()
        self._writing += 1
        try:
            await self._write(stream, data)
        finally:
            self._writing -= 1

    def _without_mark(self, data: bytes) -> bytes:
        """Returns the data of stderr without the line of the process id. Messages of sudo may precede that line."""
        if self._head is None:
            return data
        self._head += data
        at = self._head.find(self._mark)
        if at < 0:
            # The last bytes may be the beginning of the mark; the bytes before them cannot.
            size = max(0, len(self._head) - len(self._mark))
            output = bytes(self._head[:size])
            del self._head[:size]
            return output
        end = self._head.find(b"\n", at)
        if end < 0 and len(self._head) - at < _MARKER_MOST:
            return b""
        with contextlib.suppress(ValueError):
            self.pid = int(self._head[at + len(self._mark) : end])
            self.started.set()
        rest = bytes(self._head[:at] + self._head[end + 1 :])
        self._head = None
        return rest

    async def kill(self, connection: asyncssh.SSHClientConnection) -> None:
        """Kills all processes of the command, if the host still answers."""
        if self.pid is None:
            return
        with contextlib.suppress(asyncssh.Error, OSError, TimeoutError):
            async with asyncio.timeout(_KILL_WITHIN):
                await connection.run(kill_command(self.pid, self._job["sudo"]))


def signal_number(name: str) -> int:
    """Returns the number of a signal by its SSH name; 0 if this machine has no such signal."""
    number = getattr(signal, f"SIG{name}", None)
    return int(number) if number is not None else 0
