"""`squall pack …`: lists, installs, removes and registers packs, and watches the folder of one (`dev`)."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path

from squall.cli.output.watch import configure_watch, start_and_watch
from squall.cli.terminal import exits
from squall.cli.terminal.lists import configure_list, print_table
from squall.cli.terminal.table import dump, fields, table
from squall.cli.terminal.target import Target
from squall.cli.terminal.verb import Verb
from squall.client.closest import closest
from squall.client.http import JsonObject
from squall.client.suggestions import KINDS, missing, suggesting_pack
from squall.core.errors import NotFoundError, SquallError

_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")


def _configure_list(parser: ArgumentParser) -> None:
    configure_list(parser)


def _list(args: Namespace, target: Target) -> int:
    with target.api() as api:
        packs = list(api.packs())
    if args.json:
        print(dump(packs))
    else:
        rows = [(pack.get("ref"), pack.get("version"), pack.get("description")) for pack in packs]
        print_table(args, ("pack", "version", "description"), rows)
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
    attributes = {name: pack.get(name) for name in ("description", "version", "author", "email", "path")}
    print(fields({"pack": pack.get("ref"), **attributes}))
    print("\n" + table(("file",), [(name,) for name in pack.get("files") or []]))
    return exits.OK


def _configure_register(parser: ArgumentParser) -> None:
    parser.add_argument("pack", nargs="*", help="packs that must exist and have no faults (default: all)")


def _register(args: Namespace, target: Target) -> int:
    with target.api() as api, suggesting_pack(api, args.pack):
        reply = api.register_packs(args.pack)
    print(", ".join(f"{count} {kind}" for kind, count in reply.items() if isinstance(count, int)))
    _print_notes(reply)
    return exits.OK


def _print_notes(reply: JsonObject) -> None:
    """Prints the actions that the server left out because it lacks their runner, and the warnings for authors."""
    for word, name in (("left out", "left_out"), ("warning", "warnings")):
        for text in reply.get(name) or []:
            print(f"{word}: {text}", file=sys.stderr, flush=True)


def _configure_install(parser: ArgumentParser) -> None:
    parser.add_argument(
        "source",
        nargs="+",
        help="a name in the index, owner/repository, a URL, a folder, an archive; =version behind it",
    )
    parser.add_argument("--force", action="store_true", help="install also packs for other versions")
    parser.add_argument(
        "--python",
        metavar="VERSION",
        help="the Python of their virtualenvs, such as 3.9, or a path; remembered for updates (default: the earlier "
        "choice, else the Python in the pack's metadata, else the server's)",
    )
    parser.add_argument("--skip-dependencies", action="store_true", help="do not install the packs' dependencies")
    configure_watch(parser)


def _install(args: Namespace, target: Target) -> int:
    packs = [_absolute(source) for source in args.source]
    parameters = {"packs": packs, "force": args.force, "skip_dependencies": args.skip_dependencies}
    if args.python is not None:
        parameters["python"] = args.python
    return start_and_watch(args, target, lambda api: api.request_execution("packs.install", parameters, args.delay))


def _absolute(source: str) -> str:
    """Returns the absolute path of a local source, as the server has another working directory; other sources stay as
    they are. If a plain name is also a local pack, chooses the local one and prints that."""
    path, mark, version = source.rpartition("=")
    path, version = (path, mark + version) if mark and "/" not in version else (source, "")
    absolute = str(Path(path).expanduser().resolve()) + version
    if path.startswith(("./", "../", "~", "/")) or path in (".", ".."):
        return absolute
    if "://" not in path and _is_source(Path(path)):
        print(f"{path}: installing the local pack {absolute}", file=sys.stderr, flush=True)
        return absolute
    return source


def _is_source(path: Path) -> bool:
    """Returns True if a path is a source of a pack: a pack's folder, a git repository, or an archive."""
    if path.is_file():
        return path.name.endswith(_ARCHIVES)
    marks = ("pack.yaml", ".git")
    return any((path / mark).exists() for mark in marks) or ((path / "HEAD").is_file() and (path / "objects").is_dir())


