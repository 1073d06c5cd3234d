"""The bundled packs: metadata as StackStorm shows it, and scripts that do what their descriptions promise."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from squall.adapters.runners.local import COMPAT

PACKS = Path(__file__).parents[2] / "src" / "squall" / "packs"
PACK_NAMES = ("core", "examples")
ACTIONS = {
    f"{file.parts[-3]}.{file.stem}": file for name in PACK_NAMES for file in PACKS.glob(f"{name}/actions/*.yaml")
}
OVERRIDABLE = {"default", "description", "enum", "immutable", "required"}

ECHO = {
    "message": {"type": "string", "required": True},
    "kwarg_op": {"immutable": True},
    "sudo": {"default": False, "immutable": True},
    "sudo_password": {"immutable": True},
}
CMD = {"type": "string", "required": True}
COMPATIBLE: dict[str, dict[str, Any]] = {
    "core.noop": {},
    "core.local": {"cmd": CMD, "sudo": {"immutable": True}},
    "core.local_sudo": {"cmd": CMD, "sudo": {"default": True, "immutable": True}},
    "core.echo": ECHO | {"cmd": CMD | {"default": 'echo "{{message}}"', "immutable": True}},
    "core.error": ECHO | {"cmd": CMD | {"default": '>&2 echo "{{message}}"', "immutable": True}},
    "core.remote": {"cmd": CMD, "sudo": {"immutable": True}},
    "core.remote_sudo": {"cmd": CMD, "sudo": {"default": True, "immutable": True}},
    "core.winrm_cmd": {"cmd": CMD},
    "core.winrm_ps_cmd": {"cmd": CMD},
    "core.ask": {},
    "core.announcement": {"experimental": {"default": True, "immutable": True}, "message": {"type": "object"}},
    "core.uuid": {"uuid_type": {"type": "string", "default": "uuid4", "enum": ["uuid1", "uuid4"]}},
}
SHELL: dict[str, dict[str, Any]] = {
    "cwd": {"type": "string"},
    "env": {"type": "object"},
    "kwarg_op": {"type": "string", "default": "--"},
    "sudo": {"type": "boolean", "default": False},
    "sudo_password": {"type": "string", "secret": True, "default": None, "required": False},
    "timeout": {"type": "integer", "default": 60},
    # Squall's own additions.
    "pty": {"type": "boolean", "default": False},
    "pty_size": {"type": "string", "default": "80x24"},
}
HOSTS: dict[str, dict[str, Any]] = {
    "hosts": {"type": "string", "required": True},
    "username": {"type": "string", "required": False},
    "password": {"type": "string", "required": False, "secret": True},
    "private_key": {"type": "string", "required": False, "secret": True},
    "passphrase": {"type": "string", "required": False, "secret": True},
    "port": {"type": "integer", "required": False},
    "bastion_host": {"type": "string", "required": False},
    "cwd": {"type": "string", "default": "/tmp"},
    "dir": {"type": "string", "default": "/tmp"},
    "env": {"type": "object"},
    "kwarg_op": {"type": "string", "default": "--"},
    "parallel": {"type": "boolean", "default": False, "immutable": True},
    "sudo": {"type": "boolean", "default": False},
    "sudo_password": {"type": "string", "secret": True, "default": None, "required": False},
    "timeout": {"type": "integer", "default": 60},
}
TRANSPORTS = ["basic", "certificate", "credssp", "kerberos", "ntlm", "plaintext", "ssl"]
WINDOWS: dict[str, dict[str, Any]] = {
    "host": {"type": "string", "required": True},
    "username": {"type": "string", "required": True},
    "password": {"type": "string", "required": True, "secret": True},
    "port": {"type": "integer", "required": False, "default": 5986},
    "scheme": {"type": "string", "required": False, "default": "https", "enum": ["http", "https"]},
    "transport": {"type": "string", "required": False, "default": "ntlm", "enum": TRANSPORTS},
    "verify_ssl_cert": {"type": "boolean", "required": False, "default": True},
    "cwd": {"type": "string", "required": False},
    "env": {"type": "object", "required": False},
    "kwarg_op": {"type": "string", "required": False, "default": "-"},
    "timeout": {"type": "integer", "required": False, "default": 60},
}
WORKFLOW: dict[str, Any] = {
    "notify": {
        "type": "array",
        "uniqueItems": True,
        "items": {"type": "string", "minLength": 1, "pattern": r"^\w+$"},
        "default": [],
    }
}
RUNNERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "orquesta": ("orquesta_runner", "orquesta_runner", WORKFLOW),
    "action-chain": (
        "action_chain_runner",
        "action_chain_runner",
        {"display_published": {"type": "boolean", "default": True}, "skip_notify": {"type": "array", "default": []}},
    ),
    "orchestra": ("orquesta_runner", "orquesta_runner", WORKFLOW),
    "noop": ("noop_runner", "noop_runner", {}),
    "local-shell-cmd": ("local_runner", "local_shell_command_runner", SHELL | {"cmd": {"type": "string"}}),
    "local-shell-script": (
        "local_runner",
        "local_shell_script_runner",
        SHELL
        | {
            "debug": {"type": "boolean", "required": False, "default": False},
            "content_version": {"type": "string", "required": False},
        },
    ),
    "remote-shell-cmd": (
        "remote_runner",
        "remote_command_runner",
        HOSTS | {"cmd": {"type": "string"}, "dir": {"type": "string", "default": "/tmp", "immutable": True}},
    ),
    "remote-shell-script": ("remote_runner", "remote_script_runner", HOSTS),
    "winrm-cmd": ("winrm_runner", "winrm_command_runner", WINDOWS | {"cmd": {"type": "string"}}),
    "winrm-ps-cmd": ("winrm_runner", "winrm_ps_command_runner", WINDOWS | {"cmd": {"type": "string"}}),
    "winrm-ps-script": ("winrm_runner", "winrm_ps_script_runner", WINDOWS),
    "http-request": (
        "http_runner",
        "http_runner",
        {
            "url": {"type": "string", "required": True},
            "headers": {"type": "object"},
            "cookies": {"type": "object"},
            "allow_redirects": {"type": "boolean", "default": False},
            "http_proxy": {"type": "string"},
            "https_proxy": {"type": "string"},
            "username": {"type": "string", "required": False},
            "password": {"type": "string", "required": False, "secret": True},
            "verify_ssl_cert": {"type": "boolean", "default": True},
            "url_hosts_blacklist": {"type": "array", "required": False, "items": {"type": "string"}},
            "url_hosts_whitelist": {"type": "array", "required": False, "items": {"type": "string"}},
        },
    ),
    "inquirer": (
        "inquirer_runner",
        "inquirer_runner",
        {
            "schema": {
                "type": "object",
                "required": False,
                "default": {
                    "title": "response_data",
                    "type": "object",
                    "properties": {
                        "continue": {
                            "type": "boolean",
                            "description": "Would you like to continue the workflow?",
                            "required": True,
                        }
                    },
                },
            },
            "route": {"type": "string", "default": "", "required": False},
            "roles": {"type": "array", "default": [], "required": False},
            "users": {"type": "array", "default": [], "required": False},
            "ttl": {"type": "integer", "default": 1440, "required": False},
        },
    ),
    "announcement": (
        "announcement_runner",
        "announcement_runner",
        {
            "experimental": {"type": "boolean", "required": True, "default": False},
            "route": {
                "type": "string",
                "default": "general",
                "minLength": 1,
                "maxLength": 255,
                "pattern": r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$",
            },
        },
    ),
    "python-script": (
        "python_runner",
        "python_runner",
        {
            "debug": {"type": "boolean", "required": False, "default": False},
            "content_version": {"type": "string", "required": False},
            "env": {"type": "object"},
            "timeout": {"type": "integer", "default": 600},
            "log_level": {
                "type": "string",
                "default": "DEBUG",
                "enum": ["AUDIT", "CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG"],
            },
        },
    ),
}


def document(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def runners() -> dict[str, Any]:
    return {item["name"]: item for file in sorted(PACKS.glob("_runners/*.yaml")) for item in document(file)}


def undescribed(parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {key: value for key, value in schema.items() if key != "description"}
        for name, schema in parameters.items()
    }


def script(action: str, *arguments: str, limit: float = 20) -> subprocess.CompletedProcess[bytes]:
    file = ACTIONS[action]
    entry_point = file.parent / document(file)["entry_point"]
    return subprocess.run([entry_point, *arguments], capture_output=True, timeout=limit, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("name", PACK_NAMES)
def test_a_packs_metadata_has_all_that_stackstorm_asks_for(name: str) -> None:
    pack = document(PACKS / name / "pack.yaml")
    assert (pack["ref"], pack["name"]) == (name, name)
    assert re.fullmatch(r"\d+\.\d+\.\d+", pack["version"])
    assert pack["python_versions"] == ["3"]
    assert pack["description"]
    assert pack["author"]
    assert all(isinstance(word, str) for word in pack["keywords"])


@pytest.mark.parametrize("ref", sorted(RUNNERS))
def test_a_runner_type_has_stackstorms_parameters_and_defaults_beside_our_own(ref: str) -> None:
    runner = runners()[ref]
    package, module, parameters = RUNNERS[ref]
    assert (runner["runner_package"], runner["runner_module"], runner["enabled"]) == (package, module, True)
    assert undescribed(runner["runner_parameters"]) == parameters
    assert all(schema["description"] for schema in runner["runner_parameters"].values())


def test_no_runner_type_is_declared_that_is_not_listed_here() -> None:
    assert set(runners()) == set(RUNNERS)


@pytest.mark.parametrize("ref", sorted(COMPATIBLE))
def test_a_core_action_takes_the_parameters_that_stackstorms_takes(ref: str) -> None:
    assert undescribed(document(ACTIONS[ref])["parameters"]) == COMPATIBLE[ref]


@pytest.mark.parametrize("ref", sorted(ACTIONS))
def test_an_actions_metadata_is_complete_and_agrees_with_its_runner(ref: str) -> None:
    action = document(ACTIONS[ref])
    pack, _, name = ref.partition(".")
    assert (action["pack"], action["name"], action["enabled"]) == (pack, name, True)
    assert action["description"].endswith(".")
    runner_parameters = runners()[action["runner_type"]]["runner_parameters"]
    positions = sorted(schema["position"] for schema in action["parameters"].values() if "position" in schema)
    assert positions == list(range(len(positions)))
    for parameter, schema in action["parameters"].items():
        if parameter in runner_parameters:
            assert set(schema) - {"type"} <= OVERRIDABLE
        else:
            assert schema["type"] in {"string", "integer", "number", "boolean", "array", "object"}
            assert schema["description"].endswith(".")


def test_the_documentation_lists_every_bundled_action() -> None:
    text = (PACKS.parents[2] / "docs" / "packs.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`((?:core|examples)\.\w+)`", text.partition("## What comes with Squall")[2])) == set(
        ACTIONS
    )


@pytest.mark.parametrize("ref", sorted(ACTIONS))
def test_an_entry_point_is_a_script_that_can_be_executed(ref: str) -> None:
    action = document(ACTIONS[ref])
    if action["runner_type"] in {"orquesta", "action-chain"}:
        assert (ACTIONS[ref].parent / action["entry_point"]).is_file()
        return
    if action["runner_type"] not in {"local-shell-script", "python-script"}:
        assert action["entry_point"] == ""
        return
    entry_point = ACTIONS[ref].parent / action["entry_point"]
    if action["runner_type"] == "python-script":
        assert entry_point.is_file()
        return
    assert os.access(entry_point, os.X_OK)
    assert entry_point.read_bytes().startswith(b"#!/")


@pytest.mark.parametrize(("kind", "version"), [("uuid1", 1), ("uuid4", 4)])
def test_uuid_makes_a_uuid_of_the_kind_asked_for(kind: str, version: int) -> None:
    order = {
        "file": str(ACTIONS["core.uuid"].parent / "generate_uuid.py"), "pack": "core", "config": {}, "paths": [],
        "parameters": {"uuid_type": kind}, "log_level": "DEBUG",
    }  # fmt: skip
    reader, writer = os.pipe()
    env = {**os.environ, "SQUALL_RESULT_FD": str(writer)}
    words = [sys.executable, str(COMPAT / "squall_action.py")]
    subprocess.run(words, input=json.dumps(order).encode(), env=env, pass_fds=[writer], check=True)
    os.close(writer)
    with os.fdopen(reader, "rb") as result:
        assert uuid.UUID(json.load(result)["result"]).version == version


def test_countdown_alternates_streams_in_lines_that_tell_their_time() -> None:
    before = time.time()
    done = script("examples.countdown", "--count=5", "--interval=0.05")
    after = time.time()
    out, err = done.stdout.decode().splitlines(), done.stderr.decode().splitlines()
    assert done.returncode == 0
    assert [line.partition(" ")[2] for line in out[:-1]] == ["stdout 5 of 5", "stdout 3 of 5", "stdout 1 of 5"]
    assert [line.partition(" ")[2] for line in err] == ["stderr 4 of 5", "stderr 2 of 5"]
    assert out[-1] == "liftoff"
    times = sorted(datetime.fromisoformat(line.partition(" ")[0]).timestamp() for line in [*out[:-1], *err])
    assert all(len(line.partition(" ")[0]) == len("2026-01-01T00:00:00.123456Z") for line in [*out[:-1], *err])
    assert before <= times[0]
    assert times[-1] - times[0] >= 0.2 - 0.001
    assert times[-1] <= after


@pytest.mark.parametrize(
    ("lines", "length"),
    [(0, 100), (1, 100), (9, 14), (10, 13), (11, 12), (10_001, 100), (1234, 2), (250_000, 7), (3, 2_000_000)],
)
def test_firehose_prints_every_line_once_in_order_and_of_the_length_asked_for(lines: int, length: int) -> None:
    printed = script("examples.firehose", f"--lines={lines}", f"--bytes={length}").stdout
    assert len(printed) == lines * length
    digits = min(12, length - 1)
    for number in range(lines):
        line = printed[number * length : (number + 1) * length]
        assert int(line[:digits]) == number % 10**digits
        assert not line[digits:].strip(b" abcdefghijklmnopqrstuvwxyz\n")
        assert line.index(b"\n") == length - 1


def test_firehose_can_pour_into_stderr() -> None:
    done = script("examples.firehose", "--lines=3", "--bytes=20", "--stream=stderr")
    assert (done.stdout, len(done.stderr)) == (b"", 60)


def test_progress_redraws_one_line_and_ends_with_an_answered_prompt() -> None:
    printed = script("examples.progress", "--steps=4", "--interval=0").stdout
    assert printed.split(b"\r")[1:4] == [b"[#   ]  25%", b"[##  ]  50%", b"[### ]  75%"]
    assert printed.endswith(b"\r[####] 100%\nSatisfied? [y/N] y\n")


def test_binary_prints_what_no_text_decoder_likes() -> None:
    printed = script("examples.binary", "--pause=0").stdout
    assert b"\0" in printed
    assert b"\x1b[1;31m" in printed
    assert "é€😀".encode() in printed
    assert printed.endswith(b"\xe2\x82")
    with pytest.raises(UnicodeDecodeError):
        printed.decode()


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_exit_with_ends_with_the_status_it_is_told(code: int) -> None:
    assert script("examples.exit_with", str(code)).returncode == code


def test_sleep_waits_in_silence() -> None:
    start = time.monotonic()
    done = script("examples.sleep", "0.2")
    assert time.monotonic() - start >= 0.2
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_hello_prints_each_argument_as_it_came() -> None:
    printed = script("examples.hello", "--ratio=0.5", "--loud", "--tags=['x', \"y\"]", "a  b", "2").stdout.decode()
    assert printed.splitlines() == [
        "argument: --ratio=0.5",
        "argument: --loud",
        "argument: --tags=['x', \"y\"]",
        "argument: a  b",
        "argument: 2",
        "Hello, a  b!",
    ]


@pytest.mark.parametrize("detached", [False, True])
def test_orphan_ends_at_once_and_leaves_a_process_that_holds_the_pipe(detached: bool) -> None:
    file = ACTIONS["examples.orphan"]
    command = [file.parent / document(file)["entry_point"], "--seconds=60", *["--detach"] * detached]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        assert process.wait(10) == 0
        words = os.read(process.stdout.fileno(), 100).split()
        left = int(words[1])
        try:
            # Nothing to read and no end: somebody still holds the other end.
            with pytest.raises(BlockingIOError):
                os.read(process.stdout.fileno(), 100)
            assert os.getsid(left) == (left if detached else process.pid)
        finally:
            os.kill(left, signal.SIGKILL)
