"""Finds the server that a command speaks to, and the one that holds a data directory.

A data directory has a server exactly while `server.lock` in it is locked; `server.json` beside it says where.
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
    """Which server a command means: the global options and the environment they fall back to."""

    url: str | None
    data_dir: str | None
    debug: bool
    environ: Mapping[str, str]
    color: str | None = None

    def coloured(self, stream: TextIO) -> bool:
        """Whether text for this stream gets colours."""
        return coloured(self.color, self.environ, stream.isatty())

    @property
    def directory(self) -> Path:
        """The data directory, whether it exists or not."""
        named = self.data_dir or self.environ.get("SQUALL_DATA_DIR") or "~/.squall"
        try:
            return Path(named).expanduser().absolute()
        except RuntimeError:
            raise ConfigError("HOME is not set: name the data directory with --data-dir") from None

    def find_url(self) -> str:
        """The server's address.

        From `--url`, then the server of `--data-dir`, then `SQUALL_URL`, `ST2_API_URL`, the running server of the
        data directory, the default address. Raises `ConfigError` when a data directory was named but has no server:
        another server must not run what was meant for that one.
        """
        if self.url:
            return self.url
        if not self.data_dir:
            for name in ("SQUALL_URL", "ST2_API_URL"):
                if self.environ.get(name):
                    return self.environ[name]
        directory = self.directory
        found = Holder.of(directory)
        if found is not None and isinstance(found.told.get("url"), str):
            return str(found.told["url"])
        if self.data_dir or self.environ.get("SQUALL_DATA_DIR"):
            raise ConfigError(no_server(f"in {directory}", self.data_dir))
        return DEFAULT_URL

    def api(self) -> Api:
        """A client of that server, which says what a mistyped name means. Raises `ConfigError` or `InvalidError` when
        there is no usable address."""
        from squall.client.http import Client
        from squall.client.suggestions import SuggestingApi

        url = self.find_url()
        return SuggestingApi(Client(url, trace=_trace if self.debug else None, credentials=self.credentials(url)))

    def credentials(self, url: str) -> dict[str, str]:
        """The headers that say who asks: an API key or a token of the environment, else the token of `squall login`."""
        for names, header in (
            (("SQUALL_API_KEY", "ST2_API_KEY"), "St2-Api-Key"),
            (("SQUALL_TOKEN", "ST2_AUTH_TOKEN"), "X-Auth-Token"),
        ):
            for name in names:
                if self.environ.get(name):
                    return {header: self.environ[name]}
        kept = read_tokens(self.token_file).get(url)
        return {"X-Auth-Token": kept} if kept else {}

    @property
    def token_file(self) -> Path:
        """Where `squall login` keeps tokens, by the server's address. Raises `ConfigError` without a home directory."""
        folder = self.environ.get("XDG_CONFIG_HOME") or "~/.config"
        try:
            return Path(folder).expanduser() / "squall" / "tokens.json"
        except RuntimeError:
            raise ConfigError("HOME is not set: set SQUALL_TOKEN instead of using `squall login`") from None


class Holder(NamedTuple):
    """The process that holds a data directory, and what its `server.json` says ({} while it starts or stops)."""

    pid: int | None
    told: JsonObject

    @classmethod
    def of(cls, directory: Path) -> Holder | None:
        """Who holds the directory now, None when nobody does. Raises `ConfigError` when that cannot be known."""
        pid = lock_holder(directory)
        if pid is None:
            return None
        told = read_told(directory)
        if not pid and isinstance(told.get("pid"), int):
            pid = told["pid"]
        return cls(pid or None, told)


def web_address(url: str) -> str:
    """The address of the web page of the server whose API is at `url`."""
    return url.rstrip("/").removesuffix("/v1").removesuffix("/api")


def no_server(where: str, data_dir: str | None) -> str:
    """The line that says that no server runs, and how to start one."""
    import shlex

    option = f" --data-dir {shlex.quote(data_dir)}" if data_dir else ""
    return f"no server runs {where}: start one with `squall serve{option}`"


def lock_holder(directory: Path) -> int | None:
    """The process id in `server.lock` while the lock is held (0: held, but by nobody known); None when it is free.

    Raises `ConfigError` when the lock may not be read.
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
        # A shared lock is refused only while somebody holds the exclusive one, and two that look do not see each other.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.read(descriptor, 32).decode("ascii", "replace").strip()
        return int(text) if text.isdecimal() and int(text) > 1 else 0
    finally:
        os.close(descriptor)
    return None


def read_told(directory: Path) -> JsonObject:
    """What `server.json` says; {} when it is absent, unreadable or broken."""
    try:
        told = json.loads((directory / "server.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def read_tokens(path: Path) -> dict[str, str]:
    """The tokens by address; {} when there are none, or the file is broken."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return (
        {str(url): token for url, token in found.items() if isinstance(token, str)} if isinstance(found, dict) else {}
    )


def write_tokens(path: Path, tokens: Mapping[str, str]) -> None:
    """Keeps tokens, for nobody else to read (mode 0600). Raises `ConfigError`."""
    fresh = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            json.dump(dict(tokens), stream, indent=1)
        fresh.replace(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror})") from error


def _trace(line: str) -> None:
    print(f"squall: {line}", file=sys.stderr)
