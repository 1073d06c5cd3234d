from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from squall.api.connection import peer


@pytest.fixture(params=[("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def connection(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection over loopback: the server's and the client's."""
    host, family = request.param
    with socket.socket(family) as listener:
        try:
            listener.bind((host, 0))
        except OSError as error:
            pytest.skip(f"this machine has no {host}: {error}")
        listener.listen()
        with socket.create_connection(listener.getsockname()[:2], timeout=10) as client:
            accepted, _ = listener.accept()
            with accepted:
                yield accepted, client


def test_the_kernel_tells_who_is_at_the_other_end(connection: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = connection
    assert peer.peer_uid(ours.getsockname(), theirs.getsockname()) == os.geteuid()
    assert peer.may_connect(ours.getsockname(), theirs.getsockname())


def test_both_ways_of_asking_agree(connection: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = connection
    family = ours.family
    assert peer._by_proc(family, theirs.getsockname(), ours.getsockname()) == os.geteuid()
    assert peer._by_netlink(family, theirs.getsockname(), ours.getsockname()) in (os.geteuid(), None)


def test_a_connection_that_is_not_there_belongs_to_nobody() -> None:
    ours, theirs = ("127.0.0.1", 1), ("127.0.0.1", 2)
    assert peer.peer_uid(ours, theirs) is None
    assert not peer.may_connect(ours, theirs)
