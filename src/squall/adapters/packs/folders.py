"""Loads packs from folders in StackStorm's layout. Leaves out broken files, and reports the file, line and key of each
fault with its fix. A broken file does not stop the others.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec

from squall.adapters import durable, reading
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
from squall.core.environment import is_of_environment, judged
from squall.core.errors import InvalidError, NotFoundError, UnavailableError
from squall.core.execution.params import wrong_defaults
from squall.core.execution.policy import Policy, read_policy
from squall.core.names import inner_path
from squall.ports import Loaded, LoadedPack

_LOG = logging.getLogger("squall.packs")
_MOST_FILES = 10_000


class Staging(Protocol):
    """The prepared versions of packs, which are not active yet."""

    def staged(self, ref: str, installation: str) -> Path | None:
        """Returns the folder of the version that an installation has prepared; None if there is none."""
        ...

    def activate(self, ref: str, installation: str) -> None:
        """Makes the prepared version the active one."""
        ...

    def discard(self, ref: str, installation: str) -> None:
        """Deletes the prepared version."""
        ...


class PackFolders:
    """`ports.PackSource` for folders of packs. If several folders have a pack of the same ref, the first one wins.

    Other packs cannot replace those that come with Squall (`SYSTEM_PACKS`, beside the folder `runners`): packs with the
    same refs are left out.

    `runners` is the folder of files with lists of runner types; `more_runners` are further such files. `roots` are
    folders whose sub-folders are packs. A missing root is logged unless it is in `may_miss`. `staging` holds the
    prepared versions.
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
        self._logged_replacements: list[str] = []
        self._texts = Texts()

    def load(self, only: Collection[str] | None = None) -> Loaded:
        """Returns all runner types, and all packs with their content, or only the packs in `only`. Logs faults too."""
        faults: list[tuple[str, str]] = []
        unread: list[str] = []
        return self._load_packs(self._folders(faults, unread), only, faults, unread)

    def _load_packs(
        self,
        folders: dict[str, tuple[Path, Any]],
        only: Collection[str] | None,
        faults: list[tuple[str, str]],
        unread: list[str],
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
            except (InvalidError, UnavailableError) as error:
                if is_of_environment(error):
                    unread.append(ref)
                _LOG.error("pack left out", extra={"error": str(error)})
                faults.append((ref, str(error)))
        # A person may be writing a file that cannot be read now, so its pack stays registered.
        refs = [*folders, *(name for name, _ in faults)]
        return Loaded(runners, packs, faults, refs, reports.doubts, reports.lacking, unread)

    def _folders(self, faults: list[tuple[str, str]], unread: list[str]) -> dict[str, tuple[Path, Any]]:
        """Returns the folder and the document of `pack.yaml` of each pack by ref."""
        folders: dict[str, tuple[Path, Any]] = {}
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
                    other = folders.setdefault(ref, (folder, data))[0]
                    if other != folder and other.parent == root:
                        raise InvalidError(f'{path}: the pack "{ref}" is in {other} already')
                except (InvalidError, UnavailableError) as error:
                    if is_of_environment(error):
                        unread.append(folder.name)
                    _LOG.error("pack left out", extra={"error": str(error)})
                    faults.append((folder.name, str(error)))
        self._warn(replacements)
        return folders

    def _replaces_bundled(self, ref: str, root: Path) -> bool:
        """Returns True if a pack in `root` would replace one that comes with Squall."""
        return ref in SYSTEM_PACKS and root != self._bundled and (self._bundled / ref / "pack.yaml").is_file()

    def _warn(self, replacements: list[str]) -> None:
        """Logs the packs that were left out because Squall has its own. Logs the same packs only once."""
        if replacements and replacements != self._logged_replacements:
            _LOG.warning(
                "packs left out, as Squall has its own of these names", extra={"paths": ", ".join(replacements)}
            )
        self._logged_replacements = replacements

    def prepared(self, refs: Collection[str], installation: str = "") -> Loaded:
        """Returns the content of the prepared versions of packs, which are not active yet."""
        faults: list[tuple[str, str]] = []
        folders: dict[str, tuple[Path, Any]] = {}
        for ref in refs:
            folder = self._staging.staged(ref, installation) if self._staging is not None else None
            if folder is not None:
                try:
                    folders[ref] = (folder, read_yaml(folder / "pack.yaml"))
                except (InvalidError, UnavailableError) as error:
                    faults.append((ref, str(error)))
        return self._load_packs(folders, None, faults, [])

    def activate(self, refs: Collection[str], installation: str = "") -> None:
        """Makes the prepared versions of packs the active ones."""
        for ref in refs:
            if self._staging is not None:
                self._staging.activate(ref, installation)

    def discard(self, refs: Collection[str], installation: str = "") -> None:
        """Deletes the prepared versions of packs."""
        for ref in refs:
            if self._staging is not None:
                self._staging.discard(ref, installation)

    def file(self, pack: Pack, name: str) -> bytes:
        """Returns the bytes of a file of a pack. Raises `InvalidError` for a path outside of the pack,
        `NotFoundError`."""
        path = _inside(pack, name)
        try:
            return reading.read_bytes(path)
        except OSError as error:
            raise judged(error, NotFoundError(f'File "{name}" not found')) from error

    def write_files(self, pack: Pack, files: Mapping[str, bytes]) -> None:
        """Writes files of a pack, by their paths in it. Raises `InvalidError`."""
        if Path(pack.path).resolve().is_relative_to(self._runners.parent.resolve()):
            raise InvalidError(f'The pack "{pack.ref}" comes with Squall, so its files cannot be changed')
        for name, data in files.items():
            path = _entry(pack, name)
            try:
                durable.make_folder(path.parent, 0o777)
                _replace(path, data)
            except OSError as error:
                message = f'File "{name}" of pack "{pack.ref}" cannot be written: {error}'
                raise judged(error, InvalidError(message)) from error

    def remove_files(self, pack: Pack, names: Collection[str]) -> None:
        """Deletes files of a pack. Ignores missing ones. Raises `InvalidError`."""
        for name in names:
            try:
                remove(Path(pack.path), _entry(pack, name))
            except OSError as error:
                message = f'File "{name}" of pack "{pack.ref}" cannot be removed: {error}'
                raise judged(error, InvalidError(message)) from error

    def text(self, path: str) -> str:
        """Returns the text of a file of a pack. Raises `InvalidError`."""
        try:
            return self._texts.read(path)
        except (OSError, UnicodeDecodeError) as error:
            raise judged(error, InvalidError(f"The file {path} cannot be read: {error}")) from error


def _inside(pack: Pack, name: str) -> Path:
    """Returns the path of a file of a pack. Raises `InvalidError` for a path outside of the pack."""
    folder = Path(pack.path).resolve()
    try:
        path = (folder / inner_path(name)).resolve()
    except (InvalidError, ValueError, OSError) as error:
        raise _outside(name, folder) from error
    if not path.is_relative_to(folder):
        raise _outside(name, folder)
    return path


def _entry(pack: Pack, name: str) -> Path:
    """Returns the path of a file of a pack for writing or deleting. If the file is a link, this is the path of the link
    itself, not that of its target.

    Raises `InvalidError` for a path outside of the pack's folder `actions`.
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
    """Replaces a file, or a link, in one step: readers see either all old bytes or all new ones."""
    # An entry point may be a script, which must be executable.
    mode = 0o700 if data.startswith(b"#!") else 0o600
    durable.write(path, data, mode)


def _located(path: Path, work: Any) -> Any:
    """Returns the result of `work`. Raises `InvalidError` with the file and the line for a `MetadataError` in it."""
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
    """The reports as (pack, message): faults, which leave out files; doubts about metadata that is used; and actions
    that are left out because this server lacks their runner."""

    faults: list[tuple[str, str]]
    doubts: list[tuple[str, str]]
    lacking: list[tuple[str, str]]

    def doubt(self, pack: str, path: Path, errors: Iterator[MetadataError]) -> None:
        """Reports the doubtful metadata of a file, and its repeated keys."""
        for message in (*repeated_keys(path), *(str(located(path, error)) for error in errors)):
            _LOG.warning("doubtful metadata", extra={"pack": pack, "error": message})
            self.doubts.append((pack, message))


def _action_doubts(data: Any, action: Action, runners: Mapping[str, RunnerType]) -> Iterator[MetadataError]:
    yield from doubts("actions", data)
    schemas = merged_parameters(action, runners[action.runner_type])
    with_default = {name: schema for name, schema in schemas.items() if "default" in action.parameters.get(name, {})}
    for keys, reason in wrong_defaults(with_default):
        yield MetadataError(f"{reason}; the action fails when it runs with it", "parameters", *keys, "default")


def _load(ref: str, folder: Path, data: Any, runners: dict[str, RunnerType], reports: _Reports) -> LoadedPack:
    real = folder.resolve()
    pack: Pack = _located(folder / "pack.yaml", lambda: read_pack(data, folder.name, str(real), _files(folder)))
    reports.doubt(ref, folder / "pack.yaml", doubts("pack", data))
    content = _Content(real, ref, reports)
    actions: list[Action] = content.read_all(
        "actions",
        lambda document, file: read_action(document, ref, file, runners),
        lambda document, action: _action_doubts(document, action, runners),
    )
    policies: list[Policy] = content.read_all("policies", lambda document, file: read_policy(document, ref, file))
    counts = {"actions": len(actions), "policies": len(policies)}
    for kind in RESOURCES:
        counts[kind] = len(
            content.read_all(kind, lambda document, _, kind=kind: _Named(read_resource(kind, document, ref)))
        )
    return LoadedPack(pack, actions, policies, counts)


class _Named(msgspec.Struct):
    name: str


class _Content:
    """The metadata files of one pack, kind by kind."""

    def __init__(self, folder: Path, pack: str, reports: _Reports) -> None:
        self._folder = folder
        self._pack = pack
        self._reports = reports

    def read_all(self, kind: str, read: Any, doubt: Any = None) -> list[Any]:
        """Returns the resources that `read(document, path in the pack)` returns for each file of a kind.

        Reports faults and leaves out their files. Reports the doubts that `doubt(document, resource)` yields."""
        resources: dict[str, Any] = {}
        for path in _yaml_files(self._folder / kind):
            try:
                if not path.resolve().is_relative_to(self._folder):
                    raise InvalidError(f"{path}: the link leads to a file outside of the pack")
                document = read_yaml(path)
                resource = _located(path, lambda path=path, document=document: read(document, f"{kind}/{path.name}"))
                if resource.name in resources:
                    raise InvalidError(f'{path}: another file of this pack is "{self._pack}.{resource.name}" already')
                resources[resource.name] = resource
                self._reports.doubt(self._pack, path, doubt(document, resource) if doubt else doubts(kind, document))
            except InvalidError as error:
                message = str(error) if str(path) in str(error) else f"{path}: {error}"
                lacks_runner = isinstance(error.__cause__, LacksRunnerError)
                level = logging.WARNING if lacks_runner else logging.ERROR
                _LOG.log(level, f"{_ONE[kind]} left out", extra={"pack": self._pack, "error": message})
                reports = self._reports.lacking if lacks_runner else self._reports.faults
                reports.append((self._pack, message))
        return list(resources.values())


_ONE = {
    "actions": "action", "aliases": "alias", "policies": "policy", "rules": "rule", "sensors": "sensor",
    "triggers": "trigger",
}  # fmt: skip


def _yaml_files(folder: Path) -> Iterator[Path]:
    """Yields the metadata files in a folder, without those of its sub-folders."""
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        if is_of_environment(error):
            raise UnavailableError(f"The folder {folder} cannot be read: {error}") from error
        return
    yield from (path for path in paths if path.suffix in (".yaml", ".yml") and not path.name.startswith("."))


def _files(folder: Path) -> list[str]:
    """Returns the paths of the files in a pack's folder, without hidden files and Python's compiled ones."""
    paths: list[str] = []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__pycache__")
        below = Path(root).relative_to(folder)
        paths += [str(below / name) for name in sorted(names) if not name.startswith(".")]
        if len(paths) > _MOST_FILES:
            return paths[:_MOST_FILES]
    return paths
