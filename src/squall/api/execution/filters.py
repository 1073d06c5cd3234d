"""The filters of lists of executions, with StackStorm's names and meanings."""

from __future__ import annotations

from squall.api.http.pages import sort_keys
from squall.api.http.wire import Query
from squall.core.access.access import Identity, check_admin
from squall.core.errors import InvalidError
from squall.core.execution.execution import ExecutionFilter
from squall.core.execution.terms import RESULT, advanced_terms
from squall.core.timestamp import from_iso

_MAX_IDS = 100
_SORTED = {
    "id": "id",
    "liveaction": "id",
    "action": "action",
    "runner": "runner",
    "status": "status",
    "user": "user",
    "parent": "parent",
    "timestamp": "start",
}
_PATHS = {
    "action": "action.ref",
    "runner": "runner.name",
    "status": "status",
    "user": "context.user",
    "parent": "parent",
    "liveaction": "liveaction.id",
    "id": "id",
    "timestamp": "start_timestamp",
    "timestamp_gt": "start_timestamp",
    "timestamp_lt": "start_timestamp",
    "rule": "rule.name",
    "trigger": "trigger.name",
    "trigger_type": "trigger_type.name",
    "trigger_instance": "trigger_instance.id",
}
"""The path with the same meaning in an advanced filter, by parameter. If both are present, the path wins."""


def execution_filter(query: Query, identity: Identity) -> ExecutionFilter:
    """Returns the filter in a list's query. Raises `InvalidError`. Raises `ForbiddenError` for a filter by results if
    the user may not see secrets, because parts of results may be secret."""
    terms = advanced_terms(query.text("filter") or "")
    if any(term.source == RESULT for term in terms.values()):
        check_admin(identity, "filtering by result")

    def text(name: str) -> str | None:
        return None if _PATHS[name] in terms else query.text(name)

    after_us, before_us = _times(text("timestamp_gt"), text("timestamp_lt"), text("timestamp"))
    parent = text("parent")
    return ExecutionFilter(
        action=text("action"),
        status=text("status"),
        user=text("user"),
        runner=text("runner"),
        rule=_origin(text("rule")),
        trigger=_origin(text("trigger")),
        trigger_type=_origin(text("trigger_type")),
        trigger_instance=_origin(text("trigger_instance")),
        parent="" if parent and is_null(parent) else parent,
        ids=_ids(query.listed("id") if text("id") else None, text("liveaction")),
        after_us=after_us,
        before_us=before_us,
        terms=tuple(terms.values()),
        order=tuple((_SORTED[name], descending) for name, descending in sort_keys(query, _SORTED)),
        newest_first=not query.has("sort_asc"),
    )


def is_null(value: str) -> bool:
    """Returns True if a filter's value selects executions that lack the attribute."""
    return value.lower() == "null"


def _origin(value: str | None) -> str | None:
    """Returns the value of a filter for executions that rules requested; empty for executions that none did."""
    return "" if value and is_null(value) else value


def _times(after: str | None, before: str | None, between: str | None) -> tuple[int | None, int | None]:
    """Returns the bounds of the start (µs, exclusive). Raises `InvalidError`."""
    after_us = from_iso(after, "timestamp_gt") if after else None
    before_us = from_iso(before, "timestamp_lt") if before else None
    if between:
        first, _, last = between.partition("..")
        # A range includes its ends, and a single time is a range of itself.
        after_us = from_iso(first, "timestamp") - 1
        before_us = from_iso(last or first, "timestamp") + 1
    return after_us, before_us


def _ids(ids: list[str] | None, liveaction: str | None) -> tuple[str, ...] | None:
    """Returns the ids that pass all of these filters; None if any id passes. Raises `InvalidError`."""
    if ids is not None and len(ids) > _MAX_IDS:
        raise InvalidError(f"id: a request can name at most {_MAX_IDS} ids, not {len(ids)}")
    if liveaction is None:
        return tuple(ids) if ids is not None else None
    # An execution and its liveaction have one id.
    return (liveaction,) if ids is None or liveaction in ids else ()
