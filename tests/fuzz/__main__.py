"""Fuzzes one target, or judges files: `python -m tests.fuzz TARGET [--seconds N] [FILE …]`.

With atheris (dependency group `fuzz`) the fuzzer is guided by coverage. Without it, Hypothesis makes the inputs.
Findings are files below `--findings`, each beside a text that says what is wrong. Exit code 1: there are findings.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.fuzz.contract import MOST_BYTES, Run, Target, allowance, examine, measured

ROOT = Path(__file__).parents[2]
SEEDS = Path(__file__).parent / "corpus"
BUILD = ROOT / ".build" / "fuzz"
SLOWER = 2
"""Instrumented code is slower, so an input must seem slower by this factor before it is judged without it."""
HANGS_AFTER = 30
MOST_FINDINGS = 5


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--findings", type=Path, default=BUILD / "findings")
    parser.add_argument("--grown", type=Path, default=BUILD / "corpus")
    options = parser.parse_args()
    if options.files:
        return judge(options.target, options.files)
    options.findings.mkdir(parents=True, exist_ok=True)
    try:
        atheris = importlib.import_module("atheris")
    except ImportError:
        print("squall: there is no atheris here, so Hypothesis makes the inputs (no coverage)", flush=True)
        return guess(find(options.target), options.seconds, options.findings)
    guide(atheris, options)
    return 0


def find(name: str) -> Target:
    """Returns the target of this name, or ends with the names that exist."""
    catalog = importlib.import_module("tests.fuzz.catalog").targets()
    if name not in catalog:
        sys.exit(f"There is no target {name}; the targets are {', '.join(catalog)}.")
    target: Target = catalog[name]
    return target


def judge(name: str, files: list[Path]) -> int:
    """Judges files without instrumentation. Prints what is wrong with each."""
    target = find(name)
    with tempfile.TemporaryDirectory() as folder:
        return judge_with(target, target.prepare(Path(folder)), files)


def judge_with(target: Target, run: Run, files: list[Path]) -> int:
    """Judges files with a prepared target."""
    name = target.name
    # What is loaded late is not the cost of an input.
    for seed in [b"", *(path.read_bytes() for path in sorted((SEEDS / name).glob("seed-*")))]:
        measured(target, run, seed)
    result = 0
    for path in files:
        finding = examine(target, run, path.read_bytes())
        if finding is not None:
            print(f"{name}: {path}: {finding.kind}: {finding.reason}", flush=True)
            result = 1
    return result


class Collector:
    """Runs inputs, and stores those that break a promise."""

    def __init__(self, target: Target, findings: Path, slower: int) -> None:
        self._target = target
        self._folder = tempfile.TemporaryDirectory()
        self._run: Run = target.prepare(Path(self._folder.name))
        self._findings = findings
        self._slower = slower
        self._seen: set[str] = set()
        self.stored = 0

    def take(self, data: bytes) -> None:
        """Runs one input. What seems wrong is judged again in a fresh process."""
        cost, finding = measured(self._target, self._run, data)
        is_slow = cost.seconds > self._slower * allowance(len(data))
        if (finding is None and not is_slow and cost.bytes <= MOST_BYTES) or self.stored >= MOST_FINDINGS:
            return
        # One input for each line of code that fails.
        key = finding.reason.rpartition("(")[2] if finding is not None else f"{is_slow} {len(data) // 256}"
        if key in self._seen:
            return
        self._seen.add(key)
        path = self._findings / f"{self._target.name}-{hashlib.sha256(data).hexdigest()[:12]}"
        path.write_bytes(data)
        command = [sys.executable, "-m", "tests.fuzz", self._target.name, str(path)]
        verdict = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
        if verdict.returncode == 0:
            path.unlink()
            return
        self.stored += 1
        text = f"{verdict.stdout.strip() or verdict.stderr.strip()[-2000:]}\nreproduce: {' '.join(command)}\n"
        path.with_suffix(".txt").write_text(text)
        print(text, flush=True)


def guide(atheris: Any, options: argparse.Namespace) -> None:
    """Fuzzes with coverage until the time is over. It does not return: the fuzzer ends the process."""
    with atheris.instrument_imports(include=["squall"]):
        target = find(options.target)
    collector = Collector(target, options.findings, SLOWER)
    grown, seeds = options.grown / target.name, SEEDS / target.name
    grown.mkdir(parents=True, exist_ok=True)
    dictionary = options.grown / f"{target.name}.dict"
    lines = ("".join(f"\\x{byte:02x}" for byte in word) for word in target.words)
    dictionary.write_text("".join(f'"{line}"\n' for line in lines))
    arguments = [
        f"-max_total_time={options.seconds}", f"-max_len={target.largest}", f"-timeout={HANGS_AFTER}",
        "-rss_limit_mb=2048", f"-artifact_prefix={options.findings}/{target.name}-",
        *([f"-dict={dictionary}"] if target.words else []),
        "-print_final_stats=1", str(grown), *([str(seeds)] if seeds.is_dir() else []),
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *arguments], collector.take)
    atheris.Fuzz()


def guess(target: Target, seconds: float, findings: Path) -> int:
    """Fuzzes with inputs that Hypothesis makes from the corpus, the target's words and random bytes."""
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st

    collector = Collector(target, findings, 1)
    end = time.monotonic() + seconds
    seeds = [path.read_bytes() for path in sorted((SEEDS / target.name).glob("*"))]
    parts = st.binary(max_size=20)
    if known := [*target.words, *seeds]:
        parts |= st.sampled_from(known)

    @settings(max_examples=1000, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(parts, max_size=30).map(b"".join))
    def some(data: bytes) -> None:
        if time.monotonic() < end:
            collector.take(data[: target.largest])

    while time.monotonic() < end and collector.stored < MOST_FINDINGS:
        some()
        for seed in seeds:
            if seed:
                damaged = bytearray(seed)
                for _ in range(random.randrange(1, 8)):
                    damaged[random.randrange(len(damaged))] = random.randrange(256)
                collector.take(bytes(damaged))
    return int(collector.stored > 0)


if __name__ == "__main__":
    sys.exit(main())
