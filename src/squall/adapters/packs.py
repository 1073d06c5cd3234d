"""Packs in folders, in StackStorm's layout: `pack.yaml`, `actions/*.yaml`. What is broken is left out and logged."""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from squall.core.action import LIMIT_POLICIES, Action, Pack, RunnerType, merged_parameters
from squall.core.errors import InvalidError, NotFoundError
from squall.core.policy import Policy, make_policy
from squall.core.units import parse_size
from squall.ports import Loaded

_LOG = logging.getLogger("squall.packs")
_REF = re.compile(r"^[a-z0-9_]+$")
_MOST_FILES = 10_000
_PARAMETER = re.compile(r"^\w+$")
_TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _read(path: Path) -> Any:
    """The document in a YAML file. Raises `InvalidError` that names the file."""
    try:
        return yaml.load(path.read_bytes(), Loader=_LOADER)  # noqa: S506 - a safe loader, in C where there is one
    except (OSError, yaml.YAMLError, ValueError) as error:
        raise InvalidError(f"{path}: {error}") from error


class PackFolders:
    """`ports.PackSource`: folders of packs, later ones replacing packs of the same ref in earlier ones.

    `runners` holds files with lists of runner types, `more_runners` are further ones; `roots` are folders whose
    sub-folders are packs.
    """

    def __init__(self, runners: Path, roots: Sequence[Path], more_runners: Sequence[Path] = ()) -> None:
        self._runners = runners
        self._roots = roots
        self._more_runners = more_runners

    def load(self) -> Loaded:
        """Every runner type, and every pack with its actions; what is broken is also told in the log."""
        faults: list[tuple[str, str]] = []
        files = [*sorted(self._runners.glob("*.yaml")), *self._more_runners]
        runners = [runner for path in files for runner in _runner_types(path)]
        names = {runner.name: runner for runner in runners}
        packs: dict[str, tuple[Pack, list[Action]]] = {}
        for root in self._roots:
            if not root.is_dir():
                _LOG.warning("no such folder of packs", extra={"path": str(root)})
                continue
            for folder in sorted(root.iterdir()):
                if not (folder / "pack.yaml").is_file():
                    continue
                try:
                    pack = _pack(folder)
                except InvalidError as error:
                    _LOG.error("pack left out", extra={"error": str(error)})
                    faults.append((folder.name, str(error)))
                    continue
                packs[pack.ref] = (pack, _actions(folder, pack.ref, names, faults))
        return Loaded(runners, list(packs.values()), faults)

    def file(self, pack: Pack, name: str) -> bytes:
        """A file of a pack. Raises `InvalidError` for one that lies elsewhere, `NotFoundError`."""
        folder = Path(pack.path)
        path = (folder / name).resolve()
        if not path.is_relative_to(folder):
            raise InvalidError(
                f'Invalid file path: "{name}". File path needs to be relative to the pack directory ({folder}). '
                'For example "my_action.py".'
            )
        try:
            return path.read_bytes()
        except OSError as error:
            raise NotFoundError(f'File "{name}" not found') from error

    def text(self, path: str) -> str:
        """The text of a file of a pack. Raises `InvalidError`."""
        try:
            return Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidError(f"The file {path} cannot be read: {error}") from error

    def policies(self) -> dict[str, Policy]:
        """Every policy in the `policies` folders of packs, by ref."""
        folders: dict[str, Path] = {}
        for path in (path for root in self._roots for path in sorted(root.glob("*/pack.yaml"))):
            with contextlib.suppress(InvalidError):
                folders[_pack(path.parent).ref] = path.parent
        found: dict[str, Policy] = {}
        for pack, folder in folders.items():
            for path in sorted([*(folder / "policies").glob("*.yaml"), *(folder / "policies").glob("*.yml")]):
                try:
                    policy = _policy(path, pack)
                    if policy.ref in found:
                        raise InvalidError(f'another file of this pack is "{policy.ref}" already')
                    found[policy.ref] = policy
                except InvalidError as error:
                    _LOG.error("policy left out", extra={"pack": pack, "error": f"{path}: {error}"})
        return found


def _runner_types(path: Path) -> list[RunnerType]:
    return [
        msgspec.convert({**entry, "uid": f"runner_type:{entry['name']}", "id": ""}, RunnerType) for entry in _read(path)
    ]


def _pack(folder: Path) -> Pack:
    data = _read(folder / "pack.yaml")
    if not isinstance(data, dict):
        raise InvalidError(f"{folder / 'pack.yaml'}: expected a mapping")
    ref = str(data.get("ref") or data.get("name") or folder.name)
    if not _REF.match(ref):
        raise InvalidError(f'{folder / "pack.yaml"}: ref "{ref}" may only hold lower case letters, digits and "_"')
    listed: dict[str, list[str]] = {}
    for name in ("keywords", "python_versions", "contributors", "dependencies"):
        values = data.get(name) or []
        if not isinstance(values, list):
            raise InvalidError(f"{folder / 'pack.yaml'}: {name}: expected a list")
        listed[name] = [str(value) for value in values]
    system, needs = data.get("system") or {}, data.get("stackstorm_version")
    if not isinstance(system, dict):
        raise InvalidError(f"{folder / 'pack.yaml'}: system: expected a mapping")
    description = data.get("description")
    return Pack(
        ref=ref,
        name=str(data.get("name") or ref),
        description=None if description is None else str(description),
        version=str(data.get("version", "")),
        author=str(data.get("author", "")),
        email=str(data.get("email", "")),
        **listed,
        stackstorm_version=None if needs is None else str(needs),
        files=_files(folder),
        system=system,
        uid=f"pack:{ref}",
        path=str(folder.resolve()),
        id="",
    )


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


