"""`squall rule test`: runs test cases of rules without a server."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from pathlib import Path

from squall.cli.event.documents import mapping_in
from squall.cli.terminal import exits
from squall.cli.terminal.target import Target
from squall.cli.terminal.verb import Verb
from squall.core.errors import InvalidError


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="files of test cases, or folders of them")
    parser.add_argument(
        "--base", type=Path, metavar="DIR", help="the folder of the paths in them (default: the pack's folder)"
    )


def _test(args: Namespace, target: Target) -> int:
    files = [each for path in args.files for each in (sorted(path.glob("**/*.yaml")) if path.is_dir() else [path])]
    failed = 0
    for file in files:
        lines = _deviations(file, args.base)
        failed += bool(lines)
        print(f"{'FAILED' if lines else 'ok    '} {file}")
        for line in lines:
            print(f"       {line}")
    print(f"{len(files) - failed} of {len(files)} files of test cases went as expected")
    return exits.FAILED if failed else exits.OK


def _deviations(file: Path, base: Path | None) -> list[str]:
    """Runs the cases of a file. Returns their deviations; a file that cannot be read gives one, too."""
    from squall.core.event.rehearsals.cases import deviations, read_cases
    from squall.core.event.rules.reading import make_rule
    from squall.core.expr.jinja import Jinja

    try:
        tests = read_cases(mapping_in(file))
        document = tests.rule if isinstance(tests.rule, dict) else mapping_in(_rule_file(file, base, tests.rule))
        return deviations(tests, make_rule(document), Jinja(), int(time.time() * 1_000_000))
    except InvalidError as error:
        return [str(error)]


def _rule_file(file: Path, base: Path | None, rule: str) -> Path:
    """Returns the file of a rule: below `base`, else below the nearest folder above the test cases that has it."""
    folders = [base] if base is not None else [file.parent, *file.resolve().parents]
    for folder in folders:
        if (folder / rule).is_file() and (folder / rule).resolve() != file.resolve():
            return folder / rule
    raise InvalidError(f"rule: there is no file {rule}. Write its path in the pack, such as rules/on_alert.yaml.")


VERBS = {"rule test": Verb(_configure, _test)}
