"""A real server in a process of its own, with a data directory of its own."""

from __future__ import annotations

import itertools
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple
from urllib.parse import urlencode

from tests.scenarios.live.pack import Strings
from tests.scenarios.live.wire import PATIENCE, Event, Reply, Stream, call

SQUALL = [sys.executable, "-m", "squall"]
MEASURED = [sys.executable, str(Path(__file__).with_name("measured.py"))]
FINAL = {"succeeded", "failed", "timeout", "canceled", "abandoned"}
OUTPUT = "st2.execution.output__create"
UPDATE = "st2.execution__update"
TAIL_EVENTS = f"{UPDATE},{OUTPUT}"


class Ran(NamedTuple):
    """What a command has left: its exit status and its bytes."""

    status: int
    out: bytes
    err: bytes


def environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a process under test: no settings of the person who runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SQUALL_", "ST2_"))}
    # Scripts of packs start with `env python3`: the one of the tests, which starts at once.
    kept["PATH"] = f"{Path(sys.executable).parent}:{kept.get('PATH', os.defpath)}"
    return {**kept, "HOME": str(home), "PYTHONUNBUFFERED": "1", **(extra or {})}


def read_line(stream: IO[bytes]) -> bytes:
    """The next line of an unbuffered pipe, b"" at its end; fails when it does not come in time."""
    line = b""
    deadline = time.monotonic() + PATIENCE
    poll = select.poll()
    poll.register(stream, select.POLLIN)
    while not line.endswith(b"\n"):
        ready = poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
        assert ready, f"no line came within {PATIENCE} seconds, only {line!r}"
        byte = os.read(stream.fileno(), 1)
        if not byte:
            break
        line += byte
    return line


class Server:
    """One data directory and the server on it; it can be started again after it has ended."""

    def __init__(self, home: Path, *flags: str, env: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.data_dir = home / "data"
        self.flags = flags
        self.env = environment(home, {"SQUALL_QUEUE_POLL_SECONDS": "0.1", **(env or {})})
        self.url = ""
        self.banner: list[str] = []
        self.program = MEASURED
        """What is started: the command's words up to `serve`."""
        self._process: subprocess.Popen[bytes] | None = None
        self._fifos = itertools.count()

    def start(self, port: int = 0) -> Server:
        """Starts it and waits until it is ready."""
        arguments = [*self.program, "serve", "--port", str(port), "--data-dir", str(self.data_dir), *self.flags]
        with (self.home / "server.err").open("ab") as errors:
            self._process = subprocess.Popen(
                arguments, stdout=subprocess.PIPE, stderr=errors, env=self.env, cwd=self.home, bufsize=0
            )
        assert self._process.stdout is not None
        self.banner = [read_line(self._process.stdout).decode().rstrip("\n") for _ in range(4)]
        assert " is ready at " in self.banner[0], (self.home / "server.err").read_text()
        self.url = self.banner[0].split(" is ready at ")[1].split()[0]
        return self

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The running process."""
        assert self._process is not None
        return self._process

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    @property
    def resident(self) -> int:
        """Bytes of resident memory."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("the process has no VmRSS")

    def signal(self, number: int) -> None:
        """Sends a signal."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """The exit status."""
        status = self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status

    def stop(self) -> None:
        """Ends it, whatever state it is in."""
        if self._process is not None and self._process.returncode is None:
            # Twice: gracefully, and then without waiting for what runs.
            for _ in range(2):
                self._process.send_signal(signal.SIGTERM)
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                self._process.kill()
                self.wait()

    # -- HTTP

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> Reply:
        """One request."""
        return call(self.url, method, path, body, **more)

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of a GET that must succeed."""
        reply = self.call("GET", path + ("?" + urlencode(query) if query else ""))
        assert reply.status == 200, reply
        return reply.json

    def request(self, action: str, parent: str | None = None, **parameters: Any) -> str:
        """Requests an execution; its id."""
        body: dict[str, Any] = {"action": action, "parameters": parameters}
        if parent is not None:
            body["context"] = {"parent": {"execution_id": parent}}
        reply = self.call("POST", "/v1/executions", body)
        assert reply.status == 201, reply
        return str(reply.json["id"])

    def shell(self, command: str, **more: Any) -> str:
        """Requests a shell command; the execution's id."""
        return self.request("core.local", cmd=command, **more)

    def ended(self, execution_id: str) -> dict[str, Any]:
        """Waits for the end of an execution; its document."""
        with self.output(execution_id, type="output", tree="false") as stream:
            stream.rest()
        document: dict[str, Any] = self.get(f"/v1/executions/{execution_id}")
        assert document["status"] in FINAL, document["status"]
        return document

    def running(self, execution_id: str) -> None:
        """Waits until an execution runs."""
        with self.stream(end_execution_id=execution_id, events=UPDATE) as stream:
            next(iter(stream.events()))

    def output(
        self, execution_id: str, /, *, last_event_id: str = "", receive_buffer: int | None = None, **query: Any
    ) -> Stream:
        """A reader of an execution's output."""
        path = f"/v1/executions/{execution_id}/output?{urlencode(query)}"
        return Stream(self.url, path, _resuming(last_event_id), receive_buffer)

    def stream(self, *, last_event_id: str = "", **query: Any) -> Stream:
        """A reader of the event stream."""
        return Stream(self.url, f"/stream/v1/stream?{urlencode(query)}", _resuming(last_event_id))

    def tail(self, execution_id: str, events: str = TAIL_EVENTS, last_event_id: str = "") -> list[Event]:
        """The whole stream that `st2 execution tail` asks for."""
        asked = {"end_event": UPDATE, "end_execution_id": execution_id, "events": events}
        with self.stream(last_event_id=last_event_id, **asked) as stream:
            assert stream.status == 200
            return list(stream.events())

    # -- processes

    @contextmanager
    def puppet(self, parent: str | None = None) -> Iterator[tuple[str, Strings]]:
        """An execution that prints what it is told: its id, and what to tell it by."""
        strings = Strings(self.home / f"orders-{next(self._fifos)}")
        try:
            execution_id = self.request("live.puppet", parent=parent, orders=str(strings.path))
            yield execution_id, strings
            strings.end()
            # A FIFO that nobody holds forgets what was written to it: the puppet must have read its last order.
            self.ended(execution_id)
        finally:
            strings.close()

    def squall(self, *words: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Ran:
        """Runs a command against this server, to its end."""
        done = subprocess.run(
            [*SQUALL, *words], input=stdin, capture_output=True, env=self.command_env(env), timeout=60, check=False
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def command_env(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment in which a command finds this server."""
        return environment(self.home, {"SQUALL_DATA_DIR": str(self.data_dir), **(extra or {})})

    @contextmanager
    def spawn(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """A command that is looked at while it runs; its output is unbuffered pipes."""
        process = subprocess.Popen(
            [*SQUALL, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=self.command_env(),
        )
        with process:
            try:
                yield process
            finally:
                process.kill()


def _resuming(last_event_id: str) -> dict[str, str]:
    return {"Last-Event-ID": last_event_id} if last_event_id else {}


@contextmanager
def serving(home: Path, packs: Path, *flags: str, env: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server with the test pack, ended at the end."""
    server = Server(home, "--packs-dir", str(packs), *flags, env=env)
    try:
        yield server.start()
    finally:
        server.stop()
