"""`python -m bench`: measures, prints one table, and writes it to `bench/results/`."""

from __future__ import annotations

import argparse
import pstats
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

from bench import machine, results
from bench.context import Bench, BrokenError, Machine, await_quiet
from bench.measures import MEASURES
from bench.results import Part
from bench.rows import Row, table
from bench.servers import adopt

_TOP = 25


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure less of everything: under 90 s")
    parser.add_argument("--only", metavar="NAME,…", help=f"some of: {', '.join(MEASURES)}")
    parser.add_argument(
        "--patience", metavar="SECONDS", type=float, default=0.0, help="wait so long for others before each measure"
    )
    parser.add_argument("--profile", metavar="NAME", help="run one measure with the server under cProfile")
    parser.add_argument("--sort", default="tottime", choices=("tottime", "cumtime"), help="order of the profile")
    options = parser.parse_args(argv)
    names = ([options.profile] if options.profile else []) + (options.only.split(",") if options.only else [])
    for name in names:
        if name not in MEASURES:
            parser.error(f"there is no measure {name!r}; there are {', '.join(MEASURES)}")
    return options


def _measure(bench: Bench, name: str, patience: float) -> Part:
    await_quiet(patience)
    print(f"bench: {name} ", end="", file=sys.stderr, flush=True)
    machine_watch = Machine()
    began = time.monotonic()
    rows: list[Row] = []
    try:
        for row in MEASURES[name](bench):
            rows.append(row)
    except (BrokenError, OSError) as error:
        rows.append(Row(name, "", None, note=f"BROKEN: {error}"))
    except Exception as error:
        # A defect of one measure must not cost the figures of all others.
        traceback.print_exc()
        rows.append(Row(name, "", None, note=f"BROKEN: {type(error).__name__}: {error}"))
    part = Part(name, rows, machine_watch.load(), time.monotonic() - began)
    print(f"{part.seconds:.1f} s", file=sys.stderr, flush=True)
    return part


def _profiled(name: str, sort: str, scratch: Path, patience: float) -> int:
    file = scratch / "profile"
    bench = Bench(scratch, quick=True, profile=file)
    part = _measure(bench, name, patience)
    print(table(part.rows))
    if not file.exists():
        print("bench: the server has left no profile", file=sys.stderr)
        return 1
    pstats.Stats(str(file)).strip_dirs().sort_stats(sort).print_stats(_TOP)
    return 0


def main(argv: list[str]) -> int:
    """Runs the benchmarks; 1 when one of them found that bytes were lost or an execution failed."""
    options = _arguments(argv)
    adopt()
    scratch = Path(tempfile.mkdtemp(prefix="squall-bench-"))
    try:
        if options.profile:
            return _profiled(options.profile, options.sort, scratch, options.patience)
        facts = machine.facts()
        bench = Bench(scratch, quick=options.quick, profile=None)
        names = options.only.split(",") if options.only else list(MEASURES)
        parts = [_measure(bench, name, options.patience) for name in names]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(results.summary(parts, facts, options.quick))
    if not options.only:
        results.write(parts, facts, options.quick)
    return int(any(row.squall is None for row in results.rows_of(parts)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
