"""The datastore's use cases."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.doubles.assembly import Assembly

from squall.adapters.cipher import KeyFileCipher
from squall.core.content.keyvalue import SYSTEM, USER, KeyFilter
from squall.core.errors import InvalidError, NotFoundError
from squall.services.content.keys import Keys, NewValue

pytestmark = pytest.mark.anyio


@pytest.fixture
def keys(squall: Assembly, tmp_path: Path) -> Keys:
    return Keys(squall.store, squall.clock, KeyFileCipher(tmp_path / "key.json", make=True))


async def test_writing_again_keeps_the_id(keys: Keys) -> None:
    first = await keys.put(SYSTEM, "ada", "k", NewValue(value="1"))
    second = await keys.put(SYSTEM, "ada", "k", NewValue(value="2"))
    assert (second.id, second.value) == (first.id, "2")
    assert await keys.get(SYSTEM, "bob", "k") == second


async def test_the_user_scope_is_each_users_own(keys: Keys) -> None:
    await keys.put(USER, "ada", "k", NewValue(value="hers"))
    assert (await keys.get(USER, "ada", "k")).value == "hers"
    for scope, user in ((USER, "bob"), (SYSTEM, "ada")):
        with pytest.raises(NotFoundError, match='The key "k" does not exist'):
            await keys.get(scope, user, "k")


async def test_a_secret_value_is_ciphertext_in_the_table(keys: Keys) -> None:
    kept = await keys.put(SYSTEM, "", "k", NewValue(value="open", secret=True))
    assert "open" not in kept.value
    assert keys.reveal(kept) == "open"
    carried = await keys.put(SYSTEM, "", "copy", NewValue(value=kept.value, encrypted=True))
    assert (carried.secret, keys.reveal(carried)) == (True, "open")


async def test_ciphertext_of_another_key_file_is_refused(keys: Keys) -> None:
    with pytest.raises(InvalidError, match='Failed to verify the integrity of the provided value for key "k"'):
        await keys.put(SYSTEM, "", "k", NewValue(value="zzz", encrypted=True))


async def test_a_key_goes_when_its_time_is_over(keys: Keys, squall: Assembly) -> None:
    await keys.put(SYSTEM, "", "short", NewValue(value="x", ttl=5))
    await keys.put(SYSTEM, "", "long", NewValue(value="x"))
    assert [key.name for key in await keys.find(SYSTEM, "", None, None, 0)] == ["short", "long"]
    squall.clock.advance(6)
    assert [key.name for key in await keys.find(SYSTEM, "", None, None, 0)] == ["long"]
    with pytest.raises(NotFoundError):
        await keys.get(SYSTEM, "", "short")
    assert await keys.expire() == 1
    assert await keys.expire() == 0


async def test_keys_are_found_by_prefix_whatever_stands_in_it(keys: Keys) -> None:
    for name in ("a%b", "axb", "a_b", "a%c"):
        await keys.put(SYSTEM, "", name, NewValue(value="x"))
    where = KeyFilter(scope="", user="", now=0, prefix="a%", by_name=True)
    assert [key.name for key in await keys.find(SYSTEM, "", where, None, 0)] == ["a%b", "a%c"]
    assert [key.name for key in await keys.find(SYSTEM, "", where, 1, 1)] == ["a%c"]


async def test_templates_see_the_system_and_the_user(keys: Keys) -> None:
    await keys.put(SYSTEM, "", "one", NewValue(value="s"))
    await keys.put(USER, "ada", "one", NewValue(value="u"))
    names = await keys.names("ada")
    assert (str(names["system"].one), str(names["user"].one)) == ("s", "u")
    assert str((await keys.names("bob"))["user"].one) == ""


async def test_deleting_twice_tells(keys: Keys) -> None:
    await keys.put(SYSTEM, "", "k", NewValue(value="x"))
    await keys.delete(SYSTEM, "", "k")
    with pytest.raises(NotFoundError):
        await keys.delete(SYSTEM, "", "k")
