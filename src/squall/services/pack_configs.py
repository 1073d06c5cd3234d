"""What packs are configured with, for people to look at: what was given, and what may be given."""

from __future__ import annotations

from typing import Any

from squall.core.action import Pack
from squall.core.errors import NotFoundError
from squall.ports import ConfigSource
from squall.services.content import Content


class PackConfigs:
    """Use cases of configurations. Every method raises `InvalidError` for a file that cannot be read."""

    def __init__(self, content: Content, source: ConfigSource) -> None:
        self._content = content
        self._source = source

    async def schemas(self) -> list[dict[str, Any]]:
        """The documents of all schemas, by pack."""
        packs = (await self._content.packs()).values()
        return [shown for pack in packs if (shown := self._schema(pack)) is not None]

    async def schema(self, ref: str) -> dict[str, Any]:
        """The document of a pack's schema. Raises `NotFoundError` in StackStorm's words."""
        pack = (await self._content.packs()).get(ref)
        return _found(ref, self._schema(pack) if pack is not None else None)

    async def given(self, secrets: bool) -> list[dict[str, Any]]:
        """The documents of all that was given, by pack; secret values are masked unless `secrets` are to be shown."""
        packs = (await self._content.packs()).values()
        return [shown for pack in packs if (shown := self._given(pack, secrets)) is not None]

    async def of_pack(self, ref: str, secrets: bool) -> dict[str, Any]:
        """The document of what was given to one pack. Raises `NotFoundError` in StackStorm's words."""
        pack = (await self._content.packs()).get(ref)
        return _found(ref, self._given(pack, secrets) if pack is not None else None)

    def _schema(self, pack: Pack) -> dict[str, Any] | None:
        attributes = self._source.schema(pack)
        return {"pack": pack.ref, "attributes": attributes, "id": pack.id} if attributes else None

    def _given(self, pack: Pack, secrets: bool) -> dict[str, Any] | None:
        values = self._source.given(pack, secrets)
        return {"pack": pack.ref, "values": values, "id": pack.id} if values is not None else None


def _found(ref: str, shown: dict[str, Any] | None) -> dict[str, Any]:
    if shown is None:
        raise NotFoundError(f'Unable to identify resource with pack_ref "{ref}".')
    return shown
