"""Names that become parts of paths."""

from __future__ import annotations

import pytest

from squall.client.paths import path_of
from squall.core.errors import InvalidError


def test_a_name_is_quoted_between_its_collection_and_what_is_below() -> None:
    assert path_of("executions", "a b?c#%", "output", "stats") == "/executions/a%20b%3Fc%23%25/output/stats"


def test_only_a_key_has_slashes_in_its_name() -> None:
    assert path_of("keys", "/team/db//word/") == "/keys/%2Fteam%2Fdb%2F%2Fword%2F"
    for collection in ("executions", "inquiries", "actions", "packs", "others"):
        with pytest.raises(InvalidError, match="slashes and control characters are not allowed"):
            path_of(collection, "a/b")
    for name in ("a/../b", "./a", "a/.", "..", "a/\n"):
        with pytest.raises(InvalidError, match="cannot be the name of a key"):
            path_of("keys", name)


@pytest.mark.parametrize("name", ["", " ", "\t\n"])
def test_an_empty_name_is_missing(name: str) -> None:
    with pytest.raises(InvalidError, match="the id of an execution is missing"):
        path_of("executions", name)


@pytest.mark.parametrize("name", ["last/result", "/", "..", ".", "a\x00b", "a\nb", "\udc80"])
def test_a_name_cannot_become_another_path(name: str) -> None:
    with pytest.raises(InvalidError, match="cannot be the reference of a pack"):
        path_of("packs", name)
