"""The settings, and the source of each value."""

from squall.config.loading import Loaded, add_flags, flags_from, load, show
from squall.config.settings import Settings

__all__ = ["Loaded", "Settings", "add_flags", "flags_from", "load", "show"]
