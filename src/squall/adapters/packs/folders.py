"""Packs in folders, in StackStorm's layout. What is broken is left out and told: its file, line and key, and what is
right; nothing broken stops the rest.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec

from squall.adapters.packs.document import located, read_yaml, repeated_keys
from squall.adapters.packs.texts import Texts
from squall.adapters.removing import remove
from squall.core.content.action import SYSTEM_PACKS, Action, Pack, RunnerType, merged_parameters
from squall.core.content.metadata import (
    RESOURCES,
    LacksRunnerError,
    pack_ref,
    read_action,
    read_pack,
    read_resource,
)
from squall.core.content.metadata_words import MetadataError, doubts
from squall.core.errors import InvalidError, NotFoundError
from squall.core.execution.params import wrong_defaults
from squall.core.execution.policy import Policy, read_policy
from squall.core.names import inner_path
from squall.ports import Loaded, LoadedPack

_LOG = logging.getLogger("squall.packs")
_MOST_FILES = 10_000


class Staging(Protocol):
    """Versions of packs that are prepared beside those that are used."""

    def staged(self, ref: str, installation: str) -> Path | None:
        """The folder of the version that an installation has prepared, if there is one."""
        ...

    def activate(self, ref: str, installation: str) -> None:
        """Uses it from now on."""
        ...

    def discard(self, ref: str, installation: str) -> None:
        """Removes it."""
        ...


class PackFolders:
    """`ports.PackSource`: folders of packs, of which the first that has a pack of a ref wins.

    Packs that come with Squall (`SYSTEM_PACKS`, beside the folder `runners`) cannot be replaced: others of their refs
    are left out.

    `runners` holds files with lists of runner types, `more_runners` are further ones; `roots` are folders whose
    sub-folders are packs; where there is none yet, one of `may_miss` may come. `staging` has what is being installed.
    """

    def __init__(
        self,
        runners: Path,
        roots: Sequence[Path],
        more_runners: Sequence[Path] = (),
        may_miss: Collection[Path] = (),
        staging: Staging | None = None,
    ) -> None:
        self._runners = runners
        self._roots = roots
        self._more_runners = more_runners
        self._may_miss = may_miss
        self._staging = staging
        self._bundled = runners.parent
        self._replacements: list[str] = []
        self._texts = Texts()

    def load(self, only: Collection[str] | None = None) -> Loaded:
        """Every runner type, and every pack with its content, or only those packs; what is broken is also logged."""
        faults: list[tuple[str, str]] = []
        return self._loaded(self._folders(faults), only, faults)

    def _loaded(
        self, folders: dict[str, tuple[Path, Any]], only: Collection[str] | None, faults: list[tuple[str, str]]
    ) -> Loaded:
        files = [*sorted(self._runners.glob("*.yaml")), *self._more_runners]
        runners = [runner for path in files for runner in _runner_types(path)]
        names = {runner.name: runner for runner in runners}
        packs = []
        reports = _Reports(faults, [], [])
        for ref, (folder, data) in folders.items():
            if only is not None and ref not in only:
                continue
            try:
                packs.append(_load(ref, folder, data, names, reports))
            except InvalidError as error:
                _LOG.error("pack left out", extra={"error": str(error)})
                faults.append((ref, str(error)))
        # What cannot be read now, as somebody is writing it, is not gone: what is known of it stays.
        refs = [*folders, *(name for name, _ in faults)]
        return Loaded(runners, packs, faults, refs, reports.doubts, reports.lacking)

    def _folders(self, faults: list[tuple[str, str]]) -> dict[str, tuple[Path, Any]]:
        """The folder and the `pack.yaml` of each pack by its ref."""
        found: dict[str, tuple[Path, Any]] = {}
        replacements: list[str] = []
        for root in self._roots:
            if not root.is_dir():
                if root not in self._may_miss:
                    _LOG.warning("no such folder of packs", extra={"path": str(root)})
                continue
            for folder in sorted(root.iterdir()):
                path = folder / "pack.yaml"
                if folder.name.startswith(".") or not path.is_file():
                    continue
                try:
                    data = read_yaml(path)
                    ref = _located(path, lambda data=data, name=folder.name: pack_ref(data, name))
                    if self._replaces_bundled(ref, root):
                        replacements.append(str(folder))
                        continue
                    other = found.setdefault(ref, (folder, data))[0]
                    if other != folder and other.parent == root:
                        raise InvalidError(f'{path}: the pack "{ref}" is in {other} already')
                except InvalidError as error:
                    _LOG.error("pack left out", extra={"error": str(error)})
                    faults.append((folder.name, str(error)))
        self._warn(replacements)
        return found

    def _replaces_bundled(self, ref: str, root: Path) -> bool:
        """Whether a pack in `root` would replace one that comes with Squall."""
        return ref in SYSTEM_PACKS and root != self._bundled and (self._bundled / ref / "pack.yaml").is_file()

    def _warn(self, replacements: list[str]) -> None:
        """Logs the packs that were left out for Squall's own, once until they are others."""
        if replacements and replacements != self._replacements:
            _LOG.warning(
                "packs left out, as Squall has its own of these names", extra={"paths": ", ".join(replacements)}
            )
        self._replacements = replacements

    def prepared(self, refs: Collection[str], installation: str = "") -> Loaded:
        """What is in the versions of packs that were prepared and are not used yet."""
        faults: list[tuple[str, str]] = []
        folders: dict[str, tuple[Path, Any]] = {}
        for ref in refs:
            folder = self._staging.staged(ref, installation) if self._staging is not None else None
            if folder is not None:
                try:
                    folders[ref] = (folder, read_yaml(folder / "pack.yaml"))
                except InvalidError as error:
                    faults.append((ref, str(error)))
        return self._loaded(folders, None, faults)

    def activate(self, refs: Collection[str], installation: str = "") -> None:
        """Uses the prepared versions of packs from now on."""
        for ref in refs:
            if self._staging is not None:
                self._staging.activate(ref, installation)

    def discard(self, refs: Collection[str], installation: str = "") -> None:
        """Removes the prepared versions of packs."""
        for ref in refs:
            if self._staging is not None:
                self._staging.discard(ref, installation)

    def file(self, pack: Pack, name: str) -> bytes:
        """A file of a pack. Raises `InvalidError` for one that lies elsewhere, `NotFoundError`."""
        path = _inside(pack, name)
        try:
            return path.read_bytes()
        except OSError as error:
            raise NotFoundError(f'File "{name}" not found') from error

    def write_files(self, pack: Pack, files: Mapping[str, bytes]) -> None:
        """Writes files of a pack, by their paths in it. Raises `InvalidError`."""
        if Path(pack.path).resolve().is_relative_to(self._runners.parent.resolve()):
            raise InvalidError(f'The pack "{pack.ref}" comes with Squall: its files are not changed')
        for name, data in files.items():
            path = _entry(pack, name)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                _replace(path, data)
            except OSError as error:
                raise InvalidError(f'File "{name}" of pack "{pack.ref}" cannot be written: {error}') from error

    def remove_files(self, pack: Pack, names: Collection[str]) -> None:
        """Removes files of a pack; those that are not there do not matter. Raises `InvalidError`."""
        for name in names:
            try:
                remove(Path(pack.path), _entry(pack, name))
            except OSError as error:
                raise InvalidError(f'File "{name}" of pack "{pack.ref}" cannot be removed: {error}') from error

    def text(self, path: str) -> str:
        """The text of a file of a pack. Raises `InvalidError`."""
        try:
            return self._texts.read(path)
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidError(f"The file {path} cannot be read: {error}") from error


