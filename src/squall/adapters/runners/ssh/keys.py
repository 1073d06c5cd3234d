"""Host keys of SSH servers: which are known, by policy, and how new ones are kept."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import asyncssh

KNOWN_HOSTS, ACCEPT_NEW, IGNORE = "known_hosts", "accept-new", "ignore"


class HostKeys:
    """The keys in `files` (OpenSSH's `known_hosts`); new ones are added to the first of them, if `policy` takes any."""

    def __init__(self, policy: str, files: list[str]) -> None:
        self.policy = policy
        self._files = [Path(name) for name in files]
        self._known = asyncssh.import_known_hosts(self._text())

    def _text(self) -> str:
        found = []
        for path in self._files:
            try:
                found.append(path.read_text(encoding="utf-8", errors="replace"))
            except OSError:
                continue
        return "\n".join(found)

    def match(self, host: str, addr: str, port: int | None) -> tuple[object, ...]:
        """What asyncssh asks: the trusted and the revoked keys of a host."""
        return self._known.match(host, "", port)

    def accepts(self, host: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Whether a key that is not among the known ones may be taken; it is kept then."""
        if self.policy != ACCEPT_NEW:
            return False
        known = self._known.match(host, "", port)
        if known[0]:
            return False
        self._keep(host, port, key)
        return True

    def _keep(self, host: str, port: int, key: asyncssh.SSHKey) -> None:
        name = host if port == asyncssh.DEFAULT_PORT else f"[{host}]:{port}"
        line = f"{name} {key.export_public_key('openssh').decode().strip()}\n"
        path = self._files[0]
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)


class Client(asyncssh.SSHClient):
    """Decides on the keys of one connection; `refused` says why it took none."""

    def __init__(self, keys: HostKeys) -> None:
        self._keys = keys
        self.refused = ""

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """What to do with a key that is not among the known ones."""
        if self._keys.accepts(host, port, key):
            return True
        known = bool(self._keys.match(host, "", port)[0])
        what = "differs from the one that is known" if known else "is not known"
        self.refused = f"The host key of {host} (port {port}) {what}: {key.get_fingerprint()}"
        return False
