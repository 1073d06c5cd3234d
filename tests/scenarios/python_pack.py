"""A pack of Python actions: what they return, print, import and do wrong."""

from __future__ import annotations

from pathlib import Path

SHAPES = """
import os
import sys
import time

import inlib
from st2common.exceptions.action import InvalidActionParameterException
from st2common.runners.base_action import Action
from st2common.util import isotime


class Shapes(Action):
    def run(self, mode, arg=None):
        return getattr(self, mode)(arg)

    def pair(self, arg):
        return (True, {"given": arg})

    def failed(self, arg):
        return (False, {"reason": "asked to fail"})

    def plain(self, arg):
        return [1, "two", None]

    def nothing(self, arg):
        return None

    def boolean(self, arg):
        return False

    def odd(self, arg):
        return object()

    def odd_pair(self, arg):
        return (True, {1, 1})

    def bad_pair(self, arg):
        return ("yes", 1)

    def raises(self, arg):
        print("before")
        raise InvalidActionParameterException("asked to raise")

    def exits(self, arg):
        sys.exit(int(arg))

    def speaks(self, arg):
        print("out")
        self.logger.info("told")
        self.logger.debug("hidden")
        return None

    def binary(self, arg):
        sys.stdout.buffer.write(bytes(range(256)))
        return "done"

    def huge(self, arg):
        return "x" * int(arg)

    def secret(self, arg):
        print(arg, self.config["token"])
        return {"mine": arg, "config": self.config["token"], "whole": "%s!" % arg}

    def missing(self, arg):
        return self.config["nowhere"]

    def imports(self, arg):
        return [inlib.NAME, isotime.format(0), os.path.basename(sys.executable)]

    def where(self, arg):
        names = ["ST2_ACTION_" + name for name in ("PACK_NAME", "EXECUTION_ID", "API_URL")]
        told = {name: os.environ.get(name) for name in [*names, "ST2_API_URL", "GIVEN", "SQUALL_RESULT_FD"]}
        told.update(args=sys.argv[1:], leader=os.getsid(0) == os.getpid(), stdin=sys.stdin.read(), pid=os.getpid())
        told.update(keeper=os.getppid(), parent=open("/proc/%d/cmdline" % os.getppid()).read())
        told["self"] = open("/proc/self/cmdline").read()
        return told

    def waits(self, arg):
        print("waiting", flush=True)
        for _ in range(600):
            if os.path.exists(arg):
                return {"seen": True}
            time.sleep(0.05)
"""

ACTION = """
runner_type: python-script
entry_point: shapes.py
parameters:
  mode: {type: string, required: true}
  arg: {type: string}
"""


def write_python_pack(packs: Path, configs: Path) -> None:
    """Writes the pack `py` and its configuration."""
    actions = packs / "py" / "actions"
    (actions / "lib").mkdir(parents=True)
    (packs / "py" / "pack.yaml").write_text("name: py\nversion: 1.0.0\nauthor: tests\n")
    (packs / "py" / "config.schema.yaml").write_text("token: {type: string, secret: true}\nregion: {default: eu}\n")
    (actions / "shapes.py").write_text(SHAPES)
    (actions / "lib" / "inlib.py").write_text("NAME = 'from the lib'\n")
    (actions / "shapes.yaml").write_text(f"name: shapes{ACTION}")
    (actions / "cold.yaml").write_text(f"name: cold\nfork_server: false{ACTION}")
    (actions / "hidden.yaml").write_text(f"name: hidden{ACTION.replace('arg: {', 'arg: {secret: true, ')}")
    bare = packs / "needy" / "actions"
    bare.mkdir(parents=True)
    (packs / "needy" / "pack.yaml").write_text("name: needy\nversion: 1.0.0\nauthor: tests\n")
    (packs / "needy" / "requirements.txt").write_text("# of course\nrequests\n")
    (bare / "shapes.yaml").write_text(f"name: shapes{ACTION}")
    (bare / "shapes.py").write_text(SHAPES)
    configs.mkdir()
    (configs / "py.yaml").write_text("token: configured-secret\n")
