"""PS3.18 8.3: what the parameters of searches and pictures do, each clause by its own test."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from altering import with_attributes
from data import CT, make_instance
from PIL import Image
from pydicom.dataset import Dataset
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


SERIES = "/dicom-web/studies/1.2.3/series/1.2.3.4"
TEXTS = (
    "/dicom-web/studies",
    f"{AT}/metadata",
    f"{SERIES}/metadata",
    "/dicom-web/studies/1.2.3/metadata",
    "/dicom-web",
)


@pytest.mark.clause("PS3.18 8.3.3.2")
@pytest.mark.parametrize("path", TEXTS)
def test_8_3_3_2_texts_are_utf_8_and_other_character_sets_are_400(server: Serving, path: str) -> None:
    plain = server.get(path)
    for taken in ("utf-8", "UTF-8", "iso-8859-1,utf-8;q=0.5", '"ISO_IR 192"', "ISO_IR%20192"):
        assert server.get(f"{path}?charset={taken}").content == plain.content, taken
    for refused in ("iso-8859-1", "utf-8;q=0", "", "utf-8,<none>", "ISO_IR%20100"):
        answer = server.get(f"{path}?charset={refused}")
        assert (answer.status_code, "utf-8" in answer.json()["detail"]) == (400, True), refused


@pytest.mark.clause("PS3.18 8.8")
@pytest.mark.parametrize("path", TEXTS)
@pytest.mark.clause("PS3.18 8.8.4")
@pytest.mark.clause("PS3.18 8.8.5")
def test_8_8_who_refuses_utf_8_is_told(server: Serving, path: str) -> None:
    """8.8.4: sets that are not known are ignored; 8.8.5: where nothing is left, it is UTF-8."""
    for taken in ("utf-8", "iso-8859-1", "iso-8859-1, utf-8;q=0.1", "*", "utf-8, *;q=0", "no list;;"):
        assert server.get(path, Accept_Charset=taken).status_code == 200, taken
    for refused in ("utf-8;q=0", "iso-8859-1, *;q=0", "utf-8;q=0.0, *"):
        answer = server.get(path, Accept_Charset=refused)
        assert (answer.status_code, "utf-8" in answer.json()["detail"]) == (406, True), refused


@pytest.mark.clause("PS3.18 8.7.3.5.3")
def test_8_7_3_5_3_the_character_set_of_a_media_type(server: Serving) -> None:
    json_type, xml_type = "application/dicom+json", "application/dicom+xml"
    for path in TEXTS[:2]:
        assert server.get(path, f"{json_type}; charset=UTF-8").headers["Content-Type"] == json_type
        # What cannot be given is ignored (8.7.7), and the next alternative counts.
        best = server.get(path, f"{xml_type}; charset=iso-8859-1, {json_type};q=0.5")
        assert (best.status_code, best.headers["Content-Type"]) == (200, json_type)
        assert server.get(path, f'multipart/related; type="{xml_type}"; charset=iso-8859-1').status_code == 406


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


@pytest.mark.clause("PS3.18 10.4.3.3.4")
@pytest.mark.parametrize("path", ["/dicom-web/studies/1.2.3", SERIES, AT, f"{AT}/frames/1"])
def test_10_4_3_3_4_a_thumbnail_is_one_image_and_does_not_name_the_patient(server: Serving, path: str) -> None:
    for accept in ("image/jpeg", "image/png", "*/*"):
        assert server.get(f"{path}/thumbnail", accept).headers["Content-Type"].startswith("image/")
    plain = server.get(f"{path}/thumbnail", "image/png").content
    assert server.get(f"{path}/thumbnail?annotation=technique", "image/png").content != plain
    for kinds in ("patient", "technique,patient"):
        answer = server.get(f"{path}/thumbnail?annotation={kinds}", "image/png")
        assert (answer.status_code, "of the patient" in answer.json()["detail"]) == (400, True)


# Table 10.6.1-5 by level, with values that each kind of attribute may have.
REQUIRED = {
    "studies": {
        "StudyDate": "20210304", "StudyTime": "091500", "AccessionNumber": "ACC7", "ModalitiesInStudy": "CT",
        "ReferringPhysicianName": "HOUSE^GREGORY", "PatientName": "REQ^UIRED", "PatientID": "RQ1",
        "StudyInstanceUID": "1.2.77", "StudyID": "SID7",
    },
    "series": {
        "Modality": "CT", "SeriesInstanceUID": "1.2.77.1", "SeriesNumber": "77",
        "PerformedProcedureStepStartDate": "20210303", "PerformedProcedureStepStartTime": "081500",
        "RequestAttributesSequence.ScheduledProcedureStepID": "SPS7", "RequestAttributesSequence.RequestedProcedureID": "RP7",
    },
    "instances": {"SOPClassUID": CT, "SOPInstanceUID": "1.2.77.1.1", "InstanceNumber": "78"},
}  # fmt: skip


@pytest.mark.clause("PS3.18 10.6.1.2.3")
def test_10_6_1_2_3_every_required_attribute_is_a_key(server: Serving) -> None:
    values = {name: value for level in REQUIRED.values() for name, value in level.items() if "." not in name}
    request = Dataset()
    request.ScheduledProcedureStepID, request.RequestedProcedureID = "SPS7", "RP7"
    plain = {n: v for n, v in values.items() if n not in ("ModalitiesInStudy", "SOPClassUID", "SOPInstanceUID")}
    made = make_instance("1.2.77.1.1", study="1.2.77", series="1.2.77.1")
    made = with_attributes(made, **plain, RequestAttributesSequence=[request])
    assert server.store(made).status_code == 200
    for level, keys in REQUIRED.items():
        for name, value in keys.items():
            alone = f"/dicom-web/{level}?StudyInstanceUID=1.2.77"
            assert len(server.get(f"{alone}&{name}={value}" if name != "StudyInstanceUID" else alone).json()) == 1, name
            other = {"Modality": "MR", "ModalitiesInStudy": "MR"}.get(name, value[:-1] + "9")
            if name != "StudyInstanceUID":
                assert server.get(f"{alone}&{name}={other}").status_code == 204, name
    assert server.session.delete(server.url + "/dicom-web/studies/1.2.77", timeout=10).status_code == 200


@pytest.mark.clause("PS3.18 10.6.3.1")
def test_10_6_3_1_statuses_of_a_search(server: Serving) -> None:
    for level in ("studies", "series", "instances"):
        for query, accept, status in (
            ("", "", 200), ("PatientID=nobody", "", 204), ("PatientID=nobody", "application/dicom+xml", 204),
            ("StudyDate=yesterday", "", 400), ("", "image/png", 406),
        ):  # fmt: skip
            answer = server.get(f"/dicom-web/{level}?{query}", accept)
            assert (answer.status_code, bool(answer.content)) == (status, status != 204), (level, query)
