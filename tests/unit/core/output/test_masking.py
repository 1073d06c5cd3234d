"""Masking a stream as it comes, beside two that look at all of its text again and again."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from squall.core.output.masking import LET_GO, Masker, Patterns

MASK = b"********"
Span = tuple[int, int]


def occurrences(patterns: Iterable[bytes], text: bytes) -> list[Span]:
    """Where any pattern stands in `text`, those included that overlap."""
    found = []
    for pattern in patterns:
        at = text.find(pattern)
        while at >= 0:
            found.append((at, at + len(pattern)))
            at = text.find(pattern, at + 1)
    return sorted(found)


def whole_text_masked(patterns: Iterable[bytes], text: bytes) -> tuple[bytes, int]:
    """`text` with each span of overlapping occurrences replaced by a mask, and how many those are."""
    merged: list[list[int]] = []
    for start, end in occurrences(patterns, text):
        if merged and start < merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    borders = [0, *(border for span in merged for border in span), len(text)]
    plain = [text[borders[index] : borders[index + 1]] for index in range(0, len(borders), 2)]
    return MASK.join(plain), len(merged)


def starts(patterns: Iterable[bytes], text: bytes) -> list[Span]:
    """The ends of `text` with which a pattern begins, but not ends: their length, and the length of the pattern."""
    return [
        (length, len(pattern))
        for pattern in patterns
        for length in range(1, min(len(pattern), len(text) + 1))
        if text.endswith(pattern[:length])
    ]


class WholeTextMasker:
    """What a Masker is to do, done slowly: forgets nothing, and says of each byte of the text what became of it."""

    def __init__(self, patterns: Sequence[bytes]) -> None:
        self.patterns = patterns
        self.text = b""
        self.fates: list[int] = []  # of each byte that was decided: the number of its mask, 0 for none
        self.forced: list[Span] = []  # what settling has masked
        self.masks = 0

    def feed(self, data: bytes) -> None:
        self.text += data
        held = max([length for length, _ in starts(self.patterns, self.text)], default=0)
        self._decide(len(self.text) - held)

    def settle(self) -> None:
        due = [
            length
            for length, whole in starts(self.patterns, self.text)
            if length >= LET_GO or 2 * length >= whole  # neither shorter than 8 bytes nor than half
        ]
        if due and len(self.fates) < len(self.text):
            self.forced.append((len(self.text) - max(due), len(self.text)))
        self._decide(len(self.text))

    def _decide(self, until: int) -> None:
        for start, end in sorted([*occurrences(self.patterns, self.text), *self.forced]):
            known = len(self.fates)
            if start >= until or end <= known:
                continue
            if start < known and self.fates[-1]:
                fate = self.fates[-1]
            else:
                fate = self.masks = self.masks + 1
                self.fates += [0] * (start - known)
            self.fates += [fate] * (end - len(self.fates))
        self.fates += [0] * (until - len(self.fates))

    @property
    def given(self) -> bytes:
        """Everything that is given out."""
        out = []
        for index, fate in enumerate(self.fates):
            if not fate:
                out.append(self.text[index : index + 1])
            elif not index or self.fates[index - 1] != fate:
                out.append(MASK)
        return b"".join(out)


def masked(secrets: Iterable[bytes], *chunks: bytes) -> bytes:
    masker = Masker(Patterns(secrets))
    return b"".join([*map(masker.feed, chunks), masker.finish()])


def cut(text: bytes, places: Iterable[int]) -> list[bytes]:
    borders = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[start:end] for start, end in pairwise(borders)]


# Two signs only make secrets overlap, begin inside of each other and repeat themselves in every way.
FEW = st.text("ab", min_size=4, max_size=14).map(str.encode)
ODD = st.lists(st.sampled_from([b"a", b"b", b"\n", b"\0", b"\xff", b"'", b"/", b"\xc3\xa9"]), min_size=4, max_size=14)
LONG = st.builds(lambda head, times, tail: head * times + tail, FEW, st.integers(1, 200), FEW)
SECRETS = st.lists(FEW | ODD.map(b"".join) | LONG, min_size=1, max_size=4)


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[bytes], list[bytes]]:
    """Secrets, and the chunks of a text made of noise, of their forms and of pieces of them."""
    secrets = draw(SECRETS)
    patterns = Patterns(secrets).forms
    assume(patterns)
    part = st.one_of(
        st.text("abx", max_size=6).map(str.encode),
        st.sampled_from(patterns),
        st.builds(lambda form, end: form[: end % len(form)], st.sampled_from(patterns), st.integers(0, 2000)),
        st.builds(lambda form, start: form[start % len(form) :], st.sampled_from(patterns), st.integers(0, 2000)),
    )
    text = b"".join(draw(st.lists(part, max_size=8)))
    return secrets, cut(text, draw(st.lists(st.integers(0, 10_000), max_size=10)))


@settings(max_examples=200)
@given(stories())
@example(([b"abcdefgh", b"cdef"], [b"xabcd", b"ef", b"gx"]))
@example(([b"aaaa"], [b"aa", b"aaaa", b"a"]))
@example(([b"abab", b"baba", b"ababababx"], [b"ababab", b"abay"]))
def test_a_stream_in_pieces_is_masked_like_its_whole_text(story: tuple[list[bytes], list[bytes]]) -> None:
    secrets, chunks = story
    patterns = Patterns(secrets)
    masker = Masker(patterns)
    out = b"".join(masker.feed(chunk) for chunk in [*chunks, b"."])
    assert masker.held == 0
    assert (out, masker.count) == whole_text_masked(patterns.forms, b"".join(chunks) + b".")


def checked_story(secrets: list[bytes], chunks: Sequence[bytes | None]) -> None:
    """Feeds the chunks (None: silence) to a Masker and to one that looks at the whole text, and checks what comes."""
    patterns = Patterns(secrets)
    masker, whole = Masker(patterns), WholeTextMasker(patterns.forms)
    out = b""
    for chunk in chunks:
        if chunk is None:
            out += masker.settle()
            whole.settle()
            assert masker.held == 0
        else:
            out += masker.feed(chunk)
            whole.feed(chunk)
        assert (out, masker.count) == (whole.given, whole.masks)
        assert masker.held == max(0, len(whole.text) - len(whole.fates))
    out += masker.finish()
    whole.settle()
    assert (out, masker.count, masker.held) == (whole.given, whole.masks, 0)
    assert out.count(MASK) == masker.count
    assert not any(form in out for form in patterns.forms)
    secret: set[int] = set()
    for start, end in occurrences(patterns.forms, whole.text):
        may_be_plain = min(LET_GO - 1, (end - start - 1) // 2)
        assert all(whole.fates[start + may_be_plain : end])
        secret.update(range(start, end))
    for start, end in whole.forced:
        secret.update(range(start, end))
    assert not any(fate for place, fate in enumerate(whole.fates) if place not in secret)


@settings(max_examples=200)
@given(stories(), st.lists(st.integers(0, 20), max_size=6))
def test_silence_lets_go_of_short_starts_only_and_loses_nothing(
    story: tuple[list[bytes], list[bytes]], silences: list[int]
) -> None:
    secrets, pieces = story
    chunks: list[bytes | None] = [*pieces]
    for place in silences:
        chunks.insert(place % (len(chunks) + 1), None)
    checked_story(secrets, chunks)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16])
def test_a_secret_is_masked_however_the_reads_fall(size: int) -> None:
    text = b"login with correct-horse-battery, then correct-horse!\n" * 3
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    expected = b"login with ********, then correct-horse!\n" * 3
    assert masked([b"correct-horse-battery"], *pieces) == expected


@pytest.mark.parametrize("secret", [b"!bc\nsecond line", b"first line\nsecond line"])
def test_a_secret_of_lines_is_held_back_at_the_end_of_a_line(secret: bytes) -> None:
    head, newline, tail = secret.partition(b"\n")
    masker = Masker(Patterns([secret]))
    assert masker.feed(b"> " + head + newline) == b"> "
    assert masker.held == len(head) + 1
    assert masker.feed(tail + b" <") == MASK + b" <"
    assert masker.count == 1


def test_without_secrets_data_passes_uncopied() -> None:
    data = b"x" * 1000
    masker = Masker(Patterns([]))
    assert masker.feed(data) is data
    assert (masker.held, masker.settle(), masker.finish()) == (0, b"", b"")


def test_data_without_a_trace_of_a_secret_passes_uncopied() -> None:
    data = b"nothing to see here\n" * 100
    assert Masker(Patterns([b"hunter2hunter2"])).feed(data) is data


def test_a_memoryview_may_be_fed_and_used_again_at_once() -> None:
    buffer = bytearray(b"the token: 0123abcd0123")
    masker = Masker(Patterns([b"0123abcd0123abcd"]))
    out = masker.feed(memoryview(buffer))
    buffer[:] = bytes(len(buffer))
    assert out + masker.feed(b"abcd!") == b"the token: ********!"


def test_overlapping_secrets_become_one_mask_and_touching_ones_two() -> None:
    assert masked([b"abcdef", b"efghij"], b"<abcdefghij>") == b"<********>"
    assert masked([b"abcdef", b"ghijkl"], b"<abcdefghijkl>") == b"<****************>"


def test_a_short_secret_inside_of_a_long_one_that_breaks_off_is_masked_alone() -> None:
    secrets = [b"user:pa55:host", b"pa55"]
    assert masked(secrets, b"user:pa55:host\n") == b"********\n"
    assert masked(secrets, b"user:pa55:", b"hx\n") == b"user:********:hx\n"


def test_values_below_four_bytes_and_white_space_are_left_out_and_counted() -> None:
    patterns = Patterns([b"abc", b"abc", b"x", b"     ", b"abcd"])
    assert patterns.too_short == 3
    assert masked([b"abc", b"    "], b"abc    abc") == b"abc    abc"
    assert b"abcd" in patterns.forms


def test_a_short_start_is_let_go_in_silence_and_its_rest_is_masked() -> None:
    masker = Masker(Patterns([b"correct-horse-battery"]))
    assert masker.feed(b"> correct") == b"> "
    assert masker.held == 7
    assert masker.settle() == b"correct"
    assert (masker.held, masker.count) == (0, 0)
    assert masker.feed(b"-horse-battery <") == b"******** <"
    assert masker.count == 1


def test_a_long_start_is_masked_in_silence_and_its_rest_swallowed() -> None:
    masker = Masker(Patterns([b"correct-horse-battery"]))
    assert masker.feed(b"> correct-") == b"> "
    assert masker.settle() == MASK
    assert masker.settle() == b""
    assert masker.feed(b"horse-") == b""
    assert masker.settle() == b""
    assert masker.feed(b"battery <") == b" <"
    assert masker.count == 1


def test_a_long_start_stays_masked_when_something_else_follows() -> None:
    masker = Masker(Patterns([b"correct-horse-battery"]))
    assert masker.feed(b"correct-hor") + masker.settle() + masker.feed(b"izon correct") == MASK + b"izon "
    assert masker.finish() == b"correct"


def test_half_of_a_short_secret_is_masked_in_silence() -> None:
    masker = Masker(Patterns([b"hunter2"]))
    assert masker.feed(b"hun") + masker.settle() == b"hun"
    assert masker.feed(b"t") + masker.settle() == MASK
    assert masker.feed(b"er2!") == b"!"


def test_a_start_let_go_twice_grows_until_it_is_masked() -> None:
    masker = Masker(Patterns([b"correct-horse-battery"]))
    seen = b""
    for sign in b"correct-horse-battery":
        seen += masker.feed(bytes([sign])) + masker.settle()
    assert (seen, masker.count) == (b"correct" + MASK, 1)


def test_the_end_of_a_stream_is_treated_like_silence() -> None:
    assert masked([b"correct-horse-battery"], b"a correct") == b"a correct"
    assert masked([b"correct-horse-battery"], b"a correct-horse") == b"a ********"


def test_a_masker_begins_anew_after_the_end() -> None:
    masker = Masker(Patterns([b"correct-horse-battery"]))
    assert masker.feed(b"correct") + masker.finish() == b"correct"
    assert masker.feed(b"-horse-battery.") == b"-horse-battery."


def test_a_secret_learned_while_running_masks_what_is_held_too() -> None:
    patterns = Patterns([b"0123456789"])
    masker = Masker(patterns)
    assert masker.feed(b"before: 56ab 01234") == b"before: 56ab "
    masker.patterns = patterns.with_secrets([b"234567ab"])
    assert masker.feed(b"567ab, 0123456789") == b"01********, ********"
    masker.patterns = Patterns([])
    assert masker.feed(b" 0123456789") == b" 0123456789"


def test_more_secrets_give_new_patterns_and_known_ones_the_same() -> None:
    first = Patterns([b"first-secret", b"abc"])
    both = first.with_secrets([b"second-secret", b"xyz"])
    assert both.forms == Patterns([b"first-secret", b"second-secret"]).forms
    assert (first.too_short, both.too_short) == (1, 2)
    assert both.with_secrets([b"first-secret", b"abc"]) is both
    assert len(both) == len(both.forms) > len(first)


def test_the_pieces_of_a_long_secret_are_one_mask() -> None:
    secret = b"".join(b"%d," % number for number in range(2000))
    patterns = Patterns([secret])
    masker = Masker(patterns)
    out = b"".join(masker.feed(chunk) for chunk in cut(b"<" + secret + b">", range(0, 10_000, 700)))
    assert (out, masker.count) == (b"<********>", 1)


def test_a_long_secret_that_breaks_off_leaves_less_than_a_piece() -> None:
    secret = b"".join(b"%d," % number for number in range(2000))
    out = masked([secret], secret[:5000] + b"!")
    assert out.startswith(MASK)
    assert len(out) < 1100


@pytest.mark.parametrize("size", [100, 32 * 1024])
@pytest.mark.parametrize(
    ("secrets", "unit"),
    [
        ([b"a" * 1000 + b"b"], b"a"),
        ([b"abcd" * 250 + b"e"], b"abcd"),
        ([b"a" * times + b"b" for times in range(4, 100)], b"a"),
        ([b"b" * times for times in range(4, 100)], b"a"),
        ([b"\n".join(b"key number %d: value" % number for number in range(300))], b"key number 99: "),
    ],
)
def test_repetition_costs_no_quadratic_time(secrets: list[bytes], unit: bytes, size: int) -> None:
    text = unit * ((1 << 20) // len(unit)) if size > 100 else unit * ((1 << 17) // len(unit))
    masker = Masker(Patterns(secrets))
    began = time.process_time()
    for at in range(0, len(text), size):
        masker.feed(text[at : at + size])
    assert time.process_time() - began < 1
