"""The sources of packs, in StackStorm's forms: a name in an index, a git repository, a folder, an archive."""

from __future__ import annotations

import os
import re
import shutil
import tarfile
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from squall.adapters.installing.commands import output, run
from squall.adapters.removing import remove
from squall.core.errors import InvalidError

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_GITHUB = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")
_VERSION = re.compile(r"v?(\d+\.\d+(?:\.\d+)?)")
_MOST_ENTRIES = 100_000
_MOST_BYTES = 2 << 30

Lookup = Callable[[str], Mapping[str, Any] | None]
"""A function that returns the entry of a pack in the index; None if it has none."""


class PackRequest(NamedTuple):
    """A requested pack: its source, and its version, branch, tag or commit (None: the default)."""

    source: str
    version: str | None


def parse(text: str) -> PackRequest:
    """Parses `source[=version]`. Raises `InvalidError`."""
    source, separator, version = text.strip().rpartition("=")
    if not separator or ("/" in version.partition("?")[0] and "://" in version):
        source, version = text.strip(), ""
    malformed = not source or source.startswith("-") or version.startswith("-")
    if malformed or not all(character.isprintable() for character in text):
        raise InvalidError(
            f'"{text}" is not a source of a pack: give a name in the index, owner/repository, a URL, or a path'
        )
    return PackRequest(source, version or None)


def fetch(request: PackRequest, into: Path, lookup: Lookup, env: Mapping[str, str]) -> None:
    """Writes the pack's files to the folder `into`, which must not exist yet. Raises `InvalidError`."""
    source, version = request
    path = _local(source)
    if path is not None:
        _fetch_local(path, version, into, env)
    elif _NAME.fullmatch(source):
        entry = lookup(source)
        if entry is None or not entry.get("repo_url"):
            raise InvalidError(f'No record of the "{source}" pack in the index.')
        url = str(entry["repo_url"])
        place = _local(url)
        _clone(url, version, into, env) if place is None else _fetch_local(place, version, into, env)
    elif _GITHUB.fullmatch(source):
        _clone(f"https://github.com/{source}", version, into, env)
    elif source.startswith(("http://", "https://")) and urlsplit(source).path.endswith(_ARCHIVES):
        _download(source, into)
    elif "://" in source or "@" in source:
        _clone(source, version, into, env)
    else:
        raise InvalidError(
            f'"{source}" is not a source of a pack: give a name in the index, owner/repository, a URL, or a path'
        )
    _lift(into)


def _local(source: str) -> Path | None:
    """Returns the path of a source on this machine; None if the source is elsewhere."""
    if source.startswith("file://"):
        return Path(unquote(urlsplit(source).path))
    if source.startswith(("/", "./", "../", "~")):
        return Path(source).expanduser()
    return None


def _fetch_local(path: Path, version: str | None, into: Path, env: Mapping[str, str]) -> None:
    if path.is_file():
        if not path.name.endswith(_ARCHIVES):
            raise InvalidError(f"{path}: a file must be one of {', '.join(_ARCHIVES)}")
        return _extract(path, into)
    if not path.is_dir():
        raise InvalidError(f"{path}: no such folder or file")
    is_repository = (path / ".git").exists() or ((path / "HEAD").is_file() and (path / "objects").is_dir())
    if is_repository:
        return _clone(path.resolve().as_uri(), version, into, env)
    if version is not None:
        raise InvalidError(f"{path}: not a git repository, so it has no version {version}")
    print(f"Copying {path} ...", flush=True)
    try:
        shutil.copytree(path, into, symlinks=True)
    except (OSError, shutil.Error) as error:
        raise InvalidError(f"{path} cannot be copied: {error}") from error
    return None


