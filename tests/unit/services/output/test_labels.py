from __future__ import annotations

import pytest
from tests.doubles.assembly import Assembly

from squall.services.output.labels import Label, Labels
from squall.testing.samples import sample_id

pytestmark = pytest.mark.anyio


async def test_executions_are_labelled_with_what_they_run(squall: Assembly) -> None:
    root = await squall.request()
    child = await squall.child_of(root, action="core.noop", parameters={})
    of_item = {"parent": {"execution_id": root.id}, "orquesta": {"task_name": "roll", "item_id": 0}}
    item = await squall.request(action="core.noop", parameters={}, context=of_item)
    expected = {
        root.id: Label("core.local", "local-shell-cmd", None),
        child.id: Label("core.noop", "noop", root.id, None, 1),
        item.id: Label("core.noop", "noop", root.id, "roll", 1, 0),
    }
    labels = Labels(squall.store)
    for _ in range(2):
        assert await labels.of({root.id, child.id, item.id, sample_id(9)}) == expected
    assert await labels.of(set()) == {}
