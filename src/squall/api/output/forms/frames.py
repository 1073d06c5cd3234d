"""Server-sent events: the bytes of one event, one id and one comment."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from squall.core.access.secret import shown_form

OPENING = b"\n"
"""The first bytes of an event stream. They are sent at once, so that a client knows that it is connected."""

END_OF_OUTPUT = b"event: EOF\ndata: ''\n\n"
"""The last event of an output that has ended."""


def frame(name: str, body: bytes, token: str = "") -> bytes:
    """Returns one event. `token` is its id; "" for none. `body` is JSON without newlines."""
    if not token:
        return b"event: %s\ndata: %s\n\n" % (name.encode(), body)
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (token.encode(), name.encode(), body)


def event_frame(name: str, document: Mapping[str, object]) -> bytes:
    """Returns one event with a document and without an id."""
    return frame(name, msgspec.json.encode(document, enc_hook=shown_form))


def id_line(token: str) -> bytes:
    """Returns the `id:` line to put before an event without an id."""
    return b"id: %s\n" % token.encode()


def id_alone(token: str) -> bytes:
    """Returns an id without an event. A client that resumes with it continues from there."""
    return b"id: %s\n\n" % token.encode()


def lag_comment(ms: int, lag_bytes: int) -> bytes:
    """Returns a comment with the client's lag (ms, and bytes of the journal). Other clients ignore comments."""
    return b": lag ms=%d bytes=%d\n\n" % (ms, lag_bytes)


BEAT = lag_comment(0, 0)
"""The heartbeat of an event stream: a comment that keeps an idle connection alive."""
