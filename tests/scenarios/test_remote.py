"""Actions on hosts over SSH, against real servers on loopback."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import OUTPUT, Server, serving
from tests.scenarios.live.sshd import SSHD, Sshd, make_key, sshds

from squall.testing.waiting import until

pytestmark = pytest.mark.skipif(SSHD is None, reason="there is no sshd on this machine (Debian: openssh-server)")

COUNT = 20


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Sshd], Path]]:
    with sshds(tmp_path_factory.mktemp("ssh"), COUNT) as found:
        yield found


@pytest.fixture(scope="module")
def reach(tmp_path_factory: pytest.TempPathFactory, packs: Path) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("reach"), packs, env=QUICK) as found:
        yield found


def ask(server: Server, found: tuple[list[Sshd], Path], count: int, cmd: str, **more: Any) -> str:
    """Requests a remote command on the first hosts."""
    names = more.pop("hosts", None) or ",".join(each.host for each in found[0][:count])
    return server.request("core.remote", hosts=names, cmd=cmd, private_key=str(found[1]), **more)


def tagged(server: Server, execution: str) -> list[tuple[str, str, str]]:
    """(host, stream, text) of all output, in order."""
    events = [event.body for event in server.tail(execution, OUTPUT) if event.name == OUTPUT]
    return [(body.get("tag", ""), body["output_type"], body["data"]) for body in events]


def test_one_host_gives_what_stackstorm_gives(reach: Server, hosts: tuple[list[Sshd], Path]) -> None:
    host = hosts[0][0].host
    ended = reach.ended(ask(reach, hosts, 1, "echo remote; echo e >&2; pwd"))
    assert ended["status"] == "succeeded"
    assert ended["result"] == {
        host: {"stdout": "remote\n/tmp", "stderr": "e", "return_code": 0, "succeeded": True, "failed": False}
    }
    ended = reach.ended(ask(reach, hosts, 1, "exit 4"))
    assert (ended["status"], ended["result"][host]["return_code"]) == ("failed", 4)
    ended = reach.ended(ask(reach, hosts, 1, "echo '{\"a\": 1}'"))
    assert ended["result"][host]["stdout"] == {"a": 1}


def test_the_environment_and_the_directory_reach_the_host_and_no_process_list(
    reach: Server, hosts: tuple[list[Sshd], Path]
) -> None:
    env = {"GREETING": 'it\'s\n"two" lines $HOME', "EMPTY": ""}
    command = 'printf "%s|%s|%s" "$GREETING" "$ST2_ACTION_PACK_NAME" "$PWD"; cat /proc/$PPID/cmdline | tr "\\0" " " >&2'
    ended = reach.ended(ask(reach, hosts, 1, command, env=env, cwd="/"))
    (found,) = ended["result"].values()
    assert found["stdout"] == f"{env['GREETING']}|core|/"
    assert "GREETING" not in found["stderr"]


def test_all_hosts_are_live_at_once_under_their_names(
    reach: Server, hosts: tuple[list[Sshd], Path], tmp_path: Path
) -> None:
    # Each host prints a line and waits for all others: if they ran one after the other, none would ever go on. Each
    # has a connection of its own, so lines of different hosts have no order.
    command = (
        f"echo here; touch {tmp_path}/$$; while [ $(ls {tmp_path} | wc -l) -lt {COUNT} ]; do sleep 0.05; done; echo all"
    )
    execution = ask(reach, hosts, COUNT, command)
    found = tagged(reach, execution)
    names = {each.host for each in hosts[0]}
    assert {host for host, _, _ in found} == names
    for name in names:
        assert "".join(text for host, _, text in found if host == name) == "here\nall\n"
    assert reach.ended(execution)["status"] == "succeeded"


def test_a_host_that_dies_midway_fails_alone_with_what_it_printed(
    reach: Server, hosts: tuple[list[Sshd], Path], tmp_path: Path
) -> None:
    with sshds(tmp_path / "mortal", 1) as ((mortal,), _):
        go = tmp_path / "go"
        names = ",".join(each.host for each in [*hosts[0], mortal])
        (mortal.home.parent / "user_key.pub").write_text(hosts[1].with_suffix(".pub").read_text())
        execution = ask(
            reach, hosts, 2, f"echo before; while ! [ -e {go} ]; do sleep 0.05; done; echo after", hosts=names
        )
        with reach.stream(end_execution_id=execution, events=OUTPUT) as stream:
            seen: set[str] = set()
            for event in stream.events():
                seen.add(event.body["tag"])
                if len(seen) == COUNT + 1:
                    break
        mortal.kill()
        go.touch()
        ended = reach.ended(execution)
    assert ended["status"] == "failed"
    result = ended["result"]
    assert {result[each.host]["stdout"] for each in hosts[0]} == {"before\nafter"}
    lost = result[mortal.host]
    assert (lost["stdout"], lost["return_code"], lost["failed"]) == ("before", 255, True)
    assert "lost" in lost["error"]


def test_a_killed_server_loses_no_byte_of_any_host(tmp_path: Path, packs: Path, hosts: tuple[list[Sshd], Path]) -> None:
    count = COUNT
    with serving(tmp_path, packs, env=QUICK) as server:
        go = tmp_path / "go"
        command = f"seq 1 50; while ! [ -e {go} ]; do sleep 0.05; done; seq 51 100"
        execution = ask(server, hosts, count, command)
        with server.stream(end_execution_id=execution, events=OUTPUT) as stream:
            next(iter(stream.events()))
        server.signal(signal.SIGKILL)
        server.wait()
        go.touch()
        server.start()
        ended = server.ended(execution)
        assert ended["status"] == "succeeded"
        found = tagged(server, execution)
        whole = "".join(f"{number}\n" for number in range(1, 101))
        for each in hosts[0][:count]:
            assert "".join(text for host, _, text in found if host == each.host) == whole
            assert ended["result"][each.host]["stdout"] == whole.rstrip("\n")


def test_fifty_hosts_of_which_some_misbehave(reach: Server, hosts: tuple[list[Sshd], Path], tmp_path: Path) -> None:
    good = [each.host for each in hosts[0]]
    # The same servers under further names make up the fifty.
    more = [host.replace("127.0.0.1", "localhost") for host in good]
    dead = "127.0.0.1:1"
    changed = hosts[0][0]
    with sshds(tmp_path / "odd", 1) as ((odd,), _):
        (odd.home.parent / "user_key.pub").write_text(hosts[1].with_suffix(".pub").read_text())
        assert reach.ended(ask(reach, hosts, 1, "true", hosts=odd.host))["status"] == "succeeded"
        odd.kill()
        odd.key.unlink()
        odd.key.with_suffix(".pub").unlink()
        make_key(odd.key)
        odd.start().ready()
        users = [f"root@{host}" for host in good[:8]] if os.geteuid() == 0 else []
        names = [*good, *more, *users, dead, odd.host]
        flood, slow = str(changed.port), str(hosts[0][1].port)
        command = (
            f'case $SSH_CONNECTION in *" {flood}") head -c 3000000 /dev/zero | tr "\\0" x;; '
            f'*" {slow}") sleep 1; echo slow;; *) echo fine;; esac'
        )
        ended = reach.ended(ask(reach, hosts, 0, command, hosts=",".join(names)))
    result = ended["result"]
    assert list(result) == names, str(ended["result"])[:900]
    assert ended["status"] == "failed"
    for name in names:
        port = name.rpartition(":")[2]
        if name == dead:
            assert (result[name]["return_code"], "traceback" in result[name]) == (255, True)
        elif name == odd.host:
            assert "host key" in result[name]["error"]
            assert "differs" in result[name]["error"]
        elif port == flood:
            assert result[name]["succeeded"]
            assert result[name]["stdout_omitted"] > 0
        else:
            assert result[name]["stdout"] == ("slow" if port == slow else "fine")


def test_no_host_reached_is_one_error(reach: Server, hosts: tuple[list[Sshd], Path]) -> None:
    ended = reach.ended(ask(reach, hosts, 0, "true", hosts="127.0.0.1:1"))
    assert ended["status"] == "failed"
    assert list(ended["result"]) == ["error", "traceback"]
    assert ended["result"]["error"].startswith("Unable to connect to any one of the hosts: ['127.0.0.1:1'].")


def left(mark: str) -> list[str]:
    """The processes that have a word in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if mark.encode() in words:
                found.append(entry.name)
    return found


