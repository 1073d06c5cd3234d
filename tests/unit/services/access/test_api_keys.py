"""Who may see and change which API key, and what does not change."""

from __future__ import annotations

import pytest
from tests.doubles.assembly import Assembly

from squall.core.access.access import Identity
from squall.core.errors import ForbiddenError, InvalidError, NotFoundError
from squall.services.access.api_keys import ApiKeys

pytestmark = pytest.mark.anyio

ADMIN = Identity(user="ada")
USER = Identity(user="bob", admin=False)


@pytest.fixture
def api_keys(squall: Assembly) -> ApiKeys:
    return ApiKeys(squall.store, squall.bus, squall.clock)


async def test_users_see_and_change_their_own_keys_only(api_keys: ApiKeys) -> None:
    key, _ = await api_keys.make(ADMIN, {})
    own, shown = await api_keys.make(USER, {})
    assert [each.id for each in await api_keys.find(USER, None)] == [own.id]
    assert len(await api_keys.find(ADMIN, None)) == 2
    assert (await api_keys.get(USER, shown or "")).id == own.id
    for attempt in (
        api_keys.get(USER, key.id),
        api_keys.remove(USER, key.id),
        api_keys.change(USER, key.id, {}),
    ):
        with pytest.raises(NotFoundError):
            await attempt
    with pytest.raises(ForbiddenError):
        await api_keys.make(USER, {"user": "ada"})
    with pytest.raises(ForbiddenError):
        await api_keys.change(USER, own.id, {"user": "ada"})


async def test_a_change_needs_the_user_and_keeps_the_hash(api_keys: ApiKeys) -> None:
    key, _ = await api_keys.make(ADMIN, {})
    with pytest.raises(InvalidError, match="Field is required: \\['user'\\]"):
        await api_keys.change(ADMIN, key.id, {"enabled": True})
    with pytest.raises(InvalidError, match="key_hash"):
        await api_keys.change(ADMIN, key.id, {"user": "ada", "key_hash": "other"})
    changed = await api_keys.change(ADMIN, key.id, {"user": "ada", "key_hash": "********", "metadata": {"a": 1}})
    assert (changed.hash, changed.metadata, changed.enabled) == (key.hash, {"a": 1}, True)
