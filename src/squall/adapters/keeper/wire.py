"""Messages between a server and its keeper: a length of four bytes, then a JSON object. Standard library only.

Each message is a named tuple; this module alone knows how it looks as JSON. The first message each way is a greeting
with the protocol's version. A keeper serves any server that speaks its version or a later one, which must know how to
speak the earlier.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from squall.adapters.keeper.fields import BadFieldsError, from_fields, to_fields
from squall.core.execution.process import End, LaunchSpec
from squall.core.output.journal import ServerRecord

VERSION = 5
"""The protocol's version. Fields may be added within one; new messages and meanings need a new one. A keeper of
version 4 or earlier cannot read journals of format 2, so it gets no trees of a later server."""

_SINGLE_RECORDS = 3
"""The last version that has no `AppendRecords`."""

MAX_MESSAGE = 64 << 20
_LENGTH = struct.Struct(">I")
_GREETING = 0
_APPENDED_AT_ONCE = 1 << 20


class BadMessageError(ValueError):
    """The bytes are no messages of this protocol: what follows them cannot be read either."""


class Unreadable(NamedTuple):
    """A whole message that this side does not understand. `number` is that of the request it belongs to, if any."""

    reason: str
    number: int | None


# -- what servers send


class Hello(NamedTuple):
    """The server's greeting; answered with a `Greeting`."""

    version: int


class Spawn(NamedTuple):
    """Start a process, once for each attempt. Answered when the start is in the run log."""

    spec: LaunchSpec


class Cancel(NamedTuple):
    """End a unit's process as a whole. Not answered."""

    unit: str


class AddSecrets(NamedTuple):
    """Mask these values too in a unit's output. They are masked when it is answered."""

    unit: str
    values: tuple[bytes, ...]


class Acknowledge(NamedTuple):
    """Forget an end. Not answered."""

    unit: str
    attempt: int


class Append(NamedTuple):
    """Append a record of the server's to a tree's journal, `event` being the row of its event (0: none) and `at` its
    time (µs). Without `create` only if there is a journal; `Reply.done` says whether it is in the journal."""

    tree: str
    unit: str
    kind: int
    at: int
    event: int
    payload: bytes
    create: bool


class AppendRecords(NamedTuple):
    """Append several records of the server's to a tree's journal, in their order. `Reply.done` says whether the tree
    has a journal then. If it fails, some of them may have been appended."""

    tree: str
    records: tuple[ServerRecord, ...]


class CloseTree(NamedTuple):
    """Close a tree's journal. It is closed when this is answered."""

    tree: str


class Leave(NamedTuple):
    """End, if there is nothing left to do. Not answered."""


Request = Hello | Spawn | Cancel | AddSecrets | Acknowledge | Append | AppendRecords | CloseTree | Leave

# -- what keepers send


class Greeting(NamedTuple):
    """The keeper's greeting: its process, the (unit, attempt) of what runs, the ends that nobody has acknowledged, its
    trees, what units wait for, and whether masking keeps it busy."""

    version: int
    pid: int
    held: tuple[tuple[str, int], ...]
    ends: tuple[End, ...]
    trees: tuple[str, ...]
    waits: dict[str, str]
    busy: bool = False


class Reply(NamedTuple):
    """The answer to the request with this number. `error` says why it could not be done; `done` answers `Append`."""

    id: int
    error: str | None = None
    done: bool | None = None


class Waits(NamedTuple):
    """What a unit's output waits for, for people to read; empty if for nothing any more."""

    unit: str
    reason: str


class Busy(NamedTuple):
    """Whether masking takes most of the keeper's time from now on."""

    busy: bool


Report = Greeting | Reply | End | Waits | Busy

# -- as bytes

_REQUESTS: dict[str, type[Any]] = {
    "hello": Hello,
    "spawn": Spawn,
    "cancel": Cancel,
    "secrets": AddSecrets,
    "ack": Acknowledge,
    "append": Append,
    "append_records": AppendRecords,
    "close": CloseTree,
    "leave": Leave,
}
_REPORTS: dict[str, type[Any]] = {"reply": Reply, "end": End, "waits": Waits, "busy": Busy}
_NAMES = {kind: name for names in (_REQUESTS, _REPORTS) for name, kind in names.items()}


