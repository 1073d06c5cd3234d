"""Hostile inputs that are written by rule: one character without end, deep nesting, many keys, huge numbers, bombs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

_RUNS = (
    "a", " ", "9", "-", "+", "\n", "\r\n", "\0", "(", "[", "{", '{"a":', "{{", "}}", "{%", "<%", "%>", "{{ a }}",
    "<% $.a %>", "ctx().", "a=", "a=[", "a=1 ", "a,", "a.", "a:", "a: ", "- ", ": ", "? ", "1:", "1m", "\\", "'", '"',
    "&a ", "%TAG ! !a\n", "%41", "k=v&", ";", ",", "/a", "f'{a}'", "1+", "a<", "[0,", "0,", "data: a\n", "\u00e9", "*",
)  # fmt: skip
_ALONE = (b"1e999999", b"-1e999999", b"0x" + b"f" * 5000, b"9" * 5000, b"bytes=" + b"9" * 5000 + b"-", b"\xed\xa0\x80")


def everywhere(length: int) -> Iterator[bytes]:
    """Yields inputs of about `length` bytes for any target."""
    yield from _ALONE
    for text in _RUNS:
        part = text.encode()
        yield part * (length // len(part))
    deep = length // 2
    yield b"[" * deep + b"]" * deep
    yield b"\n".join(b"k%d: v" % number for number in range(length // 10))
    yield b"\n".join(b"%d: v" % (number * (2**61 - 1)) for number in range(length // 24))
    yield json.dumps({f"k{number}": number for number in range(length // 16)}).encode()
    yield json.dumps("\ud800" * (length // 6)).encode()


def _references(word: str, last: Any, count: int) -> dict[str, Any]:
    """A schema whose parts each refer twice to the next one."""
    parts: dict[str, Any] = {f"a{n}": {word: [{"$ref": f"#/definitions/a{n + 1}"}] * 2} for n in range(count)}
    return {"definitions": {**parts, f"a{count}": last}, "$ref": "#/definitions/a0"}


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"c": value}
    return value


def _schemas() -> Iterator[Any]:
    yield [_references("allOf", {"type": "integer"}, 40), 1]
    yield [_references("anyOf", {"type": "string"}, 40), 1]
    node = {"properties": {"c": {"$ref": "#"}}, "allOf": [{"properties": {"c": {"$ref": "#"}}}]}
    yield [node, _nested(60)]
    for word in ("allOf", "anyOf", "oneOf"):
        yield [{word: [{"$ref": "#"}, {"$ref": "#"}]}, 1]
    yield [{"not": {"$ref": "#"}}, 1]
    yield [{"allOf": [{"pattern": rf"(\w{{100}}){{{100 + n}}}"} for n in range(40)]}, "a" * 2000]
    yield [{"allOf": [{"pattern": rf"(?=a)\w{{{60 + n}}}"} for n in range(40)]}, "a" * 2000]
    yield [{"pattern": "(a+)+$"}, "a" * 5000 + "b"]
    yield [{"uniqueItems": True}, [{"a": n} for n in range(2000)]]
    yield [{"enum": [[n] for n in range(2000)]}, [[0]] * 2000]
    yield [{"items": {"enum": list(range(1000))}}, [-1] * 3000]
    yield [{"patternProperties": {f"^a{n}": {} for n in range(200)}, "additionalProperties": False}, {"b": 1}]
    yield [{"type": "array", "maxItems": 0}, list(range(3000))]
    yield [{"multipleOf": 1e-300}, 1e300]


def _workflow(count: int) -> bytes:
    """A workflow of diamonds whose two sides publish different variables."""
    tasks: dict[str, Any] = {}
    for n in range(count):
        sides = [{"publish": [{f"{side}{n}": 1}], "do": f"{side}{n}"} for side in "bc"]
        tasks[f"a{n}"] = {"action": "core.noop", "next": sides}
        tasks |= {f"{side}{n}": {"action": "core.noop", "next": [{"do": f"a{n + 1}"}]} for side in "bc"}
    tasks[f"a{count}"] = {"action": "core.noop"}
    return json.dumps({"version": 1.0, "tasks": tasks}).encode()


def _flat(count: int) -> bytes:
    """A workflow in which every task leads to the next two."""
    tasks = {
        f"t{n}": {"action": "core.noop", "next": [{"do": [f"t{(n + 1) % count}", f"t{n + 2}"]}]} for n in range(count)
    }
    return json.dumps({"version": 1.0, "tasks": tasks}).encode()


def _yaml() -> Iterator[bytes]:
    yield b"a: &a {}\n" + b"".join(b"b%d: {<<: [*a, *a]}\n" % n for n in range(2000))
    levels = [b"l0: &l0 [x, x]"] + [b"l%d: &l%d [*l%d, *l%d]" % (n, n, n - 1, n - 1) for n in range(1, 40)]
    yield b"\n".join(levels)
    yield b"\n".join(
        [b"l0: &l0 {k0: 1}"] + [b"l%d: &l%d {<<: [*l%d, *l%d], k%d: 1}" % (n, n, n - 1, n - 1, n) for n in range(1, 40)]
    )
    yield b"".join(b"%TAG !" + b"a" * n + b"! tag:\n" for n in range(100)) + b"--- a"
    yield b"? " * 500 + b"a"
    yield b"!!int " + b"1:" * 400 + b"1"
    yield b"!!float " + b"1:" * 400 + b"1.0"


def _http() -> Iterator[bytes]:
    head = b"POST /x HTTP/1.1\r\nHost: a\r\n"
    yield head + b"Content-Length: 65536\r\n\r\n" + b"\n" * 65536
    yield head + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\n\n\r\n" * 10000 + b"0\r\n\r\n"
    yield b"GET / HTTP/1.1\r\n\r\n" * 2000
    yield b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 10000 + b"\r\n"
    yield b"GET / HTTP/1.1\r\nX-Forwarded-For: " + b"10.0.0.1," * 6000 + b"\r\n\r\n"
    yield b"GET /" + b"a" * 100_000


def of_target(name: str) -> Iterator[bytes]:
    """Yields the inputs that are written for one target."""
    match name:
        case "schema":
            yield from (json.dumps(each).encode() for each in _schemas())
        case "workflow":
            yield from (_workflow(12), _workflow(40), _flat(300))
        case "yaml" | "metadata":
            yield from _yaml()
        case "connections":
            yield from _http()
        case "literal":
            yield b"[" + b"0," * 100_000 + b"]"
            yield b"{" + b"'k': 1," * 30_000 + b"}"
            yield b"f'" + b"{a}" * 30_000 + b"'"
            yield b"'" + b"\\N{BULLET}" * 20_000 + b"'"
        case "regex":
            patterns = (
                r"(\w{100}){100}",
                r"(a{1000}){1000}",
                r"((a?){99}){99}",
                "(" * 5000,
                "a|" * 5000,
                "[a-z]?" * 1600,
            )
            yield from (pattern.encode() + b"\n" + b"a" * 4000 for pattern in patterns)
            yield b"(?i)" + b"\\w{9}" * 1000 + b"\n" + b"a" * 4000
        case "expression_parts":
            yield b"a=[ a=1 " * 4000
        case "cheap_templates" | "cheap_workflow_values" | "expression_inspection":
            for part in (
                b"1+",
                b"-",
                b"(",
                b"[",
                b"not ",
                b"a.",
                b"a|",
                b"a if a else ",
                b"ctx().a and ",
                b"f(",
                b"$.a.",
            ):
                for opening, closing in ((b"{{ ", b" }}"), (b"<% ", b" %>"), (b"{% if ", b" %}{% endif %}")):
                    for count in (300, 2500):
                        yield opening + part * count + b"a" + closing
