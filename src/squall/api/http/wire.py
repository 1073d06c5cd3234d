"""Requests and answers as the handlers see them: query values in StackStorm's spelling, JSON bodies, JSON answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Message, Receive, Scope, Send

from squall.core.access.access import Identity
from squall.core.access.secret import shown_form
from squall.core.errors import InvalidError, TooLargeError

LAST_EVENT_ID = "Last-Event-ID"
"""The header with the id of the last event that a client of an event stream received."""

DIRECT = "squall.direct"
"""The ASGI extension whose `offer(data) -> bool` writes bytes to the connection at once. `offer` returns False if the
connection's write buffer is full or the connection is closed. If `chunked`, the bytes must be a chunk of a chunked
body, otherwise a part of the body itself."""

FILE_DEFENCES = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
"""The headers of pack files: a browser runs no script in them."""

_ENCODER = msgspec.json.Encoder(enc_hook=shown_form)
_TRUE = frozenset({"true", "1", "yes", "y"})
_FALSE = frozenset({"false", "0", "no", "n"})
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")

_NOBODY = Identity(user="", admin=False)


async def _never() -> None:
    await asyncio.Event().wait()


class Query:
    """The query string. Unknown names are ignored, because StackStorm's clients send some."""

    def __init__(self, raw: bytes) -> None:
        self._values: dict[str, str] = {}
        self._all = parse_qsl(raw.decode("latin-1"), keep_blank_values=True)
        for name, value in self._all:
            self._values.setdefault(name, value)

    def every(self, name: str) -> list[str]:
        """Returns the values of a name that a query may repeat."""
        return [value for each, value in self._all if each == name and value]

    def text(self, name: str, default: str | None = None) -> str | None:
        """Returns a value, or the default if the value is absent or empty."""
        return self._values.get(name) or default

    def has(self, name: str) -> bool:
        """Returns True if the query has the name, even with an empty value."""
        return name in self._values

    def integer(self, name: str, default: int | None = None) -> int | None:
        """Returns an integer, or the default. Raises `InvalidError` in StackStorm's words."""
        value = self._values.get(name)
        if not value:
            return default
        if not _INTEGER.fullmatch(value):
            raise InvalidError(f'Parameter "{name}" is not of type integer')
        return int(value)

    def boolean(self, name: str, default: bool) -> bool:
        """Returns a boolean, or the default: true, 1, yes, y or false, 0, no, n, in upper or lower case. Raises
        `InvalidError`."""
        value = self._values.get(name, "").lower()
        if not value:
            return default
        if value in _TRUE or value in _FALSE:
            return value in _TRUE
        raise InvalidError(f'Parameter "{name}" is not of type boolean')

    def listed(self, name: str) -> list[str] | None:
        """Returns comma-separated values without duplicates; None if there are none."""
        value = self._values.get(name)
        items = list(dict.fromkeys(item.strip() for item in value.split(",") if item.strip())) if value else []
        return items or None


class Request:
    """One HTTP request. `path` has the values of the path's names; `identity` is the user that sent the request.

    `until_void` returns when the request's credential expires or is revoked; streams then end.
    """

    def __init__(
        self, scope: Scope, receive: Receive, path: Mapping[str, str], body_limit: int, identity: Identity = _NOBODY
    ) -> None:
        self.scope = scope
        self.receive = receive
        self.path = path
        self.identity = identity
        self.until_void: Callable[[], Awaitable[None]] = _never
        self.query = Query(scope["query_string"])
        self._body_limit = body_limit

    def header(self, name: str) -> str | None:
        """Returns the first header of that name, or None."""
        lower = name.lower().encode("latin-1")
        for key, value in self.scope["headers"]:
            if key == lower:
                return str(value, "latin-1")
        return None

    async def body(self) -> bytes:
        """Returns the whole body. Raises `TooLargeError`."""
        declared = self.header("content-length")
        if declared is not None and declared.isdigit() and int(declared) > self._body_limit:
            raise TooLargeError(self._too_large())
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                # Without its end, a body could be taken for a shorter one.
                raise InvalidError("The request ended before its body was complete.")
            part = message.get("body", b"")
            size += len(part)
            if size > self._body_limit:
                raise TooLargeError(self._too_large())
            parts.append(part)
            if not message.get("more_body"):
                return b"".join(parts)

    def _too_large(self) -> str:
        return f"The request's body is larger than {self._body_limit} bytes ([server] max_body_bytes)."

    async def document(self) -> dict[str, Any]:
        """Returns the body as a JSON object; an empty body is an empty object. Raises `InvalidError`."""
        raw = await self.body()
        if not raw.strip():
            return {}
        try:
            document = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidError(f"Failed to parse request body: {error}") from error
        if not isinstance(document, dict):
            raise InvalidError(f"Failed to parse request body: expected an object, got {_kind(document)}")
        return document


class Answer:
    """One complete HTTP answer: a JSON value, or bytes with their own content type."""

    def __init__(
        self,
        value: Any = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        *,
        raw: bytes | None = None,
        content_type: str = "application/json",
    ) -> None:
        self.status = status
        self.headers = dict(headers or {})
        self.content_type = content_type
        self.content = raw if raw is not None else b"" if status == 204 else _ENCODER.encode(value)

    async def send(self, send: Send, request_id: bytes, *, body: bool = True) -> None:
        """Sends the answer. If `body` is False, sends only its headers, for HEAD."""
        headers = [
            (b"x-request-id", request_id),
            *((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items()),
        ]
        if self.status not in (204, 304):
            # Answers with these statuses have no body, and RFC 9110 8.6 allows no length for them.
            headers.append((b"content-length", str(len(self.content)).encode()))
        if self.status != 204:
            headers.append((b"content-type", self.content_type.encode("latin-1")))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.content if body else b""})


def failure(status: int, message: str, conflict_id: str = "", retry_after: int = 0) -> Answer:
    """Returns an error in the form that StackStorm's clients read. `conflict_id` is the id of a conflicting object.
    `retry_after` is in seconds; 0 says nothing."""
    conflict = {"conflict-id": conflict_id} if conflict_id else {}
    headers = {"Retry-After": str(retry_after)} if retry_after else {}
    return Answer({"faultstring": message, **conflict}, status, headers)


def field(document: Mapping[str, Any], name: str, kind: type, words: str, default: Any = None) -> Any:
    """Returns a field of a body, or the default; null counts as absent. `words` name the type in the error. Raises
    `InvalidError` that names the field if its value is not of type `kind`."""
    value = document.get(name)
    if value is None:
        return default
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise InvalidError(f"{value!r} is not of type {words!r} ({name})")
    return value


def texts(document: Mapping[str, Any], name: str) -> list[str]:
    """Returns a field of a body that must be a list of texts; null counts as empty. Raises `InvalidError` that names
    the field."""
    items = field(document, name, list, "array", [])
    if not all(isinstance(item, str) for item in items):
        raise InvalidError(f"{name}: expected a list of texts")
    return list(items)


def _kind(value: Any) -> str:
    return {list: "an array", str: "a string", bool: "a boolean", int: "a number", float: "a number"}.get(
        type(value), "null"
    )


def start_message(status: int, headers: Mapping[str, str]) -> Message:
    """Returns the ASGI message that begins an answer whose body follows in pieces."""
    pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": pairs}
