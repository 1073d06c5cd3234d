"""Regular expressions that users write: Python's syntax, RE2's engine, time in proportion to the text.

Python's own engine backtracks: for some patterns its time doubles with each character, and nothing can stop it. So
Python parses a pattern, this module writes it in RE2's syntax, and RE2 runs it. Character classes (`\\w`, `\\d`, `\\s`)
cover Unicode, and `$` also matches before a final newline, as in Python. Look-arounds and back-references need
backtracking: they are refused.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import re2  # type: ignore[import-untyped]

# Type stubs lack this module, and a type checker complains about a plain import only sometimes.
_parser: Any = importlib.import_module("re._parser")

LONGEST = 10_000
"""The characters of the longest pattern."""

_CACHED = 64
"""The number of cached patterns. RE2 needs up to 8 MiB for each, so hostile ones need 512 MiB at most."""
_FLAGS = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s"}
_CLASSES = {
    "CATEGORY_DIGIT": r"\p{Nd}",
    "CATEGORY_WORD": r"\p{L}\p{N}_",
    "CATEGORY_SPACE": r"\s\x0b\x1c-\x1f\x{85}\p{Z}",
}
_REPEATS = {"MAX_REPEAT": "", "MIN_REPEAT": "?"}


class RegexError(ValueError):
    """A pattern is wrong, or RE2 cannot run it. The message quotes the pattern and says why."""


class Regex:
    """A compiled pattern. Its methods return the same as those of `re.Pattern`; matches are RE2's, in the form of
    `re.Match`."""

    def __init__(self, pattern: str, flags: int = 0) -> None:
        """Compiles the pattern. Raises `RegexError`."""
        self.pattern = pattern
        tree = parsed(pattern, flags)
        writer = _Writer(tree.state)
        try:
            text = writer.sequence(tree, tree.state.flags)
        except RecursionError:
            raise RegexError(f"the pattern {pattern!r:.200} has too many groups in each other") from None
        options = re2.Options()
        options.log_errors = False
        try:
            self._compiled = re2.compile(text, options)
        except re2.error as error:
            reason = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
            raise RegexError(f"the pattern {pattern!r:.200} cannot run on RE2: {reason}") from None
        self._ends = writer.has_end

    def search(self, text: str) -> Any:
        """Returns the first match anywhere in `text`, or None."""
        return next(self.finditer(text), None)

    def match(self, text: str) -> Any:
        """Returns the match at the start of `text`, or None."""
        match = self._compiled.match(text)
        return self._compiled.match(text[:-1]) if match is None and self._has_two_ends(text) else match

    def finditer(self, text: str) -> Iterator[Any]:
        """Yields the matches in `text`, from left to right, which do not overlap."""
        shorter = self._compiled.finditer(text[:-1]) if self._has_two_ends(text) else iter(())
        yield from _leftmost(self._compiled.finditer(text), shorter)

    def _has_two_ends(self, text: str) -> bool:
        """Checks whether `$` matches in two places: RE2's is the very end, Python's also before a final newline."""
        return self._ends and text.endswith("\n")

    def findall(self, text: str) -> list[Any]:
        """Returns the text of each match: its group if there is one, a tuple of its groups if there are several."""
        texts: list[Any] = []
        for match in self.finditer(text):
            groups = match.groups(default="")
            texts.append(match.group() if not groups else groups[0] if len(groups) == 1 else groups)
        return texts

    def sub(self, replacement: str | Callable[[Any], str], text: str, count: int = 0) -> str:
        """Replaces the first `count` matches in `text` (0: all). Raises `RegexError` for a wrong replacement."""
        replace = self._replacement(replacement) if isinstance(replacement, str) else replacement
        pieces, end = [], 0
        for number, match in enumerate(self.finditer(text), 1):
            pieces += [text[end : match.start()], replace(match)]
            end = match.end()
            if number == count:
                break
        return "".join([*pieces, text[end:]])

    def split(self, text: str, limit: int = 0) -> list[str | None]:
        """Returns the pieces of `text` between its first `limit` matches (0: all), with the groups of the matches
        between them."""
        pieces: list[str | None] = []
        end = 0
        for number, match in enumerate(self.finditer(text) if limit >= 0 else (), 1):
            pieces += [text[end : match.start()], *match.groups()]
            end = match.end()
            if number == limit:
                break
        return [*pieces, text[end:]]

    def _replacement(self, template: str) -> Callable[[Any], str]:
        if "\\" not in template:
            return lambda _match: template
        try:
            groups, literals = _template(template, self)
        except (re.error, IndexError) as error:
            raise RegexError(f"the replacement {template!r:.200} is wrong: {error}") from None
        numbers = dict(groups)

        def replace(match: Any) -> str:
            return "".join(
                (match.group(numbers[at]) or "") if literal is None else literal for at, literal in enumerate(literals)
            )

        return replace

    @property
    def groups(self) -> int:
        """The number of groups in the pattern."""
        count: int = self._compiled.groups
        return count

    @property
    def size(self) -> int:
        """The number of instructions of RE2's program. The time for a text is at most in proportion to this number
        times the length of the text."""
        count: int = self._compiled.programsize
        return count

    @property
    def groupindex(self) -> dict[str, int]:
        """The numbers of the named groups."""
        return dict(self._compiled.groupindex)


def parsed(pattern: str, flags: int = 0) -> Any:
    """Returns a pattern as Python's parser describes it: a list of pairs (operation, argument). Raises `RegexError`."""
    if len(pattern) > LONGEST:
        raise RegexError(f"the pattern has {len(pattern)} characters; {LONGEST} are allowed")
    try:
        return _parser.parse(pattern, flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise RegexError(f"the pattern {pattern!r:.200} is wrong: {error}") from None


@lru_cache(_CACHED)
def compiled(pattern: str, flags: int = 0) -> Regex:
    """Compiles a pattern, and caches it. `flags` are those of `re`. Raises `RegexError`."""
    return Regex(pattern, flags)


def _template(template: str, regex: Regex) -> tuple[list[tuple[int, int]], list[str | None]]:
    """Returns a replacement's groups (index, number) and literals, parsed by Python, in the form of Python 3.11."""
    parsed = _parser.parse_template(template, regex)
    if isinstance(parsed, tuple):
        return parsed
    # Since Python 3.12: literals and group numbers in turn.
    literals: list[str | None] = [None if at % 2 else piece for at, piece in enumerate(parsed)]
    return [(at, piece) for at, piece in enumerate(parsed) if at % 2], literals


def _leftmost(whole: Iterator[Any], shorter: Iterator[Any]) -> Iterator[Any]:
    """Yields the leftmost matches of both; if two start together, that of `whole`. RE2 yields some empty matches
    twice."""
    first, second, span = next(whole, None), next(shorter, None), (-1, -1)
    while first is not None or second is not None:
        if second is None or (first is not None and first.start() <= second.start()):
            match, first = first, next(whole, None)
        else:
            match, second = second, next(shorter, None)
        if match is not None and match.start() >= span[1] and match.span() != span:
            span = match.span()
            yield match


class _Writer:
    """Writes a pattern that Python has parsed in RE2's syntax."""

    def __init__(self, state: Any) -> None:
        self._names = {number: name for name, number in state.groupdict.items()}
        self.has_end = False

    def sequence(self, parsed: Any, flags: int) -> str:
        """Writes the items of a sub-pattern under `flags`. Raises `RegexError`."""
        return "".join(self._item(str(operation), argument, flags) for operation, argument in parsed)

    def _item(self, operation: str, argument: Any, flags: int) -> str:
        if operation == "LITERAL":
            return _flagged(_escaped(argument), flags)
        if operation == "NOT_LITERAL":
            return _flagged(f"[^{_escaped(argument)}]", flags)
        if operation == "ANY":
            return "(?s:.)" if flags & re.DOTALL else "."
        if operation == "IN":
            return _flagged(_class(argument, flags), flags)
        if operation == "AT":
            return self._place(str(argument), flags)
        if operation == "BRANCH":
            return f"(?:{'|'.join(self.sequence(part, flags) for part in argument[1])})"
        if operation == "SUBPATTERN":
            return self._group(argument, flags)
        if operation in _REPEATS:
            least, most, part = argument
            times = f"{{{least},}}" if most == _parser.MAXREPEAT else f"{{{least},{most}}}"
            return f"(?:{self.sequence(part, flags)}){_SHORT.get(times, times)}{_REPEATS[operation]}"
        raise RegexError(f"patterns with {_NAMED.get(operation, operation)} cannot be used: they can run without end")

    def _group(self, argument: Any, flags: int) -> str:
        number, added, removed, part = argument
        inner = self.sequence(part, (flags | added) & ~removed)
        if number is None:
            return f"(?:{inner})"
        return f"(?P<{self._names[number]}>{inner})" if number in self._names else f"({inner})"

    def _place(self, place: str, flags: int) -> str:
        if place == "AT_BEGINNING":
            return "(?m:^)" if flags & re.MULTILINE else r"\A"
        if place == "AT_END" and flags & re.MULTILINE:
            return "(?m:$)"
        self.has_end |= place == "AT_END"
        return {"AT_BEGINNING_STRING": r"\A", "AT_BOUNDARY": r"\b", "AT_NON_BOUNDARY": r"\B"}.get(place, r"\z")


_SHORT = {"{0,}": "*", "{1,}": "+", "{0,1}": "?"}
_NAMED = {
    "ASSERT": "look-arounds, such as (?=…),", "ASSERT_NOT": "look-arounds, such as (?!…),",
    "GROUPREF": "back-references, such as \\1,", "GROUPREF_EXISTS": "conditions, such as (?(1)…),",
    "GROUPREF_IGNORE": "back-references, such as \\1,", "ATOMIC_GROUP": "atomic groups, such as (?>…),",
    "POSSESSIVE_REPEAT": "possessive repeats, such as a++,",
}  # fmt: skip


def _flagged(text: str, flags: int) -> str:
    return f"(?i:{text})" if flags & re.IGNORECASE else text


def _escaped(code: int) -> str:
    if 0xD800 <= code <= 0xDFFF:
        raise RegexError("the pattern has half of a surrogate pair, which is not a character")
    character = chr(code)
    return character if character.isalnum() and character.isascii() else f"\\x{{{code:x}}}"


def _class(items: Any, flags: int) -> str:
    """Writes a character class. A complement in it is that of the Unicode class if it is alone; in `[\\W_]` it is that
    of the ASCII class."""
    negated, parts = "", []
    for operation, argument in items:
        name = str(operation)
        if name == "NEGATE":
            negated = "^"
        elif name == "LITERAL":
            parts.append(_escaped(argument))
        elif name == "RANGE":
            parts.append(f"{_escaped(argument[0])}-{_escaped(argument[1])}")
        else:
            parts.append(_category(str(argument), len(items) == 1, flags))
    if len(items) == 1 and parts and parts[0].startswith("[^"):
        return parts[0]
    return f"[{negated}{''.join(parts)}]"


def _category(name: str, alone: bool, flags: int) -> str:
    positive = name.replace("_NOT_", "_")
    if positive == name:
        return _ASCII[name] if flags & re.ASCII else _CLASSES[name]
    if flags & re.ASCII or not alone:
        return _ASCII[positive].upper()
    return f"[^{_CLASSES[positive]}]"


_ASCII = {"CATEGORY_DIGIT": r"\d", "CATEGORY_WORD": r"\w", "CATEGORY_SPACE": r"\s"}
