"""PS3.5 A.4 and PS3.3 C.7.6.3.1.8: where every frame is, with Basic, Extended or no offset table; pydicom encapsulates."""

from __future__ import annotations

import os
import struct

import pytest
from data import EXPLICIT, make_instance
from pydicom.encaps import encapsulate, encapsulate_extended
from scanning import LIMITS, defects_of, frames_of, scan_both

from engine.dicom.frame_table import FrameTableKind
from engine.dicom.part10 import file_meta
from engine.dicom.scan import scan_file

JPEG = "1.2.840.10008.1.2.4.50"
DELIMITER = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
# Even lengths, as encapsulation wants; long ones cross the window of a file source (16 KiB).
CODES = [b"\xff\xd8\xff\xe0" + bytes([n]) * (20 + 30000 * (n % 2) + 2 * n) + b"\xff\xd9" for n in range(7)]


def item(value: bytes) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(value)) + value


def instance(fragments: bytes, frames: int, extra: bytes = b"") -> bytes:
    """Encapsulated pixel data in the place of native ones."""
    plain = make_instance(frames=frames, pixels=b"", rows=32, columns=32)
    head, _, _ = plain.rpartition(struct.pack("<HH2s", 0x7FE0, 0x0010, b"OW"))
    return retagged(head) + extra + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF) + fragments


def retagged(head: bytes) -> bytes:
    """The same data set behind a File Meta that names the encapsulated transfer syntax."""
    meta = {"sop_class_uid": "1.2.840.10008.5.1.4.1.1.2", "sop_instance_uid": "1.2.3.4.1"}
    native = file_meta(**meta, transfer_syntax_uid=EXPLICIT)
    assert head.startswith(native)
    return file_meta(**meta, transfer_syntax_uid=JPEG) + head[len(native) :]


@pytest.mark.parametrize("has_bot", [True, False])
@pytest.mark.parametrize("fragments_per_frame", [1, 3])
def test_a_4_frames_with_and_without_a_basic_offset_table(has_bot: bool, fragments_per_frame: int) -> None:
    data = instance(
        encapsulate(CODES, fragments_per_frame=fragments_per_frame, has_bot=has_bot) + DELIMITER, len(CODES)
    )
    scanned = scan_both(data)
    table = scanned.frame_table
    assert table is not None and table.kind is FrameTableKind.ENCAPSULATED
    assert [table[i].fragment_count for i in range(len(table))] == [fragments_per_frame] * len(CODES)
    assert frames_of(data) == CODES
    assert defects_of(scanned) == set()


def test_a_4_one_frame_in_many_fragments_needs_no_table() -> None:
    data = instance(encapsulate([CODES[1]], fragments_per_frame=9, has_bot=False) + DELIMITER, 1)
    assert frames_of(data) == [CODES[1]]


def test_a_4_fragments_of_unequal_number_with_a_table() -> None:
    parts = [[CODES[0]], [CODES[1][:100], CODES[1][100:]], [CODES[2][:4], CODES[2][4:8], CODES[2][8:]]]
    offsets, body = [], b""
    for frame in parts:
        offsets.append(len(body))
        body += b"".join(map(item, frame))
    data = instance(item(struct.pack("<3I", *offsets)) + body + DELIMITER, 3)
    assert frames_of(data) == CODES[:3]


def test_c_7_6_3_1_8_extended_offset_table() -> None:
    body, offsets, lengths = encapsulate_extended(CODES)
    extra = b"".join(
        struct.pack("<HH2sHI", 0x7FE0, tag, b"OV", 0, len(value)) + value for tag, value in ((1, offsets), (2, lengths))
    )
    data = instance(body + DELIMITER, len(CODES), extra)
    assert frames_of(data) == CODES
    assert defects_of(scan_both(data)) == set()


