"""The pack `peer` of the recordings: actions that do what those did."""

from __future__ import annotations

from pathlib import Path

FILES = {
    "pack.yaml": "ref: peer\nname: peer\nversion: 1.0.0\nauthor: tests\n",
    "config.schema.yaml": "region: {type: string, default: eu-west-1}\n",
    "actions/py_trivial.yaml": """
name: py_trivial
runner_type: python-script
entry_point: py_trivial.py
parameters:
  x: {type: integer, default: 1, position: 0}
""",
    "actions/py_trivial.py": """
from st2common.runners.base_action import Action


class Trivial(Action):
    def run(self, x):
        return {"x": x, "double": 2 * x}
""",
    "actions/py_stream.yaml": """
name: py_stream
runner_type: python-script
entry_point: py_stream.py
parameters:
  n: {type: integer, default: 3}
  mode: {type: string, default: ok}
  secret_word: {type: string, secret: true, default: swordfish}
""",
    "actions/py_stream.py": """
import sys

from st2common.runners.base_action import Action


class Stream(Action):
    def run(self, n, mode, secret_word):
        for line in range(n):
            print("stdout line %d" % line)
            sys.stderr.write("stderr line %d\\n" % line)
            self.logger.info("log line %d", line)
        if mode == "raise":
            raise ValueError("asked to raise")
        ends = {
            "ok": (True, {"n": n, "config": {"region": self.config["region"]}}),
            "fail": (False, {"reason": "asked to fail"}),
            "none": None,
            "string": "a string result",
        }
        return ends[mode]
""",
}


def write_peer_pack(packs: Path) -> None:
    """Writes it into a folder of packs."""
    for name, text in FILES.items():
        path = packs / "peer" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip())
