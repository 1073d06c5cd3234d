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
