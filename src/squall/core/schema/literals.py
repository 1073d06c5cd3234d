"""Values that people write as text: JSON, or Python literals of texts, numbers, lists and mappings.

A value that JSON cannot hold raises an error with a reason; it is never changed silently. `core/expr/json_value.py`
converts the values of expressions, and accepts more.
"""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

DEEPEST = 200
"""The most levels of a value."""
_MOST_BITS = 14_000
"""The largest whole number, in bits: Python writes numbers of up to 4300 digits."""
_TOO_LARGE = "a whole number is too large"
_GROUPED = "the number has underscores, or digits of another script"

LONGEST_LITERAL = 64 << 10
"""The most characters of a Python literal. To parse one takes 500 bytes of memory for each of them; JSON takes few."""


class LiteralError(ValueError):
    """JSON cannot hold a value. The message is one line and may quote a key of the value."""


def check_nesting(value: Any) -> None:
    """Raises `LiteralError` for a value that nests more than `DEEPEST` levels."""
    level = [value] if isinstance(value, dict | list | tuple) else []
    for _ in range(DEEPEST + 1):
        if not level:
            return
        below: list[Any] = []
        for part in level:
            inner: Iterable[Any] = part.values() if isinstance(part, dict) else part
            below += [item for item in inner if isinstance(item, dict | list | tuple)]
        level = below
    raise LiteralError(f"the value nests more than {DEEPEST} times")


def literal_value(value: Any) -> Any:
    """Returns `value` as JSON holds it. Tuples become lists, and numbers that are keys of an object become texts.

    Raises `LiteralError` if JSON has no such value, such as a set, bytes or an infinite number, and if it nests more
    than `DEEPEST` levels.
    """
    return _plain(value, DEEPEST)


def read_literal(text: str) -> Any:
    """Reads a value from a text: JSON, or a Python literal of texts, numbers, lists and mappings.

    Raises `LiteralError` if JSON cannot hold the value, and `ValueError`, with a text that is not for people, if the
    text is neither.
    """
    try:
        return literal_value(json.loads(text))
    except RecursionError:
        raise LiteralError(f"the value nests more than {DEEPEST} times") from None
    except LiteralError:
        raise
    except json.JSONDecodeError:
        pass
    except ValueError:
        raise LiteralError(_TOO_LARGE) from None
    if len(text) > LONGEST_LITERAL:
        raise LiteralError(f"a text of more than {LONGEST_LITERAL} characters must be JSON")
    try:
        tree = ast.parse(text.strip(), mode="eval")
        if "_" in text and any(_is_grouped(node, text.strip()) for node in ast.walk(tree)):
            raise ValueError(_GROUPED)
        value = ast.literal_eval(tree)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        raise ValueError("neither JSON nor a literal") from None
    return literal_value(value)


def read_integer(text: str) -> int:
    """Reads a whole number in ASCII digits from a text. Raises `LiteralError` for one that is too large, and
    `ValueError`."""
    _check_digits(text)
    try:
        number = int(text)
    except ValueError:
        if text.strip().lstrip("+-").isdecimal():
            raise LiteralError(_TOO_LARGE) from None
        raise
    return _plain(number, 0)  # type: ignore[no-any-return]


def read_number(text: str) -> float:
    """Reads a number in ASCII digits from a text. Raises `LiteralError` for one that JSON cannot hold, and
    `ValueError`."""
    _check_digits(text)
    return _plain(float(text), 0)  # type: ignore[no-any-return]


def _check_digits(text: str) -> None:
    """Raises `ValueError` for what only Python takes as a number: `1_0`, and digits of other scripts."""
    if "_" in text or not text.strip().isascii():
        raise ValueError(_GROUPED)


def _is_grouped(node: ast.AST, text: str) -> bool:
    is_number = isinstance(node, ast.Constant) and type(node.value) in (int, float)
    return is_number and "_" in (ast.get_source_segment(text, node) or "")


def _plain(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        if value.bit_length() > _MOST_BITS:
            raise LiteralError(_TOO_LARGE)
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise LiteralError("JSON has no numbers that are infinite, too large (1e999) or no number (NaN)")
        return value
    if not isinstance(value, dict | list | tuple):
        raise LiteralError(_refusal(value))
    if depth == 0:
        raise LiteralError(f"the value nests more than {DEEPEST} times")
    if isinstance(value, dict):
        return _object(value, depth)
    return [_plain(item, depth - 1) for item in value]


def _text(value: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise LiteralError("the text has half of a surrogate pair, which is not a character") from None
    return value if type(value) is str else str(value)


def _object(value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for key, item in value.items():
        if not isinstance(key, str | int | float) or isinstance(key, bool):
            raise LiteralError(f"{key!r:.60} is a key of an object; use a text as the key")
        name = _text(key) if isinstance(key, str) else str(_plain(key, 0))
        if name in plain:
            raise LiteralError(f'two keys of an object are "{name:.60}"')
        plain[name] = _plain(item, depth - 1)
    return plain


def _refusal(value: Any) -> str:
    if isinstance(value, set | frozenset):
        return "JSON has no sets; use a list, such as [1, 2]"
    if isinstance(value, bytes | bytearray):
        return "JSON has no bytes; use a text"
    if isinstance(value, complex):
        return "JSON has no complex numbers"
    if value is ...:
        return "JSON has no value ..."
    return f"JSON has no value of type {type(value).__name__!r:.60}; use a text, a number, a list or an object"
