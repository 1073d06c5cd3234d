"""Random workflows, ended in random order: the conductor against a plain interpreter, and against its own replay."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from tests.unit.core.workflow.conducting.staging import Stage

from squall.core.workflow.conducting.snapshots import restored, snapshot

CONDITIONS = {"always": None, "good": "<% succeeded() %>", "bad": "<% failed() %>"}
Way = tuple[int, int, str]


@some.composite
def flows(draw: some.DrawFn) -> tuple[int, list[Way], list[bool], list[int]]:
    """How many tasks, the ways between them, which of them fail, and in which order they end."""
    count = draw(some.integers(1, 7))
    pairs = [(a, b) for b in range(count) for a in range(b)]
    chosen = draw(some.lists(some.sampled_from(pairs), unique=True, max_size=12)) if pairs else []
    ways = [(a, b, draw(some.sampled_from(sorted(CONDITIONS)))) for a, b in chosen]
    failing = draw(some.lists(some.booleans(), min_size=count, max_size=count))
    order = draw(some.lists(some.integers(0, 20), min_size=count, max_size=count))
    return count, ways, failing, order


def text_of(count: int, ways: list[Way]) -> str:
    tasks: dict[str, Any] = {f"t{number}": {"action": "core.noop"} for number in range(count)}
    for a, b, condition in ways:
        entry: dict[str, Any] = {"do": f"t{b}"}
        if CONDITIONS[condition]:
            entry["when"] = CONDITIONS[condition]
        tasks[f"t{a}"].setdefault("next", []).append(entry)
        tasks[f"t{b}"]["join"] = "all"
    return json.dumps({"version": 1.0, "tasks": tasks})


def interpreted(count: int, ways: list[Way], failing: list[bool], order: list[int]) -> tuple[str, dict[str, str]]:
    """The same rules, written down as plainly as they can be: everything is looked at again at every step."""
    status = "running"
    ended: dict[int, bool] = {}
    running = [task for task in range(count) if not any(b == task for _, b, _ in ways)]
    started = set(running)

    def is_taken(way: Way) -> bool:
        a, _, condition = way
        return a in ended and (condition == "always" or (condition == "good") == ended[a])

    for turn in order:
        if not running:
            break
        task = sorted(running)[turn % len(running)]
        running.remove(task)
        ended[task] = not failing[task]
        if status == "running" and failing[task] and not any(is_taken(way) for way in ways if way[0] == task):
            status = "failed"
        into = {b: [way for way in ways if way[1] == b] for _, b, _ in ways}
        ready = sorted(b for b, found in into.items() if b not in started and all(map(is_taken, found)))
        if status == "running" and ready:
            running += ready
            started |= set(ready)
        elif status == "running" and not running:
            partly = any(b not in started and any(map(is_taken, found)) for b, found in into.items())
            status = "failed" if partly else "succeeded"
    return status, {f"t{task}": "succeeded" if good else "failed" for task, good in ended.items()}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(flows())
def test_the_conductor_agrees_with_a_plain_interpreter(flow: tuple[int, list[Way], list[bool], list[int]]) -> None:
    count, ways, failing, order = flow
    stage = Stage(text_of(count, ways))
    for turn in order:
        if not stage.open:
            break
        names = stage.names()
        task = names[turn % len(names)]
        stage.end(task, "failed" if failing[int(task[1:])] else "succeeded")
    status, tasks = interpreted(*flow)
    assert (stage.state.status, {entry.task: entry.status for entry in stage.state.sequence}) == (status, tasks)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(flows())
def test_facts_and_snapshots_give_the_same_state_at_every_step(
    flow: tuple[int, list[Way], list[bool], list[int]],
) -> None:
    count, ways, failing, order = flow
    stage = Stage(text_of(count, ways))
    for turn in order:
        assert snapshot(stage.replayed()) == snapshot(stage.state)
        again = restored(stage.graph, snapshot(stage.state))
        assert snapshot(again) == snapshot(stage.state)
        assert (again.tasks, again.waiting) == (stage.state.tasks, stage.state.waiting)
        if not stage.open:
            break
        names = stage.names()
        task = names[turn % len(names)]
        stage.end(task, "failed" if failing[int(task[1:])] else "succeeded")
