"""Where packs come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from squall.core.action import Action, Pack, RunnerType
from squall.core.pack_config import PackConfig
from squall.core.policy import Policy


class ConfigSource(Protocol):
    """Where the configurations of packs come from."""

    def load(self, pack: Pack) -> PackConfig:
        """The pack's values. Raises `InvalidError` when they cannot be read."""
        ...


class PackSource(Protocol):
    """Where packs come from."""

    def load(self) -> tuple[list[RunnerType], list[tuple[Pack, list[Action]]]]:
        """Every runner type and pack with its actions, ids empty; what is broken is left out and told in the log."""
        ...

    def text(self, path: str) -> str:
        """The text of a file of a pack. Raises `InvalidError` when it cannot be read."""
        ...

    def policies(self) -> Mapping[str, Policy]:
        """Every policy of the packs by ref, ids empty; what is broken is left out and told in the log."""
        ...
