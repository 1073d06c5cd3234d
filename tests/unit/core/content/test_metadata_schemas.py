"""Schemas for editors: they are schemas, and everything that comes with Squall is what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from squall.core.content.metadata_schemas import FILES, SCHEMAS

BUNDLED = Path(__file__).parents[4] / "src" / "squall" / "packs"


@pytest.mark.parametrize("kind", SCHEMAS)
def test_each_is_a_schema_that_the_files_of_our_packs_fit(kind: str) -> None:
    Draft7Validator.check_schema(SCHEMAS[kind])
    seen = 0
    for pack in sorted(path.parent for path in BUNDLED.glob("*/pack.yaml")):
        for path in [path for pattern in FILES[kind] for path in pack.glob(pattern)]:
            document: Any = yaml.safe_load(path.read_text())
            if kind == "workflow" and "chain" in document:
                continue
            assert [error.message for error in Draft7Validator(SCHEMAS[kind]).iter_errors(document)] == [], path
            seen += 1
    assert seen or kind in ("policy", "sensor", "trigger")


def test_a_policy_fits_its_schema() -> None:
    policy = {
        "name": "p",
        "resource_ref": "a.b",
        "policy_type": "action.concurrency",
        "parameters": {"threshold": 1, "action": "delay"},
    }
    assert list(Draft7Validator(SCHEMAS["policy"]).iter_errors(policy)) == []


@pytest.mark.parametrize(
    ("kind", "document", "told"),
    [
        ("action", {"name": "a"}, "'runner_type' is a required property"),
        (
            "action",
            {"name": "a", "runner_type": "noop", "parameters": {"a": {"type": "strng"}}},
            "'strng' is not one of",
        ),
        ("action", {"name": "a", "runner_type": "noop", "parametrs": {}}, "'parametrs' is not one of"),
        (
            "action",
            {"name": "a", "runner_type": "noop", "parameters": {"a": {"requried": True}}},
            "'requried' is not one of",
        ),
        ("rule", {"name": "r", "trigger": {}, "action": {"ref": "a.b"}}, "'type' is a required property"),
        ("pack", {"name": "p", "description": "d", "version": "1", "author": "a", "ref": "A-b"}, "does not match"),
        ("config", {"a-b": {}}, "does not match"),
    ],
)
def test_what_is_wrong_is_marked(kind: str, document: Any, told: str) -> None:
    assert told in " ".join(error.message for error in Draft7Validator(SCHEMAS[kind]).iter_errors(document))
