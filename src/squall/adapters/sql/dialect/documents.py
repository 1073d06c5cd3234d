"""Documents that may hold sealed values, as JSON text in a column."""

from __future__ import annotations

from typing import Any

import msgspec

from squall.core.access.secret import from_stored, may_be_marked, sealed_form, to_stored


def document_text(value: Any) -> str:
    """The JSON text that `document` reads again. Raises `TypeError` for what is no JSON value."""
    text = msgspec.json.encode(value, enc_hook=sealed_form).decode()
    return msgspec.json.encode(to_stored(value)).decode() if may_be_marked(text) else text


def document(text: str) -> Any:
    """The value in a column's text."""
    value = msgspec.json.decode(text)
    return from_stored(value) if may_be_marked(text) else value
