# ruff: noqa: S101 - asserting is what a contract suite is for
"""The contract of advanced filters and orders of executions; a part of `squall.testing.tables.store`."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.execution.execution import FAILED, RUNNING, SORTED, SUCCEEDED, ExecutionFilter, LogEntry
from squall.core.execution.terms import Term, advanced_terms
from squall.ports import Store, Tx
from squall.testing.samples import NOON, sample_action, sample_execution, sample_runner
from squall.testing.tables.executions import insert, numbers


def _deep(levels: int) -> dict[str, Any]:
    """Returns `levels` nested objects, each below the key `a`."""
    whole: dict[str, Any] = {"a": 1}
    for _ in range(levels):
        whole = {"a": whole}
    return whole


async def _filled(store: Store) -> None:
    """Inserts four executions: one with a result, one with unusual parameters, a running one, one with a delay."""
    log = (LogEntry(NOON, RUNNING), LogEntry(NOON + 1, SUCCEEDED))
    await insert(
        store,
        sample_execution(1, action="b.b", status=SUCCEEDED, log=log, result={"stdout": "x", "n": 5}, result_size=9),
        sample_execution(
            2,
            action="a.a",
            status=FAILED,
            parameters={"cmd": "date", "n": 5, "a.b": "q", "o'": {"%": "p"}},
            end=NOON + 7,
        ),
        sample_execution(3, action="b.b", status=RUNNING, context={"user": "bob", "deep": {"er": "x"}}, user="bob"),
        sample_execution(4, action="a.a", status=FAILED, delay=1500, result=_deep(450)),
    )

    async def work(tx: Tx) -> None:
        action = sample_action("core.local", description="says so")
        await tx.content.keep_snapshot(sample_execution(1).snapshot, action, sample_runner())

    await store.tx(work)


@pytest.mark.anyio
class ExecutionFilterContract:
    """The contract of `ports.ExecutionRows.find` and `count` with terms and orders."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("status:failed", [4, 2]),
            ("status:failed action.ref:b.b", []),
            ("status:null", []),
            ("parent:null", [4, 3, 2, 1]),
            ("parameters.cmd:date", [2]),
            ("parameters.n:5", []),
            ("parameters.o'.%:p", [2]),
            ("parameters.a.b:q", []),
            ("context.user:bob", [3]),
            ("context.deep.er:x", [3]),
            ("context.deep:null", [4, 2, 1]),
            ("result.stdout:x", [1]),
            ("result.stdout:null", [4, 3, 2]),
            ("result.n:5", []),
            ("action.description:says", []),
            ("action.ref:core.local", []),
            ("action.name:local", [4, 3, 2, 1]),
            ("runner.name:local-shell-cmd", [4, 3, 2, 1]),
            ("log.status:running", [1]),
            ("delay:1500", [4]),
            ("delay:null", [3, 2, 1]),
            ("result_size:9", [1]),
            ("end_timestamp:null", [4, 3, 1]),
            ("rule.name:x", []),
            ("rule.name:null", [4, 3, 2, 1]),
        ],
    )
    async def test_terms_find_exactly_what_they_name(self, store: Store, text: str, expected: list[int]) -> None:
        """`count` gives the same number."""
        await _filled(store)
        terms = tuple(advanced_terms(text).values())
        assert await numbers(store, terms=terms) == expected
        assert await store.read(lambda tx: tx.executions.count(ExecutionFilter(terms=terms), 9)) == len(expected)

    async def test_a_number_between_two_bounds_may_be_either_of_them(self, store: Store) -> None:
        """For example, a time may be the end of a range."""
        await _filled(store)
        bounds = (sample_execution(2).start, sample_execution(3).start)
        assert await numbers(store, terms=(Term("start", between=bounds),)) == [3, 2]

    @pytest.mark.parametrize(
        ("order", "expected"),
        [
            ([("action", False)], [4, 2, 3, 1]),
            ([("action", True)], [3, 1, 4, 2]),
            ([("status", False), ("id", False)], [2, 4, 3, 1]),
            ([("start", False)], [1, 2, 3, 4]),
            ([("start", True)], [4, 3, 2, 1]),
            ([("user", True)], [3, 4, 2, 1]),
        ],
    )
    async def test_attributes_decide_the_order_and_the_start_what_they_leave_open(
        self, store: Store, order: list[tuple[str, bool]], expected: list[int]
    ) -> None:
        """This holds for the whole list and for its pages."""
        await _filled(store)
        assert await numbers(store, order=tuple(order)) == expected
        pages = [await numbers(store, 1, offset, order=tuple(order)) for offset in range(4)]
        assert [number for page in pages for number in page] == expected

    @pytest.mark.parametrize("name", sorted(SORTED))
    async def test_every_attribute_of_an_order_is_known(self, store: Store, name: str) -> None:
        """The database can sort by each of them."""
        await _filled(store)
        assert sorted(await numbers(store, order=((name, True),))) == [1, 2, 3, 4]
