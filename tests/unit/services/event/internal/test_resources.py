"""Events about keys and files: in the transaction of the change, with the number of rules that led to it."""

from __future__ import annotations

import pytest
from tests.doubles.assembly import Assembly
from tests.doubles.events import events_of

from squall.core.event.internal.payloads import FILE_WRITTEN, KEY_TYPES
from squall.services.content.action_editing import ActionEditing
from squall.services.content.keys import NewValue
from squall.services.event.internal.resources import FileEvents
from squall.testing.samples import sample_pack

pytestmark = pytest.mark.anyio


async def test_each_change_of_a_key_has_its_events(squall: Assembly) -> None:
    events = await events_of(squall)
    for number, type_ref in enumerate(KEY_TYPES):
        await events.rule(type_ref, f"r{number}")
    await squall.keys.put("st2kv.system", "", "k", NewValue(value="1"))
    await squall.keys.put("st2kv.system", "", "k", NewValue(value="1"))
    await squall.keys.put("st2kv.system", "", "k", NewValue(value="2"))
    await squall.keys.delete("st2kv.system", "", "k")
    counts = [len(await events.instances(type_ref)) for type_ref in KEY_TYPES]
    assert counts == [1, 2, 1, 1]


async def test_a_secret_value_is_not_in_the_event(squall: Assembly) -> None:
    events = await events_of(squall)
    await events.rule(KEY_TYPES[0])
    key = await squall.keys.put("st2kv.system", "", "k", NewValue(value="hunter2", secret=True))
    (instance,) = await events.instances(KEY_TYPES[0])
    assert instance.payload["object"]["value"] == key.value != "hunter2"


async def test_a_key_that_an_action_of_a_rule_writes_is_one_rule_deeper(squall: Assembly) -> None:
    events = await events_of(squall)
    await events.rule(KEY_TYPES[0])
    execution = await squall.request(context={"trace_context": {"depth": 4}})
    await squall.keys.put("st2kv.system", "", "k", NewValue(value="1"), execution.id)
    (instance,) = await events.instances(KEY_TYPES[0])
    assert instance.depth == 4
    assert instance.trace == await squall.store.read(lambda tx: tx.traces.of_execution(execution.id))


async def test_a_key_whose_time_was_over_is_created_anew(squall: Assembly) -> None:
    events = await events_of(squall)
    await events.rule(KEY_TYPES[0])
    await squall.keys.put("st2kv.system", "", "k", NewValue(value="1", ttl=1))
    squall.clock.advance(2.0)
    await squall.keys.put("st2kv.system", "", "k", NewValue(value="2"))
    assert len(await events.instances(KEY_TYPES[0])) == 2


async def test_a_file_that_the_api_wrote_is_an_event(squall: Assembly) -> None:
    events = await events_of(squall)
    await events.rule(FILE_WRITTEN)
    squall.source.packs.append((sample_pack("examples"), []))
    await squall.registration.register()
    editing = ActionEditing(squall.store, squall.clock, squall.content, squall.source, FileEvents(squall.placing))
    body = {
        "name": "mine",
        "pack": "examples",
        "runner_type": "local-shell-cmd",
        "entry_point": "mine.sh",
        "data_files": [{"file_path": "mine.sh", "content": "true"}],
    }
    await editing.create(body)
    (instance,) = await events.instances(FILE_WRITTEN)
    assert instance.payload["ref"] == "examples.mine"
    assert instance.payload["file_path"].endswith("/actions/mine.sh")
