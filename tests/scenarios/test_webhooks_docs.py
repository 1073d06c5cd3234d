"""The commands of docs/webhooks.md do what they say, one after the other, on a real server."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import SQUALL, Server, serving

from squall.core.event.webhooks.signatures import presets

DOCS = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", DOCS, re.DOTALL)


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory, packs: Path) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("documented"), packs, env=QUICK) as server:
        yield server


def run(server: Server, folder: Path, block: str) -> str:
    script = f'set -e; squall() {{ {" ".join(SQUALL)} "$@"; }}\n' + block.replace("curl ", "curl -sSf ")
    env = {**server.command_env(), "API": server.url}
    ran = subprocess.run(["bash", "-c", script], cwd=folder, env=env, capture_output=True, timeout=60, check=False)
    assert ran.returncode == 0, (block, ran)
    return ran.stdout.decode()


def test_the_commands_of_the_page_work_in_their_order(documented: Server, tmp_path: Path) -> None:
    shown = [run(documented, tmp_path, block) for block in BLOCKS]
    said = "\n".join(shown)
    assert [text.strip() for text in shown[1:3]] == ["deploying main"] * 2
    assert said.count("deploying main") == 3
    assert said.count("secrets:         2") == 1
    settings = documented.get("/v1/webhooks/team/deploy/settings")
    assert (settings["preset"], settings["secrets"], settings["drop_duplicates"]) == ("github", ["********"], True)
    verdicts = {each["verdict"] for each in documented.get("/v1/webhooks/team/deploy/deliveries")}
    assert verdicts == {"accepted"}


def test_the_page_has_every_preset() -> None:
    for preset in presets():
        assert f"--preset {preset} " in DOCS
        assert f"| `{preset}` |" in DOCS
