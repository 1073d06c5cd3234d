"""The cipher of the datastore's secret values."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squall.adapters.cipher import KeyFileCipher
from squall.core.errors import ConfigError, InvalidError

# Made by hand with AES-256-CBC and HMAC-SHA1 from `openssl`: key bytes 0 to 31 for AES, 32 to 63 for the HMAC, and a
# vector of sixteen zero bytes; the text is `hello`.
KEY_FILE = (
    '{"hmacKey": {"hmacKeyString": "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8", "size": 256}, '
    '"aesKeyString": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "mode": "CBC", "size": 256}'
)
HELLO = (
    "30303030300000000000000000000000000000000091684487C34C3456EB4E901CEF884A1E180A0162ED8836E9E44BA2106B7D485C81B22682"
)


@pytest.fixture
def cipher(tmp_path: Path) -> KeyFileCipher:
    return KeyFileCipher(tmp_path / "key.json", make=True)


def test_a_key_file_of_stackstorms_form_opens_what_was_encrypted_under_it(tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text(KEY_FILE)
    cipher = KeyFileCipher(tmp_path / "key.json", make=False)
    assert cipher.decrypt(HELLO) == "hello"
    assert cipher.decrypt(cipher.encrypt("hello")) == "hello"


@given(text=st.text(max_size=200))
def test_any_text_comes_back(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    cipher = KeyFileCipher(tmp_path_factory.getbasetemp() / "any.json", make=True)
    assert cipher.decrypt(cipher.encrypt(text)) == text


def test_the_same_text_is_never_encrypted_alike(cipher: KeyFileCipher) -> None:
    first, second = cipher.encrypt("same"), cipher.encrypt("same")
    assert first != second
    assert first == first.upper()


def test_a_made_key_file_is_for_its_user_only(tmp_path: Path, cipher: KeyFileCipher) -> None:
    cipher.encrypt("x")
    assert stat.S_IMODE((tmp_path / "key.json").stat().st_mode) == 0o600
    assert KeyFileCipher(tmp_path / "key.json", make=False).decrypt(cipher.encrypt("again")) == "again"


@pytest.mark.parametrize("end", ["00", "zz"])
@pytest.mark.parametrize("start", ["00", ""])
def test_what_was_changed_or_is_no_ciphertext_is_refused(cipher: KeyFileCipher, start: str, end: str) -> None:
    found = cipher.encrypt("text")
    for changed in (start + found[2:], found[:-2] + ("11" if found.endswith("00") else end), ""):
        with pytest.raises(InvalidError, match="key file"):
            cipher.decrypt(changed)


@pytest.mark.parametrize("body", [None, "", "{}", KEY_FILE.replace("CBC", "GCM")])
def test_a_key_file_that_cannot_be_used_is_named(tmp_path: Path, body: str | None) -> None:
    path = tmp_path / "key.json"
    if body is not None:
        path.write_text(body)
    with pytest.raises(ConfigError, match=r"key\.json"):
        KeyFileCipher(path, make=False).decrypt("00")
