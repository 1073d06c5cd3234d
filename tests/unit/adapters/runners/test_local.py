"""The local runners: argv by user, the forms of arguments, and what becomes of what was printed."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from squall.adapters.runners.local import LocalRunner, script_arguments, text_result
from squall.adapters.runners.ssh.runner import RemoteRunner, SshRules
from squall.core.errors import InvalidError
from squall.core.execution.launch import End, Job, LaunchSpec
from squall.testing.samples import sample_action, sample_execution, sample_runner

SCRIPT = sample_runner("local-shell-script", runner_parameters={"kwarg_op": {"default": "--"}, "timeout": {}})
BASE = {"PATH": "/usr/bin:/bin", "A": "base", "B": "base"}


def job(**changes: Any) -> Job:
    known: dict[str, Any] = {
        "execution": sample_execution(1, attempt=2),
        "action": sample_action(),
        "runner_type": sample_runner(),
        "runner_parameters": {"cmd": "echo hi"},
        "action_parameters": {},
        "entry_point": "",
        "environment": {"B": "job", "C": "job"},
    }
    return Job(**(known | changes))


def prepared(the_job: Job, system_user: str = "") -> LaunchSpec:
    spec = LocalRunner(BASE, system_user, "/srv").prepare(the_job)
    assert isinstance(spec, LaunchSpec)
    return spec


def command(**parameters: Any) -> LaunchSpec:
    return prepared(job(runner_parameters={"cmd": "echo hi", **parameters}))


# -- what is started


def test_a_command_goes_to_a_shell_as_it_is() -> None:
    spec = command()
    assert spec.argv[-2:] == ["-c", "echo hi"]
    assert os.access(spec.argv[0], os.X_OK)
    assert (spec.execution, spec.attempt, spec.stdin, spec.timeout) == (sample_execution(1).id, 2, None, None)


def test_the_environment_is_the_servers_then_the_jobs_then_the_given_one() -> None:
    spec = command(env={"C": "given", "N": 5, "EMPTY": None})
    assert spec.env == {"PATH": "/usr/bin:/bin", "A": "base", "B": "job", "C": "given", "N": "5", "EMPTY": ""}
    assert command(debug=True).env["ST2_ACTION_DEBUG"] == "True"


@pytest.mark.parametrize(("given_cwd", "cwd"), [("/tmp", "/tmp"), (None, "/srv"), ("", "/srv")])
def test_the_folder_is_the_given_one_or_the_servers(given_cwd: str | None, cwd: str) -> None:
    assert command(cwd=given_cwd).cwd == cwd


@pytest.mark.parametrize(("timeout", "seconds"), [(60, 60.0), (None, None), (0, None)])
def test_no_timeout_is_none(timeout: int | None, seconds: float | None) -> None:
    assert command(timeout=timeout).timeout == seconds


def test_a_version_of_the_content_needs_a_repository() -> None:
    with pytest.raises(InvalidError, match="content_version"):
        command(content_version="v1")


# -- as whom


class Machine:
    """Pretends to run as a user on a machine with or without sudo."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, user: str, *, sudo: bool = True) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 0 if user == "root" else 1000)
        monkeypatch.setattr(pwd, "getpwuid", lambda _: SimpleNamespace(pw_name=user))
        monkeypatch.setattr(shutil, "which", lambda name: None if name == "sudo" and not sudo else f"/bin/{name}")


@pytest.mark.parametrize(
    ("me", "system_user", "parameters", "before", "stdin"),
    [
        ("ada", "", {}, [], None),
        ("ada", "ada", {}, [], None),
        ("ada", "stanley", {}, ["sudo", "-n", "-E", "-H", "-u", "stanley", "--"], None),
        ("ada", "", {"sudo": True}, ["sudo", "-n", "-E", "--"], None),
        ("ada", "stanley", {"sudo": True}, ["sudo", "-n", "-E", "--"], None),
        ("ada", "", {"sudo": True, "sudo_password": "pw"}, ["sudo", "-S", "-p", "", "-E", "--"], b"pw\n"),
        ("ada", "", {"sudo_password": "pw"}, [], None),
        ("root", "", {}, [], None),
        ("root", "", {"sudo": True}, [], None),
        ("root", "", {"sudo": True, "sudo_password": "pw"}, [], None),
        ("root", "stanley", {}, ["runuser", "-u", "stanley", "--"], None),
        ("root", "stanley", {"sudo": True}, [], None),
    ],
)
def test_a_command_runs_as_whom_it_should(
    monkeypatch: pytest.MonkeyPatch,
    me: str,
    system_user: str,
    parameters: dict[str, Any],
    before: list[str],
    stdin: bytes | None,
) -> None:
    Machine(monkeypatch, me)
    spec = prepared(job(runner_parameters={"cmd": "id", **parameters}), system_user)
    assert spec.argv == [*before, "/bin/bash", "-c", "id"]
    assert spec.stdin == stdin


def test_a_password_is_neither_in_the_arguments_nor_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    Machine(monkeypatch, "ada")
    spec = command(sudo=True, sudo_password="hunter2")
    assert "hunter2" not in " ".join([*spec.argv, *spec.env, *spec.env.values()])


