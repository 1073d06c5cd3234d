"""The schemas of an action's parameters, merged with its runner's, and whether their templates use keys or
configurations."""

from __future__ import annotations

from typing import Any, NamedTuple

from squall.core.content.action import Action, RunnerType, merged_parameters
from squall.core.content.config_context import mentions_config
from squall.core.content.keyvalue import mentions_keys

_MOST_CACHED = 256


class Merged(NamedTuple):
    """The schemas of all parameters by name. `names_keys` is true if one may name keys of the datastore, `names_config`
    if one may name the pack's configuration."""

    schemas: dict[str, Any]
    names_keys: bool
    names_config: bool


class MergedParameters:
    """Merges the parameters of actions. It caches the results, as each execution needs them twice."""

    def __init__(self) -> None:
        # The entries hold the records, so that Python does not reuse their ids.
        self._cache: dict[tuple[int, int], tuple[Action, RunnerType, Merged]] = {}

    def of(self, action: Action, runner: RunnerType) -> Merged:
        """Returns the merged parameters. Callers must not change them. Raises `InvalidError` as `merged_parameters`
        does."""
        key = (id(action), id(runner))
        if (entry := self._cache.get(key)) is not None:
            return entry[2]
        schemas = merged_parameters(action, runner)
        merged = Merged(schemas, mentions_keys(schemas), mentions_config(schemas))
        if len(self._cache) >= _MOST_CACHED:
            self._cache.clear()
        self._cache[key] = (action, runner, merged)
        return merged
