"""The messages between the server and a process that evaluates expressions: a length of four bytes, then the message.

The server sends pickled tasks and answers: their content is its own. It never unpickles: what comes back is JSON, since
the process ran what people wrote.
"""

from __future__ import annotations

import io
import json
import pickle
import socket
from collections.abc import Callable
from typing import Any, NamedTuple

from squall.core.content.config_context import ConfigContext, parts_of

_LENGTH = 4
_PIECE = 1 << 20


class Task(NamedTuple):
    """An evaluation: `kind` is `workflow` or the name of a method of `Jinja`. `names` are a template's variables,
    or the parts of a `Scope`: variables, current task, item. `seconds` is its time.
    """

    kind: str
    text: str
    names: Any
    seconds: float


class Reply(NamedTuple):
    """A message of the process. `kind` is `value`, `error` or `question`.

    An error has the name of its class in `name`, and the fields of the exception in `content`; a question its name and
    its arguments.
    """

    kind: str
    name: str
    content: Any


class _Pickler(pickle.Pickler):
    """Replaces each `ConfigContext` by its values, and keeps its callback in `callbacks`."""

    callbacks: list[Callable[[Any], None]]

    def persistent_id(self, value: Any) -> Any:
        if type(value) is not ConfigContext:
            return None
        values, secrets, opened = parts_of(value)
        self.callbacks.append(opened)
        return len(self.callbacks) - 1, values, secrets


class _Unpickler(pickle.Unpickler):
    """Makes each `ConfigContext` anew. `opened` learns its number and each secret that is read from it."""

    opened: Callable[[int, Any], None]

    def persistent_load(self, identity: Any) -> Any:
        number, values, secrets = identity
        return ConfigContext(values, secrets, lambda secret: self.opened(number, secret))


def pack(value: Any) -> tuple[bytes, list[Callable[[Any], None]]]:
    """Returns a task or an answer as bytes, and the callbacks of the configurations in it."""
    buffer = io.BytesIO()
    pickler = _Pickler(buffer, pickle.HIGHEST_PROTOCOL)
    pickler.callbacks = []
    pickler.dump(value)
    return buffer.getvalue(), pickler.callbacks


def unpack(data: bytes, opened: Callable[[int, Any], None]) -> Any:
    """Returns the task or answer that the server packed."""
    unpickler = _Unpickler(io.BytesIO(data))
    unpickler.opened = opened
    return unpickler.load()


def to_json(reply: Reply) -> bytes:
    """Returns a reply as bytes. JSON has escapes for lone surrogates, and numbers of any length."""
    return json.dumps(reply).encode("ascii")


def from_json(data: bytes) -> Reply:
    """Returns a reply. Raises `ValueError` for anything else."""
    try:
        kind, name, content = json.loads(data)
    except (TypeError, RecursionError) as error:
        raise ValueError(f"the message of an evaluator is malformed: {error}") from None
    return Reply(str(kind), str(name), content)


def send(connection: socket.socket, message: bytes) -> None:
    """Sends a message."""
    connection.sendall(len(message).to_bytes(_LENGTH, "big"))
    connection.sendall(message)


def receive(connection: socket.socket) -> bytes | None:
    """Returns the next message; None if the other side has closed the connection."""
    head = _exactly(connection, _LENGTH)
    return None if head is None else _exactly(connection, int.from_bytes(head, "big"))


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    pieces = bytearray()
    while len(pieces) < size:
        piece = connection.recv(min(size - len(pieces), _PIECE))
        if not piece:
            return None
        pieces += piece
    return bytes(pieces)