def test_without_sudo_another_user_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    Machine(monkeypatch, "ada", sudo=False)
    assert command().argv[0] == "/bin/bash"
    with pytest.raises(InvalidError, match='run as "root", but this machine has no sudo'):
        command(sudo=True)


# -- scripts


def arguments(schemas: dict[str, Any], values: dict[str, Any], **parameters: Any) -> list[str]:
    action = sample_action(parameters=schemas)
    return script_arguments(
        job(action=action, runner_type=SCRIPT, runner_parameters=parameters, action_parameters=values)
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", ["--p=text"]),
        ("with space 'and' \"quotes\" $HOME", ["--p=with space 'and' \"quotes\" $HOME"]),
        (0, ["--p=0"]),
        (0.0, ["--p=0.0"]),
        (7, ["--p=7"]),
        (True, ["--p"]),
        (False, []),
        (None, []),
        ("", []),
        ([1, "a"], ["--p=[1, 'a']"]),
        ({"a": None}, ["--p={'a': None}"]),
    ],
)
def test_a_named_argument_has_stackstorms_form(value: Any, expected: list[str]) -> None:
    assert arguments({"p": {}}, {"p": value}) == expected


@pytest.mark.parametrize(
    ("declared", "value", "expected"),
    [
        ("string", "text", "text"),
        ("string", None, ""),
        ("string", "", ""),
        ("integer", 0, "0"),
        ("number", 1.5, "1.5"),
        ("boolean", True, "1"),
        ("boolean", False, "0"),
        ("boolean", None, ""),
        ("array", ["a", 2, "c d"], "a,2,c d"),
        ("array", [], ""),
        ("object", {"a": [1, None], "é": True}, '{"a":[1,null],"é":true}'),
        ("object", {}, ""),
        ("object", None, ""),
        ("array", None, ""),
        ("array", [None, True, {"a": 1}], "None,True,{'a': 1}"),
        (None, "any", "any"),
        (None, 5, "5"),
        ("null", None, ""),
    ],
)
def test_a_positional_argument_is_written_by_its_declared_type(declared: str | None, value: Any, expected: str) -> None:
    schema = {"position": 0} | ({"type": declared} if declared else {})
    assert arguments({"p": schema}, {"p": value}) == [expected]


def test_named_arguments_come_first_and_positional_ones_by_their_position() -> None:
    schemas = {"c": {"position": 2}, "x": {}, "a": {"position": 0}, "b": {"position": 1}, "y": {}}
    values = {"a": "A", "b": None, "c": "C", "x": 1, "y": True}
    assert arguments(schemas, values) == ["--x=1", "--y", "A", "", "C"]


@pytest.mark.parametrize(("operator", "expected"), [("-", "-p=1"), ("", "p=1"), (None, "--p=1")])
def test_what_stands_before_a_name_can_be_chosen(operator: str | None, expected: str) -> None:
    assert arguments({"p": {}}, {"p": 1}, kwarg_op=operator) == [expected]


def test_the_runners_own_parameters_are_no_arguments() -> None:
    assert arguments({"kwarg_op": {"default": "-"}, "p": {}}, {"p": 1}, kwarg_op="-") == ["-p=1"]


def run_script(path: Path, **values: Any) -> str:
    action = sample_action(parameters={name: {} for name in values})
    spec = prepared(
        job(action=action, runner_type=SCRIPT, runner_parameters={}, action_parameters=values, entry_point=str(path))
    )
    return subprocess.run(spec.argv, env=spec.env, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    "text",
    ['#!/bin/sh\nprintf "%s|" "$@"\n', '#!/usr/bin/env python3\nimport sys\nprint(*sys.argv[1:], sep="|", end="|")\n'],
)
@pytest.mark.parametrize("mode", [0o755, 0o644])
def test_a_script_runs_with_its_arguments_untouched(tmp_path: Path, text: str, mode: int) -> None:
    path = tmp_path / "it's a script.sh"
    path.write_text(text)
    path.chmod(mode)
    assert run_script(path, p="$(id) `id` 'x'  \n*", q="ü") == "--p=$(id) `id` 'x'  \n*|--q=ü|"
    assert path.stat().st_mode & stat.S_IXUSR


def test_a_script_without_a_first_line_is_the_shells(tmp_path: Path) -> None:
    path = tmp_path / "script"
    path.write_text('echo "$1"\n')
    assert run_script(path, p="x") == "--p=x\n"


def test_a_command_that_is_not_given_is_named() -> None:
    for parameters in ({}, {"cmd": None}):
        with pytest.raises(InvalidError, match=r'Parameter "cmd" of action "core\.local" is missing'):
            prepared(job(runner_parameters=parameters))
    assert prepared(job(runner_parameters={"cmd": ""})).argv[-1] == ""


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", 'Action "core.local" has no "entry_point"'),
        ("/", 'The entry point of action "core.local" is not a file: /'),
        ("/nosuch/script", "cannot be read: /nosuch/script: no such file or directory"),
        ("/nosuch\0", "not a path"),
    ],
)
def test_an_entry_point_that_is_no_script_is_named(path: str, words: str) -> None:
    for runner in (LocalRunner(BASE, "", "/srv"), RemoteRunner(BASE, SshRules(user="ada"))):
        with pytest.raises(InvalidError) as failure:
            runner.prepare(job(runner_type=SCRIPT, runner_parameters={"hosts": "web1"}, entry_point=path))
        assert words in str(failure.value)


