"""The journal's codec: frames, headers, positions, damage, and text that is split anywhere."""

from __future__ import annotations

import codecs
import itertools
import struct
from typing import NamedTuple

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from squall.core.output import journal
from squall.core.output.journal import Record

NONCE = bytes(range(100, 116))
SEED = journal.checksum_seed(NONCE)
U64 = st.integers(0, (1 << 64) - 1)


class Frame(NamedTuple):
    """All that `pack_frame` is given."""

    kind: int
    execution: bytes
    time: int
    payload: bytes
    stream: int
    event: int
    offset: int
    prev: int
    incarnation: int
    lead: bytes
    tag: str

    def packed(self, nonce: bytes = NONCE, start: int = 0) -> bytes:
        head = journal.pack_frame(
            nonce,
            journal.checksum_seed(nonce),
            self.kind,
            self.execution,
            self.time,
            self.payload,
            start=start,
            stream=self.stream,
            event=self.event,
            offset=self.offset,
            prev=self.prev,
            incarnation=self.incarnation,
            lead=self.lead,
            tag=self.tag.encode(),
        )
        return head + self.payload


FRAMES = st.builds(
    Frame,
    kind=st.sampled_from(sorted(journal.KINDS)),
    execution=st.binary(min_size=12, max_size=12),
    time=U64,
    payload=st.binary(max_size=300) | st.just(NONCE[:4] * 20),
    stream=st.sampled_from([journal.NO_STREAM, *journal.STREAMS]),
    event=U64,
    offset=U64,
    prev=U64,
    incarnation=st.integers(0, (1 << 32) - 1),
    lead=st.binary(max_size=3),
    tag=st.text(max_size=60),
)


def joined(frames: list[Frame], base: int = 0) -> tuple[bytes, list[int]]:
    """The frames one after the other from an offset on, and where in the bytes each starts."""
    starts = list(itertools.accumulate((len(frame.packed()) for frame in frames), initial=0))[:-1]
    return b"".join(frame.packed(NONCE, base + at) for frame, at in zip(frames, starts, strict=True)), starts


def plain(record: Record) -> tuple[object, ...]:
    """A record that no longer points into the bytes it was read from."""
    return (*record[:-1], bytes(record.payload))


@given(FRAMES, st.integers(0, 1 << 40))
def test_a_record_comes_back_as_it_was_written(frame: Frame, base: int) -> None:
    data = b"\xff" * 3 + frame.packed()
    record = journal.unpack_frame(memoryview(data), 3, base)
    assert record is not None
    assert plain(record) == (
        base + 3,
        base + len(data),
        frame.kind,
        frame.stream,
        frame.execution.hex(),
        frame.time,
        frame.event,
        frame.offset,
        frame.prev,
        frame.incarnation,
        frame.lead,
        frame.tag,
        frame.payload,
    )


@given(st.lists(FRAMES, max_size=6), st.data())
def test_any_split_into_reads_gives_the_same_records(frames: list[Frame], data: st.DataObject) -> None:
    whole, _ = joined(frames)
    expected = [plain(record) for record in journal.unpack_frames(whole, 0)]
    assert len(expected) == len(frames)
    got: list[tuple[object, ...]] = []
    position = read = 0
    while position < len(whole):
        read = min(len(whole), max(read, position) + data.draw(st.integers(1, 120)))
        for record in journal.unpack_frames(whole[position:read], position):
            got.append(plain(record))
            position = record.end
    assert got == expected


@given(FRAMES, st.data())
def test_a_frame_that_is_not_all_there_is_no_record(frame: Frame, data: st.DataObject) -> None:
    packed = frame.packed()
    part = packed[: data.draw(st.integers(0, len(packed) - 1))]
    assert journal.unpack_frame(memoryview(part), 0, 0) is None
    assert list(journal.unpack_frames(part, 0)) == []
    assert not journal.verify(part, 0, NONCE, SEED)


@given(FRAMES)
def test_a_frame_tells_its_length_in_its_header(frame: Frame) -> None:
    packed = frame.packed()
    assert journal.frame_length(packed[: journal.FRAME_SIZE]) == len(packed)
    assert journal.frame_length(packed[: journal.FRAME_SIZE - 1]) == 0


@given(FRAMES, st.data())
def test_a_frame_with_any_byte_changed_does_not_verify(frame: Frame, data: st.DataObject) -> None:
    packed = bytearray(frame.packed())
    assert journal.verify(bytes(packed), 0, NONCE, SEED)
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] ^= data.draw(st.integers(1, 255))
    assert not journal.verify(bytes(packed), 0, NONCE, SEED)


