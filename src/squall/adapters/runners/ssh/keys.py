"""Host keys of SSH servers: checks them by policy, and stores new ones."""

from __future__ import annotations

from pathlib import Path

import asyncssh

from squall.adapters import durable, reading

KNOWN_HOSTS, ACCEPT_NEW, IGNORE = "known_hosts", "accept-new", "ignore"


class HostKeys:
    """The host keys in `files` (OpenSSH's `known_hosts`). If `policy` accepts new keys, they go to the first file."""

    def __init__(self, policy: str, files: list[str]) -> None:
        self.policy = policy
        self._files = [Path(name) for name in files]
        self._stored_keys = asyncssh.import_known_hosts(self._text())

    def _text(self) -> str:
        texts = []
        for path in self._files:
            try:
                texts.append(reading.read_bytes(path).decode(errors="replace"))
            except OSError:
                continue
        return "\n".join(texts)

    def match(self, host: str, addr: str, port: int | None) -> tuple[object, ...]:
        """Returns the trusted and the revoked keys of a host. asyncssh calls this."""
        return self._stored_keys.match(host, "", port)

    def accepts(self, host: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Decides about an unknown key. Returns True, and stores the key, if the policy accepts it."""
        if self.policy != ACCEPT_NEW:
            return False
        trusted = self._stored_keys.match(host, "", port)[0]
        if trusted:
            return False
        self._keep(host, port, key)
        return True

    def _keep(self, host: str, port: int, key: asyncssh.SSHKey) -> None:
        name = host if port == asyncssh.DEFAULT_PORT else f"[{host}]:{port}"
        line = f"{name} {key.export_public_key('openssh').decode().strip()}\n"
        path = self._files[0]
        durable.make_folder(path.parent)
        durable.append(path, line.encode())


class Client(asyncssh.SSHClient):
    """Checks the host key of one connection. `refused` is the reason why it did not accept the key."""

    def __init__(self, keys: HostKeys) -> None:
        self._keys = keys
        self.refused = ""

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Decides about an unknown host key. Returns True if the connection may use it."""
        if self._keys.accepts(host, port, key):
            return True
        other_key = bool(self._keys.match(host, "", port)[0])
        fault = "differs from the one that is known" if other_key else "is not known"
        self.refused = f"The host key of {host} (port {port}) {fault}: {key.get_fingerprint()}"
        return False
