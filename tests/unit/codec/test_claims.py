"""What code streams and videos say of themselves, against the headers that they were made for; else an error of ours."""

from __future__ import annotations

import io
from contextlib import suppress

import imagecodecs
import numpy as np
import pydicom
import pytest
import videos
from code_streams import MADE
from data import data_files, needs_data
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.codec.claims import claims_of
from engine.codec.picture_file import native_pixels
from engine.dicom.coded_pixels import PixelClaims
from engine.dicom.media_types import transfer_syntax_of
from engine.dicom.transfer_syntax import lookup
from engine.errors import BadFrame, EngineError, TooLarge, UnsupportedPixels
from engine.limits import Limits

LIMITS = Limits()
RNG = np.random.default_rng(5)
GREY8 = RNG.integers(0, 256, (7, 5), np.uint8)
RGB8 = RNG.integers(0, 256, (7, 5, 3), np.uint8)
DESCRIBED = [
    name
    for name, one in MADE.items()
    if lookup(one.descriptor.transfer_syntax_uid).media_type.startswith("image/") and "rle" not in name
]


@pytest.mark.parametrize("name", DESCRIBED)
def test_claims_are_what_the_header_says(name: str) -> None:
    made = MADE[name]
    d = made.descriptor
    claims = claims_of(d.transfer_syntax_uid, io.BytesIO(made.stream()))
    assert (claims.rows, claims.columns, claims.samples_per_pixel) == (d.rows, d.columns, d.samples_per_pixel)
    assert claims.bits_allocated == d.bits_allocated
    assert claims.bits_stored in (d.bits_stored, d.bits_allocated)  # encoders take an array's size for its depth
    # JPEG and JPEG-LS know no sign; it is the header's alone.
    if name.startswith(("jpeg 2000", "htj2k")):
        assert claims.pixel_representation == d.pixel_representation
    assert (claims.photometric_interpretation == "MONOCHROME2") == (d.samples_per_pixel == 1)


@pytest.mark.parametrize(
    ("stream", "photometric"),
    [
        (imagecodecs.jpeg8_encode(RGB8), "YBR_FULL_422"),
        (imagecodecs.jpeg8_encode(RGB8, colorspace="RGB", outcolorspace="RGB"), "RGB"),
        (imagecodecs.jpegls_encode(RGB8), "RGB"),
        (imagecodecs.jpeg2k_encode(RGB8, codecformat="j2k", mct=True, reversible=True), "YBR_RCT"),
        (imagecodecs.jpeg2k_encode(RGB8, codecformat="j2k", mct=True, reversible=False, level=50), "YBR_ICT"),
        (imagecodecs.jpeg2k_encode(RGB8, codecformat="j2k", mct=False, reversible=True), "RGB"),
        (imagecodecs.jpeg2k_encode(RGB8, codecformat="jp2", mct=True, reversible=True), "YBR_RCT"),
    ],
)
def test_colours(stream: bytes, photometric: str) -> None:
    media_type = (
        "image/jp2" if b"\xff\x4f\xff\x51" in stream else "image/jls" if b"\xff\xf7" in stream[:40] else "image/jpeg"
    )
    claims = claims_of(transfer_syntax_of(media_type, "", stream), io.BytesIO(stream))
    assert claims == PixelClaims(7, 5, 3, 8, photometric)


@needs_data
def test_real_files_say_what_their_headers_say() -> None:
    seen: set[str] = set()
    for path in [p for p in data_files("syntaxes") if p.stat().st_size < 400_000]:
        ds = pydicom.dcmread(path, force=True)
        uid = str(ds.file_meta.get("TransferSyntaxUID", ""))
        if uid not in pydicom.uid.AllTransferSyntaxes or lookup(uid).media_type not in (
            "image/jpeg",
            "image/jls",
            "image/jp2",
            "image/jphc",
        ):
            continue
        with suppress(ValueError, AttributeError, EngineError):
            frame = next(
                pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames") or 1))
            )
            claims = claims_of(uid, io.BytesIO(frame))
            assert (claims.rows, claims.columns, claims.samples_per_pixel) == (
                ds.Rows,
                ds.Columns,
                ds.SamplesPerPixel,
            ), path
            seen.add(uid)
    assert len(seen) >= 7


@pytest.mark.parametrize("name", sorted(videos.KINDS))
def test_videos(name: str) -> None:
    kind = videos.KINDS[name]
    stream = videos.encoded(kind, 3)
    if kind.container in ("mpegts", "h264", "hevc") and kind.codec != "mpeg2video":
        with pytest.raises(UnsupportedPixels, match="no MP4 file"):
            claims_of(kind.uid, io.BytesIO(stream))
        return
    claims = claims_of(kind.uid, io.BytesIO(stream))
    assert claims == PixelClaims(videos.ROWS, videos.COLUMNS, 3, kind.bits, "YBR_PARTIAL_420")


