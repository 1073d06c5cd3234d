"""Reads the metadata files of packs as records, with the checks of StackStorm's registration.

The functions take the plain values of a file. The caller, which reads the file, adds its name and the line to errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from squall.core.content.action import LIMIT_POLICIES, Action, Pack, RunnerType, merged_parameters
from squall.core.content.metadata_words import (
    ACTION_WORDS,
    PARAMETER_WORDS,
    MetadataError,
    check_json,
    check_type,
    check_words,
    similar_word,
)
from squall.core.errors import InvalidError
from squall.core.names import is_pack_name
from squall.core.schema.json_schema import remote_reference
from squall.core.units import parse_size

_PARAMETER = re.compile(r"\w+")
_PYTHON = re.compile(r"\s*(?:(>=|<=|==|!=|~=|<|>)\s*)?3(?:\.(\d{1,3})(?:\.\d{1,3})?)?\s*")
_OLDEST_PYTHON = 8
_TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
PACK_REQUIRED = ("name", "description", "version", "author")
"""The attributes that a published pack needs. A pack in a local folder may have fewer."""
ACTION_REQUIRED = ("name", "runner_type")
_ACTION_FIELDS = (
    "description", "enabled", "entry_point", "parameters", "output_schema", "notify", "tags", "fork_server",
)  # fmt: skip


STACKSTORM_RUNNERS = {
    **dict.fromkeys(("windows-cmd", "windows-script"), "such hosts are reached by the runners winrm-*"),
    **dict.fromkeys(("mistral-v1", "mistral-v2"), "Mistral has ended; such a workflow can be written for Orquesta"),
    "cloudslang": "CloudSlang has ended; such a workflow can be written for Orquesta",
}
"""StackStorm's runners that Squall does not come with, and the reason for each. A plug-in may add them to a server."""


class LacksRunnerError(MetadataError):
    """The action needs a runner of StackStorm that this server lacks. The rest of its pack works."""


def pack_ref(data: Any, folder: str) -> str:
    """Returns the ref of a pack: its `ref`, else its folder's name, else its `name`, in StackStorm's order.

    Raises `MetadataError`.
    """
    if not isinstance(data, dict):
        raise MetadataError("expected a mapping with at least name, such as `name: my_pack`")
    ref = data.get("ref")
    for name in (ref,) if ref else (folder, data.get("name")):
        if is_pack_name(name):
            return str(name)
    rejected = ref or data.get("name") or folder
    raise MetadataError(f'"{rejected}" may only hold lower case letters, digits and "_"', "ref")


def read_pack(data: Any, folder: str, path: str, files: list[str]) -> Pack:
    """Returns the pack that a `pack.yaml` describes. `path` is the pack's folder. Raises `MetadataError`."""
    ref = pack_ref(data, folder)
    lists: dict[str, list[str]] = {}
    for name in ("keywords", "python_versions", "contributors", "dependencies"):
        values = data.get(name) or []
        if not isinstance(values, list):
            raise MetadataError("expected a list", name)
        lists[name] = [str(value) for value in values]
    system, stackstorm_version = data.get("system") or {}, data.get("stackstorm_version")
    if not isinstance(system, dict):
        raise MetadataError("expected a mapping", "system")
    if data.get("python") not in (None, ""):
        python_request(data["python"])
    description = data.get("description")
    return Pack(
        ref=ref,
        name=str(data.get("name") or ref),
        description=None if description is None else str(description),
        version=str(data.get("version", "")),
        author=str(data.get("author", "")),
        email=str(data.get("email", "")),
        **lists,
        stackstorm_version=None if stackstorm_version is None else str(stackstorm_version),
        files=files,
        system=system,
        uid=f"pack:{ref}",
        path=path,
        id="",
    )


def python_request(value: Any) -> str:
    """Returns the requested Python of a pack or a caller, such as `3.9` or `>=3.9,<3.12`, in uv's form.

    YAML reads an unquoted 3.10 as the number 3.1, so this number means 3.10. Raises `MetadataError`.
    """
    text = "3.10" if value == 3.1 and not isinstance(value, str) else str(value).strip()
    parts = [_PYTHON.fullmatch(part) for part in text.split(",")]
    is_list = len(parts) > 1
    for part in parts:
        exact = part is not None and part[1] in (None, "==", "~=")
        if part is None or (is_list and part[1] is None) or (exact and int(part[2] or 99) < _OLDEST_PYTHON):
            raise MetadataError(
                f'{value!r:.80} names no Python from 3.{_OLDEST_PYTHON} on: write "3.9", "3.11.7" or ">=3.9,<3.12"',
                "python",
            )
    return "".join(text.split())


