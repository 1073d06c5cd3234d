"""What the OpenAPI document says of the API, asked of a real server by made-up requests, good and bad ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from tests.conftest import EXAMPLES
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import Server, serving

from squall.api.table import TABLE, api_document

# They never end; what they send is told by the scenarios. Single sign-on answers 500 as StackStorm's does.
LEFT_OUT = {route.full_path for route in TABLE if route.streams} | {"/auth/v1/sso/request"}


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory, packs: Path) -> Iterator[Server]:
    """A server of its own: what is asked of it makes, changes and removes things."""
    with serving(
        tmp_path_factory.mktemp("asked"),
        packs,
        env={**QUICK, "SQUALL_CONTENT_INDEX_URL": "nosuch.json", "SQUALL_CONTENT_PIP_OPTIONS": "--no-index"},
    ) as server:
        for number in range(3):
            server.ended(server.shell(f"echo {number}"))
        yield server


PATHS: dict[str, dict[str, Any]] = api_document("0")["paths"]
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in PATHS.items()
    if path not in LEFT_OUT
    for method, operation in methods.items()
}


def can_be_wrong(operation: dict[str, Any]) -> bool:
    """Whether there are requests that the document forbids. Every text is a good name in a path."""
    names = all(each["in"] == "path" and each["schema"] == {"type": "string"} for each in operation["parameters"])
    return "requestBody" in operation or not names


ASKED = [
    pytest.param(label, kind, id=f"{label}-{kind}")
    for label, operation in OPERATIONS.items()
    for kind in ("positive", "negative")
    if kind == "positive" or can_be_wrong(operation)
]


@pytest.fixture(scope="module")
def operations() -> dict[str, Any]:
    """What makes requests, by label. It is imported here, because the import takes long and other processes that
    collect these tests need none of it."""
    import schemathesis

    document: Any = schemathesis.openapi.from_dict(api_document("0"))
    return {operation.label: operation for found in document.get_all_operations() if (operation := found.ok())}


@pytest.mark.parametrize(("label", "kind"), ASKED)
def test_no_request_makes_an_error_or_gets_an_answer_that_is_not_told(
    asked: Server, operations: dict[str, Any], label: str, kind: str
) -> None:
    from schemathesis import GenerationMode
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    answers = [checks.status_code_conformance, checks.content_type_conformance, checks.response_schema_conformance]

    @settings(max_examples=EXAMPLES or 5, suppress_health_check=list(HealthCheck))
    @given(case=operations[label].as_strategy(generation_mode=GenerationMode(kind)))
    def ask(case: Any) -> None:
        case.call_and_validate(base_url=asked.url, checks=[not_a_server_error, *answers])

    ask()


def test_the_server_gives_the_document(asked: Server) -> None:
    assert asked.get("/openapi.json")["paths"] == api_document("0")["paths"]
