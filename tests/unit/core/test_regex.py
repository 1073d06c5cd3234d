"""Patterns give what Python's engine gives, in time proportional to the text; what needs backtracking is refused."""

from __future__ import annotations

import re
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squall.core.regex import LONGEST, Regex, RegexError, compiled

PATTERNS = [
    "",
    "a|",
    "^",
    "$",
    r"\n$",
    r"\s+$",
    "x$",
    "done$",
    r"(\w+)\s*$",
    "[^a]$",
    r"\s*",
    "a*b*",
    r"^\w+@\w+\.com$",
    r"\d{3}-\d+",
    "(foo|bar) .*",
    "(?P<x>a+)(b)?",
    r"[^\w\s]",
    "(?i)HeLLo",
    "(?im)^foo$",
    "(?s)a.b",
    r"\bfoo\b",
    r"[a-z\d_-]+",
    "a{2,3}?",
    r"\Aab\Z",
    r"[\W]",
    r"\W+",
    r"\D",
    r"\S+",
    "(a)|(b)",
    "é+",
    r"[\]\\^-]",
    "(?x) a  b # c",
    r"\$\{(\w+)\}",
    "(?i:A)b",
    "(?-i:a)",
    "[[]",
    "(?:ab)+?c",
    r"[\d\s]+",
    "(?a:\\w+)",
    "[^\\n]+$",
]
TEXTS = [
    "",
    "abc",
    "aab\n",
    "foo bar\n",
    "a@b.com",
    "123-45",
    "HELLO hello\n",
    "a\nb",
    "café éé ٣",
    "done\n",
    "done\n\n",
    "x \n",
    "  \n",
    "${abc} $",
    "foo\nFoo\nbar",
    "ABab",
    "[]\\^-",
    "a\n\nb",
    "ababc",
]


def results(regex: re.Pattern[str] | Regex, text: str) -> list[object]:
    found: list[object] = [regex.findall(text), regex.sub(r"<\g<0>>", text), regex.sub("-", text, 1), regex.split(text)]
    for match in (regex.search(text), regex.match(text)):
        found.append(match and (match.span(), match.groups()))
    return found


@pytest.mark.parametrize("pattern", PATTERNS)
def test_results_are_those_of_python(pattern: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected, ours = re.compile(pattern), Regex(pattern)
    for text in TEXTS:
        assert results(ours, text) == results(expected, text), text


@given(st.text("ab \n", max_size=12), st.sampled_from(["a$", "[ab]+$", r"\s+$", "a*$", "(a|b)$", r"\n?$"]))
def test_the_end_is_also_before_a_final_newline(text: str, pattern: str) -> None:
    assert Regex(pattern).findall(text) == re.findall(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("(a|a){40}b", "a" * 99), ("a*a*b", "a" * 9000), ("(a+)+$", "a" * 100_000 + "!"), ("(a|aa)*b", "a" * 50_000),
        (r"(.*a){20}x", "a" * 5000), (r"(\w+\s?)*x", "word " * 5000 + "!"),
    ],
)  # fmt: skip
def test_what_explodes_in_python_gives_its_answer(pattern: str, text: str) -> None:
    assert Regex(pattern).search(text) is None


@pytest.mark.parametrize(
    "pattern", ["(?=a)b", "(?!a)b", "(?<=a)b", "(?<!a)b", r"(a)\1", "(a)?(?(1)b|c)", "(?>a)b", "a++b", "a{1,2000}"]
)
def test_what_needs_backtracking_is_refused_in_words(pattern: str) -> None:
    with pytest.raises(RegexError, match="cannot"):
        Regex(pattern)


@pytest.mark.parametrize("pattern", ["[", "(", "*", "a{99999999999}", "(?P<1>a)", "(" * 10_000])
def test_a_wrong_pattern_is_named(pattern: str) -> None:
    with pytest.raises(RegexError):
        Regex(pattern)


def test_a_pattern_has_a_largest_length() -> None:
    with pytest.raises(RegexError, match="characters"):
        Regex("a" * (LONGEST + 1))


def test_half_of_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(RegexError, match="surrogate"):
        Regex("\ud800")


def test_a_wrong_replacement_is_named() -> None:
    with pytest.raises(RegexError, match="replacement"):
        compiled("(a)").sub(r"\2", "a")


def test_groups_are_counted_and_named() -> None:
    regex = compiled("(?P<first>a)(b)")
    assert (regex.groups, regex.groupindex) == (2, {"first": 1})
    assert regex.sub(r"\g<first>-\2", "ab") == "a-b"


@pytest.mark.parametrize("depth", [50, 200, 400, 4000])
def test_groups_in_each_other_never_end_in_a_recursion_error(depth: int) -> None:
    try:
        assert Regex("(?:a|(b" * depth + ")c)" * depth).search("a")
    except RegexError:
        assert depth > 50


def test_the_size_grows_with_the_repeats_of_a_pattern() -> None:
    assert Regex("a{1000}").size > 100 * Regex("a").size
