"""Follows one execution's output to its end, across lost connections and restarted servers.

The follower stores the position after the last record that it yielded, and requests the output after that position. So
it yields every record exactly once, however often the connection is cut. Only the server's end-of-output event ends it:
a stream that stops without that event means that the server was lost.
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

# The final statuses. A test compares them with the core's, whose module is slow to import.
FINAL = frozenset({"succeeded", "failed", "timeout", "canceled", "abandoned"})


class Chunk(NamedTuple):
    """Bytes as the action wrote them: any number of lines, complete or not.

    `stream` is `stdout`, `stderr` or `output`. `timestamp` is ISO 8601 in UTC. A client resumes after `position`.
    """

    stream: str
    data: bytes
    timestamp: str
    position: str
    execution_id: str


class Note(NamedTuple):
    """A message of an execution about itself, such as the start of a workflow's task."""

    document: JsonObject
    execution_id: str


class StatusChange(NamedTuple):
    """A new status of an execution. `parent` is the id of its workflow, `task` the name of its task there, and `item`
    the number of its item if that task has items. All three are None for a root."""

    execution_id: str
    status: str
    parent: str | None = None
    task: str | None = None
    item: int | None = None


class Gap(NamedTuple):
    """A gap in the output: the number of bytes that the server dropped, and the reason."""

    missing: int
    reason: str
    position: str
    execution_id: str


class Listener(Protocol):
    """A receiver of news about the connection, not of output."""

    def lost(self, position: str | None) -> None:
        """Reports that the connection is lost. The follower retries, to resume after `position` (None: from the
        start)."""

    def back(self, position: str | None) -> None:
        """Reports that the server answers again, and that output resumes after `position`."""

    def warned(self, text: str) -> None:
        """Reports a warning about the execution's output."""


class Silent:
    """A listener that does nothing."""

    def lost(self, position: str | None) -> None:
        """Does nothing."""

    def back(self, position: str | None) -> None:
        """Does nothing."""

    def warned(self, text: str) -> None:
        """Does nothing."""