@given(FRAMES)
def test_a_frame_of_another_journal_does_not_verify_though_its_marker_is_the_same(frame: Frame) -> None:
    other = NONCE[:4] + bytes(12)
    assert not journal.verify(frame.packed(other), 0, NONCE, SEED)
    assert journal.verify(frame.packed(other), 0, other, journal.checksum_seed(other))


@given(st.lists(FRAMES, min_size=1, max_size=6), st.data())
@settings(max_examples=150)
def test_the_way_past_damage_leads_to_the_next_whole_frame_and_to_nothing_else(
    frames: list[Frame], data: st.DataObject
) -> None:
    whole, starts = joined(frames)
    altered = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        for index, value in enumerate(data.draw(st.binary(min_size=1, max_size=90)), at):
            if index < len(altered):
                altered[index] = value
    damaged = bytes(altered)
    ends = [*starts[1:], len(whole)]
    intact = [start for start, end in zip(starts, ends, strict=True) if damaged[start:end] == whole[start:end]]
    found = []
    at = 0
    while (at := journal.find_frame(damaged, at, NONCE, SEED)) >= 0:
        found.append(at)
        at += max(1, journal.frame_length(damaged, at))
    assert found == intact


@given(st.lists(FRAMES, min_size=2, max_size=4), st.binary(min_size=1, max_size=80))
def test_bytes_pushed_in_between_hide_no_frame(frames: list[Frame], noise: bytes) -> None:
    assume(journal.find_frame(noise, 0, NONCE, SEED) < 0)
    first = frames[0].packed()
    rest, _ = joined(frames[1:], len(first) + len(noise))
    assert journal.find_frame(first + noise + rest, len(first), NONCE, SEED) == len(first) + len(noise)


@given(FRAMES, st.integers(0, 1 << 40), st.integers(0, 1 << 40))
def test_a_frame_that_a_disk_shows_at_another_offset_does_not_verify_there(frame: Frame, own: int, other: int) -> None:
    assume(own != other)
    packed = frame.packed(NONCE, own)
    assert journal.verify(b"..." + packed, 3, NONCE, SEED, own - 3)
    assert not journal.verify(packed, 0, NONCE, SEED, other)
    assert journal.find_frame(packed, 0, NONCE, SEED, own) == 0
    assert journal.find_frame(packed, 0, NONCE, SEED, other) == -1


def test_looking_for_a_frame_in_nothing_finds_nothing() -> None:
    assert journal.find_frame(b"", 0, NONCE, SEED) == -1
    assert journal.find_frame(NONCE[:4] * 1000, 0, NONCE, SEED) == -1


@pytest.mark.parametrize(
    "part",
    [{"payload": bytes(journal.MAX_PAYLOAD + 1)}, {"tag": bytes(256)}, {"lead": bytes(4)}],
    ids=["payload", "tag", "lead"],
)
def test_what_a_record_cannot_carry_is_refused(part: dict[str, bytes]) -> None:
    payload = part.pop("payload", b"")
    with pytest.raises(ValueError, match="longer than a record can carry"):
        journal.pack_frame(NONCE, SEED, journal.OUTPUT, bytes(12), 0, payload, start=0, **part)  # type: ignore[arg-type]


def test_the_largest_record_verifies() -> None:
    frame = Frame(1, bytes(12), 0, bytes(journal.MAX_PAYLOAD), 1, 0, 0, 0, 0, b"\xf0\x9f\x8c", "t" * 255)
    assert journal.verify(frame.packed(), 0, NONCE, SEED)


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16), st.binary(min_size=12, max_size=12))
def test_a_header_comes_back_with_nothing_committed(nonce: bytes, boot: bytes, tree: bytes) -> None:
    page = journal.pack_header(nonce, boot, tree.hex())
    assert len(page) == journal.HEADER_SIZE
    assert journal.unpack_header(page) == journal.Header(nonce, boot, tree.hex(), journal.HEADER_SIZE, 0)


def page_of(version: int, committed: int = journal.HEADER_SIZE, closing: int = 0) -> bytes:
    page = bytearray(journal.pack_header(NONCE, bytes(range(16)), "ab" * 12, version))
    seed = journal.unpack_header(bytes(page)).commit_seed
    commit = journal.pack_commit(committed, closing, seed)
    page[journal.COMMIT_OFFSET : journal.COMMIT_OFFSET + len(commit)] = commit
    return bytes(page)


@pytest.mark.parametrize("version", [1, 2])
@given(st.integers(journal.HEADER_SIZE, (1 << 64) - 1), st.data())
def test_the_committed_length_stands_at_its_offset(version: int, committed: int, data: st.DataObject) -> None:
    closing = data.draw(st.integers(0, committed - 1))
    page = page_of(version, committed, closing)
    header = journal.unpack_header(page)
    assert (header.committed, header.closing, header.version) == (committed, closing, version)
    assert journal.unpack_commit(page[journal.COMMIT_OFFSET :], header.commit_seed) == (committed, closing)


