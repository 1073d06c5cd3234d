"""The server's time zone."""

from __future__ import annotations

from pathlib import Path

import pytest

from squall.assembly.zones import server_zone
from squall.core.errors import ConfigError


def test_a_zone_in_the_settings_applies(tmp_path: Path) -> None:
    assert server_zone("Asia/Tokyo", tmp_path / "none").key == "Asia/Tokyo"


def test_a_zone_that_does_not_exist_is_an_error_of_the_settings() -> None:
    with pytest.raises(ConfigError, match=r"^timers\.timezone: 'Mars/Base'"):
        server_zone("Mars/Base")


def test_the_zone_is_that_of_the_machine_without_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = tmp_path / "localtime"
    link.symlink_to("/usr/share/zoneinfo/Europe/Berlin")
    monkeypatch.delenv("TZ", raising=False)
    assert server_zone("", link).key == "Europe/Berlin"
    monkeypatch.setenv("TZ", ":Asia/Tokyo")
    assert server_zone("", link).key == "Asia/Tokyo"
    monkeypatch.setenv("TZ", "EST5EDT4,M3.2.0,M11.1.0/1:00")
    assert server_zone("", link).key == "Europe/Berlin"


def test_a_machine_without_a_zone_has_utc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "")
    (tmp_path / "localtime").write_text("TZif")
    assert server_zone("", tmp_path / "localtime").key == "UTC"