def test_a_timeout_ends_what_runs_on_the_host(reach: Server, hosts: tuple[list[Sshd], Path]) -> None:
    mark = f"1{os.getpid()}.25"
    ended = reach.ended(ask(reach, hosts, 2, f"echo begun; sleep {mark} & sleep {mark}", timeout=1))
    assert ended["status"] == "timeout"
    for found in ended["result"].values():
        assert (found["return_code"], found["timeout"], found["stdout"]) == (-9, True, "begun")
    assert left(mark) == []


def test_canceling_ends_what_runs_on_the_hosts(reach: Server, hosts: tuple[list[Sshd], Path]) -> None:
    mark = f"1{os.getpid()}.75"
    execution = ask(reach, hosts, 3, f"echo begun; sleep {mark}")
    with reach.stream(end_execution_id=execution, events=OUTPUT) as stream:
        seen: set[str] = set()
        for event in stream.events():
            seen.add(event.body["tag"])
            if len(seen) == 3:
                break
    until(lambda: len(left(mark)) == 3, "the command runs on all hosts")
    assert reach.call("DELETE", f"/v1/executions/{execution}").status == 200
    assert reach.ended(execution)["status"] == "canceled"
    assert left(mark) == []


@pytest.fixture
def service() -> Iterator[str]:
    """A number of seconds that only one test sleeps; whatever sleeps it is ended afterwards."""
    number = f"1{os.getpid()}.5"
    yield number
    for pid in left(number):
        os.kill(int(pid), signal.SIGKILL)


