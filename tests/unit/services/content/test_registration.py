"""Registering packs: all kinds of content of a pack in one transaction, and nothing of packs that are gone."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pytest
from tests.doubles.assembly import Assembly

from squall.core.errors import NotFoundError
from squall.ports import LoadedPack, Tx
from squall.services.content.registration import ActionRegistrar, Registrar, Registration
from squall.testing.samples import sample_action, sample_pack

pytestmark = pytest.mark.anyio


async def test_registering_again_keeps_ids_and_forgets_what_is_gone(squall: Assembly) -> None:
    before = await squall.content.action("core.local")
    squall.source.packs = [
        (sample_pack("core"), [sample_action("core.local", description="new")]),
        (sample_pack("more"), [sample_action("more.a")]),
    ]
    assert [len(found) for _, found in squall.source.packs] == [1, 1]
    assert list((await squall.registration.register()).packs) == ["core", "more"]
    assert [action.ref for action in await squall.content.actions()] == ["core.local", "more.a"]
    after = await squall.content.action("core.local")
    assert (after.id, after.description) == (before.id, "new")
    squall.source.packs = [(sample_pack("more"), [])]
    assert (await squall.registration.register()).refs == ["more"]
    assert await squall.content.actions() == []
    assert list(await squall.content.packs()) == ["more"]


class Refusing:
    """A registrar that refuses a pack, and counts what it is told."""

    def __init__(self, ref: str) -> None:
        self.ref = ref
        self.changes = 0

    async def replace(self, tx: Tx, loaded: LoadedPack) -> Sequence[str]:
        if loaded.pack.ref == self.ref:
            raise RuntimeError("refused")
        return ()

    async def keep(self, tx: Tx, refs: Collection[str]) -> None:
        self.kept = list(refs)

    def changed(self) -> None:
        self.changes += 1


async def test_a_pack_is_registered_with_all_kinds_of_its_content_or_not_at_all(squall: Assembly) -> None:
    refusing = Refusing("more")
    registrars: list[Registrar] = [ActionRegistrar(squall.content, squall.clock), refusing]
    registration = Registration(squall.store, squall.clock, squall.source, squall.content, registrars)
    squall.source.packs = [(sample_pack("more"), [sample_action("more.a")])]
    with pytest.raises(RuntimeError, match="refused"):
        await registration.register()
    squall.content.look_again()
    assert await squall.content.runnable("more.a") is None
    refusing.ref = ""
    await registration.register()
    assert await squall.content.runnable("more.a") is not None
    assert (refusing.kept, refusing.changes) == (["more"], 1)


async def test_a_pack_is_forgotten_by_every_registrar(squall: Assembly) -> None:
    refusing = Refusing("")
    registrars: list[Registrar] = [ActionRegistrar(squall.content, squall.clock), refusing]
    registration = Registration(squall.store, squall.clock, squall.source, squall.content, registrars)
    await registration.forget("core")
    assert (refusing.kept, await squall.content.actions()) == ([], [])
    with pytest.raises(NotFoundError):
        await registration.forget("core")