class Retry:
    """The waits between retries. It gives up `patience` seconds after the first failure."""

    def __init__(self, patience: float, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._patience = patience
        self._clock = clock
        self._sleep = sleep
        self._failing_since: float | None = None
        self._wait = FIRST_WAIT

    def wait(self, error: UnavailableError | None) -> None:
        """Sleeps before the next retry. Raises `UnavailableError` if the patience is over."""
        now = self._clock()
        if self._failing_since is None:
            self._failing_since = now
        if now - self._failing_since >= self._patience:
            reason = str(error) if error else "the server ends the stream again and again"
            raise UnavailableError(f"{reason}; gave up after {self._patience:g} seconds") from error
        # Followers that lost the same server at the same moment must not all retry at the same moment.
        self._sleep(self._wait * random.uniform(0.5, 1.0))
        self._wait = min(self._wait * 2, LONGEST_WAIT)

    def reset(self) -> None:
        """Resets the waits after a success."""
        self._failing_since = None
        self._wait = FIRST_WAIT


class Follower:
    """The output of one execution. Iterate over it once; then call `outcome()` for the ended execution.

    It starts after the position `after`. `kind` is `stdout`, `stderr`, `output` or `all`. With `follow=False` it ends
    at the output's present end. `lines` are further parameters of the request; if they select lines, records are
    complete lines. With `notes` it also yields messages of executions about themselves, and changes of status.
    `patience` and `silence` are in seconds.
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
        self._resumes = False
        self._has_yielded = False
        self._is_lost = False

    def __iter__(self) -> Generator[Chunk | Gap | Note | StatusChange, None, None]:
        """Yields every record after the position, in order, each once.

        Raises `UnavailableError` if the server is lost for longer than the patience, and the server's own errors.
        """
        while True:
            error: UnavailableError | None = None
            try:
                with self._open() as stream:
                    parser = Parser()
                    while chunk := stream.read():
                        self._connection_works()
                        for event in parser.feed(chunk):
                            if event.name == "EOF":
                                return
                            self.position = event.id or self.position
                            if event.name == "progress" and (warning := _warning(event)):
                                self._listener.warned(warning)
                            record = _record(event) or (_note(event) if self._notes else None)
                            if record is not None:
                                self._has_yielded = True
                                yield record
                        # Between history and new lines, and at its shutdown, a server sends its position in an event
                        # without data.
                        self.position = parser.last_id or self.position
                if not self._follow:
                    return
            except UnavailableError as failure:
                error = failure
            self._connection_lost(error)

    def outcome(self, *, result: bool = False) -> JsonObject:
        """Returns the ended execution's document. If `result`, it has the result, which may be large.

        Raises like iterating: it also waits for a server that is lost at this moment.
        """
        while True:
            try:
                document = self._api.execution(self._id, exclude=None if result else "result")
            except UnavailableError as error:
                self._connection_lost(error)
                continue
            if document.get("status") in FINAL or not self._follow:
                self._connection_works()
                return document
            self._retry.wait(None)

    def _open(self) -> Stream:
        query = {
            "format": "sse",
            "raw_data": "true",
            "type": self._kind,
            "follow": "true" if self._follow else "false",
            "after": None if self._resumes else self.position,
            "statuses": "true" if self._notes else None,
            **self._lines,
        }
        resume = self.position if self._resumes else None
        path = path_of("executions", self._id, "output")
        return self._api.client.stream(path, query=query, last_event_id=resume, silence=self._silence)

    def _connection_works(self) -> None:
        """Resets the retries after bytes came, and reports that the server answers again."""
        self._retry.reset()
        if self._is_lost:
            self._is_lost = False
            self._listener.back(self.position)

    def _connection_lost(self, error: UnavailableError | None) -> None:
        """Reports a lost connection once, and waits before the next retry. Raises `UnavailableError`."""
        if self._lines and self._has_yielded and self.position is None:
            # Lines of the history have no positions, so a retry would repeat lines that were yielded already.
            raise error or UnavailableError(
                "the connection was cut in the middle of earlier lines; run the command again"
            )
        self._resumes = True
        if not self._is_lost:
            self._is_lost = True
            self._listener.lost(self.position)
        self._retry.wait(error)


def _warning(event: Event) -> str:
    """Returns the warning in a progress event, or ""."""
    try:
        return str(json.loads(event.data).get("warning") or "")
    except (ValueError, AttributeError):
        return ""


def _note(event: Event) -> Note | StatusChange | None:
    if event.name not in ("progress", "status"):
        return None
    try:
        document = json.loads(event.data)
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    execution_id = str(document.get("execution_id", ""))
    if event.name == "progress":
        return Note(document, execution_id)
    status, item = str(document.get("status", "")), document.get("item")
    return StatusChange(execution_id, status, document.get("parent"), document.get("task"), item)


def _record(event: Event) -> Chunk | Gap | None:
    """Returns the record of an event; None if the event has no output.

    Raises `SquallError` for a malformed event: ignoring it would lose bytes silently.
    """
    if event.name not in ("st2.execution.output__create", "gap"):
        return None
    try:
        document = json.loads(event.data)
        execution = str(document.get("execution_id", ""))
        if event.name == "gap":
            return Gap(int(document.get("bytes") or 0), str(document.get("reason", "")), event.id, execution)
        encoded = document.get("data_b64")
        # A server without raw data sends text, so these bytes are as exact as that text.
        data = document["data"].encode("utf-8", "replace") if encoded is None else binascii.a2b_base64(encoded)
        if document.get("complete"):
            # The server sends a line without its newline.
            data += b"\n"
        return Chunk(
            str(document.get("output_type", "")), data, str(document.get("timestamp", "")), event.id, execution
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SquallError(f"the server sent an output event that cannot be read ({error})") from error
