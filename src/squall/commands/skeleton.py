"""The files of a new pack (`squall pack create`): an action, a workflow, a sensor, a rule, a configuration, tests."""

from __future__ import annotations

FILES = {
    "pack.yaml": """\
ref: {ref}
name: {ref}
description: What the pack {ref} is for.
keywords: []
version: 0.1.0
python_versions:
  - "3"
author: {author}
email: {author}@example.com
""",
    "README.md": """\
# {ref}

| action | what it does |
|---|---|
| `{ref}.hello` | greets somebody, with the greeting of the configuration |
| `{ref}.greet_all` | greets everybody in a list |

```sh
squall pack test .          # its tests
squall pack install .       # into a server
squall run {ref}.hello who=Ada
squall pack dev .           # registers it again whenever a file is saved
```

`configs/{ref}.yaml` on the server, or `st2 pack config {ref}`, sets what `config.schema.yaml` lists.
""",
    "config.schema.yaml": """\
greeting:
  description: What people are greeted with.
  type: string
  required: true
  default: Hello
""",
    "requirements.txt": "# Packages from PyPI that actions and sensors import, one a line.\n",
    "requirements-tests.txt": "# Packages that only the tests import, one a line.\n",
    "actions/hello.yaml": """\
name: hello
description: Greets somebody.
runner_type: python-script
entry_point: hello.py
enabled: true
parameters:
  who:
    type: string
    description: Whom to greet.
    default: world
    position: 0
""",
    "actions/hello.py": """\
from st2common.runners.base_action import Action


class Hello(Action):
    def run(self, who):
        greeting = f"{{self.config.get('greeting', 'Hello')}}, {{who}}!"
        print(greeting)
        return True, {{"greeting": greeting}}
""",
    "actions/greet_all.yaml": """\
name: greet_all
description: Greets everybody in a list.
runner_type: orquesta
entry_point: workflows/greet_all.yaml
enabled: true
parameters:
  names:
    type: array
    items:
      type: string
    description: Whom to greet.
    default: [Ada, Grace]
    position: 0
""",
    "actions/workflows/greet_all.yaml": """\
version: 1.0
input:
  - names
tasks:
  greet:
    with: name in <% ctx().names %>
    action: {ref}.hello
    input:
      who: <% item(name) %>
    next:
      - when: <% succeeded() %>
        publish:
          - greetings: <% result().select($.result.greeting) %>
output:
  - greetings: <% ctx().greetings %>
""",
    "sensors/clock.yaml": """\
class_name: ClockSensor
entry_point: clock.py
description: Tells the minute.
enabled: false
poll_interval: 60
trigger_types:
  - name: minute
    description: A minute has begun.
    payload_schema:
      type: object
      properties:
        minute:
          type: integer
""",
    "sensors/clock.py": """\
import time

from st2reactor.sensor.base import PollingSensor


class ClockSensor(PollingSensor):
    def setup(self):
        pass

    def poll(self):
        self.sensor_service.dispatch(trigger="{ref}.minute", payload={{"minute": time.localtime().tm_min}})

    def cleanup(self):
        pass

    def add_trigger(self, trigger):
        pass

    def update_trigger(self, trigger):
        pass

    def remove_trigger(self, trigger):
        pass
""",
    "rules/greet_every_minute.yaml": """\
name: greet_every_minute
description: Greets whenever a minute begins.
enabled: false
trigger:
  type: {ref}.minute
criteria: {{}}
action:
  ref: {ref}.hello
  parameters:
    who: "minute {{{{ trigger.minute }}}}"
""",
    "aliases/hello.yaml": """\
name: hello
description: Greets somebody.
action_ref: {ref}.hello
formats:
  - "greet {{{{ who }}}}"
""",
    "tests/test_hello.py": """\
from hello import Hello
from st2tests.base import BaseActionTestCase


class HelloTestCase(BaseActionTestCase):
    action_cls = Hello

    def test_somebody_is_greeted(self):
        action = self.get_action_instance({{"greeting": "Good day"}})
        self.assertEqual(action.run(who="Ada"), (True, {{"greeting": "Good day, Ada!"}}))
""",
    "tests/test_clock.py": """\
from clock import ClockSensor
from st2tests.base import BaseSensorTestCase


class ClockTestCase(BaseSensorTestCase):
    sensor_cls = ClockSensor

    def test_a_minute_is_told(self):
        self.get_sensor_instance().poll()
        self.assertTriggerDispatched("{ref}.minute")
""",
    "tests/test_alias.py": """\
from st2tests.base import BaseActionAliasTestCase


class HelloAliasTestCase(BaseActionAliasTestCase):
    action_alias_name = "hello"

    def test_the_name_is_found(self):
        formats = self.action_alias_db.get_format_strings()
        self.assertCommandMatchesExactlyOneFormatString(formats, "greet Ada")
        self.assertExtractedParametersMatch(formats[0], "greet Ada", {{"who": "Ada"}})
""",
    "tests/rehearsals/greet_all.yaml": """\
workflow: actions/workflows/greet_all.yaml
inputs:
  names: [Ada, Grace]
mock_action_executions:
  - task_id: greet
    item_id: 0
    result: {{result: {{greeting: "Hello, Ada!"}}}}
  - task_id: greet
    item_id: 1
    result: {{result: {{greeting: "Hello, Grace!"}}}}
expected_task_sequence: [greet, continue]
expected_output:
  greetings: ["Hello, Ada!", "Hello, Grace!"]
""",
}
"""The texts of the files by path. They are format strings with the fields `ref` and `author`."""
