"""Finds the expressions in a text, in time that is proportional to its length."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

YAQL = "yaql"
JINJA = "jinja"
Part = str | tuple[str, str]
"""A piece of a text: plain text, or an expression (with its delimiters, and its source without them)."""

_EXPRESSIONS = {YAQL: ("<%", "%>"), JINJA: ("{{", "}}")}
_TRIED = 64 << 10
"""The characters of a text, besides four times its length, that may be tried as longer expressions."""


def _spans(text: str, opening: str, closing: str) -> Iterator[tuple[int, int]]:
    """Yields the start and the end of each stretch from `opening` to the first `closing` behind it."""
    at = 0
    while (start := text.find(opening, at)) >= 0 and (end := text.find(closing, start + 2)) >= 0:
        at = end + 2
        yield start, at


def languages(text: str) -> list[str]:
    """Returns the languages of the expressions in a text."""
    jinja = chain(_spans(text, "{{", "}}"), _spans(text, "{%", "%}"))
    found = ((JINJA, jinja), (YAQL, _spans(text, "<%", "%>")))
    return [language for language, spans in found if next(spans, None) is not None]


def has_block(text: str) -> bool:
    """Checks whether a text has a statement of Jinja."""
    return next(_spans(text, "{%", "%}"), None) is not None


def expressions(language: str, text: str) -> list[str]:
    """Returns the expressions of a language in a text, with their delimiters. Each ends at its first closing one."""
    return [text[start:end] for start, end in _spans(text, *_EXPRESSIONS[language])]


def inner(expression: str) -> str:
    """Returns an expression without its delimiters."""
    return expression[2:-2].strip()


def yaql_parts(text: str) -> Iterator[Part]:
    """Splits a text with YAQL."""
    at = 0
    for start, end in _spans(text, "<%", "%>"):
        if start > at:
            yield text[at:start]
        yield text[start:end], inner(text[start:end])
        at = end
    if at < len(text):
        yield text[at:]


def jinja_parts(text: str, is_valid: Callable[[str], bool]) -> Iterator[Part]:
    """Splits a text with Jinja. An expression ends at the first `}}` that makes it valid, or else at the first one.

    A text with many wrong expressions would have a quadratic number of ends to try. So these tries are bounded for the
    text as a whole; then expressions end at the first `}}`.
    """
    remaining = _TRIED + 4 * len(text)
    at = 0
    while (start := text.find("{{", at)) >= 0 and (first := text.find("}}", start)) >= 0:
        if start > at:
            yield text[at:start]
        end = first
        while end >= 0 and not is_valid(text[start + 2 : end].strip()):
            remaining -= end - start
            end = text.find("}}", end + 1) if remaining > 0 else -1
        end = first if end < 0 else end
        yield text[start : end + 2], text[start + 2 : end].strip()
        at = end + 2
    if at < len(text):
        yield text[at:]