def test_a_service_left_on_the_hosts_goes_on_and_does_not_keep_the_execution_from_ending(
    reach: Server, hosts: tuple[list[Sshd], Path], service: str
) -> None:
    command = f"nohup sleep {service} & echo started; exit 3"
    ended = reach.ended(ask(reach, hosts, 3, command, timeout=60))
    assert ended["status"] == "failed"
    assert [(each["stdout"], each["return_code"]) for each in ended["result"].values()] == [("started", 3)] * 3
    until(lambda: len(left(service)) == 3, "the service runs on all hosts")
    ended = reach.ended(ask(reach, hosts, 1, f"sleep {service} >&2 & echo started", timeout=60))
    assert ended["status"] == "succeeded"
    until(lambda: len(left(service)) == 4, "one more service runs")


def test_output_soon_after_the_end_of_a_command_belongs_to_it(reach: Server, hosts: tuple[list[Sshd], Path]) -> None:
    ended = reach.ended(ask(reach, hosts, 1, "(sleep 0.1; echo late) & echo started", timeout=60))
    (result,) = ended["result"].values()
    assert (result["stdout"], result["return_code"]) == ("started\nlate", 0)


def test_a_service_that_prints_without_end_does_not_keep_the_execution_from_ending(
    reach: Server, hosts: tuple[list[Sshd], Path], service: str
) -> None:
    command = f"(while echo more; do sleep 0.1; done; sleep {service}) & echo started"
    ended = reach.ended(ask(reach, hosts, 1, command, timeout=60))
    (result,) = ended["result"].values()
    assert (ended["status"], result["return_code"]) == ("succeeded", 0)
    assert result["stdout"].startswith(("started\nmore", "more\nstarted"))


def test_all_output_of_a_command_is_there_however_much_it_is(
    reach: Server, hosts: tuple[list[Sshd], Path], service: str
) -> None:
    execution = ask(reach, hosts, 1, f"sleep {service} & head -c 5000000 /dev/zero | tr '\\0' x", timeout=60)
    assert reach.ended(execution)["status"] == "succeeded"
    assert sum(len(text) for _, _, text in tagged(reach, execution)) == 5_000_000


@pytest.mark.skipif(shutil.which("sudo") is None or os.geteuid() != 0, reason="needs sudo without a password")
def test_a_service_started_through_sudo_goes_on(reach: Server, hosts: tuple[list[Sshd], Path], service: str) -> None:
    names = hosts[0][0].host
    started = reach.request(
        "core.remote_sudo", hosts=names, cmd=f"nohup sleep {service} & echo up", private_key=str(hosts[1])
    )
    ended = reach.ended(started)
    assert ended["status"] == "succeeded", ended["result"]
    until(lambda: left(service), "the service runs")


