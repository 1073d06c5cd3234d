"""The OpenAPI document tells of every route, and of nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

from jsonschema import Draft202012Validator

from squall.api.http.openapi import document_path, openapi_document
from squall.api.http.operations import OPERATIONS
from squall.api.http.schemas import QUERY, SCHEMAS

FOR_THE_PAGE = Path(__file__).parents[4] / "web" / "openapi.json"
API = Path(__file__).parents[4] / "src" / "squall" / "api"


def test_the_page_is_made_for_this_api() -> None:
    assert json.loads(FOR_THE_PAGE.read_text()) == openapi_document("0"), "run `make openapi`"


def test_every_schema_is_one() -> None:
    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)


def test_every_name_that_is_used_is_there_and_none_is_there_in_vain() -> None:
    document = openapi_document("1.2.3")
    used = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(document)))
    assert used | {"Line"} == set(SCHEMAS)
    assert {name for operation in OPERATIONS for name in operation.query} == set(QUERY)


def test_no_operation_is_told_twice() -> None:
    told = [(operation.method, document_path(operation)) for operation in OPERATIONS]
    assert len(set(told)) == len(told)
    ids = [each["operationId"] for path in openapi_document("")["paths"].values() for each in path.values()]
    assert len(set(ids)) == len(ids)


def test_every_query_parameter_that_is_read_is_told() -> None:
    read = set()
    for path in API.rglob("*.py"):
        read |= set(re.findall(r'query\.(?:text|listed|integer|boolean|has)\("(\w+)"', path.read_text()))
    assert read - set(QUERY) - {"raw_data"} == set()


def test_every_route_is_told_and_nothing_else() -> None:
    routes = set()
    for path in API.rglob("*.py"):
        for method, root, rest, more in re.findall(
            r'Route\(\s*"([A-Z]+)",\s*(root\b)?(?: \+ )?(?:"([^"]*)")?,([^)]*)\)', path.read_text()
        ):
            area = re.search(r'area="(\w+)"', more)
            for prefix in ("/executions", "/actionexecutions") if root else ("",):
                routes.add((method, prefix + rest, area.group(1) if area else "api"))
    assert routes == {(operation.method, operation.path, operation.area) for operation in OPERATIONS}
