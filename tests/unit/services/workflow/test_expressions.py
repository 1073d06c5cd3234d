"""What expressions ask of the store, from another thread."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.doubles.assembly import Assembly
from tests.unit.services.flows import no_keys

from squall.core.errors import NotFoundError
from squall.core.expr.language import Language
from squall.core.workflow.conducting.state import Entry
from squall.services.content.keys import Keys
from squall.services.workflow.expressions import Languages, Lookups, key_reader
from squall.testing.waiting import PATIENCE

pytestmark = pytest.mark.anyio


async def test_results_keys_and_documents_are_answered_to_a_thread(squall: Assembly) -> None:
    task, execution, _ = await squall.start(action="core.noop")
    await squall.finish(task, execution, "succeeded", {"a": 1})
    await squall.store.tx(lambda tx: tx.workflows.add_child("t1", 1, execution.id))
    lookups = Lookups(squall.store, squall.clock, no_keys, str, "w", "ada", asyncio.get_running_loop())
    assert await asyncio.to_thread(lookups.item_results, "t1", 2) == [None, {"a": 1}]
    entry = Entry("t1", "task", 0, 0, {}, squall.clock.now(), "succeeded")
    document = await asyncio.to_thread(lookups.task_document, entry, 2)
    assert document["result"] == {"items": [None, {"status": "succeeded", "result": {"a": 1}}]}
    assert document["task_name"] == "task"
    assert await asyncio.to_thread(lookups.key, "system.word", False) == "key"
    with pytest.raises(LookupError):
        await asyncio.to_thread(lookups.key, "nosuch", False)
    assert not lookups.secret_read


async def test_names_of_keys_say_whose_they_are() -> None:
    class Kept:
        async def get(self, scope: str, user: str, name: str) -> Any:
            if (scope, name) == ("st2kv.user", "nosuch"):
                raise NotFoundError(name)
            return SimpleNamespace(value=f"{scope}|{user}|{name}")

        def reveal(self, key: Any) -> str:
            return "revealed"

    read = key_reader(cast(Keys, Kept()))
    assert await read("system.a.b", False, "ada") == "st2kv.system|ada|a.b"
    assert await read("st2kv.system.a", False, "ada") == "st2kv.system|ada|a"
    assert await read("user.a", False, "ada") == "st2kv.user|ada|a"
    assert await read("plain", False, "ada") == "st2kv.user|ada|plain"
    assert await read("plain", True, "ada") == "revealed"
    with pytest.raises(LookupError):
        await read("nosuch", False, "ada")


async def test_nobody_has_the_language_of_another_thread_and_only_one_is_made_from_nothing() -> None:
    made: list[Language] = []
    together = threading.Barrier(2)

    def make() -> Language:
        made.append(Language())
        return made[-1]

    def evaluate(language: Language) -> int:
        together.wait(PATIENCE)
        return id(language)

    languages = Languages(make)
    await languages.warm()
    used = await asyncio.gather(languages.apart(evaluate), languages.apart(evaluate))
    assert len(set(used)) == 2
    assert len(made) == 1


async def test_a_language_is_used_again_also_after_an_error() -> None:
    languages = Languages(Language)

    def fails(language: Language) -> None:
        raise ZeroDivisionError(id(language))

    with pytest.raises(ZeroDivisionError) as error:
        await languages.apart(fails)
    assert await languages.apart(id) == error.value.args[0]
