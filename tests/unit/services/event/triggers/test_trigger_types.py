"""Keeping trigger types: those of clients and those of packs."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
import pytest
from tests.doubles.reacting import Reacting, pack_of

from squall.core.errors import ConflictError, InvalidError, NotFoundError
from squall.core.event.rules.reading import make_trigger_type
from squall.core.event.rules.records import TriggerType
from squall.ports import LoadedPack

pytestmark = pytest.mark.anyio
NEEDS_A = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


def types_of(*names: str, description: str = "") -> LoadedPack:
    """A pack whose files contain these trigger types."""
    types = [_in_file(name, description) for name in names]
    return pack_of()._replace(trigger_types=types)


def _in_file(name: str, description: str) -> TriggerType:
    body = {"name": name, "pack": "p", "description": description}
    return msgspec.structs.replace(make_trigger_type(body, ""), metadata_file="triggers/x.yaml")


async def register(reacting: Reacting, loaded: LoadedPack) -> None:
    await reacting.squall.store.tx(lambda tx: reacting.type_registrar.replace(tx, loaded))
    reacting.type_registrar.changed()


async def keep(reacting: Reacting, refs: Collection[str]) -> None:
    await reacting.squall.store.tx(lambda tx: reacting.type_registrar.keep(tx, refs))


async def refs(reacting: Reacting) -> list[str]:
    return [each.ref for each in await reacting.types.find()]


async def test_a_type_is_created_changed_and_removed(reacting: Reacting) -> None:
    await reacting.add_type()
    created = await reacting.types.get("p.t")
    with pytest.raises(ConflictError, match=created.id):
        await reacting.add_type()
    changed = await reacting.types.update(created.id, {"name": "t", "pack": "p", "description": "new"})
    assert (changed.id, changed.description) == (created.id, "new")
    with pytest.raises(InvalidError, match="Create another one"):
        await reacting.types.update("p.t", {"name": "other", "pack": "p"})
    await reacting.types.delete("p.t")
    assert await reacting.triggers.find() == []
    for call in (reacting.types.get("p.t"), reacting.types.delete("p.t"), reacting.types.update("p.t", {})):
        with pytest.raises(NotFoundError):
            await call


async def test_only_a_type_without_parameters_has_a_trigger_of_its_own(reacting: Reacting) -> None:
    await reacting.add_type("p.plain")
    await reacting.add_type("p.with", parameters_schema=NEEDS_A)
    assert [each.ref for each in await reacting.triggers.find()] == ["p.plain"]


async def test_a_type_that_rules_use_stays(reacting: Reacting) -> None:
    await register(reacting, types_of("t", "other"))
    await reacting.add_rule("a")
    with pytest.raises(InvalidError, match=r'The rule "p\.a" uses this trigger type'):
        await reacting.types.delete("p.t")
    await register(reacting, types_of())
    assert await refs(reacting) == ["p.t"]
    await keep(reacting, [])
    assert await refs(reacting) == ["p.t"]
    await reacting.rules.delete("p.a")
    await keep(reacting, [])
    assert await refs(reacting) == []


async def test_a_pack_that_is_registered_again_keeps_ids_and_the_types_of_clients(reacting: Reacting) -> None:
    await reacting.add_type("p.mine")
    await register(reacting, types_of("t", "gone"))
    before = await reacting.types.get("p.t")
    await register(reacting, types_of("t", description="new"))
    after = await reacting.types.get("p.t")
    assert (after.id, after.description) == (before.id, "new")
    assert await refs(reacting) == ["p.mine", "p.t"]
    await keep(reacting, ["p"])
    assert await refs(reacting) == ["p.mine", "p.t"]
    await keep(reacting, ["other"])
    assert await refs(reacting) == ["p.mine"]
    events = await reacting.squall.store.read(lambda tx: tx.events.of("trigger_type", after.id))
    names = [each.name.partition("__")[2] for each in events]
    assert names == ["create", "update", "delete"]
