"""The form of sealed journals."""

from __future__ import annotations

from array import array

import pytest

from squall.core.output import sealed
from squall.core.output.journal import Header
from squall.testing.samples import sample_id


def test_a_file_name_lies_beside_the_live_one() -> None:
    tree = sample_id(1)
    assert sealed.file_name(tree) == f"{tree[:5]}/{tree}.sealed"


def header(size: int) -> Header:
    return Header(b"n" * 16, b"b" * 16, sample_id(9), size, 4711)


def test_what_is_packed_into_an_index_is_read_back_piece_by_piece() -> None:
    blocks = [sealed.Block(0, 4096, 7), sealed.Block(50, sealed.NO_FRAME, 0)]
    chains = {
        sample_id(2): sealed.Chain(5000, 1, array("Q", [5000])),
        sample_id(1): sealed.Chain(9, 2, array("Q", [8, 9])),
    }
    frame = sealed.pack_index(header(sealed.BLOCK + 1), b"d" * 32, blocks, chains, None)
    head = sealed.unpack_head(frame)
    assert (head.size, head.digest, head.blocks, head.executions, head.records) == (
        sealed.BLOCK + 1,
        b"d" * 32,
        2,
        2,
        3,
    )
    assert (head.nonce, head.tree, head.closing) == (b"n" * 16, sample_id(9), 4711)
    body = frame[sealed.HEAD_SIZE :]
    at = head.blocks_at
    assert [
        sealed.unpack_block(body[at + n * sealed.BLOCK_ENTRY_SIZE : at + (n + 1) * sealed.BLOCK_ENTRY_SIZE])
        for n in (0, 1)
    ] == blocks
    at = head.executions_at
    entries = [
        sealed.unpack_entry(body[at + n * sealed.EXECUTION_ENTRY_SIZE : at + (n + 1) * sealed.EXECUTION_ENTRY_SIZE])
        for n in (0, 1)
    ]
    assert [entry.execution for entry in entries] == [sample_id(1), sample_id(2)]
    assert body[head.marks_at :] == array("Q", [8, 9, 5000]).tobytes()
    assert (entries[1].mark, entries[1].marks, entries[1].records) == (2, 1, 1)


def test_a_seek_table_tells_its_size_by_its_end() -> None:
    table = sealed.pack_table([(10, 100), (20, 0)])
    assert sealed.table_size(table[-sealed.FOOTER_SIZE :]) == len(table)
    assert sealed.unpack_table(table) == [(10, 100), (20, 0)]


@pytest.mark.parametrize("cut", [0, 3, 8, -1])
def test_a_seek_table_that_is_not_whole_is_refused(cut: int) -> None:
    with pytest.raises(sealed.NotSealedError):
        sealed.unpack_table(sealed.pack_table([(10, 100)])[:cut])


def test_what_is_no_seek_table_is_refused() -> None:
    with pytest.raises(sealed.NotSealedError):
        sealed.table_size(b"123456789")
    with pytest.raises(sealed.NotSealedError):
        sealed.table_size(sealed.pack_table([])[-sealed.FOOTER_SIZE :])
    with pytest.raises(sealed.NotSealedError):
        sealed.unpack_table(b"\0" * 8 + sealed.pack_table([(1, 1)])[8:])


def test_an_index_of_another_format_or_with_wrong_counts_is_refused() -> None:
    frame = bytearray(sealed.pack_index(header(10), b"d" * 32, [sealed.Block(0, 1, 1)], {}, None))
    with pytest.raises(sealed.NotSealedError):
        sealed.unpack_head(bytes(frame[:20]))
    for at in (0, 8, 16):
        changed = bytes(frame[:at]) + bytes([frame[at] ^ 0x42]) + bytes(frame[at + 1 :])
        with pytest.raises(sealed.NotSealedError):
            sealed.unpack_head(changed)
    with pytest.raises(sealed.NotSealedError):
        sealed.index_size(b"\0" * 8)
    with pytest.raises(sealed.NotSealedError, match="shorter"):
        sealed.index_size(b"")
    for unpack in (sealed.unpack_block, sealed.unpack_entry):
        with pytest.raises(sealed.NotSealedError):
            unpack(b"short")


def test_a_survey_marks_every_stride_of_a_chain_and_its_end() -> None:
    survey = sealed.Survey()
    for number in range(200):
        survey.note(bytes.fromhex(sample_id(1)), 4096 + number * 10_000, 100, number)
    survey.note(bytes.fromhex(sample_id(2)), 7_000_000, 100, 9)
    chains = survey.chains()
    starts = [4096 + number * 10_000 for number in range(200)]
    assert list(chains[sample_id(1)].marks) == [starts[63], starts[127], starts[191], starts[199]]
    assert chains[sample_id(1)].records == 200
    assert list(chains[sample_id(2)].marks) == [7_000_000]
    assert survey.firsts[0] == (4096, 0)
    assert survey.firsts[1][0] == next(start for start in starts if start >= sealed.BLOCK)


def test_large_records_are_marked_each() -> None:
    survey = sealed.Survey()
    for number in range(5):
        survey.note(bytes.fromhex(sample_id(1)), 4096 + number * 20_000, 20_000, number)
    assert list(survey.chains()[sample_id(1)].marks) == [4096 + number * 20_000 for number in range(5)]
