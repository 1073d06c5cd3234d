"""The sources of packs and of their configurations."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from squall.core.content.action import Action, Pack, RunnerType
from squall.core.content.pack_config import PackConfig
from squall.core.event.rules.records import Rule, TriggerType
from squall.core.execution.policy import Policy


class ConfigSource(Protocol):
    """The source of the configurations of packs."""

    def load(self, pack: Pack) -> PackConfig:
        """Returns the pack's values. Raises `InvalidError` if they cannot be read."""
        ...

    def schema(self, pack: Pack) -> Mapping[str, Any]:
        """Returns the schemas of the pack's values by name; empty if it has none. Raises `InvalidError`."""
        ...

    def path(self, pack: Pack) -> Path:
        """Returns the path of the pack's values."""
        ...

    def write(self, pack: Pack, values: dict[str, Any]) -> None:
        """Writes the pack's values; secret ones are sealed. Raises `OSError`."""
        ...

    def given(self, pack: Pack, secrets: bool) -> Mapping[str, Any] | None:
        """Returns the values that a user has set, without defaults; None if there are none. Secret values are masked
        unless `secrets`. Raises `InvalidError`."""
        ...


class LoadedPack(NamedTuple):
    """A pack with its actions, policies, trigger types and rules, ids empty; `counts` has the number of each kind of
    content. The trigger types are those of its files and of its sensors."""

    pack: Pack
    actions: list[Action]
    policies: list[Policy]
    counts: Mapping[str, int]
    trigger_types: Sequence[TriggerType] = ()
    rules: Sequence[Rule] = ()


class Loaded(NamedTuple):
    """Every runner type, ids empty, and packs. `refs` are all existing packs, also those that were not requested.
    `faults` are (pack, message) of content that was left out. `doubts` are (pack, message) of content that is used,
    but probably not as its author meant it. `lacking` are (pack, message) of actions whose runner this server lacks:
    they are left out, and are no fault of their pack. `unread` are packs that only the machine kept from being read."""

    runners: list[RunnerType]
    packs: list[LoadedPack]
    faults: list[tuple[str, str]]
    refs: list[str]
    doubts: Sequence[tuple[str, str]] = ()
    lacking: Sequence[tuple[str, str]] = ()
    unread: Sequence[str] = ()


class PackSource(Protocol):
    """The source of packs."""

    def load(self, only: Collection[str] | None = None) -> Loaded:
        """Loads all packs, or only these; leaves out broken content."""
        ...

    def prepared(self, refs: Collection[str], installation: str = "") -> Loaded:
        """Loads the prepared versions of packs, which are not in use yet; the execution `installation` has prepared
        them, or a user. Raises `InvalidError` if `installation` is not an id."""
        ...

    def activate(self, refs: Collection[str], installation: str = "") -> None:
        """Puts the prepared versions of packs into use."""
        ...

    def discard(self, refs: Collection[str], installation: str = "") -> None:
        """Removes the prepared versions of packs."""
        ...

    def file(self, pack: Pack, name: str) -> bytes:
        """Reads a file of a pack. Raises `InvalidError` for one outside of the pack, `NotFoundError` for a missing
        one."""
        ...

    def write_files(self, pack: Pack, files: Mapping[str, bytes]) -> None:
        """Writes files of a pack, by their paths in it. Raises `InvalidError` for one outside of the pack, and for a
        pack whose files cannot be written."""
        ...

    def remove_files(self, pack: Pack, names: Collection[str]) -> None:
        """Removes files of a pack; ignores missing ones. Raises `InvalidError`."""
        ...

    def text(self, path: str) -> str:
        """Reads the text of a file of a pack. Raises `InvalidError` if it cannot be read."""
        ...
