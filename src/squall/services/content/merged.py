"""The schemas of an action's parameters, merged with its runner's, and what their templates may ask for."""

from __future__ import annotations

from typing import Any, NamedTuple

from squall.core.content.action import Action, RunnerType, merged_parameters
from squall.core.content.config_context import mentions_config
from squall.core.content.keyvalue import mentions_keys

_KEPT = 256


class Merged(NamedTuple):
    """The schema of every parameter by name, and whether one of them may name keys, or the pack's configuration."""

    schemas: dict[str, Any]
    names_keys: bool
    names_config: bool


class MergedParameters:
    """Merges the parameters of actions. Those used last are kept: each execution asks for them twice."""

    def __init__(self) -> None:
        # Records are kept beside their ids, so that an id stays theirs.
        self._kept: dict[tuple[int, int], tuple[Action, RunnerType, Merged]] = {}

    def of(self, action: Action, runner: RunnerType) -> Merged:
        """The merged parameters, which nobody may change. Raises `InvalidError` as `merged_parameters` does."""
        key = (id(action), id(runner))
        if (kept := self._kept.get(key)) is not None:
            return kept[2]
        schemas = merged_parameters(action, runner)
        merged = Merged(schemas, mentions_keys(schemas), mentions_config(schemas))
        if len(self._kept) >= _KEPT:
            self._kept.clear()
        self._kept[key] = (action, runner, merged)
        return merged
