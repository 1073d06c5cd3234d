"""Use cases that create, change and delete actions over the API, beside those that files of packs describe.

An action of the API has no `metadata_file`, and stays when its pack is registered again. Error messages are
StackStorm's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Protocol

import msgspec

from squall.core.content.action import SYSTEM_PACKS, Action, Pack
from squall.core.content.metadata import read_action
from squall.core.content.returned import restored, unknown_masks
from squall.core.content.shown import action_document
from squall.core.errors import ConflictError, InvalidError, NotFoundError
from squall.core.names import is_file_name
from squall.ports import Clock, PackSource, Store, Tx
from squall.services.content.content import Content

_FIELDS = frozenset(
    {
        "id", "uid", "ref", "name", "pack", "description", "enabled", "runner_type", "entry_point", "parameters",
        "output_schema", "tags", "notify", "metadata_file", "data_files", "output_limit", "fork_server",
    }
)  # fmt: skip
_SCHEMAS = ("parameters", "output_schema")
_TYPES = {"name": str, "pack": str, "runner_type": str, "entry_point": str, "enabled": bool, "parameters": dict}
_NAMED = {str: "string", bool: "boolean", dict: "object", list: "array"}


class FileObserver(Protocol):
    """What must know of files of actions that a client has written."""

    async def written(self, tx: Tx, ref: str, paths: Sequence[str], execution: str) -> None:
        """Handles files of the action `ref` in the transaction that stores the action. `execution` is the id of the
        execution that requests it; empty if none did."""
        ...

    def hint(self) -> None:
        """Publishes hints after the transaction."""
        ...


class ActionEditing:
    """The use cases that change actions. The `observer` knows of written files."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        content: Content,
        source: PackSource,
        observer: FileObserver | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._content = content
        self._source = source
        self._observer = observer

    async def create(self, body: Mapping[str, Any], execution: str = "") -> Action:
        """Creates an action and its files. `execution` is the id of the execution that requests it. Raises
        `InvalidError`, and `ConflictError` if its pack has an action of this name."""
        pack = await self._pack(body)
        action = msgspec.structs.replace(await self._read(body, pack), id=self._clock.new_id())
        await self._check_masks(body, action)
        existing = await self._find(action.ref)
        if existing is not None:
            raise ConflictError(
                f'Tried to save duplicate unique keys: there is an action "{action.ref}" ({existing.id})', existing.id
            )
        written = await self._write(pack, body)
        await self._replace(pack, lambda actions: [*actions, action], action.ref, written, execution)
        return await self._content.action(action.ref)

    async def update(self, ref_or_id: str, body: Mapping[str, Any], execution: str = "") -> Action:
        """Replaces a whole action; another name or pack moves it. A secret default that is `********` in the request
        keeps its value. Raises `NotFoundError`, `InvalidError`, and `ConflictError` if the new name is in use.
        """
        old = await self._content.action(ref_or_id)
        _check_system(old.pack)
        pack = await self._pack({"pack": old.pack, **body})
        restored_body = {"pack": old.pack, **body, **await self._restored_schemas(body, old)}
        action = msgspec.structs.replace(await self._read(restored_body, pack), id=old.id)
        await self._check_masks(body, action)
        if action.ref == old.ref:
            action = msgspec.structs.replace(action, metadata_file=old.metadata_file)
        elif (other := await self._find(action.ref)) is not None:
            raise ConflictError(f'Tried to save duplicate unique keys: there is an action "{action.ref}"', other.id)
        written = await self._write(pack, body)
        if pack.ref != old.pack:
            await self._remove(old)

        def change(actions: list[Action]) -> list[Action]:
            return [*(each for each in actions if each.ref != old.ref), action]

        await self._replace(pack, change, action.ref, written, execution)
        return await self._content.action(action.ref)

    async def delete(self, ref_or_id: str, remove_files: bool) -> None:
        """Deletes an action, and its files if `remove_files` is true. Raises `NotFoundError`, `InvalidError`."""
        action = await self._content.action(ref_or_id)
        _check_system(action.pack)
        if remove_files:
            pack = await self._content.pack(action.pack)
            names = [f"actions/{action.entry_point}"] if action.entry_point else []
            names += [action.metadata_file] if action.metadata_file else []
            await asyncio.to_thread(self._source.remove_files, pack, names)
        await self._remove(action)

    async def clone(self, ref_or_id: str, dest_pack: str, dest_action: str, overwrite: bool) -> Action:
        """Copies an action and its files under another name. Raises `NotFoundError`, `InvalidError`."""
        action = await self._content.action(ref_or_id)
        _check_system(dest_pack)
        pack = (await self._content.packs()).get(dest_pack)
        if pack is None:
            raise InvalidError(f"Destination pack '{dest_pack}' doesn't exist")
        if not is_file_name(f"{dest_action}.yaml"):
            raise InvalidError(f'The name "{dest_action:.80}" of an action cannot be that of a file')
        ref = f"{dest_pack}.{dest_action}"
        if not overwrite and await self._find(ref) is not None:
            raise InvalidError("The requested destination action already exists")
        entry = action.entry_point
        renamed = str(PurePosixPath(entry).with_name(dest_action + PurePosixPath(entry).suffix)) if entry else ""
        files: dict[str, bytes] = {}
        origin = (await self._content.packs()).get(action.pack)
        if entry and origin is not None:
            files[f"actions/{renamed}"] = await self._content.pack_file(origin, f"actions/{entry}")
        changes = {"name": dest_action, "pack": dest_pack, "entry_point": renamed, "ref": ref}
        changes |= {"uid": f"action:{dest_pack}:{dest_action}"}
        fields = {
            key: value
            for key, value in msgspec.to_builtins(action).items()
            if key not in ("id", "uid", "ref", "metadata_file") and value not in (None, {}, [])
        }
        fields |= {key: changes[key] for key in ("name", "pack", "entry_point")}
        name = f"actions/{dest_action}.yaml"
        files[name] = msgspec.yaml.encode(fields)
        await asyncio.to_thread(self._source.write_files, pack, files)
        clone = msgspec.structs.replace(action, **changes, id=self._clock.new_id(), metadata_file=name)
        await self._replace(pack, lambda actions: [*(each for each in actions if each.ref != ref), clone])
        return await self._content.action(ref)

    async def _find(self, ref: str) -> Action | None:
        try:
            return await self._content.action(ref)
        except NotFoundError:
            return None

    async def _pack(self, body: Mapping[str, Any]) -> Pack:
        """Checks the fields of a request, and returns the pack of its action. Raises `InvalidError`."""
        for name in ("name", "runner_type"):
            if body.get(name) in (None, ""):
                raise InvalidError(f"{name!r} is a required property")
        for name, kind in _TYPES.items():
            if body.get(name) is not None and not isinstance(body[name], kind):
                raise InvalidError(f"{body[name]!r} is not of type {_NAMED[kind]!r} ({name})")
        unknown = sorted(set(body) - _FIELDS)
        if unknown:
            listed = ", ".join(repr(name) for name in unknown)
            verb = "was" if len(unknown) == 1 else "were"
            raise InvalidError(f"Additional properties are not allowed ({listed} {verb} unexpected)")
        ref = body.get("pack") or "default"
        _check_system(ref)
        pack = (await self._content.packs()).get(ref)
        if pack is None:
            raise InvalidError(f'Content pack "{ref}" is not found or doesn\'t contain actions directory.')
        return pack

    async def _read(self, body: Mapping[str, Any], pack: Pack) -> Action:
        runners = {runner.name: runner for runner in await self._content.runners()}
        if body["runner_type"] not in runners:
            raise InvalidError(
                f"RunnerType {body['runner_type']} is not found. If you are using old and deprecated runner name, you "
                f"need to switch to a new one: {', '.join(sorted(runners))}."
            )
        action = read_action({**body, "pack": pack.ref}, pack.ref, "", runners)
        if not is_file_name(f"{action.name}.yaml"):
            raise InvalidError(f'The name "{action.name:.80}" of an action cannot be that of a file')
        return action

    async def _masked(self, action: Action) -> dict[str, Any]:
        runners = {runner.name: runner for runner in await self._content.runners()}
        return action_document(action, runners.get(action.runner_type))

    async def _restored_schemas(self, body: Mapping[str, Any], old: Action) -> dict[str, Any]:
        """Returns the schemas of a request with the old secret defaults in place of their asterisks."""
        masked, original = await self._masked(old), msgspec.to_builtins(old)
        return {name: restored(body[name], masked[name], original[name]) for name in _SCHEMAS if name in body}

    async def _check_masks(self, body: Mapping[str, Any], action: Action) -> None:
        """Raises `InvalidError` if asterisks in a request stand for no known default, or for one that is not secret any
        more."""
        masked, original = await self._masked(action), msgspec.to_builtins(action)
        for kind in _SCHEMAS:
            for path in unknown_masks(body.get(kind), masked[kind], original[kind]):
                raise InvalidError(
                    f"{kind}: {path} is ********, which stands for no secret that is known here. Send the value."
                )

    async def _write(self, pack: Pack, body: Mapping[str, Any]) -> list[str]:
        """Writes the `data_files` of a request below the folder `actions` of the pack. Returns their paths. Raises
        `InvalidError`."""
        entries = body.get("data_files") or []
        files: dict[str, bytes] = {}
        for entry in entries if isinstance(entries, list) else [entries]:
            fits = isinstance(entry, dict) and all(isinstance(entry.get(key), str) for key in ("file_path", "content"))
            if not fits:
                raise InvalidError("data_files: expected a list of objects with file_path and content, which are texts")
            files[f"actions/{entry['file_path']}"] = entry["content"].encode()
        if files:
            await asyncio.to_thread(self._source.write_files, pack, files)
        return [f"{pack.path}/{name}" for name in files]

    async def _remove(self, action: Action) -> None:
        pack = await self._content.pack(action.pack)
        await self._replace(pack, lambda actions: [each for each in actions if each.ref != action.ref])

    async def _replace(
        self,
        pack: Pack,
        change: Callable[[list[Action]], list[Action]],
        ref: str = "",
        written: Sequence[str] = (),
        execution: str = "",
    ) -> None:
        async def work(tx: Tx) -> None:
            actions, _ = await tx.content.actions(pack.ref)
            await tx.content.replace_pack(pack, change(list(actions)))
            if written and self._observer is not None:
                await self._observer.written(tx, ref, written, execution)

        await self._store.tx(work)
        self._content.look_again()
        if written and self._observer is not None:
            self._observer.hint()


def _check_system(pack: str) -> None:
    if pack in SYSTEM_PACKS:
        raise InvalidError("Resources belonging to system level packs can't be manipulated")
