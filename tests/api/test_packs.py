"""Packs over HTTP: listed, shown, their files and configurations, and what is found when they are looked for again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.compat.golden.peer_pack import write_peer_pack
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import Server, serving

SCHEMA = "region: {type: string, default: eu}\napi_token: {type: string, secret: true}\n"


@pytest.fixture
def packs(tmp_path: Path) -> Path:
    folder = tmp_path / "packs"
    write_peer_pack(folder)
    (folder / "peer" / "config.schema.yaml").write_text(SCHEMA)
    (folder / "peer" / "icon.png").write_bytes(b"\x89PNG\r\n")
    return folder


@pytest.fixture
def peer(tmp_path: Path, packs: Path) -> Iterator[Server]:
    home = tmp_path / "home"
    (home / "data" / "configs").mkdir(parents=True)
    (home / "data" / "configs" / "peer.yaml").write_text("region: us\napi_token: tok123\n")
    with serving(home, packs, env=QUICK) as server:
        yield server


def test_packs_are_listed_and_shown_with_their_files(peer: Server, packs: Path) -> None:
    refs = [pack["ref"] for pack in peer.get("/v1/packs")]
    assert {"core", "examples", "peer"} <= set(refs)
    assert peer.get("/v1/packs", name="peer", include_attributes="ref,version")[0].keys() == {"ref", "version", "id"}
    shown = peer.get("/v1/packs/peer")
    assert peer.get(f"/v1/packs/{shown['id']}") == shown
    assert (shown["version"], shown["path"]) == ("1.0.0", str(packs / "peer"))
    assert {"pack.yaml", "actions/script.sh", "icon.png"} <= set(shown["files"])
    missing = peer.call("GET", "/v1/packs/nosuch")
    assert (missing.status, missing.fault) == (404, 'Resource with a ref or id "nosuch" not found')


def test_files_of_a_pack_are_read_and_none_beside_it(peer: Server, packs: Path) -> None:
    assert peer.call("GET", "/v1/packs/views/file/peer/actions/script.sh").raw.startswith(b"#!/bin/sh")
    assert peer.call("GET", "/v1/packs/views/file/peer/icon.png").raw == b"\x89PNG\r\n"
    every = {file["file_path"]: file["content"] for file in peer.get("/v1/packs/views/files/peer")}
    assert every["pack.yaml"] == (packs / "peer" / "pack.yaml").read_text()
    assert "icon.png" not in every
    (packs / "peer" / "way_out").symlink_to("/etc/passwd")
    for name, status in (
        ("nosuch.txt", 404), ("..%2F..%2Fhome%2Fdata%2Fsecret.key", 400), ("way_out", 400), ("%2Fetc%2Fpasswd", 400)
    ):  # fmt: skip
        assert peer.call("GET", f"/v1/packs/views/file/peer/{name}").status == status, name


def test_configurations_are_shown_and_their_secrets_are_not(peer: Server) -> None:
    assert peer.get("/v1/config_schemas/peer")["attributes"]["api_token"] == {"type": "string", "secret": True}
    assert [schema["pack"] for schema in peer.get("/v1/config_schemas")] == ["packs", "peer"]
    assert peer.get("/v1/configs/peer")["values"] == {"region": "us", "api_token": "********"}
    assert peer.get("/v1/configs", show_secrets="true")[0]["values"]["api_token"] == "tok123"
    none = peer.call("GET", "/v1/configs/core")
    assert (none.status, none.fault) == (404, 'Unable to identify resource with pack_ref "core".')


def test_what_has_changed_in_the_folders_counts_once_they_are_looked_at_again(peer: Server, packs: Path) -> None:
    (packs / "peer" / "actions" / "added.yaml").write_text("name: added\nrunner_type: noop\n")
    (packs / "peer" / "actions" / "out_json.yaml").unlink()
    assert peer.call("POST", "/v1/executions", {"action": "peer.added"}).status == 400
    found = peer.call("POST", "/v1/packs/register", {"packs": ["peer"], "types": ["actions", "policies"]}).json
    assert (found["actions"], found["policies"]) == (7, 1)
    assert peer.ended(peer.call("POST", "/v1/executions", {"action": "peer.added"}).json["id"])["status"] == "succeeded"
    assert peer.call("GET", "/v1/actions/peer.out_json").status == 404
    assert (
        peer.call("POST", "/v1/packs/register", {"packs": ["peer"]}).json
        == peer.call("POST", "/v1/packs/register", {"packs": ["peer"]}).json
    )


@pytest.mark.parametrize(
    ("body", "told"),
    [({"packs": ["nosuch"]}, 'Pack "nosuch" not found on disk'), ({"types": ["bogus"]}, "'bogus' is not one of"),
     ({"packs": "peer"}, "packs"), ({"packs": [5]}, "packs"), ({"types": {}}, "types")],
)  # fmt: skip
def test_a_mistake_is_told(peer: Server, body: dict[str, Any], told: str) -> None:
    reply = peer.call("POST", "/v1/packs/register", body)
    assert reply.status == 400
    assert told in reply.fault


def test_a_broken_action_is_told_and_stops_no_other(peer: Server, packs: Path) -> None:
    (packs / "peer" / "actions" / "broken.yaml").write_text("name: broken\nrunner_type: nosuch\n")
    doubtful = "parameters:\n  n: {type: integer, default: many}\n"
    (packs / "peer" / "actions" / "added.yaml").write_text(f"name: added\nrunner_type: noop\n{doubtful}")
    reply = peer.call("POST", "/v1/packs/register", {"packs": ["peer"]})
    assert reply.status == 400
    assert "broken.yaml" in reply.fault
    assert "nosuch" in reply.fault
    assert "added.yaml:4: parameters.n.default: 'many' is not of type 'integer'" in reply.fault
    assert peer.get("/v1/actions/peer.added")["name"] == "added"
    assert peer.call("POST", "/v1/packs/register", {"packs": ["peer"], "fail_on_failure": False}).status == 200


def test_what_is_hardly_meant_as_it_is_is_a_warning_and_our_own_command_shows_it(peer: Server, packs: Path) -> None:
    (packs / "peer" / "rules").mkdir(exist_ok=True)
    rule = "name: r\ntrigger: {type: core.st2.webhook, parameters: {url: u}}\naction:\n  ref: core.noop\n  params: {}\n"
    (packs / "peer" / "rules" / "r.yaml").write_text(rule)
    reply = peer.call("POST", "/v1/packs/register", {"packs": ["peer"], "types": ["rules"]}).json
    fault = f'{packs}/peer/rules/r.yaml:5: action.params: this word is not known here; did you mean "parameters"?'
    assert (reply["rules"], reply["warnings"]) == (len(list((packs / "peer" / "rules").iterdir())), [f"peer: {fault}"])
    assert "warnings" not in peer.call("POST", "/v1/packs/register", {"packs": ["core"]}).json
    shown = peer.squall("pack", "register", "peer")
    assert (shown.status, f"warning: peer: {fault}\n".encode() in shown.err) == (0, True)
    assert b"warnings" not in shown.out


def test_our_own_command_lists_shows_and_registers(peer: Server) -> None:
    assert b"peer" in peer.squall("pack", "list").out
    shown = peer.squall("pack", "get", "peer")
    assert b"actions/script.sh" in shown.out
    assert b"actions" in peer.squall("pack", "register", "peer").out
    assert peer.squall("pack", "register", "nosuch").status == 2
