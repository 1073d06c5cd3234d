"""Follows one execution's output to its end, over lost connections and restarted servers.

The follower keeps the position behind the last record it handed out and asks the server for what comes after it, so a
record is handed out exactly once however often the connection is cut. Only the server's end-of-output event ends it:
a stream that merely stops is a server that went away.
"""

from __future__ import annotations

import binascii
import json
import random
import time
from collections.abc import Callable, Generator, Mapping
from typing import NamedTuple, Protocol

from squall.client.api import Api
from squall.client.http import JsonObject, Stream
from squall.client.paths import path_of
from squall.client.sse import Event, Parser
from squall.core.errors import SquallError, UnavailableError

PATIENCE = 300.0
SILENCE = 45.0
FIRST_WAIT = 0.05
LONGEST_WAIT = 1.0

# The statuses after which nothing comes; a test compares them with the core's, whose imports are slow to load.
FINAL = frozenset({"succeeded", "failed", "timeout", "canceled", "abandoned"})


class Chunk(NamedTuple):
    """Bytes as the action wrote them: any number of lines, maybe not whole ones.

    `stream` is `stdout`, `stderr` or `output`, `timestamp` ISO 8601 in UTC, `position` what to resume after.
    """

    stream: str
    data: bytes
    timestamp: str
    position: str
    execution_id: str


class Note(NamedTuple):
    """What an execution tells of itself, such as which task of a workflow has begun."""

    told: JsonObject
    execution_id: str


class Gap(NamedTuple):
    """Output that the server dropped: how many bytes, and why."""

    missing: int
    reason: str
    position: str
    execution_id: str


class Listener(Protocol):
    """Is told about the connection, never about output."""

    def lost(self, position: str | None) -> None:
        """The server is gone; from now on it is tried again, to go on after `position` (None: from the start)."""

    def back(self, position: str | None) -> None:
        """The server has answered again and goes on after `position`."""

    def warned(self, text: str) -> None:
        """The execution's output has a warning in it, for whoever looks."""


class Silent:
    """A listener that does nothing."""

    def lost(self, position: str | None) -> None:
        """Nothing."""

    def back(self, position: str | None) -> None:
        """Nothing."""

    def warned(self, text: str) -> None:
        """Nothing."""


