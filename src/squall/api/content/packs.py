"""Packs over HTTP: their list, files, configurations and registration."""

from __future__ import annotations

import mimetypes
from typing import Any

import msgspec

from squall.api.http.pages import attributes, ordered, page
from squall.api.http.routes import PAGE, SELECT, Route, admin, bound, noun
from squall.api.http.wire import FILE_DEFENCES, Answer, Request, field, texts
from squall.core.access.access import reveals
from squall.core.content.action import Pack, document
from squall.core.errors import InvalidError, NotFoundError
from squall.core.execution.document import select
from squall.core.execution.policy import POLICY_TYPES
from squall.services.content.content import Content
from squall.services.content.pack_configs import PackConfigs
from squall.services.content.registration import Registration

_FIELDS = frozenset(item.name for item in msgspec.structs.fields(Pack))
_DEFAULT_LIMIT = 100
_LARGEST = 1 << 20
"""The size of the largest file in the answer with all files of a pack, in bytes."""

_KINDS = (
    "all", "runner", "action", "actions", "trigger", "triggers", "sensor", "sensors", "rule", "rules", "rule_type",
    "rule_types", "alias", "aliases", "policy_type", "policy_types", "policy", "policies", "config", "configs",
)  # fmt: skip
_NEED = {"actions": "runners", "rules": "rule_types", "policies": "policy_types"}
"""The kind of content that must be registered before another kind, by the other kind."""
_NAMES = {
    "runner": "runners",
    "trigger": "triggers",
    "sensor": "sensors",
    "rule": "rules",
    "rule_type": "rule_types",
    "alias": "aliases",
}
_NAMES |= {"policy_type": "policy_types", "policy": "policies", "config": "configs", "action": "actions"}


class PackRoutes:
    """`/packs`, `/configs`, `/config_schemas`."""

    def __init__(self, content: Content, configs: PackConfigs, registration: Registration) -> None:
        self._content = content
        self._configs = configs
        self._registration = registration

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    async def _list(self, request: Request) -> Answer:
        query = request.query
        selection = attributes(query, _FIELDS)
        ids, names, refs = query.listed("id"), query.listed("name"), query.listed("ref")
        packs = [
            pack
            for pack in (await self._content.packs()).values()
            if (ids is None or pack.id in ids) and (names is None or pack.name in names)
            and (refs is None or pack.ref in refs)
        ]  # fmt: skip
        packs = ordered(packs, query, ("id", "name", "ref"), lambda pack, name: str(getattr(pack, name)))
        return _page(request, [select(document(pack), selection.include, selection.exclude) for pack in packs])

    async def _get(self, request: Request) -> Answer:
        return Answer(document(await self._content.pack(request.path["ref"])))

    async def _file(self, request: Request) -> Answer:
        pack = await self._content.pack(request.path["ref"])
        name = request.path["path"]
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return Answer(raw=await self._content.pack_file(pack, name), content_type=kind, headers=FILE_DEFENCES)

    async def _files(self, request: Request) -> Answer:
        """Returns all text files of a pack that are not larger than `_LARGEST`."""
        pack = await self._content.pack(request.path["ref"])
        files = []
        for name in pack.files:
            try:
                data = await self._content.pack_file(pack, name)
                if len(data) <= _LARGEST:
                    files.append({"file_path": name, "content": data.decode()})
            except (InvalidError, NotFoundError, UnicodeDecodeError):
                continue
        return Answer(files)

    async def _register(self, request: Request) -> Answer:
        """Registers packs. Returns the number of registered items for each requested kind. It registers all kinds of
        the packs; content without changes stays as it is. `left_out` names actions whose runner does not exist,
        `warnings` content that is hardly meant as it is."""
        body = await request.document()
        packs, kinds = texts(body, "packs"), texts(body, "types") or ["all"]
        for kind in kinds:
            if kind not in _KINDS:
                raise InvalidError(f"{kind!r} is not one of {list(_KINDS)}")
        strict = field(body, "fail_on_failure", bool, "boolean", True)
        if field(body, "activate", bool, "boolean", False):
            installation = field(body, "installation", str, "string", "")
            await self._registration.activate(packs, strict, installation)
        result = await self._registration.register(packs or None)
        faults = [f"{pack}: {text}" for pack, text in result.faults if not packs or pack in packs]
        for pack in packs:
            if pack not in result.packs:
                raise InvalidError("\n".join([f'Pack "{pack}" not found on disk', *faults]))
        refs = packs or list(result.packs)
        configs, config_faults = await self._configs.check(refs)
        if strict and (faults or config_faults):
            doubts = [f"{pack}: {text}" for pack, text in result.doubts if not packs or pack in packs]
            raise InvalidError("\n".join(faults + config_faults + doubts))
        # Squall has no rules yet, and so no types of rules.
        counts = {"runners": result.runners, "rule_types": 0, "policy_types": len(POLICY_TYPES)}
        for kind in ("triggers", "sensors", "actions", "rules", "aliases", "policies"):
            counts[kind] = sum(result.packs[pack].get(kind, 0) for pack in refs)
        counts["configs"] = configs
        requested = {_NAMES.get(kind, kind) for kind in kinds}
        reply: dict[str, Any] = {
            kind: count
            for kind, count in counts.items()
            if "all" in requested or kind in requested | _prerequisites(requested)
        }
        for name, notes in (("left_out", result.lacking), ("warnings", result.doubts)):
            if texts_of_packs := [f"{pack}: {text}" for pack, text in notes if pack in refs]:
                reply[name] = texts_of_packs
        return Answer(reply)

    # -- configurations

    async def _list_schemas(self, request: Request) -> Answer:
        return _page(request, _selected(request, await self._configs.schemas()))

    async def _get_schema(self, request: Request) -> Answer:
        return Answer(await self._configs.schema(request.path["pack"]))

    async def _list_configs(self, request: Request) -> Answer:
        return _page(request, _selected(request, await self._configs.all(_shows_secrets(request))))

    async def _get_config(self, request: Request) -> Answer:
        return Answer(await self._configs.of_pack(request.path["pack"], _shows_secrets(request)))

    async def _put_config(self, request: Request) -> Answer:
        values = await request.document()
        return Answer(await self._configs.put(request.path["pack"], values, _shows_secrets(request)))


