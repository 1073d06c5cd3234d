"""The official client against a server that asks who one is: logging in, API keys, inquiries, and what reaches out."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from tests.compat.conftest import st2_env
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import Ran, Server, serving
from tests.scenarios.live.sshd import SSHD, sshds

from squall.adapters.htpasswd import write
from squall.testing.waiting import until

Asked = Callable[..., Ran]


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory, packs: Path) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("asking")
    right = "{SHA}" + base64.b64encode(hashlib.sha1(b"right").digest()).decode()
    write(home / "data" / "htpasswd", {"ada": right})
    with serving(home, packs, "--auth", env=QUICK) as server:
        yield server


@pytest.fixture(scope="module")
def st2(asking: Server, st2_program: str) -> Asked:
    """Runs `st2`; the log-in of one call is that of the next, as on a person's machine."""

    def run(*words: str, env: dict[str, str] | None = None) -> Ran:
        settings = {**st2_env(asking), "HOME": str(asking.home), **(env or {})}
        settings.pop("ST2_CLI_SKIP_CONFIG")
        done = subprocess.run(
            [st2_program, *words], capture_output=True, env=settings, timeout=50, check=False, stdin=subprocess.DEVNULL
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="module")
def token(st2: Asked) -> dict[str, str]:
    """The environment of somebody who has logged in with `st2 auth`."""
    made = st2("auth", "ada", "-p", "right", "-t")
    assert made.status == 0, made
    return {"ST2_AUTH_TOKEN": made.out.decode().strip()}


def test_nobody_is_let_in_without_a_credential(st2: Asked) -> None:
    refused = st2("execution", "list")
    assert refused.status != 0
    assert b"Unauthorized" in refused.out + refused.err
    wrong = st2("auth", "ada", "-p", "wrong", "-t")
    assert wrong.status != 0
    assert b"Invalid or missing credentials" in wrong.out + wrong.err


def test_a_log_in_is_kept_and_tells_who_one_is(st2: Asked) -> None:
    logged = st2("login", "ada", "-p", "right", "-w")
    assert logged.status == 0, logged
    assert b"Logged in as ada" in logged.out
    who = st2("whoami")
    assert who.status == 0, who
    assert b"ada" in who.out
    assert st2("execution", "list").status == 0


def test_api_keys_are_made_listed_used_disabled_and_deleted(st2: Asked, token: dict[str, str]) -> None:
    key = st2("apikey", "create", "-k", "-m", '{"for": "bot"}', env=token).out.decode().strip()
    assert len(key) > 40
    (shown,) = json.loads(st2("apikey", "list", "-d", "-j", env=token).out)
    assert (shown["user"], shown["metadata"]) == ("ada", {"for": "bot"})
    assert st2("execution", "list", env={"ST2_API_KEY": key}).status == 0
    assert b"ada" in st2("apikey", "get", shown["id"], env=token).out
    assert st2("apikey", "disable", shown["id"], env=token).status == 0
    refused = st2("run", "core.noop", env={"ST2_API_KEY": key})
    assert b"disabled" in refused.out + refused.err
    assert st2("apikey", "enable", shown["id"], env=token).status == 0
    assert st2("run", "core.noop", env={"ST2_API_KEY": key}).status == 0
    assert st2("apikey", "delete", shown["id"], env=token).status == 0
    assert b"[]" in st2("apikey", "list", "-j", env=token).out + b"[]"


def test_an_inquiry_is_asked_listed_shown_and_answered(asking: Server, st2: Asked, token: dict[str, str]) -> None:
    schema = '{"type": "object", "properties": {"ok": {"type": "boolean", "required": true}}}'
    asked = st2("run", "-a", "core.ask", "route=deploy", f"schema={schema}", "-j", env=token)
    assert asked.status == 0, asked
    execution = json.loads(st2("execution", "list", "--action", "core.ask", "-j", env=token).out)[0]["id"]
    until(lambda: execution in st2("inquiry", "list", "-j", env=token).out.decode(), "the inquiry is listed", pause=0.2)
    assert b"deploy" in st2("inquiry", "get", execution, env=token).out
    wrong = st2("inquiry", "respond", execution, "-r", '{"ok": "maybe"}', env=token)
    assert b"did not pass schema validation" in wrong.out + wrong.err
    answered = st2("inquiry", "respond", execution, "-r", '{"ok": true}', env=token)
    assert answered.status == 0, answered
    document = json.loads(st2("execution", "get", execution, "-d", "-j", env=token).out)
    assert document["status"].startswith("succeeded")
    assert document["result"]["response"] == {"ok": True}


def test_a_request_over_http_is_made_in_ones_name(st2: Asked, token: dict[str, str]) -> None:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"hello": "there"}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        try:
            ran = st2("run", "core.http", f"url=http://127.0.0.1:{web.server_port}/", "-j", env=token)
        finally:
            web.shutdown()
            thread.join()
    assert ran.status == 0, ran
    document = json.loads(ran.out[ran.out.index(b"{") :])
    assert document["result"]["body"] == {"hello": "there"}
    assert document["context"]["user"] == "ada"


@pytest.mark.skipif(SSHD is None, reason="there is no sshd on this machine (Debian: openssh-server)")
def test_a_command_is_run_on_a_host(st2: Asked, token: dict[str, str], tmp_path: Path) -> None:
    with sshds(tmp_path / "ssh", 1) as ((host,), key):
        words = (f"hosts={host.host}", f"private_key={key}", "cmd=echo over there")
        ran = st2("run", "core.remote", *words, "-j", env=token)
    assert ran.status == 0, ran
    assert json.loads(ran.out[ran.out.index(b"{") :])["result"][host.host]["stdout"] == "over there"
