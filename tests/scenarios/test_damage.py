"""Damaged and missing output of a real server: nobody takes it for an action that has printed nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.scenarios.live.fixtures import QUICK, packs
from tests.scenarios.live.server import Server, serving

__all__ = ["packs"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, packs: Path) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("damage"), packs, env=QUICK) as made:
        yield made


def flip(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])


DAMAGES: dict[str, Callable[[Path], object]] = {
    "flipped": flip,
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "gone": Path.unlink,
}


@pytest.mark.parametrize("damage", list(DAMAGES))
def test_damage_of_a_whole_journal_is_told_in_every_form(server: Server, damage: str) -> None:
    execution = server.shell("seq 20; echo oops >&2")
    server.ended(execution)
    DAMAGES[damage](server.data_dir / "journals" / execution[:5] / f"{execution}.journal")
    with server.output(execution, format="text") as stream:
        text = stream.rest()
    assert b"51 bytes of stdout are damaged or missing" in text
    assert b"5 bytes of stderr are damaged or missing" in text
    with server.output(execution, format="ndjson") as stream:
        gaps = [json.loads(line)["gap"] for line in stream.rest().splitlines()]
    assert [(gap["reason"], gap["output_type"], gap["bytes"]) for gap in gaps] == [
        ("damage", "stdout", 51), ("damage", "stderr", 5),
    ]  # fmt: skip
    with server.output(execution, format="sse") as stream:
        assert stream.rest().count(b"event: gap") == 2
    with server.stream(end_execution_id=execution, events="st2.execution.output__create") as stream:
        assert b"51 bytes of stdout are damaged or missing" in stream.rest()
    page = server.get(f"/v1/executions/{execution}/output/rows")
    assert [(gap["output_type"], gap["bytes"]) for gap in page["gaps"]] == [("stdout", 51), ("stderr", 5)]
    assert server.get(f"/v1/executions/{execution}/output/stats")["gaps"]["bytes"] == 56
    ran = server.squall("output", "verify", execution)
    assert ran.status == 1
    assert b"51 bytes of stdout" in ran.err and b"5 bytes of stderr" in ran.err
    ran = server.squall("output", "verify", "--all")
    assert ran.status == 1 and execution.encode() in ran.out
