"""The graph of a workflow: the ways between its tasks, its joins, and its cycles."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from squall.core.workflow.definition.spec import COMMANDS, Retry, Task, Workflow

RETRY_COUNT = 3
"""The number of retries of the command `retry`."""


class Edge(msgspec.Struct, frozen=True):
    """A way from one task to another. `id` names it among the ways out of `source`; `ref` is the index of its entry in
    `next`."""

    source: str
    target: str
    key: int
    when: str | None
    ref: int

    @property
    def id(self) -> str:
        """Orquesta's name of the way: `task2__t0`."""
        return f"{self.target}__t{self.key}"


class Graph:
    """The relations between a workflow's tasks, computed once."""

    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow
        self.retries: dict[str, Retry] = {
            name: task.retry for name, task in workflow.tasks.items() if task.retry is not None
        }
        self.outbound: dict[str, tuple[Edge, ...]] = {}
        inbound: dict[str, list[Edge]] = {}
        for name, task in workflow.tasks.items():
            self.outbound[name] = tuple(self._edges(task))
            for edge in self.outbound[name]:
                inbound.setdefault(edge.target, []).append(edge)
        self.inbound = {name: tuple(edges) for name, edges in inbound.items()}
        self.starts = tuple(sorted(name for name in workflow.tasks if name not in inbound))
        self._cyclic = frozenset(_in_cycles({name: [e.target for e in edges] for name, edges in self.outbound.items()}))
        self.sources = {name: frozenset(edge.source for edge in edges) for name, edges in self.inbound.items()}

    def _edges(self, task: Task) -> Iterable[Edge]:
        pairs: set[tuple[str, int]] = set()
        keys: dict[str, int] = {}
        edges = []
        for ref, transition in enumerate(task.next):
            for target in transition.do:
                if target == "retry":
                    self.retries[task.name] = Retry(RETRY_COUNT, transition.when or "<% completed() %>")
                elif (target, ref) not in pairs:
                    pairs.add((target, ref))
                    keys[target] = keys.get(target, -1) + 1
                    edges.append(Edge(task.name, target, keys[target], transition.when, ref))
        return sorted(edges, key=lambda edge: edge.target)

    def task(self, name: str) -> Task:
        """Returns the task's record; the engine's own commands are tasks without an action."""
        return self.workflow.tasks[name] if name in self.workflow.tasks else Task(name)

    def knows(self, name: str) -> bool:
        """Checks whether a task or a command has this name."""
        return name in self.workflow.tasks or name in COMMANDS

    def is_join(self, name: str) -> bool:
        """Checks whether the task waits for tasks before it."""
        return name in self.workflow.tasks and bool(self.workflow.tasks[name].join)

    def required(self, name: str) -> int:
        """Returns how many tasks must have led to this task before it may run."""
        join = self.task(name).join
        if not join:
            return 1
        return len(self.sources.get(name, ())) if join == "all" else int(join)

    def splits(self, name: str) -> bool:
        """Checks whether each way into the task starts its own run, on its own route."""
        join = name in self.workflow.tasks and self.workflow.tasks[name].join is not None
        return not join and len(self.inbound.get(name, ())) > 1 and name not in self._cyclic

    def in_cycle(self, name: str) -> bool:
        """Checks whether the task can lead back to itself."""
        return name in self._cyclic


def _in_cycles(edges: dict[str, list[str]]) -> set[str]:
    """Returns the nodes that lie in a cycle (Tarjan's algorithm, without recursion)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    stacked: set[str] = set()
    cyclic: set[str] = set()
    for start in edges:
        if start in order:
            continue
        work: list[tuple[str, int]] = [(start, 0)]
        while work:
            node, at = work.pop()
            if at == 0:
                order[node] = low[node] = len(order)
                stack.append(node)
                stacked.add(node)
            out = edges.get(node, [])
            if at > 0 and out[at - 1] in stacked:
                low[node] = min(low[node], low[out[at - 1]])
            while at < len(out) and out[at] in order:
                if out[at] in stacked:
                    low[node] = min(low[node], order[out[at]])
                at += 1
            if at < len(out):
                work += [(node, at + 1), (out[at], 0)]
                continue
            if low[node] == order[node]:
                group = stack[stack.index(node) :]
                del stack[-len(group) :]
                stacked -= set(group)
                if len(group) > 1 or node in out:
                    cyclic |= set(group)
    return cyclic
