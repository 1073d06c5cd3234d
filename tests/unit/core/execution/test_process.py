"""The records of one process, which servers and keepers share."""

from __future__ import annotations

from squall.core.execution import launch, process
from squall.testing.samples import sample_id, shell_spec


def test_a_launch_and_its_end_are_about_the_unit_that_is_an_execution_today() -> None:
    spec = shell_spec("true")
    end = process.End(execution=spec.execution, attempt=1, exit_code=0)
    assert spec.unit == end.unit == spec.execution == sample_id(1)


def test_runners_find_the_records_where_they_have_always_been() -> None:
    assert (launch.LaunchSpec, launch.End, launch.ForkServer) == (
        process.LaunchSpec,
        process.End,
        process.ForkServer,
    )
