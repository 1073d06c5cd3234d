"""Mistyped names and ids are told with the name that was meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from squall.client.api import Api, Page
from squall.client.closest import closest
from squall.client.http import Client, JsonObject, MissingError
from squall.client.suggestions import SuggestingApi, hint, suggesting_pack, suggestion
from squall.core.errors import InvalidError, NotFoundError, SquallError

NEWEST = ["6b0b80631679fec447f3b2e9", "6b0b80631ef4c0453613afd4", "6b0a11111111111111111111"]
TYPED = "6b0b80631679fec447f3b2e8"
OTHER = "6b0b80631fffffffffffffff"


class Known(SuggestingApi):
    """Knows some things without a server."""

    def __init__(self) -> None:
        super().__init__(Client("http://127.0.0.1:1"))

    def packs(self) -> Iterator[JsonObject]:
        yield from ({"ref": ref} for ref in ("core", "linux", "packs"))

    def actions(self, pack: str | None = None) -> Iterator[JsonObject]:
        yield from ({"ref": ref} for ref in ("core.local", "core.http"))

    def keys(self, scope: str, *, prefix: str | None = None, decrypt: bool = False) -> Iterator[JsonObject]:
        yield {"name": {"system": "app/name", "user": "own.name"}[scope]}

    def executions(self, query: Any) -> Page:
        return Page([{"id": each} for each in NEWEST], 3)

    def execution(self, execution_id: str, *, exclude: str | None = None, only: str | None = None) -> JsonObject:
        if execution_id not in NEWEST:
            raise MissingError("unknown")
        return {"id": execution_id}


@pytest.mark.parametrize(
    ("path", "scope", "message"),
    [
        ("/packs/lniux", "", "pack 'lniux' does not exist; did you mean linux?"),
        ("/packs/zzz", "", "pack 'zzz' does not exist; squall pack list shows all"),
        ("/actions/core.lcoal", "", "action 'core.lcoal' does not exist; did you mean core.local?"),
        ("/actions/http", "", "action 'http' does not exist; did you mean core.http?"),
        ("/keys/app%2Fnmae", "system", "key 'app/nmae' does not exist; did you mean app/name?"),
        ("/keys/own.nmae", "user", "key 'own.nmae' does not exist; did you mean own.name?"),
        (f"/executions/{TYPED}", "", f"execution '{TYPED}' does not exist; did you mean {NEWEST[0]}?"),
        ("/executions/6b0b80631679/output", "", f"execution '6b0b80631679' does not exist; did you mean {NEWEST[0]}?"),
        ("/executions/6b0b8063", "", "execution '6b0b8063' does not exist; squall execution list shows all"),
        (f"/executions/{OTHER}", "", f"execution '{OTHER}' does not exist; squall execution list shows all"),
    ],
)  # fmt: skip
def test_the_name_that_was_meant_is_told(path: str, scope: str, message: str) -> None:
    with pytest.raises(NotFoundError) as caught, Known():
        raise MissingError("as the server says", path, scope)
    assert str(caught.value) == message
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    "path",
    ["", "/", "/packs", "/packs/core", "/executions/last", f"/executions/{NEWEST[0]}/output/search", "/runnertypes/x"],
)
def test_what_is_about_something_else_stays_as_the_server_says_it(path: str) -> None:
    with pytest.raises(NotFoundError, match=r"^as the server says$"), Known():
        raise MissingError("as the server says", path)


def test_a_server_that_gives_no_names_changes_no_error() -> None:
    class Silent(Known):
        def packs(self) -> Iterator[JsonObject]:
            raise SquallError("not now")

    assert suggestion(Silent(), MissingError("x", "/packs/lniux")) is None


def test_other_errors_pass_through() -> None:
    with pytest.raises(InvalidError, match=r"^wrong$"), Known():
        raise InvalidError("wrong")


def test_a_pack_that_is_refused_since_it_is_not_there_is_told_with_the_one_that_was_meant() -> None:
    api: Api = Known()
    with pytest.raises(InvalidError, match="did you mean linux"), suggesting_pack(api, ["core", "lniux"]):
        raise InvalidError('Pack "lniux" not found on disk')
    for message in ('Pack "zzz" not found on disk', "lniux: a fault in a file"):
        with pytest.raises(InvalidError, match=f"^{message}$"), suggesting_pack(api, ["lniux", "zzz"]):
            raise InvalidError(message)


def test_the_closest_name_is_found_in_any_case() -> None:
    assert closest("LINUKS", ["Linux", "core"]) == "Linux"
    assert closest("x", []) is None
    assert closest("linus", ["linux"], 0.9) is None


def test_a_filter_that_matches_nothing_because_its_name_does_not_exist_is_explained() -> None:
    assert hint(Known(), "packs", "lniux") == "pack 'lniux' does not exist; did you mean linux?"
    assert hint(Known(), "packs", "zzz") == "pack 'zzz' does not exist; squall pack list shows all"
    assert hint(Known(), "packs", "linux") is None
