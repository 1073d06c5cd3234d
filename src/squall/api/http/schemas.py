"""The shapes of what the API takes and gives, as JSON Schema, and its query parameters: for the OpenAPI document.

Documents may have more fields than are named here, and lists can be asked for with fewer (`include_attributes`).
"""

from __future__ import annotations

from typing import Any

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
    made: Schema = {"type": "object", "properties": properties}
    return {**made, "required": list(required)} if required else made


QUERY: dict[str, tuple[Schema, str]] = {
    "action": (_TEXT, "the action's ref; of output: refs, separated by commas"),
    "action_refs": (_TEXT, "refs of actions, separated by commas"),
    "after": (_TEXT, "a position: what comes behind it"),
    "backwards": (_FLAG, "the last matches first"),
    "compress": (_FLAG, "as a gzip file"),
    "context": (_COUNT, "lines around each match"),
    "count": (_FLAG, "only how many there are"),
    "decrypt": (_FLAG, "show secret values, to administrators"),
    "depth": (_COUNT, "how many levels deep"),
    "download": (_FLAG, "as a file"),
    "end_event": (_TEXT, "the event that ends the stream"),
    "end_execution_id": (_TEXT, "the execution whose end ends the stream"),
    "events": (_TEXT, "names or globs of events, separated by commas"),
    "exclude_attributes": (_TEXT, "attributes to leave out, separated by commas"),
    "execution": (_TEXT, "an execution's id"),
    "execution_ids": (_TEXT, "ids of executions, separated by commas"),
    "filter": (_TEXT, "terms path:value, separated by spaces: all must hold, as in status:failed parameters.cmd:date"),
    "fixed": (_FLAG, "the pattern is a plain text"),
    "follow": (_FLAG, "go on with what is printed from now on"),
    "format": ({"type": "string", "enum": ["text", "raw", "ndjson", "sse", "sse-raw"]}, "how it is sent"),
    "from_line": (_COUNT, "the number of the first line"),
    "compression": (_TEXT, "gzip or zstd: what is there now (follow=false) as a compressed file"),
    "timestamps": (_FLAG, "in front of each line of text: when it began"),
    "from_row": (_COUNT, "the first row; below 1: counted from the end (0 is the last one)"),
    "to_row": (_COUNT, "the last row; below 1: counted from the end (0 is the last one)"),
    "line_bytes": (_COUNT, "how many bytes of each line are given at most"),
    "match_stream": (_TEXT, "of rows: only lines on this stream match, wherever rows are counted"),
    "rows": (_FLAG, "all numbers are those of rows: of lines as counted among those that are searched"),
    "grep": (_TEXT, "lines that match this expression (RE2)"),
    "id": (_TEXT, "ids, separated by commas"),
    "ignore_case": (_FLAG, "upper and lower case are the same"),
    "include_attributes": (_TEXT, "attributes to show, separated by commas"),
    "lag": ({"type": "string", "enum": ["all", "skip"]}, "what happens when the reader is too far behind"),
    "lag_mib": (_COUNT, "how far behind is too far, MiB"),
    "lag_seconds": (_COUNT, "how far behind is too far, seconds"),
    "last_event_id": (_TEXT, "the last id that was seen"),
    "limit": (_COUNT, "at most so many"),
    "liveaction": (_TEXT, "by liveaction, whose id is the execution's"),
    "max_result_size": (_COUNT, "leave out a result with more bytes"),
    "name": (_TEXT, "by name"),
    "offset": (_COUNT, "leave out so many at the beginning"),
    "output": ({"type": "string", "enum": ["full", "heads"]}, "all output, or the last line of each execution"),
    "output_type": (_TEXT, "of one stream"),
    "pack": (_TEXT, "by pack"),
    "parent": (_TEXT, "children of this execution; `null`: of none"),
    "pattern": (_TEXT, "what to look for (RE2)"),
    "policy_type": (_TEXT, "by type"),
    "prefix": (_TEXT, "names that begin with it"),
    "pretty_format": (_FLAG, "indented"),
    "ref": (_TEXT, "by ref"),
    "resource_ref": (_TEXT, "by what it is about"),
    "resource_type": (_TEXT, "by the type of what it is about"),
    "result_fmt": (_TEXT, "`sorted`: the oldest first; otherwise each before its own descendants"),
    "rule": (_TEXT, "by rule"),
    "runner": (_TEXT, "by runner"),
    "scope": (_TEXT, "system, user or all"),
    "show_secrets": (_FLAG, "show secret values, to administrators"),
    "since": (_TEXT, "from this time on, or so long ago (`5m`)"),
    "sort": (_TEXT, "attributes, separated by commas, each with - for descending; others are skipped"),
    "sort_asc": (_TEXT, "the oldest first"),
    "sort_desc": (_TEXT, "the newest first, as without it"),
    "status": (_TEXT, "by status"),
    "stream": (_TEXT, "stdout, stderr or output"),
    "tags": (_TEXT, "by tag"),
    "tail": (_COUNT, "the last so many lines"),
    "task": (_TEXT, "names of tasks, separated by commas"),
    "timestamp": (_TEXT, "started then, or between two times with .. between them"),
    "timestamp_gt": (_TEXT, "started after it"),
    "timestamp_lt": (_TEXT, "started before it"),
    "to_line": (_COUNT, "the number of the last line"),
    "trace_tag": (_TEXT, "by tag"),
    "tree": (_TEXT, "with all descendants; of watch: an execution, and @ with a position"),
    "trigger": (_TEXT, "by trigger"),
    "trigger_instance": (_TEXT, "by trigger instance"),
    "trigger_type": (_TEXT, "by type of trigger"),
    "type": (_TEXT, "of one stream"),
    "types": (_TEXT, "only these, separated by commas"),
    "until": (_TEXT, "up to this time"),
    "user": (_TEXT, "by user"),
}
"""Query parameters: type and meaning."""

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
    "Error": _of(("faultstring",), **{"faultstring": _TEXT, "conflict-id": _TEXT}),
    "Anything": {},
    "ActionParameters": _of(("parameters",), parameters=_OBJECT),
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
    # -- what is sent to it
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
"""By name, as operations refer to them."""