def _policy(path: Path, pack: str) -> Policy:
    data = _read(path)
    if not isinstance(data, dict):
        raise InvalidError("expected a mapping")
    if data.get("resource_type", "action") != "action":
        raise InvalidError(f"resource_type: {data['resource_type']!r} is not 'action'")
    given = {key: value for key, value in data.items() if key not in ("resource_type", "pack", "ref", "uid", "id")}
    return make_policy({**given, "pack": pack, "metadata_file": f"policies/{path.name}"}, "")


def _actions(folder: Path, pack: str, runners: dict[str, RunnerType], faults: list[tuple[str, str]]) -> list[Action]:
    found: list[Action] = []
    for path in sorted([*(folder / "actions").glob("*.yaml"), *(folder / "actions").glob("*.yml")]):
        try:
            action = _action(path, pack, runners)
            if any(other.ref == action.ref for other in found):
                raise InvalidError(f'{path}: another file of this pack is "{action.ref}" already')
            found.append(action)
        except InvalidError as error:
            told = str(error) if str(path) in str(error) else f"{path}: {error}"
            _LOG.error("action left out", extra={"pack": pack, "error": told})
            faults.append((pack, told))
    return found


def _action(path: Path, pack: str, runners: dict[str, RunnerType]) -> Action:
    data = _read(path)
    if not isinstance(data, dict):
        raise InvalidError(f"{path}: expected a mapping")
    for field in ("name", "runner_type"):
        if not isinstance(data.get(field), str):
            raise InvalidError(f"{path}: '{field}' is a required property")
    name, runner_type = data["name"], data["runner_type"]
    runner = runners.get(runner_type)
    if runner is None:
        raise InvalidError(
            f'{path}: runner_type "{runner_type}" is not one this server has: {", ".join(sorted(runners))}'
        )
    try:
        action = msgspec.convert(
            {
                "name": name,
                "ref": f"{pack}.{name}",
                "uid": f"action:{pack}:{name}",
                "pack": pack,
                "runner_type": runner_type,
                "metadata_file": f"actions/{path.name}",
                "description": data.get("description"),
                "enabled": data.get("enabled", True),
                "entry_point": data.get("entry_point") or "",
                "parameters": data.get("parameters") or {},
                "output_schema": data.get("output_schema") or {},
                "notify": data.get("notify") or {},
                "tags": data.get("tags") or [],
                "output_limit": _output_limit(path, data.get("output_limit")),
                "fork_server": data.get("fork_server"),
                "id": "",
            },
            Action,
        )
        # What refers to itself, or is no JSON at all, could not be kept.
        msgspec.json.encode(action)
    except (msgspec.ValidationError, TypeError, ValueError, RecursionError) as error:
        raise InvalidError(f"{path}: {error}") from error
    _check_parameters(path, action)
    for parameter, schema in merged_parameters(action, runner).items():
        if schema.get("immutable") and "default" not in schema:
            raise InvalidError(f'{path}: parameter "{parameter}" is immutable and has no default')
    return action


def _output_limit(path: Path, given: Any) -> dict[str, Any] | None:
    """Squall's own `output_limit: {bytes: 10 MiB, policy: fail}`. Raises `InvalidError`."""
    if given is None:
        return None
    if not isinstance(given, dict) or not set(given) <= {"bytes", "policy"}:
        raise InvalidError(f"{path}: output_limit: expected a mapping with bytes and policy")
    limit = dict(given)
    try:
        if "bytes" in limit:
            limit["bytes"] = parse_size(str(limit["bytes"]))
    except ValueError as error:
        raise InvalidError(f"{path}: output_limit: bytes: {error}") from error
    if limit.get("policy", "fail") not in LIMIT_POLICIES:
        raise InvalidError(f"{path}: output_limit: policy must be one of {', '.join(sorted(LIMIT_POLICIES))}")
    return limit


def _check_parameters(path: Path, action: Action) -> None:
    """What StackStorm's registration checks of parameters. Raises `InvalidError`."""
    positions: list[int] = []
    for name, schema in action.parameters.items():
        if not _PARAMETER.match(name):
            raise InvalidError(f'{path}: parameter "{name}" may only hold letters, digits and "_"')
        if not isinstance(schema, dict):
            raise InvalidError(f'{path}: parameter "{name}": expected a mapping')
        declared = schema.get("type", "string")
        if not isinstance(declared, str) or declared not in _TYPES:
            raise InvalidError(f'{path}: parameter "{name}": type {declared!r} is none of {", ".join(sorted(_TYPES))}')
        if "position" in schema:
            position = schema["position"]
            if not isinstance(position, int) or isinstance(position, bool):
                raise InvalidError(f'{path}: parameter "{name}": position {position!r} is not a number')
            positions.append(position)
    positions.sort()
    if positions and positions != list(range(positions[0], positions[0] + len(positions))):
        raise InvalidError(f"{path}: the positions of parameters must follow each other, each once: {positions}")
