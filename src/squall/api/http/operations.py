"""What the API offers, operation by operation: the one table that the OpenAPI document is made of.

A test holds it against the routes, so that none is missing here and none is here that is not there.
"""

from __future__ import annotations

from typing import NamedTuple

READ = (400, 401, 403, 404, 503)
WRITE = (*READ, 409, 413, 415)
OPEN = (503,)
LOGIN = (400, 401, 413, 415)

JSON = "application/json"
_OUTPUT = (
    "text/plain; charset=UTF-8",
    "application/octet-stream",
    "application/x-ndjson",
    "text/event-stream; charset=UTF-8",
)
_EVENTS = ("text/event-stream; charset=UTF-8",)
_PAGE = ("limit", "offset")
_SELECT = ("include_attributes", "exclude_attributes")
_TREE = ("tree", "task", "action", "depth", "execution")
_LINES = (
    "from_line",
    "to_line",
    "tail",
    "since",
    "until",
    "grep",
    "fixed",
    "ignore_case",
    "context",
    "limit",
    "timestamps",
    "compression",
)


class Operation(NamedTuple):
    """One method of one path of an area. `query` are names of `parameters.QUERY`; `body` and `answer` name schemas (of
    a `listed` answer: of its items); `types` are the content types of the answer, `errors` its statuses beside
    `status`."""

    method: str
    path: str
    summary: str
    answer: str | None = None
    query: tuple[str, ...] = ()
    body: str | None = None
    status: int = 200
    listed: bool = False
    errors: tuple[int, ...] = READ
    types: tuple[str, ...] = (JSON,)
    area: str = "api"
    endless: bool = False


def _noun(root: str, name: str, schema: str, key: str, query: tuple[str, ...]) -> list[Operation]:
    """How a noun is listed and shown."""
    return [
        Operation("GET", root, f"List {name}s", schema, (*query, *_PAGE), listed=True),
        Operation("GET", f"{root}/{{{key}}}", f"Show one {name}", schema),
    ]


def _executions(root: str) -> list[Operation]:
    filters = (
        "id",
        "action",
        "status",
        "user",
        "runner",
        "parent",
        "timestamp",
        "timestamp_gt",
        "timestamp_lt",
        "liveaction",
        "rule",
        "trigger",
        "trigger_type",
        "trigger_instance",
        "filter",
        "sort",
        "sort_asc",
        "sort_desc",
    )
    one = root + "/{id}"
    shown = (*_SELECT, "show_secrets")
    return [
        Operation(
            "GET", root, "List executions, the newest first", "Execution", (*filters, *shown, *_PAGE), listed=True
        ),
        Operation("POST", root, "Run an action", "Execution", ("show_secrets",), "RunRequest", 201, errors=WRITE),
        Operation(
            "GET", f"{root}/views/filters", "The values that executions can be filtered by", "Filters", ("types",)
        ),
        Operation("POST", f"{root}/cancel", "Cancel many", "Done", (), "Many", listed=True, errors=WRITE),
        Operation("POST", f"{root}/re_run", "Run many again", "Done", (), "Many", listed=True, errors=WRITE),
        Operation("GET", one, "Show one execution (`last`: the newest)", "Execution", (*shown, "max_result_size")),
        Operation("PUT", one, "Cancel, pause or resume", "Execution", (), "StatusChange", errors=WRITE),
        Operation("DELETE", one, "Cancel", "Cancelled", ("show_secrets",), errors=WRITE),
        Operation(
            "GET", f"{one}/children", "Its descendants", "Execution", ("depth", *_SELECT, "result_fmt"), listed=True
        ),
        Operation("GET", f"{one}/attribute/{{name}}", "One attribute of it", "Anything"),
        Operation(
            "GET",
            f"{one}/result",
            "Its result",
            "Anything",
            ("pretty_format", "compress", "download"),
            types=("text/json", "application/x-gzip"),
        ),
        Operation(
            "POST", f"{one}/re_run", "Run it once more", "Execution", ("show_secrets",), "ReRun", 201, errors=WRITE
        ),
    ]


