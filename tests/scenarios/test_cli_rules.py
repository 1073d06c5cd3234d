"""The commands about rules and triggers against a real server, and every command of `docs/rules.md`."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import SQUALL, Server, serving

from squall.testing.waiting import until

DOCS = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, packs: Path) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("rules"), packs, env=QUICK) as running:
        yield running


def test_the_guide_works_command_by_command(server: Server, tmp_path: Path) -> None:
    rule, cases = (text for text in re.findall(r"```yaml\n(.*?)```", DOCS, re.S) if "name:" in text)
    (tmp_path / "on_alert.yaml").write_text(rule)
    (tmp_path / "cases.yaml").write_text(cases)
    env = {**server.env, "SQUALL_URL": server.url, "ST2_API_URL": f"{server.url}/api/v1"}
    outputs = []
    for block in re.findall(r"```sh\n(.*?)```", DOCS, re.S):
        for command in block.strip().splitlines():
            if command == "squall tail last":
                until(lambda: server.call("GET", "/v1/executions").json, "an execution")
            ran = subprocess.run(
                ["bash", "-c", command], cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=60
            )
            assert ran.returncode == 0, (command, ran.stdout, ran.stderr)
            outputs.append(ran.stdout)
    text = "".join(outputs)
    assert "web1 needs help" in text
    assert "1 of 1 files of test cases went as expected" in text
    assert "default.on_alert is deleted" in text


def test_wrong_rules_and_payloads_name_the_field(server: Server, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("name: r\ntrigger: {type: core.st2.webhook}\naction: {ref: core.noop}\n")
    ran = server.squall("rule", "create", str(wrong))
    assert (ran.status, b"url" in ran.err) == (2, True)
    ran = server.squall("rule", "create", str(tmp_path / "missing.yaml"))
    assert (ran.status, b"cannot be read" in ran.err) == (2, True)
    ran = server.squall("trigger", "emit", "core.st2.generic.inquiry", "no json")
    assert (ran.status, b"the payload is no JSON" in ran.err) == (2, True)
    ran = server.squall("rule", "get", "demo.nosuch")
    assert (ran.status, b"not found" in ran.err) == (2, True)


def test_an_event_is_dispatched_again(server: Server) -> None:
    first = server.squall("trigger", "emit", "core.st2.action.file_written", '{"ref": "a.b"}').out.decode().strip()
    second = server.squall("trigger", "re-emit", first).out.decode().strip()
    shown = json.loads(server.squall("trigger", "instances", "-n", "2", "-j").out)
    assert {each["id"] for each in shown} == {first, second}
    ran = server.squall("trigger", "retry", first)
    assert (ran.status, b"re_emit" in ran.err) == (2, True)


def test_files_of_test_cases_that_deviate_fail(tmp_path: Path) -> None:
    (tmp_path / "cases.yaml").write_text("rule: nosuch.yaml\ncases: [{matches: true}]\n")
    ran = subprocess.run([*SQUALL, "rule", "test", str(tmp_path)], capture_output=True, text=True, check=False)
    assert (ran.returncode, "there is no file nosuch.yaml" in ran.stdout) == (1, True)


def test_commands_name_rules_urls_and_reasons_instead_of_generated_names(server: Server, tmp_path: Path) -> None:
    rule = {
        "name": "seldom", "pack": "ops", "enabled": True, "throttle": {"within": "1h"},
        "trigger": {"type": "core.st2.webhook", "parameters": {"url": "seldom"}},
        "action": {"ref": "core.echo", "parameters": {"message": "{{ trigger.body.n }}"}},
    }  # fmt: skip
    file = tmp_path / "seldom.json"
    file.write_text(json.dumps(rule))
    assert server.squall("rule", "create", str(file)).out == b"ops.seldom is created\n"
    sent = [server.squall("webhook", "send", "seldom", "--data", f'{{"n": {n}}}', "--follow") for n in (1, 2)]
    assert sent[0].out.strip() == b"1"
    assert b"the rule ops.seldom matched, but was kept back: throttled: " in sent[1].err
    assert b"core.st2.webhook url=seldom" in server.squall("rule", "list").out
    assert re.search(rb"seldom +ops\.seldom", server.squall("webhook", "list").out)
    events = server.squall("trigger", "instances", "--type", "core.st2.webhook", "-n", "2").out.splitlines()[1:]
    assert all(line.endswith(end) for line, end in zip(events, (b'{"n": 2}}', b'{"n": 1}}'), strict=True))
    instance = events[0].split()[0].decode()
    explained = server.squall("trigger", "explain", instance).out
    assert b"ops.seldom matches, but was kept back" in explained
    assert b"  reason: throttled: " in explained
    assert re.search(rb"rule: +ops\.seldom\n", server.squall("execution", "get", "last").out)
    broken = {**rule, "name": "broken", "enabled": False, "action": {"ref": "core.nosuch"}}
    file.write_text(json.dumps(broken))
    created = server.squall("rule", "create", str(file))
    assert created.out == b"ops.broken is created; it is disabled until: squall rule enable ops.broken\n"
    assert b"the action core.nosuch does not exist" in created.err
