"""The forms that a secret takes in output: as it is, encoded, escaped, quoted, line by line.

This module needs only the standard library, and little of it: the process that holds the actions' pipes runs without
site-packages. The forms that other programs make follow their rules (RFC 3986, RFC 4648, RFC 8259, POSIX quoting).
"""

from __future__ import annotations

import re
from base64 import b32encode
from binascii import b2a_base64
from collections.abc import Iterable, Iterator
from typing import Final

MIN_LENGTH: Final = 4
"""The bytes of the shortest value that is masked. A shorter one occurs by chance all over the output."""

MAX_FORM: Final = 1024
"""The bytes of the longest form. A longer form is split into pieces of this size: so the masker holds back little
while the secret is being printed, and masks a piece that stands alone too."""

OVERLAP: Final = 16
"""The bytes that neighbouring pieces share. So a long secret becomes one masked span, and its next piece begins before
the last one ends."""

_WRAPS: Final = (64, 76)
_HEX_WRAPS: Final = (60, 64)
_SHORTEST_WRAP: Final = 8

_LONG: Final = 4096
"""The bytes of the longest secret that is masked in every form: a long one has many pieces in each form, and preparing
all of them would delay the start of the action."""

_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_ENCODED_IN_URLS: Final = (
    re.compile(rb"[^A-Za-z0-9._~-]"),  # RFC 3986, and Python's quote(safe="")
    re.compile(rb"[^A-Za-z0-9._~/-]"),  # Python's quote
    re.compile(rb"[^A-Za-z0-9._~!*'()-]"),  # JavaScript's encodeURIComponent
    re.compile(rb"[^A-Za-z0-9._*-]"),  # HTML forms, Java
)
_SPECIAL_IN_SHELLS: Final = re.compile(rb"[^A-Za-z0-9_@%+=:,./\x80-\xff-]")
_SPECIAL_IN_DOUBLE_QUOTES: Final = re.compile(rb'[\\"$`]')
_SPECIAL_IN_ANSI_QUOTES: Final = re.compile(rb"[\\']")
_C_ESCAPES: Final = {b"\n": b"\\n", b"\r": b"\\r", b"\t": b"\\t"}
_ESCAPED_IN_JSON: Final = {False: re.compile(r'[\x00-\x1f"\\]'), True: re.compile(r'[^ -~]|["\\]')}
_ESCAPED_IN_HTML: Final = re.compile("[<>&]")
_JSON_ESCAPES: Final = {
    "\\": "\\\\",
    '"': '\\"',
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
}


def forms(secret: bytes) -> frozenset[bytes]:
    """Returns every form of `secret` that is masked, each MIN_LENGTH to MAX_FORM bytes long; none if it is too short.

    White space around the secret is no part of any form: the secret `name\\n` masks every `name`, and the masker does
    not hold back the ends of lines for it. A secret of white space only has no forms.
    """
    whole = secret.strip()
    if not whole or len(secret) < MIN_LENGTH:
        return frozenset()
    if len(whole) < MIN_LENGTH:
        whole = secret
    every = {whole, *_base64(whole), *_percent_encoded(whole), *_json(whole), *_shell_quoted(whole), *_repr(whole)}
    every.update(_hex(whole), _base32(whole), _base64_twice(whole), _utf16(whole))
    lines = {line.strip() for line in whole.replace(b"\r", b"\n").split(b"\n")}
    if len(lines) > 1:
        every.update(*({line, *_json(line)} for line in lines if len(line) >= MIN_LENGTH))
    return frozenset(piece for form in every if len(form) >= MIN_LENGTH for piece in _pieces(form))


def _pieces(form: bytes) -> Iterator[bytes]:
    last = len(form) - MAX_FORM
    if last <= 0:
        yield form
        return
    for start in range(0, last, MAX_FORM - OVERLAP):
        yield form[start : start + MAX_FORM]
    yield form[last:]


def _base64(secret: bytes) -> Iterator[bytes]:
    """Yields the base64 characters that hold bits of the secret only, for each number of bytes before it modulo 3."""
    for before in range(3):
        own = _base64_behind(before, secret)
        yield own
        yield own.translate(_URL_SAFE)
        if not before:
            # `base64` and `openssl` break their output into lines, and their input mostly starts with the secret.
            yield from _wrapped(own, _WRAPS)