def _output(root: str, area: str = "api") -> Operation:
    query = (
        "format",
        "after",
        "stream",
        "type",
        "output_type",
        "follow",
        "lag",
        "lag_mib",
        "lag_seconds",
        *_TREE,
        *_LINES,
    )
    return Operation(
        "GET",
        root + "/{id}/output",
        "What it prints: so far, then live",
        None,
        query,
        errors=(*READ, 410, 416),
        types=_OUTPUT,
        area=area,
        endless=True,
    )


_AUTH = [
    Operation("POST", "/tokens", "Log in", "Token", (), "Login", 201, errors=LOGIN, area="auth"),
    Operation("DELETE", "/tokens", "Log out", status=204, errors=READ, area="auth"),
    Operation("POST", "/tokens/validate", "Is this token valid?", "Valid", (), "TokenText", errors=WRITE, area="auth"),
    Operation("GET", "/sso", "Whether there is single sign-on", "Enabled", errors=OPEN, area="auth"),
    Operation("GET", "/sso/request", "Log in by single sign-on", "Enabled", errors=(404, 500, 503), area="auth"),
    Operation("GET", "/user", "Who asks", "User"),
    *_noun("/apikeys", "API key", "ApiKey", "key", ("show_secrets", "user")),
    Operation("POST", "/apikeys", "Make an API key", "ApiKey", (), "ApiKeyBody", 201, errors=WRITE),
    Operation("PUT", "/apikeys/{key}", "Change an API key", "ApiKey", (), "ApiKeyBody", errors=WRITE),
    Operation("DELETE", "/apikeys/{key}", "Remove an API key", status=204, errors=WRITE),
]

