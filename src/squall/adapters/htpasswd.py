"""Users and passwords in a file of Apache's `htpasswd` format: bcrypt, apr1 (MD5) and SHA-1 entries."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from pathlib import Path

import bcrypt

from squall.adapters import durable, reading
from squall.core.errors import ConfigError, InvalidError

_ROUNDS = 12
_BCRYPT_MOST = 72
_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_USER = re.compile(r"[^\s:\x00-\x1f\x7f]{1,255}")
_DUMMY_SALT = b"pCRtTqMhnNrIskr2./s/o."
_MOST_EVENED = 15
"""The dearest bcrypt cost to which other checks are made equal: one more would take everybody seconds."""
_MOST_PASSWORD = 1024
"""A longer password is wrong: apr1 hashes it a thousand times."""
_BCRYPT = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")


class HtpasswdFile:
    """`ports.Passwords` for a file. Reads the file again after each change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._signature: tuple[int, int, int] | None = None
        self._entries: dict[str, str] = {}
        self._dearest = _ROUNDS

    def verify(self, user: str, password: str) -> bool:
        """Returns True if the password is the user's. Takes as long for every user, and for a user that does not
        exist. Raises `ConfigError` if the file cannot be read."""
        users = self._users()
        entry = users.get(user, "")
        part = password[:_MOST_PASSWORD]
        is_right = matches(entry, part)
        self._even_out(entry, part)
        return is_right and part == password

    def _even_out(self, entry: str, password: str) -> None:
        """Adds to the time of a check what the dearest entry of the file would have taken more.

        A bcrypt hash of cost n takes twice as long as one of n - 1; so one of each cost from n on makes it one of the
        dearest.
        """
        own = bcrypt_cost(entry)
        raw = _cut(password)
        for cost in range(own, self._dearest) if own else [self._dearest]:
            bcrypt.hashpw(raw, b"$2b$%02d$" % cost + _DUMMY_SALT)
        if not entry.startswith("$apr1$"):
            apr1(password.encode(), b"dummysalt")

    def knows(self, user: str) -> bool:
        """Returns True if the file has an entry for the user. Raises `ConfigError` if the file cannot be read."""
        return user in self._users()

    def _users(self) -> dict[str, str]:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise ConfigError(f"{self._path}: cannot be read ({error.strerror})") from error
        signature = (status.st_mtime_ns, status.st_size, status.st_ino)
        if signature != self._signature:
            self._entries = read(self._path)
            costs = [cost for entry in self._entries.values() if (cost := bcrypt_cost(entry)) <= _MOST_EVENED]
            self._dearest = max(_ROUNDS, *costs, 0)
            self._signature = signature
        return self._entries


def read(path: Path) -> dict[str, str]:
    """Returns the hashes by user. Leaves out malformed lines. Raises `ConfigError` if the file cannot be read."""
    try:
        text = reading.read_bytes(path).decode(errors="replace")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    pairs = (line.strip().partition(":") for line in text.splitlines() if not line.lstrip().startswith("#"))
    return {user: entry for user, separator, entry in pairs if separator and user and entry}


def write(path: Path, users: dict[str, str]) -> None:
    """Replaces the file (mode 0600) in one step, so that a server never reads a half-written one. Raises
    `ConfigError`."""
    try:
        durable.make_folder(path.parent)
        durable.write(path, "".join(f"{user}:{entry}\n" for user, entry in users.items()).encode())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror})") from error


def bcrypt_cost(entry: str) -> int:
    """Returns the cost of a bcrypt entry: the base-two logarithm of its rounds. 0 for other and malformed entries."""
    match = _BCRYPT.fullmatch(entry)
    cost = int(match[1]) if match is not None else 0
    return cost if 4 <= cost <= 31 else 0


def check_user(user: str) -> str:
    """Returns the user name. Raises `InvalidError` if an entry cannot hold it."""
    if not _USER.fullmatch(user) or user.startswith("#"):
        raise InvalidError(f"user: {user!r} is not a user name: use 1 to 255 characters without spaces and colons")
    return user


def hashed(password: str) -> str:
    """Returns a bcrypt entry for a new password. Raises `InvalidError` for a password that bcrypt would cut."""
    raw = password.encode()
    if not raw or len(raw) > _BCRYPT_MOST or b"\0" in raw:
        raise InvalidError(f"password: must have 1 to {_BCRYPT_MOST} bytes and no NUL")
    return bcrypt.hashpw(raw, bcrypt.gensalt(_ROUNDS)).decode()


def matches(entry: str, password: str) -> bool:
    """Returns True if `entry` is a hash of `password`; False for an empty entry and for an unknown kind of hash."""
    raw = password.encode()
    if entry.startswith(("$2a$", "$2b$", "$2y$")):
        try:
            return bcrypt.checkpw(_cut(password), entry.encode())
        except ValueError:
            return False
    if entry.startswith("{SHA}"):
        expected = "{SHA}" + base64.b64encode(hashlib.sha1(raw, usedforsecurity=False).digest()).decode()
    elif entry.startswith("$apr1$"):
        expected = apr1(raw, entry.split("$")[2].encode())
    else:
        return False
    return hmac.compare_digest(expected.encode(), entry.encode())


def _cut(password: str) -> bytes:
    """Returns the part of a password that bcrypt uses: 72 bytes. Older implementations cut longer passwords, newer ones
    refuse them."""
    return password.encode()[:_BCRYPT_MOST].replace(b"\0", b"\xff")


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def apr1(password: bytes, salt: bytes) -> str:
    """Returns Apache's MD5-based hash, as its documentation of password formats describes it."""
    salt = salt[:8]
    inner = _md5(password + salt + password)
    start = password + b"$apr1$" + salt
    start += (inner * (len(password) // 16 + 1))[: len(password)]
    bits = len(password)
    while bits:
        start += b"\0" if bits & 1 else password[:1]
        bits >>= 1
    digest = _md5(start)
    for turn in range(1000):
        data = password if turn & 1 else digest
        data += salt if turn % 3 else b""
        data += password if turn % 7 else b""
        data += digest if turn & 1 else password
        digest = _md5(data)
    groups = [(digest[at] << 16) | (digest[at + 6] << 8) | digest[5 if at == 4 else at + 12] for at in range(5)]
    text = "".join(_letters(group, 4) for group in groups) + _letters(digest[11], 2)
    return f"$apr1${salt.decode()}${text}"


def _letters(value: int, count: int) -> str:
    return "".join(_ALPHABET[(value >> (6 * place)) & 0x3F] for place in range(count))
