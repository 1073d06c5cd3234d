"""Values and their schemas: JSON schemas with a value, literals of parameters, regular expressions of people."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.fuzz.contract import Run, Target

from squall.cli.execution.parameters import read_parameters
from squall.core.errors import InvalidError
from squall.core.execution.params import cast_value
from squall.core.regex import Regex, RegexError
from squall.core.schema.json_schema import SchemaError, all_errors, complaint, draft4, remote_reference
from squall.core.schema.literals import LiteralError, check_nesting, read_integer, read_literal, read_number
from squall.core.schema.walk import has_secrets, mask_secrets, mentions_secret, place_of, with_defaults, without_nulls

TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")
KEYWORDS = (
    b'"$ref":"#', b'"allOf":[', b'"anyOf":[', b'"oneOf":[', b'"not":', b'"properties":{', b'"items":', b'"pattern":',
    b'"patternProperties":{', b'"definitions":{', b'"required":true', b'"enum":[', b'"uniqueItems":true',
    b'"secret":true', b'"default":', b'"type":"object"', b'"multipleOf":',
    b'"dependencies":{', b'"additionalProperties":', b'"format":',
)  # fmt: skip


def schemas(_folder: Path) -> Run:
    def run(data: bytes) -> None:
        """Takes `[schema, value]`, as a pack's author and a user give them."""
        try:
            schema, value = json.loads(data)
            check_nesting([schema, value])
        except (ValueError, TypeError, RecursionError):
            return
        if remote_reference(schema) is not None or not isinstance(schema, dict):
            return
        place = place_of(schema)
        has_secrets(schema), mentions_secret(schema, schema), mask_secrets(value, place)
        value = without_nulls(with_defaults(value, place, nulls=True, creates=True), place)
        plain = draft4(schema)
        for check in (complaint, all_errors):
            with suppress(SchemaError):
                check(plain, value)

    return run


def literals(_folder: Path) -> Run:
    def run(data: bytes) -> None:
        text = data.decode("utf-8", "surrogateescape")
        for read in (read_literal, read_integer, read_number):
            with suppress(ValueError, LiteralError):
                read(text)
        for kind in TYPES:
            with suppress(InvalidError):
                cast_value("it", text, {"type": kind})

    return run


def words(_folder: Path) -> Run:
    types: dict[str, Any] = {kind: {"type": kind} for kind in TYPES}
    types |= {"numbers": {"type": "array", "items": {"type": "number"}}, "either": {"type": ["integer", "object"]}}

    def run(data: bytes) -> None:
        words = data.decode("utf-8", "surrogateescape").split("\n")
        read_parameters([word for word in words if not word.startswith("@")], types)

    return run


def regexes(_folder: Path) -> Run:
    def run(data: bytes) -> None:
        pattern, _, text = data.decode("utf-8", "replace").partition("\n")
        regex = Regex(pattern)
        regex.search(text), regex.match(text), regex.sub("", text[:100])

    return run


TARGETS = (
    Target("schema", schemas, words=KEYWORDS),
    Target(
        "literal", literals, largest=16 << 10, words=(b"{'", b"': ", b"1e999", b"0x", b"True", b"None", b"f'{", b"\\N{")
    ),
    Target("command_line", words, (InvalidError,), words=tuple(f"{kind}=".encode() for kind in TYPES)),
    Target(
        "regex", regexes, (RegexError,), words=(b"(?i)", b"(?:", b"(?P<a>", b"{1000}", b"\\w", b"\\p{L}", b"[^", b"$")
    ),
)
