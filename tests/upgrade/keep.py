"""Makes the data directory of a release, for the tests of upgrades: `python -m tests.upgrade.keep 0.2.0`.

Run it with the code of the release. It writes `data/0.2.0.tar.gz`, which later versions must be able to open.
"""

from __future__ import annotations

import sys
import tarfile
import tempfile
from pathlib import Path

from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import Server

from squall.testing.waiting import until

DATA = Path(__file__).with_name("data")
PACK = {
    "pack.yaml": """\
ref: kept
name: kept
description: A pack that an older version has installed.
version: 1.0.0
author: The Squall authors
""",
    "actions/hello.yaml": """\
name: hello
runner_type: python-script
entry_point: hello.py
parameters:
  who: {type: string, default: world}
  password: {type: string, secret: true}
""",
    "actions/hello.py": """\
from st2common.runners.base_action import Action


class Hello(Action):
    def run(self, who, password):
        print("hello", who)
        return {"who": who}
""",
    "actions/flow.yaml": "name: flow\nrunner_type: orquesta\nentry_point: workflows/flow.yaml\n",
    "actions/workflows/flow.yaml": """\
version: 1.0
tasks:
  first:
    action: kept.hello
    input: {who: first}
    next:
      - when: <% succeeded() %>
        do: second
  second:
    action: core.local cmd="echo second; exit 3"
""",
}
POLICY = {
    "name": "one",
    "pack": "kept",
    "resource_ref": "kept.hello",
    "policy_type": "action.concurrency",
    "parameters": {"threshold": 5},
}
SEALED = {"SQUALL_STORAGE_SEAL_AFTER_SECONDS": "0.5"}


def fill(server: Server) -> None:
    """Runs some of each kind. The large output is sealed."""
    sequence = server.shell("seq 20000")
    assert server.ended(sequence)["status"] == "succeeded"
    until(lambda: server.get(f"/v1/executions/{sequence}/output/verify")["recorded_digest"], "the output is sealed")
    hello = server.request("kept.hello", who="Ada", password="hunter2-secret")
    assert server.ended(hello)["status"] == "succeeded"
    assert server.ended(server.request("kept.flow"))["status"] == "failed"
    assert server.call("PUT", "/v1/keys/region", {"name": "region", "value": "eu"}).status == 200
    secret = {"name": "token", "value": "s3cret", "secret": True}
    assert server.call("PUT", "/v1/keys/token", secret).status == 200
    assert server.call("POST", "/v1/policies", POLICY).status == 201
    inquiry = server.request("core.ask", ttl=525_600)
    until(lambda: server.get(f"/v1/executions/{inquiry}")["status"] == "pending", "the inquiry is asked")


def main(version: str) -> None:
    """Writes the data directory of `version`."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for name, text in PACK.items():
            path = home / "packs" / "kept" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        server = Server(home, "--packs-dir", str(home / "data" / "packs"), env={**QUICK, **SEALED})
        (home / "data").mkdir(mode=0o700)
        (home / "packs").rename(home / "data" / "packs")
        server.start()
        try:
            fill(server)
        finally:
            server.stop()
        with tarfile.open(DATA / f"{version}.tar.gz", "w:gz") as archive:
            for path in sorted((home / "data").iterdir()):
                archive.add(path, path.name, filter=_plain)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Leaves out sockets and caches, and the names of who made the archive."""
    if not (member.isreg() or member.isdir() or member.issym()) or "__pycache__" in member.name:
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    main(sys.argv[1])
