"""The record codec under random frames, cuts and damage, for a tenth of SQUALL_SOAK_MINUTES; else for seconds.

Every case has a seed; that of one which fails is printed, and SQUALL_SOAK_SEED=n runs that case alone.
"""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pytest
from tests.soak.test_masking_fuzz import SECONDS, many_times

from squall.adapters.keeper.process.writing.writer import TreeWriter
from squall.core.output import journal

pytestmark = pytest.mark.timeout(SECONDS + 120)

TREE = "ab" * 12


def number(chance: random.Random, bits: int) -> int:
    return chance.choice((0, 1, (1 << bits) - 1, chance.getrandbits(bits)))


def frame(chance: random.Random, nonce: bytes, start: int) -> bytes:
    payload = chance.choice((b"", nonce[:4] * chance.randrange(9), chance.randbytes(chance.randrange(3000))))
    head = journal.pack_frame(
        nonce,
        journal.checksum_seed(nonce),
        chance.choice(sorted(journal.KINDS)),
        chance.randbytes(12),
        number(chance, 64),
        payload,
        start=start,
        stream=chance.randrange(4),
        event=number(chance, 64),
        offset=number(chance, 64),
        prev=number(chance, 64),
        incarnation=number(chance, 32),
        lead=chance.randbytes(chance.randrange(4)),
        tag=chance.choice((b"", b"host", "é".encode() * 100)),
    )
    return head + payload


def frames(chance: random.Random, nonce: bytes, base: int) -> tuple[bytes, list[int]]:
    data, starts = b"", []
    for _ in range(chance.randrange(1, 12)):
        starts.append(len(data))
        data += frame(chance, nonce, base + len(data))
    return data, starts


def damaged(chance: random.Random, data: bytes) -> bytes:
    """Bits flipped, blocks lost or put elsewhere, an end that is missing: what disks do."""
    found = bytearray(data)
    for _ in range(chance.randrange(4)):
        at, other = chance.randrange(len(found) + 1), chance.randrange(len(found) + 1)
        length = chance.choice((1, 8, 64, 512, 4096))
        kind = chance.randrange(4)
        if kind == 0 and at < len(found):
            found[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            found[at : at + length] = bytes(len(found[at : at + length]))
        elif kind == 2:
            moved = found[other : other + length]
            found[at : at + len(moved)] = moved
        else:
            del found[len(found) - chance.randrange(min(len(found), 200) + 1) :]
    return bytes(found)


def test_any_cut_gives_the_records_that_were_written() -> None:
    def check(chance: random.Random) -> None:
        nonce, base = chance.randbytes(16), chance.randrange(1 << 40)
        data, starts = frames(chance, nonce, base)
        got, position, read = [], 0, 0
        while position < len(data):
            read = min(len(data), max(read, position) + chance.randrange(1, 2000))
            for record in journal.unpack_frames(data[position:read], base + position, nonce):
                got.append(record.start - base)
                position = record.end - base
        assert got == starts

    many_times(check)


def test_after_any_damage_all_whole_frames_at_their_places_are_found_and_nothing_else() -> None:
    def check(chance: random.Random) -> None:
        nonce, base = chance.randbytes(16), chance.randrange(1 << 40)
        data, starts = frames(chance, nonce, base)
        bad, seed = damaged(chance, data), journal.checksum_seed(nonce)
        ends = [*starts[1:], len(data)]
        whole = [at for at, end in zip(starts, ends, strict=True) if bad[at:end] == data[at:end] and end <= len(bad)]
        found, at = [], 0
        while (at := journal.find_frame(bad, at, nonce, seed, base)) >= 0:
            found.append(at)
            at += max(1, journal.frame_length(bad, at))
        assert found == whole
        # Readers do not verify; they must come to an end all the same.
        for record in journal.unpack_frames(bad, base, nonce):
            assert record.start < record.end <= base + len(bad)

    many_times(check)


def test_whatever_a_header_holds_it_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "it.journal"

    def check(chance: random.Random) -> None:
        path.unlink(missing_ok=True)
        writer = TreeWriter.create(path, TREE, bytes(16), 1)
        for _ in range(chance.randrange(6)):
            writer.output(TREE, chance.choice((1, 2)), 0, chance.randbytes(chance.randrange(200)))
        committed = writer.committed
        writer.abandon()
        # What a dead writer leaves behind the committed length is cut off, and nothing before it is touched.
        whole = path.read_bytes()
        path.write_bytes(whole + chance.randbytes(chance.randrange(500)))
        TreeWriter.reopen(path, 2, bytes(16)).abandon()
        assert path.read_bytes() == whole
        assert len(whole) == committed
        page = damaged(chance, whole[: journal.HEADER_SIZE])
        with contextlib.suppress(journal.NotAJournalError):
            journal.unpack_header(page)

    many_times(check)
