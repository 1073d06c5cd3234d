"""Loads packs from folders in StackStorm's layout. Leaves out broken files, and reports the file, line and key of each
fault with its fix. A broken file does not stop the others.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from squall.adapters import durable, reading
from squall.adapters.packs.document import read_yaml
from squall.adapters.packs.pack_content import Reports, load_pack, located_call
from squall.adapters.packs.texts import Texts
from squall.adapters.removing import remove
from squall.core.content.action import SYSTEM_PACKS, Pack, RunnerType
from squall.core.content.metadata import (
    pack_ref,
)
from squall.core.environment import is_of_environment, judged
from squall.core.errors import InvalidError, NotFoundError, UnavailableError
from squall.core.names import inner_path
from squall.ports import Loaded

_LOG = logging.getLogger("squall.packs")


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
        reports = Reports(faults, [], [])
        for ref, (folder, data) in folders.items():
            if only is not None and ref not in only:
                continue
            try:
                packs.append(load_pack(ref, folder, data, names, reports))
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
                    ref = located_call(path, lambda data=data, name=folder.name: pack_ref(data, name))
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


def _runner_types(path: Path) -> list[RunnerType]:
    return [
        msgspec.convert({**entry, "uid": f"runner_type:{entry['name']}", "id": ""}, RunnerType)
        for entry in read_yaml(path)
    ]
