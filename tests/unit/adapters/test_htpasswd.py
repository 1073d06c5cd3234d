"""The file of users. The entries were made by Apache's `htpasswd` and by `openssl passwd`."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from pathlib import Path

import bcrypt
import pytest

from squall.adapters import htpasswd
from squall.core.errors import ConfigError, InvalidError


def openssl(salt: str, password: str) -> str:
    command = ["openssl", "passwd", "-apr1", "-salt", salt, password]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(
    ("entry", "password"),
    [
        ("{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=", "test"),
        ("$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/", "myPassword"),
        ("$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC", "myPassword"),
    ],
)
def test_entries_of_every_kind_match_their_password_only(entry: str, password: str) -> None:
    assert htpasswd.matches(entry, password)
    assert not htpasswd.matches(entry, password + "x")
    assert not htpasswd.matches(entry, "")


@pytest.mark.parametrize("password", ["", "a", "0123456789abcdef", "0123456789abcdefg", "pässwörd " * 9])
def test_apr1_is_what_openssl_makes(password: str) -> None:
    entry = openssl("abcdefgh", password)
    assert htpasswd.apr1(password.encode(), b"abcdefgh") == entry
    assert htpasswd.matches(entry, password)


@pytest.mark.parametrize("entry", ["", "x", "$2b$12$short", "$1$abc$def", "$apr1$", "$apr1$a", "plain"])
def test_what_is_no_entry_matches_nothing(entry: str) -> None:
    assert not htpasswd.matches(entry, "x")
    assert not htpasswd.matches(entry, "")


def test_a_new_password_is_found_at_once_and_the_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "htpasswd"
    passwords = htpasswd.HtpasswdFile(path)
    assert not passwords.verify("ada", "secret")
    htpasswd.write(path, {"ada": htpasswd.hashed("secret")})
    assert passwords.verify("ada", "secret")
    assert not passwords.verify("ada", "Secret")
    assert not passwords.verify("bob", "secret")
    assert passwords.knows("ada")
    assert not passwords.knows("bob")
    assert path.stat().st_mode & 0o777 == 0o600


def test_comments_and_broken_lines_are_no_users(tmp_path: Path) -> None:
    path = tmp_path / "htpasswd"
    path.write_text("# a:comment\n\nada:{SHA}x\nnobody\n:{SHA}y\nbob:\n")
    assert htpasswd.read(path) == {"ada": "{SHA}x"}


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        htpasswd.read(tmp_path)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "#a", "a\nb", "x" * 256])
def test_names_that_the_file_cannot_hold_are_refused(name: str) -> None:
    with pytest.raises(InvalidError, match="user"):
        htpasswd.check_user(name)


@pytest.mark.parametrize("password", ["", "x" * 73, "a\0b"])
def test_passwords_that_bcrypt_cannot_tell_apart_are_refused(password: str) -> None:
    with pytest.raises(InvalidError, match="password"):
        htpasswd.hashed(password)


def test_a_check_takes_the_same_work_for_every_user_and_for_a_user_that_does_not_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "htpasswd"
    kinds = {
        **{f"bcrypt{cost}": bcrypt.hashpw(b"right", bcrypt.gensalt(cost)).decode() for cost in (4, 5, 10, 13)},
        "apr1": htpasswd.apr1(b"right", b"salt"),
        "sha": "{SHA}" + base64.b64encode(hashlib.sha1(b"right").digest()).decode(),
        "malformed": "$2b$99$nonsense",
        "refused": "$2b$03$" + "a" * 53,
    }
    path.write_text("".join(f"{user}:{entry}\n" for user, entry in kinds.items()))
    rounds: list[int] = []
    check = bcrypt.checkpw

    def hashpw(password: bytes, salt: bytes) -> bytes:
        """The work is counted and not done: it would take half a minute."""
        rounds.append(1 << int(salt[4:6]))
        return salt + password

    def checkpw(password: bytes, entry: bytes) -> bool:
        unusable = (kinds["malformed"].encode(), kinds["refused"].encode())
        right = check(password, entry) if entry in unusable else password == b"right"
        rounds.append(1 << int(entry[4:6]))
        return right

    monkeypatch.setattr(bcrypt, "hashpw", hashpw)
    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    passwords = htpasswd.HtpasswdFile(path)
    for user in (*kinds, "nobody"):
        for password in ("wrong", "right", "x" * 5000, "ä" * 100):
            rounds.clear()
            expected = password == "right" and user not in ("malformed", "refused", "nobody")
            assert passwords.verify(user, password) is expected
            assert (user, password, sum(rounds)) == (user, password, 1 << 13)
