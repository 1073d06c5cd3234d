"""The server of a command: its address, its credentials, and the process that holds a data directory.

A data directory has a running server exactly while `server.lock` in it is locked; `server.json` has its address.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TextIO

from squall.cli.terminal.colour import coloured
from squall.core.errors import ConfigError

if TYPE_CHECKING:
    from squall.client.api import Api
    from squall.client.http import JsonObject

DEFAULT_URL = "http://127.0.0.1:9101"


class Target(NamedTuple):
    """The global options that select the server of a command, and the environment with their defaults."""

    url: str | None
    data_dir: str | None
    debug: bool
    environ: Mapping[str, str]
    color: str | None = None

    def coloured(self, stream: TextIO) -> bool:
        """Returns True if text for this stream gets colours."""
        return coloured(self.color, self.environ, stream.isatty())

    @property
    def directory(self) -> Path:
        """The data directory, which may not exist. Raises `ConfigError` without a home directory."""
        path = self.data_dir or self.environ.get("SQUALL_DATA_DIR") or "~/.squall"
        try:
            return Path(path).expanduser().absolute()
        except RuntimeError:
            raise ConfigError("HOME is not set: give the data directory with --data-dir") from None

    def find_url(self) -> str:
        """Returns the server's address.

        It comes from `--url`, else from the server of `--data-dir`, else from `SQUALL_URL`, `ST2_API_URL`, the running
        server of the data directory, or it is the default address. Raises `ConfigError` if a named data directory has
        no running server: no other server may run this command.
        """
        if self.url:
            return self.url
        if not self.data_dir:
            for name in ("SQUALL_URL", "ST2_API_URL"):
                if self.environ.get(name):
                    return self.environ[name]
        directory = self.directory
        holder = Holder.of(directory)
        if holder is not None and isinstance(holder.info.get("url"), str):
            return str(holder.info["url"])
        if self.data_dir or self.environ.get("SQUALL_DATA_DIR"):
            raise ConfigError(no_server(f"in {directory}", self.data_dir))
        return DEFAULT_URL

    def api(self) -> Api:
        """Returns a client of that server, which corrects mistyped names in errors. Raises `ConfigError` or
        `InvalidError` without a usable address."""
        from squall.client.http import Client
        from squall.client.suggestions import SuggestingApi

        url = self.find_url()
        return SuggestingApi(Client(url, trace=_trace if self.debug else None, credentials=self.credentials(url)))

    def credentials(self, url: str) -> dict[str, str]:
        """Returns the headers with an API key or a token from the environment, else with the token of `squall
        login`."""
        for names, header in (
            (("SQUALL_API_KEY", "ST2_API_KEY"), "St2-Api-Key"),
            (("SQUALL_TOKEN", "ST2_AUTH_TOKEN"), "X-Auth-Token"),
        ):
            for name in names:
                if self.environ.get(name):
                    return {header: self.environ[name]}
        token = read_tokens(self.token_file).get(url)
        return {"X-Auth-Token": token} if token else {}

    @property
    def token_file(self) -> Path:
        """The file in which `squall login` stores tokens by the server's address. Raises `ConfigError` without a home
        directory."""
        folder = self.environ.get("XDG_CONFIG_HOME") or "~/.config"
        try:
            return Path(folder).expanduser() / "squall" / "tokens.json"
        except RuntimeError:
            raise ConfigError("HOME is not set: set SQUALL_TOKEN instead of using `squall login`") from None


class Holder(NamedTuple):
    """The process that holds a data directory, and the content of its `server.json` ({} while it starts or stops)."""

    pid: int | None
    info: JsonObject

    @classmethod
    def of(cls, directory: Path) -> Holder | None:
        """Returns the process that holds the directory now, or None. Raises `ConfigError` if the lock is not
        readable."""
        pid = lock_holder(directory)
        if pid is None:
            return None
        info = read_server_info(directory)
        if not pid and isinstance(info.get("pid"), int):
            pid = info["pid"]
        return cls(pid or None, info)


def web_address(url: str) -> str:
    """Returns the address of the web page of the server whose API is at `url`."""
    return url.rstrip("/").removesuffix("/v1").removesuffix("/api")


def no_server(place: str, data_dir: str | None) -> str:
    """Returns the message that no server runs, with the command that starts one."""
    import shlex

    option = f" --data-dir {shlex.quote(data_dir)}" if data_dir else ""
    return f"no server runs {place}: start one with `squall serve{option}`"


def lock_holder(directory: Path) -> int | None:
    """Returns the process id in `server.lock` while a process holds the lock (0: the file has no id); None if the lock
    is free.

    Raises `ConfigError` if the lock is not readable.
    """
    import fcntl

    path = directory / "server.lock"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    try:
        # A shared lock fails only while a process holds the exclusive lock; two readers do not block each other.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.read(descriptor, 32).decode("ascii", "replace").strip()
        return int(text) if text.isdecimal() and int(text) > 1 else 0
    finally:
        os.close(descriptor)
    return None


def read_server_info(directory: Path) -> JsonObject:
    """Returns the content of `server.json`; {} if it is absent, unreadable or broken."""
    try:
        info = json.loads((directory / "server.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return info if isinstance(info, dict) else {}


def read_tokens(path: Path) -> dict[str, str]:
    """Returns the tokens by address; {} if there are none, or the file is broken."""
    try:
        tokens = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(tokens, dict):
        return {}
    return {str(url): token for url, token in tokens.items() if isinstance(token, str)}


def write_tokens(path: Path, tokens: Mapping[str, str]) -> None:
    """Stores tokens in a file that only its owner can read (mode 0600). Raises `ConfigError`."""
    from squall.adapters import durable

    try:
        durable.make_folder(path.parent)
        durable.write(path, json.dumps(dict(tokens), indent=1).encode())
    except OSError as error:
        raise ConfigError(f"{path}: the tokens cannot be stored ({error.strerror})") from error


def _trace(line: str) -> None:
    print(f"squall: {line}", file=sys.stderr)