def test_tables_that_are_wrong_are_not_believed() -> None:
    """They are noted, and the frames are found by their code streams."""
    good = b"".join(item(CODES[n][:8]) + item(CODES[n][8:]) for n in range(3))
    for wrong in ((0, 5, 10), (0, 0, 0), (8, 9, 10), (0, 0xFFFFFFF0, 4), (0,), (0, 1, 2, 3)):
        data = instance(item(struct.pack(f"<{len(wrong)}I", *wrong)) + good + DELIMITER, 3)
        assert frames_of(data) == CODES[:3], wrong
        assert defects_of(scan_both(data)) == {"offset-table-wrong"}, wrong


def test_extended_table_that_is_wrong_gives_way_to_the_basic_one() -> None:
    body = encapsulate(CODES, fragments_per_frame=2, has_bot=True) + DELIMITER
    extra = struct.pack("<HH2sHI", 0x7FE0, 1, b"OV", 0, 56) + struct.pack("<7Q", *range(7))
    data = instance(body, len(CODES), extra)
    assert frames_of(data) == CODES
    assert defects_of(scan_both(data)) == {"offset-table-wrong"}


# The first bytes of a code stream, and a fragment from its middle that begins like one to whoever looks at too few bytes.
BEGINNINGS = {
    "jpeg": (b"\xff\xd8\xff\xc0", b"\xff\xd8\x12\x34"),
    "jpeg 2000": (b"\xff\x4f\xff\x51", b"\xff\x4f\x80\x00"),
    "jpeg xl": (b"\xff\x0a\x00\x10", b"\xff\x0b\x00\x10"),
    "boxes": (b"\0\0\0\x0cjP  ", b"\0\0\0\x0d"),
    "rle": (struct.pack("<16I", 2, 64, 90, *(0,) * 13), b"\x02\0\0\0" + b"\x81\0" * 40),
    "rle, segments in another order": (
        struct.pack("<16I", 2, 90, 64, *(0,) * 13),
        struct.pack("<16I", 3, 64, 90, 9, *(7,) * 12),
    ),
}


@pytest.mark.parametrize("kind", BEGINNINGS)
@pytest.mark.parametrize("cut", [(1, 2, 1, 3), (2, 2, 2, 2)])
def test_a_4_frames_over_several_fragments_are_found_by_their_code_streams(kind: str, cut: tuple[int, ...]) -> None:
    """No table, more fragments than frames, some of which begin nearly like a frame."""
    begin, middle = BEGINNINGS[kind]
    middle += bytes([9]) * (80 + len(middle) % 2)
    frames = [[begin + bytes([n]) * (100 - len(begin)), *[middle] * (many - 1)] for n, many in enumerate(cut)]
    data = instance(item(b"") + b"".join(item(f) for frame in frames for f in frame) + DELIMITER, len(frames))
    assert frames_of(data) == [b"".join(frame) for frame in frames]
    assert defects_of(scan_both(data)) == set()


def test_a_4_without_even_the_item_of_the_table() -> None:
    """The first fragment stands where the Basic Offset Table should: it begins a code stream, as no table can."""
    body = b"".join(map(item, CODES)) + DELIMITER
    data = instance(body, len(CODES))
    assert frames_of(data) == CODES
    assert defects_of(scan_both(data)) == {"offset-table-wrong"}
    rle = [struct.pack("<16I", 1, 64, *(0,) * 14) + bytes([n]) * 20 for n in range(3)]
    assert frames_of(instance(b"".join(map(item, rle)) + DELIMITER, 3)) == rle


def test_a_4_offsets_inside_fragments_are_not_believed() -> None:
    """A writer that counted from the wrong place, or as if there were no item headers."""
    good = b"".join(item(CODES[n][:8]) + item(CODES[n][8:]) for n in range(3))
    ends = [0]
    for n in range(2):
        ends.append(ends[-1] + 16 + len(CODES[n]))
    for wrong in (
        [e + 8 for e in ends],
        [e - 8 * i for i, e in enumerate(ends)],
        ends[::-1],
        [ends[0], ends[2], ends[1]],
    ):
        data = instance(item(struct.pack("<3I", *(w & 0xFFFFFFFF for w in wrong))) + good + DELIMITER, 3)
        assert frames_of(data) == CODES[:3], wrong
        assert defects_of(scan_both(data)) == {"offset-table-wrong"}, wrong


