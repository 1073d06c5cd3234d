"""Adds the name that was meant to an error about a mistyped one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import NamedTuple
from urllib.parse import unquote

from squall.client.api import Api
from squall.client.closest import ALIKE, closest
from squall.client.http import MissingError
from squall.client.inquiries import waiting_inquiries
from squall.core.errors import InvalidError, NotFoundError, SquallError

_ALIKE_ID = 0.9
"""Ids of one day begin with the same digits: only a nearly equal one is meant."""
_NEWEST = 100
_SHORTEST_BEGINNING = 6


class Kind(NamedTuple):
    """What a collection of the API holds: its noun, the command that lists all, and the names there are."""

    noun: str
    listing: str
    names: Callable[[Api, str], Iterable[str]]
    alike: float = ALIKE


KINDS = {
    "actions": Kind("action", "squall action list", lambda api, _: (str(each.get("ref")) for each in api.actions())),
    "packs": Kind("pack", "squall pack list", lambda api, _: (str(each.get("ref")) for each in api.packs())),
    "keys": Kind(
        "key", "squall key list", lambda api, scope: (str(key.get("name")) for key in api.keys(scope or "system"))
    ),
    "executions": Kind("execution", "squall execution list", lambda api, _: _newest(api), _ALIKE_ID),
    "inquiries": Kind(
        "inquiry",
        "squall inquiry list",
        lambda api, _: (str(each.get("id")) for each in waiting_inquiries(api.client)),
        _ALIKE_ID,
    ),
}


class SuggestingApi(Api):
    """An `Api` whose `with` block, if it ends because a name or an id does not exist, says which may be meant."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        message = suggestion(self, error) if isinstance(error, MissingError) else None
        super().__exit__(kind, error, trace)
        if message is not None:
            raise NotFoundError(message) from error


def suggestion(api: Api, error: MissingError) -> str | None:
    """What the error should say; None if what it is about exists, or if nothing is known of such names."""
    _, collection, *rest = error.path.split("/") if error.path else ("", "")
    kind = KINDS.get(collection)
    if kind is None or not rest or rest[0] == "last":
        return None
    name = unquote(rest[0])
    try:
        if collection == "executions" and len(rest) > 1 and _exists(api, name):
            return None
        names = list(kind.names(api, error.scope))
    except SquallError:
        return None
    return None if name in names else missing(kind, name, names)


def missing(kind: Kind, name: str, names: Sequence[str]) -> str:
    """The message about a `name` that is none of the `names`."""
    meant = closest(name, names, kind.alike)
    if meant is None and kind.alike == _ALIKE_ID and len(name) >= _SHORTEST_BEGINNING:
        longer = [each for each in names if each.startswith(name)]
        meant = longer[0] if len(longer) == 1 else None
    if meant is None and kind is KINDS["actions"] and "." not in name:
        meant = next((each for each in names if each.partition(".")[2] == name), None)
    advice = f"did you mean {meant}?" if meant else f"{kind.listing} shows all"
    return f"{kind.noun} {name!r} does not exist; {advice}"


def hint(api: Api, collection: str, name: str) -> str | None:
    """Returns what to say about a filter that matches nothing: that its `name` does not exist. Returns None if it
    exists."""
    kind = KINDS[collection]
    names = list(kind.names(api, ""))
    return None if name in names else missing(kind, name, names)


@contextmanager
def suggesting_pack(api: Api, packs: Sequence[str]) -> Iterator[None]:
    """Inside, a refusal by the server because one of these packs does not exist is raised with a suggestion."""
    try:
        yield
    except InvalidError as error:
        names = [str(each.get("ref")) for each in api.packs()]
        for pack in packs:
            meant = closest(pack, names)
            if pack not in names and meant and str(error).startswith(f'Pack "{pack}" not found'):
                raise InvalidError(missing(KINDS["packs"], pack, names)) from error
        raise


def _newest(api: Api) -> list[str]:
    page = api.executions({"limit": _NEWEST, "include_attributes": "id"})
    return [str(item.get("id")) for item in page.items]


def _exists(api: Api, execution_id: str) -> bool:
    try:
        api.execution(execution_id, only="id")
    except NotFoundError:
        return False
    return True