class Retry:
    """How long to wait before the next try, and when to give up: `patience` seconds after the first failure."""

    def __init__(self, patience: float, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._patience = patience
        self._clock = clock
        self._sleep = sleep
        self._since: float | None = None
        self._wait = FIRST_WAIT

    def wait(self, error: UnavailableError | None) -> None:
        """Sleep before the next try. Raises `UnavailableError` once the patience is used up."""
        now = self._clock()
        if self._since is None:
            self._since = now
        if now - self._since >= self._patience:
            reason = str(error) if error else "the server ends the stream again and again"
            raise UnavailableError(f"{reason}; gave up after {self._patience:g} seconds") from error
        # Followers that lost the same server at the same moment must not all come back at the same moment.
        self._sleep(self._wait * random.uniform(0.5, 1.0))
        self._wait = min(self._wait * 2, LONGEST_WAIT)

    def reset(self) -> None:
        """Forget the failures: it works again."""
        self._since = None
        self._wait = FIRST_WAIT


class Follower:
    """Iterate over it once for the output of one execution; then ask `outcome()` how the execution ended.

    `after` is the position to start behind, `kind` one of `stdout`, `stderr`, `output`, `all`. With `follow=False` it
    ends with what is there now. `lines` are further parameters of the request; with those that choose lines, records
    are whole lines. With `notes` it also gives what executions tell of themselves. `patience` and `silence` are
    seconds.
    """

    def __init__(
        self,
        api: Api,
        execution_id: str,
        *,
        after: str | None = None,
        kind: str = "all",
        follow: bool = True,
        lines: Mapping[str, str] | None = None,
        listener: Listener | None = None,
        notes: bool = False,
        patience: float = PATIENCE,
        silence: float = SILENCE,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.position = after
        self._api = api
        self._id = execution_id
        self._kind = kind
        self._follow = follow
        self._lines = dict(lines or {})
        self._listener = listener or Silent()
        self._notes = notes
        self._silence = silence
        self._retry = Retry(patience, clock, sleep)
        self._resumed = False
        self._handed = False
        self._lost = False

    def __iter__(self) -> Generator[Chunk | Gap | Note, None, None]:
        """Every record after the position, in order, each once.

        Raises `UnavailableError` when the server stays away for longer than the patience, and what the server refuses.
        """
        while True:
            error: UnavailableError | None = None
            try:
                with self._open() as stream:
                    parser = Parser()
                    while chunk := stream.read():
                        self._arrived()
                        for event in parser.feed(chunk):
                            if event.name == "EOF":
                                return
                            self.position = event.id or self.position
                            if event.name == "progress" and (warning := _warning(event)):
                                self._listener.warned(warning)
                            record = _record(event) or (_note(event) if self._notes else None)
                            if record is not None:
                                self._handed = True
                                yield record
                        # Where lines go over into what follows, and when a server shuts down, it tells its position
                        # in an event without data.
                        self.position = parser.last_id or self.position
                if not self._follow:
                    return
            except UnavailableError as lost:
                error = lost
            self._missed(error)

    def outcome(self, *, result: bool = False) -> JsonObject:
        """The ended execution's document, with its result (which may be large) only on request.

        Raises like iterating: a server that is away at this moment is waited for, too.
        """
        while True:
            try:
                document = self._api.execution(self._id, exclude=None if result else "result")
            except UnavailableError as lost:
                self._missed(lost)
                continue
            if document.get("status") in FINAL or not self._follow:
                self._arrived()
                return document
            self._retry.wait(None)

    def _open(self) -> Stream:
        query = {
            "format": "sse",
            "raw_data": "true",
            "type": self._kind,
            "follow": "true" if self._follow else "false",
            "after": None if self._resumed else self.position,
            **self._lines,
        }
        resume = self.position if self._resumed else None
        path = path_of("executions", self._id, "output")
        return self._api.client.stream(path, query=query, last_event_id=resume, silence=self._silence)

    def _arrived(self) -> None:
        """The server is there: bytes came."""
        self._retry.reset()
        if self._lost:
            self._lost = False
            self._listener.back(self.position)

    def _missed(self, error: UnavailableError | None) -> None:
        """The server is not there: tell it once and wait before the next try."""
        if self._lines and self._handed and self.position is None:
            # Lines that were there already have no positions: what has been shown must not be shown again.
            raise error or UnavailableError("the connection was cut in the middle of earlier lines; ask again")
        self._resumed = True
        if not self._lost:
            self._lost = True
            self._listener.lost(self.position)
        self._retry.wait(error)


def _warning(event: Event) -> str:
    """What a progress event warns of; mostly nothing."""
    try:
        return str(json.loads(event.data).get("warning") or "")
    except (ValueError, AttributeError):
        return ""


def _note(event: Event) -> Note | None:
    if event.name != "progress":
        return None
    try:
        told = json.loads(event.data)
    except ValueError:
        return None
    return Note(told, str(told.get("execution_id", ""))) if isinstance(told, dict) else None


def _record(event: Event) -> Chunk | Gap | None:
    """The record of an event, None for an event that tells nothing of output.

    Raises `SquallError` for an event that is not what a server sends: going on would lose bytes unseen.
    """
    if event.name not in ("st2.execution.output__create", "gap"):
        return None
    try:
        told = json.loads(event.data)
        execution = str(told.get("execution_id", ""))
        if event.name == "gap":
            return Gap(int(told.get("bytes") or 0), str(told.get("reason", "")), event.id, execution)
        encoded = told.get("data_b64")
        # A server that does not know raw data sends text: then this is as exact as text can be.
        data = told["data"].encode("utf-8", "replace") if encoded is None else binascii.a2b_base64(encoded)
        if told.get("complete"):
            # A line is told without its newline.
            data += b"\n"
        return Chunk(str(told.get("output_type", "")), data, str(told.get("timestamp", "")), event.id, execution)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SquallError(f"the server sent an output event that cannot be read ({error})") from error
