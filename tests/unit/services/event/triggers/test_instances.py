"""Reading instances and enforcements, and dispatching stored events again."""

from __future__ import annotations

import pytest
from tests.doubles.reacting import Reacting

from squall.core.errors import ConflictError, NotFoundError
from squall.core.event.rules.records import PENDING, InstanceFilter
from squall.services.event.triggers.dispatching import DEEPEST

pytestmark = pytest.mark.anyio
NONE = "f" * 24


async def test_instances_and_enforcements_are_read_by_id_and_by_page(reacting: Reacting) -> None:
    await reacting.add_type()
    await reacting.add_rule("a")
    first, second = await reacting.dispatch({"n": 1}), await reacting.dispatch({"n": 2})
    await reacting.evaluate()
    assert (await reacting.instances.get(first.id)).payload == {"n": 1}
    page, total = await reacting.instances.find(InstanceFilter(), 1, 0)
    assert ([each.id for each in page], total) == ([second.id], 2)
    [enforcement] = await reacting.enforcements(instances=(second.id,))
    assert await reacting.instances.enforcement(enforcement.id) == enforcement
    for call in (
        reacting.instances.get(NONE),
        reacting.instances.enforcement(NONE),
        reacting.instances.re_emit(NONE),
        reacting.instances.retry(NONE),
    ):
        with pytest.raises(NotFoundError):
            await call


@pytest.mark.parametrize(("payload", "kept"), [({"n": 1}, {"n": 1}), ([1, 2], {"payload": [1, 2]})])
async def test_an_event_that_is_dispatched_again_names_the_original(
    reacting: Reacting, payload: object, kept: dict[str, object]
) -> None:
    await reacting.add_type()
    original = await reacting.dispatch(payload, depth=2, trace_tag="t", source="once")
    again, sent = await reacting.instances.re_emit(original.id)
    assert sent == again.payload == {**kept, "__context": {"original_id": original.id}}
    assert (again.depth, again.trace, again.source) == (2, original.trace, None)
    assert again.id != original.id


async def test_only_a_failed_instance_is_retried_and_rules_that_fired_do_not_fire_again(reacting: Reacting) -> None:
    await reacting.add_type()
    await reacting.add_rule("a")
    fine, failed = await reacting.dispatch(), await reacting.dispatch(depth=DEEPEST + 1)
    with pytest.raises(ConflictError, match='"pending"'):
        await reacting.instances.retry(fine.id)
    assert (await reacting.instances.retry(failed.id)).status == PENDING
    await reacting.evaluate()
    with pytest.raises(ConflictError, match='"processed"'):
        await reacting.instances.retry(failed.id)
    assert [each.trigger_instance_id for each in await reacting.enforcements()] == [fine.id, failed.id]


async def test_an_execution_cannot_retry_an_event_to_which_too_many_rules_led(reacting: Reacting) -> None:
    """A user can."""
    await reacting.add_type()
    failed = await reacting.dispatch(depth=DEEPEST + 1)
    execution = await reacting.squall.request()
    with pytest.raises(ConflictError, match=r"so a loop is likely\. Only a user can retry it"):
        await reacting.instances.retry(failed.id, execution.id)
    assert (await reacting.instances.retry(failed.id)).status == PENDING
