"""Callers for tests: a gate that asks nobody, and users whose passwords are given."""

from __future__ import annotations

from typing import Any, cast

from squall.api.http.gate import Gate
from squall.services.access.access import Access, Rules


class GivenPasswords:
    """`ports.Passwords` of a dict, which may be changed."""

    def __init__(self, users: dict[str, str]) -> None:
        self.users = users

    def verify(self, user: str, password: str) -> bool:
        """Whether it is the user's password."""
        return self.users.get(user) == password

    def knows(self, user: str) -> bool:
        """Whether there is such a user."""
        return user in self.users


def open_gate(user: str = "ada") -> Gate:
    """A gate that takes everybody for this user."""
    nothing = cast(Any, None)
    return Gate(Access(nothing, nothing, nothing, GivenPasswords({}), Rules(enabled=False, user=user)))