def test_an_unknown_key_is_refused_where_only_known_ones_are_taken(
    tmp_path: Path, packs: Path, hosts: tuple[list[Sshd], Path]
) -> None:
    with serving(tmp_path, packs, env={**QUICK, "SQUALL_SSH_HOST_KEYS": "known_hosts"}) as server:
        ended = server.ended(ask(server, hosts, 1, "true"))
        assert ended["status"] == "failed"
        assert "is not known" in ended["result"]["error"]


def test_a_wrong_key_and_a_key_as_text(reach: Server, hosts: tuple[list[Sshd], Path], tmp_path: Path) -> None:
    host = hosts[0][0].host
    wrong = reach.request("core.remote", hosts=host, cmd="true", private_key=str(make_key(tmp_path / "other")))
    ended = reach.ended(wrong)
    assert ended["status"] == "failed"
    assert re.search("Permission denied", ended["result"]["error"])
    right = reach.request("core.remote", hosts=host, cmd="true", private_key=hosts[1].read_text())
    ended = reach.ended(right)
    assert ended["status"] == "succeeded"
    assert "PRIVATE KEY" not in json.dumps(ended)


def test_hosts_are_reached_through_a_bastion(reach: Server, hosts: tuple[list[Sshd], Path]) -> None:
    ended = reach.ended(ask(reach, hosts, 2, "echo through", bastion_host=hosts[0][5].host))
    assert ended["status"] == "succeeded", ended["result"]
    assert "Accepted publickey" in (hosts[0][5].home / "log").read_text()


def test_a_script_is_copied_run_with_its_arguments_and_removed(
    tmp_path: Path, packs: Path, hosts: tuple[list[Sshd], Path], service: str
) -> None:
    pack = tmp_path / "more" / "far"
    (pack / "actions" / "lib").mkdir(parents=True)
    (pack / "pack.yaml").write_text("ref: far\nname: far\nversion: 1.0.0\n")
    (pack / "actions" / "lib" / "words.sh").write_text("word=library\n")
    (pack / "actions" / "far.sh").write_text('. "$(dirname "$0")/lib/words.sh"\necho "$word $*"; pwd; dirname "$0"\n')
    (pack / "actions" / "far.yaml").write_text(
        "name: far\npack: far\nrunner_type: remote-shell-script\nenabled: true\nentry_point: far.sh\n"
        "parameters:\n  name: {type: string}\n  count: {type: integer, position: 0}\n"
    )
    (pack / "actions" / "serve.sh").write_text('nohup sleep "$1" & echo up\n')
    (pack / "actions" / "serve.yaml").write_text(
        "name: serve\npack: far\nrunner_type: remote-shell-script\nenabled: true\nentry_point: serve.sh\n"
        "parameters:\n  time: {type: string, position: 0}\n"
    )
    with serving(tmp_path, tmp_path / "more", env=QUICK) as server:
        names = ",".join(each.host for each in hosts[0][:2])
        started = server.request("far.serve", hosts=names, private_key=str(hosts[1]), time=service, dir=str(tmp_path))
        assert server.ended(started)["status"] == "succeeded"
        until(lambda: len(left(service)) == 2, "the service runs on both hosts")
        body: dict[str, Any] = {"hosts": names, "private_key": str(hosts[1]), "name": "it's", "count": 3}
        body["dir"] = str(tmp_path)
        execution = server.request("far.far", **body)
        ended = server.ended(execution)
    assert ended["status"] == "succeeded", ended["result"]
    for found in ended["result"].values():
        assert found["stdout"].splitlines()[:2] == ["library --name=it's 3", "/tmp"]
        assert not Path(found["stdout"].splitlines()[2]).exists()


def test_an_output_secret_is_masked_in_tagged_output(reach: Server, hosts: tuple[list[Sshd], Path]) -> None:
    execution = ask(reach, hosts, 1, "echo my-hidden-word", password=None, sudo_password="my-hidden-word")
    ended = reach.ended(execution)
    assert "my-hidden-word" not in json.dumps(ended["result"])
    assert all("my-hidden-word" not in text for _, _, text in tagged(reach, execution))


@pytest.mark.parametrize("hosts_text", ["", ",", "a b", "web:port", "web:99999", "-oProxyCommand=x", "@", "[::1"])
def test_hosts_that_are_none_are_named(reach: Server, hosts_text: str) -> None:
    ended = reach.ended(reach.request("core.remote", hosts=hosts_text, cmd="true"))
    assert ended["status"] == "failed"
    assert "hosts" in ended["result"]["error"]