OPERATIONS: tuple[Operation, ...] = (
    *_executions("/executions"),
    *_executions("/actionexecutions"),
    _output("/executions"),
    _output("/actionexecutions"),
    _output("/executions", "stream"),
    Operation("GET", "/executions/{id}/output/stats", "How much it has printed", "OutputStats"),
    Operation(
        "GET",
        "/executions/{id}/output/search",
        "Find lines, page by page",
        "SearchAnswer",
        (
            "pattern",
            "fixed",
            "ignore_case",
            "limit",
            "stream",
            "type",
            "from_line",
            "to_line",
            "backwards",
            "count",
            "context",
            "rows",
            "tree",
            "match_stream",
        ),
    ),
    Operation(
        "GET",
        "/executions/{id}/output/rows",
        "Lines by their place in what is shown",
        "RowsAnswer",
        ("from_row", "to_row", "stream", "type", "tree", "line_bytes"),
    ),
    Operation("GET", "/executions/{id}/output/verify", "Is what it printed undamaged?", "Anything"),
    Operation("GET", "/executions/{id}/graph", "The tasks of a workflow", "Graph"),
    Operation(
        "POST",
        "/workflows/inspect",
        "What is wrong with a workflow",
        "InspectError",
        (),
        "Text",
        listed=True,
        errors=WRITE,
    ),
    Operation(
        "GET",
        "/stream",
        "Events as they happen",
        None,
        ("events", "action_refs", "execution_ids", "end_execution_id", "end_event", "last_event_id"),
        types=_EVENTS,
        area="stream",
        endless=True,
    ),
    Operation(
        "GET",
        "/watch",
        "Events and the output of up to eight trees on one stream",
        None,
        ("events", "tree", "output", "lag", "lag_mib", "lag_seconds", "last_event_id"),
        types=_EVENTS,
        area="stream",
        endless=True,
    ),
    *_noun("/actions", "action", "Action", "ref", ("id", "pack", "name", "tags", "sort", *_SELECT)),
    Operation("POST", "/actions", "Make an action", "Action", (), "ActionBody", 201, errors=WRITE),
    Operation("PUT", "/actions/{ref}", "Change an action", "Action", (), "ActionBody", errors=WRITE),
    Operation("DELETE", "/actions/{ref}", "Remove an action", None, (), "RemoveBody", 204, errors=WRITE),
    Operation("POST", "/actions/{ref}/clone", "Copy an action", "Action", (), "CloneBody", 201, errors=WRITE),
    *_noun("/runnertypes", "runner", "RunnerType", "name", ("id", "name", "sort", *_SELECT)),
    Operation("GET", "/packs", "List packs", "Pack", ("id", "name", "ref", "sort", *_SELECT, *_PAGE), listed=True),
    Operation("GET", "/packs/{ref}", "Show one pack", "Pack"),
    Operation("POST", "/packs/register", "Look for packs again", "Counts", (), "RegisterBody", errors=WRITE),
    Operation("DELETE", "/packs/{ref}", "Forget a pack; its files stay", status=204, errors=WRITE),
    Operation("POST", "/packs/install", "Install packs", "Started", (), "InstallBody", 202, errors=WRITE),
    Operation("POST", "/packs/uninstall", "Remove packs", "Started", (), "UninstallBody", 202, errors=WRITE),
    Operation("GET", "/packs/index", "All packs that can be had", "Anything"),
    Operation("GET", "/packs/index/health", "How the lists of packs are", "Anything"),
    Operation(
        "POST", "/packs/index/search", "Look for packs that can be had", "Anything", (), "SearchBody", errors=WRITE
    ),
    Operation("GET", "/packs/views/files/{ref}", "All text files of a pack", "File", listed=True),
    Operation("GET", "/packs/views/file/{ref}/{path*}", "One file of a pack", types=("*/*",)),
    *_noun("/config_schemas", "schema of a configuration", "ConfigSchema", "pack", ("id", "name", "sort")),
    Operation(
        "GET", "/configs", "List configurations", "Config", ("id", "name", "sort", "show_secrets", *_PAGE), listed=True
    ),
    Operation("GET", "/configs/{pack}", "Show one configuration", "Config", ("show_secrets",)),
    Operation("PUT", "/configs/{pack}", "Configure a pack", "Config", ("show_secrets",), "Anything", errors=WRITE),
    *_noun("/inquiries", "inquiry", "Inquiry", "id", _SELECT),
    Operation("PUT", "/inquiries/{id}", "Answer an inquiry", "Response", (), "Response", errors=WRITE),
    *_noun("/policytypes", "type of policy", "PolicyType", "ref", ("id", "name", "resource_type", "sort", *_SELECT)),
    *_noun("/policies", "policy", "Policy", "ref", ("id", "name", "pack", "policy_type", "resource_ref", *_SELECT)),
    Operation("POST", "/policies", "Make a policy", "Policy", (), "PolicyBody", 201, errors=WRITE),
    Operation("PUT", "/policies/{ref}", "Change a policy", "Policy", (), "PolicyBody", errors=WRITE),
    Operation("DELETE", "/policies/{ref}", "Remove a policy", status=204, errors=WRITE),
    *_noun(
        "/traces",
        "trace",
        "Trace",
        "id",
        ("id", "name", "trace_tag", "execution", "rule", "trigger_instance", "sort", "sort_asc", "sort_desc", *_SELECT),
    ),
    Operation(
        "GET",
        "/keys",
        "List keys of the datastore",
        "Key",
        ("id", "name", "prefix", "scope", "user", "decrypt", "sort", *_SELECT, *_PAGE),
        listed=True,
    ),
    Operation("GET", "/keys/{name}", "Show one key", "Key", ("scope", "user", "decrypt")),
    Operation("PUT", "/keys/{name}", "Write a key", "Key", (), "KeyBody", errors=WRITE),
    Operation("DELETE", "/keys/{name}", "Remove a key", None, ("scope", "user"), status=204, errors=WRITE),
    Operation("GET", "/storage", "What takes space", "Anything", ("limit",)),
    Operation("POST", "/storage/purge", "Remove finished executions", "Anything", (), "Purge", errors=WRITE),
    *_AUTH,
    Operation("GET", "/", "What this is", "Root", errors=READ),
    Operation("GET", "/healthz", "Does the server live?", "Anything", errors=OPEN),
    Operation("GET", "/readyz", "Does it serve?", "Anything", errors=OPEN),
    Operation(
        "GET",
        "/metrics",
        "Figures in the form of Prometheus",
        errors=READ,
        types=("text/plain; version=0.0.4; charset=utf-8",),
    ),
    Operation("GET", "/schemas", "Schemas of metadata files", "Anything", errors=READ),
    Operation("GET", "/schemas/{name}", "One of them", "Anything", errors=READ, types=("application/schema+json",)),
    Operation("GET", "/openapi.json", "This document", "Anything", errors=()),
)
"""Everything that is answered."""
