"""Reads the bodies of webhooks: JSON or a form."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import msgspec

from squall.core.errors import InvalidError

FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 10_000


def read_body(content_type: str, raw: bytes) -> Any:
    """Returns the body of a webhook: the object or list of its JSON, or a form as an object with lists of values.

    An empty body is an empty object. As in StackStorm, plain text is no body. Raises `InvalidError`.
    """
    kind = (content_type or "application/json").partition(";")[0].strip().lower()
    if kind == FORM:
        try:
            return parse_qs(raw.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        except ValueError:
            raise InvalidError(f"The form has more than {_MOST_FIELDS} fields.") from None
    if kind == "text/plain":
        raise InvalidError(f"{raw[:60].decode('utf-8', 'replace')!r} is not of type 'object', 'array'")
    if not raw.strip():
        return {}
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidError(f"Failed to parse request body: {error}") from None
    if not isinstance(body, dict | list):
        raise InvalidError(f"{body!r:.60} is not of type 'object', 'array'")
    return body
