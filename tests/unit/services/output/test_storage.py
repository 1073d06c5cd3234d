"""What takes space, and whether it is undamaged."""

from __future__ import annotations

import msgspec
import pytest
from tests.doubles.assembly import Assembly

from squall.core.errors import NotFoundError
from squall.testing.samples import sample_id

pytestmark = pytest.mark.anyio


async def test_usage_tells_what_each_place_action_and_pack_takes(squall: Assembly) -> None:
    await squall.done()
    await squall.done(b"x" * 100_000, action="core.noop")
    await squall.sealing.seal()
    await squall.done()
    usage = await squall.storage.usage(10)
    assert {place.place: place.journals for place in usage.places} == {"live": 1, "file": 1, "row": 1}
    assert [(share.name, share.executions) for share in usage.actions] == [("core.noop", 1), ("core.local", 2)]
    assert [(share.name, share.executions) for share in usage.packs] == [("core", 3)]
    assert usage.packs[0].size > 100_000
    assert usage.database > 0
    assert usage.events


async def test_verifying_gives_what_is_there_and_what_was_noted(squall: Assembly) -> None:
    execution = await squall.done()
    checked = await squall.storage.verify(execution.tree)
    verdict = checked.verdict
    assert verdict is not None
    assert (verdict.place, checked.faults, checked.digest) == ("live", (), None)
    await squall.sealing.seal()
    _, sealed, digest, faults = msgspec.structs.astuple(await squall.storage.verify(execution.tree))
    assert faults == ()
    assert sealed is not None
    assert (sealed.place, sealed.faults, sealed.digest) == ("row", (), digest)
    assert digest == verdict.digest
    with pytest.raises(NotFoundError):
        await squall.storage.verify(sample_id(99))