def _inside(pack: Pack, name: str) -> Path:
    """The path of a file of a pack. Raises `InvalidError` for one that lies elsewhere."""
    folder = Path(pack.path).resolve()
    try:
        path = (folder / inner_path(name)).resolve()
    except (InvalidError, ValueError, OSError) as error:
        raise _outside(name, folder) from error
    if not path.is_relative_to(folder):
        raise _outside(name, folder)
    return path


def _entry(pack: Pack, name: str) -> Path:
    """The path of a file of a pack that is written or removed: the entry itself, not what it leads to if it is a link.

    Raises `InvalidError` for one that lies outside of the pack's folder `actions`.
    """
    folder = Path(pack.path).resolve()
    try:
        path = folder / inner_path(name)
        parent = path.parent.resolve()
    except (InvalidError, ValueError, OSError) as error:
        raise _outside(name, folder) from error
    if not parent.is_relative_to(folder / "actions"):
        raise _outside(name, folder)
    return parent / path.name


def _outside(name: str, folder: Path) -> InvalidError:
    return InvalidError(
        f'Invalid file path: "{name:.200}". File path needs to be relative to the pack directory ({folder}). '
        'For example "my_action.py".'
    )


def _replace(path: Path, data: bytes) -> None:
    """Writes a file at once: whoever reads it sees all of the old bytes, or all of the new. A link is replaced."""
    beside = path.with_name(f".{path.name[:200]}.new")
    # An entry point may be a script.
    mode = 0o700 if data.startswith(b"#!") else 0o600
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.chmod(mode)
    beside.replace(path)


def _located(path: Path, work: Any) -> Any:
    """What `work` gives; a `MetadataError` in it is told with the file and the line."""
    try:
        return work()
    except MetadataError as error:
        raise located(path, error) from error


