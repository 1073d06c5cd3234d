"""A writer's output, as the writer itself remembers it, and viewers who compare with that every byte they are shown."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import threading
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from tests.scenarios.faults.mortal import Mortal
from tests.scenarios.live.server import OUTPUT
from tests.scenarios.live.wire import PATIENCE, Event, EventParser

from squall.testing.waiting import until

STREAMS = {"stdout": 1, "stderr": 2}


class Copy:
    """What a writer has printed: its own files in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def text(self, stream: str) -> bytes:
        """All of one stream."""
        return (self.folder / str(STREAMS[stream])).read_bytes()

    def size(self) -> int:
        """Bytes of both streams."""
        with contextlib.suppress(FileNotFoundError):
            return sum((self.folder / str(number)).stat().st_size for number in STREAMS.values())
        return 0

    def grows(self, count: int, within: float = PATIENCE * 2) -> None:
        """Waits until the writer has printed `count` bytes more."""
        wanted = self.size() + count
        until(lambda: self.size() >= wanted, f"the writer prints {count} bytes", within)

    @property
    def starts(self) -> int:
        """How often it was started."""
        try:
            return len((self.folder / "starts").read_text().split())
        except FileNotFoundError:
            return 0

    def stop(self) -> None:
        """Has a waiting writer end."""
        (self.folder / "stop").touch()

    def finished(self) -> tuple[float, float, int]:
        """When it began and ended, and how many records there are; waits for that."""
        until((self.folder / "finished").exists, "the writer ends")
        began, ended, count = until((self.folder / "finished").read_text, "the writer says so").split()
        return float(began), float(ended), int(count)


class Comparison:
    """Compares pieces of output, as they come, with a writer's own files."""

    def __init__(self, copy: Copy) -> None:
        self._copy = copy
        self._files: dict[str, int] = {}
        self.at = dict.fromkeys(STREAMS, 0)
        self.order: list[tuple[str, int]] = []

    def take(self, stream: str, data: bytes) -> None:
        """The next piece. Raises `AssertionError` that says what is wrong with it."""
        if stream not in self._files:
            self._files[stream] = os.open(self._copy.folder / str(STREAMS[stream]), os.O_RDONLY)
        at = self.at[stream]
        wanted = os.pread(self._files[stream], len(data), at)
        assert wanted == data, self._explain(stream, at, wanted, data)
        self.at[stream] = at + len(data)
        if self.order and self.order[-1][0] == stream:
            self.order[-1] = (stream, self.order[-1][1] + len(data))
        elif data:
            self.order.append((stream, len(data)))

    def _explain(self, stream: str, at: int, wanted: bytes, data: bytes) -> str:
        same = next((i for i, (one, two) in enumerate(zip(wanted, data, strict=False)) if one != two), len(wanted))
        found = self._copy.text(stream).find(data[same : same + 200])
        kind = "unknown bytes" if found < 0 else "a repetition" if found < at + same else "a gap"
        return f"{kind} in {stream} at {at + same}: {data[same : same + 40]!r} (which is at {found})"

    def close(self) -> None:
        """Lets go of the files."""
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files.clear()


class _Connection(HTTPConnection):
    """A connection that, when it is narrow, holds next to nothing that has not been read."""

    def __init__(self, url: str, narrow: bool) -> None:
        super().__init__(urlsplit(url).netloc, timeout=PATIENCE)
        self._narrow = narrow

    def connect(self) -> None:
        self.sock = socket.socket()
        if self._narrow:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.settimeout(PATIENCE)
        self.sock.connect((self.host, self.port))


class Viewer(threading.Thread):
    """Follows an execution until it is told that it has ended, and comes back after every interruption.

    `leaves`: hangs up by itself now and then. `slow`: takes a little at a time, until `hurry`. `failure` says what was
    wrong, `gaps` are the gap records it was shown.
    """

    def __init__(
        self, server: Mortal, execution: str, copy: Copy, seed: int, *, leaves: bool = False, slow: bool = False
    ) -> None:
        super().__init__(daemon=True, name=f"viewer {seed}")
        self._url = server.url
        self._execution = execution
        self._rng = random.Random(seed)
        self._leaves = leaves
        self._slow = threading.Event()
        self._given_up = threading.Event()
        self._is_slow = slow
        self.seen = Comparison(copy)
        self.last_id = ""
        self.visits = 0
        self.gaps: list[Event] = []
        self.ended = False
        self.failure = ""
        self.start()

    def run(self) -> None:
        """Visits until the end."""
        try:
            while not self.ended and not self._given_up.is_set():
                try:
                    self._visit()
                except (OSError, HTTPException):
                    # As an EventSource does: it waits a moment and comes back.
                    self._given_up.wait(0.03)
        except BaseException as error:
            self.failure = f"{type(error).__name__}: {error}"
        finally:
            self.seen.close()

    def hurry(self) -> None:
        """Ends slowness."""
        self._slow.set()

    def result(self, within: float = 60) -> Comparison:
        """What it has seen, all of it; waits for the end."""
        self.hurry()
        self.join(within)
        if self.is_alive():
            self._given_up.set()
            raise AssertionError(f"{self.name} has not come to the end; it is at {self.last_id}, {self.seen.at}")
        assert self.failure == "", self.failure
        return self.seen

    def _visit(self) -> None:
        path = f"/v1/executions/{self._execution}/output?format=sse&raw_data=true"
        headers = {"Last-Event-ID": self.last_id} if self.last_id else {}
        leave_after = self._rng.randrange(1, 400_000) if self._leaves else 1 << 62
        parser, received = EventParser(), 0
        with contextlib.closing(_Connection(self._url, self._is_slow)) as connection:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            assert response.status == 200, response.status
            self.visits += 1
            while received < leave_after and not self._given_up.is_set():
                slow = self._is_slow and not self._slow.is_set()
                data = response.read1(4096 if slow else 1 << 20)
                if not data:
                    break
                received += len(data)
                for event in parser.feed(data):
                    self._take(event)
                self.last_id = parser.last_id or self.last_id
                if slow:
                    self._slow.wait(0.01)

    def _take(self, event: Event) -> None:
        assert not self.ended, f"after the end came {event}"
        if event.name == OUTPUT:
            self.seen.take(event.body["output_type"], event.raw)
        elif event.name == "gap":
            self.gaps.append(event)
        elif event.name == "EOF":
            self.ended = True


def check_stored(server: Mortal, execution: str, copy: Copy) -> Comparison:
    """Compares what is stored with the writer's own files, stream by stream and in order; gives the order."""
    for stream in STREAMS:
        reply = server.call("GET", f"/v1/executions/{execution}/output?format=raw&type={stream}")
        wanted = copy.text(stream)
        assert len(reply.raw) == len(wanted)
        assert reply.raw == wanted
    whole = Viewer(server, execution, copy, 0).result()
    assert whole.at == {stream: len(copy.text(stream)) for stream in STREAMS}
    return whole


def check_all(server: Mortal, execution: str, copy: Copy, viewers: list[Viewer]) -> None:
    """Every viewer has seen, once and in the stored order, every byte that was printed; so does the store."""
    results = [viewer.result(PATIENCE * 4) for viewer in viewers]
    stored = check_stored(server, execution, copy)
    for viewer, seen in zip(viewers, results, strict=True):
        assert viewer.gaps == []
        assert seen.at == stored.at, viewer.name
        assert seen.order == stored.order, viewer.name
    assert copy.starts == 1
