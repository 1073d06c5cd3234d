"""The forms of a secret, beside what the programs make of it that write it so."""

from __future__ import annotations

import ast
import base64
import json
import shlex
import shutil
import subprocess
from itertools import pairwise
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squall.core.output.mask_forms import MAX_FORM, MIN_LENGTH, OVERLAP, forms

# Encoders are asked about the value alone, and white space around it is no part of a form.
WORDS = st.text(min_size=4, max_size=40).map(str.strip).filter(lambda text: len(text.strip().encode()) >= MIN_LENGTH)
WORDS = WORDS.filter(lambda text: text.encode().strip() == text.encode())
VALUES = st.binary(min_size=4, max_size=60).filter(lambda value: len(value.strip()) >= MIN_LENGTH)
SPECIAL = "p@ss w'rd/\"$(x)\\ü€😀<&>\n2nd %+~*!"


@given(VALUES, st.binary(max_size=5), st.binary(max_size=5))
def test_base64_is_known_wherever_the_secret_stands_in_it(secret: bytes, before: bytes, behind: bytes) -> None:
    known = forms(secret)
    whole = secret.strip()
    skipped = len(before) + secret.index(whole)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        encoded = encode(before + secret + behind)
        own = encoded[-(-8 * skipped // 6) : 8 * (skipped + len(whole)) // 6]
        assert own in known


@pytest.mark.parametrize("end", [b"", b"\n", b"and more"])
def test_the_full_lines_of_wrapped_base64_are_known(end: bytes) -> None:
    secret = bytes(range(256))
    known = forms(secret)
    lines = base64.encodebytes(secret + end).splitlines()
    assert len(lines) > 4
    assert known.issuperset(lines[:4])


@given(WORDS)
def test_percent_encoding_is_known_in_every_dialect(text: str) -> None:
    known = forms(text.encode())
    javascript = quote(text, safe="!*'()")
    java = quote_plus(text, safe="*").replace("~", "%7E")
    for encoded in (quote(text), quote(text, safe=""), quote_plus(text), javascript, java):
        assert encoded.encode() in known


def _own(encoded: bytes, before: int, length: int, bits: int) -> bytes:
    """The characters of `bits` bits each that hold bits of `length` bytes behind `before` bytes only."""
    return encoded[-(-8 * before // bits) : 8 * (before + length) // bits]


@given(VALUES, st.binary(max_size=6), st.binary(max_size=6))
def test_base32_is_known_wherever_the_secret_stands_in_it(secret: bytes, before: bytes, behind: bytes) -> None:
    whole = secret.strip()
    skipped = len(before) + secret.index(whole)
    assert _own(base64.b32encode(before + secret + behind), skipped, len(whole), 5) in forms(secret)


@given(VALUES, st.binary(max_size=3), st.binary(max_size=3), st.binary(max_size=3))
def test_base64_of_base64_is_known(secret: bytes, before: bytes, behind: bytes, more: bytes) -> None:
    whole = secret.strip()
    skipped = len(before) + secret.index(whole)
    for inner in (base64.b64encode, base64.urlsafe_b64encode):
        once = inner(before + secret + behind)
        own = _own(once, skipped, len(whole), 6)
        at = len(more) + -(-8 * skipped // 6)
        for outer in (base64.b64encode, base64.urlsafe_b64encode):
            twice = _own(outer(more + once), at, len(own), 6)
            assert len(twice) < MIN_LENGTH or twice in forms(secret)


@given(VALUES)
def test_hex_is_known_as_programs_write_it(secret: bytes) -> None:
    whole, known = secret.strip(), forms(secret)
    for text in (whole.hex(), whole.hex().upper(), whole.hex(" "), whole.hex(":"), whole.hex(":").upper()):
        assert text.encode() in known
    assert "".join(f"\\x{byte:02x}" for byte in whole).encode() in known
    assert "".join(f"%{byte:02X}" for byte in whole).encode() in known
    assert "".join(f"%{byte:02x}" for byte in whole).encode() in known


def test_the_full_lines_of_a_hex_dump_are_known() -> None:
    secret = bytes(range(33, 200))
    lines = [secret.hex()[at : at + 60].encode() for at in range(0, 2 * len(secret), 60)]
    assert forms(secret).issuperset(lines[:-1])


@given(WORDS)
def test_utf16_and_the_commands_of_powershell_are_known(text: str) -> None:
    known = forms(text.encode())
    assert known.issuperset({text.encode("utf-16-le"), text.encode("utf-16-be")})
    command = base64.b64encode(f"Connect {text} ".encode("utf-16-le"))
    skipped, length = len("Connect ".encode("utf-16-le")), len(text.encode("utf-16-le"))
    assert _own(command, skipped, length, 6) in known


@pytest.mark.parametrize("secret", [b"ab", b"abc", b"a", b""])
def test_a_secret_that_is_too_short_has_no_encoded_form_either(secret: bytes) -> None:
    assert forms(secret) == frozenset()
    assert min(map(len, forms(b"abcd"))) >= MIN_LENGTH


def test_a_very_long_secret_has_a_bounded_number_of_forms() -> None:
    secret = bytes(33 + number * 7 % 90 for number in range(64 << 10))
    assert len(forms(secret)) < 10_000
    assert len(forms(secret[:4096])) < 1_500


def test_percent_encoding_is_known_in_lower_case() -> None:
    known = forms("schlüssel/wort :-)".encode())
    assert b"schl%c3%bcssel%2fwort%20%3a-%29" in known
    assert b"schl%c3%bcssel/wort+%3a-%29" in known


@given(WORDS)
def test_json_is_known_with_and_without_ascii_escapes(text: str) -> None:
    known = forms(text.encode())
    for only_ascii in (True, False):
        once = json.dumps(text, ensure_ascii=only_ascii)[1:-1]
        twice = json.dumps(once, ensure_ascii=only_ascii)[1:-1]
        for shown in (once, once.replace("/", "\\/"), twice):
            assert shown.encode() in known


def test_json_is_known_as_other_languages_write_it() -> None:
    known = forms("a<b>&c/é😀".encode())
    assert "a\\u003cb\\u003e\\u0026c/é😀".encode() in known
    assert b"a<b>&c/\\u00E9\\uD83D\\uDE00" in known
    assert b"a<b>&c\\/\\u00e9\\ud83d\\ude00" in known


def test_bytes_that_are_no_text_have_forms_too() -> None:
    known = forms(b"\xff\xfe'\"ab\x00")
    assert b"%FF%FE%27%22ab%00" in known
    assert b"\xff\xfe'\\\"ab\\u0000" in known
    assert b"\\xff\\xfe\\'\"ab\\x00" in known


@given(WORDS)
def test_shell_quotes_are_known(text: str) -> None:
    known = forms(text.encode())
    single = shlex.quote(text + " ")[1:-2]
    assert single.encode() in known
    assert single.replace("'\"'\"'", "'\\''").encode() in known


@pytest.mark.skipif(not shutil.which("bash"), reason="bash says how it quotes")
@pytest.mark.parametrize("text", ["it's", 'a b$c`d`"e\\f', "two\nlines, it's\ttrue", "no-need:at/all"])
def test_what_bash_prints_when_it_traces_or_quotes_is_known(text: str) -> None:
    known = forms(text.encode())
    traced = subprocess.run(["bash", "-c", 'set -x; : "$0"', text], capture_output=True, check=True).stderr
    quoted = subprocess.run(["bash", "-c", 'printf %q "$0"', text], capture_output=True, check=True).stdout
    for shown in (traced.removeprefix(b"+ : ").rstrip(b"\n"), quoted):
        assert any(form in shown and len(shown) - len(form) <= 3 for form in known), shown


def test_double_quotes_give_the_secret_back_to_a_shell() -> None:
    secret = 'a"b$c`d\\e'
    assert any(
        shlex.split(f'"{form.decode()}"')[0].replace("\\$", "$").replace("\\`", "`") == secret
        for form in forms(secret.encode())
        if form.startswith(b'a\\"b\\$c')
    )


@given(WORDS)
def test_pythons_repr_is_known_in_either_kind_of_quotes(text: str) -> None:
    known = forms(text.encode())
    assert repr(text)[1:-1].encode() in known
    assert repr(text.encode())[2:-1].encode() in known
    in_a_list = repr([text + "\"'"])[2:-5]
    assert ast.literal_eval("'" + in_a_list + "'") == text
    assert in_a_list.encode() in known


def test_each_line_is_known_without_its_indentation_and_line_end() -> None:
    known = forms(b'first line\r\n  "second": 1,\r\nabc\r\n\r\nlast line\n')
    assert {b"first line", b'"second": 1,', b'\\"second\\": 1,', b"last line"} <= known
    assert not known & {b"abc", b"", b"first line\r"}


@given(st.binary(max_size=200))
def test_no_form_is_too_short_or_too_long(secret: bytes) -> None:
    assert all(MIN_LENGTH <= len(form) <= MAX_FORM for form in forms(secret * 20))


@pytest.mark.parametrize("secret", [b"", b"abc", b"\n\n\n\n\n", b"    \t"])
def test_a_value_that_is_too_short_or_blank_has_no_forms(secret: bytes) -> None:
    assert forms(secret) == frozenset()


def test_white_space_around_a_secret_is_no_part_of_it() -> None:
    assert forms(b" \n hunter2\n") == forms(b"hunter2")
    assert b" abc" in forms(b" abc")


@pytest.mark.parametrize("length", [MAX_FORM, MAX_FORM + 1, 5000])
def test_a_long_secret_is_known_by_pieces_that_overlap(length: int) -> None:
    secret = b"".join(b"%d," % number for number in range(2000))[: length - 1] + b"."
    pieces = sorted((secret.index(form), len(form)) for form in forms(secret) if form in secret)
    assert pieces[0][0] == 0
    assert sum(pieces[-1]) == length
    for (start, size), (following, _) in pairwise(pieces):
        assert size == MAX_FORM
        assert following <= start + size - OVERLAP


def test_a_plain_word_has_few_forms() -> None:
    assert len(forms(b"correcthorsebatterystaple")) <= 32


def test_special_signs_give_a_form_for_every_way_to_write_them() -> None:
    assert len(forms(SPECIAL.encode())) > 30