def _prerequisites(kinds: set[str]) -> set[str]:
    return {need for kind, need in _NEED.items() if kind in kinds}


def _shows_secrets(request: Request) -> bool:
    return reveals(request.identity, request.query.boolean("show_secrets", False))


def _selected(request: Request, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the configurations or schemas that `id` and `name` select, in the order of `sort`. Their name is the name
    of their pack."""
    ids, names = request.query.listed("id"), request.query.listed("name")
    selected = [
        item for item in items if (ids is None or item["id"] in ids) and (names is None or item["pack"] in names)
    ]
    keys = {"id": "id", "name": "pack", "pack": "pack"}
    return ordered(selected, request.query, keys, lambda item, name: str(item[keys[name]]))


def _page(request: Request, items: list[dict[str, Any]]) -> Answer:
    part = page(request.query, _DEFAULT_LIMIT)
    end = None if part.limit is None else part.offset + part.limit
    return Answer(items[part.offset : end], headers=part.headers(len(items)))


_REGISTERING, _CONFIGURING = admin("registering packs"), admin("configuring packs")

ROUTES = (
    Route(
        "GET", "/packs", PackRoutes._list, "List packs", "Pack", ("id", "name", "ref", "sort", *SELECT, *PAGE),
        listed=True,
    ),
    Route("GET", "/packs/{ref}", PackRoutes._get, "Show one pack", "Pack"),
    Route(
        "POST", "/packs/register", PackRoutes._register, "Register packs", "Counts", (), "RegisterBody",
        permission=_REGISTERING,
    ),
    Route("GET", "/packs/views/files/{ref}", PackRoutes._files, "Show all text files of a pack", "File", listed=True),
    Route("GET", "/packs/views/file/{ref}/{path*}", PackRoutes._file, "Show one file of a pack", types=("*/*",)),
    *noun(
        "/config_schemas", "schema of a configuration", "ConfigSchema", "pack", ("id", "name", "sort"),
        PackRoutes._list_schemas, PackRoutes._get_schema,
    ),
    Route(
        "GET", "/configs", PackRoutes._list_configs, "List configurations", "Config",
        ("id", "name", "sort", "show_secrets", *PAGE), listed=True,
    ),
    Route("GET", "/configs/{pack}", PackRoutes._get_config, "Show one configuration", "Config", ("show_secrets",)),
    Route(
        "PUT", "/configs/{pack}", PackRoutes._put_config, "Configure a pack", "Config", ("show_secrets",), "Anything",
        permission=_CONFIGURING,
    ),
)  # fmt: skip
