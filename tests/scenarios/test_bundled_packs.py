"""What comes with Squall beside `core`'s oldest actions: each runs, against real servers on loopback."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import Server, serving
from tests.scenarios.live.sshd import SSHD, Sshd, sshds

needs_sshd = pytest.mark.skipif(SSHD is None, reason="there is no sshd on this machine (Debian: openssh-server)")


@pytest.fixture(scope="module")
def squall(tmp_path_factory: pytest.TempPathFactory, packs: Path) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("bundled"), packs, env=QUICK) as found:
        yield found


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Sshd], Path]]:
    with sshds(tmp_path_factory.mktemp("ssh"), 1) as found:
        yield found


def run(squall: Server, action: str, **parameters: Any) -> dict[str, Any]:
    return squall.ended(squall.request(action, **parameters))


def remote(squall: Server, hosts: tuple[list[Sshd], Path], action: str, **parameters: Any) -> Any:
    """The result on the one host."""
    found = run(squall, action, hosts=hosts[0][0].host, private_key=str(hosts[1]), **parameters)
    (result,) = found["result"].values()
    return result


@needs_sshd
def test_files_of_hosts_are_copied_moved_removed_and_touched(
    squall: Server, hosts: tuple[list[Sshd], Path], tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").write_text("a")
    copied = remote(
        squall, hosts, "linux.cp", source=f"{tmp_path}/folder", destination=f"{tmp_path}/copy", recursive=True
    )
    assert copied["succeeded"], copied
    assert (tmp_path / "copy" / "a").read_text() == "a"
    assert remote(squall, hosts, "linux.mv", source=f"{tmp_path}/copy/a", destination=f"{tmp_path}/b")["succeeded"]
    assert (tmp_path / "b").read_text() == "a"
    assert remote(squall, hosts, "linux.rm", target=f"{tmp_path}/copy", recursive=True)["succeeded"]
    assert not (tmp_path / "copy").exists()
    assert remote(squall, hosts, "linux.rm", target=f"{tmp_path}/nothing")["failed"]
    assert remote(squall, hosts, "linux.file_touch", file=f"{tmp_path}/touched")["succeeded"]
    assert (tmp_path / "touched").read_text().strip().isdigit()


@needs_sshd
def test_hosts_tell_their_load_and_their_processes(squall: Server, hosts: tuple[list[Sshd], Path]) -> None:
    loads = remote(squall, hosts, "linux.check_loadavg")["stdout"]
    assert set(loads) == {"1", "5", "15"}
    assert set(remote(squall, hosts, "linux.check_loadavg", period="five")["stdout"]) == {"5"}
    found = remote(squall, hosts, "linux.check_processes", criteria="sshd")["stdout"]
    assert found["count"] == len(found["processes"]) > 0
    assert all("sshd" in process["name"] + process["cmdline"] for process in found["processes"])
    nothing = remote(squall, hosts, "linux.check_processes", search="pid", criteria="999999999")["stdout"]
    assert nothing == {"count": 0, "processes": []}
    ended = remote(squall, hosts, "linux.pkill", process="squall-no-such-process")
    assert ended["return_code"] in (1, 127)


@needs_sshd
def test_a_host_is_waited_for(squall: Server, hosts: tuple[list[Sshd], Path]) -> None:
    name, _, port = hosts[0][0].host.rpartition(":")
    user = run(squall, "core.local", cmd="id -un")["result"]["stdout"]
    given = {"hostname": name, "port": int(port), "username": user, "sleep_delay": 1, "retries": 1}
    assert run(squall, "linux.wait_for_ssh", keyfile=str(hosts[1]), **given)["result"]["result"] is True
    refused = run(squall, "linux.wait_for_ssh", keyfile="/dev/null", **given)
    assert refused["status"] == "failed"
    assert "could not be logged in to after 1 tries" in refused["result"]["result"]


def test_a_mail_is_made_and_handed_on(squall: Server, tmp_path: Path) -> None:
    program = tmp_path / "sendmail"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/words\ncat > {tmp_path}/mail\n')
    program.chmod(0o755)
    (tmp_path / "notes.txt").write_text("attached")
    given = {"to": "ada@example.com, bob@example.com", "subject": "It\nis done", "body": "<b>yes</b>"}
    ended = run(squall, "core.sendmail", sendmail_binary=str(program), attachments=str(tmp_path / "notes.txt"), **given)
    assert ended["status"] == "succeeded", ended
    mail = message_from_bytes((tmp_path / "mail").read_bytes())
    assert (mail["To"], mail["Subject"]) == ("ada@example.com, bob@example.com", "It is done")
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/mixed", "text/html", "text/plain"]
    assert (tmp_path / "words").read_text() == "-t -i\n"
    missing = run(squall, "core.sendmail", sendmail_binary="/nowhere/sendmail", **given)
    assert (missing["status"], "there is no program" in missing["result"]["stderr"]) == ("failed", True)


def test_pauses_and_what_is_not_there_yet(squall: Server) -> None:
    assert run(squall, "core.pause", max_pause=0)["result"]["result"] == "Paused for 0 seconds"
    injected = run(squall, "core.inject_trigger", trigger="core.st2.webhook")
    assert (injected["status"], "core.st2.webhook" in injected["result"]["result"]) == ("failed", True)
    sent = {"trigger": "core.st2.generic.actiontrigger", "payload": {}}
    assert run(squall, "core.inject_trigger", **sent)["result"]["result"] == sent
    dig = run(squall, "linux.dig", hostname="localhost", nameserver="127.0.0.1")
    if shutil.which("dig") is None:
        assert (dig["status"], "dig is not installed" in dig["result"]["result"]) == ("failed", True)
    else:
        assert isinstance(dig["result"]["result"], list) if dig["status"] == "succeeded" else dig["result"]["result"]
    restart = run(squall, "packs.restart_component", servicename="st2api")
    assert "no need to restart st2api" in restart["result"]["stdout"]


def test_the_end_of_an_execution_is_posted_for_a_bot(squall: Server) -> None:
    done = run(squall, "core.local", cmd="echo for the room")
    formatted = run(squall, "chatops.format_execution_result", execution_id=done["id"])["result"]["result"]
    assert formatted["enabled"] is True
    assert formatted["message"].split("\n")[:2] == [f"core.local: succeeded ({done['id']})", "for the room"]
    with squall.stream(events="st2.announcement__chatops") as stream:
        posted = squall.request("chatops.post_result", execution_id=done["id"], channel="ops", user="ada")
        body = next(event.body for event in stream.events() if event.name == "st2.announcement__chatops")
    assert squall.ended(posted)["status"] == "succeeded"
    assert (body["payload"]["channel"], body["payload"]["user"]) == ("ops", "ada")
    assert "for the room" in body["payload"]["message"]


def test_the_metadata_of_all_of_it_is_right(squall: Server) -> None:
    counts = squall.call("POST", "/v1/packs/register", {"packs": ["core", "linux", "chatops", "packs", "examples"]})
    assert counts.status == 200, counts
    assert (counts.json["rules"], counts.json["aliases"]) == (2, 4)
