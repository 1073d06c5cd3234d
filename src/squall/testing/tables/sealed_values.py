# ruff: noqa: S101 - asserting is what a contract suite is for
"""How every store keeps encrypted values in parameters and results; a part of `squall.testing.tables.store`."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.access.secret import Sealed
from squall.core.execution.execution import SUCCEEDED, ExecutionFilter, with_result
from squall.ports import Store, Tx
from squall.testing.samples import sample_execution, sample_id


@pytest.mark.anyio
class SealedValueContract:
    """`Sealed` in the documents of executions."""

    async def test_sealed_values_come_back_and_plain_data_never_becomes_one(self, store: Store) -> None:
        """In parameters and in results, at any depth."""
        plain = {"$sealed": "v1:x"}
        value = {"a": [Sealed("v1:x")], "b": plain, "c": {"$$sealed": 1}, "d": {"$sealed": plain}}
        whole = with_result(sample_execution(1, parameters=value, status=SUCCEEDED), value, 1)
        other = with_result(sample_execution(2, status=SUCCEEDED), Sealed("v1:y"), 1)

        async def insert(tx: Tx) -> None:
            await tx.executions.insert(whole)
            await tx.executions.insert(other)
            await tx.workflows.add_child(sample_id(7), 0, sample_id(1))

        async def read(tx: Tx) -> tuple[list[Any], list[Any]]:
            found = await tx.executions.find(ExecutionFilter(newest_first=False), None, 0, True)
            return list(found), [child[3] for child in await tx.workflows.children(sample_id(7))]

        await store.tx(insert)
        assert await store.read(read) == ([whole, other], [value])
