"""Every target under its kept inputs, and under hostile inputs that are made by rule."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.fuzz import hostile
from tests.fuzz.catalog import targets
from tests.fuzz.contract import Finding, Run, Target, examine, measured

CORPUS = Path(__file__).parent / "corpus"
TARGETS = targets()
LENGTH = 8 << 10

# A server only logs the warnings of Python's parsers about patterns and literals.
pytestmark = pytest.mark.filterwarnings("ignore")


def faults(name: str, folder: Path, inputs: list[tuple[str, bytes]]) -> list[str]:
    """What is wrong with these inputs of a target."""
    target = TARGETS[name]
    run = target.prepare(folder)
    measured(target, run, b"")
    findings = [(label, examine(target, run, data)) for label, data in inputs]
    return [f"{label}: {finding.kind}: {finding.reason}" for label, finding in findings if finding is not None]


@pytest.mark.parametrize("name", TARGETS)
def test_kept_inputs_raise_documented_errors_only_and_cost_little(name: str, tmp_path: Path) -> None:
    files = sorted((CORPUS / name).iterdir())
    assert files, f"the target {name} has no corpus"
    again = f"python -m tests.fuzz {name}"
    assert faults(name, tmp_path, [(f"{again} {path}", path.read_bytes()) for path in files]) == []


@pytest.mark.parametrize("name", TARGETS)
def test_hostile_inputs_raise_documented_errors_only_and_cost_little(name: str, tmp_path: Path) -> None:
    inputs = [*hostile.of_target(name), *hostile.everywhere(LENGTH)]
    assert faults(name, tmp_path, [(f"{data[:40]!r}… ({len(data)} bytes)", data) for data in inputs]) == []


def test_every_corpus_belongs_to_a_target() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)


def judged(run: Run, data: bytes) -> Finding | None:
    return examine(Target("planted", lambda _folder: run, (ValueError,)), run, data)


def quadratic(data: bytes) -> None:
    assert len({hash((one, other)) for one in data for other in data}) > 0


def test_the_oracle_finds_a_quadratic_fault_and_lets_a_linear_one_pass() -> None:
    finding = judged(quadratic, bytes(range(256)) * 8)
    assert finding is not None
    assert finding.kind == "time"
    assert judged(lambda data: data.count(b"a"), bytes(4096)) is None


def test_the_oracle_finds_errors_that_are_not_documented() -> None:
    def nested(data: bytes) -> None:
        nested(data)

    finding = judged(nested, b"")
    assert finding is not None
    assert finding.reason.startswith("RecursionError")
    assert judged(lambda _: int("no number"), b"") is None


def test_the_oracle_finds_an_input_that_takes_much_memory() -> None:
    large: list[bytearray] = []
    kinds = set()
    for _ in range(40):
        # The peak of this process may be higher than its present size.
        finding = judged(lambda _: large.append(bytearray(b"\1" * (60 << 20))), b"")
        kinds.add(finding.kind if finding is not None else "")
        if "memory" in kinds:
            break
    assert "memory" in kinds
