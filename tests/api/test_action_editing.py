"""Actions that are made, changed, copied and removed over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.compat.golden.peer_pack import write_peer_pack
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import Server, serving

MADE: dict[str, Any] = {
    "name": "made",
    "pack": "peer",
    "runner_type": "local-shell-cmd",
    "description": "made over HTTP",
    "enabled": True,
    "entry_point": "",
    "parameters": {
        "cmd": {"default": "echo {{word}}", "immutable": True},
        "word": {"type": "string", "required": True, "position": 0},
    },
    "tags": [{"name": "color", "value": "red"}],
}


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("editing")
    write_peer_pack(home / "packs")
    with serving(home, home / "packs", env=QUICK) as server:
        yield server


def run(peer: Server, action: str, **parameters: Any) -> Any:
    return peer.ended(peer.request(action, **parameters))["result"]


def test_an_action_is_made_run_changed_and_removed_and_registering_leaves_it(peer: Server) -> None:
    made = peer.call("POST", "/v1/actions", MADE)
    assert (made.status, made.json["ref"], made.json["metadata_file"]) == (201, "peer.made", "")
    again = peer.call("POST", "/v1/actions", MADE)
    assert (again.status, again.json["conflict-id"]) == (409, made.json["id"])
    assert run(peer, "peer.made", word="hey")["stdout"] == "hey"
    assert peer.call("POST", "/v1/packs/register", {"packs": ["peer"]}).status == 200
    assert peer.get("/v1/actions/peer.made")["id"] == made.json["id"]
    off = peer.call("PUT", "/v1/actions/peer.made", {**MADE, "enabled": False})
    assert (off.status, off.json["enabled"]) == (200, False)
    assert peer.call("POST", "/v1/executions", {"action": "peer.made", "parameters": {"word": "x"}}).status == 400
    renamed = peer.call("PUT", f"/v1/actions/{made.json['id']}", {**MADE, "name": "renamed"})
    assert (renamed.json["ref"], renamed.json["id"]) == ("peer.renamed", made.json["id"])
    assert peer.call("GET", "/v1/actions/peer.made").status == 404
    assert peer.call("DELETE", "/v1/actions/peer.renamed").status == 204
    assert peer.call("DELETE", "/v1/actions/peer.renamed").status == 404


def test_an_action_brings_its_files_and_takes_them_away(peer: Server, tmp_path: Path) -> None:
    files = [{"file_path": "withfile.sh", "content": "#!/bin/sh\necho file\n"}]
    body = {"name": "withfile", "runner_type": "local-shell-script", "entry_point": "withfile.sh", "data_files": files}
    for pack in ("peer", "default"):
        made = peer.call("POST", "/v1/actions", {**body, **({"pack": pack} if pack != "default" else {})})
        assert (made.status, made.json["ref"]) == (201, f"{pack}.withfile")
        assert run(peer, f"{pack}.withfile")["stdout"] == "file"
        path = Path(peer.get(f"/v1/packs/{pack}")["path"]) / "actions" / "withfile.sh"
        assert path.exists()
        assert peer.call("DELETE", f"/v1/actions/{pack}.withfile", {"remove_files": True}).status == 204
        assert not path.exists()


def test_an_action_is_copied_with_its_files(peer: Server) -> None:
    where = {"dest_pack": "peer", "dest_action": "cloned"}
    made = peer.call("POST", "/v1/actions/peer.script/clone", where)
    assert (made.status, made.json["metadata_file"], made.json["entry_point"]) == (
        201,
        "actions/cloned.yaml",
        "cloned.sh",
    )
    assert run(peer, "peer.cloned") == run(peer, "peer.script")
    assert peer.call("POST", "/v1/packs/register", {"packs": ["peer"]}).status == 200
    assert peer.get("/v1/actions/peer.cloned")["id"] == made.json["id"]
    again = peer.call("POST", "/v1/actions/peer.script/clone", where)
    assert (again.status, again.fault) == (400, "The requested destination action already exists")
    assert peer.call("POST", "/v1/actions/peer.script/clone", {**where, "overwrite": True}).status == 201
    missing = peer.call("POST", "/v1/actions/peer.script/clone", {**where, "dest_pack": "nosuch"})
    assert (missing.status, missing.fault) == (400, "Destination pack 'nosuch' doesn't exist")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": None}, "'name' is a required property"),
        ({"runner_type": None}, "'runner_type' is a required property"),
        ({"runner_type": "nosuch"}, "RunnerType nosuch is not found."),
        ({"pack": "nosuch"}, 'Content pack "nosuch" is not found'),
        ({"bogus": 1}, "Additional properties are not allowed ('bogus' was unexpected)"),
        ({"enabled": "maybe"}, "'maybe' is not of type 'boolean'"),
        ({"parameters": {"a": {"type": "nosuch"}}}, "parameters.a.type: 'nosuch' is none of"),
        ({"parameters": {"sudo": {"type": "string"}}}, 'The attribute "type" for the runner parameter "sudo"'),
        ({"pack": "core"}, "Resources belonging to system level packs can't be manipulated"),
        ({"data_files": [{"file_path": "../../x", "content": ""}]}, "Invalid file path"),
        ({"data_files": "x"}, "data_files: expected a list"),
        ({"pack": "examples", "data_files": [{"file_path": "x", "content": ""}]}, "comes with Squall"),
    ],
)
def test_a_wrong_action_is_told_and_nothing_is_made(peer: Server, changes: dict[str, Any], told: str) -> None:
    reply = peer.call("POST", "/v1/actions", {**MADE, "name": "wrong", **changes})
    assert reply.status == 400
    assert told in reply.fault
    assert peer.get("/v1/actions", name="wrong") == []


def test_what_comes_with_squall_is_not_changed(peer: Server) -> None:
    assert peer.call("DELETE", "/v1/actions/core.local").status == 400
    noop = {"name": "noop", "pack": "core", "runner_type": "noop"}
    assert peer.call("PUT", "/v1/actions/core.noop", noop).status == 400
    assert peer.call("PUT", "/v1/actions/peer.nosuch", MADE).status == 404


def test_the_command_line_makes_and_removes_actions(peer: Server, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\nrunner_type: local-shell-script\nentry_point: mine.sh\n")
    (tmp_path / "mine.sh").write_text("#!/bin/sh\necho mine\n")
    made = peer.squall("action", "create", str(tmp_path / "mine.yaml"), "--pack", "peer")
    assert (made.status, made.out) == (0, b"peer.mine\n"), made
    assert run(peer, "peer.mine")["stdout"] == "mine"
    assert peer.squall("action", "create", str(tmp_path / "mine.yaml"), "--pack", "peer").status == 2
    assert peer.squall("action", "create", str(tmp_path / "mine.yaml"), "--pack", "peer", "--replace").status == 0
    assert peer.squall("action", "delete", "peer.mine", "--remove-files").status == 0
    assert peer.squall("action", "delete", "peer.mine").status == 2


def test_editors_are_given_schemas(peer: Server) -> None:
    assert peer.get("/schemas/action.json")["required"] == ["name", "runner_type"]
    assert {"url": "/schemas/pack.json", "files": ["pack.yaml"]} in peer.get("/schemas")
    assert peer.call("GET", "/schemas/nosuch.json").status == 404
