"""Shell wildcards: the same matches as Python's fnmatch, in bounded time."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from squall.core.event.rules.wildcards import matches_wildcard


@pytest.mark.parametrize(
    ("text", "pattern", "matches"),
    [
        ("web1.example.com", "web*.com", True),
        ("web1", "web?", True),
        ("web12", "web?", False),
        ("a\nb", "a*b", True),
        ("b", "[a-c]", True),
        ("d", "[!a-c]", True),
        ("]", "[]]", True),
        ("[", "[", True),
        ("[a", "[a", True),
        ("x", "[z-a]", False),
        ("a", "[a-a]", True),
        ("x", "[!z-a]", True),
        ("-", "[a-]", True),
        ("a.c", "a.c", True),
        ("abc", "a.c", False),
        ("abc\n", "abc", False),
        ("", "*", True),
    ],
)
def test_a_wildcard_matches_the_whole_text(text: str, pattern: str, matches: bool) -> None:
    assert matches_wildcard(text, pattern) is matches


@settings(deadline=None, max_examples=300)
@given(st.text("ab-]![\n^\\", max_size=6), st.text("ab-]![*?^\\", max_size=8))
def test_wildcards_agree_with_fnmatch(text: str, pattern: str) -> None:
    assert matches_wildcard(text, pattern) is fnmatch.fnmatchcase(text, pattern)


def test_a_hostile_wildcard_ends() -> None:
    assert not matches_wildcard("a" * 1_000_000, "*a" * 50 + "a" * 1000 + "b")
