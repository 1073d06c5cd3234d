"""Lists of packs: joined, searched, and told how they are."""

from __future__ import annotations

import pytest

from squall.core.content.pack_index import health, merge, search
from squall.core.errors import InvalidError

AWS = {"name": "aws", "ref": "aws", "description": "Amazon", "keywords": ["cloud"], "repo_url": "https://x/azure"}
AZURE = {"name": "azure", "ref": "azure", "description": "like aws", "keywords": ["cloud"]}
S3 = {"name": "s3", "ref": "s3", "description": "files", "keywords": ["aws"]}


def test_the_first_list_that_has_a_pack_wins_and_a_bad_one_does_not_matter() -> None:
    index = merge(
        [
            ("a", {"packs": {"aws": AWS}}, "", ""),
            ("b", None, "unresponsive", "URLError: no"),
            ("c", {"packs": {"aws": S3, "s3": S3}}, "", ""),
            ("d", {"metadata": {}}, "", ""),
            ("e", {"packs": {}}, "", ""),
        ]
    )
    assert index.required() == {"aws": AWS, "s3": S3}
    assert [(entry["url"], entry["packs"], entry.get("error")) for entry in index.status] == [
        ("a", 1, None), ("b", 0, "unresponsive"), ("c", 2, None), ("d", 0, "malformed"), ("e", 0, "empty"),
    ]  # fmt: skip
    told = health(index)
    assert told["packs"] == {"count": 2}
    assert told["indexes"]["valid"] == 2
    assert told["indexes"]["errors"] == {"unresponsive": 1, "malformed": 1, "empty": 1}


def test_nothing_at_all_is_an_error_that_says_what_was_tried() -> None:
    with pytest.raises(InvalidError, match=r"No results from the index: tried a\.\nStatus: "):
        merge([("a", None, "unresponsive", "no")]).required()


def test_names_come_before_keywords_and_those_before_the_rest_and_addresses_do_not_count() -> None:
    packs = {"azure": AZURE, "s3": S3, "aws": AWS}
    assert [entry["ref"] for entry in search(packs, "AWS")] == ["aws", "s3", "azure"]
    assert [entry["ref"] for entry in search({"aws": AWS}, "https")] == []
