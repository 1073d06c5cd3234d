"""Where a pack is: in the first folder that has it, but for those that come with Squall."""

from __future__ import annotations

from pathlib import Path

from squall.adapters.installing.places import Places


def test_the_first_folder_that_has_a_pack_wins_but_those_of_squall_are_its_own(tmp_path: Path) -> None:
    stackstorm, bundled = tmp_path / "stackstorm", tmp_path / "bundled"
    for root in (stackstorm, bundled):
        for ref in ("core", "packs", "examples"):
            (root / ref).mkdir(parents=True)
            (root / ref / "pack.yaml").touch()
    places = Places(packs="", virtualenvs="", configs="", search=(str(stackstorm), str(bundled)))
    assert places.installed("examples") == stackstorm / "examples"
    assert places.installed("packs") == bundled / "packs"
    assert places.installed("core") == bundled / "core"
    assert places.installed("nosuch") is None
