"""The life of a server: its start, what it refuses to start with, and its end."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import SQUALL, Ran, Server, environment, serving

from squall.testing.waiting import until


def serve(home: Path, *words: str, user: int | None = None) -> Ran:
    """A start that must fail: what it says."""
    done = subprocess.run(
        [*SQUALL, "serve", *words], capture_output=True, env=environment(home), timeout=60, check=False, user=user
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def one_line(ran: Ran) -> str:
    """What a refused start says: one line on stderr and exit status 2."""
    text = ran.err.decode()
    assert (ran.status, ran.out, text.count("\n")) == (2, b"", 1), ran
    return text


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, packs: Path) -> Iterator[Server]:
    """A server that these tests may do everything with but stop."""
    with serving(tmp_path_factory.mktemp("own"), packs, env=QUICK) as server:
        yield server


def test_the_start_prints_where_it_is_and_the_three_exports(own: Server) -> None:
    assert own.banner[0].startswith("Squall ")
    assert str(own.data_dir) in own.banner[0]
    assert own.banner[1:] == [
        f"export ST2_API_URL={own.url}/api/v1",
        f"export ST2_AUTH_URL={own.url}/auth/v1",
        f"export ST2_STREAM_URL={own.url}/stream/v1",
    ]


def test_the_data_directory_says_who_holds_it(own: Server) -> None:
    about = json.loads((own.data_dir / "server.json").read_text())
    assert about["pid"] == own.process.pid
    assert about["url"] == own.url
    assert Path(about["log"]).is_file()
    assert (own.data_dir / "server.lock").read_text().strip() == str(own.process.pid)
    assert (own.data_dir / "server.json").stat().st_mode & 0o777 == 0o600


def test_the_log_is_json_lines(own: Server) -> None:
    lines = (own.data_dir / "logs" / "server.log").read_text().splitlines()
    assert lines
    assert all({"ts", "level", "msg"} <= json.loads(line).keys() for line in lines)


def test_a_second_server_on_the_same_data_is_told_who_holds_it(own: Server, tmp_path: Path) -> None:
    text = one_line(serve(tmp_path, "--port", "0", "--data-dir", str(own.data_dir)))
    assert str(own.process.pid) in text
    assert own.url in text
    assert own.get("/healthz")["status"] == "alive"


def test_a_port_in_use_is_named(own: Server, tmp_path: Path) -> None:
    text = one_line(serve(tmp_path, "--port", str(own.port), "--data-dir", str(tmp_path / "data")))
    assert str(own.port) in text
    assert "--port" in text
    # Nothing is left behind that would keep the next start from its place.
    assert not (tmp_path / "data" / "server.json").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_other_addresses_than_loopback_are_refused(tmp_path: Path, host: str) -> None:
    text = one_line(serve(tmp_path, "--host", host, "--port", "0", "--data-dir", str(tmp_path / "data")))
    assert host in text
    assert "loopback" in text


def test_a_data_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    assert "--data-dir" in one_line(serve(tmp_path, "--port", "0", "--data-dir", str(tmp_path / "data")))


@pytest.mark.skipif(not Path("/proc/sys").is_dir(), reason="needs a place where not even root may write")
def test_a_data_directory_without_permission_is_refused(tmp_path: Path) -> None:
    text = one_line(serve(tmp_path, "--port", "0", "--data-dir", "/proc/sys/squall"))
    assert "/proc/sys/squall" in text
    assert "--data-dir" in text


def test_a_database_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path, packs: Path) -> None:
    with serving(tmp_path, packs, env=QUICK) as server:
        data = server.data_dir
    with closing(sqlite3.connect(data / "squall.db")) as connection, connection:
        connection.execute("UPDATE schema_version SET version = version + 1000")
    text = one_line(serve(tmp_path, "--port", "0", "--data-dir", str(data)))
    assert "newer" in text
    assert "--data-dir" in text
    with closing(sqlite3.connect(data / "squall.db")) as connection:
        assert connection.execute("SELECT version > 1000 FROM schema_version").fetchone() == (1,)


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "squall.db").write_bytes(b"something else entirely" * 100)
    text = one_line(serve(tmp_path, "--port", "0", "--data-dir", str(tmp_path / "data")))
    assert "squall.db" in text


def test_an_unknown_setting_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "squall.toml").write_text("[server]\nprot = 1\n")
    text = one_line(serve(tmp_path, "--config", str(tmp_path / "squall.toml"), "--data-dir", str(tmp_path / "data")))
    assert "prot" in text
    assert "port" in text


@contextmanager
def started(home: Path, packs: Path, *flags: str, **env: str) -> Iterator[Server]:
    with serving(home, packs, *flags, env={**QUICK, **env}) as server:
        yield server


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_server_ends_at_once_with_status_0(tmp_path: Path, packs: Path, number: signal.Signals) -> None:
    with started(tmp_path, packs) as server:
        with server.stream() as stream:
            stream.read(1)
            server.signal(number)
            assert server.wait() == 0
            last = stream.rest()
        assert last.endswith(b"\n\n")
        assert last.startswith(b"id: ")
        assert not (server.data_dir / "server.json").exists()
        log = (server.home / "server.err").read_text()
        assert "Traceback" not in log
        assert '"ERROR"' not in log


def test_a_stop_ends_streams_with_their_position_and_without_eof(tmp_path: Path, packs: Path) -> None:
    with (
        started(tmp_path, packs, SQUALL_SERVER_STOP_ACTIONS="false") as server,
        server.puppet() as (execution, strings),
    ):
        query: dict[str, Any] = {"format": "sse", "raw_data": "true"}
        tail = server.stream(end_execution_id=execution, events="*")
        with server.output(execution, **query) as stream, tail:
            strings.say(b"before\n")
            stream.parser.feed(stream.until(b"\n\n"))
            server.signal(signal.SIGTERM)
            assert server.wait() == 0
            rest = stream.rest()
            tail_events = list(tail.events())
        assert b"EOF" not in rest
        assert all(event.body.get("status") != "succeeded" for event in tail_events)
        stream.parser.feed(rest)
        position = stream.parser.last_id
        place = tail.parser.last_id
        assert position.startswith("f-")
        port = server.port
        server.start(port)
        strings.say(b"after\n")
        strings.end()
        server.ended(execution)
        with server.output(execution, format="raw", last_event_id=position) as again:
            assert again.rest() == b"after\n"
        resumed = server.tail(execution, last_event_id=place)
        assert [event.body.get("data", event.body.get("status")) for event in resumed] == ["after\n", "succeeded"]


def test_a_stop_that_ends_actions_cancels_them_after_the_grace_time(tmp_path: Path, packs: Path) -> None:
    with started(tmp_path, packs, "--stop-actions", SQUALL_SERVER_SHUTDOWN_GRACE_SECONDS="0.2") as server:
        quick = server.shell("echo started; sleep 600")
        with server.output(quick) as stream:
            stream.until(b"started\n")
        waiting = server.call("POST", "/v1/executions", {"action": "core.noop", "delay": 600_000}).json["id"]
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        server.start()
        assert server.get(f"/v1/executions/{quick}")["status"] == "canceled"
        assert server.get(f"/v1/executions/{waiting}")["status"] == "delayed"
        with server.output(quick) as stream:
            assert stream.rest() == b"started\n"


def refused(port: int) -> bool:
    """Whether nobody takes connections to a port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return True
    return False


