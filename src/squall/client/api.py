"""The server's nouns as typed calls. Documents stay plain JSON objects, as the server sent them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

from squall.client.http import DOUBT, Client, JsonObject, Query
from squall.client.paths import path_of
from squall.core.errors import NotFoundError, SquallError

PAGE = 100


class Page(NamedTuple):
    """A part of a list's items, and the total number of items (as far as the server counts)."""

    items: list[JsonObject]
    total: int


class Api:
    """The calls of one server. Every method raises the errors of `Client.request`. As a context, it closes itself."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()

    def login(self, user: str, password: str, ttl: int | None = None) -> JsonObject:
        """Logs a user in. Returns the token, which is valid for `ttl` seconds (None: the server's default)."""
        from base64 import b64encode

        basic = "Basic " + b64encode(f"{user}:{password}".encode()).decode()
        body = {} if ttl is None else {"ttl": ttl}
        return document_of(self.client.with_credentials({"Authorization": basic}).request(
            "POST", "/tokens", body=body, auth=True
        ).body)  # fmt: skip

    def logout(self) -> None:
        """Revokes the token of this client."""
        self.client.request("DELETE", "/tokens", auth=True)

    def whoami(self) -> JsonObject:
        """Returns the user of this client, as the server identifies it."""
        return document_of(self.client.request("GET", "/user").body)

    def action(self, ref: str) -> JsonObject:
        """Returns the action with a `pack.name` or id. Raises `NotFoundError`."""
        return document_of(self.client.request("GET", path_of("actions", ref)).body)

    def actions(self, pack: str | None = None) -> Iterator[JsonObject]:
        """Yields every action, or those of one pack, in the server's order, fetched in pages."""
        yield from self._all("/actions", {"pack": pack})

    def packs(self) -> Iterator[JsonObject]:
        """Yields every pack."""
        yield from self._all("/packs", {})

    def pack(self, ref: str) -> JsonObject:
        """Returns one pack. Raises `NotFoundError`."""
        return document_of(self.client.request("GET", path_of("packs", ref)).body)

    def register_packs(self, packs: Sequence[str]) -> JsonObject:
        """Registers packs from their folders again (none: all packs). Returns the number of their items by kind."""
        body = {"packs": list(packs)} if packs else {}
        return document_of(self.client.request("POST", "/packs/register", body=body).body)

    def inspect_workflow(self, document: Mapping[str, Any]) -> list[JsonObject]:
        """Returns the faults of a workflow's definition and of the actions that it names."""
        return documents_of(self.client.request("POST", "/workflows/inspect", body=document).body)

    def create_action(self, body: JsonObject, replace: bool) -> JsonObject:
        """Creates an action, or with `replace` changes the action with its name."""
        ref = f"{body.get('pack') or 'default'}.{body.get('name')}"
        method, path = ("PUT", path_of("actions", ref)) if replace else ("POST", "/actions")
        return document_of(self.client.request(method, path, body=body).body)

    def delete_action(self, ref: str, remove_files: bool) -> None:
        """Removes an action. Raises `NotFoundError`."""
        self.client.request("DELETE", path_of("actions", ref), body={"remove_files": remove_files})

    def search_packs(self, query: str) -> list[JsonObject]:
        """Returns the packs of the index that match a text."""
        return documents_of(self.client.request("POST", "/packs/index/search", body={"query": query}).body)

    def indexed_pack(self, name: str) -> JsonObject | None:
        """Returns the entry of a pack in the index, or None."""
        entry = self.client.request("POST", "/packs/index/search", body={"pack": name}).body
        return None if entry is None else document_of(entry)

    def runner(self, name: str) -> JsonObject:
        """Returns the runner with this name. Raises `NotFoundError`."""
        runners = documents_of(self.client.request("GET", "/runnertypes/", query={"name": name}).body)
        if not runners:
            raise NotFoundError(f"runner {name!r} does not exist; squall runner list shows all")
        return runners[0]

    def runners(self) -> Iterator[JsonObject]:
        """Yields every runner."""
        yield from self._all("/runnertypes", {})

    def request_execution(self, action: str, parameters: Mapping[str, Any], delay: int | None = None) -> JsonObject:
        """Requests an execution, which starts after `delay` milliseconds, if any. Returns its document."""
        body: JsonObject = {"action": action, "parameters": dict(parameters)}
        if delay:
            body["delay"] = delay
        return document_of(self.client.request("POST", "/executions", body=body).body)

    def execution(self, execution_id: str, *, exclude: str | None = None, only: str | None = None) -> JsonObject:
        """Returns one execution by its id or `last`, without or with only some attributes (names joined by commas)."""
        query = {"exclude_attributes": exclude, "include_attributes": only}
        return document_of(self.client.request("GET", path_of("executions", execution_id), query=query).body)

    def executions(self, query: Query) -> Page:
        """Returns the newest executions that match the filters in `query`."""
        answer = self.client.request("GET", "/executions", query=query)
        items = documents_of(answer.body)
        return Page(items, _count(answer.headers.get("x-total-count"), len(items)))

    def cancel(self, execution_id: str) -> JsonObject:
        """Cancels an execution.

        Returns its document, or an object with `faultstring` if the execution cannot be canceled (any more).
        """
        return document_of(self.client.request("DELETE", path_of("executions", execution_id)).body)

    def change_status(self, execution_id: str, status: str) -> JsonObject:
        """Pauses (`pausing`) or resumes (`resuming`) a workflow. Returns its document. Raises `InvalidError`."""
        path = path_of("executions", execution_id)
        return document_of(self.client.request("PUT", path, body={"status": status}).body)

    def run_again(
        self,
        execution_id: str,
        parameters: Mapping[str, Any],
        delay: int | None = None,
        tasks: Sequence[str] = (),
        reset: Sequence[str] = (),
    ) -> JsonObject:
        """Requests the same execution again with some parameters changed. Returns the new execution's document.

        For an ended workflow, `tasks` are the tasks to continue from (`*`: the failed tasks). `reset` names the tasks
        of which all items run again.
        """
        body = {"parameters": dict(parameters), "tasks": list(tasks), "reset": list(reset), "delay": delay or 0}
        return document_of(self.client.request("POST", path_of("executions", execution_id, "re_run"), body=body).body)

    def many(self, verb: str, ids: Sequence[str], filters: Mapping[str, str]) -> list[JsonObject]:
        """Applies `verb` (`cancel`, `re_run`) to executions, by their `ids` or by `filters`. Returns for each its `id`,
        and its `status`, the new `execution`, or `faultstring`."""
        body: JsonObject = {"ids": list(ids)} if ids else dict(filters)
        answer = self.client.request("POST", f"/executions/{verb}", body=body).body
        return [item for item in answer if isinstance(item, dict)] if isinstance(answer, list) else []

    def storage(self, limit: int) -> JsonObject:
        """Returns the usage of storage, with the `limit` largest packs and actions."""
        return document_of(self.client.request("GET", "/storage", query={"limit": limit}).body)

    def purge(self, selection: Mapping[str, Any]) -> Iterator[JsonObject]:
        """Removes finished executions. Yields for each page the number of its `executions`, `trees` and `bytes`."""
        cursor: Any = None
        while True:
            page = document_of(self.client.request("POST", "/storage/purge", body={**selection, "cursor": cursor}).body)
            yield page
            if (cursor := page.get("cursor")) is None:
                return

    def verify_output(self, execution_id: str) -> JsonObject:
        """Returns the result of a check that reads every byte of an execution's tree. It may take long."""
        return document_of(self.client.request("GET", path_of("executions", execution_id, "output", "verify")).body)

    def keys(self, scope: str, *, prefix: str | None = None, decrypt: bool = False) -> Iterator[JsonObject]:
        """Yields every key of a scope (`system`, `user` or `all`)."""
        query = {"scope": scope, "prefix": prefix, "decrypt": "true" if decrypt else None, "limit": -1}
        yield from documents_of(self.client.request("GET", "/keys", query=query).body)

    def key(self, name: str, scope: str, *, decrypt: bool = False) -> JsonObject:
        """Returns one key. Raises `NotFoundError`."""
        query = {"scope": scope, "decrypt": "true" if decrypt else None}
        return document_of(self.client.request("GET", path_of("keys", name), query=query).body)

    def set_key(
        self,
        name: str,
        value: str,
        scope: str,
        *,
        secret: bool = False,
        encrypted: bool = False,
        ttl: int | None = None,
    ) -> JsonObject:
        """Writes a key. `encrypted`: `value` is ciphertext already. `ttl` is in seconds."""
        body: JsonObject = {"name": name, "value": value, "scope": scope, "secret": secret, "encrypted": encrypted}
        if ttl is not None:
            body["ttl"] = ttl
        return document_of(self.client.request("PUT", path_of("keys", name), body=body).body)

    def delete_key(self, name: str, scope: str) -> None:
        """Removes a key. Raises `NotFoundError`."""
        self.client.request("DELETE", path_of("keys", name), query={"scope": scope})

    def output_stats(self, execution_id: str) -> JsonObject:
        """Returns the size of an execution's output."""
        return document_of(self.client.request("GET", path_of("executions", execution_id, "output", "stats")).body)

    def _all(self, path: str, query: Query) -> Iterator[JsonObject]:
        offset = 0
        while True:
            answer = self.client.request("GET", path, query={**query, "limit": PAGE, "offset": offset})
            items = documents_of(answer.body)
            yield from items
            offset += len(items)
            if not items or offset >= _count(answer.headers.get("x-total-count"), 0):
                return


def document_of(body: Any) -> JsonObject:
    """Returns the document in an answer. Raises `SquallError` if the answer is not a document."""
    if not isinstance(body, dict):
        raise SquallError(f"the answer is {_kind(body)} instead of a document: {DOUBT}")
    return body


def documents_of(body: Any) -> list[JsonObject]:
    """Returns the documents in an answer. Raises `SquallError` if the answer is not a list of documents."""
    if not isinstance(body, list) or not all(isinstance(item, dict) for item in body):
        raise SquallError(f"the answer is {_kind(body)} instead of a list of documents: {DOUBT}")
    return body


def _kind(body: Any) -> str:
    """Returns the JSON type of an answer, in words."""
    match body:
        case None:
            return "empty"
        case dict():
            return "a document"
        case list():
            return "a list"
    return "a plain value"


def _count(header: str | None, otherwise: int) -> int:
    """Returns the number in a counting header. A capped number may have a mark after its digits."""
    digits = (header or "").rstrip("+")
    return int(digits) if digits.isascii() and digits.isdigit() else otherwise
