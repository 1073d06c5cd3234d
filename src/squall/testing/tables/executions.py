# ruff: noqa: S101 - asserting is what a contract suite is for
"""The contract of the table of executions; a part of `squall.testing.tables.store`."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.execution.execution import (
    CANCELED,
    FINAL,
    RUNNING,
    SCHEDULED,
    SUCCEEDED,
    TRANSITIONS,
    Execution,
    ExecutionFilter,
    LogEntry,
    transition,
    with_result,
)
from squall.ports import Store, Tx
from squall.testing.samples import NOON, sample_execution, sample_id


async def insert(store: Store, *executions: Execution) -> None:
    """Adds executions in one transaction."""

    async def work(tx: Tx) -> None:
        for execution in executions:
            await tx.executions.insert(execution)

    await store.tx(work)


async def find(
    store: Store, limit: int | None = None, offset: int = 0, *, with_result: bool = False, **where: Any
) -> list[Execution]:
    """Returns a page of the executions that match the filter `where`."""
    execution_filter = ExecutionFilter(**where)
    return list(await store.read(lambda tx: tx.executions.find(execution_filter, limit, offset, with_result)))


async def numbers(store: Store, limit: int | None = None, offset: int = 0, **where: Any) -> list[int]:
    """Returns the numbers of the sample executions that match the filter `where`, in their order."""
    by_id = {sample_id(number): number for number in range(1, 100)}
    return [by_id[execution.id] for execution in await find(store, limit, offset, **where)]


def family() -> list[Execution]:
    """Returns root 1, its children 2 and 3, 4 (child of 2), 5 (child of 3), 6 (child of 4), and root 7 without any."""
    parents = {2: 1, 3: 1, 4: 2, 5: 3, 6: 4}
    return [
        sample_execution(number, tree=sample_id(1), parent=sample_id(parents[number]))
        if number in parents
        else sample_execution(number)
        for number in range(1, 8)
    ]


@pytest.mark.anyio
class ExecutionContract:
    """The contract of `ports.ExecutionRows`."""

    async def test_an_execution_comes_back_as_it_was_put_in(self, store: Store) -> None:
        """This holds for every field, with text of all kinds and numbers of any size."""
        whole = sample_execution(
            1,
            tree=sample_id(7),
            parent=sample_id(8),
            status=SUCCEEDED,
            end=NOON + 5_000_000,
            delay=1500,
            attempt=2,
            parameters={"cmd": "echo 'ü' \0 \u2028 \U0001f327", "n": 2**70, "none": None, "list": [1.5, True, {}]},
            context={"user": "ada", "parent": {"execution_id": sample_id(8)}},
            runner_info={"hostname": "h", "pid": 1},
            notify={"on-complete": {"routes": ["hubot"]}},
            result={"stdout": "a\0b", "deep": [[[]]]},
            result_size=33,
            log=(LogEntry(NOON, "requested"), LogEntry(NOON + 1, SUCCEEDED)),
        )
        await insert(store, whole)
        assert await store.read(lambda tx: tx.executions.get(whole.id)) == whole

    async def test_what_is_not_there_is_none(self, store: Store) -> None:
        """Reading a missing execution is no error."""
        assert await store.read(lambda tx: tx.executions.get(sample_id(1))) is None
        assert await store.read(lambda tx: tx.executions.latest()) is None

    async def test_a_result_is_left_out_when_nobody_wants_it(self, store: Store) -> None:
        """The execution still has the size of its result."""
        await insert(store, with_result(sample_execution(1), {"stdout": "x" * 1000}, 1015))
        bare = await store.read(lambda tx: tx.executions.get(sample_id(1), False))
        assert bare is not None
        assert (bare.result, bare.result_size) == (None, 1015)
        assert [each.result for each in await find(store)] == [None]
        assert [each.result for each in await find(store, with_result=True)] == [{"stdout": "x" * 1000}]

    @pytest.mark.parametrize("result", [5, "text", [], {}, False, 0, "", {"a": None}, 10**30])
    async def test_a_result_may_be_any_json_value(self, store: Store, result: Any) -> None:
        """This includes values that are false in Python."""
        await insert(store, with_result(sample_execution(1), result, 1))
        execution = await store.read(lambda tx: tx.executions.get(sample_id(1)))
        assert execution is not None
        assert execution.result == result
        assert type(execution.result) is type(result)

    async def test_an_update_writes_what_may_change(self, store: Store) -> None:
        """These fields may change: status, end, attempt, context, runner info, log, result."""
        await insert(store, sample_execution(1), sample_execution(2))
        changed = transition(transition(sample_execution(1), SCHEDULED, NOON + 1), RUNNING, NOON + 2)
        changed = with_result(transition(changed, SUCCEEDED, NOON + 9_000_000), {"a": 1}, 7)
        await store.tx(lambda tx: tx.executions.update(changed))
        assert await store.read(lambda tx: tx.executions.get(changed.id)) == changed
        assert await store.read(lambda tx: tx.executions.get(sample_id(2))) == sample_execution(2)

    async def test_a_later_result_replaces_the_first(self, store: Store) -> None:
        """For example, an execution that was `canceling` ends."""
        await insert(store, with_result(sample_execution(1), {"a": 1}, 7))
        await store.tx(lambda tx: tx.executions.update(with_result(sample_execution(1), [2], 3)))
        execution = await store.read(lambda tx: tx.executions.get(sample_id(1)))
        assert execution is not None
        assert (execution.result, execution.result_size) == ([2], 3)

    async def test_the_latest_is_the_one_that_started_last(self, store: Store) -> None:
        """This holds for any order of insertion; of two with the same start, the larger id is later. Children do not
        count: a user who has run a workflow means the workflow."""
        await insert(store, sample_execution(3), sample_execution(1), sample_execution(4, start=NOON))
        assert await store.read(lambda tx: tx.executions.latest()) == sample_id(3)
        await insert(store, sample_execution(5, start=sample_execution(3).start))
        assert await store.read(lambda tx: tx.executions.latest()) == sample_id(5)
        await insert(store, sample_execution(6, parent=sample_id(5)))
        assert await store.read(lambda tx: tx.executions.latest()) == sample_id(5)

    @pytest.mark.parametrize(
        ("where", "expected"),
        [
            ({}, [4, 3, 2, 1]),
            ({"newest_first": False}, [1, 2, 3, 4]),
            ({"action": "core.noop"}, [2]),
            ({"status": RUNNING}, [3]),
            ({"user": "bob"}, [4]),
            ({"runner": "noop"}, [2]),
            ({"parent": ""}, [4, 2, 1]),
            ({"parent": sample_id(1)}, [3]),
            ({"tree": sample_id(1)}, [3, 1]),
            ({"ids": (sample_id(1), sample_id(4), sample_id(9))}, [4, 1]),
            ({"ids": ()}, []),
            ({"after_us": sample_execution(2).start}, [4, 3]),
            ({"before_us": sample_execution(2).start}, [1]),
            ({"after_us": sample_execution(1).start, "before_us": sample_execution(4).start}, [3, 2]),
            ({"action": "core.local", "parent": "", "user": "ada"}, [1]),
            ({"action": "core.nosuch"}, []),
        ],
    )
    async def test_a_filter_finds_exactly_its_own(
        self, store: Store, where: dict[str, Any], expected: list[int]
    ) -> None:
        """`count` gives the same number."""
        await insert(
            store,
            sample_execution(2, action="core.noop", runner="noop"),
            sample_execution(1),
            sample_execution(4, user="bob"),
            sample_execution(3, status=RUNNING, tree=sample_id(1), parent=sample_id(1)),
        )
        assert await numbers(store, **where) == expected
        assert await store.read(lambda tx: tx.executions.count(ExecutionFilter(**where), 100)) == len(expected)

    @pytest.mark.parametrize("newest_first", [True, False])
    async def test_pages_join_without_gap_or_repeat_also_at_equal_times(self, store: Store, newest_first: bool) -> None:
        """Executions with the same start are sorted by id."""
        await insert(store, *(sample_execution(number, start=NOON + number // 4) for number in range(1, 14)))
        pages = [await numbers(store, 4, offset, newest_first=newest_first) for offset in range(0, 16, 4)]
        assert [len(page) for page in pages] == [4, 4, 4, 1]
        joined = [number for page in pages for number in page]
        assert joined == sorted(range(1, 14), reverse=newest_first)

    async def test_an_offset_without_a_limit_gives_all_the_rest(self, store: Store) -> None:
        """An offset beyond the end gives no executions."""
        await insert(store, *(sample_execution(number) for number in range(1, 6)))
        assert await numbers(store, None, 3) == [2, 1]
        assert await numbers(store, None, 50) == []
        assert await numbers(store, 0, 0) == []

    async def test_counting_stops_at_its_cap(self, store: Store) -> None:
        """Beyond the cap, counting would cost more than the number is worth."""
        await insert(store, *(sample_execution(number) for number in range(1, 8)))
        everything = ExecutionFilter()
        assert await store.read(lambda tx: tx.executions.count(everything, 5)) == 5
        assert await store.read(lambda tx: tx.executions.count(everything, 7)) == 7
        assert await store.read(lambda tx: tx.executions.count(everything, 8)) == 7

    @pytest.mark.parametrize(
        ("root", "depth", "expected"),
        [
            (1, None, [2, 3, 4, 5, 6]),
            (1, 1, [2, 3]),
            (1, 2, [2, 3, 4, 5]),
            (2, None, [4, 6]),
            (6, None, []),
            (7, None, []),
            (50, None, []),
        ],
    )
    async def test_descendants_are_found_to_the_depth_asked_for(
        self, store: Store, root: int, depth: int | None, expected: list[int]
    ) -> None:
        """They are sorted by start, oldest first."""
        await insert(store, *reversed(family()))
        below = await store.read(lambda tx: tx.executions.descendants(sample_id(root), depth, False))
        assert [each.id for each in below] == [sample_id(number) for number in expected]

    async def test_more_descendants_than_a_statement_may_have_marks(self, store: Store) -> None:
        """A workflow with items may have thousands of them."""
        children = [sample_execution(number, tree=sample_id(1), parent=sample_id(1)) for number in range(2, 1300)]
        await insert(store, sample_execution(1), *children)
        below = await store.read(lambda tx: tx.executions.descendants(sample_id(1), None, True))
        assert [each.id for each in below] == [each.id for each in children]

    async def test_children_are_told_by_parent_oldest_first(self, store: Store) -> None:
        """Executions without children are left out."""
        await insert(store, *reversed(family()))
        parents = [sample_id(number) for number in (1, 2, 5, 7, 50)]
        assert await store.read(lambda tx: tx.executions.child_ids(parents)) == {
            sample_id(1): [sample_id(2), sample_id(3)],
            sample_id(2): [sample_id(4)],
        }
        assert await store.read(lambda tx: tx.executions.child_ids([])) == {}

    async def test_what_has_not_ended_is_told_for_a_tree_and_for_all(self, store: Store) -> None:
        """This holds for every status that is not final."""
        statuses = sorted(TRANSITIONS)
        tree = sample_id(1)
        executions = [
            sample_execution(number, status=status, **({"tree": tree, "parent": tree} if number > 1 else {}))
            for number, status in enumerate(statuses, 1)
        ]
        await insert(store, *executions, sample_execution(50), sample_execution(51, status=CANCELED))
        still_open = [execution.id for execution in executions if execution.status not in FINAL]
        assert len(still_open) == len(TRANSITIONS) - len(FINAL)
        assert await store.read(lambda tx: tx.executions.unfinished(tree)) == still_open
        assert await store.read(lambda tx: tx.executions.unfinished(None)) == [*still_open, sample_id(50)]
        assert await store.read(lambda tx: tx.executions.unfinished(sample_id(51))) == []

    async def test_different_values_are_told_once_and_in_order(self, store: Store) -> None:
        """Users filter by these attributes."""

        async def work(tx: Tx) -> None:
            for number, action in enumerate(("b.b", "a.a", "b.b")):
                await tx.executions.insert(sample_execution(number + 60, action=action))

        assert await store.read(lambda tx: tx.executions.distinct(["action"])) == {}
        await store.tx(work)
        values = await store.read(lambda tx: tx.executions.distinct(["action", "status", "nosuch"]))
        assert values == {"action": ["a.a", "b.b"], "status": ["requested"]}
