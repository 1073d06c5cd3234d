"""What goes over the wire: chunks, headers, and curl."""

from __future__ import annotations

import shutil
import socket
import subprocess

import pytest
from tests.scenarios.live.server import Server, read_line
from tests.scenarios.live.wire import PATIENCE

STREAMS = [
    "/v1/executions/{id}/output",
    "/v1/executions/{id}/output?format=raw",
    "/v1/executions/{id}/output?format=ndjson",
    "/v1/executions/{id}/output?format=sse",
    "/stream/v1/executions/{id}/output",
    "/stream/v1/stream",
    "/stream/v1/stream?end_execution_id={id}",
]


def raw_answer(server: Server, path: str, until: bytes) -> tuple[bytes, bytes]:
    """The head of an answer, and its body as it is on the wire up to `until`."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as sock:
        sock.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path.encode())
        got = b""
        while b"\r\n\r\n" not in got or until not in got.partition(b"\r\n\r\n")[2]:
            data = sock.recv(65536)
            assert data, got
            got += data
    head, _, body = got.partition(b"\r\n\r\n")
    return head.lower(), body


@pytest.mark.parametrize("path", STREAMS)
def test_streams_are_chunked_and_no_proxy_may_hold_them_back(plain_server: Server, path: str) -> None:
    with plain_server.puppet() as (execution, strings):
        strings.say(b"x\n")
        plain_server.running(execution)
        head, _ = raw_answer(plain_server, path.format(id=execution), b"")
        assert head.startswith(b"http/1.1 200")
        assert b"transfer-encoding: chunked" in head
        assert b"x-accel-buffering: no" in head
        assert b"cache-control: no-cache" in head
        assert b"content-length" not in head
        kind = b"text/event-stream" if "stream" in path or "sse" in path else b""
        assert kind in head


def test_the_first_byte_of_an_event_stream_is_a_newline_of_its_own(plain_server: Server) -> None:
    _, body = raw_answer(plain_server, "/stream/v1/stream", b"\n\r\n")
    assert body.startswith(b"1\r\n\n\r\n")


@pytest.mark.parametrize("prefix", ["/stream/v1/stream", "/stream", "/v1/stream", "/api/v1/stream", "/stream/v1"])
def test_the_stream_is_found_under_every_prefix_that_clients_use(plain_server: Server, prefix: str) -> None:
    head, _ = raw_answer(plain_server, prefix, b"\n")
    assert b"text/event-stream" in head


@pytest.mark.parametrize("prefix", ["/v1", "/api/v1", "/api", ""])
@pytest.mark.parametrize("slash", ["", "/"])
def test_the_api_is_found_under_every_prefix_with_and_without_a_slash(
    plain_server: Server, prefix: str, slash: str
) -> None:
    assert plain_server.get(f"{prefix}/actions/core.local{slash}")["ref"] == "core.local"
    assert isinstance(plain_server.get(f"{prefix}/executions{slash}", limit=1), list)


def test_the_output_event_stream_ends_with_eof(plain_server: Server) -> None:
    execution = plain_server.shell("echo x")
    with plain_server.output(execution, format="sse") as stream:
        whole = stream.rest()
    assert whole.endswith(b"\n\nevent: EOF\ndata: ''\n\n")
    assert whole.startswith(b"\nid: ")


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
def test_curl_prints_lines_as_they_come_and_ends_with_the_execution(plain_server: Server) -> None:
    with plain_server.puppet() as (execution, strings):
        url = f"{plain_server.url}/v1/executions/{execution}/output"
        curl = subprocess.Popen(["curl", "-sN", url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        with curl:
            try:
                assert curl.stdout is not None
                for number in range(3):
                    strings.say(b"line %d\n" % number)
                    assert read_line(curl.stdout) == b"line %d\n" % number
                strings.end()
                assert read_line(curl.stdout) == b""
                assert curl.wait(PATIENCE) == 0
            finally:
                curl.kill()


def conversation(server: Server, request: str) -> tuple[bytes, bytes]:
    """The head and the body of the answer to a whole request, up to where the server closes the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as sock:
        sock.sendall(request.encode() + b"\r\nHost: localhost\r\n\r\n")
        got = b"".join(iter(lambda: sock.recv(65536), b""))
    head, _, body = got.partition(b"\r\n\r\n")
    return head.lower(), body


@pytest.mark.parametrize("path", STREAMS[:5])
def test_a_client_of_http_1_0_gets_the_body_as_it_is_live_and_ended_by_closing(plain_server: Server, path: str) -> None:
    with plain_server.puppet() as (execution, strings):
        plain_server.running(execution)
        with socket.create_connection(("127.0.0.1", plain_server.port), timeout=PATIENCE) as sock:
            sock.sendall(f"GET {path.format(id=execution)} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            got = b""
            for word in (b"first", b"second"):
                strings.say(word + b"\n")
                while word not in got:
                    data = sock.recv(65536)
                    assert data, got
                    got += data
            strings.end()
            got += b"".join(iter(lambda: sock.recv(65536), b""))
    head, _, body = got.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert b"connection: close" in head.lower()
    # Each chunk would have lines that end so.
    assert b"\r\n" not in body
    assert path not in STREAMS[:2] or body == b"first\nsecond\n"


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/v1/executions", "/v1/executions/{id}", *STREAMS])
def test_head_gets_what_get_would_say_before_its_body(plain_server: Server, path: str) -> None:
    with plain_server.puppet() as (execution, strings):
        strings.say(b"x\n")
        plain_server.running(execution)
        asked = path.format(id=execution)
        head, body = conversation(plain_server, f"HEAD {asked} HTTP/1.1\r\nConnection: close")
        assert body == b""
        expected, _ = raw_answer(plain_server, asked, b"")
        hidden = [b"x-request-id", b"transfer-encoding", b"connection"]
        if path.startswith("/v1"):
            # An execution that runs may say more in the next answer.
            hidden.append(b"content-length")
        lines = [
            [line for line in each.split(b"\r\n") if not line.startswith(tuple(hidden))] for each in (head, expected)
        ]
        assert lines[0] == lines[1]


def test_options_and_methods_that_a_path_lacks_name_those_it_has(plain_server: Server) -> None:
    assert conversation(plain_server, "OPTIONS /v1/actions HTTP/1.0")[0].startswith(b"http/1.1 204")
    head, body = conversation(plain_server, "PATCH /v1/actions HTTP/1.0")
    assert head.startswith(b"http/1.1 405")
    assert b"\r\nallow: get, head, options, post\r\n" in head
    assert b"faultstring" in body
