"""`squall inquiry list|get|respond`: questions of workflows that wait for a person's answer."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any

from squall.cli.execution.described import has_secret, parameter_table
from squall.cli.execution.parameters import Schema, assigned_names, cast, read_parameters
from squall.cli.terminal import exits
from squall.cli.terminal.lists import configure_list, print_table
from squall.cli.terminal.table import cell, dump, fields
from squall.cli.terminal.target import Target
from squall.cli.terminal.verb import Verb
from squall.client.http import JsonObject
from squall.client.inquiries import inquiry, respond, waiting_inquiries
from squall.core.errors import InvalidError


def _list(args: Namespace, target: Target) -> int:
    with target.api() as api:
        inquiries = waiting_inquiries(api.client)
    if args.json:
        print(dump(inquiries))
    else:
        rows = [(each.get("id"), each.get("route"), _asks(each), _end(each), _responders(each)) for each in inquiries]
        print_table(args, ("id", "route", "asks for", "ends", "who may answer"), rows)
    return exits.OK


def _configure_get(parser: ArgumentParser) -> None:
    parser.add_argument("inquiry", metavar="id", help="the inquiry's id")
    configure_list(parser)


def _get(args: Namespace, target: Target) -> int:
    with target.api() as api:
        document = inquiry(api.client, args.inquiry)
    if args.json:
        print(dump(document))
        return exits.OK
    values = {name: document.get(name) for name in ("id", "route")}
    print(fields({**values, "ends": _end(document), "who may answer": _responders(document)}))
    properties = _properties(document)
    if properties:
        print("\n" + parameter_table(properties, args.wide))
    return exits.OK


def _configure_respond(parser: ArgumentParser) -> None:
    parser.add_argument("inquiry", metavar="id", help="the inquiry's id")
    parser.add_argument(
        "words",
        nargs="*",
        metavar="name=value",
        help="a part of the answer; @name=path reads it from a file; without any, the terminal prompts for each part",
    )
    parser.epilog = "Other users of this machine can see secrets in a command's arguments: enter them at the prompts."


def _respond(args: Namespace, target: Target) -> int:
    """Responds to an inquiry. Raises `InvalidError` if the answer does not fit the schema, or if the answer is missing
    and there is no terminal for prompts."""
    with target.api() as api:
        properties = _properties(inquiry(api.client, args.inquiry))
        if args.words:
            if len(assigned_names(args.words)) < len(args.words):
                raise InvalidError("write each part of the answer as name=value")
            response = read_parameters(args.words, properties)
        elif not sys.stdin.isatty():
            names = " ".join(f"{name}=…" for name in properties)
            raise InvalidError(f"the answer is missing. Run: squall inquiry respond {args.inquiry} {names}".rstrip())
        else:
            response = {}
            for name, schema in properties.items():
                response.update(_prompt(name, schema))
        answer = respond(api.client, args.inquiry, response)
    print(f"answered {args.inquiry}: {cell(answer['response'])}")
    return exits.OK


def _prompt(name: str, schema: Schema) -> dict[str, Any]:
    """Prompts for one property until the answer has its type. Returns it by its name, or {} if it is left out.

    Raises `InvalidError` at the end of the input.
    """
    if description := schema.get("description"):
        print(cell(description), file=sys.stderr)
    question = f"{name} ({_hint(schema)}): "
    while True:
        text = _line(question, secret=has_secret(schema))
        if not text and "default" in schema:
            return {name: schema["default"]}
        if not text and not schema.get("required"):
            return {}
        try:
            if not text:
                raise InvalidError(f"{name} is required")
            value = cast(name, text, schema)
            if isinstance(schema.get("enum"), list) and value not in schema["enum"]:
                raise InvalidError(f"{name} must be one of {', '.join(map(cell, schema['enum']))}")
        except InvalidError as error:
            print(error, file=sys.stderr)
            continue
        return {name: value}


def _line(question: str, *, secret: bool) -> str:
    from getpass import getpass

    try:
        if secret:
            return getpass(question)
        print(question, end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
    except EOFError:
        line = ""
    if not line:
        raise InvalidError("the answer is missing: the input has ended")
    return line.rstrip("\r\n")


def _hint(schema: Schema) -> str:
    kind = schema.get("type", "string")
    parts = [" or ".join(map(str, kind)) if isinstance(kind, list) else str(kind)]
    if isinstance(schema.get("enum"), list):
        parts = [" | ".join(map(cell, schema["enum"]))]
    elif kind == "boolean":
        parts = ["yes or no"]
    if "default" in schema:
        default = "********" if has_secret(schema) else json.dumps(schema["default"], ensure_ascii=False)
        parts.append(f"Enter: {cell(default)}")
    elif not schema.get("required"):
        parts.append("may be left out")
    return ", ".join(parts)


def _properties(document: JsonObject) -> dict[str, Schema]:
    """Returns the schemas of the parts of an answer, each with its own flag `required`."""
    schema = document.get("schema") or {}
    required = schema.get("required")
    names = required if isinstance(required, list) else []
    properties = schema.get("properties")
    return {
        name: {**part, "required": part.get("required") is True or name in names}
        for name, part in (properties.items() if isinstance(properties, Mapping) else ())
        if isinstance(part, Mapping)
    }


def _asks(document: JsonObject) -> str:
    properties = _properties(document)
    return "; ".join(str(schema.get("description") or name) for name, schema in properties.items())


def _end(document: JsonObject) -> str:
    """Returns the time from the start of an inquiry to its end, in words."""
    ttl = document.get("ttl")
    return f"after {ttl} min" if isinstance(ttl, int) and ttl > 0 else "never"


def _responders(document: JsonObject) -> str:
    names = [*(document.get("users") or []), *(f"role {role}" for role in document.get("roles") or [])]
    return ", ".join(map(str, names)) or "everybody"


VERBS = {
    "inquiry list": Verb(configure_list, _list),
    "inquiry get": Verb(_configure_get, _get),
    "inquiry respond": Verb(_configure_respond, _respond),
}
