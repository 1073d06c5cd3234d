# ruff: noqa: S101 - asserting is what a contract suite is for
"""The contract of the tables of registered content; a part of `squall.testing.tables.store`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import pytest

from squall.core.content.action import Action, Pack
from squall.ports import Store, Tx
from squall.testing.samples import sample_action, sample_id, sample_pack, sample_runner


def registering(pack: Pack, actions: Sequence[Action]) -> Callable[[Tx], Awaitable[None]]:
    """Returns a unit of work that registers a pack with these actions."""
    return lambda tx: tx.content.replace_pack(pack, actions)


@pytest.mark.anyio
class ContentContract:
    """The contract of `ports.ContentRows`."""

    async def test_an_action_is_found_by_ref_and_by_id(self, store: Store) -> None:
        """It equals the registered action, with its nested schemas."""
        action = sample_action(
            "core.local",
            5,
            description="ü",
            parameters={"cmd": {"type": "string", "enum": ["a", None], "default": {"x": [1.5, False]}}},
            tags=[{"name": "a", "value": "b"}],
        )
        await store.tx(lambda tx: tx.content.replace_pack(sample_pack("core"), [action]))
        assert await store.read(lambda tx: tx.content.action("core.local")) == action
        assert await store.read(lambda tx: tx.content.action(sample_id(5))) == action
        assert await store.read(lambda tx: tx.content.action("core.nosuch")) is None
        assert await store.read(lambda tx: tx.content.action(sample_id(6))) is None

    async def test_registering_a_pack_again_keeps_the_ids_of_what_is_known(self, store: Store) -> None:
        """Clients store ids. Actions that the pack no longer has are gone; new actions have their own ids."""
        await store.tx(
            lambda tx: tx.content.replace_pack(
                sample_pack("core", 1), [sample_action("core.a", 2), sample_action("core.b", 3)]
            )
        )
        await store.tx(
            lambda tx: tx.content.replace_pack(
                sample_pack("core", 11, version="2.0.0"),
                [sample_action("core.b", 13, description="new"), sample_action("core.c", 14)],
            )
        )
        actions, _ = await store.read(lambda tx: tx.content.actions())
        assert [(action.ref, action.id, action.description) for action in actions] == [
            ("core.b", sample_id(3), "new"),
            ("core.c", sample_id(14), None),
        ]
        (pack,) = await store.read(lambda tx: tx.content.packs())
        assert (pack.id, pack.version) == (sample_id(1), "2.0.0")

    async def test_packs_and_actions_come_in_order(self, store: Store) -> None:
        """They are sorted by pack and name, in any order of registration."""
        for number, ref in enumerate(("zeta", "core"), 1):
            actions = [sample_action(f"{ref}.{name}", number * 10 + at) for at, name in enumerate(("b", "a"))]
            await store.tx(registering(sample_pack(ref, number), actions))
        assert [pack.ref for pack in await store.read(lambda tx: tx.content.packs())] == ["core", "zeta"]
        registered, _ = await store.read(lambda tx: tx.content.actions())
        assert [action.ref for action in registered] == ["core.a", "core.b", "zeta.a", "zeta.b"]

    async def test_forgetting_packs_forgets_their_actions(self, store: Store) -> None:
        """Actions of other packs stay."""
        for number, ref in enumerate(("core", "old"), 1):
            await store.tx(registering(sample_pack(ref, number), [sample_action(f"{ref}.a", number + 10)]))
        await store.tx(lambda tx: tx.content.keep_packs(["core", "never_there"]))
        assert [pack.ref for pack in await store.read(lambda tx: tx.content.packs())] == ["core"]
        assert [action.ref for action in (await store.read(lambda tx: tx.content.actions()))[0]] == ["core.a"]

    async def test_a_runner_type_is_found_by_name_and_by_id(self, store: Store) -> None:
        """The list of all runner types is sorted by name."""
        runners = [sample_runner("noop", 1), sample_runner("local-shell-cmd", 2)]
        await store.tx(lambda tx: tx.content.replace_runners(runners))
        assert await store.read(lambda tx: tx.content.runner("noop")) == runners[0]
        assert await store.read(lambda tx: tx.content.runner(sample_id(2))) == runners[1]
        assert await store.read(lambda tx: tx.content.runner("nosuch")) is None
        assert await store.read(lambda tx: tx.content.runners()) == [runners[1], runners[0]]

    async def test_registering_runner_types_again_keeps_ids_and_switches(self, store: Store) -> None:
        """A runner type that an administrator has disabled stays disabled."""
        await store.tx(lambda tx: tx.content.replace_runners([sample_runner("noop", 1, enabled=False)]))
        await store.tx(
            lambda tx: tx.content.replace_runners(
                [sample_runner("noop", 11, description="new"), sample_runner("x", 12)]
            )
        )
        runners = await store.read(lambda tx: tx.content.runners())
        assert [(each.name, each.id, each.enabled, each.description) for each in runners] == [
            ("noop", sample_id(1), False, "new"),
            ("x", sample_id(12), True, None),
        ]
        await store.tx(lambda tx: tx.content.replace_runners([sample_runner("x", 13)]))
        assert [each.name for each in await store.read(lambda tx: tx.content.runners())] == ["x"]

    async def test_a_snapshot_never_changes(self, store: Store) -> None:
        """Its key is a hash of its content, so a second snapshot with the same key is the same."""
        action, runner = sample_action(), sample_runner()
        other = sample_action(description="another")
        assert await store.read(lambda tx: tx.content.snapshot("k")) is None
        await store.tx(lambda tx: tx.content.keep_snapshot("k", action, runner))
        await store.tx(lambda tx: tx.content.keep_snapshot("k", other, runner))
        assert await store.read(lambda tx: tx.content.snapshot("k")) == (action, runner)
