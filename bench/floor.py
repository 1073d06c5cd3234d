"""The floor: the smallest program for the path of a byte, so that a figure of Squall's can be read on any machine.

One process that spawns the child, reads its pipe, appends to a file, and serves what it read over loopback HTTP from
a bare `asyncio.Protocol`. It checks nothing, keeps nothing and knows no user. A follower is a cursor into the file, as
in Squall: one that keeps up is handed what was read, one that does not reads from the file.

    GET  /healthz                                  200
    POST /run {"cmd": "..."}                       201 {"id": "1"}: starts `bash -c cmd`
    GET  /output/1?format=raw|sse|events           bytes; one JSON string a chunk; one JSON event a line
    POST /noop                                     201 at once
    POST /local                                    201 when `bash -c true` has ended

Run it as `python floor.py DIRECTORY`: it prints its port.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import time_ns
from typing import cast

import orjson

_READ = 256 << 10
_PIPE = 1 << 20
_EVENT = b"id: %d\nevent: st2.execution.output__create\ndata: %s\n\n"
_END = b"event: EOF\ndata: ''\n\n"


def _fields(text: str, position: int) -> dict[str, object]:
    return {
        "execution_id": "000000000000000000000000",
        "action_ref": "examples.firehose",
        "runner_ref": "local-shell-script",
        "timestamp": time_ns(),
        "output_type": "stdout",
        "id": position,
        "data": text,
    }


def _raw(data: bytes, _end: int) -> bytes:
    return data


def _sse(data: bytes, end: int) -> bytes:
    return _EVENT % (end, orjson.dumps(_fields(data.decode("utf-8", "replace"), end)))


def _events(data: bytes, end: int) -> bytes:
    lines = data.decode("utf-8", "replace").splitlines(keepends=True)
    fields = _fields("", end)
    parts = []
    for number, line in enumerate(lines):
        fields["data"] = line
        parts.append(_EVENT % (end + number, orjson.dumps(fields)))
    return b"".join(parts)


_FORMS: dict[str, Callable[[bytes, int], bytes]] = {"raw": _raw, "sse": _sse, "events": _events}


class _Log:
    """What one child has printed: a file, its length, and who follows it."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self.file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self.end = 0
        self.finished = False
        self.followers: set[_Connection] = set()
        self._loop = loop

    def start(self, cmd: str) -> None:
        """Starts the child and reads it from now on."""
        self._child = subprocess.Popen(
            ["/bin/bash", "-c", cmd], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True
        )
        assert self._child.stdout is not None
        self._pipe = self._child.stdout.fileno()
        with contextlib.suppress(OSError):
            fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, _PIPE)
        self._loop.add_reader(self._pipe, self._readable)

    def _readable(self) -> None:
        data = os.read(self._pipe, _READ)
        if not data:
            self._loop.remove_reader(self._pipe)
            self._child.wait()
            self.finished = True
            for follower in list(self.followers):
                follower.catch_up()
            return
        os.write(self.file, data)
        start, self.end = self.end, self.end + len(data)
        encoded: dict[str, bytes] = {}
        for follower in self.followers:
            if follower.paused or follower.cursor != start:
                continue
            if follower.form not in encoded:
                encoded[follower.form] = _chunk(_FORMS[follower.form](data, self.end))
            follower.cursor = self.end
            follower.transport.write(encoded[follower.form])


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _answer(status: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body)


class _Connection(asyncio.Protocol):
    """One HTTP connection; requests come one after the other."""

    def __init__(self, loop: asyncio.AbstractEventLoop, root: Path, logs: list[_Log]) -> None:
        self._loop = loop
        self._root = root
        self._logs = logs
        self._received = b""
        self._log: _Log | None = None
        self.form = "raw"
        self.cursor = 0
        self.paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops following."""
        if self._log is not None:
            self._log.followers.discard(self)

    def pause_writing(self) -> None:
        """From here on what is printed stays in the file only."""
        self.paused = True

    def resume_writing(self) -> None:
        """The client has read: on with the file."""
        self.paused = False
        self.catch_up()

    def catch_up(self) -> None:
        """Sends from the file until the client is slower or there is no more."""
        log = self._log
        if log is None:
            return
        while not self.paused and self.cursor < log.end:
            data = os.pread(log.file, min(_READ, log.end - self.cursor), self.cursor)
            self.cursor += len(data)
            self.transport.write(_chunk(_FORMS[self.form](data, self.cursor)))
        if log.finished and self.cursor == log.end and not self.transport.is_closing():
            end = b"" if self.form == "raw" else _chunk(_END)
            self.transport.write(end + b"0\r\n\r\n")
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Answers a request once it is all there."""
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if len(body) < length:
            return
        self._received = body[length:]
        method, target, _ = head.split(b" ", 2)
        self._handle((method + b" " + target).decode(), body[:length])

    def _handle(self, request: str, body: bytes) -> None:
        if request.startswith("GET /output/"):
            number, _, form = request.removeprefix("GET /output/").partition("?format=")
            self._follow(self._logs[int(number) - 1], form)
        elif request == "POST /run":
            log = _Log(self._root / f"{len(self._logs) + 1}.log", self._loop)
            self._logs.append(log)
            log.start(orjson.loads(body)["cmd"])
            self.transport.write(_answer(b"201 Created", b'{"id":"%d"}' % len(self._logs)))
        elif request == "POST /local":
            self._local()
        elif request == "POST /noop":
            self._ended()
        else:
            self.transport.write(_answer(b"200 OK", b"{}"))

    def _follow(self, log: _Log, form: str) -> None:
        self._log, self.form = log, form
        log.followers.add(self)
        self.transport.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + _chunk(b"\n") * (form != "raw"))
        self.catch_up()

    def _local(self) -> None:
        child = subprocess.Popen(
            ["/bin/bash", "-c", "true"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
        )
        descriptor = os.pidfd_open(child.pid)

        def exited() -> None:
            self._loop.remove_reader(descriptor)
            os.close(descriptor)
            child.wait()
            self._ended()

        self._loop.add_reader(descriptor, exited)

    def _ended(self) -> None:
        self.transport.write(_answer(b"201 Created", b'{"status":"succeeded"}'))


async def main(root: Path) -> None:
    """Serves until it is killed."""
    loop = asyncio.get_running_loop()
    logs: list[_Log] = []
    server = await loop.create_server(lambda: _Connection(loop, root, logs), "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
