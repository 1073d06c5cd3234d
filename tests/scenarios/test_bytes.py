"""Whatever an action prints: the journal keeps the bytes, text is decoded with replacement however it was cut."""

from __future__ import annotations

import json

import pytest
from tests.scenarios.live.server import OUTPUT, UPDATE, Server

PIECES: dict[str, list[bytes]] = {
    "a prompt without a newline": [b"Continue? [y/N] "],
    "a partial line, then its rest": [b"half", b" a line\n"],
    "a progress bar": [b"\r[#  ]", b"\r[## ]", b"\r[###]\n"],
    "carriage returns and newlines": [b"a\r\nb\r", b"\nc\n"],
    "only a newline": [b"\n"],
    "empty lines": [b"\n\n", b"\n\nx\n\n"],
    "NUL bytes": [b"a\0b\n", b"\0", b"\0\0\n"],
    "invalid UTF-8": [b"\xff\xfe bad \x80\n", b"\xc3", b"(\n"],
    "a character in two pieces": [b"\xe2\x82", b"\xac!\n"],
    "a character in four pieces": [b"\xf0", b"\x9f", b"\x8c", b"\xaa\n"],
    "a character that is never finished": [b"end \xe2\x82"],
    "a character broken off by another": [b"\xe2", b"\xe2\x82\xac\n"],
    "ANSI sequences": [b"\x1b[31mred\x1b[0", b"m\n\x1b[2J"],
    "separators JSON and SSE care about": [
        b'","\n"a"\\n\n',
        b"data: x\n\nid: 7\n\n",
        b"\xe2\x80\xa8\xc2\x85\x0b\x0c\n",
    ],
}


@pytest.mark.parametrize("name", PIECES)
def test_bytes_are_kept_and_text_is_decoded_with_replacement(server: Server, name: str) -> None:
    whole = b"".join(PIECES[name])
    text = whole.decode("utf-8", "replace")
    with server.puppet() as (execution, strings):
        with server.output(execution, format="raw") as live:
            for piece in PIECES[name]:
                strings.say(piece)
                # One at a time, so that each piece is a record of its own: a prompt shows at once.
                assert live.until(piece) == piece
            strings.end()
            assert live.rest() == b""
        server.ended(execution)
    with server.output(execution, format="raw") as stream:
        assert stream.rest() == whole
    with server.output(execution) as stream:
        assert stream.rest().decode() == text
    with server.output(execution, format="sse") as stream:
        assert "".join(event.body["data"] for event in stream.events() if event.name == OUTPUT) == text
    with server.output(execution, format="sse", raw_data="true") as stream:
        assert b"".join(event.raw for event in stream.events() if event.name == OUTPUT) == whole
    with server.output(execution, format="ndjson") as stream:
        assert "".join(json.loads(line)["data"] for line in stream.rest().splitlines()) == text
    events = server.tail(execution)
    assert "".join(event.body["data"] for event in events if event.name == OUTPUT) == text
    assert events[-1].body["result"]["stdout"] in (text, text.removesuffix("\n"), text.removesuffix("\r\n"))


def test_stdout_and_stderr_are_decoded_apart(server: Server) -> None:
    with server.puppet() as (execution, strings), server.output(execution, format="raw") as live:
        for piece, to in ((b"\xe2\x82", 1), (b"\xc3", 2), (b"\xac\n", 1), (b"\xa9\n", 2)):
            strings.say(piece, to)
            live.until(piece)
        strings.end()
        live.rest()
    for kind, text in (("stdout", "€\n"), ("stderr", "é\n")):
        with server.output(execution, type=kind) as stream:
            assert stream.rest().decode() == text
    with server.output(execution) as stream:
        assert sorted(stream.rest().decode()) == sorted("€\né\n")
    result = server.ended(execution)["result"]
    assert (result["stdout"], result["stderr"]) == ("€", "é")


def test_the_test_action_of_the_examples_pack_is_kept_byte_for_byte(server: Server) -> None:
    execution = server.request("examples.binary", pause=0)
    with server.output(execution, format="raw") as stream:
        live = stream.rest()
    with server.output(execution, format="raw") as stream:
        assert stream.rest() == live
    assert b"\0" in live
    with server.output(execution) as stream:
        text = stream.rest().decode()
    with server.output(execution, type="stdout", format="raw") as stream:
        stdout = stream.rest()
    with server.output(execution, type="stdout") as stream:
        assert stream.rest().decode() == stdout.decode("utf-8", "replace")
    assert "\N{REPLACEMENT CHARACTER}" in text


def test_thirty_megabytes_without_a_newline_pass(plain_server: Server) -> None:
    size = 30 << 20
    with (
        plain_server.puppet() as (execution, strings),
        plain_server.stream(end_execution_id=execution, events=f"{UPDATE},{OUTPUT}") as tail,
    ):
        strings.say(b"x" * 1024, times=size // 1024)
        strings.end()
        with plain_server.output(execution, format="raw") as stream:
            total = 0
            while data := stream.read():
                assert not data.strip(b"x")
                total += len(data)
            assert total == size
        received = 0
        for event in tail.events():
            received += len(event.body["data"]) if event.name == OUTPUT else 0
        assert received == size
    document = plain_server.ended(execution)
    assert document["status"] == "succeeded"
    result = document["result"]
    head, _, rest = result["stdout"].partition("\n[squall: ")
    tail = rest.partition("]\n")[2]
    assert len(head) + len(tail) + result["stdout_omitted"] == size


def test_a_background_process_that_keeps_the_pipe_open_does_not_hold_the_execution(plain_server: Server) -> None:
    execution = plain_server.request("examples.orphan", seconds=300)
    with plain_server.output(execution) as stream:
        text = stream.rest()
    assert text.startswith(b"left ")
    assert plain_server.get(f"/v1/executions/{execution}")["status"] == "succeeded"
