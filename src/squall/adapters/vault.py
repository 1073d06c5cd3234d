"""Seals secret values with AES-256-GCM under a key file that only the server's user can read."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from squall.adapters import durable, reading
from squall.core.errors import ConfigError, KeyFileError

_VERSION = "v1"
_NONCE_SIZE = 12
_KEY_SIZE = 32
_CHECK = b"check value of a key of Squall"


class KeyFileVault:
    """`ports.Vault` with one key. An envelope is `v1:<base64 of nonce and ciphertext>`."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self.fingerprint = hmac.new(key, _CHECK, hashlib.sha256).hexdigest()
        """The check value of the key, which does not tell the key."""

    @classmethod
    def open_file(cls, path: Path) -> KeyFileVault:
        """Opens the vault of a key file. Creates the file (mode 0600) if it is missing. Raises `KeyFileError`."""
        try:
            if not path.exists():
                durable.create(path, base64.b64encode(os.urandom(_KEY_SIZE)) + b"\n")
        except OSError as error:
            raise KeyFileError(f"The key file {path} cannot be created: {error}.") from error
        try:
            key = base64.b64decode(reading.read_bytes(path), validate=False)
        except (OSError, ValueError) as error:
            raise KeyFileError(f"The key file {path} cannot be read: {error}. Restore it from a backup.") from error
        if len(key) != _KEY_SIZE:
            raise KeyFileError(
                f"The key file {path} does not hold a key of {_KEY_SIZE} bytes: restore it from a backup."
            )
        return cls(key)

    def seal(self, value: Any) -> str:
        """Returns an envelope of any JSON value."""
        nonce = os.urandom(_NONCE_SIZE)
        sealed = nonce + self._cipher.encrypt(nonce, msgspec.json.encode(value), _VERSION.encode())
        return f"{_VERSION}:{base64.b64encode(sealed).decode()}"

    def open(self, envelope: str) -> Any:
        """Returns the value in an envelope. Raises `ConfigError` if the envelope has another key."""
        version, _, body = envelope.partition(":")
        try:
            sealed = base64.b64decode(body, validate=True)
            plain = self._cipher.decrypt(sealed[:_NONCE_SIZE], sealed[_NONCE_SIZE:], version.encode())
        except (InvalidTag, ValueError) as error:
            raise ConfigError(
                "A secret value was sealed under another key: restore the data directory's key file."
            ) from error
        return msgspec.json.decode(plain)