def test_what_does_not_say_is_told() -> None:
    for uid, data, error in (
        ("1.2.840.10008.1.2.5", bytes(64), UnsupportedPixels),
        ("1.2.840.10008.1.2.4.50", b"\xff\xd8\xff\xd9", BadFrame),
        ("1.2.840.10008.1.2.4.90", b"", BadFrame),
        ("1.2.840.10008.1.2.4.102", b"", UnsupportedPixels),
        ("1.2.840.10008.1.2.4.102", b"\0\0\0\x10ftypisom\0\0\0\0", BadFrame),
        (
            "1.2.840.10008.1.2.4.50",
            imagecodecs.jpeg8_encode(RNG.integers(0, 256, (4, 4, 4), np.uint8)),
            UnsupportedPixels,
        ),
    ):
        with pytest.raises(error):
            claims_of(uid, io.BytesIO(data))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([*DESCRIBED, "H.264, MP4", "MPEG-2, program stream"]), st.data())
def test_spoilt_heads(name: str, data: st.DataObject) -> None:
    if name in MADE:
        uid, stream = MADE[name].descriptor.transfer_syntax_uid, bytearray(MADE[name].stream())
    else:
        uid, stream = videos.KINDS[name].uid, bytearray(_video(name))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, min(len(stream) - 1, 300)))
        stream[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    with suppress(EngineError):
        claims = claims_of(uid, io.BytesIO(bytes(stream)))
        assert 0 < claims.rows <= 0xFFFF
        assert claims.macro()["00280102"] == claims.bits_stored - 1


_made: dict[str, bytes] = {}


def _video(name: str) -> bytes:
    if name not in _made:
        _made[name] = videos.encoded(videos.KINDS[name], 2)
    return _made[name]


# -- pictures that become native


def png(image: np.ndarray | Image.Image, **options: object) -> bytes:  # type: ignore[type-arg]
    out = io.BytesIO()
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture.save(out, "PNG", **options)
    return out.getvalue()


def test_png_keeps_every_sample() -> None:
    grey16 = RNG.integers(0, 65536, (7, 5), np.uint16)
    rgb16 = RNG.integers(0, 65536, (7, 5, 3), np.uint16)
    palette = Image.fromarray(RGB8 & 0xC0).quantize(64)
    alpha = np.dstack((RGB8, GREY8))
    bits = np.array([[0, 1, 1], [1, 0, 1]], bool)
    for stream, wanted, stored in (
        (png(GREY8), GREY8, 8),
        (png(RGB8), RGB8, 8),
        (imagecodecs.png_encode(grey16), grey16, 16),
        (imagecodecs.png_encode(rgb16), rgb16, 16),
        (png(palette), np.asarray(palette.convert("RGB")), 8),
        (png(alpha), RGB8, 8),
        (png(np.dstack((GREY8, GREY8))), GREY8, 8),
        (png(Image.fromarray(bits)), bits * np.uint8(255), 8),
    ):
        pixels = native_pixels("image/png", io.BytesIO(stream), LIMITS)
        [frame] = pixels.frames
        samples = 3 if wanted.ndim == 3 else 1
        assert pixels.claims == PixelClaims(
            *wanted.shape[:2], samples, stored, "RGB" if samples == 3 else "MONOCHROME2"
        )
        assert frame == wanted.astype("<u2" if stored == 16 else "u1").tobytes()


def gif(pictures: list[np.ndarray]) -> bytes:  # type: ignore[type-arg]
    out = io.BytesIO()
    first, *others = [Image.fromarray(p).quantize(256) for p in pictures]
    first.save(out, "GIF", save_all=True, append_images=others)
    return out.getvalue()


def test_gif_becomes_whole_frames() -> None:
    pictures = [np.zeros((20, 30, 3), np.uint8) for _ in range(4)]
    for n, one in enumerate(
        pictures
    ):  # each differs from the one before in a part, which is all that the file has of it
        one[: 5 * n] = (255, 40 * n, 7)
    stream = gif(pictures)
    pixels = native_pixels("image/gif", io.BytesIO(stream), LIMITS)
    assert (pixels.number_of_frames, pixels.claims) == (4, PixelClaims(20, 30, 3, 8, "RGB"))
    with Image.open(io.BytesIO(stream)) as reference:
        for number, frame in enumerate(pixels.frames):
            reference.seek(number)
            assert frame == np.asarray(reference.convert("RGB")).tobytes() == pictures[number].tobytes()


def test_what_grows_too_large_is_refused() -> None:
    small = Limits(frame_bytes_max=1000)
    for media_type, stream in (
        ("image/png", png(np.zeros((40, 40), np.uint8))),
        ("image/gif", gif([np.zeros((40, 40, 3), np.uint8)])),
    ):
        with pytest.raises(TooLarge, match="frame_bytes_max"):
            native_pixels(media_type, io.BytesIO(stream), small)
    bomb = png(np.zeros((12000, 12000), np.uint8), compress_level=9)  # 144 MB of 140 KB
    with pytest.raises(TooLarge, match="archive_expansion_max"):
        native_pixels("image/png", io.BytesIO(bomb), Limits(archive_expansion_max=1))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["image/png", "image/gif"]), st.data())
def test_spoilt_pictures(media_type: str, data: st.DataObject) -> None:
    stream = bytearray(png(RGB8) if media_type == "image/png" else gif([RGB8, RGB8[::-1]]))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(stream) - 1))
        stream[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    with suppress(EngineError):
        pixels = native_pixels(media_type, io.BytesIO(bytes(stream)), Limits(frame_bytes_max=1 << 20))
        for frame in pixels.frames:
            assert len(frame) == pixels.claims.frame_bytes
