"""Actions on a Windows host over WinRM: a real server against a double of the host."""

from __future__ import annotations

import base64
import json
import signal
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.doubles.winrm import Ntlm, WindowsHost, windows_host
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import OUTPUT, Server, serving

from squall.testing.waiting import until

USER, PASSWORD = "ada", "very-secret-word"


@pytest.fixture
def windows() -> Iterator[tuple[WindowsHost, int]]:
    with windows_host(USER, PASSWORD) as host:
        yield host


@pytest.fixture(scope="module")
def reach(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    pack = tmp_path_factory.mktemp("more") / "win"
    (pack / "actions").mkdir(parents=True)
    (pack / "pack.yaml").write_text("ref: win\nname: win\nversion: 1.0.0\n")
    (pack / "actions" / "script.ps1").write_text("\ufeffparam($name)\nWrite-Output $name # done")
    (pack / "actions" / "script.yaml").write_text(
        "name: script\npack: win\nrunner_type: winrm-ps-script\nenabled: true\nentry_point: script.ps1\n"
        "parameters:\n  name: {type: string}\n  many: {type: array}\n  force: {type: boolean}\n"
        "  unset: {type: string}\n  count: {type: integer, position: 0}\n"
    )
    with serving(tmp_path_factory.mktemp("reach"), pack.parent, env=QUICK) as server:
        yield server


def ask(server: Server, port: int, action: str, **more: Any) -> str:
    """Requests an action on the host."""
    place = {"host": "127.0.0.1", "port": port, "scheme": "http", "transport": "basic"}
    return server.request(action, **{**place, "username": USER, "password": PASSWORD, **more})


def test_a_command_gives_what_a_shell_action_gives(reach: Server, windows: tuple[WindowsHost, int]) -> None:
    host, port = windows
    command = 'echo "out $GREETING"; pwd; echo err >&2; exit 3'
    ended = reach.ended(ask(reach, port, "core.winrm_cmd", cmd=command, env={"GREETING": "é"}, cwd="/tmp"))
    assert ended["status"] == "failed"
    assert ended["result"] == {
        "failed": True, "succeeded": False, "return_code": 3, "stdout": "out é\n/tmp\n", "stderr": "err\n",
    }  # fmt: skip
    ended = reach.ended(ask(reach, port, "core.winrm_cmd", cmd="echo '{\"a\": 1}'"))
    assert (ended["status"], ended["result"]["stdout"]) == ("succeeded", {"a": 1})
    assert host.shells == {}
    assert host.actions[-2:] == ["Signal", "Delete"]


def test_output_shows_as_it_comes_whole_and_in_order(
    reach: Server, windows: tuple[WindowsHost, int], tmp_path: Path
) -> None:
    host, port = windows
    host.operation_timeout = 0.1
    go = tmp_path / "go"
    numbers = "i=0; while [ $i -lt 9000 ]; do echo é$i; i=$((i+1)); done"
    command = f"echo first; while ! [ -e {go} ]; do sleep 0.05; done; {numbers}"
    execution = ask(reach, port, "core.winrm_cmd", cmd=command)
    with reach.stream(end_execution_id=execution, events=OUTPUT) as stream:
        assert next(iter(stream.events())).body["data"] == "first\n"
        # Several requests for output have ended without any.
        until(lambda: host.actions.count("Receive") > 3, "the server asks again")
        go.touch()
    assert reach.ended(execution)["status"] == "succeeded"
    with reach.output(execution) as stream:
        assert stream.rest().decode() == "first\n" + "".join(f"é{number}\n" for number in range(9000))


def test_a_killed_server_loses_nothing(tmp_path: Path, packs: Path, windows: tuple[WindowsHost, int]) -> None:
    with serving(tmp_path, packs, env=QUICK) as server:
        go = tmp_path / "go"
        command = f"echo before; while ! [ -e {go} ]; do sleep 0.05; done; echo after"
        execution = ask(server, windows[1], "core.winrm_cmd", cmd=command)
        with server.stream(end_execution_id=execution, events=OUTPUT) as stream:
            next(iter(stream.events()))
        server.signal(signal.SIGKILL)
        server.wait()
        go.touch()
        server.start()
        assert server.ended(execution)["result"]["stdout"] == "before\nafter\n"


def test_a_timeout_ends_the_command_on_the_host(reach: Server, windows: tuple[WindowsHost, int]) -> None:
    host, port = windows
    ended = reach.ended(ask(reach, port, "core.winrm_cmd", cmd="echo begun; sleep 1000", timeout=1))
    assert ended["status"] == "timeout"
    result = ended["result"]
    assert (result["return_code"], result["stdout"], result["failed"]) == (-1, "begun\n", True)
    assert result["error"] == "Action failed to complete in 1 seconds"
    assert host.actions[-2:] == ["Signal", "Delete"]
    assert host.shells == {}


def test_canceling_ends_the_command_on_the_host(reach: Server, windows: tuple[WindowsHost, int]) -> None:
    host, port = windows
    execution = ask(reach, port, "core.winrm_cmd", cmd="echo begun; sleep 1000")
    with reach.stream(end_execution_id=execution, events=OUTPUT) as stream:
        next(iter(stream.events()))
    assert reach.call("DELETE", f"/v1/executions/{execution}").status == 200
    assert reach.ended(execution)["status"] == "canceled"
    assert host.actions[-2:] == ["Signal", "Delete"]


def test_powershell_reaches_the_host_and_its_errors_are_text(reach: Server, windows: tuple[WindowsHost, int]) -> None:
    ended = reach.ended(ask(reach, windows[1], "core.winrm_ps_cmd", cmd="Write-Error 'no'"))
    assert (ended["status"], ended["result"]["return_code"]) == ("failed", 1)
    assert ended["result"]["stdout"] == "Write-Error 'no'"
    assert ended["result"]["stderr"] == "it <failed>\nbadly \U0001f600\n"


def test_powershell_that_is_too_long_for_a_command_line_goes_to_standard_input(
    reach: Server, windows: tuple[WindowsHost, int]
) -> None:
    script = "Write-Output 'é'\n" * 9000
    ended = reach.ended(ask(reach, windows[1], "core.winrm_ps_cmd", cmd=script))
    assert ended["status"] == "succeeded", ended["result"]
    (command,) = windows[0].commands.values()
    sent = ended["result"]["stdout"].removeprefix(command.script)
    assert base64.b64decode(sent).decode() == script


def test_a_script_gets_its_parameters_as_powershell_values(reach: Server, windows: tuple[WindowsHost, int]) -> None:
    parameters = {"name": "it's $HOME", "many": [1, "a", None], "force": True, "count": 3}
    ended = reach.ended(ask(reach, windows[1], "win.script", **parameters))
    assert ended["status"] == "succeeded", ended["result"]
    assert ended["result"]["stdout"] == (
        "& {\nparam($name)\nWrite-Output $name # done\n} -name 'it''s $HOME' -many @(1, 'a', $null) -force:$true '3'"
    )


def test_a_host_that_is_not_reached_or_refuses_is_one_error(reach: Server, windows: tuple[WindowsHost, int]) -> None:
    ended = reach.ended(ask(reach, 1, "core.winrm_cmd", cmd="x"))
    assert (ended["status"], list(ended["result"])) == ("failed", ["error", "traceback"])
    assert ended["result"]["error"].startswith("Failed connecting to http://127.0.0.1:1: ")
    assert "refused" in ended["result"]["error"]
    ended = reach.ended(ask(reach, windows[1], "core.winrm_cmd", cmd="x", password="wrong-word"))
    assert "Failed to authenticate the user ada" in ended["result"]["error"]
    assert "wrong-word" not in json.dumps(ended)


def test_a_certificate_is_checked_unless_told_otherwise(reach: Server, tmp_path: Path) -> None:
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-keyout", str(key), "-out", str(cert), "-days", "2", "-subj", "/CN=127.0.0.1"]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    tls = {"cmd": "echo safe", "scheme": "https", "transport": "ssl"}
    with windows_host(USER, PASSWORD, context) as (_, port):
        ended = reach.ended(ask(reach, port, "core.winrm_cmd", **tls))
        assert ended["status"] == "failed"
        assert "certificate verify failed" in ended["result"]["error"]
        ended = reach.ended(ask(reach, port, "core.winrm_cmd", **tls, verify_ssl_cert=False))
        assert ended["result"]["stdout"] == "safe\n"


def test_ntlm_authenticates_and_encrypts_without_tls(
    reach: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = tmp_path / "users"
    users.write_text(f"EXAMPLE:{USER}:{PASSWORD}\n")
    monkeypatch.setenv("NTLM_USER_FILE", str(users))
    ntlm = {"username": f"EXAMPLE\\{USER}", "transport": "ntlm"}
    with windows_host(USER, PASSWORD, speaks=Ntlm) as (host, port):
        ended = reach.ended(ask(reach, port, "core.winrm_cmd", cmd="echo secret", **ntlm))
        assert ended["result"]["stdout"] == "secret\n", ended["result"]
        ended = reach.ended(ask(reach, port, "core.winrm_cmd", cmd="echo begun; sleep 1000", timeout=1, **ntlm))
        assert (ended["status"], ended["result"]["stdout"]) == ("timeout", "begun\n")
        assert (host.actions[-2:], host.shells) == (["Signal", "Delete"], {})
        ended = reach.ended(ask(reach, port, "core.winrm_cmd", cmd="x", **{**ntlm, "password": "wrong-word"}))
        assert "Failed to authenticate" in ended["result"]["error"]


def test_the_password_is_masked_in_output(reach: Server, windows: tuple[WindowsHost, int]) -> None:
    ended = reach.ended(ask(reach, windows[1], "core.winrm_cmd", cmd=f"echo {PASSWORD}; echo {PASSWORD} >&2"))
    assert ended["status"] == "succeeded"
    assert PASSWORD not in json.dumps(ended["result"])
