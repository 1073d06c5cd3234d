"""Events of a simulation: the rules that wait for them, and a plain model that tells what each rule must do."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from tests.simulation.pack import random_script
from tests.simulation.server import World

from squall.assembly.wiring import Services
from squall.core.errors import SquallError
from squall.core.event.rules.records import PROCESSED, SUCCEEDED
from squall.core.execution.execution import Execution
from squall.services.event.triggers.dispatching import Event

TRIGGERS = ("sim.ping", "sim.pong")
_YES: dict[str, Any] = {"type": "eq", "pattern": True}
_RULES: dict[str, dict[str, Any]] = {
    "always": {"trigger": "sim.ping", "action": "core.noop"},
    "starts": {
        "trigger": "sim.ping",
        "criteria": {"trigger.starts": _YES},
        "action": "sim.step",
        "parameters": {"script": "{{ trigger.script }}"},
    },
    "flows": {
        "trigger": "sim.ping",
        "criteria": {"trigger.flows": _YES},
        "action": "sim.line",
        "parameters": dict.fromkeys("abc", "{{ trigger.script }}"),
    },
    "fails": {
        "trigger": "sim.ping",
        "criteria": {"trigger.fails": _YES},
        "action": "sim.step",
        "parameters": {"script": "{{ trigger.nothing }}"},
    },
    "never": {"trigger": "sim.ping", "criteria": {"trigger.n": {"type": "lt", "pattern": 0}}, "action": "core.noop"},
    "gone": {"trigger": "sim.pong", "criteria": {"trigger.fails": _YES}, "action": "sim.gone"},
    "narrow": {
        "trigger": "sim.pong",
        "criteria": {"trigger.starts": _YES},
        "action": "sim.narrow",
        "parameters": {"script": "{{ trigger.script }}"},
    },
    "else": {"trigger": "sim.pong", "type": "backstop", "action": "core.noop"},
}


class Sent(NamedTuple):
    """An event that a client has sent. `instance` is the answer; None if the server died before it answered."""

    event: Event
    instance: str | None


def write_rules(pack: Path) -> None:
    """Writes the trigger types and rules of the pack `sim`."""
    (pack / "rules").mkdir()
    (pack / "triggers").mkdir()
    for ref in TRIGGERS:
        name = ref.partition(".")[2]
        (pack / "triggers" / f"{name}.yaml").write_text(json.dumps({"name": name, "pack": "sim"}))
    for name, each in _RULES.items():
        document = {
            "name": name,
            "pack": "sim",
            "enabled": True,
            "type": {"ref": each.get("type", "standard"), "parameters": {}},
            "trigger": {"type": each["trigger"]},
            "criteria": each.get("criteria", {}),
            "action": {"ref": each["action"], "parameters": each.get("parameters", {})},
        }
        (pack / "rules" / f"{name}.yaml").write_text(json.dumps(document))


def random_event(rng: random.Random, number: int) -> Event:
    """Returns an event with this number. Every other one has a source."""
    flags = {name: rng.random() < 0.3 for name in ("starts", "flows", "fails")}
    payload = {"n": number, "script": random_script(rng).command(), **flags}
    return Event(trigger=rng.choice(TRIGGERS), payload=payload, source=f"s/{number}" if rng.random() < 0.5 else None)


async def send(services: Services | None, event: Event, answers: list[str]) -> None:
    """Dispatches an event, and adds the id of its instance to `answers`."""
    assert services is not None
    with suppress(SquallError):
        answers.append((await services.reacting.dispatching.dispatch(event)).id)


def expected(trigger: str, payload: dict[str, Any]) -> dict[str, str]:
    """Returns the action of each rule that must have an enforcement; empty for a failed one."""
    if trigger == "sim.ping":
        rules = {"always": "core.noop"}
        rules |= {"starts": "sim.step"} if payload["starts"] else {}
        rules |= {"flows": "sim.line"} if payload["flows"] else {}
        return rules | ({"fails": ""} if payload["fails"] else {})
    rules = {"narrow": "sim.narrow"} if payload["starts"] else {}
    rules |= {"gone": ""} if payload["fails"] else {}
    # The rule whose action is gone matches, too.
    return rules or {"else": "core.noop"}


class _Stored(NamedTuple):
    number: int
    trigger: str
    payload: dict[str, Any]
    status: str


def check_events(world: World, sent: list[Sent], executions: dict[str, Execution], servers: int) -> list[str]:
    """Returns what is wrong: lost and doubled events, enforcements and executions, and a wrong order."""
    rows: list[tuple[Any, ...]] = world.disk.connection.execute(
        "SELECT id, number, trigger_ref, payload, status FROM trigger_instances ORDER BY number"
    ).fetchall()
    stored = {str(row[0]): _Stored(row[1], row[2], json.loads(row[3]), row[4]) for row in rows}
    bodies: list[tuple[Any, ...]] = world.disk.connection.execute(
        "SELECT body FROM enforcements ORDER BY rowid"
    ).fetchall()
    enforcements = [json.loads(row[0]) for row in bodies]
    complaints = _of_instances(stored, sent)
    complaints += _of_enforcements(stored, enforcements, executions)
    # Two servers evaluate side by side.
    return complaints + (_of_order(stored, enforcements) if servers == 1 else [])


def _of_instances(stored: dict[str, _Stored], sent: list[Sent]) -> list[str]:
    complaints = [f"event {key} is {each.status}" for key, each in stored.items() if each.status != PROCESSED]
    copies = Counter(each.payload["n"] for each in stored.values())
    for each in sent:
        count = copies.pop(each.event.payload["n"], 0)
        if count > 1 or (count == 0 and each.instance is not None):
            complaints.append(f"event {each} is stored {count} times")
        if each.instance is not None and each.instance not in stored:
            complaints.append(f"event {each} is not stored under its id")
    return complaints + [f"nobody has sent event {number}" for number in copies]


def _of_enforcements(
    stored: dict[str, _Stored], enforcements: list[dict[str, Any]], executions: dict[str, Execution]
) -> list[str]:
    complaints = []
    actions: dict[str, list[tuple[str, str]]] = defaultdict(list)
    named: Counter[str] = Counter()
    for each in enforcements:
        execution = executions.get(each.get("execution_id") or "")
        if each["status"] == SUCCEEDED and execution is None:
            complaints.append(f"the execution of enforcement {each['id']} does not exist")
        # Parameters that cannot be rendered have an execution that fails at once.
        action = execution.action if execution is not None and each["status"] == SUCCEEDED else ""
        named.update([execution.id] if execution is not None else [])
        actions[each["trigger_instance_id"]].append((each["rule"]["ref"].partition(".")[2], action))
    for key, instance in stored.items():
        wanted = sorted(expected(instance.trigger, instance.payload).items())
        if sorted(actions.pop(key, [])) != wanted:
            complaints.append(f"event {key} of {instance.trigger} has other enforcements than {wanted}")
    complaints += [f"enforcements of {key}, which does not exist" for key in actions]
    of_rules = {key for key, execution in executions.items() if "rule" in execution.context and not execution.parent}
    of_rules -= {key for key in of_rules if "policies" in executions[key].context}
    if of_rules != set(named) or set(named.values()) - {1}:
        complaints.append(f"{len(of_rules)} executions of rules have {sum(named.values())} enforcements")
    return complaints


def _of_order(stored: dict[str, _Stored], enforcements: list[dict[str, Any]]) -> list[str]:
    lines: dict[str, list[int]] = defaultdict(list)
    for each in enforcements:
        instance = stored.get(each["trigger_instance_id"])
        if instance is not None:
            lines[instance.trigger].append(instance.number)
    return [f"events of {ref} were evaluated as {line}" for ref, line in lines.items() if line != sorted(line)]
