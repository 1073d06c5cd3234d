"""The WinRM runners: what their program is to do, and the result."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from squall.adapters.runners.winrm.runner import WinrmRunner
from squall.core.errors import InvalidError
from squall.core.execution.launch import End, Job, LaunchSpec
from squall.testing.samples import sample_action, sample_execution, sample_runner

GIVEN = {"host": "win1", "username": "ada", "password": "word", "cmd": "dir", "timeout": 5}


def job(name: str = "winrm-cmd", **parameters: Any) -> Job:
    schemas: dict[str, Any] = {"cmd": {}} if "script" not in name else {}
    return Job(
        execution=sample_execution(1, attempt=2),
        action=sample_action(),
        runner_type=sample_runner(name, runner_parameters={**schemas, "kwarg_op": {}}),
        runner_parameters={**GIVEN, **parameters},
        action_parameters={},
        entry_point="",
        environment={"ST2_ACTION_API_URL": "x"},
    )


def order(name: str = "winrm-cmd", **parameters: Any) -> dict[str, Any]:
    spec = WinrmRunner({"PATH": "/bin"}).prepare(job(name, **parameters))
    assert isinstance(spec, LaunchSpec)
    assert (spec.env, spec.attempt) == ({"PATH": "/bin"}, 2)
    body: dict[str, Any] = json.loads(spec.stdin or b"")
    return body


def test_without_the_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pypsrp", None)
    with pytest.raises(InvalidError, match=r"pip install 'squall\[winrm\]'"):
        WinrmRunner({}).prepare(job())


def test_a_host_is_spoken_to_with_ntlm_over_tls_if_nothing_else_is_said() -> None:
    body = order()
    assert (body["host"], body["port"], body["tls"], body["auth"], body["verify"]) == ("win1", 5986, True, "ntlm", True)
    assert (body["command"], body["stdin"], body["powershell"], body["timeout"]) == ("dir", "", False, 5.0)
    assert (body["cwd"], body["env"]) == (None, {})


def test_port_5985_is_http_whatever_the_scheme() -> None:
    assert order(port=5985, scheme="https")["tls"] is False
    assert order(port=8080, scheme="http")["tls"] is False
    assert order(host="[::1]")["host"] == "::1"


@pytest.mark.parametrize(("transport", "auth"), [("plaintext", "basic"), ("ssl", "basic"), ("kerberos", "kerberos")])
def test_transports_are_those_of_stackstorm(transport: str, auth: str) -> None:
    assert order(transport=transport)["auth"] == auth


def test_variables_are_text() -> None:
    assert order(env={"A": 1, "B": None, "C": True})["env"] == {"A": "1", "B": "", "C": "True"}


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"host": ""}, 'Parameter "host"'),
        ({"host": "a b"}, 'Parameter "host"'),
        ({"host": "a/b"}, 'Parameter "host"'),
        ({"host": "user@a"}, 'Parameter "host"'),
        ({"port": 70000}, 'Parameter "port"'),
        ({"port": -1}, 'Parameter "port"'),
        ({"transport": "certificate"}, '"certificate" is not supported'),
        ({"cmd": None}, 'Parameter "cmd"'),
    ],
)
def test_what_is_wrong_is_named(parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidError) as failure:
        order(**parameters)
    assert words in str(failure.value)


def test_a_script_that_is_missing_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match='has no "entry_point"'):
        order("winrm-ps-script")


def outcome(tmp_path: Path, report: dict[str, Any] | None, **end: Any) -> tuple[str, dict[str, Any]]:
    path = tmp_path / "result"
    if report is not None:
        path.write_text(json.dumps(report))
    result_file = str(path) if report is not None else None
    ended = End(execution="x", attempt=2, exit_code=0, result_file=result_file, **end)
    texts = {"stdout": ("5\r\n", 0), "stderr": ("text\n", 0)}
    found = WinrmRunner({}).outcome(job(), ended, lambda stream: texts[stream])
    return found.status, found.result


def test_the_result_is_that_of_a_shell_action(tmp_path: Path) -> None:
    assert outcome(tmp_path, {"return_code": 0}) == (
        "succeeded",
        {"failed": False, "succeeded": True, "return_code": 0, "stdout": 5, "stderr": "text\n"},
    )
    status, result = outcome(tmp_path, {"return_code": 3221225477})
    assert (status, result["return_code"], result["failed"]) == ("failed", 3221225477, True)
    status, result = outcome(tmp_path, {"return_code": 255, "error": "lost"})
    assert (status, result["error"], result["stdout"]) == ("failed", "lost", 5)
    assert outcome(tmp_path, {"error": "refused", "traceback": "t"}) == (
        "failed", {"error": "refused", "traceback": "t"},
    )  # fmt: skip


def test_a_command_that_is_late_has_what_it_printed(tmp_path: Path) -> None:
    status, result = outcome(tmp_path, {"return_code": 255, "late": True})
    assert (status, result["return_code"], result["stdout"]) == ("timeout", -1, 5)
    assert result["error"] == "Action failed to complete in 5 seconds"


def test_a_program_that_ends_without_a_report_is_an_error(tmp_path: Path) -> None:
    status, result = outcome(tmp_path, None)
    assert (status, result["error"]) == ("failed", "text")
    assert outcome(tmp_path, None, canceled=True)[0] == "canceled"
    assert outcome(tmp_path, None, timed_out=True)[0] == "timeout"