def test_the_header_of_release_0_1_0_has_the_same_bytes_as_ever() -> None:
    fields = b"squall\r\n" + struct.pack("<I", 1) + NONCE + bytes(range(16)) + bytes.fromhex("ab" * 12)
    page = fields.ljust(64, b"\0") + struct.pack("<QQ", 4096, 0)
    assert page_of(1) == page.ljust(4096, b"\0")


def test_a_flipped_bit_anywhere_in_a_header_page_is_told() -> None:
    page = page_of(2, 5000, 4500)
    commit = range(journal.COMMIT_OFFSET, journal.COMMIT_OFFSET + journal.COMMIT_SIZE)
    for at in range(len(page)):
        for bit in range(8):
            flipped = page[:at] + bytes([page[at] ^ 1 << bit]) + page[at + 1 :]
            if at in commit:
                header = journal.unpack_header(flipped)
                assert (header.committed, header.closing) == (0, 0)
            else:
                with pytest.raises(journal.NotAJournalError):
                    journal.unpack_header(flipped)


@given(st.integers(0, 4095), st.integers(1, 255))
def test_a_changed_byte_in_a_header_of_format_1_is_told_if_it_is_no_id(at: int, change: int) -> None:
    page = page_of(1)
    changed = page[:at] + bytes([page[at] ^ change]) + page[at + 1 :]
    if 12 <= at < 56 or 64 <= at < 80:
        assert journal.unpack_header(changed) != journal.unpack_header(page) or at >= 64
        return
    with pytest.raises(journal.NotAJournalError):
        journal.unpack_header(changed)


@pytest.mark.parametrize("version", [1, 2])
def test_another_boot_id_changes_nothing_else(version: int) -> None:
    page = page_of(version, 7000)
    header = journal.unpack_header(page)
    boot = b"b" * 16
    start = journal.pack_boot(header, boot)
    assert len(start) == journal.COMMIT_OFFSET
    assert journal.unpack_header(start + page[len(start) :]) == header._replace(boot=boot)


def test_what_is_no_header_says_what_it_is_instead() -> None:
    page = journal.pack_header(NONCE, bytes(16), "ab" * 12)
    for size in (0, 10, journal.HEADER_SIZE - 1):
        with pytest.raises(journal.NotAJournalError, match="shorter"):
            journal.unpack_header(page[:size])
    with pytest.raises(journal.NotAJournalError, match="does not start like a journal"):
        journal.unpack_header(b"X" + page[1:])
    with pytest.raises(journal.NotAJournalError, match="format 77"):
        journal.unpack_header(page[:8] + struct.pack("<I", 77) + page[12:])


@given(st.dictionaries(st.binary(min_size=12, max_size=12).map(bytes.hex), U64, max_size=20), st.binary(max_size=19))
def test_a_closing_index_comes_back(tails: dict[str, int], rest: bytes) -> None:
    assert journal.unpack_index(journal.pack_index(tails)) == tails
    assert journal.unpack_index(memoryview(journal.pack_index(tails) + rest)) == tails


def test_a_trees_file_lies_in_a_folder_of_its_time() -> None:
    assert journal.file_name("695661c1" + "0" * 16) == "69566/695661c1" + "0" * 16 + ".journal"


PIECES = st.lists(
    st.binary(max_size=6)
    | st.sampled_from(["ü", "\U0001f327", "€", "\r\n", "\0"]).map(str.encode)
    | st.sampled_from([b"\xf0", b"\xf0\x9f", b"\xf0\x9f\x8c", b"\xe2\x82", b"\xc3", b"\x80", b"\xff", b"\xed\xa0\x80"]),
    max_size=12,
)


@given(PIECES, st.data())
@example([b"\xf0\x9f", b"\x8c", b"\xa7"], None)
@settings(max_examples=300)
def test_text_is_the_same_however_its_bytes_are_split(pieces: list[bytes], data: st.DataObject | None) -> None:
    whole = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8))) if data else list(range(len(whole)))
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text, lead = "", b""
    for start, end in itertools.pairwise([0, *cuts, len(whole)]):
        shown, lead = journal.decode_text(lead, whole[start:end])
        assert shown == decoder.decode(whole[start:end])
        assert len(lead) <= 3
        text += shown
    # What is left at the end is a character that never came: one replacement mark.
    assert text + lead.decode("utf-8", "replace") == whole.decode("utf-8", "replace")


@given(st.binary(max_size=40))
def test_a_payload_is_decoded_alike_as_bytes_and_as_a_view(payload: bytes) -> None:
    assert journal.decode_text(b"", memoryview(payload)) == journal.decode_text(b"", payload)
