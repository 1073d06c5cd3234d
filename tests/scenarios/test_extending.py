"""The runner of docs/extending.md: installed as a distribution of its own, found, and run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import serving

DOCS = (Path(__file__).parents[2] / "docs" / "extending.md").read_text()
BLOCK = re.compile(r"^`([^`\n]+)`\n\n```\w+\n(.*?)```$", re.MULTILINE | re.DOTALL)


def install(package: Path, target: Path) -> None:
    """With uv if it is beside us, else with pip."""
    uv = Path(sys.executable).parent / "uv"
    tool = [str(uv), "pip"] if uv.exists() else [sys.executable, "-m", "pip"]
    words = [*tool, "install", "-q", "--no-deps", "--target", str(target), str(package)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr


def test_an_installed_distribution_brings_a_runner_as_documented(tmp_path: Path) -> None:
    files = dict(BLOCK.findall(DOCS))
    assert len(files) == 5
    for name, text in files.items():
        path = tmp_path / ("packs" if name.startswith("sums/") else "package") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "packs" / "sums" / "pack.yaml").write_text("ref: sums\nname: sums\nversion: 1.0.0\n")
    install(tmp_path / "package", tmp_path / "site")
    path = os.pathsep.join(filter(None, [str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")]))
    (tmp_path / "home").mkdir()
    with serving(tmp_path / "home", tmp_path / "packs", env={**QUICK, "PYTHONPATH": path}) as server:
        assert b"awk" in server.squall("runner", "list").out
        ran = server.squall("run", "sums.total", "text=1\n2\n3\n")
        shown = re.search(r"prints\n\n```text\n(.*?)```", DOCS, re.DOTALL)
        assert shown is not None
        assert ran.out.decode() == shown.group(1)
        refused = server.call("POST", "/v1/executions", {"action": "sums.total", "parameters": {"timeout": "soon"}})
        assert refused.status == 400
        late = server.request("sums.total", text="x", timeout=1)
        assert server.ended(late)["status"] == "succeeded"
