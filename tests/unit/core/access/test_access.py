from __future__ import annotations

import pytest

from squall.core.access import access
from squall.core.access.access import Identity
from squall.core.errors import ForbiddenError

ADMIN = Identity(user="ada")
USER = Identity(user="bob", admin=False)


def test_everybody_administrates_until_somebody_is_named() -> None:
    assert access.is_admin("bob", ())
    assert access.is_admin("ada", ("ada",))
    assert not access.is_admin("bob", ("ada",))


def test_only_an_administrator_who_asks_sees_secrets() -> None:
    assert access.reveals(ADMIN, True)
    assert not access.reveals(ADMIN, False)
    assert not access.reveals(USER, True)


def test_only_an_administrator_acts_as_another() -> None:
    assert access.acting_user(ADMIN, "bob") == "bob"
    assert access.acting_user(USER, None) == "bob"
    assert access.acting_user(USER, "bob") == "bob"
    with pytest.raises(ForbiddenError):
        access.acting_user(USER, "ada")


def test_an_api_key_is_there_for_its_owner_and_for_administrators() -> None:
    assert access.sees_keys_of(ADMIN, "bob")
    assert access.sees_keys_of(USER, "bob")
    assert not access.sees_keys_of(USER, "ada")


def test_an_inquiry_is_answered_by_whom_it_names() -> None:
    access.check_respond(USER, "1", [], [])
    access.check_respond(USER, "1", ["bob"], [])
    access.check_respond(ADMIN, "1", [], ["ops"])
    for users, roles in ((["eve"], []), ([], ["ops"])):
        with pytest.raises(ForbiddenError):
            access.check_respond(USER, "1", users, roles)
    with pytest.raises(ForbiddenError):
        access.check_respond(ADMIN, "1", ["eve"], [])