def _runner_types(path: Path) -> list[RunnerType]:
    return [
        msgspec.convert({**entry, "uid": f"runner_type:{entry['name']}", "id": ""}, RunnerType)
        for entry in read_yaml(path)
    ]


class _Reports(NamedTuple):
    """(pack, message) of what is left out, of what is used although it is hardly meant so, and of actions that are left
    out because this server lacks their runner."""

    faults: list[tuple[str, str]]
    doubts: list[tuple[str, str]]
    lacking: list[tuple[str, str]]

    def doubt(self, pack: str, path: Path, errors: Iterator[MetadataError]) -> None:
        """Tells what is doubtful in a file, and which keys it has twice."""
        for message in (*repeated_keys(path), *(str(located(path, error)) for error in errors)):
            _LOG.warning("doubtful metadata", extra={"pack": pack, "error": message})
            self.doubts.append((pack, message))


def _action_doubts(data: Any, action: Action, runners: Mapping[str, RunnerType]) -> Iterator[MetadataError]:
    yield from doubts("actions", data)
    schemas = merged_parameters(action, runners[action.runner_type])
    own = {name: schema for name, schema in schemas.items() if "default" in action.parameters.get(name, {})}
    for keys, reason in wrong_defaults(own):
        yield MetadataError(f"{reason}; the action fails when it runs with it", "parameters", *keys, "default")


def _load(ref: str, folder: Path, data: Any, runners: dict[str, RunnerType], reports: _Reports) -> LoadedPack:
    real = folder.resolve()
    pack: Pack = _located(folder / "pack.yaml", lambda: read_pack(data, folder.name, str(real), _files(folder)))
    reports.doubt(ref, folder / "pack.yaml", doubts("pack", data))
    content = _Content(real, ref, reports)
    actions: list[Action] = content.each(
        "actions",
        lambda document, file: read_action(document, ref, file, runners),
        lambda document, action: _action_doubts(document, action, runners),
    )
    policies: list[Policy] = content.each("policies", lambda found, file: read_policy(found, ref, file))
    counts = {"actions": len(actions), "policies": len(policies)}
    for kind in RESOURCES:
        counts[kind] = len(content.each(kind, lambda found, _, kind=kind: _Named(read_resource(kind, found, ref))))
    return LoadedPack(pack, actions, policies, counts)


class _Named(msgspec.Struct):
    name: str


class _Content:
    """The metadata files of one pack, kind by kind."""

    def __init__(self, folder: Path, pack: str, reports: _Reports) -> None:
        self._folder = folder
        self._pack = pack
        self._reports = reports

    def each(self, kind: str, read: Any, doubt: Any = None) -> list[Any]:
        """What `read(document, path in the pack)` makes of each file; what is wrong is told and left out. What
        `doubt(document, what was read)` yields is told."""
        found: dict[str, Any] = {}
        for path in _yaml_files(self._folder / kind):
            try:
                if not path.resolve().is_relative_to(self._folder):
                    raise InvalidError(f"{path}: it is a link to a file outside of the pack")
                document = read_yaml(path)
                one = _located(path, lambda path=path, document=document: read(document, f"{kind}/{path.name}"))
                if one.name in found:
                    raise InvalidError(f'{path}: another file of this pack is "{self._pack}.{one.name}" already')
                found[one.name] = one
                self._reports.doubt(self._pack, path, doubt(document, one) if doubt else doubts(kind, document))
            except InvalidError as error:
                told = str(error) if str(path) in str(error) else f"{path}: {error}"
                lacks_runner = isinstance(error.__cause__, LacksRunnerError)
                level = logging.WARNING if lacks_runner else logging.ERROR
                _LOG.log(level, f"{_ONE[kind]} left out", extra={"pack": self._pack, "error": told})
                reports = self._reports.lacking if lacks_runner else self._reports.faults
                reports.append((self._pack, told))
        return list(found.values())


_ONE = {
    "actions": "action", "aliases": "alias", "policies": "policy", "rules": "rule", "sensors": "sensor",
    "triggers": "trigger",
}  # fmt: skip


def _yaml_files(folder: Path) -> Iterator[Path]:
    """The metadata files in a folder, not below it."""
    try:
        paths = sorted(folder.iterdir())
    except OSError:
        return
    yield from (path for path in paths if path.suffix in (".yaml", ".yml") and not path.name.startswith("."))


def _files(folder: Path) -> list[str]:
    """What lies in a pack's folder, except for what is hidden and what Python has compiled."""
    found: list[str] = []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__pycache__")
        below = Path(root).relative_to(folder)
        found += [str(below / name) for name in sorted(names) if not name.startswith(".")]
        if len(found) > _MOST_FILES:
            return found[:_MOST_FILES]
    return found
