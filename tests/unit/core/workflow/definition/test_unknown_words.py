"""Words that the workflow language does not have."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.workflow.definition.unknown_words import unknown_words


@pytest.mark.parametrize(
    ("document", "path", "advice"),
    [
        ({"outputs": []}, "outputs", 'did you mean "output"?'),
        ({"tasks": {"a": {"Action": "x"}}}, "tasks.a.Action", 'did you mean "action"?'),
        ({"tasks": {"a": {"retry": {"dely": 1}}}}, "tasks.a.retry.dely", 'did you mean "delay"?'),
        ({"tasks": {"a": {"with": {"concurency": 1}}}}, "tasks.a.with.concurency", 'did you mean "concurrency"?'),
        ({"tasks": {"a": {"next": [{}, {"doo": "b"}]}}}, "tasks.a.next[1].doo", 'did you mean "do"?'),
        ({"tasks": {"a": {"zzz": 1}}}, "tasks.a.zzz", "the words are action, delay, input, join, next, retry, with"),
    ],
)
def test_an_unknown_word_is_named_with_its_path_and_a_similar_word(document: Any, path: str, advice: str) -> None:
    [word] = unknown_words(document)
    assert (word["spec_path"], word["message"].endswith(advice)) == (path, True)


@pytest.mark.parametrize(
    "document",
    [
        {"vars": [{"any": 1}], "tasks": {"any": {"input": {"any": {"any": 1}}, "with": "<% ctx(x) %>", "next": [5]}}},
        {"tasks": []},
        5,
        None,
    ],
)
def test_names_that_people_choose_are_not_words(document: Any) -> None:
    assert list(unknown_words(document)) == []
