"""The name by which older packs import the class of actions."""

from __future__ import annotations

from st2common.runners.base_action import Action

__all__ = ["Action"]