def test_a_stop_that_ends_actions_lets_them_finish_within_the_grace_time(tmp_path: Path, packs: Path) -> None:
    with (
        started(tmp_path, packs, "--stop-actions", SQUALL_SERVER_SHUTDOWN_GRACE_SECONDS="20") as server,
        server.puppet() as (execution, strings),
    ):
        server.running(execution)
        server.signal(signal.SIGTERM)
        # It takes no new connections once it is stopping: then the action is let go.
        until(lambda: refused(server.port), "the server takes no new connections")
        strings.say(b"finished\n")
        strings.end()
        assert server.wait() == 0
        server.start()
        assert server.ended(execution)["status"] == "succeeded"
        with server.output(execution) as stream:
            assert stream.rest() == b"finished\n"


def test_the_classic_ports_serve_auth_and_stream(tmp_path: Path, packs: Path) -> None:
    for port in (9100, 9102):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                pytest.skip(f"port {port} is taken on this machine: {error}")
    with started(tmp_path, packs, "--classic-ports") as server:
        execution = server.shell("echo classic")
        server.ended(execution)
        classic = Server(tmp_path)
        classic.url = "http://127.0.0.1:9102"
        for prefix in ("", "/v1"):
            reply = classic.call("GET", f"{prefix}/stream?end_execution_id={execution}")
            assert (reply.status, reply.headers["content-type"]) == (200, "text/event-stream; charset=UTF-8")
            reply = classic.call("GET", f"{prefix}/executions/{execution}/output")
            assert (reply.status, reply.headers["content-type"]) == (200, "text/event-stream; charset=UTF-8")
            assert reply.raw.endswith(b"event: EOF\ndata: ''\n\n")
        classic.url = "http://127.0.0.1:9100"
        assert classic.call("GET", "/v1/").status in (200, 404)


_CREDENTIAL = "t0pS3cr3tCredential"


def test_no_process_beside_the_server_has_its_credentials(tmp_path: Path, packs: Path) -> None:
    """Actions, keepers and line readers."""
    env = {"AWS_SECRET_ACCESS_KEY": "aws-key", "ACME_TOKEN": _CREDENTIAL, "DB_PASSWORD": _CREDENTIAL,
           "SQUALL_ACTIONRUNNER_ENVIRONMENT": "ACME_REGION,PLACE=here", "ACME_REGION": "eu"}  # fmt: skip
    with serving(tmp_path, packs, env={**QUICK, **env}) as server:
        execution = server.shell("env; echo $ACME_REGION $PLACE")
        text = str(server.ended(execution)["result"]["stdout"])
        assert f"ST2_ACTION_EXECUTION_ID={execution}" in text
        assert text.endswith("eu here")
        assert _CREDENTIAL not in text
        assert "AWS_" not in text
        assert "SQUALL_QUEUE_POLL_SECONDS" not in text
        ended = server.ended(server.request("examples.countdown", count=1))
        assert ended["status"] == "succeeded"
        server.call("GET", f"/v1/executions/{execution}/output/rows?limit=1")
        below = _descendants(server.process.pid, str(tmp_path))
        assert len(below) >= 2, "there are at least a keeper and a line reader"
        for name, variables in below.items():
            assert _CREDENTIAL.encode() not in variables, name
            assert b"AWS_" not in variables or "linereader" in name, name


def _descendants(server: int, home: str) -> dict[str, bytes]:
    """Returns the environments of the processes that work for the data directory `home`, by their command lines."""
    environments: dict[str, bytes] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            variables = (folder / "environ").read_bytes()
        except OSError:
            continue
        if home in words and int(folder.name) != server:
            environments[words] = variables
    return environments
