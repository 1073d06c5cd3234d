"""Actions and runner types: their records, as StackStorm's API shows them, and how their parameters combine."""

from __future__ import annotations

from typing import Any

import msgspec

from squall.core.errors import InvalidError

RUNNER_OVERRIDABLE = frozenset({"default", "description", "enum", "immutable", "required"})
"""What an action may change of its runner's parameter; anything else must be equal."""

CONFIGURED_RUNNERS = frozenset({"python-script"})
"""Runners whose actions are given the configuration of their pack."""

WORKFLOW_RUNNERS = frozenset({"orquesta", "orchestra", "action-chain"})


SYSTEM_PACKS = frozenset({"chatops", "core", "linux", "packs"})
"""Packs that come with Squall and run under its own interpreter; nobody changes or removes them."""

LIMIT_POLICIES = frozenset({"truncate", "fail", "unlimited"})
"""What may happen beyond an output limit: dropping the rest, failing the execution, nothing."""


class OutputLimit(msgspec.Struct, frozen=True, omit_defaults=True):
    """How much an action may print, in bytes, and what happens beyond it; what is None is the server's setting."""

    bytes: int | None = None
    policy: str | None = None


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One action of a pack: what to run, with which runner, and the JSON schema of each of its parameters.

    `output_limit` and `fork_server` are Squall's own: StackStorm's metadata has nothing like them. With `fork_server`
    false a Python action is always started by a fresh interpreter.
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
    """One way of running actions, and the JSON schema of each parameter it takes itself."""

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
    """One pack: a folder of actions, known by its `ref`; `path` is that folder on the server, `files` are in it."""

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
    """The record as the API shows it: attributes without a value are left out, as StackStorm does."""
    built: dict[str, Any] = msgspec.to_builtins(record)
    return {key: value for key, value in built.items() if value is not None}


def merged_parameters(action: Action, runner: RunnerType) -> dict[str, Any]:
    """The schema of every parameter a caller may give: the runner's, with what the action overrides, then its own.

    Raises `InvalidError` when the action changes more of a runner's parameter than `RUNNER_OVERRIDABLE`.
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
    """`values` as (what the runner takes, what the action takes)."""
    of_runner = {name: value for name, value in values.items() if name in runner.runner_parameters}
    of_action = {name: value for name, value in values.items() if name not in runner.runner_parameters}
    return of_runner, of_action


def action_schemas(action: Action, runner: RunnerType) -> dict[str, Any]:
    """The schemas of the parameters that go to the action itself, in the order the action declares them."""
    return {name: schema for name, schema in action.parameters.items() if name not in runner.runner_parameters}
