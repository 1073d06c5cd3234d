"""Whether actions would outlive the server, from what the machine says."""

from __future__ import annotations

import pytest

from squall.server.survival import complaint, unit_of

SERVICE = "0::/system.slice/squall.service\n"
SESSION = "0::/user.slice/user-1000.slice/session-3.scope\n"


@pytest.mark.parametrize(
    ("cgroup", "unit"),
    [
        (SERVICE, "squall.service"),
        ("12:pids:/system.slice/a.service\n0::/system.slice/squall.service/sub\n", "squall.service"),
        (SESSION, None),
        ("0::/\n", None),
        ("", None),
    ],
)
def test_the_service_of_a_process_is_read_from_its_cgroup(cgroup: str, unit: str | None) -> None:
    assert unit_of(cgroup) == unit


@pytest.mark.parametrize("mode", ["control-group", "mixed"])
def test_a_unit_that_kills_everything_is_complained_about_with_the_fix(mode: str) -> None:
    told = complaint(SERVICE, 100, mode)
    assert told is not None
    assert "squall.service" in told
    assert mode in told
    assert "KillMode=process" in told


@pytest.mark.parametrize(("cgroup", "mode"), [(SERVICE, "process"), (SERVICE, "none"), (SERVICE, ""), (SESSION, "")])
def test_what_lets_processes_live_is_not_complained_about(cgroup: str, mode: str) -> None:
    assert complaint(cgroup, 100, mode) is None


def test_the_first_process_of_a_container_is_complained_about() -> None:
    told = complaint("0::/\n", 1, "")
    assert told is not None
    assert "--stop-actions" in told
