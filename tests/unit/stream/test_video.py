"""A stored video as a file: its fragments joined, wherever it is read, and no more of it than is asked for."""

from __future__ import annotations

import io

import numpy as np
import pytest
from archives import incoming, spooled
from code_streams import deflated
from data import CT, element, make_instance
from hypothesis import given
from hypothesis import strategies as st
from videos import KINDS, encoded, instance, number_of

from engine.archive.archive import Archive
from engine.dicom.frame_table import FrameSpan
from engine.dicom.part10 import file_meta
from engine.dicom.scan import scan
from engine.errors import BadFrame, UnsupportedPixels, UnsupportedTransferSyntax
from engine.limits import Limits
from engine.stream.video import StoredStream, refuse_single_frames, still, without_pixels

LIMITS = Limits()
H264 = KINDS["H.264, MP4"]


def joined(content: bytes, span: FrameSpan) -> StoredStream:
    return StoredStream(lambda at, length: content[at : at + length], span)


@given(
    data=st.binary(min_size=2, max_size=400).filter(lambda d: len(d) % 2 == 0),
    size=st.integers(1, 60).map(lambda n: 2 * n),
    moves=st.lists(st.tuples(st.integers(-50, 450), st.sampled_from([0, 1, 2]), st.integers(0, 130)), max_size=12),
)
def test_it_reads_as_the_joined_bytes_do(data: bytes, size: int, moves: list[tuple[int, int, int]]) -> None:
    content = instance(H264, data, 2, fragment_bytes=size)
    table = scan(content, LIMITS).frame_table
    assert table is not None
    stream, plain = io.BufferedReader(joined(content, table[1]), 64), io.BytesIO(data)
    for offset, whence, count in moves:
        if (0, plain.tell(), len(data))[whence] + offset < 0:
            continue  # BytesIO raises for some of these, and not for others
        assert stream.seek(offset, whence) == plain.seek(offset, whence)
        assert stream.read(count) == plain.read(count)
        assert stream.tell() == plain.tell()
    assert joined(content, table[0]).readall() == data


@pytest.mark.parametrize("fragment_bytes", [0, 1000, 65536])
@pytest.mark.parametrize("keep", [incoming, spooled], ids=["memory", "spool"])
def test_a_still_out_of_the_archive(
    fragment_bytes: int, keep: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = instance(H264, encoded(H264, 30), 30, fragment_bytes=fragment_bytes)
    archive = Archive.open(tmp_path_factory.mktemp("archive"))
    archive.store([incoming(content) if keep is incoming else spooled(archive, content)])
    record = archive.instance("1.2.3.4.1")
    assert record.frame_descriptor is not None
    assert archive.read(record) == content
    for index in (0, 11, 29):
        shown = still(archive, record, record.frame_descriptor, index, LIMITS)
        assert number_of(shown.stored_values) == index
    archive.close()


def test_fragments_that_are_not_even_and_a_padding_byte() -> None:
    """The standard wants even fragments; a stream of odd length has a byte of padding, which no container minds."""
    stream = encoded(H264, 12)
    odd = stream + bytes(1 - len(stream) % 2)
    content = instance(H264, odd, 12, fragment_bytes=4096)
    table = scan(content, LIMITS).frame_table
    assert table is not None
    read = joined(content, table[0]).readall()
    assert read is not None
    assert read[: len(stream)] == stream
    assert len(read) % 2 == 0


def test_single_frames_are_refused_with_a_way_out() -> None:
    archive = Archive.in_memory(LIMITS)
    archive.store([incoming(instance(H264, encoded(H264, 3), 3))])
    with pytest.raises(UnsupportedPixels, match="rendered"):
        refuse_single_frames(archive.instance("1.2.3.4.1"))


def test_a_header_that_claims_more_frames_than_there_are() -> None:
    content = instance(H264, encoded(H264, 10), 4000)
    archive = Archive.in_memory(LIMITS)
    archive.store([incoming(content)])
    record = archive.instance("1.2.3.4.1")
    assert record.frame_descriptor is not None
    assert record.frame_table is not None
    assert len(record.frame_table) == 4000
    with pytest.raises(BadFrame, match="10 frames, not 3500"):
        still(archive, record, record.frame_descriptor, 3499, LIMITS)
    assert number_of(np.asarray(still(archive, record, record.frame_descriptor, 9, LIMITS).stored_values)) == 9


@pytest.mark.parametrize(("suffix", "is_deflated"), [("94", False), ("95", True), ("204", False), ("205", True)])
def test_pixels_on_another_server_are_by_design_not_fetched(suffix: str, is_deflated: bool) -> None:
    uid = "1.2.840.10008.1.2.4." + suffix
    native = make_instance()
    body = native[scan(native, LIMITS).data_set_offset : native.rindex(b"\xe0\x7f\x10\x00OW")]
    body += element(0x00287FE0, "UT", b"https://127.0.0.1:1/jpip?target=1")
    meta = file_meta(sop_class_uid=CT, sop_instance_uid="1.2.3.4.1", transfer_syntax_uid=uid)
    content = meta + (deflated(body) if is_deflated else body)
    archive = Archive.in_memory(LIMITS)
    archive.store([incoming(content)])
    record = archive.instance("1.2.3.4.1")
    assert archive.read(record) == content
    why = without_pixels(record)
    assert isinstance(why, UnsupportedTransferSyntax)
    assert "by design" in str(why)
    assert "JPIP" in str(why)
