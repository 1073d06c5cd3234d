"""Masking: secrets in a stream of bytes become `********`, even if they are encoded or arrive in pieces.

A pattern is one form of one secret (`mask_forms`). The masker masks every byte of every occurrence of a pattern.
Overlapping occurrences form one span, and each span becomes one mask; spans that only touch stay two.

The masker does not know the next bytes of a stream. So it holds back bytes that may be the start of an occurrence
until the occurrence is complete or has become impossible. `Masker.settle` ends that wait when the stream falls silent.

This module needs only the standard library, like every module that the process with the actions' pipes loads. Regular
expressions try a hundred alternatives at 11 MiB/s, but look for one byte and a set of bytes for each of its followers
at ten to a hundred times that speed. So each pattern has a window: a few of its bytes, of which the first is one of a
handful of anchors. A translation folds all anchors into one byte. If that byte and followers that occur in some window
stand in the text, a dict of the windows names the patterns to compare.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final

from squall.core.access.secret import MASK
from squall.core.output.mask_forms import forms

LET_GO: Final = 8
"""When the stream falls silent, the masker masks a held start of a secret if it has this many bytes or half of the
secret; it lets a shorter one go."""

_MASK: Final = MASK.encode()
_GRAM: Final = 4
"""The bytes of a key in the dict of windows, and of a search: the shortest pattern has as many."""

_WINDOW: Final = 7
"""The bytes of a window. The end of a pattern may cut off all but _GRAM of them."""

_EDGE: Final = 16
"""The number of offsets at either end of a long pattern at which its window may start."""

_HEAD: Final = 16
"""The fewest bytes of a pattern's start that are searched for in the joined bytes of all patterns; shorter starts are
looked up in the sorted patterns."""

Span = tuple[int, int]


def _weigh() -> tuple[float, ...]:
    """Returns how often each byte occurs, roughly: half as in logs, half as in base64, a little as in binary data."""
    usual = {
        100: b" ",
        50: b"etaoinsr",
        20: b"ldcupm0123456789\0",
        12: b"hfgbywv.:-/_=\n",
        8: b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
        6: b",\"'()[]",
        1: bytes(range(256)),
    }
    return tuple(float(sum(weight for weight, signs in usual.items() if byte in signs)) for byte in range(256))


_WEIGHTS: Final = _weigh()


class Patterns:
    """All forms of some secrets, prepared for searching. Immutable: all streams of an execution share it.

    `forms` are the patterns. `too_short` is the number of different secrets that are not masked because they have
    fewer than MIN_LENGTH bytes or only white space.
    """

    __slots__ = ("_ends", "_fold", "_joined", "_line_ends", "_scan", "_secrets", "_windows", "forms", "too_short")

    def __init__(self, secrets: Iterable[bytes]) -> None:
        self._secrets = frozenset(secrets)
        each = [forms(secret) for secret in self._secrets]
        self.too_short = sum(not patterns for patterns in each)
        self.forms = tuple(sorted(frozenset[bytes]().union(*each)))
        if self.forms:
            self._prepare_finding()
        self._prepare_holding()

    def __len__(self) -> int:
        return len(self.forms)

    def with_secrets(self, more: Iterable[bytes]) -> Patterns:
        """Returns the patterns of these secrets and of `more`; itself if none of them is new."""
        secrets = self._secrets.union(more)
        return self if len(secrets) == len(self._secrets) else Patterns(secrets)

    def find(self, text: bytes) -> list[Span]:
        """Returns start and end of every occurrence of every pattern in `text`, in no order."""
        spans: list[Span] = []
        if not self.forms:
            return spans
        windows = self._windows
        for match in self._scan.finditer(text.translate(self._fold) if self._fold else text):
            at = match.start()
            for offset, length, common, patterns in windows.get(text[at : at + _GRAM], ()):
                start = at - offset
                end = start + length
                if start >= 0 and text.startswith(common, start) and (not patterns or text[start:end] in patterns):
                    spans.append((start, end))
        return spans

    def begun(self, text: bytes, due: bool = False) -> int:
        """Returns the length of the longest end of `text` that is the start of a pattern, but not all of it.

        If `due`, only starts that have LET_GO bytes or half of their pattern count.
        """
        # All but the shortest starts end with bytes that occur in a pattern: hardly any text does.
        last = text[-_GRAM:]
        likely = len(last) == _GRAM and last in (self._line_ends if last.endswith(b"\n") else self._joined)
        best = 0
        for length in range(1, min(len(text), _HEAD - 1 if likely else _GRAM - 1) + 1):
            if self._starts_with(text[-length:], due):
                best = length
        return (likely and self._long_start(text)) or best

    def _starts_with(self, head: bytes, due: bool) -> bool:
        easy = not due or len(head) >= LET_GO
        at = bisect_right(self.forms, head)
        while at < len(self.forms) and self.forms[at].startswith(head):
            if easy or 2 * len(head) >= len(self.forms[at]):
                return True
            at += 1
        return False

    def _long_start(self, text: bytes) -> int:
        """Returns the length that `begun` looks for if it is _HEAD or more, else 0."""
        best = 0
        last = text[-_HEAD:]
        at = self._joined.rfind(last) if len(last) == _HEAD else -1
        while at >= 0:
            number = bisect_right(self._ends, at)
            pattern = self.forms[number]
            first = self._ends[number] - len(pattern)
            length = at + _HEAD - first
            begins = best < length < len(pattern) and text.endswith(pattern[:length])
            if begins:
                best = length
            # The search runs backwards: other matches in this pattern are shorter.
            at = self._joined.rfind(last, 0, (first if begins or length <= best else at) + _HEAD - 1)
        return best

    def _prepare_finding(self) -> None:
        anchors = _anchors(self.forms)
        places = _places(self.forms, anchors)
        alike: dict[bytes, dict[tuple[int, int], list[bytes]]] = {}
        for pattern, offset in places.items():
            window = pattern[offset : offset + _GRAM]
            alike.setdefault(window, {}).setdefault((offset, len(pattern)), []).append(pattern)
        self._windows = {
            window: tuple(
                (offset, length, _common_start(same), frozenset(same) if len(same) > 1 else None)
                for (offset, length), same in groups.items()
            )
            for window, groups in alike.items()
        }
        face = min(anchors)
        fold = bytes(face if byte in anchors else byte for byte in range(256))
        self._fold = fold if len(anchors) > 1 else b""
        followers = {_window(pattern, offset).translate(fold)[1:] for pattern, offset in places.items()}
        self._scan = re.compile(_one_of([face]) + _followers(followers))

    def _prepare_holding(self) -> None:
        self._joined = b"".join(self.forms)
        # Most texts end with a newline: for them a look-up in a small set is enough.
        ends = (match.end() for match in re.finditer(b"\n", self._joined))
        self._line_ends = frozenset(self._joined[end - _GRAM : end] for end in ends if end >= _GRAM)
        self._ends = tuple(accumulate(map(len, self.forms)))


def _one_of(signs: Iterable[int]) -> bytes:
    ordered = sorted(set(signs))
    if len(ordered) == 1:
        return _escaped(ordered[0])
    # Runs are written as ranges: the expression is parsed when the action starts.
    parts: list[bytes] = []
    first = last = ordered[0]
    for sign in [*ordered[1:], -1]:
        if sign != last + 1:
            parts.append(_escaped(first) if first == last else _escaped(first) + b"-" + _escaped(last))
            first = sign
        last = sign
    return b"[" + b"".join(parts) + b"]"


def _escaped(sign: int) -> bytes:
    sign_byte = bytes([sign])
    return sign_byte if sign_byte.isalnum() else b"\\x%02x" % sign


def _in_turn(windows: Iterable[bytes]) -> bytes:
    """Returns an expression for one of the windows' first bytes, one of their second bytes, and so on up to the length
    of the shortest window."""
    return b"".join(map(_one_of, zip(*windows, strict=False)))


def _followers(windows: Iterable[bytes]) -> bytes:
    """Returns an expression that looks ahead for all of `windows` (without their anchors), then for the windows that
    share a first byte. Few other bytes match both."""
    by_first: dict[int, list[bytes]] = {}
    for window in windows:
        by_first.setdefault(window[0], []).append(window[1:])
    branches: dict[bytes, list[int]] = {}
    for first, rests in by_first.items():
        branches.setdefault(_in_turn(rests), []).append(first)
    choices = b"|".join([_one_of(first) + rest for rest, first in branches.items()])
    return b"(?=" + _in_turn(windows) + b")(?=" + choices + b")"


def _common_start(patterns: Sequence[bytes]) -> bytes:
    first, last = min(patterns), max(patterns)
    if first == last:
        return first
    return first[: next(place for place, byte in enumerate(first) if last[place] != byte)]


def _window(pattern: bytes, offset: int) -> bytes:
    return pattern[offset : offset + _WINDOW]


def _offsets(pattern: bytes) -> Sequence[int]:
    """Returns the offsets at which the window of a pattern may start: in a long pattern only the first and last few."""
    end = len(pattern) - _GRAM + 1
    return range(end) if end <= 2 * _EDGE else [*range(_EDGE), *range(end - _EDGE, end)]


def _anchors(patterns: Iterable[bytes]) -> frozenset[int]:
    """Chooses few and rare bytes such that a window of every pattern can start with one of them (a greedy set
    cover)."""
    uncovered = [{pattern[offset] for offset in _offsets(pattern)} for pattern in patterns]
    counts = Counter(byte for choice in uncovered for byte in choice)
    anchors: set[int] = set()
    while uncovered:
        best = max(counts, key=lambda byte: (counts[byte] / _WEIGHTS[byte], byte))
        anchors.add(best)
        for choice in uncovered:
            if best in choice:
                counts.subtract(choice)
        uncovered = [choice for choice in uncovered if best not in choice]
    return frozenset(anchors)


def _places(patterns: Sequence[bytes], anchors: frozenset[int]) -> dict[bytes, int]:
    """Chooses the offset of each pattern's window so that the followers of the anchors are few and rare."""
    used: list[set[int]] = [set() for _ in range(_WINDOW)]
    totals = [10.0] * _WINDOW
    crowds: Counter[bytes] = Counter()
    places: dict[bytes, int] = {}

    def cost(window: bytes) -> float:
        news = [
            _WEIGHTS[byte] / total for byte, old, total in zip(window, used, totals, strict=False) if byte not in old
        ]
        # Runs of one byte are common in output, and windows that many patterns share are slow to tell apart.
        return sum(news) + 4.0 ** (2 - len(set(window))) + 0.002 * crowds[window[:_GRAM]]

    for pattern in sorted(patterns, key=len):
        windows = {_window(pattern, offset): offset for offset in _offsets(pattern) if pattern[offset] in anchors}
        best = min(windows, key=cost)
        places[pattern] = windows[best]
        crowds[best[:_GRAM]] += 1
        for place, byte in enumerate(best):
            if byte not in used[place]:
                used[place].add(byte)
                totals[place] += _WEIGHTS[byte]
    return places


