"""`squall webhook list|get|send|configure|deliveries|replay`."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from squall.cli.access.login import read_password
from squall.cli.output.watch import Notices, open_screen, show_output, tell_ending
from squall.cli.terminal import exits
from squall.cli.terminal.lists import configure_list, moment, print_table
from squall.cli.terminal.screen import Style
from squall.cli.terminal.table import cell, dump, fields
from squall.cli.terminal.target import Target
from squall.cli.terminal.verb import Verb
from squall.client.api import Api
from squall.client.event import webhooks
from squall.client.event.rules import pages, triggers_of
from squall.client.follow import Follower
from squall.client.http import JsonObject
from squall.core.errors import InvalidError

MASK = "********"
_WEBHOOK = "core.st2.webhook"
_FORM = "application/x-www-form-urlencoded"
_WAIT = 30


def _list(args: Namespace, target: Target) -> int:
    with target.api() as api:
        hooks = webhooks.webhooks(api.client)
        if args.json:
            print(dump(hooks))
            return exits.OK
        rules = _rules_by_url(api)
    print_table(args, ("url", "rules"), [(_url_of(hook), ", ".join(rules.get(_url_of(hook), ()))) for hook in hooks])
    return exits.OK


def _rules_by_url(api: Api) -> dict[str, list[str]]:
    """Returns the refs of the rules of each webhook, by its URL; a disabled rule is marked."""
    by_url: dict[str, list[str]] = {}
    for rule in pages(api.client, "/rules", {}):
        ref = f"{rule['ref']}{'' if rule.get('enabled') else ' (disabled)'}"
        for trigger in triggers_of(rule):
            if trigger.get("type") == _WEBHOOK:
                by_url.setdefault(_url_of(trigger), []).append(ref)
    return {url: list(dict.fromkeys(refs)) for url, refs in by_url.items()}


def _url_of(hook: JsonObject) -> str:
    parameters = hook.get("parameters")
    return str(parameters.get("url", "")) if isinstance(parameters, dict) else ""


def _configure_get(parser: ArgumentParser) -> None:
    _configure_url(parser)
    parser.add_argument("-j", "--json", action="store_true", help="print JSON")


def _get(args: Namespace, target: Target) -> int:
    with target.api() as api:
        hook = webhooks.webhook(api.client, args.url)
        if args.json:
            print(dump(hook))
            return exits.OK
        rules = _rules_by_url(api).get(_url_of(hook), [])
    print(fields({"url": _url_of(hook), "rules": ", ".join(rules), "trigger": hook["ref"], "id": hook["id"]}))
    return exits.OK


# -- sending


def _configure_send(parser: ArgumentParser) -> None:
    _configure_url(parser)
    parser.add_argument("file", nargs="?", metavar="file", help="the file with the body; - reads standard input")
    parser.add_argument("-d", "--data", metavar="TEXT", help="the body")
    parser.add_argument("--form", action="store_true", help="the body is a form (a=1&b=2), not JSON")
    parser.add_argument(
        "-H", "--header", action="append", default=[], metavar="NAME:VALUE", help="another header; may be repeated"
    )
    parser.add_argument("--wait", type=int, metavar="SECONDS", help="wait until the rules are evaluated (at most 60)")
    parser.add_argument("-f", "--follow", action="store_true", help="show the output of the executions that it starts")
    parser.add_argument("-j", "--json", action="store_true", help="print JSON")


def _send(args: Namespace, target: Target) -> int:
    headers = {"Content-Type": _FORM if args.form else "application/json", **_headers(args.header)}
    content = _content(args)
    waits = args.wait is not None or args.follow or args.json
    wait = (args.wait if args.wait is not None else _WAIT) if waits else None
    with target.api() as api:
        sent = webhooks.send(api.client, args.url, content, headers, wait)
        if args.json:
            print(dump(sent.outcome))
            return exits.OK
        _tell_sent(sent)
        if sent.outcome is None:
            return exits.OK
        return _tell_outcome(api, target, sent.outcome, follow=args.follow)


def _content(args: Namespace) -> bytes:
    if args.data is not None and args.file is not None:
        raise InvalidError("give the body as a file or with --data, not both")
    if args.data is not None:
        return str(args.data).encode("utf-8", "surrogateescape")
    if args.file == "-":
        return sys.stdin.buffer.read()
    if args.file is None:
        return b""
    try:
        return Path(args.file).read_bytes()
    except OSError as error:
        raise InvalidError(f"{args.file}: the body cannot be read ({error.strerror})") from error


def _headers(texts: Sequence[str]) -> dict[str, str]:
    headers = {}
    for text in texts:
        name, colon, value = text.partition(":")
        if not colon or not name.strip():
            raise InvalidError(f"--header {text!r:.80}: write it as NAME:VALUE")
        headers[name.strip()] = value.strip()
    return headers


def _tell_sent(sent: webhooks.Sent) -> None:
    dropped = " (a duplicate: dropped)" if sent.duplicate else ""
    print(f"delivery {sent.delivery}, trigger instance {sent.instance}{dropped}", file=sys.stderr, flush=True)


def _tell_outcome(api: Api, target: Target, outcome: JsonObject, *, follow: bool) -> int:
    """Prints what an event has led to, or with `follow` the output of its executions, one after the other. Returns the
    exit status: that of the first execution that did not succeed."""
    status = exits.OK
    for enforcement in outcome["enforcements"]:
        if enforcement.get("status") == "failed":
            reason = enforcement.get("failure_reason", "")
            print(f"squall: the rule {enforcement['rule']['ref']} failed: {cell(reason)}", file=sys.stderr)
            status = exits.FAILED
    if not outcome.get("is_complete"):
        print("squall: its rules are not evaluated yet", file=sys.stderr)
        return exits.ERROR
    executions = outcome["executions"]
    kept_back = outcome.get("kept_back") or []
    for each in kept_back:
        reason = f": {cell(each['reason'])}" if each.get("reason") else ""
        print(f"the rule {each['rule']['ref']} matched, but was kept back{reason}", file=sys.stderr)
    if not executions and not kept_back and status == exits.OK:
        print(f"no rule matched: squall trigger explain {outcome['trigger_instance']['id']}", file=sys.stderr)
    for execution in executions:
        if not follow:
            print(f"{execution['id']} {execution['action']} {execution['status']}")
            continue
        status = _follow(api, target, str(execution["id"])) or status
    return status


def _follow(api: Api, target: Target, execution_id: str) -> int:
    """Shows the output of an execution to its end, as `squall tail` does. Returns its exit status."""
    screen = open_screen(target, Style())
    screen.note(execution_id)
    follower = Follower(api, execution_id, listener=Notices(screen))
    show_output(follower, screen)
    document = follower.outcome()
    tell_ending(api, screen, document)
    return exits.of_status(str(document.get("status")))


# -- settings


def _configure_configure(parser: ArgumentParser) -> None:
    _configure_url(parser)
    parser.add_argument("--preset", help="how the sender signs: github, gitlab, slack, stripe, pagerduty, …; or none")
    parser.add_argument(
        "--secret", action="append", metavar="TEXT", help="the sender's secret; other users of the machine may see it"
    )
    parser.add_argument("--secret-stdin", action="store_true", help="read the secret from standard input")
    parser.add_argument("--rotate", action="store_true", help="keep the current secret, too, beside the new one")
    parser.add_argument("--end-rotation", action="store_true", help="drop all secrets but the newest")
    duplicates = parser.add_mutually_exclusive_group()
    duplicates.add_argument("--drop-duplicates", action="store_true", default=None, help="drop repeated deliveries")
    duplicates.add_argument("--keep-duplicates", action="store_false", dest="drop_duplicates", help="do not drop them")
    parser.add_argument("--remove", action="store_true", help="remove the settings: only a credential opens the hook")
    parser.add_argument("-j", "--json", action="store_true", help="print JSON")


def _configure(args: Namespace, target: Target) -> int:
    secrets = list(args.secret or ())
    if args.secret_stdin:
        secrets.append(read_password(from_stdin=True))
    if args.rotate and args.end_rotation:
        raise InvalidError("give --rotate or --end-rotation, not both")
    if args.rotate and len(secrets) != 1:
        raise InvalidError("--rotate needs one new secret: --secret-stdin, or --secret TEXT")
    if args.end_rotation and secrets:
        raise InvalidError("--end-rotation keeps the newest secret, so it takes no other one")
    with target.api() as api:
        if args.remove:
            webhooks.remove_settings(api.client, args.url)
            return exits.OK
        stored = webhooks.settings(api.client, args.url)
        changes = args.preset or secrets or args.end_rotation or args.drop_duplicates is not None
        if changes:
            stored = webhooks.configure(api.client, args.url, _body(args, secrets, stored or {}))
    if stored is None:
        print(f"squall: the webhook {args.url} has no settings", file=sys.stderr)
        return exits.FAILED
    print(dump(stored) if args.json else fields({**stored, "secrets": str(len(stored["secrets"]))}))
    return exits.OK


def _body(args: Namespace, secrets: list[str], stored: JsonObject) -> JsonObject:
    """Returns the settings to store: the options, and what is stored in place of absent ones."""
    preset = stored.get("preset") if args.preset is None else args.preset
    drops = bool(stored.get("drop_duplicates")) if args.drop_duplicates is None else args.drop_duplicates
    if args.preset == "none":
        return {"preset": None, "secrets": [], "drop_duplicates": drops}
    if args.rotate:
        secrets = [*secrets, MASK]
    elif args.end_rotation:
        secrets = [MASK]
    elif not secrets:
        secrets = list(stored.get("secrets") or ())
    return {"preset": preset, "secrets": secrets, "drop_duplicates": drops}


# -- deliveries


def _configure_deliveries(parser: ArgumentParser) -> None:
    _configure_url(parser)
    parser.add_argument("delivery", nargs="?", metavar="id", help="show this delivery with its headers and body")
    parser.add_argument("--verdict", help="only accepted, duplicate, bad_signature, bad_body or unknown ones")
    parser.add_argument("-n", "--limit", type=int, default=20, metavar="N", help="the newest N (default: 20)")
    configure_list(parser, times=True)


def _deliveries(args: Namespace, target: Target) -> int:
    with target.api() as api:
        if args.delivery:
            document = webhooks.delivery(api.client, args.url, args.delivery)
            print(dump(document) if args.json else fields(_shown(document)))
            return exits.OK
        rows = webhooks.deliveries(api.client, args.url, args.verdict, args.limit)
    if args.json:
        print(dump(rows))
        return exits.OK
    columns = ("id", "received", "verdict", "delivery id", "trigger instance", "size", "from", "reason")
    names = ("id", "", "verdict", "delivery_id", "trigger_instance", "size", "remote", "reason")
    cells = [[moment(args, row["received_at"]) if not name else row.get(name) for name in names] for row in rows]
    print_table(args, columns, cells)
    return exits.OK


def _shown(document: JsonObject) -> JsonObject:
    headers = "\n".join(f"{each['name']}: {each['value']}" for each in document["headers"])
    executions = "\n".join(f"{each['id']} {each['action']} {each['status']}" for each in document["executions"])
    return {**document, "headers": headers, "executions": executions}


def _configure_replay(parser: ArgumentParser) -> None:
    _configure_url(parser)
    parser.add_argument("delivery", metavar="id", help="the id of a delivery that squall webhook deliveries shows")
    parser.add_argument("--force", action="store_true", help="also if it was refused, whoever sent it")
    parser.add_argument("-f", "--follow", action="store_true", help="show the output of the executions that it starts")
    parser.add_argument("-j", "--json", action="store_true", help="print JSON")


def _replay(args: Namespace, target: Target) -> int:
    with target.api() as api:
        outcome = webhooks.replay(api.client, args.url, args.delivery, force=args.force, wait=_WAIT)
        if args.json:
            print(dump(outcome))
            return exits.OK
        return _tell_outcome(api, target, outcome, follow=args.follow)


def _configure_url(parser: ArgumentParser) -> None:
    parser.add_argument("url", help="the webhook: the text behind /v1/webhooks/, such as team/deploy")


VERBS = {
    "webhook list": Verb(configure_list, _list),
    "webhook get": Verb(_configure_get, _get),
    "webhook send": Verb(_configure_send, _send),
    "webhook configure": Verb(_configure_configure, _configure),
    "webhook deliveries": Verb(_configure_deliveries, _deliveries),
    "webhook replay": Verb(_configure_replay, _replay),
}
