"""The cache of the rules of triggers."""

from __future__ import annotations

import asyncio

import pytest
from tests.doubles.reacting import Reacting

from squall.services.event.rules import book

pytestmark = pytest.mark.anyio


async def test_rules_are_read_once_until_they_change(reacting: Reacting, monkeypatch: pytest.MonkeyPatch) -> None:
    await reacting.add_type()
    await reacting.add_rule("a")
    known = await reacting.book.of("p.t")
    assert await reacting.book.of("p.t") is known
    await reacting.add_rule("b", criteria={"trigger.x": {"type": "eq", "pattern": "{{ st2kv.system.k }}"}})
    later = await reacting.book.of("p.t")
    assert ([rule.name for rule in later.rules], later.number) == (["a", "b"], known.number + 1)
    assert (known.need_keys, later.need_keys) == (False, True)


async def test_the_rules_of_triggers_that_were_used_longest_ago_are_forgotten(
    reacting: Reacting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "_MOST_RULES", 2)
    for name in ("a", "b", "c"):
        await reacting.add_type(f"p.{name}")
        await reacting.add_rule(name, f"p.{name}")
    # Two readers at once count the rules of a trigger once.
    first, _ = await asyncio.gather(reacting.book.of("p.a"), reacting.book.of("p.a"))
    second = await reacting.book.of("p.b")
    first = await reacting.book.of("p.a")
    assert await reacting.book.of("p.b") is second
    await reacting.book.of("p.c")
    assert await reacting.book.of("p.b") is second
    assert await reacting.book.of("p.a") is not first
