"""Commands with secrets: they are no arguments, and do the same as others."""

from __future__ import annotations

import os
import pwd
import subprocess
from typing import Any

import msgspec
import pytest
from tests.unit.adapters.runners.test_local import command, job, prepared

from squall.adapters.runners.ssh.runner import RemoteRunner, SshRules
from squall.core.execution.launch import LaunchSpec


def _secret(cmd: str, **changes: Any) -> LaunchSpec:
    return prepared(job(runner_parameters={"cmd": cmd}, secrets=(b"s3cr3t",), **changes))


def test_a_command_with_secrets_is_no_argument() -> None:
    spec = _secret("login --password=s3cr3t")
    assert not [word for word in spec.argv if "s3cr3t" in word]
    assert spec.stdin is None
    assert "SQUALL_COMMAND" not in command().env


@pytest.mark.parametrize(
    "cmd",
    [
        "echo $0 $# $*; env | sort; cat",
        "exit 3",
        "(",
        "nosuchcommand s3cr3t",
        "set -e; false; echo no",
        "trap 'echo bye' EXIT; exit 4",
        "cat <<EOF\n$HOME `echo x`\nEOF\necho 'it''s' \"$LINENO\" # comment",
        "echo ${SQUALL_COMMAND-none}",
        "kill -TERM $$",
        "exec sh -c 'exit 7'",
        "f() { echo $1; return 9; }; f 'a  b'",
        " -n\n\n",
        "echo \\\\ \\$x '$x' \"\\$x\"",
    ],
)
def test_a_command_with_secrets_does_what_it_does_without(cmd: str) -> None:
    ends = []
    for spec in (command(cmd=cmd), _secret(cmd)):
        env = {**spec.env, "HOME": "/h"}
        ended = subprocess.run(spec.argv, env=env, input=b"typed", capture_output=True, check=False)
        # The shell names the place of a syntax error.
        errors = ended.stderr.replace(b"-c: line 2: ", b"").replace(b"eval: line 2: ", b"")
        lines = [line for line in ended.stdout.split(b"\n") if not line.startswith(b"_=")]
        ends.append((ended.returncode, lines, errors))
    assert ends[0] == ends[1]


def test_the_variables_of_an_account_are_those_of_the_system_user() -> None:
    user = pwd.getpwnam("nobody")
    spec = prepared(job(), "nobody")
    assert (spec.env["HOME"], spec.env["USER"], spec.env["LOGNAME"]) == (user.pw_dir, "nobody", "nobody")
    assert "HOME" not in prepared(job()).env
    rooted = prepared(job(runner_parameters={"cmd": "id", "sudo": True}), "nobody") if os.geteuid() == 0 else None
    assert rooted is None or "HOME" not in rooted.env


def test_a_remote_command_with_secrets_is_sent_as_a_variable() -> None:
    parameters = {"cmd": "login s3cr3t", "hosts": "a"}
    spec = RemoteRunner({}, SshRules(user="u")).prepare(job(runner_parameters=parameters, secrets=(b"s3cr3t",)))
    assert isinstance(spec, LaunchSpec)
    assert spec.stdin is not None
    body = msgspec.json.decode(spec.stdin)
    assert "s3cr3t" not in body["command"]
    assert body["env"]["SQUALL_COMMAND"] == "login s3cr3t"
