"""Masking under random secrets, texts, reads and silences, for a tenth of SQUALL_SOAK_MINUTES; else for seconds.

Every case has a seed; that of one which fails is printed, and SQUALL_SOAK_SEED=n runs that case alone.
"""

from __future__ import annotations

import base64
import json
import os
import random
import shlex
import time
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

import pytest
from tests.unit.core.output.test_masking import MASK, checked_story, whole_text_masked

from squall.core.output.mask_forms import MAX_FORM
from squall.core.output.masking import Masker, Patterns

SECONDS = 6.0 * float(os.environ.get("SQUALL_SOAK_MINUTES", "0")) or 2.0
ONLY = os.environ.get("SQUALL_SOAK_SEED")

ALPHABETS = (b"ab", b"ab\n", b"a'\"\\/ b", b"abc%+=", bytes(set(range(256)) - set(b"*")))
ENCODERS: tuple[Callable[[str], str], ...] = (
    quote,
    quote_plus,
    lambda text: quote(text, safe=""),
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: json.dumps(json.dumps(text))[3:-3],
    lambda text: shlex.quote(text + " ")[1:-2],
    lambda text: repr(text)[1:-1],
    lambda text: repr(text.encode())[2:-1],
)


def many_times(check: Callable[[random.Random], None]) -> None:
    """Calls `check` with another source of chance each time, and prints the seed of the one that fails."""
    until = time.monotonic() + SECONDS
    while True:
        seed = int(ONLY or random.getrandbits(48))
        try:
            check(random.Random(seed))
        except BaseException:
            print(f"SQUALL_SOAK_SEED={seed}")
            raise
        if ONLY or time.monotonic() > until:
            return


def secret(chance: random.Random, alphabet: bytes) -> bytes:
    length = chance.choice((4, 5, 7, 8, 9, 15, 16, 17, 30, 90))
    value = bytes(chance.choices(alphabet, k=length))
    if chance.random() < 0.1:
        value = value * (chance.randrange(2 * MAX_FORM) // length + 1) + value[:3]
    return value


def text(chance: random.Random, patterns: Patterns, alphabet: bytes) -> bytes:
    parts = []
    for _ in range(chance.randrange(1, 12)):
        form = chance.choice(patterns.forms)
        start, end = sorted((chance.randrange(len(form) + 1), chance.randrange(len(form) + 1)))
        noise = bytes(chance.choices(alphabet, k=chance.randrange(12)))
        parts.append(chance.choice((form, form[:end], form[start:], form[start:end], noise)))
    return b"".join(parts)


def reads(chance: random.Random, whole: bytes) -> Iterator[bytes]:
    longest = chance.choice((1, 3, 10, 100, 5000))
    at = 0
    while at < len(whole):
        size = chance.randint(0, longest)
        yield whole[at : at + size]
        at += size


def story(chance: random.Random) -> tuple[list[bytes], Patterns, bytes]:
    alphabet = chance.choice(ALPHABETS)
    secrets = [chance.choice((b"abab", b"'b//")), *(secret(chance, alphabet) for _ in range(chance.randrange(5)))]
    patterns = Patterns(secrets)
    return secrets, patterns, text(chance, patterns, alphabet)


@pytest.mark.timeout(0)
def test_every_stream_is_masked_like_its_whole_text() -> None:
    def check(chance: random.Random) -> None:
        _, patterns, whole = story(chance)
        masker = Masker(patterns)
        out = b"".join(masker.feed(chunk) for chunk in [*reads(chance, whole), b"*"])
        assert (out, masker.count) == whole_text_masked(patterns.forms, whole + b"*")

    many_times(check)


@pytest.mark.timeout(0)
def test_no_silence_shows_more_of_a_secret_than_it_may() -> None:
    def check(chance: random.Random) -> None:
        secrets, _, whole = story(chance)
        chunks: list[bytes | None] = []
        for chunk in reads(chance, whole):
            chunks += [chunk, None] if chance.random() < 0.3 else [chunk]
        # The comparison looks at the whole text each time: quadratic, so the long ones stay out.
        if len(whole) * len(chunks) < 100_000:
            checked_story(secrets, chunks)

    many_times(check)


@pytest.mark.timeout(0)
def test_what_encoders_make_of_a_secret_is_masked() -> None:
    def check(chance: random.Random) -> None:
        signs = chance.choice(("abcXYZ019", "aB3 '\"\\/$`&<>%+=-_.~!*()", "aé\n\t\x7f\u2028😀ключ\0"))
        word = "w" + "".join(chance.choices(signs, k=chance.randint(2, 60))) + "d"
        masker = Masker(Patterns([word.encode()]))
        for encode in ENCODERS:
            line = b"<" + encode(word).encode() + b">"
            assert masker.feed(line) + masker.finish() == b"<" + MASK + b">", (word, line)
        before, behind = chance.randbytes(chance.randrange(9)), chance.randbytes(chance.randrange(9))
        for code in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = code(before + word.encode() + behind)
            start, _, end = (masker.feed(encoded) + masker.finish()).partition(MASK)
            assert encoded.startswith(start) and encoded.endswith(end), (word, encoded)
            # The characters that the secret shares with its neighbours, one on either side, are not masked.
            assert len(start) <= -(-8 * len(before) // 6)
            assert len(end) <= -(-8 * len(behind) // 6) + 3

    many_times(check)