def test_a_script_that_is_not_there_is_told() -> None:
    with pytest.raises(InvalidError, match=r'entry point of action "core\.local" cannot be read'):
        prepared(job(runner_type=SCRIPT, runner_parameters={}, entry_point="/nosuch/script"))


# -- what became of it


def outcome(stdout: str = "", stderr: str = "", omitted: int = 0, timeout: int = 60, **end: Any) -> Any:
    texts = {"stdout": (stdout, omitted), "stderr": (stderr, 0)}
    the_end = End(execution="x", attempt=1, exit_code=0)._replace(**end)
    return LocalRunner({}, "", "/").outcome(job(runner_parameters={"timeout": timeout}), the_end, lambda s: texts[s])


def test_the_result_has_stackstorms_shape() -> None:
    found = outcome("out\n", "err\n", exit_code=3)
    assert found.status == "failed"
    assert found.result == {"failed": True, "succeeded": False, "return_code": 3, "stdout": "out", "stderr": "err"}
    found = outcome("out\n")
    assert found.status == "succeeded"
    assert found.result == {"failed": False, "succeeded": True, "return_code": 0, "stdout": "out", "stderr": ""}


@pytest.mark.parametrize(
    ("end", "status", "code", "error"),
    [
        ({"exit_code": -9}, "failed", 137, None),
        ({"exit_code": -15}, "failed", 143, None),
        ({"exit_code": 255}, "failed", 255, None),
        ({"exit_code": -15, "timed_out": True}, "timeout", -9, "Action failed to complete in 60 seconds"),
        ({"exit_code": 0, "timed_out": True}, "timeout", -9, "Action failed to complete in 60 seconds"),
        ({"exit_code": -15, "canceled": True}, "canceled", 143, None),
        ({"exit_code": 0, "canceled": True}, "canceled", 0, None),
        ({"exit_code": -1, "error": "not there"}, "failed", None, "not there"),
    ],
)
def test_every_end_has_its_status_return_code_and_error(
    end: dict[str, Any], status: str, code: int | None, error: str | None
) -> None:
    found = outcome(**end)
    assert found.status == status
    assert code in (None, found.result["return_code"])
    assert found.result.get("error") == error


def test_an_end_that_is_its_own_is_not_blamed_on_the_output_limit() -> None:
    found = outcome(exit_code=3, over_limit=True)
    assert (found.status, found.result["return_code"]) == ("failed", 3)
    assert "stopped" not in str(found.result.get("error"))


def test_what_was_left_out_is_counted_and_the_rest_is_text() -> None:
    found = outcome("12345", omitted=10)
    assert (found.result["stdout"], found.result["stdout_omitted"]) == ("12345", 10)
    assert "stderr_omitted" not in found.result


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5\n", 5),
        ("5", 5),
        (" 5 \n", 5),
        ("1.5\n", 1.5),
        ("true\n", True),
        ("null\n", None),
        ('"quoted"\n', "quoted"),
        ('{"a": [1, null]}\n', {"a": [1, None]}),
        ("[\n1,\n2\n]\n", [1, 2]),
        ("1" + "0" * 40, 10**40),
        ("-18446744073709551617", -18446744073709551617),
        ("NaN\n", "NaN"),
        ("Infinity", "Infinity"),
        ("1e999\n", "1e999"),
        ("05\n", "05"),
        ("5 6\n", "5 6"),
        ("5\n\n", 5),
        ("text\n", "text"),
        ("text\n\n", "text\n"),
        ("text\r\n", "text"),
        ("text\n\r", "text\n"),
        ("\n", ""),
        ("", ""),
        ("{'a': 1}", "{'a': 1}"),
        ('{"a": 1} tail', '{"a": 1} tail'),
        ('"\\ud800"', '"\\ud800"'),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_printed_text_becomes_the_value_it_is_in_json_or_stays_text(text: str, value: Any) -> None:
    found = text_result(text)
    assert found == value
    assert type(found) is type(value)


@given(st.text(max_size=30) | st.binary(max_size=30).map(lambda data: data.decode("utf-8", "replace")))
def test_any_text_gives_a_result_that_can_be_kept(text: str) -> None:
    assert msgspec.json.decode(msgspec.json.encode(text_result(text))) == text_result(text)


@pytest.mark.parametrize("depth", [10, 500, 900, 950, 5000])
def test_a_result_can_be_shown_from_anywhere_however_deep_it_is_nested(depth: int) -> None:
    found = text_result("[" * depth + "]" * depth)

    def encode(below: int) -> bytes:
        return encode(below - 1) if below else msgspec.json.encode(found)

    assert encode(150)
