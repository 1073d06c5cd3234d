"""Text in pieces: the events that a client reads, and output in which secrets are masked."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz.contract import Run, Target
from tests.fuzz.targets.messages import pieces

from squall.client.sse import Parser
from squall.core.errors import UnavailableError
from squall.core.output.masking import Masker, Patterns

SECRETS = (b"hunter2hunter2", b"correct horse battery staple", "gehe\u00efm".encode() * 3, b"aaaaaaaaaaaaaaab")


def events(_folder: Path) -> Run:
    def run(data: bytes) -> None:
        parser, whole = Parser(1 << 20), Parser(1 << 20)
        cut = [event for piece in pieces(data) for event in parser.feed(piece)]
        assert cut == whole.feed(data), "the place of a cut changes the events"

    return run


def masked(_folder: Path) -> Run:
    patterns = Patterns(SECRETS)

    def run(data: bytes) -> None:
        masker = Masker(patterns)
        out = b"".join([masker.feed(piece) for piece in pieces(data)]) + masker.finish()
        assert not any(secret in out for secret in SECRETS)

    return run


def secrets(_folder: Path) -> Run:
    def run(data: bytes) -> None:
        secret, _, text = data.partition(b"\n")
        if not 8 <= len(secret) <= 256 or b"*" in secret:
            return
        masker = Masker(Patterns([secret]))
        assert secret not in masker.feed(text) + masker.finish()

    return run


TARGETS = (
    Target(
        "events",
        events,
        (UnavailableError,),
        largest=16 << 10,
        words=(b"data: ", b"id: ", b"event: ", b"\r\n", b"\n\n"),
    ),
    Target("masked_output", masked, largest=16 << 10, words=SECRETS),
    Target("secrets", secrets, largest=1024),
)
