from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from squall.client.http import Client, MissingError, NoServerError
from squall.core import errors


def answering(status: int, document: Any) -> Callable[[Any, Any], bool]:
    def respond(request: Any, peer: Any) -> bool:
        peer.answer(status, document)
        return True

    return respond


def dropping(request: Any, peer: Any) -> bool:
    return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.InvalidError),
        (401, errors.UnauthorizedError),
        (403, errors.ForbiddenError),
        (404, MissingError),
        (409, errors.ConflictError),
        (413, errors.TooLargeError),
        (415, errors.UnsupportedMediaError),
        (422, errors.InvalidError),
        (500, errors.SquallError),
        (503, errors.UnavailableError),
    ],
)
def test_an_error_becomes_the_class_of_its_status_with_the_servers_words(
    fake: ModuleType, status: int, kind: type[errors.SquallError]
) -> None:
    with fake.ScriptedServer(answering(status, {"faultstring": "no such thing"})) as server:
        client = Client(server.url)
        with pytest.raises(errors.SquallError, match=r"^no such thing$") as caught:
            client.request("GET", "/actions")
        client.close()
    assert type(caught.value) is kind


def test_an_error_without_json_is_told_by_its_status_line(fake: ModuleType) -> None:
    with fake.ScriptedServer(answering(502, b"<html>")) as server:
        client = Client(server.url)
        with pytest.raises(errors.UnavailableError, match="502 Some Words"):
            client.request("GET", "/actions")
        client.close()


def test_an_answer_that_is_no_json_is_an_error(fake: ModuleType) -> None:
    with fake.ScriptedServer(answering(200, b"<html>")) as server:
        client = Client(server.url)
        with pytest.raises(errors.SquallError, match="is not JSON"):
            client.request("GET", "/actions")
        client.close()


def test_a_web_page_instead_of_an_error_or_of_output_is_told_in_a_sentence(fake: ModuleType) -> None:
    def page(request: Any, peer: Any) -> bool:
        peer.answer(200, b"<html>", "Content-Type: text/html; charset=utf-8\r\n")
        return True

    with fake.ScriptedServer(answering(403, b"<html>"), answering(302, b""), page) as server:
        client = Client(server.url)
        with pytest.raises(errors.ForbiddenError, match="403 Some Words, and the body is not JSON: a proxy"):
            client.request("GET", "/actions")
        with pytest.raises(errors.SquallError, match="302 Some Words: the address has moved, or a proxy requires"):
            client.request("GET", "/actions")
        with pytest.raises(errors.SquallError, match="the answer is a web page instead of output"):
            client.stream("/executions/x/output")
        client.close()


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", "cut in the middle of an answer"),
        (b"SSH-2.0-OpenSSH\r\n", "does not speak HTTP"),
        (b"", "closed the connection without an answer"),
    ],
)
def test_a_broken_answer_is_told_without_names_of_python(fake: ModuleType, sent: bytes, message: str) -> None:
    def broken(request: Any, peer: Any) -> bool:
        peer.send(sent)
        return False

    with fake.ScriptedServer(broken) as server, pytest.raises(NoServerError, match=message):
        Client(server.url).request("GET", "/actions")


def test_a_server_without_tls_is_told_without_names_of_python() -> None:
    def answer(listener: socket.socket) -> None:
        peer, _ = listener.accept()
        peer.recv(4096)
        peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        peer.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        with pytest.raises(NoServerError) as caught:
            Client(f"https://127.0.0.1:{listener.getsockname()[1]}").request("GET", "/actions")
        thread.join()
    assert "no secure connection to https://" in str(caught.value) and "_ssl" not in str(caught.value)


@pytest.mark.parametrize("token", ["a\nb", "schlüssel"])
def test_a_token_that_cannot_be_sent_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(errors.InvalidError, match="X-Auth-Token") as caught:
        Client("http://127.0.0.1:1", credentials={"X-Auth-Token": token})
    assert token not in str(caught.value)


def test_a_document_without_an_expected_key_is_told_in_a_sentence(fake: ModuleType) -> None:
    with fake.ScriptedServer(answering(200, {"a": {}})) as server:
        client = Client(server.url)
        document = client.request("GET", "/actions").body
        client.close()
    assert document == {"a": {}} and document.get("b") is None
    with pytest.raises(errors.SquallError, match='the answer has no "id": is there a Squall server'):
        document["a"]["id"]