def name_of(message: Request | Report) -> str:
    """Returns the name that a message has in the protocol."""
    return "reply" if isinstance(message, Greeting) else _NAMES[type(message)]


def request(message: Request, number: int | None = None) -> bytes:
    """Returns a server's message as bytes. It is answered if it has a `number`; a `Hello` has one by itself."""
    number = _GREETING if isinstance(message, Hello) else number
    numbered = {} if number is None else {"id": number}
    return _framed({"op": name_of(message), **to_fields(message), **numbered})


def report(message: Report) -> bytes:
    """Returns a keeper's message as bytes."""
    numbered = {"id": _GREETING} if isinstance(message, Greeting) else {}
    return _framed({"op": name_of(message), **to_fields(message), **numbered})


def _framed(fields: dict[str, Any]) -> bytes:
    body = json.dumps(fields, separators=(",", ":")).encode()
    return _LENGTH.pack(len(body)) + body


def appending(tree: str, records: Sequence[ServerRecord], version: int) -> Iterator[Append | AppendRecords]:
    """Yields the messages that have a keeper of `version` append records; each has about 1 MiB of them at most."""
    if version <= _SINGLE_RECORDS:
        for each in records:
            yield Append(tree, each.execution, each.kind, each.time, each.event, each.payload, each.create)
        return
    several: list[ServerRecord] = []
    size = 0
    for each in records:
        several.append(each)
        size += len(each.payload)
        if size >= _APPENDED_AT_ONCE:
            yield AppendRecords(tree, tuple(several))
            several, size = [], 0
    if several:
        yield AppendRecords(tree, tuple(several))


class Numbered(NamedTuple):
    """What a server sent. It gets a `Reply` with this number, or none if there is no number."""

    number: int | None
    message: Request | Unreadable


def read_request(fields: dict[str, Any]) -> Numbered:
    """Returns what a server sent; `Unreadable` if this keeper does not understand it."""
    number = _number(fields)
    return Numbered(number, _read(fields, _REQUESTS.get(str(fields.get("op"))), number))


def read_report(fields: dict[str, Any]) -> Report | Unreadable:
    """Returns what a keeper sent; `Unreadable` if this server does not understand it."""
    number = _number(fields)
    greeting = fields.get("op") == "reply" and number == _GREETING
    message: Report | Unreadable
    message = _read(fields, Greeting if greeting else _REPORTS.get(str(fields.get("op"))), number)
    return message


def _number(fields: dict[str, Any]) -> int | None:
    number = fields.get("id")
    return number if type(number) is int else None


def _read(fields: dict[str, Any], kind: type[Any] | None, number: int | None) -> Any:
    name = fields.get("op")
    if kind is None:
        return Unreadable(f"the message {name!r} is unknown to version {VERSION} of the protocol", number)
    try:
        return from_fields(kind, fields)
    except BadFieldsError as error:
        return Unreadable(f"the message {name!r} is malformed: {error}", number)


T = TypeVar("T")


class Unpacker(Generic[T]):
    """Turns received bytes, cut anywhere, back into messages, with `read_request` or `read_report`."""

    def __init__(self, read: Callable[[dict[str, Any]], T]) -> None:
        self._read = read
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[T]:
        """Returns the messages that are complete now. Raises `BadMessageError`."""
        self._buffer += data
        messages: list[T] = []
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > MAX_MESSAGE:
                raise BadMessageError(f"a message of {length} bytes is too long; {MAX_MESSAGE} are allowed")
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                break
            try:
                fields = json.loads(self._buffer[_LENGTH.size : end])
            except ValueError as error:
                raise BadMessageError(f"a message is no JSON: {error}") from error
            if not isinstance(fields, dict):
                raise BadMessageError("a message is no JSON object")
            messages.append(self._read(fields))
            del self._buffer[:end]
        return messages
