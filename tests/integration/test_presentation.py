"""Pictures through presentation states, under segmentations and with captions, from a real server: against DCMTK and numpy."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image
from presenting import (
    IMAGE_UID,
    SEGMENT_COLUMNS,
    SEGMENT_ROWS,
    SERIES_UID,
    STUDY_UID,
    Array,
    by_dcmtk,
    ct_image,
    image_reference,
    item,
    lut_item,
    needs_dcmtk,
    segmentation_of,
    state_of,
    window,
    written,
)
from pydicom.dataset import Dataset
from serving import Serving, parts_of

from engine.dicom.segmentation import FALLBACK_COLOURS

GREY_MAX = 1  # dcmp2pgm cuts fractions off where we round to the nearest
AT = f"/dicom-web/studies/{STUDY_UID}/series"
IMAGES = f"{AT}/{SERIES_UID}/instances"
STATES = f"{AT}/1.2.3.5/instances"
RNG = np.random.default_rng(11)
ROWS, COLUMNS = 37, 53


def numbered(number: int) -> str:
    """SOP Instance UID of the image in the plane z = number - 1, as `segmentation_of` names its sources."""
    return IMAGE_UID if number == 1 else f"{SERIES_UID}.{number}"


def image(number: int, rows: int = ROWS, columns: int = COLUMNS, **attributes: Any) -> Dataset:
    values = RNG.integers(0, 4096, (rows, columns)).astype(np.uint16)
    attributes = {"ImagePositionPatient": [0, 0, number - 1], "InstanceNumber": number} | attributes
    return ct_image(values, uid=numbered(number), bits_stored=12, **attributes)


def state(uid: str, of: Dataset, **attributes: Any) -> Dataset:
    ds = state_of(of, **attributes)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = uid
    return ds


def refers(ds: Dataset, *references: Dataset, series: str = SERIES_UID) -> Dataset:
    ds.ReferencedSeriesSequence = [item(SeriesInstanceUID=series, ReferencedImageSequence=list(references))]
    return ds


IMAGES_OF_SERIES = {number: image(number) for number in (1, 2, 3)}
FRAMES = ct_image(
    RNG.integers(0, 4096, (4, 20, 30)).astype(np.uint16), uid="1.2.3.8.1", bits_stored=12, SeriesInstanceUID="1.2.3.8"
)
# Of the size of a segmentation: in its planes z = 0 and 1 (its sources), 2 (only its frame of reference), and elsewhere.
SEGMENTED = {
    uid: ct_image(
        RNG.integers(0, 4096, (SEGMENT_ROWS, SEGMENT_COLUMNS)).astype(np.uint16),
        uid=uid,
        bits_stored=12,
        SeriesInstanceUID="1.2.3.7",
        ImagePositionPatient=[0, 0, z],
        WindowCenter=2000,
        WindowWidth=4000,
        FrameOfReferenceUID=reference,
    )
    for uid, z, reference in (
        ("1.2.3.7.1", 0, "1.2.3.9"), ("1.2.3.7.2", 1, "1.2.3.9"), ("1.2.3.7.3", 2, "1.2.3.9"), ("1.2.3.7.4", 0, "1.9.9"),
    )
}  # fmt: skip
MASKS = RNG.integers(0, 2, (4, SEGMENT_ROWS, SEGMENT_COLUMNS)).astype(np.uint8)
FIRST = IMAGES_OF_SERIES[1]
PRESENTATION_LUT = np.rint(np.linspace(0, 1, 4096) ** 0.6 * 4095).astype(np.uint16)
SINGLE = {
    "1.2.3.5.11": state("1.2.3.5.11", FIRST, SoftcopyVOILUTSequence=[window(2000, 3000)]),
    "1.2.3.5.12": state("1.2.3.5.12", FIRST, SoftcopyVOILUTSequence=[window(1000, 900)], PresentationLUTShape="INVERSE"),
    "1.2.3.5.13": state(
        "1.2.3.5.13", FIRST, RescaleSlope=2, RescaleIntercept=-1024, RescaleType="HU", ImageRotation=90,
        ImageHorizontalFlip="Y", SoftcopyVOILUTSequence=[window(3000, 5000)],
    ),
    "1.2.3.5.14": state(
        "1.2.3.5.14", FIRST, SoftcopyVOILUTSequence=[window(2000, 3000)],
        PresentationLUTSequence=[lut_item(0, PRESENTATION_LUT, 12)],
    ),
}  # fmt: skip
del SINGLE["1.2.3.5.14"].PresentationLUTShape
MANY = refers(
    state("1.2.3.5.21", FIRST, SoftcopyVOILUTSequence=[window(2000, 3000)]),
    *(image_reference(numbered(n)) for n in (3, 1, 2)),
)
SOME_FRAMES = refers(
    state("1.2.3.5.22", FRAMES, SoftcopyVOILUTSequence=[window(2000, 3000)]),
    image_reference("1.2.3.8.1", [4, 2]),
    series="1.2.3.8",
)
ALL_FRAMES = refers(state("1.2.3.5.23", FRAMES), image_reference("1.2.3.8.1"), series="1.2.3.8")
GONE = refers(state("1.2.3.5.24", FIRST), image_reference(IMAGE_UID), image_reference("1.2.3.4.99"))
NO_FRAME = refers(state("1.2.3.5.25", FRAMES), image_reference("1.2.3.8.1", [5]), series="1.2.3.8")
UNSUPPORTED = {"1.2.3.5.31": "11.8", "1.2.3.5.32": "11.6", "1.2.3.5.33": "11.9"}


LABELS = (
    np.arange(2 * SEGMENT_ROWS * SEGMENT_COLUMNS, dtype=np.uint8).reshape(2, SEGMENT_ROWS, SEGMENT_COLUMNS) // 5 % 4
)
LABEL_MAP = segmentation_of("LABELMAP", segments=(1, 2, 3), values=LABELS)
LABEL_MAP.SeriesInstanceUID = "1.2.3.18"
LABEL_MAP.SOPInstanceUID = LABEL_MAP.file_meta.MediaStorageSOPInstanceUID = "1.2.3.18.1"


def unsupported(uid: str, of: Dataset, root: str) -> Dataset:
    ds = state(uid, of)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = f"1.2.840.10008.5.1.4.1.1.{root}"
    return ds


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive")) as running:
        instances = [*IMAGES_OF_SERIES.values(), FRAMES, *SEGMENTED.values(), *SINGLE.values(), MANY, SOME_FRAMES,
                     ALL_FRAMES, GONE, NO_FRAME, segmentation_of(sources=False, values=MASKS), LABEL_MAP,
                     *(unsupported(uid, FIRST, root) for uid, root in UNSUPPORTED.items())]  # fmt: skip
        assert running.store(*(written(ds) for ds in instances)).status_code == 200
        yield running


def picture(answer: requests.Response | bytes) -> Array:
    if not isinstance(answer, bytes):
        assert answer.status_code == 200, answer.text
        answer = answer.content
    return np.asarray(Image.open(io.BytesIO(answer)))


def png(server: Serving, path: str) -> Array:
    return picture(server.get(path, "image/png"))


def assert_near(a: Array, b: Array, grey_max: float = GREY_MAX) -> None:
    assert a.shape == b.shape
    assert np.abs(a.astype(float) - b.astype(float)).max() <= grey_max


@needs_dcmtk
@pytest.mark.peer
@pytest.mark.parametrize("uid", SINGLE)
def test_a_state_shows_its_image_as_dcmtk_does(server: Serving, tmp_path: Path, uid: str) -> None:
    expected = by_dcmtk(FIRST, SINGLE[uid], tmp_path)
    assert_near(png(server, f"{STATES}/{uid}/rendered"), expected)
    for path in ("rendered", "frames/1/rendered"):
        for query in (f"presentationUID={uid}", f"presentationUID={uid}&presentationSeriesUID=1.2.3.5"):
            assert_near(png(server, f"{IMAGES}/{IMAGE_UID}/{path}?{query}"), expected)


@needs_dcmtk
@pytest.mark.peer
def test_several_images_come_in_the_order_of_the_references(server: Serving, tmp_path: Path) -> None:
    found = parts_of(server.get(f"{STATES}/1.2.3.5.21/rendered", "image/png"))
    assert [kind for kind, _ in found] == ["image/png"] * 3
    for (_, body), number in zip(found, (3, 1, 2), strict=True):
        assert_near(picture(body), by_dcmtk(IMAGES_OF_SERIES[number], MANY, tmp_path))


@needs_dcmtk
@pytest.mark.peer
def test_frames_that_a_reference_names_and_all_where_it_names_none(server: Serving, tmp_path: Path) -> None:
    found = parts_of(server.get(f"{STATES}/1.2.3.5.22/rendered", "image/png"))
    for (_, body), number in zip(found, (4, 2), strict=True):
        assert_near(picture(body), by_dcmtk(FRAMES, SOME_FRAMES, tmp_path, number))
    assert len(parts_of(server.get(f"{STATES}/1.2.3.5.23/rendered"))) == 4


def windowed(values: Array, center: float, width: float) -> Array:
    """PS3.3 C.11.2.1.2.1, by itself."""
    return np.clip(((values - (center - 0.5)) / (width - 1) + 0.5) * 255.0, 0, 255)


@pytest.mark.parametrize(("query", "opacity"), [("", 0.4), ("&opacity=1", 1.0), ("&opacity=0.25", 0.25)])
@pytest.mark.parametrize("place", [0, 1])
def test_a_segmentation_over_an_image_is_the_mean_that_the_opacity_says(
    server: Serving, place: int, query: str, opacity: float
) -> None:
    uid = f"1.2.3.7.{place + 1}"
    expected = np.repeat(windowed(SEGMENTED[uid].pixel_array, 2000, 4000)[:, :, None], 3, axis=2)
    for colour, mask in (((255, 255, 255), MASKS[place]), (FALLBACK_COLOURS[1], MASKS[2 + place])):
        where = mask[:, :, None] > 0
        expected = np.where(where, expected * (1 - opacity) + np.array(colour) * opacity, expected)
    shown = png(server, f"{AT}/1.2.3.7/instances/{uid}/rendered?segmentation=1.2.3.6.1{query}")
    assert_near(shown, expected, 2)  # rounded after the window and after each of two segments


def test_a_plane_without_segments_is_the_plain_picture_and_another_patient_place_an_error(server: Serving) -> None:
    at = f"{AT}/1.2.3.7/instances"
    plain = png(server, f"{at}/1.2.3.7.3/rendered")
    np.testing.assert_array_equal(png(server, f"{at}/1.2.3.7.3/rendered?segmentation=1.2.3.6.1"), plain)
    elsewhere = server.get(f"{at}/1.2.3.7.4/rendered?segmentation=1.2.3.6.1")
    assert elsewhere.status_code == 400 and "frame of reference" in elsewhere.json()["detail"]


def test_a_segmentation_itself_is_its_masks_and_its_thumbnail_is_in_colours(server: Serving) -> None:
    at = f"{AT}/1.2.3.6/instances/1.2.3.6.1"
    np.testing.assert_array_equal(png(server, f"{at}/frames/2/rendered"), MASKS[1] * 255)
    size = f"viewport={SEGMENT_COLUMNS},{SEGMENT_ROWS}"
    thumbnail = png(server, f"{at}/frames/3/thumbnail?{size}")
    np.testing.assert_array_equal(thumbnail, MASKS[2][:, :, None] * np.array(FALLBACK_COLOURS[1]))
    assert max(png(server, f"{at}/thumbnail").shape) == 128


def test_a_label_map_itself_is_in_its_colours_and_as_it_is_stored_in_a_window(server: Serving) -> None:
    at = f"{AT}/{LABEL_MAP.SeriesInstanceUID}/instances/{LABEL_MAP.SOPInstanceUID}"
    colours = np.array([(0, 0, 0), (255, 255, 255), FALLBACK_COLOURS[1], FALLBACK_COLOURS[2]])
    np.testing.assert_array_equal(png(server, f"{at}/rendered"), colours[LABELS[0]])
    np.testing.assert_array_equal(png(server, f"{at}/frames/2/rendered"), colours[LABELS[1]])
    uri = f"/wado?requestType=WADO&studyUID={LABEL_MAP.StudyInstanceUID}&seriesUID={LABEL_MAP.SeriesInstanceUID}"
    uri += f"&objectUID={LABEL_MAP.SOPInstanceUID}&contentType=image/png&frameNumber=2"
    np.testing.assert_array_equal(png(server, uri), colours[LABELS[1]])
    grey = png(server, f"{at}/rendered?window=128,256,linear-exact")
    np.testing.assert_array_equal(grey, np.round(LABELS[0] * (255 / 256)))
    etags = {
        server.get(f"{at}/rendered{query}", "image/png").headers["ETag"] for query in ("", "?window=128,256,linear")
    }
    assert len(etags) == 2


def test_thumbnails_of_states_are_of_what_they_show(server: Serving) -> None:
    for path in (f"{STATES}/1.2.3.5.13/thumbnail", f"{AT}/1.2.3.5/thumbnail"):
        assert max(png(server, path).shape) == 128
    turned = png(server, f"{STATES}/1.2.3.5.13/thumbnail")
    assert turned.shape[0] == 128 > turned.shape[1]
    middle = png(server, f"{STATES}/1.2.3.5.21/thumbnail?viewport={COLUMNS},{ROWS}")
    np.testing.assert_array_equal(middle, png(server, f"{IMAGES}/{IMAGE_UID}/rendered?presentationUID=1.2.3.5.21"))


@pytest.mark.parametrize(("annotation", "corners"), [
    ("patient", {(0, 0)}),
    ("technique", {(0, 1), (1, 0)}),
    ("patient,technique", {(0, 0), (0, 1), (1, 0)}),
])  # fmt: skip
@pytest.mark.clause("PS3.18 8.3.5.1.1")
def test_annotations_stand_in_their_corners_and_nowhere_else(
    server: Serving, annotation: str, corners: set[tuple[int, int]]
) -> None:
    for query in ("viewport=600,400", "viewport=600,400&presentationUID=1.2.3.5.11"):
        plain = png(server, f"{IMAGES}/{IMAGE_UID}/rendered?{query}").astype(int)
        shown = png(server, f"{IMAGES}/{IMAGE_UID}/rendered?{query}&annotation={annotation}").astype(int)
        rows, columns = np.argwhere(plain != shown).T
        found = {
            (int(r), int(c)) for r, c in zip(rows * 2 // shown.shape[0], columns * 2 // shown.shape[1], strict=True)
        }
        assert found == corners


@pytest.mark.parametrize("uid", UNSUPPORTED)
def test_kinds_that_cannot_be_applied_are_406_with_the_reason(server: Serving, uid: str) -> None:
    reason = {"11.8": "Advanced Blending", "11.6": "Volumetric", "11.9": "Volume Rendering"}[UNSUPPORTED[uid]]
    for path in (
        f"{STATES}/{uid}/rendered", f"{STATES}/{uid}/thumbnail", f"{IMAGES}/{IMAGE_UID}/rendered?presentationUID={uid}",
    ):  # fmt: skip
        answer = server.get(path)
        assert answer.status_code == 406 and reason in answer.json()["detail"], path


@pytest.mark.parametrize(("path", "status", "says"), [
    (f"{STATES}/1.2.3.5.24/rendered", 404, "no instance 1.2.3.4.99"),
    (f"{STATES}/1.2.3.5.25/rendered", 404, "frames 1 to 4, not 5"),
    (f"{STATES}/1.2.3.5.11/rendered?window=1,2", 400, "beside a presentation state"),
    (f"{STATES}/1.2.3.5.11/rendered?presentationUID=1.2.3.5.12", 400, "beside a presentation state"),
    (f"{STATES}/1.2.3.5.11/frames/1/rendered", 404, "no pixel data"),
    (f"{IMAGES}/{IMAGE_UID}/rendered?presentationUID=1.2.3.5.11&window=1,2", 400, "window"),
    (f"{IMAGES}/{IMAGE_UID}/rendered?presentationUID=1.2.3.5.11&viewport=9,9,0,0,9,9", 400, "says the region"),
    (f"{IMAGES}/{IMAGE_UID}/rendered?presentationUID=1.2.3.5.99", 404, "1.2.3.5.99"),
    (f"{IMAGES}/{IMAGE_UID}/rendered?presentationUID=1.2.3.5.11&presentationSeriesUID=1.2.3.6", 404, "1.2.3.5.11"),
    (f"{IMAGES}/{IMAGE_UID}/rendered?presentationSeriesUID=1.2.3.5", 400, "presentationUID beside it"),
    (f"{IMAGES}/{IMAGE_UID}/rendered?presentationUID=" + IMAGE_UID, 406, "no presentation state"),
    (f"{IMAGES}/{IMAGE_UID}/rendered?presentationUID=a", 400, "a UID"),
    (f"{IMAGES}/{numbered(2)}/rendered?presentationUID=1.2.3.5.11", 400, "a presentation state of this frame"),
    (f"{IMAGES}/{IMAGE_UID}/rendered?annotation=patient,names", 400, "patient, technique"),
    (f"{IMAGES}/{IMAGE_UID}/rendered?segmentation=1.2.3.5.11", 406, "no segmentation"),
    (f"{IMAGES}/{IMAGE_UID}/rendered?segmentation=1.2.3.6.99", 404, "1.2.3.6.99"),
    (f"{IMAGES}/{IMAGE_UID}/rendered?segmentation=1.2.3.6.1&opacity=2", 400, "from 0 to 1"),
])  # fmt: skip
def test_what_is_wrong_is_said(server: Serving, path: str, status: int, says: str) -> None:
    answer = server.get(path)
    assert (answer.status_code, says in answer.json()["detail"]) == (status, True), answer.json()


def test_an_entity_tag_is_of_all_that_a_picture_shows(server: Serving) -> None:
    at = f"{IMAGES}/{IMAGE_UID}/rendered"
    queries = ("", "?presentationUID=1.2.3.5.11", "?presentationUID=1.2.3.5.12", "?segmentation=1.2.3.6.1",
               "?segmentation=1.2.3.6.1&opacity=0.5", "?annotation=patient", "?annotation=technique")  # fmt: skip
    tags = {}
    for query in queries:
        answer = server.get(at + query)
        tags[query] = answer.headers["ETag"]
        assert server.get(at + query, If_None_Match=tags[query]).status_code == 304
    assert len(set(tags.values())) == len(queries)
    tag = server.get(f"{STATES}/1.2.3.5.11/rendered").headers["ETag"]
    assert server.get(f"{STATES}/1.2.3.5.11/rendered", If_None_Match=tag).status_code == 304


def test_new_bytes_of_a_state_give_a_new_tag_and_picture(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('on_conflict = "replace"\n')
    with Serving(tmp_path / "archive", "--config", str(tmp_path / "settings.toml")) as running:
        first, second = (
            state("1.2.3.5.41", FIRST, SoftcopyVOILUTSequence=[window(center, 500)]) for center in (1000, 3000)
        )
        assert running.store(written(FIRST), written(first)).status_code == 200
        at = f"{STATES}/1.2.3.5.41/rendered"
        before = running.get(at, "image/png")
        assert running.store(written(second)).status_code == 200
        after = running.get(at, "image/png", If_None_Match=before.headers["ETag"])
        assert after.status_code == 200 and after.headers["ETag"] != before.headers["ETag"]
        assert_near(picture(after), windowed(FIRST.pixel_array, 3000, 500))
