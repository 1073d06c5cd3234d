"""The pack `faults`: a writer whose output can be checked, and actions that resist, hide and tell secrets."""

from __future__ import annotations

from pathlib import Path

_ACTIONS = {
    "writer": """
entry_point: writer.py
parameters:
  folder: {type: string, required: true}
  seed: {type: integer, required: true}
  records: {type: integer, default: 0}
  wait: {type: boolean, default: false}
  pause: {type: number, default: 0.0}
  code: {type: integer, default: 0}
  timeout: {default: 7200}
""",
    "once": """
entry_point: once.sh
parameters:
  folder: {type: string, required: true, position: 0}
  lines: {type: integer, default: 20, position: 1}
""",
    "stubborn": """
entry_point: stubborn.sh
parameters:
  token: {type: string, required: true, position: 0}
""",
    "gated": """
entry_point: gated.sh
parameters:
  gate: {type: string, required: true, position: 0}
  name: {type: string, required: true, position: 1}
  lines: {type: integer, default: 5, position: 2}
""",
    "blabbing": """
entry_point: blabbing.py
parameters:
  folder: {type: string, required: true}
  password: {type: string, required: true, secret: true}
""",
    "flood": """
entry_point: flood.sh
parameters:
  password: {type: string, secret: true}
""",
}

_SCRIPTS = {
    "once.sh": """#!/bin/sh
# Says in a file that it began, prints lines, and says that it is through.
echo $$ >>"$1/starts"
i=0
while [ $i -lt "$2" ]; do i=$((i+1)); echo "line $i"; done
echo through >>"$1/ends"
exit 3
""",
    "stubborn.sh": """#!/bin/bash
# Ignores TERM, leaves processes in sessions of their own and without its environment, and lets them hold its pipes.
trap '' TERM HUP INT
# Forked twice, in a new session, with the environment it was given.
setsid bash -c 'trap "" TERM
  (bash -c "trap \\"\\" TERM; exec -a $0-orphan sleep 7777" &)
  exec -a "$0-leader" sleep 7777' "$1" &
# Forked twice with a session of its own at the end: only its environment tells whose it is.
setsid bash -c 'trap "" TERM; setsid bash -c "trap \"\" TERM; exec -a $0-daemon sleep 7777" &' "$1"
# Without the environment, in the session of the action.
(env -i bash -c 'trap "" TERM; exec -a "$0-bare" sleep 7777' "$1" &)
# Without the environment and in a new session, but a child of what lives.
env -i setsid bash -c 'trap "" TERM; exec -a "$0-child" sleep 7777' "$1" &
echo "$1 ready"
while :; do sleep 7777; done
""",
    "gated.sh": """#!/bin/bash
# Waits until the gate is opened, then prints numbered lines.
echo "$2 waits"
read -r _ <"$1"
for ((i = 1; i <= $3; i++)); do echo "$2 line $i"; done
""",
    "flood.sh": "#!/bin/sh\nexec yes 'a line that comes again and again, without end'\n",
    "blabbing.py": '''#!/usr/bin/env -S python3 -I -S
"""Prints its secret in several forms, whole and split over writes; ends when it is told to."""
import base64, json, os, select, sys
from urllib.parse import quote, quote_plus

options = dict(word.removeprefix("--").partition("=")[::2] for word in sys.argv[1:])
secret = options["password"]
forms = [secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], quote(secret, safe=""),
         quote_plus(secret)] + [base64.b64encode(b"x" * n + secret.encode()).decode() for n in range(3)]
for to in (1, 2):
    for form in forms:
        data = form.encode()
        os.write(to, b"<" + data + b">\\n")
        # Split anywhere; some of the halves come so late that what was held back has been let go meanwhile.
        for at in (1, len(data) // 2, len(data) - 1):
            os.write(to, b"<" + data[:at])
            select.select([], [], [], 0.3 if at == len(data) // 2 and form == secret else 0.002)
            os.write(to, data[at:] + b">\\n")
        for byte in data:
            os.write(to, bytes([byte]))
        os.write(to, b"\\n")
os.write(1, b"all told\\n")
open(options["folder"] + "/go").read()
os.write(1, b"once more: " + secret.encode() + b"\\n")
''',
}


def write_pack(folder: Path) -> None:
    """Writes the pack into a folder of packs."""
    actions = folder / "faults" / "actions"
    actions.mkdir(parents=True)
    head = "ref: faults\nname: faults\ndescription: For fault tests.\nversion: 0.1.0\nauthor: Tests\n"
    (folder / "faults" / "pack.yaml").write_text(head)
    for name, text in _ACTIONS.items():
        (actions / f"{name}.yaml").write_text(
            f"name: {name}\npack: faults\ndescription: The action {name}.\nenabled: true\n"
            f"runner_type: local-shell-script{text}"
        )
    scripts = {**_SCRIPTS, "writer.py": Path(__file__).with_name("writer_script.py").read_text()}
    for name, text in scripts.items():
        script = actions / name
        script.write_text(text)
        script.chmod(0o755)
    # Other users run these scripts, too.
    for path in (folder, folder / "faults", actions):
        path.chmod(0o755)
