"""Reads the content of one pack: its file, its actions, policies, trigger types and rules.

Leaves out broken files, and reports the file, line and key of each fault with its fix.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from squall.adapters.packs.document import located, read_yaml, repeated_keys
from squall.core.content.action import Action, Pack, RunnerType, merged_parameters
from squall.core.content.metadata import LacksRunnerError, read_action, read_pack, read_resource
from squall.core.content.metadata_words import MetadataError, doubts
from squall.core.environment import is_of_environment
from squall.core.errors import InvalidError, UnavailableError
from squall.core.event.rules.reading import read_rule, read_trigger_type
from squall.core.event.rules.records import Rule, TriggerType
from squall.core.execution.params import wrong_defaults
from squall.core.execution.policy import Policy, read_policy
from squall.ports import LoadedPack

_LOG = logging.getLogger("squall.packs")
_MOST_FILES = 10_000


class Reports(NamedTuple):
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


def load_pack(ref: str, folder: Path, data: Any, runners: dict[str, RunnerType], reports: Reports) -> LoadedPack:
    """Returns the pack in a folder, whose `pack.yaml` is `data`. Raises `InvalidError` if that is wrong."""
    real = folder.resolve()
    pack: Pack = located_call(folder / "pack.yaml", lambda: read_pack(data, folder.name, str(real), _files(folder)))
    reports.doubt(ref, folder / "pack.yaml", doubts("pack", data))
    content = _Content(real, ref, reports)
    actions: list[Action] = content.read_all(
        "actions",
        lambda document, file: read_action(document, ref, file, runners),
        lambda document, action: _action_doubts(document, action, runners),
    )
    policies: list[Policy] = content.read_all("policies", lambda document, file: read_policy(document, ref, file))
    types: list[TriggerType] = content.read_all(
        "triggers", lambda document, file: read_trigger_type(document, ref, file)
    )
    rules: list[Rule] = content.read_all("rules", lambda document, file: read_rule(document, ref, file))
    sensors: list[_Named] = content.read_all("sensors", lambda document, file: _sensor(document, ref, file))
    aliases = content.read_all("aliases", lambda document, _: _Named(read_resource("aliases", document, ref)))
    counts = {
        "actions": len(actions), "policies": len(policies), "aliases": len(aliases), "rules": len(rules),
        "sensors": len(sensors), "triggers": len(types),
    }  # fmt: skip
    by_ref = {each.ref: each for sensor in sensors for each in sensor.trigger_types}
    by_ref |= {each.ref: each for each in types}
    return LoadedPack(pack, actions, policies, counts, list(by_ref.values()), rules)


class _Named(msgspec.Struct):
    """A resource that is only counted: its name, and the trigger types of a sensor."""

    name: str
    trigger_types: list[TriggerType] = []


def _sensor(document: Any, pack: str, file: str) -> _Named:
    name = read_resource("sensors", document, pack)
    return _Named(name, [read_trigger_type(each, pack, file) for each in document.get("trigger_types") or []])


class _Content:
    """The metadata files of one pack, kind by kind."""

    def __init__(self, folder: Path, pack: str, reports: Reports) -> None:
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
                resource = located_call(
                    path, lambda path=path, document=document: read(document, f"{kind}/{path.name}")
                )
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


def located_call(path: Path, work: Any) -> Any:
    """Returns the result of `work`. Raises `InvalidError` with the file and the line for a `MetadataError` in it."""
    try:
        return work()
    except MetadataError as error:
        raise located(path, error) from error


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
