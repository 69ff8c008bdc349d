"""QIDO-RS through a real server, clause by clause (PS3.18 8.3.4, 10.6; PS3.4 C.2.2.2)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from data import make_instance
from pydicom.dataset import Dataset
from serving import Serving

# Of each of its instances: which of those that come together is the first, and so speaks for the study, is left open.
FIRST = {
    "PatientName": "Yamada^Tarou=山田^太郎=やまだ^たろう", "PatientID": "P1", "StudyDate": "20210301", "StudyTime": "233000",
    "TimezoneOffsetFromUTC": "+0900", "AccessionNumber": "A-1", "AdmittingDiagnosesDescription": "cough",
}  # fmt: skip


def instance(study: int, *, number: int = 1, series: str = "1", **attributes: Any) -> bytes:
    """One instance of study 1.7.<study> with more attributes by keyword."""
    of = f"1.7.{study}"
    sop = f"{of}.{series}.{number}"
    ds = pydicom.dcmread(io.BytesIO(make_instance(sop, study=of, series=f"{of}.{series}", number=number)))
    ds.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


def item(**attributes: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    private = pydicom.dcmread(
        io.BytesIO(instance(2, PatientName="Müller^Jürgen", PatientID="P2", StudyDate="20210302", StudyTime="0830"))
    )
    block = private.private_block(0x0009, "VOXCAST TEST", create=True)
    block.add_new(0x01, "LO", "private value")
    out = io.BytesIO()
    private.save_as(out)
    requested = item(ScheduledProcedureStepID="SPS1", RequestedProcedureID="RP1")
    with Serving(tmp_path_factory.mktemp("archive")) as running:
        contents = [
            instance(1, **FIRST),
            instance(1, **FIRST, number=2, KVP="120"),
            instance(1, **FIRST, series="2", Modality="SR", SeriesNumber="7", SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11"),
            out.getvalue(),
            instance(3, PatientName="Rex", PatientID="V3", PatientSpeciesDescription="Canis lupus", StudyDate="20210303",
                     PatientBreedDescription="Border Collie", ResponsiblePerson="Smith^Ann", StudyDescription="Stifle left"),
            instance(4, PatientName="", PatientID="P4", StudyDate="", SeriesNumber="3", RequestAttributesSequence=[requested]),
        ]  # fmt: skip
        assert running.store(*contents).status_code == 200
        yield running


def rows(server: Serving, path: str) -> list[dict[str, Any]]:
    answer = server.get("/dicom-web" + path)
    assert answer.status_code in (200, 204), answer.text
    return answer.json() if answer.status_code == 200 else []


def studies(server: Serving, query: str) -> list[str]:
    return [row["0020000D"]["Value"][0][4:] for row in rows(server, f"/studies?{query}")]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["3", "2", "1", "4"]),  # the newest first, without a date last
        ("PatientID=P1", ["1"]),
        ("PatientID=P%3F", ["2", "1", "4"]),
        ("PatientID=P1%5CV3", ["3", "1"]),
        ("PatientID=P1&PatientID=V3&multiplevaluematching=true", ["3", "1"]),
        ("00100020=P2", ["2"]),
        ("PatientName=muller*", ["2"]),
        ("PatientName=*rgen", ["2"]),
        ("PatientName=山田*", ["1"]),
        ("PatientName=yamada^tarou", ["1"]),
        ("PatientName=tarou+yamada&fuzzymatching=true", ["1"]),
        ("PatientName=juer&fuzzymatching=true", []),
        ("PatientName=jur&fuzzymatching=true", ["2"]),
        ("PatientName=*rgen*&fuzzymatching=true", ["2"]),
        ("PatientName=%22%22&emptyvaluematching=true", ["4"]),
        ("StudyDate=%22%22&emptyvaluematching=true", ["4"]),
        ("StudyDate=20210301-20210302", ["2", "1"]),
        ("StudyDate=2021-03-02", ["2"]),
        ("StudyDate=-20210301", ["1"]),
        ("StudyDate=20210302-&StudyTime=08-09", ["2"]),
        ("StudyInstanceUID=1.7.3,1.7.1", ["3", "1"]),
        ("ModalitiesInStudy=SR", ["1"]),
        ("Modality=SR", ["1"]),
        ("SOPClassesInStudy=1.2.840.10008.5.1.4.1.1.88.11", ["1"]),
        ("NumberOfStudyRelatedInstances=3", ["1"]),
        ("AccessionNumber=A-1", ["1"]),
        ("q=border+smith", ["3"]),
        ("q=canis", ["3"]),
        ("q=MULLER+p2", ["2"]),
        ("q=stifle&PatientID=V3", ["3"]),
        ("q=stifle&PatientID=P1", []),
        ("orderby=PatientID", ["1", "2", "4", "3"]),
        ("orderby=-PatientID", ["3", "4", "2", "1"]),
        ("orderby=PatientName", ["2", "3", "1", "4"]),
        ("orderby=StudyDate", ["1", "2", "3", "4"]),
        ("orderby=-NumberOfStudyRelatedInstances,PatientID&limit=2", ["1", "2"]),
        ("orderby=StudyDate&limit=2&offset=1", ["2", "3"]),
    ],
)
@pytest.mark.clause("PS3.18 8.3.4.1")
def test_studies(server: Serving, query: str, found: list[str]) -> None:
    assert studies(server, query) == found


def test_a_time_zone_moves_keys_and_rows(server: Serving) -> None:
    """23:30 in Tokyo is the afternoon of the same day in UTC, and the next morning in Auckland (PS3.4 C.2.2.2.6)."""
    [row] = rows(server, "/studies?PatientID=P1&TimezoneOffsetFromUTC=%2B1300&StudyDate=20210302")
    assert (row["00080020"]["Value"], row["00080030"]["Value"]) == (["20210302"], ["033000"])
    assert row["00080201"]["Value"] == ["+1300"]
    assert rows(server, "/studies?PatientID=P1&TimezoneOffsetFromUTC=+0000&StudyDate=20210302") == []


@pytest.mark.clause("PS3.18 10.6.3.3")
@pytest.mark.clause("PS3.18 10.6.3.3.1")
@pytest.mark.clause("PS3.18 10.6.3.3.2")
@pytest.mark.clause("PS3.18 10.6.3.3.3")
def test_rows_have_what_the_standard_computes(server: Serving) -> None:
    [row] = rows(server, "/studies?PatientID=P1")
    assert row["00080056"] == {"vr": "CS", "Value": ["ONLINE"]}
    assert row["00080061"] == {"vr": "CS", "Value": ["CT", "SR"]}
    assert row["00080062"]["Value"] == ["1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.88.11"]
    assert row["00201206"]["Value"] == [2]
    assert row["00201208"]["Value"] == [3]
    assert list(row) == sorted(row)
    series = rows(server, "/studies/1.7.1/series")
    assert [one["00201209"]["Value"] for one in series] == [[1], [2]] or [one["00200011"] for one in series]
    assert [one["00081190"]["Value"][0] for one in series] == [
        f"{server.url}/dicom-web/studies/1.7.1/series/{one['0020000E']['Value'][0]}" for one in series
    ]
    one = rows(server, "/instances?SOPInstanceUID=1.7.1.1.2")[0]
    assert one["00083002"]["Value"] == ["1.2.840.10008.1.2.1"]
    assert one["00100020"]["Value"] == ["P1"]


@pytest.mark.clause("PS3.18 10.6.1.1")
def test_series_and_instances(server: Serving) -> None:
    assert [r["0020000E"]["Value"][0] for r in rows(server, "/series?Modality=SR")] == ["1.7.1.2"]
    assert [r["0020000E"]["Value"][0] for r in rows(server, "/series?SeriesInstanceUID=1.7.3.1")] == ["1.7.3.1"]
    found = rows(server, "/series?RequestAttributesSequence.ScheduledProcedureStepID=SPS1")
    assert [r["0020000E"]["Value"][0] for r in found] == ["1.7.4.1"]
    sops = [r["00080018"]["Value"][0] for r in rows(server, "/studies/1.7.1/instances?InstanceNumber=2")]
    assert sops == ["1.7.1.1.2"]
    assert len(rows(server, "/instances?limit=2&offset=3")) == 2


def test_total_count(server: Serving) -> None:
    for path, total in (
        ("/studies?limit=1", 4), ("/studies?PatientID=P*&limit=1", 3), ("/series?limit=1", 5), ("/instances?limit=2", 6),
        ("/studies/1.7.1/instances?limit=1", 3),
        ("/studies?PatientID=nobody", 0), ("/studies?q=border&limit=0", 1), ("/studies?StudyDate=20210101-&limit=2", 3),
    ):  # fmt: skip
        answer = server.get("/dicom-web" + path)
        assert answer.headers["X-Total-Count"] == str(total), path


@pytest.mark.clause("PS3.18 8.3.4.3")
def test_includefield(server: Serving) -> None:
    assert "00081080" not in rows(server, "/studies?PatientID=P1")[0]
    [row] = rows(server, "/studies?PatientID=P1&includefield=AdmittingDiagnosesDescription,00180060")
    assert row["00081080"]["Value"] == ["cough"]
    [row] = rows(server, "/studies?PatientID=P2&includefield=00091001")
    assert row["00091001"]["Value"] == ["private value"]
    [row] = rows(server, "/instances?SOPInstanceUID=1.7.1.1.2&includefield=KVP")
    assert row["00180060"]["Value"] == [120]
    whole = rows(server, "/instances?SOPInstanceUID=1.7.1.1.2&includefield=all")[0]
    assert {"00180060", "00100020", "00201208", "00280010", "7FE00010"} <= set(whole)
    [row] = rows(server, "/studies?PatientID=P4&includefield=Rows")
    assert "00280010" not in row, "the rows of one instance are not the study's"
    nested = "RequestAttributesSequence.RequestedProcedureID"
    [row] = rows(server, f"/series?SeriesInstanceUID=1.7.4.1&includefield={nested}")
    assert row["00400275"]["Value"][0]["00401001"]["Value"] == ["RP1"]


@pytest.mark.clause("PS3.18 10.6.1.2.1")
def test_what_is_not_known_is_ignored_and_said(server: Serving) -> None:
    for name, says in (
        ("PatientNam", "PatientName"), ("KVP", "not in the index"), ("BodyPartExamined", "series level"),
        ("00091001", "not in the index"),
    ):  # fmt: skip
        answer = server.get(f"/dicom-web/studies?{name}=x")
        assert (answer.status_code, len(answer.json())) == (200, 4)
        assert answer.headers["Warning"].startswith('299 voxcast "ignored: ')
        assert says in answer.headers["Warning"]


def test_the_plan_can_be_seen(server: Serving) -> None:
    answer = server.get("/dicom-web/studies?PatientID=P1&StudyDescription=x*")
    assert 'plan;desc="PatientID ="' in answer.headers["Server-Timing"]
    plan = server.get("/api/explain/studies?PatientID=P1&StudyDate=20200101-20991231&StudyDescription=x*").json()
    assert plan["path"] == "PatientID ="
    assert plan["candidates"] == plan["keys_read"] == 1
    assert plan["checked"] == ["StudyDate", "StudyDescription"]
    assert plan["rejected"] == ["StudyDate within: 3"]
    several = server.get("/api/explain/studies?PatientID=P1\\P7&multiplevaluematching=true").json()
    assert (several["path"], several["checked"]) == ("PatientID of 2 values", [])
    assert several["candidates"] == several["keys_read"] == several["rows"]
    assert server.get("/api/explain/patients").status_code == 400


def test_an_odd_study_uid_leads_to_its_series_and_instances(tmp_path: Path) -> None:
    with Serving(tmp_path / "archive") as server:
        for number, uid in enumerate(("st\\u; x", "#1", "9" * 70)):
            content = make_instance(f"1.2.{number}", study=uid, series=f"1.3.{number}", patient_id="ODD")
            assert server.store(content).status_code == 200
        for level in ("studies", "series", "instances"):
            for query in ("", "?PatientID=ODD", "?StudyDate=20200131"):
                urls = [row["00081190"]["Value"][0] for row in server.get(f"/dicom-web/{level}{query}").json()]
                assert len(urls) == 3, (level, query)
                assert all(server.session.get(url, timeout=60).status_code == 200 for url in urls), urls
