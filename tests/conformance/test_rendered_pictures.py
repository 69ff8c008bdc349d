"""PS3.18 8.7.4 and 10.4.1.1.3: pictures of a study, a series, a whole image, in parts and as animations; Pillow is the judge."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from altering import part10 as written
from altering import with_attributes
from data import make_instance, us
from pictures import image, part10
from PIL import Image, ImageSequence
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless
from requests import Response
from requests.exceptions import ChunkedEncodingError
from serving import Serving, parts_of

STUDY = "/dicom-web/studies/1.2.3"
WINDOW = "?window=2000,4000"
VOLUME, CINE, COLOUR, MIXED = (f"{STUDY}/series/1.2.3.{i}" for i in (4, 5, 6, 7))
COLOURS = "/dicom-web/studies/1.2.9/series/1.2.3.8"
JPEGS, PNGS = 'multipart/related; type="image/jpeg"', 'multipart/related; type="image/png"'
FRAMES = 7


def pixels(frame: int, rows: int, columns: int) -> bytes:
    return b"".join(us((frame * 400 + i * 5) & 0xFFF) for i in range(rows * columns))


def cine(sop: str, **attributes: object) -> bytes:
    content = make_instance(
        sop,
        series="1.2.3.5",
        rows=24,
        columns=32,
        frames=FRAMES,
        pixels=b"".join(pixels(i, 24, 32) for i in range(FRAMES)),
    )
    return with_attributes(content, **attributes)


CINES = {
    "1.2.3.5.1": ({"RecommendedDisplayFrameRate": 20, "CineRate": 4, "FrameTime": "500"}, [50] * FRAMES, True),
    "1.2.3.5.2": ({"CineRate": 4, "FrameTime": "500", "PreferredPlaybackSequencing": 0}, [250] * FRAMES, True),
    # 1/30 s is no whole number of 1/100 s: what is left over is not lost
    "1.2.3.5.3": ({"FrameTime": "33.333", "PreferredPlaybackSequencing": 2}, [30, 40, 30, 30, 40, 30, 30], False),
    "1.2.3.5.4": (
        {"FrameIncrementPointer": 0x00181065, "FrameTimeVector": [0, 100, 200, 300, 100, 200, 300]},
        [100, 200, 300, 100, 200, 300, 200],
        True,
    ),
    "1.2.3.5.5": ({"FrameTime": "1"}, [20] * FRAMES, True),
    "1.2.3.5.6": ({"FrameTime": "0"}, [100] * FRAMES, True),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    contents = [
        make_instance(f"1.2.3.4.{i}", number=i, z=float(-i), rows=24, columns=32, pixels=pixels(i, 24, 32))
        for i in (3, 1, 4, 2)
    ]
    contents += [cine(uid, **attributes) for uid, (attributes, _, _) in CINES.items()]
    gradient = np.stack(np.broadcast_arrays(np.arange(96)[:, None] * 2, np.arange(128) * 2, 90), axis=-1)
    uids = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.6", "SOPInstanceUID": "1.2.3.6.1"}
    contents.append(part10(image(gradient.astype(np.uint8), photometric="RGB", **uids)))
    reds, blues = np.roll(gradient, 1, axis=-1), gradient[::-1, ::-1] // 2
    bands = np.repeat(
        np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [9, 9, 255]])[np.arange(96) // 24][:, None], 128, 1
    )
    frames = np.stack((gradient, reds, blues, bands)).astype(np.uint8)
    uids = {"StudyInstanceUID": "1.2.9", "SeriesInstanceUID": "1.2.3.8", "SOPInstanceUID": "1.2.3.8.1"}
    contents.append(part10(image(frames, photometric="RGB", **uids)))
    for i, (rows, columns) in enumerate(((24, 32), (12, 64), (8, 8)), 1):
        contents.append(
            make_instance(
                f"1.2.3.7.{i}", series="1.2.3.7", number=i, rows=rows, columns=columns, pixels=pixels(i, rows, columns)
            )
        )
    with Serving(tmp_path_factory.mktemp("archive")) as running:
        assert running.store(*contents).status_code == 200
        yield running


def members(server: Serving, at: str) -> list[str]:
    found = parts_of(server.get(at, 'multipart/related; type="application/dicom"'))
    return [f"{at}/instances/{pydicom.dcmread(io.BytesIO(body)).SOPInstanceUID}" for _, body in found]


def shown(picture: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture)))


def animation(answer: Response) -> tuple[list[Image.Image], list[int]]:
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/gif"), answer.text
    whole = Image.open(io.BytesIO(answer.content))
    frames = [(frame.copy(), frame.info["duration"]) for frame in ImageSequence.Iterator(whole)]
    return [frame for frame, _ in frames], [duration for _, duration in frames]


@pytest.mark.parametrize("accept", ["*/*", "image/png", PNGS])
@pytest.mark.clause("PS3.18 10.4.1.1.3")
def test_a_series_comes_in_slice_order(server: Serving, accept: str) -> None:
    kind = "image/jpeg" if accept == "*/*" else "image/png"
    parts = parts_of(server.get(f"{VOLUME}/rendered?viewport=16,16", accept))
    one_by_one = [server.get(f"{at}/rendered?viewport=16,16", kind).content for at in members(server, VOLUME)]
    assert len(set(one_by_one)) == 4
    assert parts == [(kind, body) for body in one_by_one]


def test_each_part_names_its_frame(server: Serving) -> None:
    answer = server.get(f"{CINE}/rendered", PNGS)
    locations = re.findall(rb"\r\nContent-Location: (\S+)\r\n", answer.content)
    parts = parts_of(answer)
    assert len(locations) == len(parts) == FRAMES * len(CINES)
    for where, (_, body) in list(zip(locations, parts, strict=True))[:: FRAMES - 1]:
        at = where.decode()
        assert at.startswith(server.url + CINE)
        assert server.get(at.removeprefix(server.url), "image/png").content == body


def test_a_study_comes_series_by_series(server: Serving) -> None:
    parts = parts_of(server.get(f"{STUDY}/rendered", PNGS))
    each = [parts_of(server.get(f"{at}/rendered", PNGS)) for at in (VOLUME, CINE, COLOUR, MIXED)]
    assert sorted(parts) == sorted(part for series in each for part in series)
    assert len(parts) == 4 + FRAMES * len(CINES) + 1 + 3
    assert all(any(parts[at : at + len(s)] == s for at in range(len(parts))) for s in each)


def test_a_series_of_one_frame_is_bare_unless_parts_are_asked_for(server: Serving) -> None:
    bare = server.get(f"{COLOUR}/rendered", "image/png")
    assert bare.headers["Content-Type"] == "image/png"
    assert parts_of(server.get(f"{COLOUR}/rendered", PNGS)) == [("image/png", bare.content)]


def test_an_instance_is_its_first_frame_or_all_in_parts(server: Serving) -> None:
    at = f"{CINE}/instances/1.2.3.5.1"
    frames = [server.get(f"{at}/frames/{i}/rendered", "image/jpeg").content for i in range(1, FRAMES + 1)]
    assert server.get(f"{at}/rendered", "image/jpeg").content == server.get(f"{at}/rendered").content == frames[0]
    assert parts_of(server.get(f"{at}/rendered", JPEGS)) == [("image/jpeg", frame) for frame in frames]
    assert parts_of(server.get(f"{at}/frames/3/rendered", JPEGS)) == [("image/jpeg", frames[2])]
    assert [body for _, body in parts_of(server.get(f"{at}/frames/3,1/rendered", JPEGS))] == [frames[2], frames[0]]


@pytest.mark.parametrize("uid", CINES)
def test_an_animation_has_the_frames_and_their_times(server: Serving, uid: str) -> None:
    _, durations, is_looping = CINES[uid]
    at = f"{CINE}/instances/{uid}"
    answer = server.get(f"{at}/rendered{WINDOW}", "image/gif")
    frames, found = animation(answer)
    assert found == durations
    assert ("loop" in Image.open(io.BytesIO(answer.content)).info) == is_looping
    for number, frame in enumerate(frames, 1):
        png = shown(server.get(f"{at}/frames/{number}/rendered{WINDOW}", "image/png").content)
        np.testing.assert_array_equal(np.asarray(frame.convert("L")), png, str(number))


def test_an_animation_of_some_frames_keeps_their_order_and_times(server: Serving) -> None:
    at = f"{CINE}/instances/1.2.3.5.4/frames"
    frames, durations = animation(server.get(f"{at}/3,1/rendered{WINDOW}", "image/gif"))
    assert durations == [300, 100]
    for frame, number in zip(frames, (3, 1), strict=True):
        png = shown(server.get(f"{at}/{number}/rendered{WINDOW}", "image/png").content)
        np.testing.assert_array_equal(np.asarray(frame.convert("L")), png)
    one = server.get(f"{at}/2/rendered{WINDOW}", "image/gif")
    assert getattr(Image.open(io.BytesIO(one.content)), "n_frames", 1) == 1


def test_an_animation_of_a_series_is_in_slice_order(server: Serving) -> None:
    frames, durations = animation(server.get(f"{VOLUME}/rendered{WINDOW}", "image/gif"))
    assert durations == [100] * 4
    for frame, at in zip(frames, members(server, VOLUME), strict=True):
        np.testing.assert_array_equal(
            np.asarray(frame.convert("L")), shown(server.get(f"{at}/rendered{WINDOW}", "image/png").content)
        )


def test_an_animation_of_images_of_different_sizes_has_one_canvas(server: Serving) -> None:
    frames, _ = animation(server.get(f"{MIXED}/rendered{WINDOW}", "image/gif"))
    assert {frame.size for frame in frames} == {(32, 24)}
    # 64 columns are shown in 32; 8 x 8 stand in the middle of nothing
    for uid, query, area in (
        ("1.2.3.7.2", f"{WINDOW}&viewport=32,24", np.s_[9:15, :]),
        ("1.2.3.7.3", WINDOW, np.s_[8:16, 12:20]),
    ):
        frame = np.asarray(frames[int(uid[-1]) - 1].convert("L")).copy()
        png = shown(server.get(f"{MIXED}/instances/{uid}/rendered{query}", "image/png").content)
        np.testing.assert_array_equal(frame[area], png)
        frame[area] = 0
        assert not frame.any()


def test_frames_without_a_window_get_one_together(server: Serving) -> None:
    """Each from black to white by itself would flicker, and hide what grows brighter from frame to frame."""
    at = f"{CINE}/instances/1.2.3.5.1"
    frames, _ = animation(server.get(f"{at}/rendered", "image/gif"))
    stored = (
        np.frombuffer(b"".join(pixels(i, 24, 32) for i in range(FRAMES)), "<u2").reshape(FRAMES, 24, 32).astype(float)
    )
    some = stored[[0, FRAMES // 2, FRAMES - 1]]
    expected = np.clip((stored - some.min()) / (some.max() - some.min()), 0, 1) * 255
    for frame, one in zip(frames, expected, strict=True):
        assert np.abs(np.asarray(frame.convert("L")) - one).max() <= 1
    # what the header says stands above it
    window = {"WindowCenter": 1000, "WindowWidth": 500}
    assert (
        server.store(cine("1.2.4.1.1", StudyInstanceUID="1.2.4", SeriesInstanceUID="1.2.4.1", **window)).status_code
        == 200
    )
    at = "/dicom-web/studies/1.2.4/series/1.2.4.1/instances/1.2.4.1.1"
    frames, _ = animation(server.get(f"{at}/rendered", "image/gif"))
    for number, frame in enumerate(frames, 1):
        png = shown(server.get(f"{at}/frames/{number}/rendered", "image/png").content)
        np.testing.assert_array_equal(np.asarray(frame.convert("L")), png)


def test_an_animation_in_a_part(server: Serving) -> None:
    at = f"{CINE}/instances/1.2.3.5.1/rendered"
    bare = server.get(at, "image/gif").content
    assert parts_of(server.get(at, 'multipart/related; type="image/gif"')) == [("image/gif", bare)]


def test_colours_of_a_gif_are_near(server: Serving) -> None:
    png = shown(server.get(f"{COLOUR}/rendered", "image/png").content).astype(int)
    gif = Image.open(io.BytesIO(server.get(f"{COLOUR}/rendered", "image/gif").content))
    assert np.abs(np.asarray(gif.convert("RGB")).astype(int) - png).mean() < 5


def test_colours_of_an_animation_are_each_frames_own(server: Serving) -> None:
    at = f"{COLOURS}/instances/1.2.3.8.1"
    answer = server.get(f"{at}/rendered", "image/gif")
    frames, _ = animation(answer)
    by_giflib = imagecodecs.gif_decode(answer.content)
    for number, frame in enumerate(frames, 1):
        png = shown(server.get(f"{at}/frames/{number}/rendered", "image/png").content).astype(int)
        for found in (np.asarray(frame.convert("RGB")), by_giflib[number - 1][..., :3]):
            assert np.abs(found.astype(int) - png).mean() < 5
    # a picture of few colours has them all: 4 bands
    np.testing.assert_array_equal(by_giflib[-1][..., :3], png)


@pytest.mark.clause("PS3.18 8.7.4")
def test_webp(server: Serving) -> None:
    for at in (f"{VOLUME}/instances/1.2.3.4.1", f"{COLOUR}/instances/1.2.3.6.1"):
        answer = server.get(f"{at}/rendered?quality=95", "image/webp")
        assert answer.headers["Content-Type"] == "image/webp"
        picture = Image.open(io.BytesIO(answer.content))
        png = Image.open(io.BytesIO(server.get(f"{at}/rendered", "image/png").content)).convert("RGB")
        assert (picture.format, picture.size) == ("WEBP", png.size)
        assert np.abs(np.asarray(picture.convert("RGB")).astype(int) - np.asarray(png)).mean() < 6
    small = server.get(f"{COLOUR}/rendered?quality=5", "image/webp").content
    assert len(small) < len(server.get(f"{COLOUR}/rendered?quality=95", "image/webp").content)


def test_8_3_5_1_5_a_profile_travels_with_a_webp_and_not_with_a_gif(server: Serving) -> None:
    answer = server.get(f"{COLOUR}/rendered?iccprofile=adobergb", "image/webp")
    picture = Image.open(io.BytesIO(answer.content))
    jpeg = Image.open(io.BytesIO(server.get(f"{COLOUR}/rendered?iccprofile=adobergb", "image/jpeg").content))
    assert picture.info["icc_profile"] == jpeg.info["icc_profile"]
    assert np.asarray(picture.convert("RGB")).shape == (96, 128, 3)
    refused = server.get(f"{COLOUR}/rendered?iccprofile=srgb", "image/gif")
    assert (refused.status_code, "image/gif" in refused.json()["detail"]) == (400, True)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", "image/jpeg"),  # Chromium's for <img>
        ("image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5", "image/png"),  # Firefox's
        ("image/png, image/jpeg", "image/png"),
        ("image/gif, image/webp", "image/gif"),
        ("image/webp, image/jpeg;q=0.5", "image/webp"),
        ("image/*", "image/jpeg"),
    ],
)
def test_browsers_get_what_is_quick_to_make(server: Serving, accept: str, kind: str) -> None:
    assert server.get(f"{VOLUME}/instances/1.2.3.4.1/rendered", accept).headers["Content-Type"] == kind


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("window=1,2&window=3,4", "once"),
        ("charset=", "character sets"),
        ("charset=utf-8,%00", "character sets"),
        ("iccprofile=cmyk", "rommrgb"),
        ("rows=5", "viewport"),
        ("quality=high", "1 to 100"),
        ("viewport=0,5", "1 to"),
    ],
)
@pytest.mark.parametrize("at", [STUDY, VOLUME, f"{CINE}/instances/1.2.3.5.1", f"{CINE}/instances/1.2.3.5.1/frames/2"])
@pytest.mark.clause("PS3.18 10.4.1.2")
def test_8_3_5_wrong_parameters_are_told_what_is_right(server: Serving, at: str, query: str, says: str) -> None:
    answer = server.get(f"{at}/rendered?{query}")
    assert (answer.status_code, says in answer.json()["detail"]) == (400, True), answer.text


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8;q=0.9, iso-8859-1", "*"])
@pytest.mark.clause("PS3.18 8.3.3.2")
def test_8_3_3_2_a_character_set_is_taken(server: Serving, charset: str) -> None:
    assert server.get(f"{VOLUME}/instances/1.2.3.4.1/rendered?charset={charset}").status_code == 200


def test_what_cannot_be_given(server: Serving) -> None:
    answer = server.get(f"{STUDY}/rendered", "image/gif")
    assert (answer.status_code, "image/jpeg" in answer.json()["detail"]) == (406, True)
    assert server.get(f"{VOLUME}/rendered", "image/jp2").status_code == 406
    assert server.get("/dicom-web/studies/9.9/rendered").status_code == 404
    assert server.get(f"{STUDY}/series/9.9/rendered").status_code == 404


def test_known_pictures_are_not_made_again(server: Serving) -> None:
    for path, accept in ((f"{VOLUME}/rendered", PNGS), (f"{CINE}/instances/1.2.3.5.1/rendered", "image/gif")):
        tag = server.get(path, accept).headers["ETag"]
        assert server.get(path, accept, If_None_Match=tag).status_code == 304
        assert server.get(path + "?window=1,20", accept, If_None_Match=tag).status_code == 200


def test_more_pictures_than_the_limit_are_refused(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(f"[limits]\nrendered_frames_max = {FRAMES - 1}\n")
    whole = f"{CINE}/instances/1.2.3.5.1/rendered"
    with Serving(tmp_path / "archive", "--config", str(tmp_path / "c.toml")) as small:
        assert small.store(cine("1.2.3.5.1")).status_code == 200
        for path, accept in ((f"{STUDY}/rendered", "*/*"), (f"{CINE}/rendered", "*/*"), (whole, "image/gif")):
            answer = small.get(path, accept)
            assert (answer.status_code, "rendered_frames_max" in answer.json()["detail"]) == (413, True)
        assert small.get(whole, "image/png").status_code == 200


def test_what_cannot_be_decoded_is_an_error_or_a_cut_answer(tmp_path: Path) -> None:
    good = make_instance("1.2.3.4.1", number=1, z=1.0, rows=24, columns=32)
    broken = pydicom.dcmread(io.BytesIO(make_instance("1.2.3.4.2", number=2, z=2.0, rows=24, columns=32)))
    broken.file_meta.TransferSyntaxUID = JPEG2000Lossless
    broken.PixelData = encapsulate([b"\xff\x4f\xff\x51 is no code stream "])
    broken["PixelData"].VR = "OB"
    with Serving(tmp_path / "archive") as server:
        assert server.store(good, written(broken)).status_code == 200
        # The first is there already when the second fails: nobody may take what has come for all of it.
        for path, accept in ((f"{VOLUME}/rendered", PNGS), (f"{VOLUME}/rendered{WINDOW}", "image/gif")):
            with pytest.raises(ChunkedEncodingError):
                server.get(path, accept)
        assert server.get(f"{VOLUME}/rendered", "image/gif").status_code == 422  # looked at for a window
        assert server.get(f"{VOLUME}/instances/1.2.3.4.2/rendered", PNGS).status_code == 422
        assert server.get(f"{VOLUME}/instances/1.2.3.4.1/rendered", PNGS).status_code == 200


def test_what_is_no_image_is_left_out(tmp_path: Path) -> None:
    image_bytes = make_instance("1.2.3.4.1", rows=24, columns=32)
    report = pydicom.dcmread(io.BytesIO(make_instance("1.2.3.4.2", number=2)))
    report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
    del report.PixelData
    with Serving(tmp_path / "archive") as server:
        assert server.store(image_bytes, written(report)).status_code == 200
        for path in (STUDY, VOLUME):
            assert server.get(f"{path}/rendered", "image/png").headers["Content-Type"] == "image/png"
        answer = server.get(f"{VOLUME}/instances/1.2.3.4.2/rendered")
        assert (answer.status_code, "no pixel data" in answer.json()["detail"]) == (404, True)
