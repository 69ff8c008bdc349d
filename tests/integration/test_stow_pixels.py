"""STOW-RS of pixels that describe themselves, and of pictures that become native ones (PS3.18 table 10.5.2-1)."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from serving import Serving
from stowing import JSON, ROOT, XML, as_sent, body, metadata, post, stored


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive")) as running:
        yield running


SAID = ("00280002", "00280004", "00280010", "00280011", "00280100", "00280101", "00280102", "00280103")
RNG = np.random.default_rng(8)
RGB = RNG.integers(0, 256, (6, 9, 3), np.uint8)
DEEP = RNG.integers(0, 4096, (6, 9), np.uint16)


def undescribed(sop: str, **more: Any) -> dict[str, Any]:
    return {tag: one for tag, one in metadata(sop, **more).items() if tag not in SAID or tag in more}


def picture(image: np.ndarray[Any, Any] | list[np.ndarray[Any, Any]], kind: str) -> bytes:
    out = io.BytesIO()
    first, *others = [Image.fromarray(one) for one in (image if isinstance(image, list) else [image])]
    first.save(out, kind, **({"save_all": True, "append_images": others} if others else {}))
    return out.getvalue()


@pytest.mark.clause("PS3.18 10.5.2")
@pytest.mark.parametrize(
    ("sop", "media_type", "content", "syntax", "shown"),
    [
        ("1.5.2.1", "image/jls", imagecodecs.jpegls_encode(DEEP), ".4.80", DEEP),
        ("1.5.2.2", "image/jp2", imagecodecs.jpeg2k_encode(RGB, codecformat="j2k", mct=True, reversible=True), ".4.90", RGB),
        ("1.5.2.3", "image/png", imagecodecs.png_encode(DEEP), ".1", DEEP),
        ("1.5.2.4", "image/png", picture(RGB, "PNG"), ".1", RGB),
        ("1.5.2.5", "image/gif", picture(RGB & 0xE0, "GIF"), ".1", None),
        ("1.5.2.6", "image/jpeg", imagecodecs.jpeg8_encode(RGB, level=95), ".4.50", None),
        ("1.5.2.7", "image/jpeg", picture(np.kron(RGB, np.ones((8, 8, 1), np.uint8)), "JPEG"), ".4.50", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", [JSON, XML])
def test_the_header_may_leave_its_pixels_to_the_code_stream(
    server: Serving,
    sop: str,
    media_type: str,
    content: bytes,
    syntax: str,
    shown: np.ndarray[Any, Any] | None,
    kind: str,
) -> None:
    sop += f".{1 if kind == JSON else 2}"
    answer = post(server, body((kind, "", as_sent(undescribed(sop), kind)), (media_type, "bulk/1", content)), kind)
    assert answer.status_code == 200, answer.headers
    ds = stored(server, sop)
    assert ds.file_meta.TransferSyntaxUID == ROOT + syntax
    assert (ds.BitsAllocated, ds.HighBit, ds.PixelRepresentation) == (
        8 * (1 + (ds.BitsStored > 8)),
        ds.BitsStored - 1,
        0,
    )
    if shown is None:
        reference = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), int)
        assert (ds.Rows, ds.Columns, ds.SamplesPerPixel) == reference.shape
        drawn = server.get(f"/dicom-web/studies/1.5/series/1.5.1/instances/{sop}/rendered", "image/png")
        got = np.asarray(Image.open(io.BytesIO(drawn.content)), int)
        assert np.abs(got - reference).max() <= (0 if media_type == "image/gif" else 3)
    else:
        assert np.array_equal(ds.pixel_array, shown)
    if syntax == ".4.50":
        assert (ds.LossyImageCompression, ds.LossyImageCompressionMethod) == ("01", "ISO_10918_1")
        assert ds.LossyImageCompressionRatio > 0
    else:
        assert "LossyImageCompression" not in ds


def test_an_animation_and_pictures_in_parts_are_frames(server: Serving) -> None:
    # Two greys and four colours, so that a GIF of them is what they are.
    pictures = [np.full((8, 8, 3), (n * 60, 0, 128), np.uint8) for n in range(4)]
    for sop, parts in (
        ("1.5.3.1", [("image/gif", "bulk/1", picture(pictures, "GIF"))]),
        (
            "1.5.3.2",
            [("image/png", f"bulk/1/frames/{n}", picture(one, "PNG")) for n, one in enumerate(pictures, 1)][::-1],
        ),
    ):
        answer = post(server, body((JSON, "", json.dumps([undescribed(sop)]).encode()), *parts))
        assert answer.status_code == 200, answer.headers
        ds = stored(server, sop)
        assert (ds.NumberOfFrames, ds.PhotometricInterpretation, ds.PlanarConfiguration) == (4, "RGB", 0)
        assert np.array_equal(ds.pixel_array, np.stack(pictures))


def test_a_video_describes_itself(server: Serving) -> None:
    videos = pytest.importorskip("videos")
    pytest.importorskip("av")
    for number, name in enumerate(("H.264, MP4", "HEVC of 10 bits, MP4", "MPEG-2, program stream"), 1):
        kind, sop = videos.KINDS[name], f"1.5.4.{number}"
        frames = {"00280008": {"vr": "IS", "Value": [5]}, "00080016": {"vr": "UI", "Value": [videos.ENDOSCOPY]}}
        media_type = f"video/{'mpeg2' if 'MPEG-2' in name else 'mp4'}; transfer-syntax={kind.uid}"
        sent = body(
            (JSON, "", json.dumps([undescribed(sop, **frames)]).encode()),
            (media_type, "bulk/1", videos.encoded(kind, 5)),
        )
        assert post(server, sent).status_code == 200
        ds = stored(server, sop)
        assert (ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.BitsStored) == (videos.ROWS, videos.COLUMNS, 3, kind.bits)
        assert (ds.PhotometricInterpretation, ds.LossyImageCompression) == ("YBR_PARTIAL_420", "01")
        still = server.get(f"/dicom-web/studies/1.5/series/1.5.1/instances/{sop}/frames/3/rendered", "image/png")
        assert videos.number_of(np.asarray(Image.open(io.BytesIO(still.content)))) == 2


def test_what_the_header_says_stays_and_must_be_of_this_image(server: Serving) -> None:
    jls = ("image/jls", "bulk/1", imagecodecs.jpegls_encode(DEEP))
    stays = undescribed(
        "1.5.5.1", **{"00280101": {"vr": "US", "Value": [12]}, "00280004": {"vr": "CS", "Value": ["MONOCHROME1"]}}
    )
    assert post(server, body((JSON, "", json.dumps([stays]).encode()), jls)).status_code == 200
    ds = stored(server, "1.5.5.1")
    assert (ds.BitsStored, ds.PhotometricInterpretation, ds.Rows) == (12, "MONOCHROME1", 6)
    two = {"00280008": {"vr": "IS", "Value": [2]}}
    for sent, parts, says in (
        (undescribed("1.5.5.2", **{"00280010": {"vr": "US", "Value": [5]}}), [jls], "00280010 says 5"),
        (metadata("1.5.5.3"), [("image/png", "bulk/1", picture(RGB, "PNG"))], "00280002 says 1"),
        (undescribed("1.5.5.4", **two), [("image/png", "bulk/1", picture(RGB, "PNG"))], "1 pictures came for 2 frames"),
        (
            undescribed("1.5.5.5"),
            [("image/png", f"bulk/1/frames/{n}", picture(RGB[:n], "PNG")) for n in (1, 2)],
            "not alike",
        ),
        (
            undescribed("1.5.5.6"),
            [(f"image/dicom-rle; transfer-syntax={ROOT}.5", "bulk/1", bytes(64))],
            "does not describe the pixels, and",
        ),
    ):
        answer = post(server, body((JSON, "", json.dumps([sent]).encode()), *parts))
        assert (answer.status_code, says in answer.headers["Warning"]) == (409, True), answer.headers
