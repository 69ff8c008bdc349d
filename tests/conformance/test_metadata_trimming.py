"""PS3.18 8.3.4.3 for 10.4.1.1.2: metadata of an instance, a series and a study with only what a client names."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pydicom
import pytest
from altering import part10
from data import make_instance
from pydicom.dataset import Dataset
from serving import Serving

STUDY = "/dicom-web/studies/1.2.3"
SERIES = f"{STUDY}/series/1.2.3.4"
LEVELS = pytest.mark.parametrize(
    ("path", "count"),
    [(f"{SERIES}/instances/1.2.3.4.2", 1), (SERIES, 3), (STUDY, 4)],
    ids=["instance", "series", "study"],
)
UIDS = {"00080016", "00080018", "0020000D", "0020000E"}


def content(uid: str, number: int, series: str) -> bytes:
    ds = pydicom.dcmread(io.BytesIO(make_instance(uid, series=series, number=number)))
    group, measures = Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [0.5, 0.5], 2
    group.PixelMeasuresSequence = [measures]
    group.FrameVOILUTSequence = [Dataset()]
    ds.SharedFunctionalGroupsSequence = [group]
    block = ds.private_block(0x0009, "MAKER", create=True)
    block.add_new(0x01, "LO", "secret sauce")
    return part10(ds)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    contents = [content(f"1.2.3.4.{i}", i, "1.2.3.4") for i in (1, 2, 3)] + [content("1.2.3.5.1", 1, "1.2.3.5")]
    with Serving(tmp_path_factory.mktemp("archive")) as running:
        assert running.store(*contents).status_code == 200
        yield running


@LEVELS
@pytest.mark.parametrize(
    "query",
    ["includefield=PatientName,Rows", "includefields=00100010,00280010", "includefield=Rows&includefield=PatientName"],
)
def test_what_is_named_and_the_uids(server: Serving, path: str, count: int, query: str) -> None:
    whole = server.get(f"{path}/metadata").json()
    answer = server.get(f"{path}/metadata?{query}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/dicom+json")
    documents = answer.json()
    assert len(documents) == len(whole) == count
    for document, other in zip(documents, whole, strict=True):
        assert set(document) == UIDS | {"00100010", "00280010"}
        assert list(document) == sorted(document)
        assert document == {tag: other[tag] for tag in document}
        assert str(pydicom.Dataset.from_json(document).PatientName) == "DOE^JANE"
    assert "Warning" not in answer.headers


@LEVELS
def test_parts_of_sequences_and_private_attributes(server: Serving, path: str, count: int) -> None:
    spacing = "SharedFunctionalGroupsSequence.PixelMeasuresSequence.PixelSpacing"
    for document in server.get(f"{path}/metadata?includefield={spacing},00091001").json():
        assert set(document) == UIDS | {"52009229", "00090010", "00091001"}
        assert document["00090010"]["Value"] == ["MAKER"]
        [group] = document["52009229"]["Value"]
        assert group == {"00289110": {"vr": "SQ", "Value": [{"00280030": {"vr": "DS", "Value": [0.5, 0.5]}}]}}
    for order in (f"{spacing},SharedFunctionalGroupsSequence", f"SharedFunctionalGroupsSequence,{spacing}"):
        [document, *_] = server.get(f"{path}/metadata?includefield={order}").json()
        assert set(document["52009229"]["Value"][0]) == {"00289110", "00289132"}


@LEVELS
@pytest.mark.parametrize("query", ["includefield=all", "includefield=PatientName,all", "includefield=", "other=1"])
def test_what_is_everything(server: Serving, path: str, count: int, query: str) -> None:
    assert server.get(f"{path}/metadata?{query}").content == server.get(f"{path}/metadata").content


@LEVELS
def test_tags_of_what_is_named(server: Serving, path: str, count: int) -> None:
    tags = [
        server.get(f"{path}/metadata{query}").headers["ETag"]
        for query in ("", "?includefield=Rows", "?includefield=Columns", "?includefield=00280010")
    ]
    assert len(set(tags)) == 3
    assert tags[1] == tags[3]
    at = f"{path}/metadata?includefield=Rows"
    assert server.get(at, If_None_Match=tags[1]).status_code == 304
    assert server.get(at, If_None_Match=tags[0]).status_code == 200
    plain = server.get(at, Accept_Encoding="identity")
    assert "Content-Encoding" not in plain.headers
    assert plain.json() == server.get(at).json()


@LEVELS
def test_names_that_are_none(server: Serving, path: str, count: int) -> None:
    answer = server.get(f"{path}/metadata?includefield=PatientNam,Rows")
    assert set(answer.json()[0]) == UIDS | {"00280010"}
    assert re.search("PatientNam.*PatientName", answer.headers["Warning"])
    wrong = server.get(f"{path}/metadata?includefield=Rows;drop")
    assert wrong.status_code == 400
    many = server.get(f"{path}/metadata?includefield=" + ",".join(["Rows"] * 1001))
    assert many.status_code == 400
