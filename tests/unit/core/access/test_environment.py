"""Other processes get only the listed variables of the server."""

from __future__ import annotations

import pytest

from squall.core.access.environment import (
    ACTIONS,
    BLOBS,
    INSTALLING,
    REACHING,
    check_entries,
    environment,
)
from squall.core.errors import InvalidError

CREDENTIALS = [
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_WEB_IDENTITY_TOKEN_FILE", "GITHUB_TOKEN",
    "DATABASE_URL", "PGPASSWORD", "MYSQL_PWD", "VAULT_TOKEN", "SLACK_WEBHOOK", "ST2_API_KEY", "ST2_AUTH_TOKEN",
    "SQUALL_API_KEY", "SQUALL_TOKEN", "SQUALL_STORAGE_BLOBS", "PYTHON_KEYRING_PASSWORD", "NPM_TOKEN", "KUBECONFIG",
    "AZURE_CLIENT_SECRET", "GOOGLE_APPLICATION_CREDENTIALS", "OPENAI_API_KEY", "path", "HOMEBREW_GITHUB_API_TOKEN",
    "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "INVOCATION_ID", "LD_PRELOAD", "BASH_ENV", "DOCKER_AUTH_CONFIG",
]  # fmt: skip
NEEDED = {"PATH": "/bin", "HOME": "/h", "LANG": "C", "LC_ALL": "C", "TZ": "UTC", "https_proxy": "p", "NO_PROXY": "n",
          "SSL_CERT_FILE": "f", "REQUESTS_CA_BUNDLE": "f", "TMPDIR": "/t"}  # fmt: skip


def test_actions_get_what_programs_need_and_no_credential() -> None:
    server = {**dict.fromkeys(CREDENTIALS, "s3cr3t"), **NEEDED}
    assert environment(server, ACTIONS, {}) == NEEDED


@pytest.mark.parametrize("listed", [REACHING, INSTALLING, BLOBS], ids=["reaching", "installing", "blobs"])
def test_further_lists_pass_on_little_more(listed: tuple[str, ...]) -> None:
    more = {"SSH_AUTH_SOCK": "s", "KRB5CCNAME": "k", "PIP_INDEX_URL": "i", "UV_INDEX": "u", "GIT_SSH_COMMAND": "g",
            "XDG_CACHE_HOME": "x", "AWS_SECRET_ACCESS_KEY": "a"}  # fmt: skip
    passed = environment({**more, **dict.fromkeys(CREDENTIALS[4:], "s3cr3t"), **NEEDED}, listed, {})
    assert (
        passed.keys() - NEEDED.keys()
        == {
            REACHING: {"SSH_AUTH_SOCK", "KRB5CCNAME"},
            INSTALLING: {"SSH_AUTH_SOCK", "PIP_INDEX_URL", "UV_INDEX", "GIT_SSH_COMMAND", "XDG_CACHE_HOME"},
            BLOBS: {"AWS_SECRET_ACCESS_KEY"},
        }[listed]
    )


def test_a_list_may_have_names_patterns_and_values() -> None:
    server = {"ACME_A": "1", "ACME_B": "2", "OTHER": "3", "SQUALL_TOKEN": "t"}
    assert environment(server, ["ACME_*", "GONE", "SET=a=b*", "OTHER"], {}) == {
        "ACME_A": "1", "ACME_B": "2", "OTHER": "3", "SET": "a=b*",
    }  # fmt: skip
    assert environment(server, ["*"], {}) == {"ACME_A": "1", "ACME_B": "2", "OTHER": "3"}


def test_the_users_own_variables_stand_in_for_missing_ones() -> None:
    account = {"HOME": "/home/ada", "USER": "ada"}
    assert environment({"HOME": "/srv"}, ACTIONS, account) == {"HOME": "/srv", "USER": "ada"}
    assert environment({}, ["HOME=/x"], account) == {"HOME": "/x", "USER": "ada"}


@pytest.mark.parametrize("entry", ["", "A B", "A-B", "=x", "1A", "A*=x", "SQUALL_PORT", "SQUALL_*", "A=\0"])
def test_an_entry_that_names_nothing_is_refused(entry: str) -> None:
    with pytest.raises(InvalidError):
        check_entries([entry])
    check_entries(["A", "_a1", "ACME_*", "*", "A=", "A=b c,d"])