def _configure_remove(parser: ArgumentParser) -> None:
    parser.add_argument("pack", nargs="+", help="refs of packs")
    configure_watch(parser)


def _remove(args: Namespace, target: Target) -> int:
    with target.api() as api:
        names = [str(each.get("ref")) for each in api.packs()]
    for pack in args.pack:
        if pack not in names and closest(pack, names):
            raise NotFoundError(missing(KINDS["packs"], pack, names))
    parameters = {"packs": args.pack}
    return start_and_watch(args, target, lambda api: api.request_execution("packs.uninstall", parameters, args.delay))


def _configure_search(parser: ArgumentParser) -> None:
    parser.add_argument("query", help="a text in a name, a keyword or a description")
    configure_list(parser)


def _search(args: Namespace, target: Target) -> int:
    with target.api() as api:
        packs = api.search_packs(args.query)
    if args.json:
        print(dump(packs))
    else:
        rows = [(pack.get("ref") or pack.get("name"), pack.get("version"), pack.get("description")) for pack in packs]
        print_table(args, ("pack", "version", "description"), rows)
    return exits.OK


def _configure_show(parser: ArgumentParser) -> None:
    parser.add_argument("pack", help="its name")


def _show(args: Namespace, target: Target) -> int:
    with target.api() as api:
        pack = api.indexed_pack(args.pack)
        if pack is None:
            similar = closest(args.pack, [str(each.get("ref") or each.get("name")) for each in api.search_packs("")])
            advice = f"; did you mean {similar}?" if similar else ""
            raise NotFoundError(f'the index has no pack "{args.pack}"{advice}')
    print(dump(pack))
    return exits.OK


def _configure_dev(parser: ArgumentParser) -> None:
    parser.add_argument("path", type=Path, help="the pack's folder, one that the server reads (serve --packs-dir)")
    parser.add_argument(
        "--interval", type=float, default=0.5, metavar="SECONDS", help="the time between two looks (default 0.5)"
    )


def _dev(args: Namespace, target: Target) -> int:
    folder = args.path.resolve()
    with target.api() as api:
        packs = [pack for pack in api.packs() if Path(str(pack.get("path"))).resolve() == folder]
    if not packs:
        raise NotFoundError(f"the server reads no pack in {folder}: start it with --packs-dir {folder.parent}")
    ref = str(packs[0]["ref"])
    print(f"{ref}: waiting for changes in {folder} (Ctrl-C ends it)", flush=True)
    registered_stamps = None
    while True:
        stamps = _stamps(folder)
        if stamps != registered_stamps:
            registered_stamps = stamps
            _register_one(target, ref)
        time.sleep(args.interval)


def _register_one(target: Target, ref: str) -> None:
    """Registers a pack, and prints the result or the error with the time of day."""
    moment = time.strftime("%H:%M:%S")
    try:
        with target.api() as api:
            reply = api.register_packs([ref])
        counts = ", ".join(f"{count} {kind}" for kind, count in reply.items() if count and kind in _OWN)
        print(f"{moment} {ref}: {counts or 'nothing'}", flush=True)
        _print_notes(reply)
    except SquallError as error:
        print(f"{moment} {ref}: {error}", flush=True)


_OWN = ("actions", "aliases", "configs", "policies", "rules", "sensors", "triggers")


def _stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """Returns the modification time (ns) and the size (bytes) of each file in a pack's folder, without hidden ones."""
    stamps = {}
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(folder).parts)
        if not hidden and path.is_file():
            status = path.stat()
            stamps[str(path)] = (status.st_mtime_ns, status.st_size)
    return stamps


VERBS = {
    "pack install": Verb(_configure_install, _install),
    "pack remove": Verb(_configure_remove, _remove),
    "pack search": Verb(_configure_search, _search),
    "pack show": Verb(_configure_show, _show),
    "pack dev": Verb(_configure_dev, _dev),
    "pack list": Verb(_configure_list, _list),
    "pack get": Verb(_configure_get, _get),
    "pack register": Verb(_configure_register, _register),
    "pack reload": Verb(_configure_register, _register),
}
