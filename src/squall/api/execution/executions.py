"""Executions over HTTP: request, list, show, cancel, run again."""

from __future__ import annotations

import gzip
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from squall.api.execution.filters import execution_filter
from squall.api.execution.views import Views
from squall.api.http.pages import attributes, page
from squall.api.http.routes import PAGE, SELECT, Route, bound
from squall.api.http.wire import Answer, Request, failure, field
from squall.core.access.access import Identity, acting_user, check_run, reveals
from squall.core.access.secret import shown_form
from squall.core.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from squall.core.execution.document import EXCLUDABLE, FIELDS, with_visible_result
from squall.core.execution.execution import (
    COMPLETED_AS,
    COMPLETED_BY,
    PAUSED_BY,
    RESPONDED_BY,
    RESUMED_BY,
    TRANSITIONS,
    Execution,
    ExecutionFilter,
)
from squall.core.execution.notify import checked_notify
from squall.core.execution.trace import with_depth
from squall.services.execution.completing import STATUSES, Completing
from squall.services.execution.control import Control
from squall.services.execution.executions import COUNT_CAP, Executions
from squall.services.execution.executions import Request as RunRequest
from squall.services.workflow.reruns import Reruns

_DEFAULT_LIMIT = 100
_MOST_AT_ONCE = 1000
_FILTERS = ("action", "runner", "status", "user")
_OF_RULES = ("rule", "trigger", "trigger_type")
"""Filters for executions that rules requested."""
_BY = ("cancelled_by", PAUSED_BY, RESUMED_BY, RESPONDED_BY, COMPLETED_BY, COMPLETED_AS)
"""The fields of a context that name the user of a later request."""
_SHOWN_ATTRIBUTES = ("result", "trigger_instance", "status")
_MAX_DELAY = 366 * 86_400_000


def _run_request(document: dict[str, Any], identity: Identity) -> RunRequest:
    """Returns the request in a body of POST /executions. Unknown fields are ignored, as recorded. Raises
    `InvalidError`."""
    if document.get("action") is None:
        raise InvalidError("'action' is a required property")
    delay = field(document, "delay", int, "integer")
    if delay is not None and not 0 <= delay <= _MAX_DELAY:
        raise InvalidError(f"delay: {delay} is not between 0 and {_MAX_DELAY} (milliseconds)")
    return RunRequest(
        action=field(document, "action", str, "string"),
        parameters=field(document, "parameters", dict, "object", {}),
        user=acting_user(identity, field(document, "user", str, "string")),
        context=field(document, "context", dict, "object", {}),
        delay=delay,
        notify=checked_notify(document.get("notify")) or None,
        by=identity.execution,
    )


