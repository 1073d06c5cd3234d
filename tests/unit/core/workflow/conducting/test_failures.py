"""Re-runs from the failed tasks on, over every shape in which a workflow ends without success."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.core.workflow.conducting.staging import Stage

from squall.core.workflow.conducting.failures import failures
from squall.core.workflow.conducting.rerun import RerunError, TaskRerun, check_rerun
from squall.core.workflow.conducting.snapshots import restored, snapshot

FAIL, OK = "failed", "succeeded"
ON_FAIL, ON_OK = "<% failed() %>", "<% succeeded() %>"


def task(*ways: tuple[str | None, str], **more: Any) -> dict[str, Any]:
    """A task with an action, and its ways out as (condition, targets)."""
    ends = [{"do": do} if when is None else {"when": when, "do": do} for when, do in ways]
    return {"action": "core.noop", **({"next": ends} if ends else {}), **more}


def workflow(output: Any = None, **tasks: Any) -> dict[str, Any]:
    return {"version": 1.0, "tasks": tasks, **({"output": output} if output else {})}


def staged(definition: dict[str, Any]) -> Stage:
    return Stage(json.dumps(definition))


def play(stage: Stage, **statuses: str) -> list[str]:
    """Ends everything that is started, in the order of the commands, with one of its statuses after the other (the last
    one from then on); what is not named succeeds."""
    ran: list[str] = []
    ends = {name: text.split() for name, text in statuses.items()}
    while stage.open:
        command = stage.open[0]
        ran.append(command.task + (f"[{command.item}]" if command.item is not None else ""))
        own = ends.get(ran[-1], ends.get(command.task, [OK]))
        stage.end(command.task, own.pop(0) if len(own) > 1 else own[0], item=command.item)
    return ran


def again(stage: Stage, *reset: str) -> None:
    stage.take(stage.conductor.rerun([], 9, reset))


CLEANUP = workflow(a=task((ON_FAIL, "cleanup"), (ON_OK, "b")), cleanup=task((None, "fail")), b=task())
SPLIT = workflow(
    a=task((ON_FAIL, "c"), (ON_OK, "z")), b=task((ON_FAIL, "c"), (ON_OK, "z")), c=task((None, "fail")), z=task()
)

SHAPES: dict[str, tuple[dict[str, Any], dict[str, str], list[str]]] = {
    "unhandled": (workflow(a=task((ON_OK, "b")), b=task()), {"a": FAIL}, ["a", "b"]),
    "cleanup, then fail": (CLEANUP, {"a": FAIL}, ["a", "b"]),
    "failed cleanup, then fail": (CLEANUP, {"a": FAIL, "cleanup": FAIL}, ["a", "b"]),
    "fail at once": (workflow(a=task((ON_FAIL, "fail"))), {"a": FAIL}, ["a"]),
    "cleanup and fail together": (
        workflow(a=task((ON_FAIL, "cleanup, fail")), cleanup=task()),
        {"a": FAIL},
        ["a"],
    ),
    "a long cleanup": (
        workflow(a=task((ON_FAIL, "c")), c=task((None, "d")), d=task((None, "e")), e=task((None, "fail"))),
        {"a": FAIL},
        ["a"],
    ),
    "a handled failure long before": (
        workflow(check=task((ON_FAIL, "create")), create=task((None, "b")), b=task((ON_FAIL, "fail"))),
        {"check": FAIL, "b": FAIL},
        ["b"],
    ),
    "a cleanup that fails by itself": (
        workflow(a=task((ON_FAIL, "c")), c=task((None, "d")), d=task((None, "fail"))),
        {"a": FAIL, "d": FAIL},
        ["a"],
    ),
    "a handler that fails, not handled": (
        workflow(a=task((ON_FAIL, "c")), c=task()),
        {"a": FAIL, "c": FAIL},
        ["c"],
    ),
    "two branches to one cleanup": (SPLIT, {"a": FAIL, "b": FAIL}, ["a", "b", "z", "z"]),
    "a handled and an unhandled failure": (
        workflow(a=task((ON_FAIL, "fail")), b=task((None, "fail"), next=[{"when": ON_OK, "do": "z"}]), z=task()),
        {"a": FAIL, "b": FAIL},
        ["a", "b", "z"],
    ),
    "timed out": (CLEANUP, {"a": "timeout"}, ["a", "b"]),
    "abandoned": (CLEANUP, {"a": "abandoned"}, ["a", "b"]),
    "canceled": (workflow(a=task((ON_OK, "b")), b=task()), {"a": "canceled"}, ["a", "b"]),
    "retried": (
        workflow(a=task((ON_FAIL, "cleanup"), retry={"count": 2}), cleanup=task((None, "fail"))),
        {"a": FAIL},
        ["a"],
    ),
    "a join of all": (
        workflow(a=task((ON_OK, "j")), b=task((ON_OK, "j")), j=task(join="all")),
        {"b": FAIL},
        ["b", "j"],
    ),
    "a join that was handled away": (
        workflow(a=task((ON_OK, "j")), b=task((ON_OK, "j"), (ON_FAIL, "h")), h=task(), j=task(join="all")),
        {"b": FAIL},
        ["b", "j"],
    ),
    "a join behind a task that never ran": (
        workflow(
            a=task((ON_OK, "j")), b=task((ON_OK, "c"), (ON_FAIL, "h")), c=task((None, "j")), h=task(), j=task(join=2)
        ),
        {"b": FAIL},
        ["b", "c", "j"],
    ),
    "a join that failed": (
        workflow(a=task((None, "j")), b=task((None, "j")), j=task((ON_FAIL, "fail"), join="all")),
        {"j": FAIL},
        ["j"],
    ),
    "a join of what handled failures": (
        workflow(
            a=task((ON_FAIL, "j"), (ON_OK, "c")),
            b=task((ON_FAIL, "d"), (ON_OK, "e")),
            c=task((None, "j")),
            d=task((None, "j")),
            e=task((None, "j")),
            j=task((None, "fail"), join=2),
        ),
        {"a": FAIL, "b": FAIL},
        ["a", "b", "c", "e", "j"],
    ),
    "items": (
        workflow(t=task((ON_FAIL, "fail"), (ON_OK, "z"), **{"with": "<% list(1, 2, 3) %>"}), z=task()),
        {"t[1]": FAIL},
        ["t[1]", "z"],
    ),
    "items in turn": (
        workflow(
            t=task((ON_FAIL, "c"), **{"with": {"items": "<% list(1, 2, 3) %>", "concurrency": 1}}),
            c=task((None, "fail")),
        ),
        {"t[1]": FAIL},
        ["t[1]", "t[2]"],
    ),
    "a failure beside a fail without one": (
        workflow(a=task(), check=task((ON_OK, "fail"))),
        {"a": FAIL},
        ["a", "check"],
    ),
    "a failure beside an expression that failed": (
        workflow(a=task(), b=task(("<% ctx().nosuch %>", "c")), c=task()),
        {"a": FAIL},
        ["a", "b"],
    ),
    "a circle": (
        workflow(
            a=task((None, "poll")),
            poll=task((ON_FAIL, "wait"), (ON_OK, "z")),
            wait=task((None, "poll")),
            z=task((ON_FAIL, "fail")),
        ),
        {"poll": f"{FAIL} {FAIL} {OK}", "z": FAIL},
        ["z"],
    ),
    "a circle that gives up": (
        workflow(
            a=task((None, "poll")), poll=task((ON_FAIL, "wait"), (ON_OK, "z")), wait=task((ON_OK, "poll")), z=task()
        ),
        {"poll": FAIL, "wait": f"{OK} {FAIL}"},
        ["poll", "wait", "z"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_what_failed_runs_again_and_what_follows_it(shape: str) -> None:
    definition, statuses, expected = SHAPES[shape]
    stage = staged(definition)
    play(stage, **statuses)
    assert stage.conductor.is_finished
    assert stage.state.status in ("failed", "canceled")
    check_rerun(stage.state, [], stage.state.status, None)
    again(stage)
    assert sorted(play(stage)) == expected
    assert stage.conductor.is_finished
    assert snapshot(stage.replayed()) == snapshot(stage.state)
    assert snapshot(restored(stage.graph, snapshot(stage.state))) == snapshot(stage.state)


REFUSED: dict[str, tuple[dict[str, Any], dict[str, str], str]] = {
    "succeeded": (
        workflow(a=task()),
        {},
        "No task of the workflow failed: it succeeded. Run the whole workflow again, or name the tasks to run.",
    ),
    "a failure that was handled": (
        workflow(a=task((ON_FAIL, "c")), c=task()),
        {"a": FAIL},
        "No task of the workflow failed: it succeeded. Run the whole workflow again, or name the tasks to run.",
    ),
    "fail without a failed task": (
        workflow(check=task((ON_OK, "fail"))),
        {},
        "No task of the workflow failed. It ended failed because it ran the command fail after \"check\", and no task "
        'before that had failed. Name the tasks to run again, for example "check", or run the whole workflow again.',
    ),
    "a way out": (
        workflow(a=task(("<% ctx().nosuch %>", "b")), b=task()),
        {},
        'No task of the workflow failed. It ended failed because an expression of "a" failed (YaqlEvaluationException: '
        "Unable to resolve key 'nosuch' in expression '<% ctx().nosuch %>' from context.). Name the tasks to run "
        'again, for example "a", or run the whole workflow again.',
    ),
    "published": (
        workflow(a=task(next=[{"publish": [{"x": "<% ctx().nosuch %>"}], "do": "b"}]), b=task()),
        {},
        'because an expression of "a" failed (YaqlEvaluationException: Unable to resolve key \'nosuch\'',
    ),
    "a retry": (
        workflow(a=task(retry={"count": 2, "when": "<% ctx().nosuch %>"})),
        {},
        'because an expression of "a" failed (YaqlEvaluationException: Unable to resolve key \'nosuch\'',
    ),
    "its output": (
        workflow([{"x": "<% ctx().nosuch %>"}], a=task()),
        {},
        "It ended failed because YaqlEvaluationException: Unable to resolve key 'nosuch'",
    ),
    "variables": (
        {"version": 1.0, "vars": [{"x": "<% ctx().nosuch %>"}], "tasks": {"a": task()}},
        {},
        "It ended failed because YaqlEvaluationException: Unable to resolve key 'nosuch'",
    ),
    "a join that no failure prevented": (
        workflow(a=task((None, "j")), b=task(("<% result() = 1 %>", "j")), j=task(join="all")),
        {},
        'UnreachableJoinError: The join task|route "j|0" is partially satisfied but unreachable. Run the whole',
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", REFUSED)
def test_a_re_run_of_nothing_is_refused_with_the_reason(shape: str) -> None:
    definition, statuses, message = REFUSED[shape]
    stage = staged(definition)
    play(stage, **statuses)
    before = snapshot(stage.state)
    with pytest.raises(RerunError) as refused:
        check_rerun(stage.state, [], stage.state.status, None)
    assert message in str(refused.value)
    with pytest.raises(RerunError):
        again(stage)
    assert snapshot(stage.state) == before


def test_the_result_of_the_execution_tells_why_it_ended_otherwise_than_its_state() -> None:
    stage = staged(workflow(a=task()))
    play(stage)
    with pytest.raises(RerunError, match=r"It ended failed because 3 is not of type 'string'\. Run the whole"):
        check_rerun(stage.state, [], "failed", {"error": "3 is not of type 'string'"})


def test_a_workflow_that_was_given_up_is_refused() -> None:
    stage = staged(workflow(a=task()))
    with pytest.raises(RerunError, match=r"abandoned before it ended \(its status is failed\)"):
        check_rerun(stage.state, [], "failed", None)


def test_a_task_whose_input_could_not_be_rendered_is_rendered_again() -> None:
    stage = staged(workflow(a=task((None, "b")), b=task(input={"x": "<% ctx().nosuch %>"})))
    play(stage)
    check_rerun(stage.state, [], "failed", None)
    again(stage)
    assert stage.state.status == "failed"
    assert [error["task_id"] for error in stage.state.errors] == ["b"]


def test_what_waited_when_the_workflow_failed_is_started() -> None:
    stage = staged(workflow(a=task(), b=task((None, "c")), c=task()))
    stage.end("a", FAIL)
    stage.end("b")
    assert stage.open == []
    again(stage)
    assert sorted(play(stage)) == ["a", "c"]
    assert stage.state.status == "succeeded"


def test_a_workflow_that_was_canceled_while_it_paused_goes_on() -> None:
    stage = staged(workflow(a=task((None, "b")), b=task(), p=task((None, "q")), q=task()))
    stage.end("p", "pending")
    stage.ask("pausing")
    stage.end("a")
    stage.ask("canceling")
    assert (stage.state.status, stage.names()) == ("canceled", ["p"])
    stage.open.clear()
    again(stage)
    assert sorted(play(stage)) == ["b", "p", "q"]
    assert (stage.state.status, stage.conductor.is_finished) == ("succeeded", True)


def test_a_task_that_succeeded_while_the_workflow_was_canceled_is_not_left_without_what_follows() -> None:
    stage = staged(workflow(a=task((None, "b")), b=task()))
    stage.ask("canceling")
    stage.end("a")
    assert stage.state.status == "canceled"
    again(stage)
    assert play(stage) == ["a", "b"]


def test_a_failure_that_only_noop_handled_is_none_of_a_workflow_that_succeeded() -> None:
    stage = staged(workflow(a=task((ON_FAIL, "noop"))))
    assert (play(stage, a=FAIL), stage.state.status, failures(stage.state).runs) == (["a"], "succeeded", [])


def test_all_tasks_that_ended_while_the_workflow_was_canceled_run_again() -> None:
    stage = staged(workflow(a=task((None, "z")), b=task((None, "z")), c=task(), d=task(), z=task(join="all")))
    stage.ask("canceling")
    for name, status in (("a", OK), ("b", "canceled"), ("c", FAIL), ("d", OK)):
        stage.end(name, status)
    assert stage.state.status == "canceled"
    again(stage)
    assert sorted(play(stage)) == ["a", "b", "c", "z"]
    assert stage.state.status == "succeeded"


@pytest.mark.parametrize(("reset", "ran"), [((), ["t[1]"]), (("t",), ["t[0]", "t[1]"]), (("*",), ["t[0]", "t[1]"])])
def test_all_items_of_failed_tasks_run_again_if_asked_for(reset: tuple[str, ...], ran: list[str]) -> None:
    stage = staged(workflow(t=task((ON_FAIL, "c"), **{"with": "<% list(1, 2) %>"}), c=task((None, "fail"))))
    play(stage, **{"t[1]": FAIL})
    again(stage, *reset)
    assert play(stage) == ran
    assert stage.conductor.result() == {"output": None}


def test_a_re_run_that_fails_again_can_be_run_again() -> None:
    stage = staged(CLEANUP)
    play(stage, a=FAIL)
    for _ in range(2):
        again(stage)
        assert play(stage, a=FAIL) == ["a", "cleanup"]
        assert stage.state.status == "failed"
        assert [error["task_id"] for error in stage.state.errors] == ["a", "fail"]
    again(stage)
    assert play(stage) == ["a", "b"]
    assert stage.conductor.result() == {"output": None}


def test_a_join_waits_for_all_that_runs_again() -> None:
    definition, statuses, _ = SHAPES["a join of what handled failures"]
    stage = staged(definition)
    play(stage, **statuses)
    again(stage)
    stage.end("a", FAIL)
    assert stage.names() == ["b"]
    stage.end("b")
    assert stage.names() == ["e"]
    stage.end("e")
    assert stage.names() == ["j"]


def test_a_branch_that_is_not_gone_again_leaves_no_join_half_reached() -> None:
    stage = staged(
        workflow(
            a=task((ON_FAIL, "h"), (ON_OK, "z")),
            h=task((None, "j")),
            p=task((ON_FAIL, "j")),
            j=task(join="all"),
            z=task(),
        )
    )
    play(stage, a=FAIL)
    assert "UnreachableJoinError" in str(stage.state.errors)
    stage.take(stage.conductor.rerun([TaskRerun("a")], 9))
    assert play(stage) == ["a", "z"]
    assert stage.conductor.result() == {"output": None}


ITEMS_LEFT = workflow(t=task(**{"with": {"items": "<% list(1, 2) %>", "concurrency": 1}}), p=task())


def test_a_workflow_that_failed_ends_with_items_that_were_never_started_and_a_re_run_starts_them() -> None:
    stage = staged(ITEMS_LEFT)
    stage.end("p", FAIL)
    assert not stage.conductor.is_finished
    stage.end("t", item=0)
    assert (stage.state.status, stage.conductor.is_finished, stage.open) == ("failed", True, [])
    again(stage)
    assert sorted(play(stage)) == ["p", "t[1]"]
    assert (stage.state.status, stage.conductor.is_finished) == ("succeeded", True)


def test_a_workflow_ends_when_a_later_item_cannot_be_rendered() -> None:
    items = {"items": "<% list(dict(k => 1), dict()) %>", "concurrency": 1}
    stage = staged(workflow(t=task(**{"with": items}, input={"x": "<% item().k %>"})))
    stage.end("t", item=0)
    assert (stage.state.status, stage.conductor.is_finished) == ("failed", True)
    again(stage)
    assert (stage.state.status, stage.conductor.is_finished, stage.open) == ("failed", True, [])
