"""The runner of announcements: what it starts, which is nothing, and what it announces."""

from __future__ import annotations

from typing import Any

import pytest

from squall.adapters.runners.announcement import AnnouncementRunner
from squall.core.errors import InvalidError
from squall.core.event.events import Announcement
from squall.core.execution.launch import Job, Outcome
from squall.testing.samples import sample_action, sample_execution, sample_runner


def job(parameters: dict[str, Any], **of_runner: Any) -> Job:
    return Job(
        execution=sample_execution(),
        action=sample_action(),
        runner_type=sample_runner("announcement"),
        runner_parameters=of_runner,
        action_parameters=parameters,
        entry_point="",
        environment={},
    )


@pytest.mark.parametrize("parameters", [{}, {"message": {"a": 1}}, {"output": "hello", "payload": [1]}])
def test_the_payload_is_all_parameters_whatever_their_names(parameters: dict[str, Any]) -> None:
    outcome = AnnouncementRunner().prepare(job(parameters, experimental=True, route="chatops"))
    assert isinstance(outcome, Outcome)
    assert outcome.announcement == Announcement("chatops", parameters)
    assert outcome.result == {"output": parameters, **parameters}


def test_the_route_is_general_unless_another_is_given() -> None:
    outcome = AnnouncementRunner().prepare(job({}, experimental=True))
    assert isinstance(outcome, Outcome)
    assert outcome.announcement == Announcement("general", {})


def test_an_announcement_must_be_called_experimental() -> None:
    with pytest.raises(InvalidError, match="experimental"):
        AnnouncementRunner().prepare(job({}))
