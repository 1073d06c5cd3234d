from __future__ import annotations

import pytest

from squall.core.output.tagged import MAX_PAYLOAD, MAX_TAG, Tagged, Unpacker, pack

FRAMES = [Tagged(1, "web1", b"a\n"), Tagged(2, "wéb2", bytes(range(256))), Tagged(3, "x" * MAX_TAG, b"")]


def packed() -> bytes:
    return b"".join(pack(*frame) for frame in FRAMES[:2])


def test_frames_come_back_however_they_are_cut() -> None:
    data = packed()
    for size in (1, 7, 8, 9, len(data)):
        unpacker = Unpacker()
        found = [frame for at in range(0, len(data), size) for frame in unpacker.feed(data[at : at + size])[0]]
        assert (found, unpacker.pending) == (FRAMES[:2], 0)


def test_a_payload_that_is_too_long_for_one_frame_is_several() -> None:
    frames, wrong = Unpacker().feed(pack(1, "a", bytes(MAX_PAYLOAD + 1)))
    assert ([len(frame.payload) for frame in frames], wrong) == ([MAX_PAYLOAD, 1], None)


def test_nothing_is_no_frame() -> None:
    assert pack(1, "a", b"") == b""


@pytest.mark.parametrize(("stream", "tag"), [(0, "a"), (4, "a"), (1, ""), (1, "é" * 128)])
def test_what_no_frame_can_carry_is_refused(stream: int, tag: str) -> None:
    with pytest.raises(ValueError, match="no frame can carry"):
        pack(stream, tag, b"x")


@pytest.mark.parametrize(
    "header",
    [
        b"\x00\0\0\1\0\0\0\1ax",
        b"\x01\0\0\0\0\0\0\1x",
        b"\x01\0\1\0\0\0\0\1",
        b"\x01\0\0\1\xff\0\0\1a",
        b"\1\0\0\1\0\0\0\1\xffx",
    ],
)
def test_what_is_no_frame_is_told_behind_the_frames_before_it(header: bytes) -> None:
    frames, wrong = Unpacker().feed(packed() + header)
    assert frames == FRAMES[:2]
    assert wrong is not None


def test_half_a_frame_waits() -> None:
    unpacker = Unpacker()
    assert unpacker.feed(packed()[:11]) == ([Tagged(1, "web1", b"a\n")][:0], None)
    assert unpacker.pending == 11