def _clone(url: str, version: str | None, into: Path, env: Mapping[str, str]) -> None:
    git_env = {**env, "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true", "GIT_CONFIG_COUNT": "1"}
    # git refuses repositories of other users. Cloning one is safe, because it runs no code of the repository.
    git_env |= {"GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    if shutil.which("git", path=env.get("PATH")) is None:
        raise InvalidError("git is not installed on the server: install it, or install the pack from a folder")
    run(["git", "clone", "--progress", "--", url, str(into)], f"{url} cannot be cloned", git_env)
    if version is not None:
        _check_out(version, url, into, git_env)
    if (into / ".gitmodules").is_file():
        # git refuses submodules from folders, so that a remote repository cannot name folders of this machine.
        local = ["-c", "protocol.file.allow=always"] if url.startswith("file://") else []
        words = ["git", *local, "submodule", "update", "--init", "--recursive", "--progress"]
        run(words, f"the submodules of {url} cannot be fetched", git_env, into)


def _check_out(version: str, url: str, into: Path, git_env: Mapping[str, str]) -> None:
    """Checks out a branch, tag or commit. Raises `InvalidError` that lists the available versions."""
    for name in (f"origin/{version}", version, f"v{version}"):
        if output(["git", "rev-parse", "--verify", "-q", f"{name}^{{commit}}"], git_env, into) is not None:
            run(
                ["git", "-c", "advice.detachedHead=false", "checkout", name],
                f"{name} cannot be checked out",
                git_env,
                into,
            )
            return
    tags = (output(["git", "tag"], git_env, into) or "").splitlines()
    versions = [match[1] for tag in tags if (match := _VERSION.fullmatch(tag))]
    remove(into.parent, into)
    raise InvalidError(
        f"{version} is not a valid version, hash, tag or branch of {url}. "
        f"Available versions are: {', '.join(versions) or 'none'}."
    )


def _download(url: str, into: Path) -> None:
    print(f"Downloading {url} ...", flush=True)
    archive = into.with_name("download" + next(end for end in _ARCHIVES if urlsplit(url).path.endswith(end)))
    try:
        with urllib.request.urlopen(url, timeout=60) as reply, open(archive, "wb") as file:  # noqa: S310 - http(s) only
            size = 0
            while piece := reply.read(1 << 20):
                size += len(piece)
                if size > _MOST_BYTES:
                    raise InvalidError(f"{url}: it is larger than {_MOST_BYTES} bytes")
                file.write(piece)
        print(f"{size} bytes", flush=True)
        _extract(archive, into)
    except OSError as error:
        raise InvalidError(f"{url} cannot be downloaded: {error}") from error
    finally:
        archive.unlink(missing_ok=True)


def _extract(path: Path, into: Path) -> None:
    """Extracts an archive. Raises `InvalidError` for entries outside of `into`, devices, and too large contents."""
    print(f"Extracting {path.name} ...", flush=True)
    try:
        if path.name.endswith(".zip"):
            with zipfile.ZipFile(path) as archive:
                infos = archive.infolist()
                _check_size(path, len(infos), sum(info.file_size for info in infos))
                for info in infos:
                    if not (into / info.filename).resolve().is_relative_to(into.resolve()):
                        raise InvalidError(f"{path.name}: {info.filename} is outside of the archive")
                archive.extractall(into)  # noqa: S202 - the loop has checked all names
                for info in infos:
                    if (mode := info.external_attr >> 16 & 0o777) and not info.is_dir():
                        (into / info.filename).chmod(mode | 0o600)
        else:
            with tarfile.open(path) as archive:
                members = archive.getmembers()
                _check_size(path, len(members), sum(member.size for member in members))
                archive.extractall(into, filter="data")
    except (OSError, tarfile.TarError, zipfile.BadZipFile, ValueError, EOFError, RuntimeError) as error:
        raise InvalidError(f"{path.name} cannot be extracted: {error}") from error


def _check_size(path: Path, count: int, size: int) -> None:
    if count > _MOST_ENTRIES or size > _MOST_BYTES:
        raise InvalidError(f"{path.name}: {count} files of {size} bytes are too many for a pack")


def _lift(into: Path) -> None:
    """Moves the files of an archive's only folder up to `into`. Raises `InvalidError` if `pack.yaml` is missing."""
    if (into / "pack.yaml").is_file():
        return
    inner = [path for path in into.iterdir() if not path.name.startswith(".")]
    is_folder = len(inner) == 1 and inner[0].is_dir() and not inner[0].is_symlink()
    if is_folder and (inner[0] / "pack.yaml").is_file():
        temporary = into.with_name("lifted")
        inner[0].rename(temporary)
        remove(into.parent, into)
        temporary.rename(into)
        return
    raise InvalidError(f"pack.yaml is missing: {', '.join(sorted(path.name for path in inner))[:200]}")


def check_tree(folder: Path, largest: int) -> None:
    """Raises `InvalidError` if a pack has a link to a path outside of it, or a file of more than `largest` bytes."""
    root = folder.resolve()
    for parent, folders, names in os.walk(folder):
        if Path(parent) == folder and ".git" in folders:
            folders.remove(".git")
        for name in (*folders, *names):
            path = Path(parent) / name
            name_in_pack = path.relative_to(folder)
            if path.is_symlink() and not path.resolve().is_relative_to(root):
                raise InvalidError(f"{name_in_pack}: the link leads out of the pack, to {path.readlink()}")
            if path.is_file() and path.lstat().st_size > largest:
                size = path.lstat().st_size
                raise InvalidError(
                    f"{name_in_pack}: the file has {size} bytes, but the limit is {largest} (content.max_file_bytes)"
                )
