"""Accept headers as real clients send them (PS3.18 8.7)."""

from __future__ import annotations

import pytest

from engine.web.negotiate import FrameChoice, choose_frames, parse_accept

J2K, JLS, LE, HT = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.202"
STORED, NATIVE = FrameChoice(True, True), FrameChoice(False, True)


@pytest.mark.parametrize(
    ("accept", "uid", "media_type", "choice"),
    [
        # cornerstone3D, both of its spellings
        ("multipart/related; type=application/octet-stream; transfer-syntax=*", J2K, "image/jp2", STORED),
        ('multipart/related; type="application/octet-stream"; transfer-syntax="*"', J2K, "image/jp2", STORED),
        (
            f'multipart/related; type="image/jls"; transfer-syntax="{JLS}"; transfer-syntax="*"',
            J2K,
            "image/jp2",
            STORED,
        ),
        ("image/jhc", HT, "image/jphc", FrameChoice(True, False)),
        ("*/*", J2K, "image/jp2", STORED),
        ('multipart/related; type="application/octet-stream"', J2K, "image/jp2", NATIVE),
        (f'multipart/related; type="application/octet-stream"; transfer-syntax={LE}', J2K, "image/jp2", NATIVE),
        ('multipart/related; type="image/jp2"', J2K, "image/jp2", STORED),
        ('multipart/related; type="image/jls"', J2K, "image/jp2", None),
        (f'multipart/related; type="image/jls"; transfer-syntax={JLS}', J2K, "image/jp2", None),
        (
            'multipart/related; type="image/jls";q=0.9, multipart/related; type="image/jp2";q=0.1',
            J2K,
            "image/jp2",
            STORED,
        ),
        ("application/octet-stream", LE, "application/octet-stream", FrameChoice(False, False)),
        ("image/jpeg;q=0", J2K, "image/jp2", None),
    ],
)
def test_frames(accept: str, uid: str, media_type: str, choice: FrameChoice | None) -> None:
    assert choose_frames(parse_accept(accept), uid, media_type, True) == choice


def test_what_cannot_be_decoded_is_only_given_as_stored() -> None:
    ranges = parse_accept('multipart/related; type="application/octet-stream"')
    assert choose_frames(ranges, "1.2.840.10008.1.2.4.102", "video/mp4", False) is None


def test_commas_inside_quotes_do_not_split() -> None:
    [one] = parse_accept('multipart/related; type="image/jp2, not two"; q=0.5')
    assert (one.media_type, one.quality) == ("image/jp2, not two", 0.5)