def _base64_behind(before: int, secret: bytes) -> bytes:
    encoded = b2a_base64(bytes(before) + secret, newline=False)
    return encoded[-(-8 * before // 6) : 8 * (before + len(secret)) // 6]


def _base64_twice(secret: bytes) -> Iterator[bytes]:
    """Yields base64 of base64: the characters that hold bits of the secret only, for all numbers of bytes before."""
    if len(secret) > _LONG:
        return
    for inner in range(3):
        once = _base64_behind(inner, secret)
        for form in {once, once.translate(_URL_SAFE)}:
            for outer in range(3):
                twice = _base64_behind(outer, form)
                yield twice
                yield twice.translate(_URL_SAFE)


def _base32(secret: bytes) -> Iterator[bytes]:
    """Yields the base32 characters that hold bits of the secret only, for each number of bytes before it modulo 5."""
    for before in range(5 if len(secret) <= _LONG else 1):
        yield b32encode(bytes(before) + secret)[-(-8 * before // 5) : 8 * (before + len(secret)) // 5]


def _hex(secret: bytes) -> Iterator[bytes]:
    """Yields the secret in hex, in lower and upper case: without a separator, also broken into lines as `xxd -p` does;
    with the separators of dumps, as escapes, and percent-encoded as a whole."""
    lower, upper = secret.hex().encode(), secret.hex().upper().encode()
    yield from (lower, upper, *_wrapped(lower, _HEX_WRAPS))
    if len(secret) <= _LONG:
        for separator in (b" ", b":", b"%", b"\\x"):
            start = separator if separator in (b"%", b"\\x") else b""
            yield start + secret.hex(b"\0").encode().replace(b"\0", separator)
            if separator in (b":", b"%"):
                yield start + secret.hex(b"\0").upper().encode().replace(b"\0", separator)


def _utf16(secret: bytes) -> Iterator[bytes]:
    """Yields the secret in UTF-16 of both byte orders, as programs of Windows print it, and base64 of it, as PowerShell
    takes commands. Nothing if it is not UTF-8."""
    try:
        text = secret.decode()
    except UnicodeDecodeError:
        return
    yield text.encode("utf-16-be")
    wide = text.encode("utf-16-le")
    yield wide
    if len(secret) <= _LONG:
        yield from (_base64_behind(before, wide) for before in range(3))


def _wrapped(form: bytes, wraps: Iterable[int]) -> Iterator[bytes]:
    """Yields the lines of a form that is broken at each of `wraps` characters, if they are several."""
    for wrap in wraps:
        lines = [form[start : start + wrap] for start in range(0, len(form), wrap)]
        if len(lines) > 1:
            yield from (line for line in lines if len(line) >= _SHORTEST_WRAP)


def _percent_encoded(secret: bytes) -> Iterator[bytes]:
    for encoded in _ENCODED_IN_URLS:
        for digits in (b"%%%02X", b"%%%02x"):
            text = encoded.sub(lambda match, digits=digits: digits % ord(match[0]), secret)  # type: ignore[misc]
            yield text
            yield text.replace(b"%20", b"+")


def _json(secret: bytes) -> Iterator[bytes]:
    """Yields the secret as JSON encoders write it: with or without escapes for other characters than ASCII, for `/` and
    for the signs of HTML, and as a JSON text inside of a JSON text. Bytes that are not UTF-8 stay, or become lone
    surrogates."""
    text = secret.decode("utf-8", "surrogateescape")
    for only_ascii, digits in ((False, "x"), (True, "x"), (True, "X")):
        once = _json_escaped(text, only_ascii, digits)
        html = _ESCAPED_IN_HTML.sub(lambda match: f"\\u{ord(match[0]):04x}", once)
        for variant in (once, once.replace("/", "\\/"), html, _json_escaped(once, only_ascii, digits)):
            yield variant.encode("utf-8", "surrogateescape")


def _json_escaped(text: str, only_ascii: bool, digits: str) -> str:
    def escape(match: re.Match[str]) -> str:
        code = ord(match[0])
        if code > 0xFFFF:
            high, low = divmod(code - 0x10000, 0x400)
            return f"\\u{0xD800 + high:04{digits}}\\u{0xDC00 + low:04{digits}}"
        return _JSON_ESCAPES.get(match[0]) or f"\\u{code:04{digits}}"

    return _ESCAPED_IN_JSON[only_ascii].sub(escape, text)


def _shell_quoted(secret: bytes) -> Iterator[bytes]:
    """Yields the secret as shells quote it: in single quotes (with both ways to write one inside), in double quotes,
    with backslashes, and in `$'...'`."""
    yield secret.replace(b"'", b"'\"'\"'")
    yield secret.replace(b"'", b"'\\''")
    yield _SPECIAL_IN_DOUBLE_QUOTES.sub(rb"\\\g<0>", secret)
    yield _SPECIAL_IN_SHELLS.sub(rb"\\\g<0>", secret)
    ansi = _SPECIAL_IN_ANSI_QUOTES.sub(rb"\\\g<0>", secret)
    for sign, escape in _C_ESCAPES.items():
        ansi = ansi.replace(sign, escape)
    yield ansi


def _repr(secret: bytes) -> Iterator[bytes]:
    """Yields the secret as Python's `repr` writes it, as text and as bytes, in either kind of quotes."""
    text = secret.decode("utf-8", "surrogateescape")
    # repr() chooses its quotes by the quotes in the text: if both kinds follow the secret, it escapes `'`.
    for form in (repr(text)[1:-1], repr(text + "\"'")[1:-4], repr(secret)[2:-1], repr(secret + b"\"'")[2:-4]):
        yield form.encode("utf-8", "surrogateescape")
