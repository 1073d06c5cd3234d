"""A pack of actions that do what a test tells them, when it tells them."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

PUPPET = '''#!/usr/bin/env -S python3 -I -S
"""Obeys the orders that come through a FIFO: print these bytes, end with this code."""
import base64
import json
import os
import sys

for line in open(sys.argv[1].partition("=")[2]):
    order = json.loads(line)
    if "exit" in order:
        os._exit(order["exit"])
    rest = memoryview(base64.b64decode(order["data"]) * order["times"])
    while rest:
        rest = rest[os.write(order["to"], rest):]
'''

ACTIONS = {
    "puppet": """
runner_type: local-shell-script
entry_point: puppet.py
parameters:
  orders: {type: string, required: true}
""",
    "typed": """
runner_type: noop
parameters:
  count: {type: integer, required: true, minimum: 0}
  mode: {type: string, enum: [fast, slow], default: fast}
  loud: {type: boolean, default: false}
  names: {type: array}
  options: {type: object}
  fixed: {type: string, default: stone, immutable: true}
""",
    "secretive": """
runner_type: local-shell-cmd
parameters:
  token: {type: string, required: true, secret: true}
  cmd: {type: string, default: 'echo "{{ token | length }} characters"', immutable: true}
""",
    "promising": """
runner_type: local-shell-cmd
parameters:
  cmd: {type: string, default: 'echo hidden', immutable: true}
output_schema:
  stdout: {type: string, secret: true}
""",
    "disabled": """
runner_type: noop
enabled: false
parameters: {}
""",
}


def write_pack(folder: Path) -> None:
    """Writes the pack `live` into a folder of packs."""
    actions = folder / "live" / "actions"
    actions.mkdir(parents=True)
    head = "ref: live\nname: live\ndescription: For tests.\nversion: 0.1.0\nauthor: Tests\n"
    (folder / "live" / "pack.yaml").write_text(head)
    for name, text in ACTIONS.items():
        entry = "" if "entry_point" in text else 'entry_point: ""\n'
        enabled = "" if "enabled" in text else "enabled: true\n"
        (actions / f"{name}.yaml").write_text(
            f"name: {name}\npack: live\ndescription: The action {name}.\n{enabled}{entry}{text}"
        )
    script = actions / "puppet.py"
    script.write_text(PUPPET)
    script.chmod(0o755)


class Strings:
    """What holds a puppet: a FIFO that its orders go through."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        # Opened for both ends, so that neither this nor a write waits for the puppet to be there.
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def say(self, data: bytes, to: int = 1, times: int = 1) -> None:
        """Has `data` printed, `times` over, with as few writes as a pipe allows."""
        self._order({"data": base64.b64encode(data).decode(), "to": to, "times": times})

    def end(self, code: int = 0) -> None:
        """Has the puppet end."""
        self._order({"exit": code})

    def close(self) -> None:
        """Lets go."""
        os.close(self._descriptor)

    def _order(self, order: dict[str, object]) -> None:
        rest = json.dumps(order).encode() + b"\n"
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
