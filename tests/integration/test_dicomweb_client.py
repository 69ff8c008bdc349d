"""dicomweb-client as it is installed: every method of its `DICOMwebClient`, against a real server that holds real files."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import pytest
import requests
from data import DATA, data_files, make_instance
from dicomweb_client import DICOMwebClient
from PIL import Image
from pydicom import Dataset
from pydicom.data import get_testdata_file
from serving import Serving

EXPLICIT, JPEG_LS, JPEG_2000, HTJ2K = (
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.201",
)


def series_files() -> list[bytes]:
    """A few slices of a real CT head; without the shared files a series made by hand."""
    if DATA.is_dir():
        return [path.read_bytes() for path in data_files("ct-series")[:6]]
    return [make_instance(f"1.2.3.4.{i}", number=i, z=float(i), rows=32, columns=48) for i in range(1, 7)]


@dataclass(frozen=True, slots=True)
class Stored:
    """What the server of these tests holds: `members` are one series, `frames` one instance of several frames."""

    server: Serving
    client: DICOMwebClient
    members: tuple[Dataset, ...]
    frames: Dataset
    compressed: Dataset

    @property
    def at(self) -> tuple[str, str]:
        return self.members[0].StudyInstanceUID, self.members[0].SeriesInstanceUID


def read(content: bytes) -> Dataset:
    return pydicom.dcmread(io.BytesIO(content))


def at(ds: Dataset) -> tuple[str, str, str]:
    return ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID


def uid(row: dict[str, dict[str, list[str]]], tag: str) -> str:
    return row[tag]["Value"][0]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    many, compressed = (
        Path(str(get_testdata_file(name))).read_bytes() for name in ("SC_rgb_rle_2frame.dcm", "JPEG2000.dcm")
    )
    contents = series_files()
    with Serving(tmp_path_factory.mktemp("archive")) as server:
        client = DICOMwebClient(server.url + "/dicom-web")
        members = tuple(read(content) for content in contents)
        answer = client.store_instances(list(members))
        assert len(answer.ReferencedSOPSequence) == len(members)
        assert "FailedSOPSequence" not in answer
        for content in (many, compressed):
            ds = read(content)
            client.store_instances([ds], study_instance_uid=ds.StudyInstanceUID)
        yield Stored(server, client, members, read(many), read(compressed))


def test_searches(stored: Stored) -> None:
    client, (study, series), first = stored.client, stored.at, stored.members[0]
    [row] = client.search_for_studies(search_filters={"StudyInstanceUID": study}, fields=["StudyDescription"])
    assert row["00201208"]["Value"] == [len(stored.members)]
    everything = {uid(row, "0020000D") for row in client.search_for_studies()}
    assert everything == {study, stored.frames.StudyInstanceUID, stored.compressed.StudyInstanceUID}
    family = str(first.PatientName).split("^")[0]
    named = client.search_for_studies(search_filters={"PatientName": f"{family[:3]}*"})
    assert study in {uid(row, "0020000D") for row in named}
    assert client.search_for_studies(fuzzymatching=True, search_filters={"PatientName": family.lower()})
    assert client.search_for_studies(search_filters={"PatientID": "nobody at all"}) == []
    # One row at a time, until the server says that there is no more.
    paged = client.search_for_studies(limit=1, get_remaining=True)
    assert {uid(row, "0020000D") for row in paged} == everything
    assert len(client.search_for_studies(limit=1, offset=1)) == 1
    [row] = client.search_for_series(study)
    assert uid(row, "0020000E") == series
    assert len(client.search_for_series(search_filters={"Modality": first.Modality})) >= 1
    numbers = [row["00200013"]["Value"][0] for row in client.search_for_instances(study, series)]
    assert sorted(numbers) == sorted(int(ds.InstanceNumber) for ds in stored.members)
    assert len(client.search_for_instances(study, get_remaining=True, limit=2)) == len(stored.members)
    assert len(client.search_for_instances()) == len(stored.members) + 2
    [row] = client.search_for_instances(search_filters={"SOPInstanceUID": first.SOPInstanceUID}, fields=["Rows"])
    assert row["00280010"]["Value"] == [first.Rows]
    assert client.lookup_keyword(client.lookup_tag("PatientName")) == "PatientName"


def test_instances_come_back_as_they_went(stored: Stored) -> None:
    client, (study, series) = stored.client, stored.at
    expected = {ds.SOPInstanceUID: ds for ds in stored.members}
    for ds in stored.members[:2]:
        assert client.retrieve_instance(*at(ds)) == ds
    for found in (client.retrieve_series(study, series), client.retrieve_study(study)):
        assert {ds.SOPInstanceUID: ds for ds in found} == expected
    client.set_chunk_size(10_000)  # smaller than an instance, and no divisor of one
    for pieces in (client.iter_series(study, series), client.iter_study(study)):
        assert {ds.SOPInstanceUID: ds for ds in pieces} == expected
    assert len(client.retrieve_study(study, media_types=("application/dicom",))) == len(expected)


@pytest.mark.parametrize("syntax", [EXPLICIT, JPEG_LS, JPEG_2000])
def test_an_instance_in_the_syntax_that_is_named(stored: Stored, syntax: str) -> None:
    wanted = (("application/dicom", syntax),)
    ds = stored.client.retrieve_instance(*at(stored.members[0]), media_types=wanted)
    assert ds.file_meta.TransferSyntaxUID == syntax
    assert np.array_equal(ds.pixel_array, stored.members[0].pixel_array)


def test_metadata_has_every_value_of_the_header(stored: Stored) -> None:
    client, (study, series) = stored.client, stored.at
    rows = client.retrieve_series_metadata(study, series)
    assert {uid(row, "00080018") for row in rows} == {ds.SOPInstanceUID for ds in stored.members}
    assert client.retrieve_study_metadata(study) == rows
    first = stored.members[0]
    row = client.retrieve_instance_metadata(*at(first))
    assert row in rows
    # The client's own way from JSON to a data set, bulk data fetched by the client itself.
    fetched: list[str] = []

    def fetch(tag: str, vr: str, uri: str) -> bytes:
        fetched.append(tag)
        [value] = client.retrieve_bulkdata(_whole(stored, uri))
        return bytes(value)

    ds = Dataset.from_json(row, bulk_data_uri_handler=fetch)
    assert "7FE00010" in fetched
    for element in first:
        assert element.tag in ds, element
        # JSON is UTF-8 and says so; a DS is a number there.
        if element.keyword != "SpecificCharacterSet" and element.VR not in ("SQ", "UN", "DS"):
            assert ds[element.tag].value == element.value, element
    assert ds.PixelData == first.PixelData


def _whole(stored: Stored, uri: str) -> str:
    """The client takes whole addresses only (PS3.18 F.2.2 allows both)."""
    return uri if uri.startswith("http") else stored.server.url + uri


def test_bulk_data_whole_in_pieces_and_in_part(stored: Stored) -> None:
    client, first = stored.client, stored.members[0]
    url = _whole(stored, client.retrieve_instance_metadata(*at(first))["7FE00010"]["BulkDataURI"])
    assert client.retrieve_bulkdata(url) == [first.PixelData]
    assert client.retrieve_bulkdata(url, media_types=("application/octet-stream",)) == [first.PixelData]
    assert list(client.iter_bulkdata(url)) == [first.PixelData]
    # A range counts over the whole body, the part's head included; a server may also send all (RFC 9110 14.2).
    [piece] = client.retrieve_bulkdata(url, byte_range=(0, 999))
    assert len(piece) > 500
    assert first.PixelData.startswith(piece)


def test_frames_native_stored_and_coded_anew(stored: Stored) -> None:
    client, first, many = stored.client, stored.members[0], stored.frames
    [frame] = client.retrieve_instance_frames(*at(first), [1])
    assert frame == first.PixelData[: len(frame)]
    assert len(frame) == first.Rows * first.Columns * first.BitsAllocated // 8
    expected = [one.tobytes() for one in many.pixel_array]
    native = (("application/octet-stream", EXPLICIT),)
    assert client.retrieve_instance_frames(*at(many), [1, 2], media_types=native) == expected
    assert list(client.iter_instance_frames(*at(many), [2, 1], media_types=native)) == expected[::-1]
    fragments = list(pydicom.encaps.generate_frames(many.PixelData, number_of_frames=2))
    assert client.retrieve_instance_frames(*at(many), [2], media_types=("image/dicom-rle",)) == [fragments[1]]
    [own] = client.retrieve_instance_frames(*at(stored.compressed), [1], media_types=("image/jp2",))
    [fragment] = pydicom.encaps.generate_frames(stored.compressed.PixelData, number_of_frames=1)
    assert own == fragment
    [coded] = client.retrieve_instance_frames(*at(first), [1], media_types=(("image/jls", JPEG_LS),))
    assert np.array_equal(_jpeg_ls(coded), first.pixel_array.astype(np.uint16))
    with pytest.raises(requests.HTTPError, match="404"):
        client.retrieve_instance_frames(*at(many), [3])


def _jpeg_ls(coded: bytes) -> np.ndarray:
    import imagecodecs

    return np.asarray(imagecodecs.jpegls_decode(bytes(coded)))


@pytest.mark.parametrize(("media_type", "kind"), [("image/jpeg", "JPEG"), ("image/png", "PNG"), (None, "JPEG")])
def test_rendered(stored: Stored, media_type: str | None, kind: str) -> None:
    types = None if media_type is None else (media_type,)
    first, many = stored.members[0], stored.frames

    def shown(content: bytes) -> tuple[str | None, tuple[int, int]]:
        picture = Image.open(io.BytesIO(content))
        assert np.asarray(picture).std() > 1, "an empty picture"
        return picture.format, picture.size

    size = (first.Columns, first.Rows)
    assert shown(stored.client.retrieve_instance_rendered(*at(first), media_types=types)) == (kind, size)
    frame = stored.client.retrieve_instance_frames_rendered(*at(many), [2], media_types=types)
    assert shown(frame) == (kind, (many.Columns, many.Rows))
    # The client gives the whole body of a series: a picture of each instance, in parts.
    body = stored.client.retrieve_series_rendered(*stored.at, media_types=types)
    begin = {"JPEG": b"\xff\xd8\xff", "PNG": b"\x89PNG\r\n"}[kind]
    assert body.count(b"\r\n\r\n" + begin) == len(stored.members)
    small = stored.client.retrieve_instance_rendered(*at(first), media_types=types, params={"viewport": "20,20"})
    assert max(shown(small)[1]) == 20


def test_what_is_deleted_is_gone(stored: Stored) -> None:
    client = stored.client
    for study in ("1.2.77", "1.2.78"):
        names = [(f"{study}.1", f"{study}.1.1"), (f"{study}.1", f"{study}.1.2"), (f"{study}.2", f"{study}.2.1")]
        client.store_instances([read(make_instance(sop, study=study, series=series)) for series, sop in names])

    def counted(study: str) -> int:
        return len(client.search_for_instances(study))

    client.delete_instance("1.2.77", "1.2.77.1", "1.2.77.1.1")
    assert counted("1.2.77") == 2
    client.delete_series("1.2.77", "1.2.77.1")
    assert counted("1.2.77") == 1
    client.delete_study("1.2.77")
    with pytest.raises(requests.HTTPError, match="404"):
        client.delete_study("1.2.77")
    assert counted("1.2.78") == 3
    client.delete_study("1.2.78")
    assert client.search_for_studies(search_filters={"StudyInstanceUID": ["1.2.77", "1.2.78"]}) == []


def test_no_method_of_the_client_is_left_out() -> None:
    """A newer client may have more; then this page has to learn them."""
    page = Path(__file__).read_text("utf_8")
    methods = {
        name for name in vars(DICOMwebClient) if not name.startswith("_") and callable(getattr(DICOMwebClient, name))
    }
    assert len(methods) > 20
    assert not {name for name in methods if f".{name}(" not in page}


def test_what_is_wrong_is_told(stored: Stored) -> None:
    (study, series), client = stored.at, DICOMwebClient(stored.server.url + "/dicom-web")
    client.set_http_retry_params(retry=True, max_attempts=2)  # 404 is an answer, nothing to be asked again
    refused: list[Callable[[], object]] = [
        lambda: client.retrieve_instance(study, series, "1.2.3.99"),
        lambda: client.retrieve_series_metadata(study, "1.2.3.99"),
        lambda: client.retrieve_study("1.2.3.99"),
    ]
    for call in refused:
        with pytest.raises(requests.HTTPError, match="404"):
            call()
