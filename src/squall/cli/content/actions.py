"""`squall action list|get|create|delete|doctor`."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from squall.cli.execution.described import parameter_table, schemas_of
from squall.cli.execution.suggestions import suggesting_action
from squall.cli.terminal import exits
from squall.cli.terminal.lists import configure_list, print_table
from squall.cli.terminal.table import dump, fields
from squall.cli.terminal.target import Target
from squall.cli.terminal.verb import Verb
from squall.client.suggestions import hint
from squall.core.errors import InvalidError


def _configure_list(parser: ArgumentParser) -> None:
    parser.add_argument("--pack", metavar="NAME", help="only the actions of this pack")
    configure_list(parser)


def _list(args: Namespace, target: Target) -> int:
    with target.api() as api:
        actions = list(api.actions(args.pack))
        correction = hint(api, "packs", args.pack) if args.pack and not actions else None
    if correction is not None:
        print(f"squall: {correction}", file=sys.stderr)
    if args.json:
        print(dump(actions))
    else:
        rows = [(item.get("ref"), item.get("description")) for item in actions]
        print_table(args, ("action", "description"), rows)
    return exits.OK


def _configure_get(parser: ArgumentParser) -> None:
    parser.add_argument("action", help="the action's reference, such as core.local, or its id")
    configure_list(parser)


def _get(args: Namespace, target: Target) -> int:
    with target.api() as api:
        with suggesting_action(api, args.action):
            action = api.action(args.action)
        if args.json:
            print(dump(action))
            return exits.OK
        schemas = schemas_of(api, action)
    print(
        fields(
            {
                "action": action.get("ref"),
                "description": action.get("description"),
                "runner": action.get("runner_type"),
                "enabled": "yes" if action.get("enabled") else "no",
            }
        )
    )
    if schemas:
        print("\n" + parameter_table(schemas, args.wide))
    return exits.OK


def _configure_doctor(parser: ArgumentParser) -> None:
    parser.add_argument("action", help="the action's reference, such as core.local, or its id")


def _doctor(args: Namespace, target: Target) -> int:
    with target.api() as api:
        with suggesting_action(api, args.action):
            action = api.action(args.action)
        runner = api.runner(str(action.get("runner_type")))
    print(advice(action, runner))
    return exits.OK


def advice(action: Mapping[str, Any], runner: Mapping[str, Any]) -> str:
    """Returns the causes of late or cut output of an action, with remedies, as text for a person."""
    parameters = runner.get("runner_parameters") or {}
    if "timeout" not in parameters:
        return f"{action.get('ref')} starts no process, so it prints nothing."
    entry = str(action.get("entry_point") or "")
    timeout = (action.get("parameters") or {}).get("timeout", {}).get("default", parameters["timeout"].get("default"))
    lines = [
        f"{action.get('ref')} runs {entry or 'a command line'} with {runner.get('name')}.",
        "",
        "Squall shows every byte when the program writes it. If output comes late, the program itself buffers it,",
        "because it writes to a pipe and not to a terminal:",
        "  - Python prints at once: Squall sets PYTHONUNBUFFERED=1.",
        "  - grep, sed, awk and other C programs: stdbuf -oL COMMAND prints line by line.",
        "  - programs that ignore stdbuf (perl, ruby, java, static programs): pty=true gives them a terminal, which",
        "    joins stdout and stderr to one stream, with \\r\\n at line ends.",
        "",
        f"Squall ends the action after {timeout} seconds, with all processes that it started. timeout=N changes that.",
        "A process that the action leaves in the background continues; Squall does not store its later output.",
    ]
    if entry.endswith(".py"):
        lines.append("The entry point is a Python file: nothing needs to be done.")
    return "\n".join(lines)


def _configure_create(parser: ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="the action's YAML or JSON, as in a pack")
    parser.add_argument("--pack", help="the action's pack (default: the pack in the file, else default)")
    parser.add_argument("--replace", action="store_true", help="change the action with this name")


def _create(args: Namespace, target: Target) -> int:
    import yaml

    from squall.core.safe_yaml import load_yaml

    try:
        body = load_yaml(args.file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InvalidError(f"{args.file} cannot be read: {error}") from error
    if not isinstance(body, dict):
        raise InvalidError(f"{args.file}: expected a mapping with name and runner_type")
    if args.pack:
        body["pack"] = args.pack
    entry = args.file.parent / str(body.get("entry_point") or "")
    if body.get("entry_point") and entry.is_file():
        try:
            text = entry.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise InvalidError(f"{entry} is not a UTF-8 text file") from error
        body["data_files"] = [{"file_path": str(body["entry_point"]), "content": text}]
    with target.api() as api:
        action = api.create_action(body, args.replace)
    print(action.get("ref"))
    return exits.OK


def _configure_delete(parser: ArgumentParser) -> None:
    parser.add_argument("action", nargs="+", help="references, such as default.mine")
    parser.add_argument("--remove-files", action="store_true", help="remove also their files in the pack")


def _delete(args: Namespace, target: Target) -> int:
    with target.api() as api:
        for ref in args.action:
            api.delete_action(ref, args.remove_files)
    return exits.OK


VERBS = {
    "action create": Verb(_configure_create, _create),
    "action delete": Verb(_configure_delete, _delete),
    "action list": Verb(_configure_list, _list),
    "action get": Verb(_configure_get, _get),
    "action doctor": Verb(_configure_doctor, _doctor),
}
