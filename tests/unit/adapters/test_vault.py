"""The vault under a key file."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squall.adapters.vault import KeyFileVault
from squall.core.errors import ConfigError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
VAULT = KeyFileVault(bytes(range(32)))


@given(JSON)
def test_any_json_value_comes_back_from_its_envelope(value: Any) -> None:
    assert VAULT.open(VAULT.seal(value)) == value


def test_an_envelope_shows_nothing_of_its_value_and_no_two_are_alike() -> None:
    envelopes = {VAULT.seal("hunter2-hunter2") for _ in range(50)}
    assert len(envelopes) == 50
    for envelope in envelopes:
        assert envelope.startswith("v1:")
        assert b"hunter2" not in base64.b64decode(envelope.removeprefix("v1:"))


@given(st.data())
def test_an_envelope_that_was_tampered_with_is_refused(data: st.DataObject) -> None:
    sealed = bytearray(base64.b64decode(VAULT.seal("value").removeprefix("v1:")))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ConfigError):
        VAULT.open(f"v1:{base64.b64encode(sealed).decode()}")


@pytest.mark.parametrize("envelope", ["", "v1", "v1:", "v1:AAAA", "v1:ü", "v1:***", "plain text"])
def test_what_is_no_envelope_is_refused(envelope: str) -> None:
    with pytest.raises(ConfigError, match="another key"):
        VAULT.open(envelope)


def test_another_version_or_key_does_not_open_it() -> None:
    envelope = VAULT.seal("value")
    with pytest.raises(ConfigError):
        VAULT.open("v2" + envelope.removeprefix("v1"))
    with pytest.raises(ConfigError, match="restore the data directory's key file"):
        KeyFileVault(bytes(32)).open(envelope)


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    old = os.umask(0)
    try:
        envelope = KeyFileVault.open_file(path).seal("value")
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert KeyFileVault.open_file(path).open(envelope) == "value"
    assert KeyFileVault.open_file(tmp_path / "other.key").seal("value") != envelope


@pytest.mark.parametrize(
    "content", [b"", b"short", b"\0" * 32, base64.b64encode(bytes(31)), base64.b64encode(bytes(33))]
)
def test_a_key_file_that_holds_no_key_is_told_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret.key"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"secret\.key"):
        KeyFileVault.open_file(path)
    assert path.read_bytes() == content


def test_a_key_file_that_cannot_be_made_or_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path / "nosuch" / "secret.key"):
        with pytest.raises(ConfigError, match=path.name):
            KeyFileVault.open_file(path)
