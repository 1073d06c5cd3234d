"""`squall trigger list|get|instances|emit|re-emit|retry`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from squall.cli.event.documents import payload_of
from squall.cli.event.trigger_names import payload_shown, trigger_texts
from squall.cli.terminal import exits
from squall.cli.terminal.lists import configure_list, moment, print_table
from squall.cli.terminal.table import dump, fields
from squall.cli.terminal.target import Target
from squall.cli.terminal.verb import Verb
from squall.client.api import document_of
from squall.client.event import rules
from squall.client.paths import path_of

_FEW = 50


def _configure_list(parser: ArgumentParser) -> None:
    parser.add_argument("--pack", metavar="NAME", help="only the trigger types of this pack")
    configure_list(parser)


def _list(args: Namespace, target: Target) -> int:
    with target.api() as api:
        types = list(rules.pages(api.client, "/triggertypes", {"pack": args.pack}))
    if args.json:
        print(dump(types))
    else:
        print_table(args, ("trigger", "description"), [(each.get("ref"), each.get("description")) for each in types])
    return exits.OK


def _configure_get(parser: ArgumentParser) -> None:
    parser.add_argument("trigger", help="the trigger type's reference, such as core.st2.webhook, or its id")
    parser.add_argument("-j", "--json", action="store_true", help="print JSON")


def _get(args: Namespace, target: Target) -> int:
    with target.api() as api:
        trigger = document_of(api.client.request("GET", path_of("triggertypes", args.trigger)).body)
    if args.json:
        print(dump(trigger))
        return exits.OK
    names = ("ref", "description", "parameters_schema", "payload_schema")
    print(fields({name.replace("_schema", ""): trigger.get(name) for name in names}))
    return exits.OK


def _configure_instances(parser: ArgumentParser) -> None:
    parser.add_argument("--trigger", metavar="REF", help="only the events of this trigger")
    parser.add_argument("--type", metavar="REF", help="only the events of triggers of this type")
    parser.add_argument("--status", metavar="STATUS", help="pending, processed or processing_failed")
    parser.add_argument("-n", type=int, default=_FEW, metavar="COUNT", help=f"how many, the newest first ({_FEW})")
    configure_list(parser, times=True)


def _instances(args: Namespace, target: Target) -> int:
    query = {"trigger": args.trigger, "trigger_type": args.type, "status": args.status}
    with target.api() as api:
        instances = list(rules.pages(api.client, "/triggerinstances", query, args.n))
        if args.json:
            print(dump(instances))
            return exits.OK
        triggers = trigger_texts(api.client, (each["trigger"] for each in instances))
    rows = [
        (each.get("id"), moment(args, each.get("occurrence_time")), each.get("status"), triggers[each["trigger"]],
         each.get("failure_reason") or payload_shown(each.get("payload")))
        for each in instances
    ]  # fmt: skip
    print_table(args, ("id", "time", "status", "trigger", "payload"), rows)
    return exits.OK


def _configure_emit(parser: ArgumentParser) -> None:
    parser.add_argument("trigger", help="the reference of a trigger, or of a type without parameters")
    parser.add_argument("payload", nargs="?", help="the payload as JSON, or @FILE (YAML or JSON; @- is standard input)")
    parser.add_argument("--trace-tag", metavar="TAG", help="the tag of the trace")


def _emit(args: Namespace, target: Target) -> int:
    payload = payload_of(args.payload)
    with target.api() as api:
        print(rules.emit(api.client, args.trigger, payload, args.trace_tag))
    return exits.OK


def _configure_ids(parser: ArgumentParser) -> None:
    parser.add_argument("ids", nargs="+", metavar="id", help="the id of a trigger instance")


def _re_emit(args: Namespace, target: Target) -> int:
    with target.api() as api:
        for each in args.ids:
            print(rules.re_emit(api.client, each))
    return exits.OK


def _retry(args: Namespace, target: Target) -> int:
    with target.api() as api:
        for each in args.ids:
            rules.retry_instance(api.client, each)
            print(f"{each} is evaluated again")
    return exits.OK


VERBS = {
    "trigger list": Verb(_configure_list, _list),
    "trigger get": Verb(_configure_get, _get),
    "trigger instances": Verb(_configure_instances, _instances),
    "trigger emit": Verb(_configure_emit, _emit),
    "trigger re-emit": Verb(_configure_ids, _re_emit),
    "trigger retry": Verb(_configure_ids, _retry),
}
