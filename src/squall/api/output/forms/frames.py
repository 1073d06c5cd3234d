"""Server-sent events: how one event, one id and one comment look on the wire."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from squall.core.access.secret import shown_form

OPENING = b"\n"
"""What an event stream begins with: it goes out at once, so that a client knows that it is connected."""

END_OF_OUTPUT = b"event: EOF\ndata: ''\n\n"
"""The last event of an output that has ended."""


def frame(name: str, body: bytes, token: str = "") -> bytes:
    """One event; with a token its id is that. `body` is JSON without newlines."""
    if not token:
        return b"event: %s\ndata: %s\n\n" % (name.encode(), body)
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (token.encode(), name.encode(), body)


def event_frame(name: str, document: Mapping[str, object]) -> bytes:
    """One event without an id that carries a document."""
    return frame(name, msgspec.json.encode(document, enc_hook=shown_form))


def id_line(token: str) -> bytes:
    """The line that stands before an event without an id, to give it one."""
    return b"id: %s\n" % token.encode()


def id_alone(token: str) -> bytes:
    """No event, but its id: a client that comes back goes on from there."""
    return b"id: %s\n\n" % token.encode()


def lag_comment(ms: int, behind: int) -> bytes:
    """How far a client is behind (ms, and bytes of the journal). Clients that do not know it pass it over."""
    return b": lag ms=%d bytes=%d\n\n" % (ms, behind)


BEAT = lag_comment(0, 0)
"""What tells a client that the connection lives, when there is nothing to send."""