def missing_of_pack(data: Mapping[str, Any]) -> list[str]:
    """Returns the names in `PACK_REQUIRED` that a `pack.yaml` lacks."""
    return [name for name in PACK_REQUIRED if data.get(name) in (None, "")]


def check_pack_field(data: Mapping[str, Any], pack: str) -> None:
    """Raises `MetadataError` if the `pack` in a file is not the pack that the file is in."""
    if data.get("pack") not in (None, "", pack):
        raise MetadataError(f'the file is in pack "{pack}", but says "{data["pack"]}"', "pack")


def read_action(data: Any, pack: str, metadata_file: str, runners: Mapping[str, RunnerType]) -> Action:
    """Returns the action that a file of a pack describes. Raises `MetadataError`."""
    if not isinstance(data, dict):
        raise MetadataError("expected a mapping with name and runner_type")
    check_words(data, ACTION_WORDS)
    for field in ACTION_REQUIRED:
        if not data.get(field):
            raise MetadataError(f"'{field}' is a required property")
    _check_schemas(data.get("parameters") or {})
    check_json({key: data[key] for key in data if key in _ACTION_FIELDS})
    check_pack_field(data, pack)
    name, runner_type = data["name"], data["runner_type"]
    runner = runners.get(runner_type)
    if runner is None and runner_type in STACKSTORM_RUNNERS:
        reason = STACKSTORM_RUNNERS[runner_type]
        raise LacksRunnerError(f'this server has no runner "{runner_type}": {reason}', "runner_type")
    if runner is None:
        raise MetadataError(f'"{runner_type}" is not one this server has: {", ".join(sorted(runners))}', "runner_type")
    fields = {key: data[key] for key in _ACTION_FIELDS if data.get(key) is not None}
    try:
        action = msgspec.convert(
            {
                **fields,
                "name": name,
                "ref": f"{pack}.{name}",
                "uid": f"action:{pack}:{name}",
                "pack": pack,
                "runner_type": runner_type,
                "metadata_file": metadata_file,
                "output_limit": _output_limit(data.get("output_limit")),
                "id": "",
            },
            Action,
        )
        # Values that refer to themselves, or are not JSON, cannot be stored.
        msgspec.json.encode(action)
    except (msgspec.ValidationError, TypeError, ValueError, RecursionError) as error:
        raise MetadataError(str(error)) from error
    _check_parameters(action)
    check_references(action.output_schema, "output_schema")
    try:
        merged = merged_parameters(action, runner)
    except InvalidError as error:
        raise MetadataError(str(error)) from error
    for parameter, schema in merged.items():
        if schema.get("immutable") and "default" not in schema:
            raise MetadataError("it is immutable and has no default", "parameters", parameter)
    return action


def _check_schemas(parameters: Mapping[Any, Any]) -> None:
    for name, schema in parameters.items():
        if not isinstance(name, str):
            raise MetadataError(f"the name of a parameter is read as {name!r:.60}; quote it", "parameters", str(name))
        if isinstance(schema, dict):
            check_words(schema, PARAMETER_WORDS, "parameters", name)


def _output_limit(value: Any) -> dict[str, Any] | None:
    """Reads Squall's own `output_limit: {bytes: 10 MiB, policy: fail}`. Raises `MetadataError`."""
    if value is None:
        return None
    if not isinstance(value, dict) or not set(value) <= {"bytes", "policy"}:
        raise MetadataError("expected a mapping with bytes and policy", "output_limit")
    limit = dict(value)
    try:
        if "bytes" in limit:
            limit["bytes"] = parse_size(str(limit["bytes"]))
    except ValueError as error:
        raise MetadataError(str(error), "output_limit", "bytes") from error
    if limit.get("policy", "fail") not in LIMIT_POLICIES:
        raise MetadataError(f"must be one of {', '.join(sorted(LIMIT_POLICIES))}", "output_limit", "policy")
    return limit


