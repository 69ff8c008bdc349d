"""PS3.18 8.3: what the parameters of searches and pictures do, each clause by its own test."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from data import make_instance
from PIL import Image
from serving import Serving

AT = "/dicom-web/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive")) as running:
        contents = [make_instance("1.2.3.4.1", rows=200, columns=300)]
        for n, patient in enumerate(("ROE^RICHARD", "", "DOE^JOHN"), 1):
            uids = {"study": f"1.2.9{n}", "series": f"1.2.9{n}.1"}
            contents.append(make_instance(f"1.2.9{n}.1.1", patient=patient, patient_id=f"Q{n}", **uids))
        assert running.store(*contents).status_code == 200
        yield running


def found(server: Serving, query: str) -> list[str]:
    answer = server.get(f"/dicom-web/studies?orderby=StudyInstanceUID&{query}")
    assert answer.status_code in (200, 204), answer.text
    return [row["0020000D"]["Value"][0] for row in answer.json()] if answer.status_code == 200 else []


@pytest.mark.clause("PS3.18 8.3.3.1")
def test_8_3_3_1_the_parameter_stands_above_the_header(server: Serving) -> None:
    answer = server.get(f"{AT}/rendered?accept=image/png", "image/jpeg")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/png")
    assert server.get("/dicom-web/studies?accept=image/png", "application/dicom+json").status_code == 406
    bare = server.get(f"{AT}?accept=application/dicom", 'multipart/related; type="application/dicom"')
    assert bare.headers["Content-Type"].startswith("application/dicom")
    assert bare.content[128:132] == b"DICM"


@pytest.mark.clause("PS3.18 8.3.4.2")
def test_8_3_4_2_words_of_a_name_in_any_order(server: Serving) -> None:
    assert found(server, "PatientName=richard%20roe&fuzzymatching=true") == ["1.2.91"]
    assert found(server, "PatientName=richard%20roe") == []
    assert found(server, "PatientName=richard%20roe&fuzzymatching=false") == []
    assert server.get("/dicom-web/studies?PatientName=roe&fuzzymatching=perhaps").status_code == 400


@pytest.mark.clause("PS3.18 8.3.4.4")
def test_8_3_4_4_pages_join_to_the_whole(server: Serving) -> None:
    whole = found(server, "")
    assert len(whole) == 4
    assert [uid for offset in range(0, 6, 2) for uid in found(server, f"limit=2&offset={offset}")] == whole
    first = server.get("/dicom-web/studies?limit=2")
    assert "offset=2" in first.headers["Warning"]
    assert "Warning" not in server.get("/dicom-web/studies?limit=4").headers
    assert server.get("/dicom-web/studies?limit=-1").status_code == 400


@pytest.mark.clause("PS3.18 8.3.4.5")
def test_8_3_4_5_the_empty_value(server: Serving) -> None:
    assert found(server, "PatientName=%22%22&emptyvaluematching=true") == ["1.2.92"]
    assert found(server, "PatientName=%22%22") == []


@pytest.mark.clause("PS3.18 8.3.4.6")
@pytest.mark.parametrize("said", ["", "&multiplevaluematching=true", "&multiplevaluematching=false"])
def test_8_3_4_6_several_values_are_one_of_them(server: Serving, said: str) -> None:
    assert found(server, f"PatientID=Q1%5CQ3{said}") == ["1.2.91", "1.2.93"]
    assert found(server, f"PatientID=Q1&PatientID=Q3{said}") == ["1.2.91", "1.2.93"]


@pytest.mark.clause("PS3.18 8.3.5.1.2")
def test_8_3_5_1_2_quality_is_of_the_jpeg(server: Serving) -> None:
    sizes = [len(server.get(f"{AT}/rendered?quality={q}", "image/jpeg").content) for q in (5, 50, 100)]
    assert sizes == sorted(set(sizes))
    pictures = {server.get(f"{AT}/rendered?quality={q}", "image/png").content for q in (5, 100)}
    assert len(pictures) == 1
    for wrong in ("0", "101", "best", ""):
        assert server.get(f"{AT}/rendered?quality={wrong}").status_code == 400


@pytest.mark.clause("PS3.18 8.3.5.2")
@pytest.mark.clause("PS3.18 10.4.1.1.4")
@pytest.mark.parametrize(
    "path", ["/dicom-web/studies/1.2.3", "/dicom-web/studies/1.2.3/series/1.2.3.4", AT, f"{AT}/frames/1"]
)
def test_8_3_5_2_thumbnails_take_a_viewport(server: Serving, path: str) -> None:
    usual = Image.open(io.BytesIO(server.get(f"{path}/thumbnail", "image/jpeg").content))
    assert (usual.format, max(usual.size)) == ("JPEG", 128)
    asked = Image.open(io.BytesIO(server.get(f"{path}/thumbnail?viewport=60,60", "image/png").content))
    assert (asked.format, asked.size) == ("PNG", (60, 40))
