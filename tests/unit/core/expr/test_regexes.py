"""Patterns that explode run elsewhere or not at all."""

from __future__ import annotations

import pytest

from squall.core.expr.regexes import compiled, is_explosive, regex_match, regex_search


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|aa)*b", r"(.*a){30}.*(.*)*", r"((a*)*)*b"])
def test_repeats_inside_of_repeats_are_explosive(pattern: str) -> None:
    assert is_explosive(pattern, 40)


@pytest.mark.parametrize("pattern", [r"^\w+@\w+\.com$", r"\d{3}-\d+", r"(foo|bar) .*", r"[", r"a*b*"])
def test_ordinary_patterns_are_not(pattern: str) -> None:
    assert not is_explosive(pattern, 200)


def test_several_repeats_are_explosive_on_long_texts_only() -> None:
    assert is_explosive("a*a*a*b", 100_000)
    assert not is_explosive("a*a*a*b", 100)


def test_an_explosive_pattern_still_gives_its_answer() -> None:
    assert not regex_match("a" * 5000 + "!", r"(a+)+$")
    assert regex_match("A" * 5000, r"(a+)+$", ignorecase=True)
    assert regex_search("é1", r"\w\d")


def test_what_cannot_be_bounded_is_refused() -> None:
    with pytest.raises(ValueError, match="could run without end"):
        compiled(r"(a+)+(?=b)", "a" * 100)
