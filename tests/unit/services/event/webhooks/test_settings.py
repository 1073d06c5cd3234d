"""The settings of webhooks: stored sealed, and kept while secrets change."""

from __future__ import annotations

import pytest
from tests.doubles.hooks import Hooks

from squall.core.errors import InvalidError, NotFoundError

pytestmark = pytest.mark.anyio
URL = "team/deploy"


async def secrets(hooks: Hooks, url: str = URL) -> tuple[str, ...]:
    hook = await hooks.settings.hook(url)
    assert hook is not None
    return hook.secrets


async def test_a_hook_without_settings_is_opened_by_no_signature(hooks: Hooks) -> None:
    assert not await hooks.settings.is_signed(URL)
    with pytest.raises(NotFoundError, match='"team/deploy" has no settings'):
        await hooks.settings.get(URL)


async def test_secrets_are_stored_sealed_and_events_show_none(hooks: Hooks) -> None:
    settings = await hooks.settings.put(f"/{URL}/", {"preset": "github", "secrets": ["one", "two"]}, "ada")
    assert (settings.url, settings.user, settings.at) == (URL, "ada", hooks.squall.clock.now())
    assert await hooks.settings.is_signed(URL)
    assert await secrets(hooks) == ("one", "two")
    stored = await hooks.store.read(lambda tx: tx.webhooks.settings())
    assert "one" not in str(stored)
    assert await hooks.events("webhook_settings") == ["st2.webhook_settings__create"]
    rows = await hooks.store.read(lambda tx: tx.events.after(0, 1000))
    document = await hooks.store.read(lambda tx: tx.events.document(rows[-1].id))
    assert b'"secrets":["********","********"]' in document


async def test_a_rotation_keeps_the_current_secret_until_it_ends(hooks: Hooks) -> None:
    await hooks.settings.put(URL, {"preset": "github", "secrets": ["old"]}, "ada")
    await hooks.settings.put(URL, {"preset": "github", "secrets": ["new", "********"]}, "ada")
    assert await secrets(hooks) == ("new", "old")
    await hooks.settings.put(URL, {"preset": "github", "drop_duplicates": True}, "ada")
    assert await secrets(hooks) == ("new", "old")
    await hooks.settings.put(URL, {"preset": "github", "secrets": ["********"]}, "ada")
    assert await secrets(hooks) == ("new",)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"preset": "github", "secrets": ["x", "********", "y"]}, "at most 2"),
        ({"preset": "github", "secrets": ["********", "********"]}, "the hook has 1 of them"),
        ({"preset": "slack", "secrets": ["x", "********"]}, "the preset is another one"),
        ({"preset": "slack"}, "the preset is another one"),
        ({"drop_duplicates": True}, "the preset is another one"),
        ({"preset": "github", "secrets": []}, "a preset needs one or two secrets"),
    ],
)
async def test_settings_that_do_not_fit_the_stored_ones_change_nothing(
    hooks: Hooks, body: dict[str, object], message: str
) -> None:
    await hooks.settings.put(URL, {"preset": "github", "secrets": ["old"]}, "ada")
    with pytest.raises(InvalidError, match=message):
        await hooks.settings.put(URL, body, "eve")
    assert (await hooks.settings.get(URL)).user == "ada"


async def test_a_hook_may_drop_duplicates_without_a_signature(hooks: Hooks) -> None:
    await hooks.settings.put("later", {"drop_duplicates": True}, "ada")
    assert (await hooks.settings.get("later")).drop_duplicates
    assert not await hooks.settings.is_signed("later")


async def test_removed_settings_are_gone_at_once(hooks: Hooks) -> None:
    await hooks.settings.put(URL, {"preset": "github", "secrets": ["old"]}, "ada")
    await hooks.settings.delete(URL)
    assert not await hooks.settings.is_signed(URL)
    assert (await hooks.events("webhook_settings"))[-1] == "st2.webhook_settings__delete"
    with pytest.raises(NotFoundError):
        await hooks.settings.delete(URL)


async def test_the_generic_hook_and_impossible_urls_have_no_settings(hooks: Hooks) -> None:
    with pytest.raises(InvalidError, match="dispatches each trigger that a body names"):
        await hooks.settings.put("st2", {}, "ada")
    with pytest.raises(InvalidError, match="url: "):
        await hooks.settings.put("a/../b", {}, "ada")