class ExecutionRoutes:
    """`/executions`, also under its older name `/actionexecutions`."""

    def __init__(
        self, executions: Executions, control: Control, views: Views, reruns: Reruns, completing: Completing
    ) -> None:
        self._executions = executions
        self._control = control
        self._completing = completing
        self._reruns = reruns
        self._views = views

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    async def _list(self, request: Request) -> Answer:
        query = request.query
        selection = attributes(query, FIELDS, EXCLUDABLE)
        part = page(query, _DEFAULT_LIMIT)
        executions, total, children = await self._executions.find(
            execution_filter(query, request.identity), part.limit, part.offset, selection.selects("result")
        )
        show_secrets = reveals(request.identity, query.boolean("show_secrets", False))
        explain = bool(selection.include) and (selection.selects("waiting") or selection.selects("waiting_for"))
        documents = [
            await self._views.execution(execution, children.get(execution.id, ()), selection, show_secrets, explain)
            for execution in executions
        ]
        return Answer(documents, headers=part.headers(total, COUNT_CAP))

    async def _request(self, request: Request) -> Answer:
        run_request = _run_request(await request.document(), request.identity)
        context = run_request.context | _context(request.header("st2-context"))
        # The server itself records these fields: a client cannot claim that another user made a later request.
        context = with_depth({name: value for name, value in context.items() if name not in _BY}, 0)
        run_request = msgspec.structs.replace(run_request, context=context)
        prepared = await self._executions.prepare(run_request)
        check_run(request.identity, prepared.action.ref)
        return await self._created(request, await self._executions.start(prepared))

    async def _created(self, request: Request, execution: Execution) -> Answer:
        show_secrets = reveals(request.identity, request.query.boolean("show_secrets", False))
        return Answer(await self._views.execution(execution, show_secrets=show_secrets), 201)

    async def _get(self, request: Request) -> Answer:
        query = request.query
        selection = attributes(query, FIELDS, EXCLUDABLE)
        execution_id = await self._executions.resolve(request.path["id"])
        execution = await self._executions.get(execution_id, selection.selects("result"))
        max_size = query.integer("max_result_size")
        if max_size is not None and execution.result_size > max_size:
            execution = msgspec.structs.replace(execution, result=None)
        children = await self._executions.child_ids([execution.id])
        show_secrets = reveals(request.identity, query.boolean("show_secrets", False))
        own_children = children.get(execution.id, ())
        return Answer(await self._views.execution(execution, own_children, selection, show_secrets, True))

    async def _update(self, request: Request) -> Answer:
        document = await request.document()
        for name in document:
            if name not in ("status", "result"):
                raise InvalidError(f"Additional properties are not allowed ({name!r} was unexpected)")
        status = field(document, "status", str, "string")
        if status is None:
            raise InvalidError("'status' is a required property")
        if status not in TRANSITIONS:
            raise InvalidError(f"{status!r} is not one of {list(TRANSITIONS)}")
        execution_id, user = await self._executions.resolve(request.path["id"]), request.identity.user
        if status in STATUSES:
            execution = await self._completing.complete(execution_id, status, document.get("result"), user)
        else:
            execution = await self._control.update(execution_id, status, user)
        return Answer(await self._views.execution(execution))

    async def _cancel(self, request: Request) -> Answer:
        execution_id = await self._executions.resolve(request.path["id"])
        try:
            execution = await self._control.cancel(execution_id, request.identity.user)
        except ConflictError as error:
            # StackStorm answers 200 here. Its client shows the text only with that status.
            return failure(200, str(error))
        return Answer(await self._views.execution(execution))

    async def _filters(self, request: Request) -> Answer:
        names = request.query.listed("types") or (*_FILTERS, *_OF_RULES)
        values = await self._executions.distinct(names)
        return Answer({**{name: [] for name in names if name in _OF_RULES}, **values})

    async def _cancel_many(self, request: Request) -> Answer:
        async def cancel(execution_id: str) -> Execution:
            return await self._control.cancel(execution_id, request.identity.user)

        return await self._many(request, cancel)

    async def _re_run_many(self, request: Request) -> Answer:
        async def re_run(execution_id: str) -> Execution:
            check_run(request.identity, (await self._executions.get(execution_id, False)).action)
            user = acting_user(request.identity, None)
            return await self._executions.re_run(execution_id, {}, user, None, by=request.identity.execution)

        return await self._many(request, re_run)

    async def _many(self, request: Request, each: Callable[[str], Awaitable[Execution]]) -> Answer:
        """Calls `each` for every execution that the body's `ids` or filters select. Returns the result of each call."""
        document = await request.document()
        ids = field(document, "ids", list, "array")
        filters = {name: field(document, name, str, "string") for name in _FILTERS}
        if (ids is None) == (not any(filters.values())):
            raise InvalidError(f"expected either ids, or some of {', '.join(_FILTERS)}")
        if ids is None:
            executions, _, _ = await self._executions.find(ExecutionFilter(**filters), _MOST_AT_ONCE, 0, False)
            ids = [execution.id for execution in executions]
        if len(ids) > _MOST_AT_ONCE or not all(isinstance(each_id, str) for each_id in ids):
            raise InvalidError(f"ids: expected at most {_MOST_AT_ONCE} ids of executions")
        results: list[dict[str, Any]] = []
        for execution_id in dict.fromkeys(ids):
            try:
                execution = await each(execution_id)
                new_id = {} if execution.id == execution_id else {"execution": execution.id}
                results.append({"id": execution_id, "status": execution.status, **new_id})
            except (ConflictError, ForbiddenError, InvalidError, NotFoundError) as error:
                results.append({"id": execution_id, "faultstring": str(error)})
        return Answer(results)

    async def _children(self, request: Request) -> Answer:
        query = request.query
        selection = attributes(query, FIELDS, EXCLUDABLE)
        depth = query.integer("depth", -1)
        execution_id = await self._executions.resolve(request.path["id"])
        descendants, children = await self._executions.children(
            execution_id, depth if depth is not None and depth > 0 else None, selection.selects("result")
        )
        if query.text("result_fmt") == "sorted":
            descendants.sort(key=lambda execution: (execution.start, execution.id))
        return Answer(
            [
                await self._views.execution(execution, children.get(execution.id, ()), selection)
                for execution in descendants
            ]
        )

    async def _attribute(self, request: Request) -> Answer:
        name = request.path["name"]
        execution = await self._executions.get(await self._executions.resolve(request.path["id"]))
        if name not in _SHOWN_ATTRIBUTES:
            valid = ", ".join(_SHOWN_ATTRIBUTES)
            raise InvalidError(f'Invalid attribute "{name}" specified. Valid attributes are: {valid}')
        values: dict[str, Any] = {
            "result": await self._views.result(execution, with_visible_result(execution).result) or {},
            "trigger_instance": {},
            "status": execution.status,
        }
        return Answer(values[name])

    async def _result(self, request: Request) -> Answer:
        query = request.query
        execution = await self._executions.get(await self._executions.resolve(request.path["id"]))
        raw = msgspec.json.encode(
            await self._views.result(execution, with_visible_result(execution).result), enc_hook=shown_form
        )
        if query.boolean("pretty_format", False):
            raw = msgspec.json.format(raw, indent=4)
        headers, content_type, suffix = {}, "text/json", ".json"
        if query.boolean("compress", False):
            raw, content_type, suffix = gzip.compress(raw), "application/x-gzip", ".json.gz"
            headers["Content-Encoding"] = "gzip"
        if query.boolean("download", False):
            headers["Content-Disposition"] = f"attachment; filename=execution_{execution.id}_result{suffix}"
        return Answer(raw=raw, headers=headers, content_type=content_type)

    async def _re_run(self, request: Request) -> Answer:
        document = await request.document()
        parameters = field(document, "parameters", dict, "object", {})
        tasks = field(document, "tasks", list, "array", [])
        reset = field(document, "reset", list, "array", [])
        delay = field(document, "delay", int, "integer")
        if delay is not None and not 0 <= delay <= _MAX_DELAY:
            raise InvalidError(f"delay: {delay} is not between 0 and {_MAX_DELAY} (milliseconds)")
        execution_id = await self._executions.resolve(request.path["id"])
        check_run(request.identity, (await self._executions.get(execution_id, False)).action)
        for name, names in (("tasks", tasks), ("reset", reset)):
            if not all(isinstance(task, str) for task in names):
                raise InvalidError(f"{name}: expected a list of names of tasks")
        user = acting_user(request.identity, field(document, "user", str, "string"))
        if not parameters:
            await self._reruns.check(execution_id, tasks, reset)
        execution = await self._executions.re_run(
            execution_id, parameters, user, delay, tasks, reset, request.identity.execution
        )
        return await self._created(request, execution)


