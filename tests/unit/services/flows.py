"""Workflows over the services of an assembly: advanced by hand, their actions ended with scripted outcomes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from tests.doubles.assembly import Assembly, GivenPacks

from squall.core.execution.execution import Execution, ExecutionFilter
from squall.core.expr.language import Language
from squall.ports import Store, Tx
from squall.services.holdups import Holdups
from squall.services.lanes import ADVANCE, RUN
from squall.services.workflow.chains import Chains
from squall.services.workflow.definitions import Definitions
from squall.services.workflow.expressions import Languages
from squall.services.workflow.run_store import RunStore
from squall.services.workflow.runs import Runs
from squall.services.workflow.workflows import Workflows
from squall.testing.samples import sample_action, sample_pack, sample_runner

T = TypeVar("T")
LANGUAGE = Language()
Act = Callable[[Execution], tuple[str, Any]]


async def no_keys(name: str, decrypt: bool, user: str) -> Any:
    if name == "system.word":
        return "key"
    raise LookupError(name)


class Between:
    """A store that does `work` of others just before its next durable transaction, which is not a claim of rows."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.work: Callable[[Tx], Awaitable[None]] | None = None

    async def tx(self, work: Callable[[Tx], Awaitable[T]], *, durable: bool = True) -> T:
        first = self.work if durable else None
        if first is not None:
            self.work = None
            await self._store.tx(first)
        return await self._store.tx(work, durable=durable)

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        return await self._store.read(work)

    async def close(self) -> None:
        await self._store.close()


class Flows:
    """An assembly with workflows `flows.<name>`, given by their texts or documents, and the action `flows.anything`."""

    def __init__(self, squall: Assembly, **texts: Any) -> None:
        self.squall = squall
        self.definitions = Definitions(squall.store, squall.content, Languages(lambda: LANGUAGE))
        self.restart()
        source = squall.source
        assert isinstance(source, GivenPacks)
        actions = [sample_action("flows.anything", runner_type="noop", parameters={"what": {}, "more": {}})]
        for name, text in texts.items():
            source.texts[f"workflows/{name}.yaml"] = text if isinstance(text, str) else json.dumps(text)
            parameters = {"x": {}, "secret": {"secret": True, "type": "string"}}
            actions.append(
                sample_action(
                    f"flows.{name}",
                    runner_type="action-chain" if "chain:" in str(text) else "orquesta",
                    entry_point=f"workflows/{name}.yaml",
                    parameters=parameters,
                )
            )
        source.runners.append(sample_runner("orquesta", runner_parameters={"notify": {"type": "array", "default": []}}))
        source.runners.append(
            sample_runner(
                "action-chain",
                runner_parameters={"display_published": {"default": True}, "skip_notify": {"default": []}},
            )
        )
        source.packs.append((sample_pack("flows"), actions))

    def restart(self) -> None:
        """As if the server had been killed and started anew: nothing is in memory."""
        squall = self.squall
        self.stored = RunStore(
            squall.store, squall.clock, squall.vault, squall.binding, self.definitions, no_keys, most_tasks=500
        )
        self.runs = Runs(
            squall.store,
            squall.clock,
            squall.content,
            squall.binding,
            self.definitions,
            self.stored,
            {"hostname": "h", "pid": 1},
            "http://x",
            500,
        )
        transitions, executions, info = squall.transitions, squall.executions, self.runs.runner_info
        starting = squall.starting
        self.chains = Chains(
            squall.store, squall.clock, squall.content, squall.binding, executions, starting, transitions, info
        )
        self.holdups = Holdups()
        self.workflows = Workflows(
            squall.store,
            squall.clock,
            executions,
            starting,
            transitions,
            self.runs,
            self.stored,
            self.chains,
            squall.suspects,
            Languages(lambda: LANGUAGE),
            self.holdups,
        )

    async def advance(self) -> None:
        """Advances until nothing is due."""
        while await self.rows(ADVANCE):
            async with asyncio.TaskGroup() as group:
                if not await self.workflows.advance(group):
                    return

    async def rows(self, lane: str) -> int:
        return (await self.squall.store.read(lambda tx: tx.queue.depths())).get(lane, 0)

    async def work(self, act: Act, most: int = 1000, restarts: bool = False) -> None:
        """Advances, and ends actions, until nothing is due any more."""
        for _ in range(most):
            await self.advance()
            if restarts:
                self.restart()
            claimed = await self.squall.claim()
            if not claimed:
                return
            for task, execution, _ in claimed:
                status, result = act(execution)
                await self.squall.finish(task, execution, status, result)
            assert await self.rows(RUN) >= 0

    async def get(self, execution: Execution) -> Execution:
        return await self.squall.executions.get(execution.id)

    async def children(self, execution: Execution) -> list[Execution]:
        where = ExecutionFilter(parent=execution.id, newest_first=False)
        found, _, _ = await self.squall.executions.find(where, None, 0, True)
        return found


def good(execution: Execution) -> tuple[str, Any]:
    return "succeeded", {"stdout": execution.context.get("orquesta", {}).get("task_name")}
