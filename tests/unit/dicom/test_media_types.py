"""What a frame's media type, its parameter and its first bytes say together (PS3.18 table 8.7.3-5)."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest

from engine.dicom.media_types import OCTET_STREAM, transfer_syntax_of

ROOT = "1.2.840.10008.1.2"
GREY = (np.arange(64 * 64) % 251).astype(np.uint8).reshape(64, 64)


@pytest.mark.parametrize(
    ("media_type", "stream", "wanted"),
    [
        ("image/jpeg", imagecodecs.jpeg8_encode(GREY), ".4.50"),
        ("image/jpg", imagecodecs.jpeg8_encode(GREY), ".4.50"),
        ("image/jpeg", imagecodecs.jpeg8_encode(GREY, lossless=True, predictor=1), ".4.70"),
        ("image/jls", imagecodecs.jpegls_encode(GREY), ".4.80"),
        ("image/x-jls", imagecodecs.jpegls_encode(GREY, level=3), ".4.81"),
        ("image/jp2", imagecodecs.jpeg2k_encode(GREY, reversible=True, codecformat="j2k"), ".4.90"),
        ("image/jp2", imagecodecs.jpeg2k_encode(GREY, level=40, reversible=False, codecformat="j2k"), ".4.91"),
        ("image/jp2", imagecodecs.jpeg2k_encode(GREY, reversible=True, codecformat="jp2"), ".4.90"),
        ("image/jphc", imagecodecs.htj2k_encode(GREY, reversible=True), ".4.201"),
        ("image/dicom-rle", b"\1\0\0\0", ".5"),
        ("image/jxl", b"\xff\x0a", ".4.112"),
        ("video/mp4", b"\0\0\0\1", ".4.102"),
    ],
)
def test_the_code_stream_says_what_the_media_type_leaves_open(media_type: str, stream: bytes, wanted: str) -> None:
    assert transfer_syntax_of(media_type, "", bytes(stream)) == ROOT + wanted


def test_a_parameter_is_believed_where_it_fits() -> None:
    assert transfer_syntax_of(OCTET_STREAM, "", b"\1\2") == ""
    assert transfer_syntax_of(OCTET_STREAM, f"{ROOT}.1", b"\1\2") == ""
    assert transfer_syntax_of(OCTET_STREAM, f"{ROOT}.1.98", b"\1\2") == f"{ROOT}.1.98"
    assert transfer_syntax_of("image/jphc", f"{ROOT}.4.202", b"\xff\x4f\xff\x51") == f"{ROOT}.4.202"


@pytest.mark.parametrize(
    ("media_type", "said", "head", "says"),
    [
        ("image/jpeg", f"{ROOT}.1", b"\xff\xd8", "not native"),
        ("image/jpeg", "1.2.3", b"\xff\xd8", "not known"),
        ("image/jpeg", f"{ROOT}.4.90", b"\xff\xd8", "does not go with"),
        ("image/jpeg", "", b"\x89PNG", "no code stream"),
        ("image/jpeg", "", b"\xff\xd8\xff\xd9", "needs a transfer-syntax"),
        ("image/png", "", b"\x89PNG", "no media type of frames"),
        ("image/jpeg", f"{ROOT}.4.50", b"\xfe\xff\x00\xe0", "fragments"),
    ],
)
def test_contradictions_are_refused(media_type: str, said: str, head: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        transfer_syntax_of(media_type, said, head)
