"""`squall webhook …` against a real server."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.scenarios.live.rules import hooked
from tests.scenarios.live.server import SQUALL, Server


@pytest.fixture(scope="module")
def url(plain_server: Server) -> str:
    criteria = {"trigger.body.run": {"type": "exists", "pattern": ""}}
    hooked(plain_server, "cli/hook", "core.local", criteria, cmd="{{ trigger.body.run }}")
    return "cli/hook"


def test_hooks_are_listed_and_shown(plain_server: Server, url: str) -> None:
    assert url in plain_server.squall("webhook", "list").out.decode().split()
    assert json.loads(plain_server.squall("webhook", "get", url, "-j").out)["parameters"] == {"url": url}
    missing = plain_server.squall("webhook", "get", "no/such")
    assert (missing.status, b"Webhook no/such not registered" in missing.err) == (2, True)


def test_a_body_comes_from_the_command_a_file_or_standard_input(plain_server: Server, url: str, tmp_path: Path) -> None:
    (tmp_path / "body.json").write_text('{"run": "echo from file"}')
    sent = plain_server.squall("webhook", "send", url, "--data", '{"run": "echo from data"}', "-f")
    assert (sent.status, sent.out) == (0, b"from data\n")
    sent = plain_server.squall("webhook", "send", url, str(tmp_path / "body.json"), "-f")
    assert (sent.status, sent.out) == (0, b"from file\n")
    piped = subprocess.run(
        [*SQUALL, "webhook", "send", url, "-", "-f"],
        input=b'{"run": "echo from pipe"}', env=plain_server.command_env(), capture_output=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert (piped.returncode, piped.stdout) == (0, b"from pipe\n")
    header = plain_server.squall("webhook", "send", url, "-d", "run=true", "--form", "-H", "X-Level: 3", "-j")
    instance = json.loads(header.out)["trigger_instance"]["id"]
    payload = plain_server.get(f"/v1/triggerinstances/{instance}")["payload"]
    assert (payload["headers"]["X-Level"], payload["body"]) == ("3", {"run": ["true"]})


def test_the_exit_status_is_that_of_what_was_started(plain_server: Server, url: str) -> None:
    assert plain_server.squall("webhook", "send", url, "-d", '{"run": "exit 3"}', "-f").status == 1
    quiet = plain_server.squall("webhook", "send", url, "-d", "{}", "--wait", "30")
    assert (quiet.status, b"no rule matched" in quiet.err) == (0, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["no/such", "-d", "{}"], b"Webhook no/such not registered"),
        (["cli/hook", "-d", "{bad"], b"Failed to parse request body"),
        (["cli/hook", "nosuch.json"], b"nosuch.json: the body cannot be read"),
        (["cli/hook", "-", "-d", "{}"], b"not both"),
        (["cli/hook", "-H", "nothing"], b"write it as NAME:VALUE"),
        (["cli/hook", "--wait", "99"], b"wait: 99 is not from 0 to 60 seconds"),
        ([""], b"empty text"),
        (["a/../b"], b"cannot be the URL of a webhook"),
    ],
)
def test_a_mistake_is_told_on_one_line(plain_server: Server, url: str, words: list[str], said: bytes) -> None:
    ran = plain_server.squall("webhook", "send", *words)
    assert (ran.status, said in ran.err, ran.err.count(b"\n")) == (2, True, 1)


def test_settings_are_stored_rotated_and_removed(plain_server: Server, url: str) -> None:
    hook = "cli/settings-of"
    assert plain_server.squall("webhook", "configure", hook).status == 1

    def configure(*words: str) -> dict[str, object]:
        ran = plain_server.squall("webhook", "configure", hook, "-j", *words)
        assert ran.status == 0, ran
        document: dict[str, object] = json.loads(ran.out)
        return document

    assert configure("--preset", "github", "--secret", "one")["secrets"] == ["********"]
    assert configure("--rotate", "--secret", "two")["secrets"] == ["********"] * 2
    assert configure("--drop-duplicates")["secrets"] == ["********"] * 2
    ended = configure("--end-rotation")
    assert (ended["secrets"], ended["drop_duplicates"]) == (["********"], True)
    assert configure("--preset", "none")["secrets"] == []
    for words in (["--rotate"], ["--preset", "nosuch"], ["--rotate", "--end-rotation"], ["--preset", "github"]):
        assert plain_server.squall("webhook", "configure", hook, *words).status == 2
    assert plain_server.squall("webhook", "configure", hook, "--remove").status == 0
    assert plain_server.squall("webhook", "configure", hook, "--remove").status == 2


def test_deliveries_are_listed_shown_and_replayed(plain_server: Server, url: str) -> None:
    plain_server.squall("webhook", "send", url, "-d", '{"run": "echo again"}')
    plain_server.squall("webhook", "send", url, "-d", "{bad")
    rows = json.loads(plain_server.squall("webhook", "deliveries", url, "-n", "2", "-j").out)
    assert [row["verdict"] for row in rows] == ["bad_body", "accepted"]
    shown = plain_server.squall("webhook", "deliveries", url, rows[1]["id"]).out.decode()
    assert "echo again" in shown
    replayed = plain_server.squall("webhook", "replay", url, rows[1]["id"], "--follow")
    assert (replayed.status, replayed.out) == (0, b"again\n")
    refused = plain_server.squall("webhook", "replay", url, rows[0]["id"])
    assert (refused.status, b"was refused" in refused.err) == (2, True)
