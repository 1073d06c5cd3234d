"""HTTP actions against a real server that behaves, and misbehaves."""

from __future__ import annotations

import http.server
import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import OUTPUT, Server, serving

LIMIT = 2 << 20


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by path."""

    protocol_version = "HTTP/1.1"
    hold = threading.Event()

    def log_message(self, *words: object) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        getattr(self, "at_" + self.path.strip("/").partition("?")[0].partition("/")[0], self.at_echo)()

    do_POST = do_PUT = do_HEAD = do_PATCH = do_GET

    def answer(self, body: bytes, kind: str, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def at_echo(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("utf-8", "replace")
        told: dict[str, Any] = {"method": self.command, "path": self.path, "body": body, "headers": dict(self.headers)}
        told["pairs"] = list(self.headers.items())
        self.answer(json.dumps(told).encode(), "application/json")

    def at_text(self) -> None:
        self.answer(b"plain text", "text/plain")

    def at_status(self) -> None:
        self.answer(b'{"wrong": 1}', "application/json", int(self.path.rpartition("/")[2]))

    def at_loop(self) -> None:
        self.answer(b"", "text/plain", 302, Location="/loop")

    def at_moved(self) -> None:
        self.answer(b"", "text/plain", 302, Location="/text")

    def at_hop(self) -> None:
        self.answer(b"", "text/plain", 302, Location="/echo?C=S;O=D&q=%E9&acl")

    def at_latin(self) -> None:
        self.answer("café".encode("latin-1"), "text/plain")

    def at_odd(self) -> None:
        self.answer("café".encode("latin-1"), "text/plain; charset=no-such")

    def at_away(self) -> None:
        self.answer(b"", "text/plain", 302, Location=f"http://localhost:{self.headers['Host'].rpartition(':')[2]}/text")

    def at_cut(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"the beginning")
        self.close_connection = True

    def at_big(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.close_connection = True
        try:
            for _ in range(500):
                self.wfile.write(b"x" * (1 << 20))
        except OSError:
            pass

    def at_slow(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.close_connection = True
        self.wfile.write(b"first line\n")
        self.hold.wait(15)


@contextmanager
def answering(context: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server; its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"{'https' if context else 'http'}://127.0.0.1:{server.server_address[1]}"
    finally:
        Handler.hold.set()
        server.shutdown()
        thread.join()
        server.server_close()
        Handler.hold.clear()


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    with answering() as url:
        yield url


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory, packs: Path) -> Iterator[Server]:
    env = {**QUICK, "SQUALL_ACTIONRUNNER_HTTP_RESPONSE_BYTES": str(LIMIT)}
    with serving(tmp_path_factory.mktemp("http"), packs, env=env) as found:
        yield found


def fetched(server: Server, url: str, **parameters: Any) -> dict[str, Any]:
    return server.ended(server.request("core.http", url=url, **parameters))


def test_json_is_parsed_and_shown(asking: Server, web: str) -> None:
    ended = fetched(asking, f"{web}/a?b=1", headers={"X-Test": "y"}, params={"c": 2}, cookies=None)
    result = ended["result"]
    assert (ended["status"], list(result)) == ("succeeded", ["status_code", "body", "parsed", "headers"])
    assert (result["status_code"], result["parsed"]) == (200, True)
    assert result["headers"]["Content-Type"] == "application/json"
    told = result["body"]
    assert (told["method"], told["path"]) == ("GET", "/a?b=1&c=2")
    assert (told["headers"]["X-Test"], told["headers"]["X-Stanley-Action"]) == ("y", "http")
    with asking.output(ended["id"]) as stream:
        assert json.loads(stream.rest()) == told


def test_the_query_of_an_address_and_of_a_redirect_is_left_alone(asking: Server, web: str) -> None:
    for query in ("acl", "C=S;O=D", "x=a%20b&l=1,2", "q=%E9", "", "a=1&"):
        assert fetched(asking, f"{web}/f?{query}#part")["result"]["body"]["path"] == f"/f?{query}"
    hop = fetched(asking, f"{web}/hop", allow_redirects=True, cookies={"c": ["1", "2"]})["result"]["body"]
    assert hop["path"] == "/echo?C=S;O=D&q=%E9&acl"
    assert hop["headers"]["Cookie"] == "c=2; c=1"
    assert fetched(asking, f"{web}/f?a=1", params={"a": [2, None, 3]})["result"]["body"]["path"] == "/f?a=1&a=2&a=3"


def test_headers_go_out_in_latin_1_repeated_and_without_nulls(asking: Server, web: str) -> None:
    headers = {"X-Word": "café", "X-Many": ["1", "2"], "X-None": None, "Accept": None, "Host": None}
    sent = fetched(asking, f"{web}/f", headers=headers, cookies={"a": "é", "b": None})["result"]["body"]["pairs"]
    assert ["X-Word", "café"] in sent
    assert [value for name, value in sent if name == "X-Many"] == ["1", "2"]
    assert ["Cookie", "a=é"] in sent
    assert not {"X-None", "Accept"}.intersection(name for name, _ in sent)


def test_an_answer_in_latin_1_is_read_and_shown(asking: Server, web: str) -> None:
    for page in ("latin", "odd"):
        ended = fetched(asking, f"{web}/{page}")
        assert ended["result"]["body"] == "café"
        with asking.output(ended["id"]) as stream:
            assert stream.rest() == "café".encode()


def test_a_body_makes_a_post_and_python_values_become_json(asking: Server, web: str) -> None:
    sent = fetched(asking, f"{web}/p", body='{"k": 1}')["result"]["body"]
    assert (sent["method"], sent["body"]) == ("POST", '{"k": 1}')
    kind = {"Content-Type": "application/json"}
    sent = fetched(asking, f"{web}/p", body="{'k': True}", headers=kind, method="PUT")["result"]["body"]
    assert (sent["method"], json.loads(sent["body"])) == ("PUT", {"k": True})


def test_a_file_is_uploaded(asking: Server, web: str) -> None:
    sent = fetched(asking, f"{web}/f", file_name="a.txt", file_content="inside", file_content_type="text/x")
    told = sent["result"]["body"]
    assert told["headers"]["Content-Type"].startswith("multipart/form-data")
    assert "inside" in told["body"]
    assert 'filename="a.txt"' in told["body"]


def test_basic_authentication_a_header_and_cookies_are_sent_and_masked(asking: Server, web: str) -> None:
    ended = fetched(
        asking, f"{web}/x", username="ada", password="very-secret", auth="x-auth-token=XYZ", cookies={"a": "b"}
    )
    told = {name.title(): value for name, value in ended["result"]["body"]["headers"].items()}
    assert told["X-Auth-Token"] == "XYZ"
    assert told["Cookie"] == "a=b"
    assert told["Authorization"].startswith("Basic ")
    assert "very-secret" not in json.dumps(ended)


def test_text_and_errors_of_the_server_are_results(asking: Server, web: str) -> None:
    result = fetched(asking, f"{web}/text")["result"]
    assert (result["body"], result["parsed"]) == ("plain text", False)
    ended = fetched(asking, f"{web}/status/500")
    assert (ended["status"], ended["result"]["status_code"], ended["result"]["body"]) == ("failed", 500, {"wrong": 1})


def test_redirects_are_followed_when_asked_for_and_end(asking: Server, web: str) -> None:
    assert fetched(asking, f"{web}/moved")["result"]["status_code"] == 302
    assert fetched(asking, f"{web}/moved", allow_redirects=True)["result"]["body"] == "plain text"
    ended = fetched(asking, f"{web}/loop", allow_redirects=True)
    assert ended["status"] == "failed"
    assert "20 redirects" in ended["result"]["error"]


def test_hosts_that_are_not_allowed_are_not_reached_by_redirects_either(asking: Server, web: str) -> None:
    for lists in ({"url_hosts_blacklist": ["localhost"]}, {"url_hosts_whitelist": ["127.0.0.1"]}):
        ended = fetched(asking, f"{web}/away", allow_redirects=True, **lists)
        assert ended["status"] == "failed"
        assert "localhost" in ended["result"]["error"]
    both = fetched(asking, web, url_hosts_blacklist=["a"], url_hosts_whitelist=["b"])
    assert "mutually exclusive" in both["result"]["error"]


def test_an_answer_that_is_cut_fails_with_what_came(asking: Server, web: str) -> None:
    ended = fetched(asking, f"{web}/cut")
    assert ended["status"] == "failed"
    assert ended["result"]["body"] == "the beginning"
    assert ended["result"]["status_code"] == 200
    assert ended["result"]["error"]


def test_an_answer_that_is_too_large_fails_with_what_came(asking: Server, web: str) -> None:
    ended = fetched(asking, f"{web}/big")
    assert ended["status"] == "failed"
    assert f"larger than {LIMIT} bytes" in ended["result"]["error"]
    assert len(ended["result"]["body"]) == LIMIT


def test_a_slow_answer_is_live_and_times_out_with_what_came(asking: Server, web: str) -> None:
    execution = asking.request("core.http", url=f"{web}/slow", timeout=2)
    with asking.stream(end_execution_id=execution, events=OUTPUT) as stream:
        assert next(iter(stream.events())).body["data"] == "first line\n"
    ended = asking.ended(execution)
    assert (ended["status"], ended["result"]["body"]) == ("timeout", "first line\n")
    assert "2 seconds" in ended["result"]["error"]


def test_nobody_there_is_one_error(asking: Server) -> None:
    ended = fetched(asking, "http://127.0.0.1:1/")
    assert (ended["status"], list(ended["result"])) == ("failed", ["error", "traceback"])
    assert "127.0.0.1:1" in ended["result"]["error"]


def test_a_proxy_that_cuts_is_an_error(asking: Server, web: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:

        def cut() -> None:
            taken, _ = proxy.accept()
            with taken:
                taken.recv(100)

        thread = threading.Thread(target=cut)
        thread.start()
        ended = fetched(asking, f"{web}/text", http_proxy=f"http://127.0.0.1:{proxy.getsockname()[1]}")
        thread.join()
    assert (ended["status"], list(ended["result"])) == ("failed", ["error", "traceback"])


def test_a_certificate_is_checked_unless_told_otherwise(asking: Server, tmp_path: Path) -> None:
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-keyout", str(key), "-out", str(cert), "-days", "2", "-subj", "/CN=127.0.0.1"]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with answering(context) as url:
        ended = fetched(asking, f"{url}/text")
        assert ended["status"] == "failed"
        assert "certificate" in ended["result"]["error"].lower()
        assert fetched(asking, f"{url}/text", verify_ssl_cert=False)["result"]["body"] == "plain text"


def test_canceling_ends_a_request(asking: Server, web: str) -> None:
    execution = asking.request("core.http", url=f"{web}/slow", timeout=60)
    with asking.stream(end_execution_id=execution, events=OUTPUT) as stream:
        next(iter(stream.events()))
    asking.call("DELETE", f"/v1/executions/{execution}")
    assert asking.ended(execution)["status"] == "canceled"
