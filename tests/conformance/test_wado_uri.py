"""PS3.18 9, the URI Service: one instance by its UIDs in the query, as it is stored or as a picture."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pydicom
import pytest
import requests
from altering import document
from data import EXPLICIT, make_instance
from PIL import Image
from presenting import ct_image, state_of, window, written
from serving import Serving

STUDY, SERIES, IMAGE, MULTIFRAME, REPORT, STATE = "1.2.3", "1.2.3.4", "1.2.3.4.1", "1.2.3.9.1", "1.2.3.7.1", "1.2.3.5.1"
DOCUMENT = "1.2.3.6.1"
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
ROWS, COLUMNS = 40, 60
VALUES = (np.arange(ROWS * COLUMNS, dtype=np.uint16).reshape(ROWS, COLUMNS) * 7) % 4096
JPEG, PNG, DICOM = "image/jpeg", "image/png", "application/dicom"
JPEG_LS = "1.2.840.10008.1.2.4.80"
CT = ct_image(VALUES, uid=IMAGE, bits_stored=12, StudyInstanceUID=STUDY, SeriesInstanceUID=SERIES)
CONTENT = written(CT)
FRAMES = make_instance(MULTIFRAME, series="1.2.3.9", frames=3, rows=8, columns=8)


def report() -> bytes:
    """An instance without anything to see."""
    ds = pydicom.dcmread(io.BytesIO(CONTENT))
    for keyword in ("PixelData", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"):
        delattr(ds, keyword)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = REPORT
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
    ds.SeriesInstanceUID, ds.Modality = "1.2.3.7", "SR"
    return written(ds)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    state = state_of(CT, SoftcopyVOILUTSequence=[window(1000, 200)])
    state.SOPInstanceUID = state.file_meta.MediaStorageSOPInstanceUID = STATE
    with Serving(tmp_path_factory.mktemp("archive")) as running:
        pdf = document(
            PDF, "1.2.840.10008.5.1.4.1.1.104.1", DOCUMENT, series="1.2.3.6", EncapsulatedDocumentLength=len(PDF)
        )
        for content in (CONTENT, FRAMES, report(), written(state), pdf):
            answer = running.store(content)
            assert answer.status_code == 200, answer.text
        yield running


def get(
    server: Serving, uid: str = IMAGE, accept: str = "", headers: dict[str, str] | None = None, **query: Any
) -> requests.Response:
    whole = {"requestType": "WADO", "studyUID": STUDY, "seriesUID": uid.rpartition(".")[0], "objectUID": uid} | query
    text = urlencode({name: value for name, value in whole.items() if value is not None})
    return server.get(f"/wado?{text}", accept, **(headers or {}))


def pixels(answer: requests.Response, media_type: str = PNG) -> np.ndarray[Any, Any]:
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, media_type), answer.text[:300]
    picture = Image.open(io.BytesIO(answer.content))
    assert picture.format == {JPEG: "JPEG", PNG: "PNG"}[media_type]
    return np.asarray(picture)


def refusal(answer: requests.Response, status: int = 400) -> str:
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json"), answer.text
    return str(answer.json()["detail"])


def windowed(center: float, width: float, values: np.ndarray[Any, Any] = VALUES) -> np.ndarray[Any, Any]:
    """PS3.3 C.11.2.1.2.1, as it stands there."""
    x = values.astype(np.float64)
    y = ((x - (center - 0.5)) / (width - 1) + 0.5) * 255
    y[x <= center - 0.5 - (width - 1) / 2] = 0
    y[x > center - 0.5 + (width - 1) / 2] = 255
    return y


# -- 9.1.2: what names the target


@pytest.mark.parametrize("name", ["requestType", "studyUID", "seriesUID", "objectUID"])
@pytest.mark.clause("PS3.18 9.1.2.1")
def test_9_1_2_1_each_of_the_four_is_demanded(server: Serving, name: str) -> None:
    assert name in refusal(get(server, **{name: None}))
    assert name in refusal(get(server, **{name: ""}))


def test_9_1_2_1_1_another_request_type_is_400(server: Serving) -> None:
    assert "WADO" in refusal(get(server, requestType="wado2"))


@pytest.mark.parametrize("name", ["studyUID", "seriesUID", "objectUID"])
def test_an_instance_that_is_not_there_or_elsewhere_is_404(server: Serving, name: str) -> None:
    refusal(get(server, **{name: "1.2.99"}), 404)


@pytest.mark.clause("PS3.18 8.3")
def test_8_3_unknown_parameters_are_ignored_and_named(server: Serving) -> None:
    plain, more = get(server), get(server, session="x", windowcenter="40")
    assert more.content == plain.content
    assert "windowcenter" in more.headers["Warning"]
    assert "Warning" not in plain.headers
    assert get(server, contentType=DICOM, session="x").content == CONTENT


# -- 9.3, 9.1.2.2.1: the media type decides


@pytest.mark.parametrize(
    ("content_type", "accept", "media_type"),
    [
        (None, "", JPEG),
        (None, "*/*", JPEG),
        (None, "text/html,application/xhtml+xml,image/avif,*/*;q=0.8", JPEG),  # a browser's
        (None, PNG, PNG),
        (None, "image/*", JPEG),
        (None, DICOM, DICOM),
        (PNG, "*/*", PNG),
        (PNG, DICOM, PNG),  # the parameter stands above the header
        (f"{JPEG};q=0.5,{PNG}", "", PNG),
        (f"image/x-none,{PNG},{JPEG}", "", PNG),
        (f"{JPEG};q=0,image/*", "", PNG),
        (None, f"*/*,{JPEG};q=0", PNG),
        ("image/webp", "", "image/webp"),
        ("image/gif", "", "image/gif"),
        (None, "image/avif,image/webp,image/png,*/*;q=0.5", PNG),  # WebP in one breath with others
        (DICOM, "image/jpeg", DICOM),
        (f"{DICOM}; transfer-syntax={EXPLICIT}", "", DICOM),
    ],
)
@pytest.mark.clause("PS3.18 9.3")
@pytest.mark.clause("PS3.18 9.1.2.2.1")
def test_9_3_the_media_type_decides(server: Serving, content_type: str | None, accept: str, media_type: str) -> None:
    answer = get(server, accept=accept, contentType=content_type)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].partition(";")[0] == media_type
    starts = {
        JPEG: b"\xff\xd8\xff",
        PNG: b"\x89PNG",
        DICOM: bytes(128) + b"DICM",
        "image/gif": b"GIF8",
        "image/webp": b"RIFF",
    }
    assert answer.content.startswith(starts[media_type])


@pytest.mark.parametrize("content_type", ["image/x-none", "text/html", 'multipart/related; type="image/jpeg"'])
def test_nothing_else_is_acceptable(server: Serving, content_type: str) -> None:
    text = refusal(get(server, contentType=content_type), 406)
    assert JPEG in text
    assert DICOM in text


def test_what_has_nothing_to_see_comes_as_it_is(server: Serving) -> None:
    answer = get(server, REPORT)
    assert answer.headers["Content-Type"].startswith(DICOM)
    assert pydicom.dcmread(io.BytesIO(answer.content)).Modality == "SR"
    assert DICOM in refusal(get(server, REPORT, contentType=JPEG), 406)


def test_a_document_comes_as_what_it_is(server: Serving) -> None:
    for content_type, accept in ((None, "*/*"), (None, ""), ("application/pdf", ""), (None, "text/html,*/*;q=0.8")):
        answer = get(server, DOCUMENT, accept, contentType=content_type)
        assert (answer.status_code, answer.headers["Content-Type"], answer.content) == (200, "application/pdf", PDF)
    part = get(server, DOCUMENT, headers={"Range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, b"PDF")
    assert get(server, DOCUMENT, contentType=DICOM).content[128:132] == b"DICM"
    assert "application/pdf" in refusal(get(server, DOCUMENT, contentType=JPEG), 406)
    assert "de-identif" in refusal(get(server, DOCUMENT, anonymize="yes"), 501)


def test_a_video_comes_as_what_it_is_or_as_a_still(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="PyAV (the extra `video`) is not installed")
    from videos import KINDS, encoded, instance

    kind = KINDS["H.264, MP4"]
    stream = encoded(kind, 5)
    with Serving(tmp_path / "archive") as server:
        assert server.store(instance(kind, stream, 5, "1.2.3.4.1")).status_code == 200
        answer = get(server, contentType="video/mp4")
        assert (answer.headers["Content-Type"], answer.content) == ("video/mp4", stream + bytes(len(stream) % 2))
        assert get(server, contentType="video/mp4", headers={"Range": "bytes=4-7"}).content == b"ftyp"
        stills = [pixels(get(server, frameNumber=number), JPEG) for number in (1, 5)]
        assert stills[0].shape == (96, 128, 3)
        assert (stills[0] != stills[1]).any()
        assert "video/mp4" in refusal(get(server, contentType="video/mpeg"), 406)


# -- 9.4: the instance


@pytest.mark.clause("PS3.18 9.4")
def test_9_4_the_instance_byte_for_byte(server: Serving) -> None:
    answer = get(server, contentType=DICOM)
    assert answer.content == CONTENT
    assert answer.headers["Content-Length"] == str(len(CONTENT))
    assert answer.headers["Content-Type"] == f"{DICOM}; transfer-syntax={EXPLICIT}"
    assert get(server, contentType=DICOM, transferSyntax="*").content == CONTENT
    assert get(server, contentType=DICOM, transferSyntax=EXPLICIT).content == CONTENT
    part = get(server, contentType=DICOM, headers={"Range": "bytes=128-131"})
    assert (part.status_code, part.content) == (206, b"DICM")
    # What is about pictures says nothing of an instance.
    assert get(server, contentType=DICOM, rows="10", windowCenter="40", frameNumber="7").content == CONTENT


def test_9_4_1_2_1_anonymize_is_never_pretended(server: Serving) -> None:
    for content_type in (DICOM, JPEG, None):
        assert "de-identif" in refusal(get(server, contentType=content_type, anonymize="yes"), 501)
    assert "anonymize" in refusal(get(server, contentType=DICOM, anonymize="no"))


@pytest.mark.clause("PS3.18 9.4.1.2.3")
@pytest.mark.clause("PS3.18 8.7.3.6")
def test_9_4_1_2_3_another_transfer_syntax(server: Serving) -> None:
    answer = get(server, contentType=DICOM, transferSyntax=JPEG_LS)
    ds = pydicom.dcmread(io.BytesIO(answer.content))
    assert ds.file_meta.TransferSyntaxUID == JPEG_LS
    assert (ds.pixel_array == VALUES).all()
    assert EXPLICIT in refusal(get(server, contentType=DICOM, transferSyntax="1.2.840.10008.1.2.4.50"), 406)


# -- 9.5: the picture


@pytest.mark.clause("PS3.18 9.5.1.2.1")
def test_9_5_1_2_1_frame_number(server: Serving) -> None:
    for number in (1, 2, 3):
        expected = server.get(
            f"/dicom-web/studies/{STUDY}/series/1.2.3.9/instances/{MULTIFRAME}/frames/{number}/rendered", PNG
        )
        assert get(server, MULTIFRAME, contentType=PNG, frameNumber=number).content == expected.content
    assert (
        get(server, MULTIFRAME, contentType=PNG).content
        == get(server, MULTIFRAME, contentType=PNG, frameNumber=1).content
    )
    assert get(server, frameNumber=1).status_code == 200
    for wrong in ("0", "4", "-1", "1,2", "x", ""):
        assert "frameNumber" in refusal(get(server, MULTIFRAME, frameNumber=wrong))


def test_9_5_1_2_1_all_frames_in_one_animation(server: Serving) -> None:
    whole = Image.open(io.BytesIO(get(server, MULTIFRAME, contentType="image/gif").content))
    assert (whole.format, getattr(whole, "n_frames", 1)) == ("GIF", 3)
    one = Image.open(io.BytesIO(get(server, MULTIFRAME, contentType="image/gif", frameNumber=2).content))
    assert getattr(one, "n_frames", 1) == 1
    assert get(server, MULTIFRAME, contentType="image/gif", columns=4).status_code == 200


@pytest.mark.clause("PS3.18 9.1.2.2.2")
def test_9_1_2_2_2_charset(server: Serving) -> None:
    assert get(server, charset="utf-8,iso-8859-1;q=0.5").content == get(server).content
    assert "charset" in refusal(get(server, charset="<none>"))


@pytest.mark.parametrize("name", ["annotation", "imageAnnotation"])
@pytest.mark.clause("PS3.18 9.5.1.2.2")
def test_9_5_1_2_2_annotation(server: Serving, name: str) -> None:
    base = f"/dicom-web/studies/{STUDY}/series/{SERIES}/instances/{IMAGE}/rendered?viewport=600,400"
    plain = get(server, contentType=PNG, rows=400, columns=600)
    burned = get(server, contentType=PNG, rows=400, columns=600, **{name: "patient,technique"})
    assert burned.content != plain.content
    assert burned.content == server.get(f"{base}&annotation=patient,technique", PNG).content
    assert "annotation" in refusal(get(server, **{name: "everything"}))


@pytest.mark.clause("PS3.18 9.5.1.2.3")
def test_9_5_1_2_3_image_quality(server: Serving) -> None:
    small, large = (len(get(server, contentType=JPEG, imageQuality=quality).content) for quality in (10, 100))
    assert small < large
    for wrong in ("0", "101", "x"):
        assert "imageQuality" in refusal(get(server, imageQuality=wrong))


@pytest.mark.parametrize(
    ("rows", "columns", "shape"),
    [(80, None, (80, 120)), (None, 30, (20, 30)), (80, 80, (53, 80)), (20, 600, (20, 30)), (None, None, (40, 60))],
)
@pytest.mark.clause("PS3.18 9.5.1.2.4")
def test_9_5_1_2_4_rows_and_columns_keep_the_shape(
    server: Serving, rows: int | None, columns: int | None, shape: tuple[int, int]
) -> None:
    assert pixels(get(server, contentType=PNG, rows=rows, columns=columns)).shape == shape


def test_9_5_1_2_4_sizes_that_are_none(server: Serving) -> None:
    for name in ("rows", "columns"):
        for wrong in ("0", "-5", "1.5", "x", "100001"):
            assert name in refusal(get(server, **{name: wrong}))
    refusal(get(server, rows=100_000, columns=100_000), 413)
    refusal(get(server, rows=100_000), 413)


@pytest.mark.parametrize(
    ("region", "part"),
    [
        ("0,0,1,1", np.s_[:, :]),
        ("0.5,0.25,1.0,0.75", np.s_[10:30, 30:60]),
        ("0.0,0.0,0.333333,0.5", np.s_[0:20, 0:20]),
        ("0.01,0.01,0.02,0.02", np.s_[0:1, 0:2]),
        ("0.999,0.999,1,1", np.s_[39:40, 59:60]),
    ],
)
@pytest.mark.clause("PS3.18 9.5.1.2.5")
def test_9_5_1_2_5_region(server: Serving, region: str, part: Any) -> None:
    query = {"contentType": PNG, "windowCenter": "2000", "windowWidth": "4000"}
    whole = pixels(get(server, **query))
    assert (pixels(get(server, **query, region=region)) == whole[part]).all()


def test_9_5_1_2_5_a_region_is_fitted_into_rows_and_columns(server: Serving) -> None:
    assert pixels(get(server, contentType=PNG, region="0,0,0.5,0.5", rows=60)).shape == (60, 90)


@pytest.mark.parametrize(
    "region", ["", "0,0,1", "0,0,1,1,1", "0,0,0,1", "0.5,0,0.4,1", "-0.1,0,1,1", "0,0,1.1,1", "a,0,1,1", "nan,0,1,1", "0,0,1e999,1"]
)  # fmt: skip
def test_9_5_1_2_5_regions_that_are_none(server: Serving, region: str) -> None:
    assert "region" in refusal(get(server, region=region))


@pytest.mark.parametrize(("center", "width"), [("2000", "4000"), ("1000.5", "333.25"), ("-20", "1"), ("4.0e2", "800")])
@pytest.mark.clause("PS3.18 9.5.1.2.6")
def test_9_5_1_2_6_window(server: Serving, center: str, width: str) -> None:
    found = pixels(get(server, contentType=PNG, windowCenter=center, windowWidth=width)).astype(np.float64)
    if float(width) > 1:
        assert np.abs(found - windowed(float(center), float(width))).max() <= 0.51
    else:
        assert (found == np.where(float(center) - 0.5 < VALUES, 255, 0)).all()


@pytest.mark.parametrize(
    "query",
    [
        {"windowCenter": "40"},
        {"windowWidth": "40"},
        {"windowCenter": "40", "windowWidth": "0.5"},
        {"windowCenter": "x", "windowWidth": "40"},
        {"windowCenter": "inf", "windowWidth": "40"},
        {"windowCenter": "40", "windowWidth": "1e400"},
        {"windowCenter": "40\\50", "windowWidth": "40"},
    ],
)
def test_9_5_1_2_6_windows_that_are_none(server: Serving, query: dict[str, str]) -> None:
    assert "window" in refusal(get(server, **query))


@pytest.mark.clause("PS3.18 9.5.1.2.7")
def test_9_5_1_2_7_through_a_presentation_state(server: Serving) -> None:
    state = {"presentationUID": STATE, "presentationSeriesUID": "1.2.3.5"}
    found = pixels(get(server, contentType=PNG, **state)).astype(np.float64)
    assert np.abs(found - windowed(1000, 200)).max() <= 1
    assert pixels(get(server, contentType=PNG, **state, rows=20)).shape == (20, 30)
    for name in ("presentationUID", "presentationSeriesUID"):
        assert name in refusal(get(server, **{name: state[name]}))
        assert name in refusal(get(server, **state | {name: "not a uid"}))
    for name, value in (("windowCenter", "4"), ("windowWidth", "5"), ("region", "0,0,1,1")):
        assert name in refusal(get(server, **state, **{name: value}))
    refusal(get(server, **state | {"presentationSeriesUID": "1.2.3.6"}), 404)


def test_a_picture_is_kept_by_its_tag(server: Serving) -> None:
    first = get(server, contentType=PNG)
    assert get(server, contentType=PNG, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    assert get(server, contentType=PNG, rows=20, headers={"If-None-Match": first.headers["ETag"]}).status_code == 200
    head = server.session.head(first.url, timeout=60)
    assert (head.status_code, head.headers["Content-Type"], head.content) == (200, PNG, b"")