def _check_parameters(action: Action) -> None:
    """Checks parameters as StackStorm's registration does. Raises `MetadataError`."""
    positions: list[int] = []
    for name, schema in action.parameters.items():
        if not _PARAMETER.fullmatch(name):
            raise MetadataError('may only hold letters, digits and "_"', "parameters", name)
        if not isinstance(schema, dict):
            raise MetadataError("expected a mapping, such as {type: string}", "parameters", name)
        declared = schema.get("type", "string")
        if not isinstance(declared, str) or declared not in _TYPES:
            raise MetadataError(f"{declared!r} is none of {', '.join(sorted(_TYPES))}", "parameters", name, "type")
        check_references(schema, "parameters", name)
        if "position" in schema:
            position = schema["position"]
            if not isinstance(position, int) or isinstance(position, bool):
                raise MetadataError(f"{position!r} is not a number", "parameters", name, "position")
            positions.append(position)
    positions.sort()
    if positions and positions != list(range(positions[0], positions[0] + len(positions))):
        raise MetadataError(f"their positions must follow each other, each once: {positions}", "parameters")


def check_references(schema: Any, *keys: str) -> None:
    """Raises `MetadataError` if a `$ref` in a schema names a file or an address instead of a part of the schema."""
    reference = remote_reference(schema)
    if reference is not None:
        raise MetadataError(
            f'"$ref" may only name a part of the schema itself, such as "#/…", not {reference!r}', *keys
        )


_TEXT, _MAP, _LIST, _FLAG, _NUMBER = (str,), (dict,), (list,), (bool,), (int, float)
_RESOURCES: dict[str, tuple[dict[str, tuple[type, ...]], dict[str, tuple[type, ...]]]] = {
    "aliases": (
        {"name": _TEXT, "action_ref": _TEXT, "formats": _LIST},
        {"enabled": _FLAG, "ack": _MAP, "result": _MAP, "extra": _MAP, "immutable_parameters": _MAP},
    ),
    "rules": (
        {"name": _TEXT, "trigger": _MAP, "action": _MAP},
        {"criteria": _MAP, "enabled": _FLAG, "type": _MAP, "tags": _LIST},
    ),
    "sensors": (
        {"class_name": _TEXT, "entry_point": _TEXT},
        {"enabled": _FLAG, "poll_interval": _NUMBER, "trigger_types": _LIST},
    ),
    "triggers": (
        {"name": _TEXT},
        {"payload_schema": _MAP, "parameters_schema": _MAP, "tags": _LIST},
    ),
}
RESOURCES = {kind: tuple(required) for kind, (required, _) in _RESOURCES.items()}
"""The kinds of content that registration checks and counts: the required keys by the name of their folder."""


def read_resource(kind: str, data: Any, pack: str) -> str:
    """Checks the alias, rule, sensor or trigger in a file, and returns its name. Raises `MetadataError`."""
    if not isinstance(data, dict):
        raise MetadataError("expected a mapping")
    check_pack_field(data, pack)
    required, optional = _RESOURCES[kind]
    for key, types in required.items():
        if data.get(key) is None:
            misspelt = next((word for word in data if similar_word(word, (key,)) and word not in optional), None)
            advice = f' (there is "{misspelt}")' if misspelt and misspelt not in required else ""
            raise MetadataError(f"'{key}' is a required property{advice}")
        check_type(data[key], types, key)
    for key, types in optional.items():
        if data.get(key) is not None:
            check_type(data[key], types, key)
    if kind == "rules":
        _check_inner(data["trigger"], "type", "trigger")
        _check_inner(data["action"], "ref", "action")
    for index, trigger in enumerate((data.get("trigger_types") or []) if kind == "sensors" else []):
        if not isinstance(trigger, dict):
            raise MetadataError(f"entry {index}: expected a mapping with name", "trigger_types")
        _check_inner(trigger, "name", "trigger_types")
    return str(data["class_name" if kind == "sensors" else "name"])


def _check_inner(value: dict[str, Any], key: str, *keys: str) -> None:
    if not isinstance(value.get(key), str) or not value[key]:
        raise MetadataError(f"'{key}' is a required property", *keys)
