# ruff: noqa: S101 - asserting is what a contract suite is for
"""The contract of the tables of tokens and API keys; a part of `squall.testing.tables.store`."""

from __future__ import annotations

import msgspec
import pytest

from squall.core.access.access import ApiKey, Token
from squall.ports import Store
from squall.testing.samples import sample_id


@pytest.mark.anyio
class AccessContract:
    """The contract of `ports.AccessRows`."""

    async def test_a_token_is_found_by_its_hash_until_it_is_removed(self, store: Store) -> None:
        """Removing it a second time returns False."""
        token = Token(id=sample_id(1), hash="aa", user="ada", expires=7, service=True, execution=sample_id(2))
        await store.tx(lambda tx: tx.access.add_token(token))
        assert await store.read(lambda tx: tx.access.token("aa")) == token
        assert await store.read(lambda tx: tx.access.token("ab")) is None
        assert await store.tx(lambda tx: tx.access.remove_token("aa"))
        assert not await store.tx(lambda tx: tx.access.remove_token("aa"))
        assert await store.read(lambda tx: tx.access.token("aa")) is None

    async def test_the_tokens_of_an_execution_go_together(self, store: Store) -> None:
        """The tokens of other executions and of people stay."""
        for number, execution in enumerate([sample_id(1), sample_id(1), sample_id(2), ""]):
            token = Token(id=sample_id(number), hash=f"h{number}", user="ada", expires=7, execution=execution)
            await store.tx(lambda tx, token=token: tx.access.add_token(token))  # type: ignore[misc]
        assert sorted(await store.tx(lambda tx: tx.access.remove_tokens_of(sample_id(1)))) == ["h0", "h1"]
        assert list(await store.tx(lambda tx: tx.access.remove_tokens_of(""))) == []
        assert await store.read(lambda tx: tx.access.token("h2")) is not None
        assert await store.read(lambda tx: tx.access.token("h3")) is not None

    async def test_tokens_that_ended_are_pruned(self, store: Store) -> None:
        """Tokens that end at that moment or later stay."""
        for expires in (5, 6, 7):
            token = Token(id=sample_id(expires), hash=f"h{expires}", user="ada", expires=expires)
            await store.tx(lambda tx, token=token: tx.access.add_token(token))  # type: ignore[misc]
        assert await store.tx(lambda tx: tx.access.prune_tokens(6)) == 1
        assert await store.read(lambda tx: tx.access.token("h6")) is not None

    async def test_an_api_key_is_found_by_id_and_by_hash_and_is_changed_in_place(self, store: Store) -> None:
        """Its hash and its time of creation do not change."""
        key = ApiKey(id=sample_id(1), hash="aa", user="ada", created=5, metadata={"for": "ü"})
        await store.tx(lambda tx: tx.access.put_key(key))
        changed = msgspec.structs.replace(key, user="bot", enabled=False, metadata={})
        assert await store.read(lambda tx: tx.access.key("aa")) == key
        await store.tx(lambda tx: tx.access.put_key(changed))
        assert await store.read(lambda tx: tx.access.key(sample_id(1))) == changed

    async def test_api_keys_are_listed_oldest_first_and_by_user(self, store: Store) -> None:
        """A removed key is gone."""
        keys = [ApiKey(id=sample_id(n), hash=f"h{n}", user=user, created=9 - n) for n, user in ((1, "ada"), (2, "bob"))]
        for key in keys:
            await store.tx(lambda tx, key=key: tx.access.put_key(key))  # type: ignore[misc]
        assert list(await store.read(lambda tx: tx.access.keys(None))) == keys[::-1]
        assert list(await store.read(lambda tx: tx.access.keys("ada"))) == keys[:1]
        assert await store.tx(lambda tx: tx.access.remove_key(sample_id(1)))
        assert not await store.tx(lambda tx: tx.access.remove_key(sample_id(1)))
