"""The pack `peer` of the recordings: actions that do what those did."""

from __future__ import annotations

from pathlib import Path

FILES = {
    "pack.yaml": "ref: peer\nname: peer\nversion: 1.0.0\nauthor: tests\n",
    "config.schema.yaml": "region: {type: string, default: eu-west-1}\n",
    "rules/hook.yaml": """
name: hook
description: Runs core.echo on a webhook
enabled: true
trigger: {type: core.st2.webhook, parameters: {url: peer/hook}}
criteria:
  trigger.body.level: {type: eq, pattern: high}
action: {ref: core.echo, parameters: {message: "got {{trigger.body.level}} {{trigger.body.text}}"}}
""",
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
  mode: {type: string, enum: [ok, fail, raise, none, string], default: ok}
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
    "actions/script.yaml": """
name: script
runner_type: local-shell-script
entry_point: script.sh
parameters:
  first: {type: string, position: 0, default: one}
  flag: {type: boolean, default: true}
  count: {type: integer, default: 2}
""",
    "actions/script.sh": """
#!/bin/sh
echo "args: $*"
for i in 1 2; do
  test -n "$SLOW" && sleep 1
done
echo n=2
env | grep ^ST2_ | cut -d= -f1 | grep -v ^ST2_CONFIG_PATH | sort
""",
    "actions/out_json.yaml": """
name: out_json
runner_type: local-shell-cmd
parameters:
  cmd: {immutable: true, default: 'echo {\\"a\\": 1}'}
""",
    "policies/conc.yaml": """
name: script.concurrency
description: At most 1 script at once
resource_ref: peer.script
policy_type: action.concurrency
parameters: {threshold: 1, action: delay}
""",
    "actions/wf_slow.yaml": """
name: wf_slow
runner_type: orquesta
entry_point: workflows/wf_slow.yaml
""",
    "actions/workflows/wf_slow.yaml": """
version: 1.0
tasks:
  a:
    action: core.local cmd="sleep 1"
    next:
      - do: b
  b:
    action: core.local cmd="sleep 1"
    next:
      - do: c
  c:
    action: core.noop
""",
    "actions/wf_child.yaml": """
name: wf_child
runner_type: orquesta
entry_point: workflows/wf_child.yaml
parameters:
  who: {type: string, required: true}
""",
    "actions/workflows/wf_child.yaml": """
version: 1.0
input: [who]
tasks:
  greet:
    action: core.local cmd="echo hello <% ctx(who) %>"
    next:
      - when: <% succeeded() %>
        publish: greeting=<% result().stdout %>
        do: done
  done:
    action: core.noop
output:
  - greeting: <% ctx(greeting) %>
""",
    "actions/wf_parent.yaml": """
name: wf_parent
runner_type: orquesta
entry_point: workflows/wf_parent.yaml
parameters:
  names: {type: array, default: [ann, bob]}
""",
    "actions/workflows/wf_parent.yaml": """
version: 1.0
input: [names]
tasks:
  start:
    action: core.echo message="start"
    next:
      - do: [child, side]
  child:
    with: who in <% ctx(names) %>
    action: peer.wf_child who=<% item(who) %>
    next:
      - publish: seen=<% result().select($.output.greeting) %>
        do: join
  side:
    action: peer.py_trivial x=21
    next:
      - publish: double=<% result().result.double %>
        do: join
  join:
    join: all
    action: core.noop
output:
  - seen: <% ctx(seen) %>
  - double: <% ctx(double) %>
""",
}


def write_peer_pack(packs: Path) -> None:
    """Writes it into a folder of packs."""
    for name, text in FILES.items():
        path = packs / "peer" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip())
        path.chmod(0o755 if text.lstrip().startswith("#!") else 0o644)
