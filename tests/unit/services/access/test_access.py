from __future__ import annotations

import asyncio

import pytest
from tests.doubles.access import GivenPasswords
from tests.doubles.assembly import Assembly

from squall.core.access.access import API_KEY, COOKIE, TOKEN, Identity
from squall.core.errors import ConflictError, InvalidError, UnauthorizedError
from squall.services.access.access import Access, Rules, token_digest
from squall.services.access.api_keys import key_digest
from squall.testing.waiting import PATIENCE

pytestmark = pytest.mark.anyio

ADMIN = Identity(user="ada")
USER = Identity(user="bob", admin=False)


@pytest.fixture
def passwords() -> GivenPasswords:
    return GivenPasswords({"ada": "right"})


@pytest.fixture
def access(squall: Assembly, passwords: GivenPasswords) -> Access:
    rules = Rules(enabled=True, user="sys", admins=("ada",), token_ttl=100)
    return Access(squall.store, squall.bus, squall.clock, passwords, rules)


async def test_a_token_opens_until_it_expires(squall: Assembly, access: Access) -> None:
    token, shown = await access.login("ada", "right", "1.2.3.4", 10)
    assert token.expires == squall.clock.now() + 10_000_000
    who = await access.by_token(shown, COOKIE)
    assert (who.user, who.admin, who.method, who.location) == ("ada", True, TOKEN, COOKIE)
    assert await access.is_valid(shown)
    squall.clock.advance(10)
    with pytest.raises(UnauthorizedError, match="Token has expired"):
        await access.by_token(shown, COOKIE)
    assert not await access.is_valid(shown)


async def test_what_the_holder_shows_is_not_kept(squall: Assembly, access: Access) -> None:
    _, shown = await access.login("ada", "right", "", None)
    assert await squall.store.read(lambda tx: tx.access.token(shown)) is None
    assert await squall.store.read(lambda tx: tx.access.token(token_digest(shown))) is not None
    _, key = await access.api_keys.make(ADMIN, {})
    assert key is not None
    assert await squall.store.read(lambda tx: tx.access.key(key)) is None


@pytest.mark.parametrize("user", ["ada", "nobody"])
async def test_a_wrong_password_says_nothing_about_the_user(access: Access, user: str) -> None:
    with pytest.raises(UnauthorizedError, match=r"^Invalid or missing credentials$"):
        await access.login(user, "wrong", "", None)


async def test_tokens_live_no_longer_than_allowed(access: Access) -> None:
    with pytest.raises(InvalidError, match=r"^TTL specified 101 is greater than max allowed 100.$"):
        await access.login("ada", "right", "", 101)


async def test_a_user_who_is_taken_away_holds_no_token(access: Access, passwords: GivenPasswords) -> None:
    _, shown = await access.login("ada", "right", "", None)
    del passwords.users["ada"]
    with pytest.raises(UnauthorizedError, match=r"^Unauthorized$"):
        await access.by_token(shown, "")


async def test_an_executions_token_ends_with_it_and_needs_no_password(access: Access) -> None:
    _, shown = await access.issue("stanley", 50, "0123456789abcdef01234567")
    who = await access.by_token(shown, "")
    assert (who.user, who.admin, who.service) == ("stanley", False, True)
    await access.revoke_tokens_of("0123456789abcdef01234567")
    with pytest.raises(UnauthorizedError):
        await access.by_token(shown, "")


async def test_whoever_waits_hears_of_a_revoked_token_at_once(access: Access) -> None:
    token, shown = await access.login("ada", "right", "", None)
    who = await access.by_token(shown, "")
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(access.until_void(who))
        await asyncio.sleep(0)
        await access.revoke(token.hash)


async def test_whoever_waits_hears_of_a_disabled_key(access: Access) -> None:
    key, shown = await access.api_keys.make(ADMIN, {})
    assert shown is not None
    who = await access.by_key(shown, "")
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(access.until_void(who))
        await asyncio.sleep(0)
        await access.api_keys.change(ADMIN, key.id, {"user": "ada", "enabled": False})


async def test_a_stackstorm_key_is_brought_along_by_its_hash(access: Access) -> None:
    shown = "OTE4NjA0NzQ0ZjQ1MDg0NmE2MThkMzA1OWE2N2IwYmYyNmEzMDNmN2M2NDRhMGMyODMxYmE5NTgyMmFkZjZjYQ"
    assert key_digest(shown).startswith("32f47e2fa3eb8f7301c753b9965913efc03e090f")
    _, new = await access.api_keys.make(ADMIN, {"key_hash": key_digest(shown), "user": "bot"})
    assert new is None
    who = await access.by_key(shown, "header")
    assert (who.user, who.method, who.admin) == ("bot", API_KEY, False)
    with pytest.raises(ConflictError):
        await access.api_keys.make(ADMIN, {"key_hash": key_digest(shown)})


async def test_unknown_and_disabled_keys_are_told_apart(access: Access) -> None:
    with pytest.raises(UnauthorizedError, match=r"ApiKey with key_hash=.* not found"):
        await access.by_key("nope", "")
    _, shown = await access.api_keys.make(ADMIN, {"enabled": False})
    with pytest.raises(UnauthorizedError, match="API key is disabled"):
        await access.by_key(shown or "", "")


async def test_expired_tokens_are_forgotten_a_day_later(squall: Assembly, access: Access) -> None:
    await access.login("ada", "right", "", 10)
    squall.clock.advance(86_400)
    assert await access.prune() == 0
    squall.clock.advance(11)
    assert await access.prune() == 1