class Masker:
    """Masks one stream: takes its bytes as they arrive and returns those that may be stored.

    `count` is the number of masks returned so far. `patterns` may be set at any time: the new ones mask all bytes that
    were not returned yet, held bytes included.
    """

    # `_tail` holds the last bytes of the stream, unmasked, from the first one that may belong to a secret which is not
    # complete. The first `_passed` of them were returned already, as they are or as a mask. `_masked`: a mask ends
    # exactly there, so that an occurrence which overlaps it continues that mask.
    __slots__ = ("_masked", "_passed", "_tail", "count", "patterns")

    def __init__(self, patterns: Patterns) -> None:
        self.patterns = patterns
        self.count = 0
        self._tail = b""
        self._passed = 0
        self._masked = False

    @property
    def held(self) -> int:
        """The number of bytes that are held back now."""
        return len(self._tail) - self._passed

    def feed(self, data: bytes | memoryview) -> bytes:
        """Takes the next bytes of the stream. Returns the bytes that may be stored now, masked: all but an end that may
        be the start of a secret."""
        new = data if isinstance(data, bytes) else bytes(data)
        if not self._tail and not self.patterns.forms:
            return new
        text = self._tail + new if self._tail else new
        spans = self.patterns.find(text)
        begun = self.patterns.begun(text)
        if not (spans or begun or self._tail):
            return new
        return self._mask(text, spans, len(text) - begun, begun)

    def settle(self) -> bytes:
        """Returns the held bytes, for a stream that was silent for so long that they must not wait any more.

        A start of a secret that has LET_GO bytes or half of it is masked, and so will be its rest if it follows (as the
        same occurrence). If the start is shorter, only the rest will be masked.
        """
        if not self.held:
            return b""
        text = self._tail
        spans = self.patterns.find(text)
        due = self.patterns.begun(text, due=True)
        if due:
            spans.append((len(text) - due, len(text)))
        return self._mask(text, spans, len(text), self.patterns.begun(text))

    def finish(self) -> bytes:
        """Ends the stream. Returns the held bytes as `settle` does."""
        rest = self.settle()
        self._tail, self._passed, self._masked = b"", 0, False
        return rest

    def _mask(self, text: bytes, spans: list[Span], until: int, keep: int) -> bytes:
        """Returns `text` up to `until` with its spans masked, without the bytes that were returned before. Holds the
        last `keep` bytes of `text`."""
        at, masked = self._passed, self._masked
        out: list[bytes] = []
        for start, end in sorted(spans):
            if start >= until:
                break
            if end <= at:
                continue
            if start >= at or not masked:
                out.append(text[at:start])
                out.append(_MASK)
                self.count += 1
                masked = True
            at = end
        if at < until:
            out.append(text[at:until])
            at, masked = until, False
        first = len(text) - keep
        self._tail, self._passed, self._masked = text[first:], at - first, masked
        return b"".join(out)
