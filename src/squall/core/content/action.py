"""The records of actions, runner types and packs, as StackStorm's API shows them, and the merge of their parameters."""

from __future__ import annotations

from typing import Any

import msgspec

from squall.core.errors import InvalidError

RUNNER_OVERRIDABLE = frozenset({"default", "description", "enum", "immutable", "required"})
"""The keywords that an action may change in a parameter of its runner. All others must be equal."""

CONFIGURED_RUNNERS = frozenset({"python-script"})
"""The runners whose actions get the configuration of their pack."""

WORKFLOW_RUNNERS = frozenset({"orquesta", "orchestra", "action-chain"})


SYSTEM_PACKS = frozenset({"chatops", "core", "linux", "packs"})
"""The packs that come with Squall and run under its own interpreter. The API does not change or remove them."""

LIMIT_POLICIES = frozenset({"truncate", "fail", "unlimited"})
"""The policies for output beyond its limit: drop it, fail the execution, or store it."""


class OutputLimit(msgspec.Struct, frozen=True, omit_defaults=True):
    """The maximum output of an action in bytes, and the policy beyond it. None means the server's setting."""

    bytes: int | None = None
    policy: str | None = None


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One action of a pack: what to run, with which runner, and the JSON schema of each of its parameters.

    `output_limit` and `fork_server` are Squall's own; StackStorm's metadata does not have them. If `fork_server` is
    false, a Python action always starts with a new interpreter.
    """

    tags: list[dict[str, Any]] = []
    uid: str
    metadata_file: str = ""
    name: str
    ref: str
    description: str | None = None
    enabled: bool = True
    entry_point: str = ""
    pack: str
    runner_type: str
    parameters: dict[str, Any] = {}
    output_schema: dict[str, Any] = {}
    notify: dict[str, Any] = {}
    output_limit: OutputLimit | None = None
    fork_server: bool | None = None
    id: str


class RunnerType(msgspec.Struct, frozen=True, kw_only=True):
    """One type of runner, and the JSON schema of each of its own parameters."""

    name: str
    description: str | None = None
    uid: str
    enabled: bool = True
    runner_package: str = ""
    runner_module: str
    query_module: str | None = None
    runner_parameters: dict[str, Any] = {}
    output_key: str | None = None
    output_schema: dict[str, Any] = {}
    id: str


class Pack(msgspec.Struct, frozen=True, kw_only=True):
    """One pack: a folder of actions with a `ref`. `path` is that folder on the server, `files` are its files."""

    ref: str
    name: str
    description: str | None = None
    version: str = ""
    author: str = ""
    email: str = ""
    keywords: list[str] = []
    python_versions: list[str] = []
    contributors: list[str] = []
    dependencies: list[str] = []
    stackstorm_version: str | None = None
    files: list[str] = []
    system: dict[str, Any] = {}
    uid: str
    path: str
    id: str


def document(record: Action | RunnerType | Pack) -> dict[str, Any]:
    """Returns the record as the API shows it. Like StackStorm, omits attributes without a value."""
    attributes: dict[str, Any] = msgspec.to_builtins(record)
    return {key: value for key, value in attributes.items() if value is not None}


def merged_parameters(action: Action, runner: RunnerType) -> dict[str, Any]:
    """Returns the schemas of all parameters: those of the runner, changed by the action, then the action's own.

    Raises `InvalidError` if the action changes more of a runner's parameter than `RUNNER_OVERRIDABLE`.
    """
    merged = {name: dict(schema) for name, schema in runner.runner_parameters.items()}
    for name, schema in action.parameters.items():
        if name not in merged:
            merged[name] = dict(schema)
            continue
        for key, value in schema.items():
            if key not in RUNNER_OVERRIDABLE and merged[name].get(key, value) != value:
                raise InvalidError(
                    f'The attribute "{key}" for the runner parameter "{name}" in action "{action.ref}" '
                    "cannot be overridden."
                )
            merged[name][key] = value
    return merged


def split_parameters(values: dict[str, Any], runner: RunnerType) -> tuple[dict[str, Any], dict[str, Any]]:
    """Splits `values` into the parameters of the runner and those of the action."""
    of_runner = {name: value for name, value in values.items() if name in runner.runner_parameters}
    of_action = {name: value for name, value in values.items() if name not in runner.runner_parameters}
    return of_runner, of_action


def action_schemas(action: Action, runner: RunnerType) -> dict[str, Any]:
    """Returns the schemas of the action's own parameters, in the order of their declaration."""
    return {name: schema for name, schema in action.parameters.items() if name not in runner.runner_parameters}
