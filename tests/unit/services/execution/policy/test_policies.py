"""Policies: those of packs, and those that people add."""

from __future__ import annotations

from typing import Any

import pytest
from tests.doubles.assembly import Assembly

from squall.core.errors import ConflictError, InvalidError, NotFoundError
from squall.core.execution.policy import Policy, make_policy

pytestmark = pytest.mark.anyio

GIVEN: dict[str, Any] = {
    "name": "limit",
    "pack": "core",
    "resource_ref": "core.local",
    "policy_type": "action.concurrency",
    "parameters": {"threshold": 1},
}


def of_pack(**changes: Any) -> Policy:
    return make_policy({**GIVEN, "name": "packed", "metadata_file": "policies/x.yaml", **changes}, "")


async def register(squall: Assembly) -> None:
    await squall.registration.register()


async def refs(squall: Assembly, **where: str) -> list[str]:
    asked = {"resource_ref": None, "pack": None, "policy_type": None} | where
    return [policy.ref for policy in await squall.policies.find(**asked)]


async def test_a_policy_is_created_found_changed_and_deleted(squall: Assembly) -> None:
    made = await squall.policies.create(GIVEN)
    assert await squall.policies.get("core.limit") == await squall.policies.get(made.id) == made
    renamed = await squall.policies.update("core.limit", {**GIVEN, "name": "other"})
    assert (renamed.id, renamed.ref) == (made.id, "core.other")
    assert await refs(squall) == ["core.other"]
    assert await refs(squall, resource_ref="core.noop") == []
    assert await refs(squall, resource_ref="core.local", pack="core", policy_type="action.concurrency") == [
        "core.other"
    ]
    await squall.policies.delete(made.id)
    for missing in (squall.policies.get(made.id), squall.policies.delete("core.other")):
        with pytest.raises(NotFoundError, match="not found"):
            await missing


async def test_two_policies_cannot_have_one_name(squall: Assembly) -> None:
    await squall.policies.create(GIVEN)
    await squall.policies.create({**GIVEN, "name": "other"})
    with pytest.raises(ConflictError, match=r"core\.limit"):
        await squall.policies.create(GIVEN)
    with pytest.raises(ConflictError, match=r"core\.limit"):
        await squall.policies.update("core.other", GIVEN)


async def test_a_wrong_change_leaves_the_policy_as_it_was(squall: Assembly) -> None:
    made = await squall.policies.create(GIVEN)
    with pytest.raises(InvalidError, match="threshold"):
        await squall.policies.update(made.id, {**GIVEN, "parameters": {}})
    assert await squall.policies.get(made.id) == made


async def test_what_packs_bring_is_registered_keeps_its_id_and_goes_with_its_file(squall: Assembly) -> None:
    await squall.policies.create(GIVEN)
    squall.source.given = {"core.packed": of_pack()}
    await register(squall)
    first = await squall.policies.get("core.packed")
    squall.source.given = {"core.packed": of_pack(parameters={"threshold": 5})}
    await register(squall)
    second = await squall.policies.get("core.packed")
    assert (second.id, second.threshold) == (first.id, 5)
    squall.source.given = {}
    await register(squall)
    assert await refs(squall) == ["core.limit"]


async def test_a_start_with_other_policies_lets_in_whoever_waits_for_nothing_now(squall: Assembly) -> None:
    squall.source.given = {"core.packed": of_pack()}
    await register(squall)
    await squall.request()
    second = await squall.request()
    await squall.claim()
    squall.source.given = {}
    await register(squall)
    assert [execution.id for _, execution, _ in await squall.claim()] == [second.id]


async def test_the_types_are_told(squall: Assembly) -> None:
    assert [kind.ref for kind in await squall.policies.types()] == [
        "action.concurrency", "action.concurrency.attr", "action.retry"
    ]  # fmt: skip
