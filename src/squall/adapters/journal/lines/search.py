"""Searches the lines of one execution with RE2. Its time is proportional to the text for every expression.

The search runs over whole chunks, and counts only the lines that match. A chunk is one stream's output between two
marks of the index, with the ends of the lines that are open at the second mark. So the search finds lines in their
order, one piece at a time, forwards or backwards.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import re2  # type: ignore[import-untyped]

from squall.adapters.journal.lines.lookup import MOST_BEHIND, Lookup
from squall.core.errors import InvalidError
from squall.core.output import journal
from squall.core.output.journal import Record
from squall.core.output.lines import Key, count_record, tag_in_tree

_MEMORY = 64 << 20
MOST_PATTERN = 10_000
"""The longest expression, in characters."""


class SearchResult(NamedTuple):
    """The result of one search: the numbers of the matching lines, in order, and the line where the search must resume
    (0: it is complete)."""

    numbers: list[int]
    resume: int


def compile_pattern(pattern: str, *, fixed: bool = False, ignore_case: bool = False) -> Any:
    """Compiles an expression for `search`. If `fixed` is true, the pattern is plain text.

    Raises `InvalidError` if RE2 does not accept the expression.
    """
    if len(pattern) > MOST_PATTERN:
        raise InvalidError(f"grep: the expression is longer than {MOST_PATTERN} characters")
    options = re2.Options()
    options.never_nl = True
    options.log_errors = False
    options.max_mem = _MEMORY
    options.case_sensitive = not ignore_case
    text = re2.escape(pattern) if fixed else pattern
    try:
        return re2.compile(b"(?m)" + str(text).encode(), options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        reason = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        reason = reason.replace("(?m)", "", 1)
        raise InvalidError(f"grep: {pattern!r} is not an expression of RE2: {reason}") from None


class _Chunk:
    """The output of one stream in one segment, with the numbers of its lines."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0
        self.offsets: list[int] = []
        self.numbers: list[tuple[int | None, int]] = []

    def add(self, data: bytes, going_on: int | None, before: int) -> None:
        """Adds the output of a record. `going_on` and `before` are the values that `LineCounter.take` returns."""
        self.offsets.append(self.size)
        self.numbers.append((going_on, before))
        self.parts.append(data)
        self.size += len(data)

    def matches(self, expression: Any, more: Callable[[], bool]) -> list[int]:
        """Returns the numbers of the lines that match. Stops early when `more()` is false."""
        text = b"".join(self.parts)
        numbers: list[int] = []
        at = 0
        counted = (-1, 0, 0)
        while at < len(text) and (match := expression.search(text, at)) is not None:
            start = text.rfind(b"\n", 0, match.start()) + 1
            if start >= len(text):
                break
            counted = self._count(text, start, counted)
            numbers.append(self._number(counted[0], counted[2]))
            at = text.find(b"\n", max(match.start(), start)) + 1
            if not at or (len(numbers) % 1024 == 0 and not more()):
                break
        return numbers

    def _count(self, text: bytes, start: int, counted: tuple[int, int, int]) -> tuple[int, int, int]:
        """Returns the part in which `start` lies, `start` itself, and the number of newlines before it in that part.
        Continues from the result of the previous call, `counted`."""
        part = bisect_right(self.offsets, start) - 1
        begin, newlines = (counted[1], counted[2]) if counted[0] == part else (self.offsets[part], 0)
        return part, start, newlines + text.count(b"\n", begin, start)

    def _number(self, part: int, newlines: int) -> int:
        going_on, before = self.numbers[part]
        if going_on is None:
            return before + 1 + newlines
        return going_on if newlines == 0 else before + newlines


def search(
    lookup: Lookup,
    expression: Any,
    *,
    start: int,
    stop: int,
    limit: int,
    streams: Collection[int] | None,
    backwards: bool,
    more: Callable[[], bool],
) -> SearchResult:
    """Finds the first `limit` matching lines from `start` to `stop` (inclusive); with `backwards`, the last ones, from
    `stop` down to `start`. If `more()` is false, stops early and returns the line to resume from. Raises `OSError`."""
    stop = min(stop, lookup.last_line)
    if start > stop:
        return SearchResult([], 0)
    first, last = lookup.segment_of(start), lookup.segment_of(stop)
    order = range(last, first - 1, -1) if backwards else range(first, last + 1)
    numbers: list[int] = []
    for segment in order:
        if not more():
            edge = lookup.marks[segment].lines
            return SearchResult(
                sorted(numbers), min(stop, _end_of(lookup, segment)) if backwards else max(start, edge + 1)
            )
        hits = [number for number in _segment(lookup, segment, expression, streams, more) if start <= number <= stop]
        hits.sort(reverse=backwards)
        remaining = limit - len(numbers)
        numbers += hits[:remaining]
        if len(hits) > remaining or (len(hits) == remaining and segment != order[-1]):
            resume = numbers[-1] - 1 if backwards else numbers[-1] + 1
            return SearchResult(sorted(numbers), resume if start <= resume <= stop else 0)
    return SearchResult(sorted(numbers), 0)


def _end_of(lookup: Lookup, segment: int) -> int:
    following = segment + 1
    return lookup.marks[following].lines if following < len(lookup.marks) else lookup.last_line


def _segment(
    lookup: Lookup, segment: int, expression: Any, streams: Collection[int] | None, more: Callable[[], bool]
) -> list[int]:
    """Returns the numbers of the matching lines that begin in a segment."""
    counter = lookup.marks[segment].counter()
    begun = counter.lines
    chunks: dict[Key, _Chunk] = {}
    for record in lookup.segment_records(segment):
        if record.kind == journal.GAP:
            opened = dict(counter.open)
            count_record(counter, record, lookup.whole)
            for key in opened.keys() - counter.open.keys():
                # The output behind the gap begins a new line, so this ends the line before the gap.
                if key in chunks:
                    chunks[key].add(b"\n", opened[key], opened[key])
            continue
        going_on, before = count_record(counter, record, lookup.whole)
        if streams is None or record.stream in streams:
            chunk = chunks.setdefault(_key(lookup, record), _Chunk())
            chunk.add(bytes(record.payload), going_on, before)
    open_here = {key: number for key, number in counter.open.items() if number > begun and key in chunks}
    if open_here and segment + 1 < len(lookup.marks):
        _finish(lookup, segment + 1, open_here, chunks)
    numbers: list[int] = []
    for chunk in chunks.values():
        # A line that began in an earlier segment belongs to that segment.
        numbers += [number for number in chunk.matches(expression, more) if number > begun]
    return numbers


def _key(lookup: Lookup, record: Record) -> Key:
    return record.stream, tag_in_tree(record.execution, record.tag) if lookup.whole else record.tag


def _finish(lookup: Lookup, segment: int, open_here: dict[Key, int], chunks: dict[Key, _Chunk]) -> None:
    """Adds the ends of lines that are open at the beginning of `segment`."""
    behind = 0
    for record in lookup.records(segment):
        if record.kind == journal.GAP:
            within = tag_in_tree(record.execution, "") if lookup.whole and record.stream else ""
            for key in [key for key in open_here if not record.stream or key[0] == record.stream]:
                if key[1].startswith(within):
                    del open_here[key]
        else:
            key = _key(lookup, record)
            behind += len(record.payload)
            if (number := open_here.get(key)) is not None:
                data = bytes(record.payload)
                end = data.find(b"\n")
                chunks[key].add(data[: end + 1] if end >= 0 else data, number, number)
                if end >= 0:
                    del open_here[key]
        if not open_here or behind > MOST_BEHIND:
            return
