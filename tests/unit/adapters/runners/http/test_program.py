"""The program of HTTP actions: addresses and the text of answers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squall.adapters.runners.http.program import Text, address, decoded, is_charset


@pytest.mark.parametrize(
    "url",
    [
        "http://h/f?",
        "http://h/f?acl",
        "http://h/f?C=S;O=D",
        "http://h/f?x=a%20b&l=1,2",
        "http://h/f?q=%E9&r=%e9",
        "http://h//a//b?u=http://a/b?c=d",
        "http://h/%2F%2f?a+b",
        "http://h/f?sig=a%2Bb/c%3D%3D&x=",
    ],
)
def test_an_address_is_left_alone(url: str) -> None:
    assert str(address(url, "")) == url


@pytest.mark.parametrize(
    ("url", "query", "target"),
    [
        ("http://h/f?a=1", "a=2", b"/f?a=1&a=2"),
        ("http://h/f", "a=2", b"/f?a=2"),
        ("http://h/f?", "a=2", b"/f?a=2"),
        ("http://h", "a=2", b"/?a=2"),
        ("http://h/f?q=%E9;x#part", "a=%C3%A9", b"/f?q=%E9;x&a=%C3%A9"),
        ("http://h/é?ü", "a b", b"/%C3%A9?%C3%BC&a%20b"),
    ],
)
def test_a_query_is_added_behind_the_one_that_is_there(url: str, query: str, target: bytes) -> None:
    assert address(url, query).raw_path == target


def test_names_of_hosts_become_ascii() -> None:
    assert address("http://MÜLLER.de/", "").raw_host == b"xn--mller-kva.de"


@pytest.mark.parametrize(
    ("body", "charset", "text"),
    [
        ("café".encode(), None, "café"),
        ("café".encode("latin-1"), None, "café"),
        ("café".encode("latin-1"), "iso-8859-1", "café"),
        ("café".encode("latin-1"), "utf-8", "caf\ufffd"),
        ("日本".encode("shift_jis"), "Shift_JIS", "日本"),
        ("café".encode(), "no-such-charset", "café"),
        (b"616263", "hex", "616263"),
        (b"a+2AA-b", "utf-7", "a?b"),
    ],
)
def test_a_body_is_text_in_its_charset_or_in_utf_8_or_in_latin_1(body: bytes, charset: str | None, text: str) -> None:
    assert decoded(body, charset, whole=True) == text


def test_a_body_that_was_cut_within_a_character_is_still_utf_8() -> None:
    assert decoded("café".encode()[:-1], None, whole=False) == "caf\ufffd"


@given(st.text(), st.lists(st.integers(0, 40)))
def test_text_that_comes_in_pieces_is_the_same_text(text: str, cuts: list[int]) -> None:
    body = text.encode("utf-8", "replace")
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    for charset in (None, "utf-8"):
        decoder = Text(charset)
        pieces = [decoder.feed(body[start:end]) for start, end in pairwise(edges)]
        assert "".join(pieces) + decoder.feed(b"", final=True) == body.decode()


def test_bytes_that_are_no_utf_8_are_shown_as_latin_1_as_they_come() -> None:
    decoder = Text(None)
    assert decoder.feed("é é".encode("latin-1") + b"\xc3") == "é é"
    assert decoder.feed(b"\xa9 \xe9") == "é "
    assert decoder.feed(b"", final=True) == "é"


@pytest.mark.parametrize(("name", "known"), [("utf-8", True), ("UTF-16", True), ("cp1252", True), ("hex", False),
                                             ("rot13", False), ("idna", False), ("undefined", False), ("x" * 99, False),
                                             ("a\0b", False)])  # fmt: skip
def test_only_charsets_of_text_are_known(name: str, known: bool) -> None:
    assert is_charset(name) is known
