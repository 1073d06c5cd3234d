"""Packs, actions and runner types, as registered."""

from __future__ import annotations

import pytest
from tests.doubles.assembly import Assembly

from squall.core.errors import NotFoundError
from squall.ports import Tx
from squall.services.content.content import snapshot_key
from squall.testing.samples import sample_action, sample_id, sample_runner

pytestmark = pytest.mark.anyio


async def test_everything_the_source_has_is_registered_with_an_id(squall: Assembly) -> None:
    assert [action.ref for action in await squall.content.actions()] == ["core.greet", "core.local", "core.noop"]
    assert [runner.name for runner in await squall.content.runners()] == ["local-shell-cmd", "noop"]
    assert list(await squall.content.packs()) == ["core"]
    ids = [action.id for action in await squall.content.actions()]
    ids += [runner.id for runner in await squall.content.runners()]
    assert len(set(ids)) == 5
    assert "" not in ids


async def test_actions_and_runners_are_found_by_name_and_id(squall: Assembly) -> None:
    action = await squall.content.action("core.local")
    assert await squall.content.action(action.id) == action
    runner = await squall.content.runner("noop")
    assert await squall.content.runner(runner.id) == runner


async def test_what_is_not_registered_is_told(squall: Assembly) -> None:
    with pytest.raises(NotFoundError, match=r'Resource with a reference or id "core\.nosuch" not found'):
        await squall.content.action("core.nosuch")
    with pytest.raises(NotFoundError, match='Resource with a name or id "nosuch" not found'):
        await squall.content.runner("nosuch")
    with pytest.raises(NotFoundError, match="snapshot"):
        await squall.content.snapshot("nosuch")


async def test_only_an_action_whose_runner_is_there_can_be_run(squall: Assembly) -> None:
    found = await squall.content.runnable("core.local")
    assert found is not None
    assert (found[0].ref, found[1].name) == ("core.local", "local-shell-cmd")
    assert await squall.content.runnable("core.nosuch") is None
    squall.source.runners = [sample_runner("noop")]
    await squall.registration.register()
    assert await squall.content.runnable("core.local") is None


async def test_a_snapshot_is_named_by_its_content(squall: Assembly) -> None:
    action, runner = sample_action(), sample_runner()
    assert snapshot_key(action, runner) == snapshot_key(sample_action(), sample_runner())
    others = [(sample_action(description="x"), runner), (action, sample_runner(enabled=False))]
    assert snapshot_key(action, runner) not in {snapshot_key(*other) for other in others}


async def test_snapshots_beyond_what_is_kept_in_memory_are_read_again(squall: Assembly) -> None:
    runner = sample_runner()
    actions = [sample_action(id=sample_id(number)) for number in range(2100)]

    async def work(tx: Tx) -> None:
        for action in actions:
            await tx.content.keep_snapshot(action.id, action, runner)

    await squall.store.tx(work)
    for _ in range(2):
        for action in actions[:5] + actions[-5:]:
            assert await squall.content.snapshot(action.id) == (action, runner)
    for action in actions:
        assert (await squall.content.snapshot(action.id))[0] == action
