"""Where packs come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from squall.core.action import Action, Pack, RunnerType
from squall.core.pack_config import PackConfig
from squall.core.policy import Policy


class ConfigSource(Protocol):
    """Where the configurations of packs come from."""

    def load(self, pack: Pack) -> PackConfig:
        """The pack's values. Raises `InvalidError` when they cannot be read."""
        ...

    def schema(self, pack: Pack) -> Mapping[str, Any]:
        """What its values may be, by name; empty when it does not say. Raises `InvalidError`."""
        ...

    def given(self, pack: Pack, secrets: bool) -> Mapping[str, Any] | None:
        """The values as somebody gave them, without defaults; secret ones are masked unless `secrets` are to be shown.
        None when nobody gave any. Raises `InvalidError`."""
        ...


class Loaded(NamedTuple):
    """Every runner type and every pack with its actions, ids empty; `faults` are (pack, message) of what was left
    out."""

    runners: list[RunnerType]
    packs: list[tuple[Pack, list[Action]]]
    faults: list[tuple[str, str]]


class PackSource(Protocol):
    """Where packs come from."""

    def load(self) -> Loaded:
        """What there is now; what is broken is left out."""
        ...

    def file(self, pack: Pack, name: str) -> bytes:
        """A file of a pack. Raises `InvalidError` for one that lies elsewhere, `NotFoundError`."""
        ...

    def text(self, path: str) -> str:
        """The text of a file of a pack. Raises `InvalidError` when it cannot be read."""
        ...

    def policies(self) -> Mapping[str, Policy]:
        """Every policy of the packs by ref, ids empty; what is broken is left out and told in the log."""
        ...
