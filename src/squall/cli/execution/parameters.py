"""The parser of the words after an action: it turns them into parameters with the types that the schema names.

`name=value` is cast to the type. `@name=path` reads the value from a file. The first word of another form begins the
command line that becomes the parameter `cmd`. The server, not this module, validates values against the schema.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from squall.core.errors import InvalidError

Schema = Mapping[str, Any]

_ASSIGNMENT = re.compile(r"(@?)([A-Za-z_][\w.-]*)=(.*)", re.DOTALL)
_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})


def merge_schemas(runner: Mapping[str, Schema], action: Mapping[str, Schema]) -> dict[str, Schema]:
    """Returns the schema of every parameter: the runner's with the changes of the action's, except that the runner's
    type stays."""
    merged: dict[str, Schema] = dict(runner)
    for name, schema in action.items():
        base = runner.get(name, {})
        merged[name] = {**base, **schema, **({"type": base["type"]} if "type" in base else {})}
    return merged


def read_parameters(words: Sequence[str], schemas: Mapping[str, Schema]) -> dict[str, Any]:
    """Returns the parameters in these words. A repeated array gets more items; any other repeated parameter gets its
    last value.

    Raises `InvalidError` that names the parameter if its value is not of its type.
    """
    parameters: dict[str, Any] = {}
    for index, word in enumerate(words):
        match = _ASSIGNMENT.fullmatch(word)
        if match is None:
            parameters["cmd"] = _command(words[index:], schemas)
            break
        from_file, name, text = match.groups()
        if from_file:
            text = _file_text(name, text)
        value = cast(name, text, schemas.get(name, {}))
        if name in parameters and isinstance(parameters[name], list) and isinstance(value, list):
            parameters[name] += value
        else:
            parameters[name] = value
    return parameters


def assigned_names(words: Sequence[str]) -> list[str]:
    """Returns the names of the parameters that these words assign, in their order."""
    names = []
    for word in words:
        match = _ASSIGNMENT.fullmatch(word)
        if match is None:
            break
        names.append(match[2])
    return names


def cast(name: str, text: str, schema: Schema) -> Any:
    """Returns the value of a text for this schema's type; a list of types is tried in its order.

    Raises `InvalidError` if the text fits no type.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidError(f"parameter {name}: the value is not valid UTF-8") from None
    declared = schema.get("type", "string")
    types = [str(kind) for kind in declared] if isinstance(declared, list) else [str(declared)]
    # The server renders a template before it checks the type.
    if text.lstrip().startswith(("{{", "{%")):
        return text
    for kind in types:
        try:
            return _cast_as(kind, text, schema)
        except ValueError:
            continue
    excerpt = text if len(text) <= 60 else text[:57] + "..."
    raise InvalidError(f"parameter {name}: {excerpt!r} is not of type {' or '.join(types)}{_hint(types)}")


def _cast_as(kind: str, text: str, schema: Schema) -> Any:
    """Returns the value as this type. Raises `ValueError`."""
    match kind:
        case "integer":
            return _integer(text)
        case "number":
            return _number(text)
        case "boolean":
            return _boolean(text)
        case "array":
            return _array(text, schema)
        case "object":
            return _object(text)
        case "null":
            if text.lower() in ("null", "none", ""):
                return None
            raise ValueError(text)
        case _:
            return text


def _integer(text: str) -> int:
    if "_" in text or not text.isascii():
        raise ValueError(text)
    return int(text)


def _number(text: str) -> int | float:
    try:
        return _integer(text)
    except ValueError:
        value = float(text)
    if not math.isfinite(value) or "_" in text or not text.strip().isascii():
        raise ValueError(text)
    return value


def _boolean(text: str) -> bool:
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(text)


def _array(text: str, schema: Schema) -> list[Any]:
    """Returns a JSON array, else the parts between commas, each cast to the type in the schema's `items`, if any."""
    if not text.strip():
        return []
    try:
        value = json.loads(text)
    except ValueError:
        if text.lstrip().startswith("["):
            raise
        value = None
    if isinstance(value, list):
        return value
    items = schema.get("items")
    kind = items.get("type") if isinstance(items, Mapping) else None
    if isinstance(kind, str):
        return [_cast_as(kind, part.strip(), items if isinstance(items, Mapping) else {}) for part in text.split(",")]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return [value]
    return [part.strip() for part in text.split(",")]


def _object(text: str) -> dict[str, Any]:
    """Returns a JSON object, or the object in `k=v,k2=v2` with texts as values."""
    if not text.strip():
        return {}
    if text.lstrip().startswith("{"):
        value = json.loads(text)
        if not isinstance(value, dict):
            raise ValueError(text)
        return value
    pairs: dict[str, Any] = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            raise ValueError(text)
        pairs[key.strip()] = value
    return pairs


def _command(words: Sequence[str], schemas: Mapping[str, Schema]) -> str:
    if not words[0].strip():
        raise InvalidError("an empty text stands among the parameters. Is a variable not set?")
    if "cmd" not in schemas or schemas["cmd"].get("immutable") is True:
        absent = "sets cmd itself" if "cmd" in schemas else "has no parameter cmd"
        raise InvalidError(f"{words[0]!r}: this action {absent}; write parameters as name=value")
    return str(cast("cmd", " ".join(words), {}))


def _file_text(name: str, path: str) -> str:
    try:
        return Path(path).expanduser().read_bytes().decode()
    except UnicodeDecodeError:
        raise InvalidError(f"parameter {name}: the file {path} is not UTF-8 text") from None
    except (OSError, RuntimeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidError(f"parameter {name}: cannot read the file {path}: {reason}") from None


def _hint(types: Sequence[str]) -> str:
    """Returns the syntax of the first type that has its own syntax."""
    hints = {
        "boolean": " (write true or false)",
        "array": " (write a JSON array, or values with commas between)",
        "object": " (write a JSON object, or k=v,k2=v2)",
    }
    return next((hints[kind] for kind in types if kind in hints), "")
