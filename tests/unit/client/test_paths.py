"""Names that become parts of paths."""

from __future__ import annotations

import pytest

from squall.client.paths import path_of
from squall.core.errors import InvalidError


def test_a_name_is_quoted_between_its_collection_and_what_is_below() -> None:
    assert path_of("executions", "a b?c#%", "output", "stats") == "/executions/a%20b%3Fc%23%25/output/stats"


@pytest.mark.parametrize("name", ["", " ", "\t\n"])
def test_an_empty_name_is_missing(name: str) -> None:
    with pytest.raises(InvalidError, match="the id of an execution is missing"):
        path_of("executions", name)


@pytest.mark.parametrize("name", ["last/result", "/", "..", ".", "a\x00b", "a\nb", "\udc80"])
def test_a_name_cannot_become_another_path(name: str) -> None:
    with pytest.raises(InvalidError, match="cannot be the reference of a pack"):
        path_of("packs", name)
