from __future__ import annotations

import pytest

from squall.core.errors import InvalidError
from squall.core.event.webhooks.urls import hook_url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("sample", "sample"),
        ("/sample/", "sample"),
        ("///sample//", "sample"),
        ("peer/hook", "peer/hook"),
        ("a/b/c.d-e_f~1", "a/b/c.d-e_f~1"),
        ("grün/日本", "grün/日本"),
        ("...", "..."),
        ("x" * 512, "x" * 512),
    ],
)
def test_a_url_has_one_form(text: str, url: str) -> None:
    assert hook_url(text) == url
    assert hook_url(hook_url(text)) == url


@pytest.mark.parametrize(
    "text",
    [
        "", "/", "///", "a//b", ".", "..", "a/../b", "a/./b", "a b", " a", "a\n", "a\x00b", "a?b", "a#b", "a%20b",
        "a\\b", "a\u200bb", "x" * 513, None, 5, ["a"],
    ],
    ids=range(21),
)  # fmt: skip
def test_a_url_that_no_request_could_reach_is_refused(text: object) -> None:
    with pytest.raises(InvalidError) as error:
        hook_url(text)
    assert str(error.value).startswith("url: ")
    assert "Use " in str(error.value)


@pytest.mark.parametrize("text", ["team/settings", "a/deliveries", "a/deliveries/1", "a/settings/b", "/a/settings/"])
def test_the_paths_of_settings_and_deliveries_are_no_urls_of_hooks(text: str) -> None:
    with pytest.raises(InvalidError, match=r"which is the path of a hook's (settings|deliveries)\. Use another word"):
        hook_url(text)
    for allowed in ("settings", "deliveries/a", "a/settings-hook", "a/Settings"):
        assert hook_url(allowed) == allowed
