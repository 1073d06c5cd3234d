"""What can be removed, and what an index without packs says."""

from __future__ import annotations

from pathlib import Path

import pytest

from squall.adapters.installing.packs import Packs
from squall.adapters.installing.places import Places
from squall.core.errors import InvalidError, NotFoundError


def _places(root: Path, index_urls: tuple[str, ...] = ()) -> Places:
    packs, virtualenvs = root / "packs", root / "virtualenvs"
    packs.mkdir()
    virtualenvs.mkdir()
    return Places(
        packs=str(packs),
        virtualenvs=str(virtualenvs),
        configs=str(root / "configs"),
        search=(str(packs),),
        index_urls=index_urls,
    )


def test_a_pack_of_which_nothing_exists_cannot_be_removed(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="pack 'gone' does not exist"):
        Packs(_places(tmp_path), {}).check_removable(["gone"])


@pytest.mark.parametrize("left", ["packs/broken", "virtualenvs/broken"])
def test_what_a_broken_pack_left_can_be_removed(tmp_path: Path, left: str) -> None:
    packs = Packs(_places(tmp_path), {})
    (tmp_path / left).symlink_to(tmp_path / "nowhere")
    packs.check_removable(["broken"])


def test_the_last_line_about_an_index_that_does_not_answer_has_the_address_and_the_reason(tmp_path: Path) -> None:
    url = str(tmp_path / "nosuch.json")
    packs = Packs(_places(tmp_path, (url,)), {})
    with pytest.raises(InvalidError) as raised:
        packs.download(["zzqqx"], force=False, stage=False)
    last = str(raised.value).splitlines()[-1]
    assert last.startswith(f"zzqqx: No results from the index: tried {url}: FileNotFoundError")
