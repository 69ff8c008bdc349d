"""Resolution ends of the real JPEG 2000 and HTJ2K files: the prefixes decode to what the whole does at that size."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from data import data_files, needs_data, pydicom_files

from engine.codec.jpeg2000_header import read_header, whole
from engine.codec.jpeg2000_reduce import reduced
from engine.codec.resolutions import resolution_ends, why_whole
from engine.dicom.frame import FrameDescriptor
from engine.dicom.frame_table import join_fragments
from engine.dicom.scan import scan
from engine.errors import BadFrame, EngineError
from engine.limits import Limits

LIMITS = Limits()
SYNTAXES = {f"1.2.840.10008.1.2.4.{n}" for n in (90, 91, 92, 93, 201, 202, 203)}
SIZE_MAX = 16 << 20
# Files that libraries made to test fragments with: a few bytes where a code stream should be.
NO_CODE_STREAM = {
    "libdicom__generated_encapsulated_empty_bot_1_to_1.dcm",
    "libdicom__generated_encapsulated_empty_bot_2_to_1.dcm",
}
SLICED = "pylibjpeg-data__966.dcm"  # the only one whose tile-parts are resolutions


def first_frame(path: Path) -> tuple[FrameDescriptor, bytes] | None:
    data = path.read_bytes()
    try:
        scanned = scan(data, LIMITS)
    except EngineError:
        return None
    table, descriptor = scanned.frame_table, scanned.frame_descriptor
    if table is None or descriptor is None or scanned.transfer_syntax_uid not in SYNTAXES:
        return None
    span = table[0]
    return descriptor, bytes(join_fragments(data[span.offset : span.offset + span.length], span.fragment_count))


def test_every_real_code_stream_has_ends_or_a_reason() -> None:
    reasons: dict[str, str] = {}
    for path in [*data_files(""), *pydicom_files()]:
        if path.stat().st_size > SIZE_MAX or (frame := first_frame(path)) is None:
            continue
        try:
            ends, reason = resolution_ends(*frame), why_whole(*frame)
        except BadFrame as refusal:
            ends, reason = (), f"refused: {refusal.reason}"
        assert bool(ends) != bool(reason)
        reasons[path.name] = reason
    refused = {name for name, reason in reasons.items() if reason.startswith("refused")}
    assert refused <= NO_CODE_STREAM | {"GDCMJ2K_TextGBR.dcm"}, {n: reasons[n] for n in refused}
    assert len(reasons) > 5


def counted(prefix: bytes, tile_parts: int) -> bytes:
    """A prefix whose SOT marker segments say as many tile-parts as there are, and an EOC marker: OpenJPEG insists on both."""
    out, at = bytearray(prefix), prefix.index(b"\xff\x90\x00\x0a")
    while at < len(out):
        out[at + 11] = tile_parts
        at += int.from_bytes(out[at + 6 : at + 10], "big")
    return bytes(out) + b"\xff\xd9"


@needs_data
def test_a_real_file_of_six_tile_parts_decodes_from_each_prefix() -> None:
    """OpenJPEG decodes both; the prefix ends with the tile-part, so an EOC marker makes it a whole code stream."""
    (path,) = (p for p in data_files("") if p.name == SLICED)
    frame = first_frame(path)
    assert frame is not None
    descriptor, code = frame
    ends = resolution_ends(descriptor, code)
    header = read_header(descriptor, memoryview(code))
    assert len(ends) == header.levels + 1
    for index in range(len(ends) - 1):
        by = len(ends) - 1 - index
        all_of_it, really = reduced(header, memoryview(whole(descriptor, header, code)), by)
        prefix, again = reduced(header, memoryview(counted(code[: ends[index]], index + 1)), by)
        assert really == again == by
        got, want = imagecodecs.jpeg2k_decode(prefix), imagecodecs.jpeg2k_decode(all_of_it)
        assert got.shape == (-(-descriptor.rows // (1 << by)), -(-descriptor.columns // (1 << by)))
        np.testing.assert_array_equal(got, want)


def test_no_end_is_told_of_a_cut_file() -> None:
    path = next(p for p in pydicom_files() if p.name == "MR_small_jp2klossless.dcm")
    frame = first_frame(path)
    assert frame is not None
    with pytest.raises(BadFrame):
        resolution_ends(frame[0], frame[1][: len(frame[1]) // 2])