def test_a_request_carries_path_query_and_body(fake: ModuleType) -> None:
    with fake.ScriptedServer(answering(201, {"id": "x"})) as server:
        client = Client(server.url + "/api/v1/")
        answer = client.request("POST", "/executions", query={"a": "b c", "none": None, "n": 3}, body={"ä": 1})
        client.close()
        request = server.requests[0]
    assert answer.body == {"id": "x"} and answer.status == 201
    assert (request.method, request.path) == ("POST", "/api/v1/executions")
    assert request.query == {"a": "b c", "n": "3"}
    assert request.body == {"ä": 1}
    assert request.headers["content-type"] == "application/json"
    assert request.headers["host"] == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
def test_an_address_may_end_with_v1(fake: ModuleType, suffix: str) -> None:
    with fake.ScriptedServer(answering(200, [])) as server:
        client = Client(server.url + suffix)
        client.request("GET", "/actions")
        client.close()
    assert server.requests[0].path == "/v1/actions"


def test_requests_share_one_connection(fake: ModuleType) -> None:
    with fake.ScriptedServer(answering(200, [])) as server:
        client = Client(server.url)
        for _ in range(3):
            client.request("GET", "/actions")
        client.close()
    assert server.connections == 1


def test_a_get_survives_that_the_server_closed_the_idle_connection(fake: ModuleType) -> None:
    with fake.ScriptedServer(answering(200, []), dropping, answering(200, [1])) as server:
        client = Client(server.url)
        client.request("GET", "/actions")
        assert client.request("GET", "/actions").body == [1]
        client.close()


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_what_changes_something_is_never_sent_twice(fake: ModuleType, method: str) -> None:
    with fake.ScriptedServer(answering(200, []), dropping) as server:
        client = Client(server.url)
        client.request("GET", "/actions")
        with pytest.raises(NoServerError):
            client.request(method, "/executions", body={})
        client.close()
    assert [request.method for request in server.requests] == ["GET", method]


def test_a_refused_connection_is_told_as_such() -> None:
    client = Client(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(NoServerError, match="no server answers at http") as caught:
        client.request("GET", "/actions")
    assert caught.value.refused and isinstance(caught.value, errors.UnavailableError)


def test_a_server_that_never_answers_is_told_after_the_timeout(fake: ModuleType) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = Client(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=0.05)
        with pytest.raises(NoServerError, match="silent") as caught:
            client.request("GET", "/actions")
    assert not caught.value.refused


@pytest.mark.parametrize("url", ["127.0.0.1:9101", "ftp://x", "http://", "http://host:port"])
def test_a_wrong_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(errors.InvalidError):
        Client(url)


def test_a_stream_gives_chunks_as_they_come_and_ends_properly(fake: ModuleType) -> None:
    def respond(request: Any, peer: Any) -> bool:
        peer.begin_stream()
        peer.chunk(b"one")
        peer.chunk(b"two")
        peer.end_stream()
        return True

    with fake.ScriptedServer(respond) as server, Client(server.url).stream("/s", last_event_id="f-7") as stream:
        assert [stream.read(), stream.read(), stream.read()] == [b"one", b"two", b""]
        assert server.requests[0].headers["last-event-id"] == "f-7"


@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize("last", [b"5\r\nwhole\r\n", b"ff\r\nhalf", b"5\r\nwhole\r\nf"])
def test_a_stream_that_is_cut_is_an_error_and_no_end(fake: ModuleType, reset: bool, last: bytes) -> None:
    def respond(request: Any, peer: Any) -> bool:
        peer.begin_stream()
        peer.send(last)
        if reset:
            peer.reset()
        return False

    with fake.ScriptedServer(respond) as server, Client(server.url).stream("/s") as stream:
        assert stream.read() in (b"whole", b"half")
        with pytest.raises(NoServerError):
            stream.read()


def test_a_silent_stream_is_a_lost_one(fake: ModuleType) -> None:
    def respond(request: Any, peer: Any) -> bool:
        peer.begin_stream()
        return peer.read_request() is not None

    with (
        fake.ScriptedServer(respond) as server,
        Client(server.url).stream("/s", silence=0.05) as stream,
        pytest.raises(NoServerError, match="silent"),
    ):
        stream.read()


def test_a_refused_stream_is_told_with_the_servers_words(fake: ModuleType) -> None:
    with (
        fake.ScriptedServer(answering(404, {"faultstring": "unknown execution"})) as server,
        pytest.raises(errors.NotFoundError, match="unknown execution"),
    ):
        Client(server.url).stream("/s")


def test_a_trace_tells_every_exchange(fake: ModuleType) -> None:
    told: list[str] = []
    with fake.ScriptedServer(answering(200, [])) as server:
        client = Client(server.url, trace=told.append)
        client.request("GET", "/actions")
        client.close()
    assert told[0].startswith("GET /v1/actions -> 200 in ")
