"""Where packs come from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from squall.core.content.action import Action, Pack, RunnerType
from squall.core.content.pack_config import PackConfig
from squall.core.execution.policy import Policy


class ConfigSource(Protocol):
    """Where the configurations of packs come from."""

    def load(self, pack: Pack) -> PackConfig:
        """The pack's values. Raises `InvalidError` when they cannot be read."""
        ...

    def schema(self, pack: Pack) -> Mapping[str, Any]:
        """What its values may be, by name; empty when it does not say. Raises `InvalidError`."""
        ...

    def path(self, pack: Pack) -> Path:
        """Where its values are."""
        ...

    def write(self, pack: Pack, values: dict[str, Any]) -> None:
        """Keeps its values, of which secret ones are sealed. Raises `OSError`."""
        ...

    def given(self, pack: Pack, secrets: bool) -> Mapping[str, Any] | None:
        """The values as somebody gave them, without defaults; secret ones are masked unless `secrets` are to be shown.
        None when nobody gave any. Raises `InvalidError`."""
        ...


class LoadedPack(NamedTuple):
    """A pack with its actions and policies, ids empty; `counts` says how many there are of each kind of content."""

    pack: Pack
    actions: list[Action]
    policies: list[Policy]
    counts: Mapping[str, int]


class Loaded(NamedTuple):
    """Every runner type, ids empty, and packs; `faults` are (pack, message) of what was left out, `refs` are all packs
    that there are, also those that were not asked for. `doubts` are (pack, message) of what is used as it is, and
    hardly as its author meant it; `lacking` of actions whose runner this server lacks: they are left out, and are no
    fault of their pack."""

    runners: list[RunnerType]
    packs: list[LoadedPack]
    faults: list[tuple[str, str]]
    refs: list[str]
    doubts: Sequence[tuple[str, str]] = ()
    lacking: Sequence[tuple[str, str]] = ()


class PackSource(Protocol):
    """Where packs come from."""

    def load(self, only: Collection[str] | None = None) -> Loaded:
        """What there is now, or of only these packs; what is broken is left out."""
        ...

    def prepared(self, refs: Collection[str], installation: str = "") -> Loaded:
        """What is in the versions of packs that were prepared, by the execution `installation` or by hand, and are not
        used yet. Raises `InvalidError` for what is no id."""
        ...

    def activate(self, refs: Collection[str], installation: str = "") -> None:
        """Uses the prepared versions of packs from now on."""
        ...

    def discard(self, refs: Collection[str], installation: str = "") -> None:
        """Removes the prepared versions of packs."""
        ...

    def file(self, pack: Pack, name: str) -> bytes:
        """A file of a pack. Raises `InvalidError` for one that lies elsewhere, `NotFoundError`."""
        ...

    def write_files(self, pack: Pack, files: Mapping[str, bytes]) -> None:
        """Writes files of a pack, by their paths in it. Raises `InvalidError` for one that lies elsewhere, and for
        a pack whose files cannot be written."""
        ...

    def remove_files(self, pack: Pack, names: Collection[str]) -> None:
        """Removes files of a pack; those that are not there do not matter. Raises `InvalidError`."""
        ...

    def text(self, path: str) -> str:
        """The text of a file of a pack. Raises `InvalidError` when it cannot be read."""
        ...
