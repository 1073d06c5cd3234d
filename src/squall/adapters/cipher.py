"""Encrypts secret values of the datastore in StackStorm's format, under a key file in StackStorm's format.

The format is that of keyczar, as StackStorm's documentation and its key files show it: hex digits of five header bytes,
an initialisation vector, AES-CBC ciphertext with PKCS #5 padding, and an HMAC-SHA1 of all that. So users can move keys
between Squall and StackStorm together with the key file.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from squall.adapters import durable, reading
from squall.core.errors import InvalidError, KeyFileError

_HEADER = b"00000"
_IV = 16
_MAC = 20
_BLOCK_BITS = 128
_KEY_BITS = 256
_CHECK = b"check value of a key of Squall"


class _Hmac(msgspec.Struct):
    hmacKeyString: str  # noqa: N815 - the key file's own name
    size: int


class _KeyFile(msgspec.Struct):
    """A key file: base64url without padding, sizes in bits."""

    hmacKey: _Hmac  # noqa: N815 - the key file's own name
    aesKeyString: str  # noqa: N815 - the key file's own name
    mode: str
    size: int


class KeyFileCipher:
    """`ports.Cipher` with the key file at `path`. If the file is missing and `make` is set, the first encryption
    creates it (mode 0600)."""

    def __init__(self, path: Path, *, make: bool) -> None:
        self.path = path
        self._make = make
        self._keys: tuple[bytes, bytes] | None = None

    def encrypt(self, text: str) -> str:
        """Returns the ciphertext of a text. Raises `KeyFileError` if there is no usable key file."""
        aes, mac = self._open(self._make)
        vector = os.urandom(_IV)
        padder = PKCS7(_BLOCK_BITS).padder()
        padded = padder.update(text.encode()) + padder.finalize()
        encryptor = Cipher(algorithms.AES(aes), modes.CBC(vector)).encryptor()
        body = _HEADER + vector + encryptor.update(padded) + encryptor.finalize()
        return (body + _signature(mac, body)).hex().upper()

    def decrypt(self, ciphertext: str) -> str:
        """Returns the text of a ciphertext. Raises `InvalidError`; `KeyFileError` if there is no usable key file."""
        aes, mac = self._open(self._make)
        try:
            data = bytes.fromhex(ciphertext)
            body, signature = data[:-_MAC], data[-_MAC:]
            if len(body) < len(_HEADER) + _IV or not hmac.compare_digest(_signature(mac, body), signature):
                raise ValueError("the signature is not right")
            vector, encrypted = body[len(_HEADER) :][:_IV], body[len(_HEADER) + _IV :]
            decryptor = Cipher(algorithms.AES(aes), modes.CBC(vector)).decryptor()
            unpadder = PKCS7(_BLOCK_BITS).unpadder()
            padded = decryptor.update(encrypted) + decryptor.finalize()
            return (unpadder.update(padded) + unpadder.finalize()).decode()
        except ValueError as error:
            raise InvalidError("the value was not encrypted under this server's key file") from error

    def fingerprint(self) -> str:
        """Returns the check value of the key, which does not tell the key. Raises `KeyFileError`."""
        return hmac.new(b"".join(self._open(False)), _CHECK, hashlib.sha256).hexdigest()

    def _open(self, make: bool) -> tuple[bytes, bytes]:
        if self._keys is None:
            self._keys = _read(self.path, make)
        return self._keys


def _signature(key: bytes, body: bytes) -> bytes:
    return hmac.new(key, body, hashlib.sha1).digest()


def _read(path: Path, make: bool) -> tuple[bytes, bytes]:
    """Returns the AES key and the HMAC key of a file. With `make`, creates a missing file. Raises `KeyFileError`."""
    try:
        if make and not path.exists():
            _write(path)
        key_file = msgspec.json.decode(reading.read_bytes(path), type=_KeyFile)
        aes, mac = _bytes(key_file.aesKeyString), _bytes(key_file.hmacKey.hmacKeyString)
    except (OSError, ValueError) as error:
        raise KeyFileError(
            f"The datastore's key file {path} cannot be read: {error}. Restore it, or set keyvalue.encryption_key_path."
        ) from error
    if key_file.mode != "CBC" or len(aes) not in (16, 24, 32):
        raise KeyFileError(
            f"The datastore's key file {path} has an unknown kind of key: {key_file.mode}, {key_file.size} bit. "
            "Squall needs AES in CBC mode."
        )
    return aes, mac


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _write(path: Path) -> None:
    key_file = _KeyFile(
        _Hmac(_text(os.urandom(_KEY_BITS // 8)), _KEY_BITS), _text(os.urandom(_KEY_BITS // 8)), "CBC", _KEY_BITS
    )
    # If another process creates the file at the same time, its key is the one in use.
    durable.create(path, msgspec.json.encode(key_file) + b"\n")
