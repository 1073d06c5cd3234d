"""The OpenAPI 3.1 document of the API, made from the table of operations."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

from squall.api.http.application import Route
from squall.api.http.operations import JSON, OPERATIONS, Operation
from squall.api.http.schemas import QUERY, SCHEMAS
from squall.api.http.wire import Answer, Request

AREAS = {"api": "/v1", "auth": "/auth/v1", "stream": "/stream/v1"}
_UNVERSIONED = ("/healthz", "/readyz", "/metrics", "/openapi.json")
_REF = "#/components/schemas/"


def document_path(operation: Operation) -> str:
    """Where an operation is asked for."""
    if operation.path in _UNVERSIONED:
        return operation.path
    return (AREAS[operation.area] + operation.path).rstrip("/").replace("*}", "}")


def openapi_document(version: str) -> dict[str, Any]:
    """The document; `version` is Squall's."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(document_path(operation), {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Squall", "version": version, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
                "key": {"type": "apiKey", "in": "header", "name": "St2-Api-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
                "password": {"type": "http", "scheme": "basic"},
            },
        },
        "security": [{}, {"token": []}, {"key": []}, {"bearer": []}],
    }


def _operation(operation: Operation) -> dict[str, Any]:
    names = re.findall(r"\{(\w+)\*?\}", operation.path)
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
    ]
    for name in dict.fromkeys(operation.query):
        schema, meaning = QUERY[name]
        parameters.append({"name": name, "in": "query", "schema": schema, "description": meaning})
    made: dict[str, Any] = {
        "operationId": _id(operation),
        "summary": operation.summary,
        "parameters": parameters,
        "responses": {
            str(operation.status): _answer(operation),
            **{str(code): _error(code) for code in operation.errors},
        },
    }
    if operation.body == "Text":
        made["requestBody"] = {"content": {"text/plain": {"schema": {"$ref": _REF + "Text"}}}}
    elif operation.body is not None:
        made["requestBody"] = {"content": {JSON: {"schema": {"$ref": _REF + operation.body}}}}
    if operation.body == "Login":
        made["security"] = [{"password": []}]
    return made


def _id(operation: Operation) -> str:
    words = re.findall(r"\w+", f"{operation.area} {operation.path.replace('{', 'by ')}")
    return "_".join([operation.method.lower(), *words])


def _answer(operation: Operation) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": operation.summary}
    if operation.status == HTTPStatus.NO_CONTENT:
        return answer
    schema: dict[str, Any] = {"$ref": _REF + operation.answer} if operation.answer else {}
    if operation.listed:
        schema = {"type": "array", "items": schema}
    answer["content"] = {name: {"schema": schema} if schema else {} for name in operation.types}
    return answer


def _error(code: int) -> dict[str, Any]:
    return {"description": HTTPStatus(code).phrase, "content": {JSON: {"schema": {"$ref": _REF + "Error"}}}}


class OpenApiRoutes:
    """`/openapi.json`, open to everybody: it tells what there is, and nothing of what is in it."""

    def __init__(self, version: str) -> None:
        self._document = openapi_document(version)

    def routes(self) -> list[Route]:
        """What it answers."""
        return [Route("GET", "/openapi.json", self._get, open=True)]

    async def _get(self, request: Request) -> Answer:
        return Answer(self._document)
