"""The URLs of webhooks: the text behind `/v1/webhooks/`."""

from __future__ import annotations

from typing import Final

from squall.core.errors import InvalidError

GENERIC: Final = "st2"
"""The hook that dispatches the trigger that its body names."""

_LONGEST: Final = 512
_REFUSED: Final = frozenset("?#%\\")
_TAKEN: Final = ("settings", "deliveries")
"""Parts of paths behind a hook's URL. As the first part, a URL may have them."""


def hook_url(text: object) -> str:
    """Returns the URL of a webhook in its one form: without slashes at its ends, with those inside, such as `a/b`.

    Raises `InvalidError` for a URL that no request could reach: an empty one, one of more than 512 characters, one with
    an empty part, `.` or `..` between slashes, and one with spaces, control characters, `?`, `#`, `%` or a backslash.
    Raises it also for `settings` and `deliveries` behind a slash: `/v1/webhooks/team/settings` shows the settings of
    the hook `team`.
    """
    if not isinstance(text, str):
        raise InvalidError(f"url: {text!r:.100} is not a text. Use one such as github or team/deploy.")
    url = text.strip("/")
    if not url or len(url) > _LONGEST:
        raise InvalidError(
            f"url: {text!r:.100} has no or more than {_LONGEST} characters. Use one such as team/deploy."
        )
    for part in url.split("/"):
        if part in ("", ".", ".."):
            raise InvalidError(
                f"url: {text!r:.100} has the part {part!r} between slashes. Use one such as team/deploy."
            )
    taken = next((part for part in url.split("/")[1:] if part in _TAKEN), None)
    if taken is not None:
        raise InvalidError(
            f"url: {text!r:.100} has the part {taken!r}, which is the path of a hook's {taken}. Use another word, such "
            f"as {taken}-hook."
        )
    wrong = next((sign for sign in url if sign in _REFUSED or sign.isspace() or not sign.isprintable()), None)
    if wrong is not None:
        raise InvalidError(
            f"url: {text!r:.100} contains {wrong!r}. Use letters, digits, and signs such as - _ . and /."
        )
    return url
