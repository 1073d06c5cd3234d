"""`squall rule list|get|create|update|enable|disable|delete`."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from squall.cli.event.documents import mapping_in
from squall.cli.event.trigger_names import trigger_text
from squall.cli.terminal import exits
from squall.cli.terminal.lists import configure_list, print_table
from squall.cli.terminal.table import block, dump, fields
from squall.cli.terminal.target import Target
from squall.cli.terminal.verb import Verb
from squall.client.api import Api
from squall.client.event import rules
from squall.client.http import JsonObject
from squall.core.errors import NotFoundError

_REF = "the rule's reference, such as demo.on_alert, or its id"


def _configure_list(parser: ArgumentParser) -> None:
    parser.add_argument("--pack", metavar="NAME", help="only the rules of this pack")
    parser.add_argument("--action", metavar="REF", help="only the rules that run this action")
    configure_list(parser)


def _list(args: Namespace, target: Target) -> int:
    with target.api() as api:
        documents = list(rules.pages(api.client, "/rules", {"pack": args.pack, "action": args.action}))
    if args.json:
        print(dump(documents))
    else:
        rows = [(each.get("ref"), _switch(each), _trigger(each), each["action"]["ref"]) for each in documents]
        print_table(args, ("rule", "enabled", "trigger", "action"), rows)
    return exits.OK


def _configure_get(parser: ArgumentParser) -> None:
    parser.add_argument("rule", help=_REF)
    parser.add_argument("-j", "--json", action="store_true", help="print JSON")


def _get(args: Namespace, target: Target) -> int:
    with target.api() as api:
        rule = rules.rule(api.client, args.rule)
        last = list(rules.pages(api.client, "/ruleenforcements", {"rule_ref": str(rule.get("ref"))}, 5))
    if args.json:
        print(dump(rule))
        return exits.OK
    trigger, action = rule["trigger"], rule["action"]
    print(
        fields(
            {
                "rule": rule.get("ref"),
                "description": rule.get("description"),
                "enabled": _switch(rule),
                "type": rule["type"]["ref"] if rule["type"]["ref"] != "standard" else "",
                "trigger": trigger["type"],
                "with": _lines(trigger.get("parameters")),
                "criteria": "\n".join(f"{key} {_criterion(each)}" for key, each in rule.get("criteria", {}).items()),
                "action": action["ref"],
                "parameters": _lines(action.get("parameters")),
                **{name: _lines(rule.get(name)) for name in ("throttle", "correlate", "absent")},
                "hold": "yes" if rule.get("hold") else "",
                "error": rule.get("trigger_error"),
            }
        )
    )
    if last:
        print("\nlast enforcements:")
        for each in last:
            outcome = each.get("execution_id") or each.get("failure_reason")
            print(f"  {each.get('enforced_at')}  {each.get('status')}  {block(outcome)}")
    return exits.OK


def _lines(values: JsonObject | None) -> str:
    """Returns a line for each of the values."""
    return "\n".join(f"{name} = {block(value)}" for name, value in (values or {}).items())


def _criterion(criterion: Any) -> str:
    if not isinstance(criterion, dict):
        return block(criterion)
    return f"{criterion.get('type')} {block(criterion['pattern'])}" if "pattern" in criterion else criterion["type"]


def _trigger(rule: JsonObject) -> str:
    return trigger_text(rule["trigger"]["type"], rule["trigger"].get("parameters"))


def _switch(rule: JsonObject) -> str:
    return "yes" if rule.get("enabled") else "no"


def _configure_create(parser: ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="the rule's YAML or JSON, as in a pack; - reads standard input")
    parser.add_argument("--pack", help="the rule's pack (default: the pack in the file, else default)")
    parser.add_argument("--disabled", action="store_true", help="create the rule disabled")


def _create(args: Namespace, target: Target) -> int:
    body = mapping_in(args.file)
    if args.pack:
        body["pack"] = args.pack
    if args.disabled:
        body["enabled"] = False
    with target.api() as api:
        rule = rules.create_rule(api.client, body)
        ref, action = rule.get("ref"), rule["action"]["ref"]
        has_action = _exists(api, action)
    print(f"{ref} is created" + ("" if rule.get("enabled") else f"; it is disabled until: squall rule enable {ref}"))
    if not has_action:
        print(f"squall: the action {action} does not exist, so each match of {ref} will fail", file=sys.stderr)
    return exits.OK


def _exists(api: Api, action: str) -> bool:
    try:
        api.action(action)
    except NotFoundError:
        return False
    return True


def _configure_update(parser: ArgumentParser) -> None:
    parser.add_argument("rule", help=_REF)
    parser.add_argument("file", type=Path, help="the rule's YAML or JSON; - reads standard input")


def _update(args: Namespace, target: Target) -> int:
    body = mapping_in(args.file)
    with target.api() as api:
        current = rules.rule(api.client, args.rule)
        rule = rules.update_rule(api.client, args.rule, {"pack": current.get("pack"), **body})
    print(f"{rule.get('ref')} is changed")
    return exits.OK


def _configure_switch(parser: ArgumentParser) -> None:
    parser.add_argument("rule", nargs="+", help=_REF)


def _enable(args: Namespace, target: Target) -> int:
    return _switch_all(args, target, True)


def _disable(args: Namespace, target: Target) -> int:
    return _switch_all(args, target, False)


def _switch_all(args: Namespace, target: Target, enabled: bool) -> int:
    with target.api() as api:
        for ref in args.rule:
            rule = rules.switch_rule(api.client, ref, enabled)
            print(f"{rule.get('ref')} is {'enabled' if enabled else 'disabled'}")
    return exits.OK


def _delete(args: Namespace, target: Target) -> int:
    with target.api() as api:
        for ref in args.rule:
            rules.delete_rule(api.client, ref)
            print(f"{ref} is deleted")
    return exits.OK


VERBS = {
    "rule list": Verb(_configure_list, _list),
    "rule get": Verb(_configure_get, _get),
    "rule create": Verb(_configure_create, _create),
    "rule update": Verb(_configure_update, _update),
    "rule enable": Verb(_configure_switch, _enable),
    "rule disable": Verb(_configure_switch, _disable),
    "rule delete": Verb(_configure_switch, _delete),
}
