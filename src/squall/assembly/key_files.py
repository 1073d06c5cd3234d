"""Opens the key files, and refuses those that are not the right ones.

A key is known by its check value in the database, which says nothing about the key. A database of an older version has
none: it gets one from a key that opens what is stored.
"""

from __future__ import annotations

import logging
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from squall.adapters import reading
from squall.adapters.cipher import KeyFileCipher
from squall.adapters.sql.key_checks import KeyChecks
from squall.adapters.vault import KeyFileVault
from squall.assembly import arguments
from squall.config import Settings
from squall.core.errors import ConfigError, InvalidError, KeyFileError

_LOG = logging.getLogger("squall.keys")
_VAULT, _DATASTORE = "secret.key", "datastore.key.json"


def vault(settings: Settings) -> KeyFileVault:
    """Returns the vault of `secret.key`, which is created in a new data directory. The store must be open already.

    Raises `KeyFileError`, which names the file and the cure, if it is missing, another one, unusable, or readable by
    others.
    """
    path = settings.server.data_dir / _VAULT
    checks = KeyChecks(settings.server.data_dir / "squall.db")
    _check_file(path, _VAULT, checks, checks.envelopes)
    opened = KeyFileVault.open_file(path)
    _check_key(path, _VAULT, checks, opened.fingerprint, checks.envelopes, opened.open)
    return opened


def cipher(settings: Settings) -> KeyFileCipher:
    """Returns the cipher of the datastore. Its key file is the one in the settings, or `datastore.key.json`, which the
    first encryption creates. Raises `KeyFileError` as `vault` does."""
    opened = arguments.cipher(settings)
    checks = KeyChecks(settings.server.data_dir / "squall.db")
    if _check_file(opened.path, _DATASTORE, checks, checks.ciphertexts):
        fingerprint = opened.fingerprint()
        _check_key(opened.path, _DATASTORE, checks, fingerprint, checks.ciphertexts, opened.decrypt)
    return opened


def forget_unused(home: Path) -> None:
    """Lets a data directory that was restored without its keys have new ones, as far as nothing in it is encrypted with
    the old ones. Raises `OSError`."""
    checks = KeyChecks(home / "squall.db")
    configured = any(b"$sealed" in reading.read_bytes(path) for path in home.rglob("configs/*.yaml"))
    if not checks.envelopes() and not configured:
        checks.forget(_VAULT)
    if not checks.ciphertexts():
        checks.forget(_DATASTORE)


def _check_file(path: Path, name: str, checks: KeyChecks, samples: Callable[[], Sequence[str]]) -> bool:
    """Returns whether there is a key file. Raises `KeyFileError` if there must be one, or if others can read it."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        if checks.value(name) is not None or samples():
            raise KeyFileError(
                f"The key file {path} is missing, but secrets in the database are encrypted with it: restore the file "
                "from a backup."
            ) from None
        return False
    except OSError as error:
        raise KeyFileError(f"The key file {path} cannot be read ({error.strerror}): make it readable.") from error
    if mode & 0o077:
        raise KeyFileError(f"The key file {path} can be read by others (mode {mode:04o}): run chmod 600 {path}")
    return True


def _check_key(
    path: Path,
    name: str,
    checks: KeyChecks,
    fingerprint: str,
    samples: Callable[[], Sequence[str]],
    open_sample: Callable[[str], object],
) -> None:
    """Raises `KeyFileError` if the key is another one than before. Keeps its check value if there is none yet."""
    known = checks.value(name)
    if known is None:
        stored = samples()
        if not stored or any(_opens(open_sample, each) for each in stored):
            try:
                checks.keep(name, fingerprint)
            except OSError as error:
                # The next start does it: until then, what is stored tells a wrong key.
                _LOG.warning("the check value of a key cannot be stored", extra={"key": name, "error": str(error)})
            return
    elif known == fingerprint:
        return
    raise KeyFileError(
        f"The key file {path} is another one than that with which secrets in the database are encrypted: restore the "
        "right file from a backup."
    )


def _opens(open_sample: Callable[[str], object], sample: str) -> bool:
    try:
        open_sample(sample)
    except (ConfigError, InvalidError):
        return False
    return True
