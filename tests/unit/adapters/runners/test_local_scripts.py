"""Scripts that are written for a Python of StackStorm's run with the Python of their pack."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from squall.adapters.runners.local import COMPAT, LocalRunner
from squall.core.errors import InvalidError
from squall.core.execution.launch import Job, LaunchSpec
from squall.testing.samples import sample_action, sample_execution, sample_runner

SCRIPT = sample_runner("local-shell-script", runner_parameters={"kwarg_op": {"default": "--"}, "timeout": {}})
BASE = {"PATH": "/usr/bin:/bin"}


def script_spec(tmp_path: Path, first_line: str, made: tuple[str, ...] = ("mine",), pack: str = "mine") -> LaunchSpec:
    for name in made:
        (tmp_path / "virtualenvs" / name / "bin").mkdir(parents=True)
        (tmp_path / "virtualenvs" / name / "bin" / "python").touch()
    path = tmp_path / "script"
    path.write_text(f"{first_line}\nprint('hello')\n")
    the_job = Job(
        execution=sample_execution(1), runner_type=SCRIPT, runner_parameters={}, action=sample_action(pack=pack),
        entry_point=str(path), pack_path=str(tmp_path / "pack"), action_parameters={}, environment={},
    )  # fmt: skip
    spec = LocalRunner(BASE, "", "/srv", tmp_path / "virtualenvs").prepare(the_job)
    assert isinstance(spec, LaunchSpec)
    return spec


@pytest.mark.parametrize(
    ("first_line", "option"),
    [
        ("#!/opt/stackstorm/st2/bin/python", []),
        ("#! /opt/stackstorm/st2/bin/python3 -u ", ["-u"]),
        ("#!/opt/stackstorm/st2/bin/python2.7\r", []),
        ("#!/usr/bin/env /opt/stackstorm/st2/bin/python", []),
        ("#!/opt/stackstorm/virtualenvs/mine/bin/python", []),
    ],
)
def test_a_script_for_stackstorms_python_gets_that_of_its_pack(
    tmp_path: Path, first_line: str, option: list[str]
) -> None:
    spec = script_spec(tmp_path, first_line)
    virtualenv = tmp_path / "virtualenvs" / "mine"
    assert spec.argv == [str(virtualenv / "bin" / "python"), *option, str(tmp_path / "script")]
    assert spec.env["PATH"] == f"{virtualenv / 'bin'}:{BASE['PATH']}"
    assert spec.env["PYTHONPATH"] == str(COMPAT)


def test_a_script_for_the_python_of_another_pack_gets_that(tmp_path: Path) -> None:
    spec = script_spec(tmp_path, "#!/opt/stackstorm/virtualenvs/other/bin/python", ("mine", "other"))
    assert spec.argv[0] == str(tmp_path / "virtualenvs" / "other" / "bin" / "python")


@pytest.mark.parametrize(
    "first_line",
    [
        "#!/usr/bin/python3",
        "#!/opt/stackstorm/st2/bin/pythonic",
        "#!/opt/stackstorm/st2/bin/st2",
        "",
        "/opt/stackstorm/",
    ],
)
def test_other_scripts_are_run_as_they_are(tmp_path: Path, first_line: str) -> None:
    spec = script_spec(tmp_path, first_line)
    assert spec.argv[1:] == ["-c", '"$0" "$@"', str(tmp_path / "script")]
    assert (spec.env["PATH"], "PYTHONPATH" in spec.env) == (BASE["PATH"], False)


def test_a_script_for_stackstorms_python_in_a_pack_without_a_virtualenv_gets_the_servers(tmp_path: Path) -> None:
    line = "#!/opt/stackstorm/st2/bin/python"
    assert script_spec(tmp_path, line, made=()).argv == [sys.executable, str(tmp_path / "script")]
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "requirements.txt").write_text("six\n")
    with pytest.raises(InvalidError, match="virtual environment"):
        script_spec(tmp_path, line, made=())
