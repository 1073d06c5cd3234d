"""The launchers, under their contract."""

from __future__ import annotations

from squall.testing.launcher import LauncherContract


class TestKeeperLauncher(LauncherContract):
    pass
