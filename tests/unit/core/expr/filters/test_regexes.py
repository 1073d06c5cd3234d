"""StackStorm's regular expression filters."""

from __future__ import annotations

import pytest

from squall.core.expr.bounds.errors import LimitExceededError
from squall.core.expr.filters.data import JsonPaths
from squall.core.expr.filters.regexes import regex_match, regex_replace, regex_search, regex_substring
from squall.core.regex import RegexError


def test_matches_begin_at_the_start_and_searches_anywhere() -> None:
    assert regex_match("abc", "ab")
    assert not regex_match("xabc", "ab")
    assert regex_search("xABc", "ab", ignorecase=True)
    assert regex_search("é1", r"\w\d")


def test_every_match_is_replaced() -> None:
    assert regex_replace("a1b22", r"(\d+)", r"<\1>") == "a<1>b<22>"


def test_a_match_is_chosen_by_its_number() -> None:
    assert regex_substring("a1b22", r"\d+", 1) == "22"
    with pytest.raises(IndexError):
        regex_substring("a", r"\d+")


def test_a_pattern_that_explodes_gives_its_answer() -> None:
    assert not regex_search("a" * 99, "(a|a){40}b")
    assert not regex_match("a" * 5000 + "!", r"(a+)+$")


def test_what_needs_backtracking_is_refused() -> None:
    with pytest.raises(RegexError, match="look-arounds"):
        regex_search("ab", "(?<=a)b")


def test_a_replacement_makes_no_endless_text() -> None:
    with pytest.raises(LimitExceededError):
        regex_replace("a" * 100_000, "a", "b" * 10_000)
    with pytest.raises(LimitExceededError):
        regex_replace("a" * 1_000_000, "(a+)", r"\1" * 1000)


def test_queries_of_json_use_the_same_engine() -> None:
    paths = JsonPaths()
    items = {"items": [{"name": "a" * 99}, {"name": "web1"}]}
    assert paths.query(items, '$.items[?(@.name =~ "(a|a){40}b")]') is None
    assert paths.query(items, '$.items[?(@.name =~ "^web")].name') == ["web1"]
    assert paths.query({"a": "b1"}, r"$.a.`sub(/(\\d)/, <\\1>)`") in (["b<1>"], None)
    with pytest.raises(RegexError):
        paths.query({"a": "b"}, "$.a.`sub(/(?=a)b/, x)`")
