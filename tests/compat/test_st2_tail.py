"""`st2 execution tail` of the official client: attached late it shows all lines, and those of children."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from tests.scenarios.live.server import Ran, Server, read_line
from tests.scenarios.live.wire import PATIENCE

St2 = Callable[..., Ran]
SpawnSt2 = Callable[..., AbstractContextManager["subprocess.Popen[bytes]"]]


def lines_until(process: subprocess.Popen[bytes], wanted: str) -> list[str]:
    """The lines up to and with the first that holds `wanted`."""
    assert process.stdout is not None
    found: list[str] = []
    while not found or wanted not in found[-1]:
        line = read_line(process.stdout)
        assert line, f"the client ended without {wanted!r}: {found}"
        found.append(line.decode().rstrip("\n"))
    return found


def test_attached_late_it_shows_what_was_printed_before(server: Server, spawn_st2: SpawnSt2) -> None:
    with server.puppet() as (execution, strings):
        with server.output(execution) as stream:
            strings.say(b"old 1\nold 2\n")
            stream.until(b"old 2\n")
        with spawn_st2(server, "execution", "tail", execution) as process:
            assert lines_until(process, "old 2")[-2:] == ["old 1", "old 2"]
            # Each line shows when it is printed, not with the one behind it.
            for number in range(3):
                strings.say(b"new %d\n" % number)
                assert lines_until(process, f"new {number}") == [f"new {number}"]
            strings.end()
            assert "status=succeeded" in lines_until(process, "has completed")[-1]
            assert process.wait(PATIENCE) == 0


def test_a_finished_execution_is_printed_whole(plain_server: Server, st2: St2) -> None:
    execution = plain_server.shell("printf 'one\\ntwo\\nthree'; exit 1")
    plain_server.ended(execution)
    text = st2(plain_server, "execution", "tail", execution).out.decode()
    assert "one\ntwo\nthree" in text
    assert "has completed (status=failed)" in text


def test_the_last_execution_is_found(plain_server: Server, st2: St2) -> None:
    plain_server.ended(plain_server.shell("echo the very last"))
    assert b"the very last" in st2(plain_server, "execution", "tail", "last").out


@pytest.mark.parametrize(("kind", "shown", "hidden"), [("stdout", "to out", "to err"), ("stderr", "to err", "to out")])
def test_types_are_told_apart(
    plain_server: Server, st2: St2, spawn_st2: SpawnSt2, kind: str, shown: str, hidden: str
) -> None:
    with plain_server.puppet() as (execution, strings):
        with plain_server.output(execution) as stream:
            for to, line in ((1, b"to out\n"), (2, b"to err\n")):
                strings.say(line, to)
                stream.until(line)
        with spawn_st2(plain_server, "execution", "tail", execution, "--type", kind) as process:
            lines_until(process, shown)
            strings.end()
            assert hidden not in "".join(lines_until(process, "has completed"))
    plain_server.ended(execution)
    text = st2(plain_server, "execution", "tail", execution, "--type", kind).out.decode()
    assert shown in text
    assert hidden not in text


def test_metadata_stands_before_each_line(plain_server: Server, spawn_st2: SpawnSt2) -> None:
    with plain_server.puppet() as (execution, strings):
        strings.say(b"told\n")
        with spawn_st2(plain_server, "execution", "tail", execution, "--include-metadata") as process:
            line = lines_until(process, "told")[-1]
            assert line.startswith("[20")
            assert line.endswith("[stdout] told")
            strings.end()
            lines_until(process, "has completed")


def test_lines_of_children_and_their_children_are_shown(plain_server: Server, spawn_st2: SpawnSt2) -> None:
    context = {"orquesta": {"task_name": "build"}}
    with plain_server.puppet() as (top, strings), plain_server.output(top) as stream:
        strings.say(b"top\n")
        stream.until(b"top\n")
        body = {"action": "core.local", "parameters": {"cmd": "echo early child"}}
        early = {**body, "context": {"parent": {"execution_id": top}, **context}}
        plain_server.ended(plain_server.call("POST", "/v1/executions", early).json["id"])
        with spawn_st2(plain_server, "execution", "tail", top) as process:
            seen = lines_until(process, "early child")
            assert seen.index("top") < seen.index("early child")
            with plain_server.puppet(parent=top) as (child, below):
                below.say(b"late child\n")
                lines_until(process, "late child")
                plain_server.ended(plain_server.shell("echo grandchild", parent=child))
                lines_until(process, "grandchild")
            strings.say(b"top again\n")
            lines_until(process, "top again")
            strings.end()
            assert f"{top}" in lines_until(process, f"Execution {top} has completed")[-1]
            assert process.wait(PATIENCE) == 0


def test_the_tail_of_a_child_goes_on_to_that_childs_own_end(plain_server: Server, spawn_st2: SpawnSt2) -> None:
    with plain_server.puppet() as (top, strings), plain_server.output(top) as stream:
        strings.say(b"top\n")
        stream.until(b"top\n")
        with plain_server.puppet(parent=top) as (child, below):
            below.say(b"child\n")
            stream.until(b"child\n")
            with spawn_st2(plain_server, "execution", "tail", child) as process:
                lines_until(process, "child")
                # The client does not show what it did not know of when it came, but its end must not end it.
                plain_server.ended(plain_server.shell("echo grandchild", parent=child))
                below.say(b"after its child\n")
                lines_until(process, "after its child")
                below.end()
                assert child in lines_until(process, "has finished")[-1]
                assert process.wait(PATIENCE) == 0
