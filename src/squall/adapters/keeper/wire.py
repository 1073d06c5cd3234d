"""Messages between a server and its keeper: a length of four bytes, then a JSON object. Standard library only.

Each message is a named tuple; only this module knows its JSON form. The first message each way is a greeting with the
protocol's version. A keeper serves every server that speaks its version or a later one; a server must also speak the
earlier versions.
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
"""The protocol's version. New fields may keep the version; new messages and meanings need a new version. A keeper of
version 4 or earlier cannot read journals of format 2, so it gets no trees of a later server."""

_SINGLE_RECORDS = 3
"""The last version that has no `AppendRecords`."""

MAX_MESSAGE = 64 << 20
_LENGTH = struct.Struct(">I")
_GREETING = 0
_APPENDED_AT_ONCE = 1 << 20


class BadMessageError(ValueError):
    """The bytes are not messages of this protocol. The bytes after them cannot be read either."""


class Unreadable(NamedTuple):
    """A complete message that this side cannot read. `number` is the number of its request, if it has one."""

    reason: str
    number: int | None


# -- messages of servers


class Hello(NamedTuple):
    """The server's greeting. The keeper replies with a `Greeting`."""

    version: int


class Spawn(NamedTuple):
    """The request to start a process, once per attempt. The reply comes when the start is in the run log."""

    spec: LaunchSpec


class Cancel(NamedTuple):
    """The request to end all processes of a unit. It has no reply."""

    unit: str


class AddSecrets(NamedTuple):
    """The request to mask more values in a unit's output. Masking is in effect when the reply comes."""

    unit: str
    values: tuple[bytes, ...]


class Acknowledge(NamedTuple):
    """The request to forget an end. It has no reply."""

    unit: str
    attempt: int


class Append(NamedTuple):
    """The request to append one record of the server to a tree's journal. `event` is the row of its event (0: none),
    `at` its time (µs). If `create` is false, the keeper appends it only to an existing journal. `Reply.done` is true if
    the record is in the journal."""

    tree: str
    unit: str
    kind: int
    at: int
    event: int
    payload: bytes
    create: bool


class AppendRecords(NamedTuple):
    """The request to append several records of the server to a tree's journal, in their order. `Reply.done` is true if
    the tree has a journal afterwards. After an error, some of the records may be in the journal."""

    tree: str
    records: tuple[ServerRecord, ...]


class CloseTree(NamedTuple):
    """The request to close a tree's journal. The journal is closed when the reply comes."""

    tree: str


class Leave(NamedTuple):
    """The request that the keeper ends if it has nothing to do. It has no reply."""


Request = Hello | Spawn | Cancel | AddSecrets | Acknowledge | Append | AppendRecords | CloseTree | Leave

# -- messages of keepers


class Greeting(NamedTuple):
    """The keeper's greeting: its pid, the (unit, attempt) of each running launch (`held`), the unacknowledged ends, its
    trees, and the reason of each waiting unit. `busy` is true if masking takes most of its time."""

    version: int
    pid: int
    held: tuple[tuple[str, int], ...]
    ends: tuple[End, ...]
    trees: tuple[str, ...]
    waits: dict[str, str]
    busy: bool = False


class Reply(NamedTuple):
    """The reply to the request with the number `id`. `error` says why the request failed; `done` is the result of
    `Append` and `AppendRecords`."""

    id: int
    error: str | None = None
    done: bool | None = None


class Waits(NamedTuple):
    """The reason why a unit's output waits, as a text for people; empty if it no longer waits."""

    unit: str
    reason: str


class Busy(NamedTuple):
    """The keeper's new load: `busy` is true if masking takes most of its time."""

    busy: bool


Report = Greeting | Reply | End | Waits | Busy

# -- messages as bytes

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
    """Returns the protocol's name for a message."""
    return "reply" if isinstance(message, Greeting) else _NAMES[type(message)]


def request(message: Request, number: int | None = None) -> bytes:
    """Returns a server's message as bytes. The keeper replies if it has a `number`; a `Hello` always has one."""
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
    """Yields the messages that append records, for a keeper of `version`. Each message has about 1 MiB of payload at
    most."""
    if version <= _SINGLE_RECORDS:
        for each in records:
            yield Append(tree, each.execution, each.kind, each.time, each.event, each.payload, each.create)
        return
    batch: list[ServerRecord] = []
    size = 0
    for each in records:
        batch.append(each)
        size += len(each.payload)
        if size >= _APPENDED_AT_ONCE:
            yield AppendRecords(tree, tuple(batch))
            batch, size = [], 0
    if batch:
        yield AppendRecords(tree, tuple(batch))


class Numbered(NamedTuple):
    """A message of a server. The keeper sends a `Reply` with this number, or no reply if the number is None."""

    number: int | None
    message: Request | Unreadable


def read_request(fields: dict[str, Any]) -> Numbered:
    """Returns the message of a server; `Unreadable` if this keeper cannot read it."""
    number = _number(fields)
    return Numbered(number, _read(fields, _REQUESTS.get(str(fields.get("op"))), number))


def read_report(fields: dict[str, Any]) -> Report | Unreadable:
    """Returns the message of a keeper; `Unreadable` if this server cannot read it."""
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
    """Reads messages from received bytes, which may be split anywhere, with `read_request` or `read_report`."""

    def __init__(self, read: Callable[[dict[str, Any]], T]) -> None:
        self._read = read
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[T]:
        """Adds received bytes, and returns the messages that are complete now. Raises `BadMessageError`."""
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
            except (ValueError, RecursionError) as error:
                raise BadMessageError(f"a message is no JSON: {error}") from error
            if not isinstance(fields, dict):
                raise BadMessageError("a message is no JSON object")
            messages.append(self._read(fields))
            del self._buffer[:end]
        return messages
