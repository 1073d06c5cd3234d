"""The JSON Schemas of requests and answers, and the query parameters: for the OpenAPI document.

Documents may have more fields than these schemas name. A request for a list may select fewer (`include_attributes`).
"""

from __future__ import annotations

from typing import Any

from squall.api.http.event_schemas import EVENT_QUERY, EVENT_SCHEMAS
from squall.core.execution.execution import TRANSITIONS

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}
_COUNT: Schema = {"type": "integer"}
_OBJECT: Schema = {"type": "object"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_TEXTS: Schema = {"type": "array", "items": _TEXT}
_STATUS: Schema = {"type": "string", "enum": sorted(TRANSITIONS)}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _of(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    schema: Schema = {"type": "object", "properties": properties}
    return {**schema, "required": list(required)} if required else schema


QUERY: dict[str, tuple[Schema, str]] = {
    **EVENT_QUERY,
    "action": (_TEXT, "the action's ref; for output: refs, separated by commas"),
    "action_refs": (_TEXT, "refs of actions, separated by commas"),
    "after": (_TEXT, "only what comes after this position"),
    "backwards": (_FLAG, "return the last matches first"),
    "compress": (_FLAG, "compress the result with gzip"),
    "context": (_COUNT, "lines around each match"),
    "count": (_FLAG, "return only the number of matches"),
    "decrypt": (_FLAG, "show secret values; for administrators"),
    "depth": (_COUNT, "maximum number of levels below the execution"),
    "download": (_FLAG, "answer as a file to download"),
    "end_event": (_TEXT, "the event that ends the stream"),
    "end_execution_id": (_TEXT, "an execution's id; the stream ends when it ends"),
    "events": (_TEXT, "names or globs of events, separated by commas"),
    "exclude_attributes": (_TEXT, "attributes to leave out, separated by commas"),
    "execution": (_TEXT, "an execution's id"),
    "execution_ids": (_TEXT, "ids of executions, separated by commas"),
    "filter": (_TEXT, "terms path:value, separated by spaces: all must hold, as in status:failed parameters.cmd:date"),
    "fixed": (_FLAG, "the pattern is plain text, not an expression"),
    "follow": (_FLAG, "keep the answer open and send new output"),
    "format": ({"type": "string", "enum": ["text", "raw", "ndjson", "sse", "sse-raw"]}, "format of the output"),
    "from_line": (_COUNT, "number of the first line"),
    "compression": (_TEXT, "gzip or zstd: the present output as a compressed file; needs follow=false"),
    "statuses": (_FLAG, "send an event for each new status of an execution, with the name of its task"),
    "timestamps": (_FLAG, "put the time at which a line began before each line of text"),
    "from_row": (_COUNT, "the first row; a number below 1 counts from the end (0 is the last row)"),
    "to_row": (_COUNT, "the last row; a number below 1 counts from the end (0 is the last row)"),
    "line_bytes": (_COUNT, "maximum number of bytes of each line"),
    "match_stream": (
        _TEXT,
        "with rows: only lines on this stream match; rows are still counted on all streams of `stream`",
    ),
    "rows": (_FLAG, "use row numbers in request and answer: a row counts only the lines that are searched"),
    "grep": (_TEXT, "only lines that match this expression (RE2)"),
    "id": (_TEXT, "ids, separated by commas"),
    "ignore_case": (_FLAG, "ignore upper and lower case"),
    "include_attributes": (_TEXT, "attributes to show, separated by commas"),
    "lag": (
        {"type": "string", "enum": ["all", "skip"]},
        "`all`: send everything; `skip`: jump to the present if the reader is too far behind",
    ),
    "lag_mib": (_COUNT, "limit of lag=skip, MiB of output"),
    "lag_seconds": (_COUNT, "limit of lag=skip, seconds"),
    "last_event_id": (_TEXT, "id of the last event that the client received"),
    "limit": (_COUNT, "maximum number of items"),
    "liveaction": (_TEXT, "id of the liveaction; it equals the execution's id"),
    "max_result_size": (_COUNT, "leave out a result that has more bytes"),
    "name": (_TEXT, "the name"),
    "offset": (_COUNT, "number of items to skip at the beginning"),
    "output": ({"type": "string", "enum": ["full", "heads"]}, "all output, or only each execution's last line"),
    "output_type": (_TEXT, "only this stream: stdout, stderr or output"),
    "pack": (_TEXT, "name of the pack"),
    "parent": (_TEXT, "only children of this execution; `null`: only executions without a parent"),
    "pattern": (_TEXT, "the expression to search for (RE2)"),
    "policy_type": (_TEXT, "type of the policy"),
    "prefix": (_TEXT, "only names that begin with this text"),
    "pretty_format": (_FLAG, "indent the JSON"),
    "ref": (_TEXT, "the ref"),
    "resource_ref": (_TEXT, "ref of the resource that the policy applies to"),
    "resource_type": (_TEXT, "type of the resource that the policy type applies to"),
    "result_fmt": (_TEXT, "`sorted`: the oldest first; otherwise each execution comes before its descendants"),
    "rule": (_TEXT, "name of the rule"),
    "runner": (_TEXT, "name of the runner"),
    "scope": (_TEXT, "system, user or all"),
    "show_secrets": (_FLAG, "show secret values; for administrators"),
    "since": (_TEXT, "only output since this time or within this timespan (`5m`)"),
    "sort": (
        _TEXT,
        "attributes to sort by, separated by commas; `-` before a name: descending; unknown names are skipped",
    ),
    "sort_asc": (_TEXT, "the oldest first"),
    "sort_desc": (_TEXT, "the newest first (the default)"),
    "status": (_TEXT, "status of the execution"),
    "stream": (_TEXT, "stdout, stderr or output"),
    "tags": (_TEXT, "name of a tag"),
    "tail": (_COUNT, "number of last lines"),
    "task": (_TEXT, "names of tasks, separated by commas"),
    "timestamp": (_TEXT, "time of the start, or two times with .. between them"),
    "timestamp_gt": (_TEXT, "only executions that started after this time"),
    "timestamp_lt": (_TEXT, "only executions that started before this time"),
    "to_line": (_COUNT, "number of the last line"),
    "trace_tag": (_TEXT, "tag of the trace"),
    "tree": (_TEXT, "include all descendants; for watch: an execution's id, optionally `@` and a position"),
    "trigger": (_TEXT, "name of the trigger"),
    "trigger_instance": (_TEXT, "id of the trigger instance"),
    "trigger_type": (_TEXT, "type of the trigger"),
    "type": (_TEXT, "only this stream: stdout, stderr or output"),
    "types": (_TEXT, "names of the values to return, separated by commas"),
    "until": (_TEXT, "only output up to this time"),
    "user": (_TEXT, "name of the user"),
}
"""The query parameters: type and meaning."""

_ACTION = _of(
    ref=_TEXT, pack=_TEXT, name=_TEXT, description=_or_null(_TEXT), enabled=_FLAG, runner_type={}, parameters=_OBJECT,
    entry_point=_TEXT, tags={"type": "array"}, uid=_TEXT, id=_TEXT,
)  # fmt: skip
_LOG = _of(("status", "timestamp"), status=_TEXT, timestamp=_TEXT)
_EXECUTION = _of(
    id=_TEXT, status=_STATUS, action=_ACTION, runner=_OBJECT, liveaction=_OBJECT, parameters=_OBJECT, result={},
    context=_OBJECT, log={"type": "array", "items": _LOG}, start_timestamp=_TIME,
    end_timestamp=_TIME, elapsed_seconds={"type": "number"}, children=_TEXTS, parent=_TEXT, web_url=_TEXT,
    result_size=_COUNT, waiting=_TEXT, waiting_for=_OBJECT, delay=_COUNT, notify=_OBJECT,
)  # fmt: skip
_GAPS = _of(
    ("count", "bytes", "after_lines"), count=_COUNT, bytes=_COUNT, after_lines={"type": "array", "items": _COUNT}
)
_LINE = _of(
    line=_or_null(_COUNT), execution_id=_TEXT, output_type=_TEXT, timestamp=_TIME, position=_TEXT, data=_TEXT,
    complete=_FLAG, action_ref=_or_null(_TEXT), task=_or_null(_TEXT), depth=_COUNT, match=_FLAG, tag=_TEXT,
    row=_COUNT, tree_line=_COUNT, left_out=_COUNT, from_end=_FLAG,
)  # fmt: skip
_KEY = _of(
    id=_TEXT, uid=_TEXT, scope=_TEXT, name=_TEXT, value=_TEXT, secret=_FLAG, encrypted=_FLAG, expire_timestamp=_TIME,
    user=_TEXT,
)  # fmt: skip
_API_KEY = _of(
    id=_TEXT, uid=_TEXT, user=_TEXT, key_hash=_TEXT, key=_TEXT, metadata=_OBJECT, created_at=_TIME, enabled=_FLAG
)
_POLICY = _of(
    ("id", "ref"), id=_TEXT, ref=_TEXT, uid=_TEXT, pack=_TEXT, name=_TEXT, description=_or_null(_TEXT),
    resource_ref=_TEXT, policy_type=_TEXT, enabled=_FLAG, parameters=_OBJECT,
)  # fmt: skip

_MEMBER = _of(("group_id", "member_id", "capabilities"), group_id=_TEXT, member_id=_TEXT, capabilities=_OBJECT)

_GRAPH_RUN = _of(
    ("id", "status", "executions"), id=_TEXT, route=_COUNT, status=_TEXT, start_timestamp=_TIME,
    end_timestamp=_or_null(_TIME), retries=_COUNT, executions=_TEXTS,
    items=_or_null({"type": "object", "additionalProperties": _COUNT}),
)  # fmt: skip
_GRAPH_TASK = _of(
    ("name", "runs"), name=_TEXT, action=_or_null(_TEXT), join={}, status=_or_null(_TEXT),
    runs={"type": "array", "items": _GRAPH_RUN},
)  # fmt: skip
_GRAPH_EDGE = _of(
    ("from", "to", "taken"), **{"from": _TEXT, "to": _TEXT, "id": _TEXT, "when": _or_null(_TEXT), "taken": _COUNT}
)

SCHEMAS: dict[str, Schema] = {
    **EVENT_SCHEMAS,
    "Error": _of(("faultstring",), **{"faultstring": _TEXT, "conflict-id": _TEXT}),
    "Anything": {},
    "AnyBody": {},
    "ActionParameters": _of(("parameters",), parameters=_OBJECT),
    "SetAside": _of(("id", "lane", "deaths", "since"), id=_TEXT, lane=_TEXT, deaths=_COUNT, since=_TEXT),
    "Groups": _of(("groups",), groups=_TEXTS),
    "Members": _of(("members",), members={"type": "array", "items": _MEMBER}),
    "Action": _ACTION,
    "RunnerType": _of(id=_TEXT, name=_TEXT, description=_TEXT, enabled=_FLAG, runner_parameters=_OBJECT, uid=_TEXT),
    "Execution": _EXECUTION,
    "Cancelled": {"anyOf": [_EXECUTION, {"$ref": "#/components/schemas/Error"}]},
    "Filters": {"type": "object", "additionalProperties": _TEXTS},
    "Done": _of(("id",), id=_TEXT, status=_STATUS, execution=_TEXT, faultstring=_TEXT),
    "OutputStats": _of(
        ("bytes", "lines", "streams"), bytes=_COUNT, lines=_COUNT, streams=_OBJECT, execution_id=_TEXT, masked=_COUNT,
        hash=_or_null(_TEXT), first_position=_or_null(_TEXT), last_position=_or_null(_TEXT),
        first_output=_or_null(_TIME), last_output=_or_null(_TIME), gaps=_GAPS,
        tree=_of(executions=_COUNT, bytes=_COUNT, lines=_COUNT, gaps=_GAPS),
    ),
    "SearchAnswer": _of(
        count=_COUNT, resume=_or_null(_COUNT), lines={"type": "array", "items": _LINE},
        rows={"type": "array", "items": _COUNT},
    ),
    "RowsAnswer": _of(
        ("execution_id", "total", "rows", "gaps"), execution_id=_TEXT, total=_COUNT,
        rows={"type": "array", "items": _LINE},
        gaps={
            "type": "array",
            "items": _of(
                ("after_row",), after_row=_COUNT, output_type=_or_null(_TEXT), reason=_TEXT, bytes=_COUNT, limit=_COUNT
            ),
        },
    ),
    "Line": _LINE,
    "Graph": _of(
        ("execution", "tasks", "edges"), execution=_TEXT, status=_STATUS, is_final=_FLAG,
        tasks={"type": "array", "items": _GRAPH_TASK}, edges={"type": "array", "items": _GRAPH_EDGE},
    ),
    "InspectError": _OBJECT,
    "Pack": _of(
        ref=_TEXT, name=_TEXT, description=_TEXT, version=_TEXT, author=_TEXT, email=_TEXT, keywords=_TEXTS,
        files=_TEXTS, path=_TEXT, id=_TEXT, uid=_TEXT,
    ),
    "Counts": {
        "type": "object",
        "properties": {"left_out": _TEXTS, "warnings": _TEXTS},
        "additionalProperties": _COUNT,
    },
    "File": _of(("file_path", "content"), file_path=_TEXT, content=_TEXT),
    "ConfigSchema": _of(("pack", "attributes"), pack=_TEXT, attributes=_OBJECT, id=_TEXT),
    "Config": _of(("pack", "values"), pack=_TEXT, values=_OBJECT, id=_TEXT),
    "Inquiry": _of(
        ("id", "route", "schema"), id=_TEXT, route=_TEXT, ttl=_COUNT, users=_TEXTS, roles=_TEXTS, schema=_OBJECT
    ),
    "Policy": _POLICY,
    "PolicyType": _of(id=_TEXT, ref=_TEXT, name=_TEXT, resource_type=_TEXT, enabled=_FLAG, parameters=_OBJECT),
    "Trace": _of(id=_TEXT, uid=_TEXT, trace_tag=_TEXT, start_timestamp=_TIME, action_executions={"type": "array"}),
    "Key": _KEY,
    "Token": _of(("token", "user", "expiry"), id=_TEXT, token=_TEXT, user=_TEXT, expiry=_TIME, metadata=_OBJECT),
    "Valid": _of(("valid",), valid=_FLAG),
    "Enabled": _of(("enabled",), enabled=_FLAG),
    "User": _of(("username",), username=_TEXT, authentication=_OBJECT, rbac=_OBJECT),
    "ApiKey": _API_KEY,
    "Root": _of(("name", "version"), name=_TEXT, version=_TEXT, docs_url=_TEXT),
    # -- bodies of requests
    "RunRequest": _of(
        ("action",), action=_TEXT, parameters=_OBJECT, user=_TEXT, context=_OBJECT,
        delay={"type": "integer", "minimum": 0}, notify=_OBJECT,
    ),
    "RegisterBody": _of(packs=_TEXTS, types=_TEXTS, fail_on_failure=_FLAG, activate=_FLAG, installation=_TEXT),
    "ActionBody": _of(
        ("name", "runner_type"), name=_TEXT, pack=_TEXT, runner_type=_TEXT, description=_TEXT, enabled=_FLAG,
        entry_point=_TEXT, parameters=_OBJECT, output_schema=_OBJECT, notify=_OBJECT,
        data_files={"type": "array", "items": _of(("file_path", "content"), file_path=_TEXT, content=_TEXT)},
    ),
    "RunnerSwitch": _of(("enabled",), enabled=_FLAG),
    "RemoveBody": _of(remove_files=_FLAG),
    "CloneBody": _of(("dest_pack", "dest_action"), dest_pack=_TEXT, dest_action=_TEXT, overwrite=_FLAG),
    "InstallBody": _of(("packs",), packs=_TEXTS, force=_FLAG, skip_dependencies=_FLAG, python=_TEXT),
    "UninstallBody": _of(("packs",), packs=_TEXTS),
    "SearchBody": _of(query=_TEXT, pack=_TEXT),
    "Started": _of(("execution_id",), execution_id=_TEXT),
    "StatusChange": _of(("status",), status=_STATUS, result={}),
    "ReRun": _of(parameters=_OBJECT, tasks=_TEXTS, reset=_TEXTS, delay={"type": "integer", "minimum": 0}, user=_TEXT),
    "Many": _of(ids=_TEXTS, action=_TEXT, status=_STATUS, user=_TEXT, runner=_TEXT),
    "Response": _of(("id", "response"), id=_TEXT, response=_OBJECT),
    "PolicyBody": _of(
        ("name", "pack", "resource_ref", "policy_type"), id=_TEXT, name=_TEXT, pack=_TEXT, description=_TEXT,
        resource_ref=_TEXT, policy_type=_TEXT, enabled=_FLAG, parameters=_OBJECT,
    ),
    "KeyBody": _of(
        ("name", "value"), name=_TEXT, value=_TEXT, scope=_TEXT, user=_TEXT, secret=_FLAG, encrypted=_FLAG, ttl=_COUNT
    ),
    "Purge": _of(
        older_than_days={"type": "number", "minimum": 0}, pack={}, action={}, status={}, larger_than_bytes=_COUNT,
        dry_run=_FLAG, limit=_COUNT, cursor={},
    ),
    "Login": _of(ttl=_or_null({"type": "integer", "minimum": 1}), user=_TEXT),
    "TokenText": _of(("token",), token=_TEXT),
    "ApiKeyBody": _of(user=_TEXT, metadata=_OBJECT, enabled=_FLAG, key_hash=_TEXT, id=_TEXT, uid=_TEXT, key=_TEXT),
    "Text": _TEXT,
}  # fmt: skip
"""The schemas by the names that operations refer to."""
