"""What `squall action doctor` tells."""

from __future__ import annotations

from squall.cli.content.actions import advice

SHELL = {"name": "local-shell-cmd", "runner_parameters": {"timeout": {"default": 60}}}


def test_an_action_that_starts_no_process_has_nothing_to_be_cured() -> None:
    assert "prints nothing" in advice({"ref": "core.noop"}, {"name": "noop", "runner_parameters": {}})


def test_a_shell_action_is_told_of_stdbuf_of_terminals_and_of_its_timeout() -> None:
    told = advice({"ref": "core.local", "parameters": {"timeout": {"default": 7}}}, SHELL)
    assert "stdbuf -oL" in told
    assert "pty=true" in told
    assert "after 7 seconds" in told


def test_a_python_entry_point_needs_nothing() -> None:
    assert "nothing needs to be done" in advice({"ref": "a.b", "entry_point": "x.py"}, SHELL)
