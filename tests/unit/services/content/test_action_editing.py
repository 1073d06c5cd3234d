"""Actions made by people, over a real store: the API's tests go through the rest."""

from __future__ import annotations

from typing import Any

import pytest
from tests.doubles.assembly import Assembly

from squall.core.errors import InvalidError
from squall.services.content.action_editing import ActionEditing
from squall.testing.samples import sample_pack

pytestmark = pytest.mark.anyio


async def test_an_action_that_was_made_stays_until_a_file_takes_its_name(squall: Assembly) -> None:
    squall.source.packs.append((sample_pack("mine", 9), []))
    await squall.registration.register()
    editing = ActionEditing(squall.store, squall.clock, squall.content, squall.source)
    made = await editing.create({"name": "made", "pack": "mine", "runner_type": "noop"})
    await squall.registration.register()
    assert (await squall.content.action("mine.made")).id == made.id
    with pytest.raises(InvalidError, match="system level packs"):
        await editing.delete("core.noop", False)
    await editing.delete("mine.made", False)
    assert await squall.content.runnable("mine.made") is None


PASSWORD = {"type": "string", "secret": True, "default": "real-default"}
MASKED = {**PASSWORD, "default": "********"}


async def editing_of(squall: Assembly) -> ActionEditing:
    squall.source.packs.append((sample_pack("mine", 9), []))
    await squall.registration.register()
    editing = ActionEditing(squall.store, squall.clock, squall.content, squall.source)
    await editing.create(
        {"name": "made", "pack": "mine", "runner_type": "noop", "parameters": {"password": PASSWORD, "n": {}}}
    )
    return editing


@pytest.mark.parametrize("name", ["made", "renamed"])
async def test_a_secret_default_that_comes_back_as_asterisks_stays(squall: Assembly, name: str) -> None:
    editing = await editing_of(squall)
    body = {"name": name, "runner_type": "noop", "parameters": {"password": {**MASKED, "description": "new"}}}
    updated = await editing.update("mine.made", body)
    assert updated.parameters == {"password": {**PASSWORD, "description": "new"}}
    changed = {"password": {"secret": True, "default": "new-default"}}
    assert (await editing.update(updated.ref, {**body, "parameters": changed})).parameters == changed


@pytest.mark.parametrize(
    "parameters", [{"other": MASKED}, {"password": {"default": "********"}}, {"password": {**MASKED, "secret": False}}]
)
async def test_asterisks_that_stand_for_no_secret_are_refused_and_reveal_none(
    squall: Assembly, parameters: dict[str, Any]
) -> None:
    editing = await editing_of(squall)
    with pytest.raises(InvalidError, match=r"default is \*{8}") as caught:
        await editing.update("mine.made", {"name": "made", "runner_type": "noop", "parameters": parameters})
    assert "real-default" not in str(caught.value)
    with pytest.raises(InvalidError, match=r"default is \*{8}"):
        await editing.create({"name": "two", "pack": "mine", "runner_type": "noop", "parameters": {"password": MASKED}})
    assert (await squall.content.action("mine.made")).parameters["password"] == PASSWORD


async def test_a_clone_has_the_secret_default_itself(squall: Assembly, monkeypatch: pytest.MonkeyPatch) -> None:
    editing = await editing_of(squall)
    monkeypatch.setattr(squall.source, "write_files", lambda pack, files: None, raising=False)
    clone = await editing.clone("mine.made", "mine", "copy", False)
    assert clone.parameters["password"] == PASSWORD
