"""Actions made by people, over a real store: the API's tests go through the rest."""

from __future__ import annotations

import pytest

from squall.core.errors import InvalidError
from squall.services.action_editing import ActionEditing
from squall.testing.assembly import Assembly
from squall.testing.samples import sample_pack

pytestmark = pytest.mark.anyio


async def test_an_action_that_was_made_stays_until_a_file_takes_its_name(squall: Assembly) -> None:
    squall.source.packs.append((sample_pack("mine", 9), []))
    await squall.content.register()
    editing = ActionEditing(squall.store, squall.clock, squall.content, squall.source)
    made = await editing.create({"name": "made", "pack": "mine", "runner_type": "noop"})
    await squall.content.register()
    assert (await squall.content.action("mine.made")).id == made.id
    with pytest.raises(InvalidError, match="system level packs"):
        await editing.delete("core.noop", False)
    await editing.delete("mine.made", False)
    assert await squall.content.runnable("mine.made") is None
