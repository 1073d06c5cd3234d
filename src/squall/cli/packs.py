"""`squall pack list|get|register`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from squall.cli import exits
from squall.cli.table import dump, fields, table
from squall.cli.target import Target
from squall.cli.verb import Verb


def _configure_list(parser: ArgumentParser) -> None:
    parser.add_argument("-j", "--json", action="store_true", help="print JSON")


def _list(args: Namespace, target: Target) -> int:
    with target.api() as api:
        found = list(api.packs())
    if args.json:
        print(dump(found))
    else:
        rows = [(item.get("ref"), item.get("version"), item.get("description")) for item in found]
        print(table(("pack", "version", "description"), rows))
    return exits.OK


def _configure_get(parser: ArgumentParser) -> None:
    parser.add_argument("pack", help="its reference, such as core")
    parser.add_argument("-j", "--json", action="store_true", help="print JSON")


def _get(args: Namespace, target: Target) -> int:
    with target.api() as api:
        pack = api.pack(args.pack)
    if args.json:
        print(dump(pack))
        return exits.OK
    shown = {name: pack.get(name) for name in ("description", "version", "author", "email", "path")}
    print(fields({"pack": pack.get("ref"), **shown}))
    print("\n" + table(("file",), [(name,) for name in pack.get("files") or []]))
    return exits.OK


def _configure_register(parser: ArgumentParser) -> None:
    parser.add_argument("pack", nargs="*", help="packs that must be there and without a fault (default: all)")


def _register(args: Namespace, target: Target) -> int:
    with target.api() as api:
        found = api.register_packs(args.pack)
    print(", ".join(f"{count} {kind}" for kind, count in found.items()))
    return exits.OK


VERBS = {
    "pack list": Verb(_configure_list, _list),
    "pack get": Verb(_configure_get, _get),
    "pack register": Verb(_configure_register, _register),
}
