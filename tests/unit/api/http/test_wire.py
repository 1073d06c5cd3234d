from __future__ import annotations

import asyncio
from typing import Any

import pytest

from squall.api.http.wire import Answer, Query, Request, failure, field
from squall.core.errors import InvalidError, TooLargeError


def request(*parts: bytes, limit: int = 100, **headers: str) -> Request:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    messages = [
        {"type": "http.request", "body": part, "more_body": number + 1 < len(parts)}
        for number, part in enumerate(parts)
    ]

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else {"type": "http.request"}

    return Request({"headers": pairs, "query_string": b""}, receive, {}, limit)


def test_the_first_of_two_values_counts_and_empty_ones_are_none() -> None:
    query = Query(b"a=1&a=2&b=&c=%20x+y")
    assert (query.text("a"), query.text("b"), query.text("b", "else"), query.text("c")) == ("1", None, "else", " x y")
    assert query.has("b")
    assert not query.has("d")


@pytest.mark.parametrize(("text", "value"), [("5", 5), ("-1", -1), ("%2B3", 3), ("", 7), ("007", 7)])
def test_integers(text: str, value: int) -> None:
    assert Query(f"n={text}".encode()).integer("n", 7) == value


@pytest.mark.parametrize("text", ["x", "1.0", "--1", "1e3", "9" * 30, "%D9%A1", " ", "-"])
def test_what_is_no_integer_is_refused_with_its_name(text: str) -> None:
    with pytest.raises(InvalidError, match='"n" is not of type integer'):
        Query(f"n={text}".encode()).integer("n")


@pytest.mark.parametrize(
    ("text", "value"), [("True", True), ("1", True), ("yes", True), ("False", False), ("n", False)]
)
def test_booleans_are_read_as_python_spells_them(text: str, value: bool) -> None:
    assert Query(f"b={text}".encode()).boolean("b", not value) is value


def test_what_is_no_boolean_is_refused() -> None:
    with pytest.raises(InvalidError, match='"b" is not of type boolean'):
        Query(b"b=perhaps").boolean("b", True)


def test_lists_hold_each_value_once() -> None:
    assert Query(b"l=a,b,,a,%20c").listed("l") == ["a", "b", "c"]
    assert Query(b"l=").listed("l") is None
    assert Query(b"l=,").listed("l") is None


def test_a_body_comes_in_pieces() -> None:
    assert asyncio.run(request(b'{"a"', b": 1", b"}").document()) == {"a": 1}
    assert asyncio.run(request(b" ").document()) == {}


@pytest.mark.parametrize("raw", [b"[1]", b"5", b'"x"', b"null", b"true", b"{", b"\xff"])
def test_what_is_no_object_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidError, match="Failed to parse request body"):
        asyncio.run(request(raw).document())


def test_a_body_over_the_limit_is_refused_by_its_length_and_by_its_bytes() -> None:
    with pytest.raises(TooLargeError):
        asyncio.run(request(b"", limit=10, content_length="11").body())
    with pytest.raises(TooLargeError):
        asyncio.run(request(b"x" * 6, b"x" * 6, limit=10).body())
    assert asyncio.run(request(b"x" * 5, b"x" * 5, limit=10).body()) == b"x" * 10


def test_fields_are_of_their_type_and_null_is_absent() -> None:
    assert field({"a": "x"}, "a", str, "string") == "x"
    assert field({"a": None}, "a", str, "string", "else") == "else"
    assert field({}, "a", int, "integer") is None
    for value, kind in ((5, str), (True, int), ("5", int), ([], dict)):
        with pytest.raises(InvalidError, match="name_of_it"):
            field({"name_of_it": value}, "name_of_it", kind, "wanted")


def test_an_answer_without_content_sends_none() -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Answer(None, 204).send(send, b"7"))
    asyncio.run(failure(404, "gone").send(send, b"8"))
    assert (sent[0]["status"], sent[1]["body"]) == (204, b"")
    assert not any(name == b"content-type" for name, _ in sent[0]["headers"])
    assert (sent[2]["status"], sent[3]["body"]) == (404, b'{"faultstring":"gone"}')
    assert (b"x-request-id", b"8") in sent[2]["headers"]