def test_a_table_of_odd_length_or_too_many_entries_is_not_believed() -> None:
    good = b"".join(map(item, CODES[:2]))
    for table in (bytes(6), struct.pack("<4I", 0, 28, 28, 28)):
        data = instance(item(table) + good + DELIMITER, 2)
        assert frames_of(data) == CODES[:2]
        assert defects_of(scan_both(data)) == {"offset-table-wrong"}


def test_extended_lengths_are_not_needed_where_fragments_say_their_own() -> None:
    body, offsets, _ = encapsulate_extended(CODES)
    for lengths in (bytes(56), b"\xff" * 56, bytes(8)):
        extra = b"".join(
            struct.pack("<HH2sHI", 0x7FE0, tag, b"OV", 0, len(value)) + value
            for tag, value in ((1, offsets), (2, lengths))
        )
        assert frames_of(instance(body + DELIMITER, len(CODES), extra)) == CODES


def test_offsets_of_32_bits_wrap_beyond_4_gib() -> None:
    """Three fragments of 2 GiB, of which a sparse file has but the first bytes: found without the table, which is noted."""
    length = 1 << 31
    offsets = [n * (length + 8) for n in range(3)]
    table = item(struct.pack("<3I", *(offset & 0xFFFFFFFF for offset in offsets)))
    head = instance(table, 3)
    fd = os.memfd_create("large")
    try:
        os.write(fd, head)
        for offset in offsets:
            os.pwrite(fd, struct.pack("<HHI", 0xFFFE, 0xE000, length) + CODES[0][:8], len(head) + offset)
        end = len(head) + 3 * (length + 8)
        os.pwrite(fd, DELIMITER, end)
        scanned = scan_file(fd, 0, end + len(DELIMITER), LIMITS)
    finally:
        os.close(fd)
    found = scanned.frame_table
    assert found is not None
    assert [(found[i].offset, found[i].length) for i in range(3)] == [(len(head) + o + 8, length) for o in offsets]
    assert defects_of(scanned) == {"offset-table-wrong"}


def test_fewer_and_more_frames_than_the_header_claims() -> None:
    body = encapsulate(CODES, has_bot=False) + DELIMITER
    short = instance(body, 9)
    assert frames_of(short) == CODES
    assert defects_of(scan_both(short)) == {"pixel-data-short"}
    long = instance(body, 3)
    assert frames_of(long) == CODES[:3]
    assert defects_of(scan_both(long)) == {"pixel-data-long"}


def test_no_fragments_are_no_frames() -> None:
    scanned = scan_both(instance(item(b"") + DELIMITER, 1))
    assert scanned.frame_table is None and defects_of(scanned) == {"pixel-data-short"}


@pytest.mark.parametrize("frames", [1, 3, 8])
def test_8_1_1_frames_of_single_bits_begin_inside_bytes(frames: int) -> None:
    bits = 4 * 5  # one frame: two and a half bytes
    value = bytes(range(7, 7 + (bits * frames + 7) // 8))
    value += b"\0" * (len(value) % 2)
    data = make_instance(rows=4, columns=5, frames=frames, pixels=value)
    data = data.replace(b"\x28\x00\x00\x01US\x02\x00\x10\x00", b"\x28\x00\x00\x01US\x02\x00\x01\x00")
    whole = int.from_bytes(value, "little")
    expected = [whole >> bits * i & (1 << bits) - 1 for i in range(frames)]
    got = [int.from_bytes(code, "little") & (1 << bits) - 1 for code in frames_of(data)]
    assert got == expected