def _context(text: str | None) -> dict[str, Any]:
    """Returns the context in the header `st2-context`. Raises `InvalidError`."""
    if not text:
        return {}
    try:
        context = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise InvalidError(f"st2-context: the header is not JSON: {error}") from error
    if not isinstance(context, dict):
        raise InvalidError("st2-context: the header must be a JSON object")
    return context


_SHOWN = (*SELECT, "show_secrets")
_LIST_FILTERS = (
    "id", "action", "status", "user", "runner", "parent", "timestamp", "timestamp_gt", "timestamp_lt", "liveaction",
    "rule", "trigger", "trigger_type", "trigger_instance", "filter", "sort", "sort_asc", "sort_desc",
)  # fmt: skip


def _table(root: str) -> tuple[Route, ...]:
    one = root + "/{id}"
    return (
        Route(
            "GET", root, ExecutionRoutes._list, "List executions, the newest first", "Execution",
            (*_LIST_FILTERS, *_SHOWN, *PAGE),
            listed=True,
        ),
        Route(
            "POST", root, ExecutionRoutes._request, "Run an action", "Execution", ("show_secrets",), "RunRequest", 201,
        ),
        Route(
            "GET", f"{root}/views/filters", ExecutionRoutes._filters, "List the values of each filter of executions",
            "Filters",
            ("types",),
        ),
        Route(
            "POST", f"{root}/cancel", ExecutionRoutes._cancel_many, "Cancel several executions", "Done", (), "Many",
            listed=True,
        ),
        Route(
            "POST", f"{root}/re_run", ExecutionRoutes._re_run_many, "Run several executions again", "Done", (), "Many",
            listed=True,
        ),
        Route(
            "GET", one, ExecutionRoutes._get, "Show one execution (`last`: the newest)", "Execution",
            (*_SHOWN, "max_result_size"),
        ),
        Route(
            "PUT", one, ExecutionRoutes._update, "Cancel, pause, resume or complete an execution", "Execution", (),
            "StatusChange",
        ),
        Route("DELETE", one, ExecutionRoutes._cancel, "Cancel an execution", "Cancelled", ("show_secrets",)),
        Route(
            "GET", f"{one}/children", ExecutionRoutes._children, "List the descendants of an execution", "Execution",
            ("depth", *SELECT, "result_fmt"),
            listed=True,
        ),
        Route(
            "GET", f"{one}/attribute/{{name}}", ExecutionRoutes._attribute, "Show one attribute of an execution",
            "Anything",
        ),
        Route(
            "GET", f"{one}/result", ExecutionRoutes._result, "Show the result of an execution", "Anything",
            ("pretty_format", "compress", "download"),
            types=("text/json", "application/x-gzip"),
        ),
        Route(
            "POST", f"{one}/re_run", ExecutionRoutes._re_run, "Run an execution again", "Execution", ("show_secrets",),
            "ReRun", 201,
        ),
    )  # fmt: skip


ROUTES = (*_table("/executions"), *_table("/actionexecutions"))
