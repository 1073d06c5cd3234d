"""An execution's statuses: which change is legal, and what a change does."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squall.core.errors import ConflictError
from squall.core.execution import execution as ex
from squall.core.execution import statuses
from squall.core.execution.execution import Execution, LogEntry, as_of, transition, with_result
from squall.testing.samples import sample_execution

STATUSES = [
    "requested",
    "scheduled",
    "delayed",
    "running",
    "succeeded",
    "failed",
    "timeout",
    "abandoned",
    "canceling",
    "canceled",
    "pending",
    "pausing",
    "paused",
    "resuming",
]


def test_every_status_has_a_row_in_the_table_of_changes() -> None:
    assert len(statuses.STATUSES) == len(ex.TRANSITIONS)
    assert set(statuses.STATUSES) == set(ex.TRANSITIONS)


def test_the_statuses_are_stackstorms() -> None:
    assert set(ex.TRANSITIONS) == set(STATUSES)
    assert {"succeeded", "failed", "timeout", "canceled", "abandoned"} == ex.FINAL
    assert {"requested", "scheduled", "delayed", "running", "pending", "pausing", "paused", "resuming"} == ex.CANCELABLE


def test_every_target_is_a_status_and_none_is_its_own() -> None:
    for status, targets in ex.TRANSITIONS.items():
        assert targets <= set(STATUSES)
        assert status not in targets


@pytest.mark.parametrize("status", sorted(ex.FINAL))
def test_a_final_status_has_no_way_out(status: str) -> None:
    assert ex.TRANSITIONS[status] == frozenset()
    assert status not in ex.CANCELABLE
    for target in STATUSES:
        with pytest.raises(ConflictError, match=f"is {status} and cannot become {target}"):
            transition(sample_execution(status=status), target, 0)


@pytest.mark.parametrize("status", sorted(set(STATUSES) - ex.FINAL))
def test_every_other_status_leads_to_an_end(status: str) -> None:
    reached = {status}
    while grown := {target for each in reached for target in ex.TRANSITIONS[each]} - reached:
        reached |= grown
    assert reached & ex.FINAL


@pytest.mark.parametrize("status", sorted(ex.CANCELABLE))
def test_what_can_be_canceled_can_become_canceling_and_be_abandoned(status: str) -> None:
    assert ex.CANCELING in ex.TRANSITIONS[status]
    assert ex.ABANDONED in ex.TRANSITIONS[status]


def test_what_was_asked_to_stop_does_not_succeed() -> None:
    assert ex.TRANSITIONS[ex.CANCELING] == {ex.CANCELED, ex.ABANDONED}


def test_only_what_runs_or_waits_can_succeed() -> None:
    into = {status for status, targets in ex.TRANSITIONS.items() if ex.SUCCEEDED in targets}
    assert into == {"running", "pending", "pausing", "paused", "resuming"}


def test_no_execution_starts_twice_from_an_end_or_runs_unscheduled() -> None:
    into = {status for status, targets in ex.TRANSITIONS.items() if ex.RUNNING in targets}
    assert into == {"scheduled", "pending", "pausing", "resuming"}


@pytest.mark.parametrize(("status", "target"), list(itertools.product(STATUSES, STATUSES)))
def test_a_change_is_made_exactly_if_the_table_has_it(status: str, target: str) -> None:
    execution = sample_execution(status=status)
    if target in ex.TRANSITIONS[status]:
        assert transition(execution, target, 1).status == target
    else:
        with pytest.raises(ConflictError):
            transition(execution, target, 1)
    assert execution.status == status


def run_through(*changes: tuple[str, int]) -> Execution:
    execution = sample_execution(start=100, log=(LogEntry(100, "requested"),))
    for status, at in changes:
        execution = transition(execution, status, at)
    return execution


def test_every_change_is_logged_with_its_time() -> None:
    execution = run_through(("scheduled", 110), ("running", 120), ("succeeded", 150))
    assert execution.log == (
        LogEntry(100, "requested"),
        LogEntry(110, "scheduled"),
        LogEntry(120, "running"),
        LogEntry(150, "succeeded"),
    )
    assert (execution.start, execution.end) == (100, 150)


def test_only_a_final_status_sets_the_end() -> None:
    assert run_through(("scheduled", 110), ("running", 120)).end is None
    assert run_through(("canceled", 130)).end == 130


@given(st.lists(st.integers(-1000, 1000), min_size=3, max_size=3))
def test_the_log_never_goes_back_in_time_though_the_clock_does(times: list[int]) -> None:
    execution = run_through(*zip(("scheduled", "running", "failed"), times, strict=True))
    logged = [entry.at for entry in execution.log]
    assert logged == sorted(logged)
    assert execution.end == logged[-1]
    assert execution.end >= execution.start


def test_an_execution_without_a_log_does_not_change_before_its_start() -> None:
    assert transition(sample_execution(start=100, log=()), "scheduled", 5).log == (LogEntry(100, "scheduled"),)


def test_every_launch_is_an_attempt() -> None:
    execution = run_through(("scheduled", 1), ("running", 2), ("pausing", 3), ("running", 4), ("failed", 5))
    assert execution.attempt == 2
    assert run_through(("canceled", 1)).attempt == 0


def test_a_result_comes_with_its_size() -> None:
    execution = with_result(sample_execution(), {"a": 1}, 7)
    assert (execution.result, execution.result_size) == ({"a": 1}, 7)


def test_an_earlier_look_has_neither_later_entries_nor_end_nor_result() -> None:
    ended = with_result(run_through(("scheduled", 110), ("running", 120), ("failed", 150)), {"a": 1}, 7)
    earlier = as_of(ended, "scheduled")
    assert (earlier.status, earlier.end, earlier.result, earlier.result_size) == ("scheduled", None, None, 0)
    assert [entry.status for entry in earlier.log] == ["requested", "scheduled"]
    assert as_of(ended, "requested").log == (LogEntry(100, "requested"),)


def test_a_look_at_the_present_or_at_what_never_was_is_the_execution_itself() -> None:
    ended = run_through(("canceled", 110))
    assert as_of(ended, "canceled") is ended
    assert as_of(ended, "running") is ended


def test_sets_of_statuses_follow_from_the_table() -> None:
    assert {"succeeded", "failed", "timeout", "canceled", "abandoned"} == statuses.FINAL
    waiting = {"requested", "delayed", "scheduled"}
    assert set(statuses.STATUSES) - waiting == statuses.STARTED
    assert set(statuses.STATUSES) - statuses.FINAL - {"canceling"} == statuses.CANCELABLE
    assert statuses.STATUSES[-5:] == ("succeeded", "failed", "timeout", "canceled", "abandoned")
