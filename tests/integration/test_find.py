"""C-FIND by DCMTK's findscu and by pynetdicom: levels, keys, character sets, cancel, and the same matches as QIDO-RS."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest
from data import element, make_instance
from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelFind as PATIENT_ROOT,
)
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelFind as STUDY_ROOT,
)
from serving import Serving

JANE = {"patient": "DOE^JANE", "patient_id": "P1"}
FIRST = {**JANE, "study": "1.2.1", "date": "20200131"}
INSTANCES = [
    make_instance("1.2.1.1.1", series="1.2.1.1", number=1, **FIRST),
    make_instance("1.2.1.1.2", series="1.2.1.1", number=2, **FIRST),
    make_instance("1.2.1.2.1", series="1.2.1.2", modality="MR", **FIRST),
    make_instance("1.2.2.1.1", study="1.2.2", series="1.2.2.1", date="20210131", **JANE),
    make_instance(
        "1.2.3.1.1", study="1.2.3", series="1.2.3.1", date="20220131", patient="ROE^RICHARD", patient_id="P2"
    ),
]
GREEK = make_instance(
    "1.2.4.1.1", study="1.2.4", series="1.2.4.1", patient="X", patient_id="P4", date="20230131"
).replace(element(0x00100010, "PN", b"X"), element(0x00100010, "PN", "Διονυσιος".encode("iso8859_7")))
GREEK = GREEK.replace(
    element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.2"),
    element(0x00080005, "CS", b"ISO_IR 126") + element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.2"),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive"), dicom="127.0.0.1:0") as running:
        assert running.store(*INSTANCES, GREEK).status_code == 200
        yield running


def address(server: Serving) -> tuple[str, int]:
    host, _, port = server.dicom.rpartition("@")[2].rpartition(":")
    return host, int(port)


def keys(level: str, **values: object) -> Dataset:
    ds = Dataset()
    ds.QueryRetrieveLevel = level
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def find(
    server: Serving,
    identifier: Dataset,
    model: str = STUDY_ROOT,
    syntax: str = ImplicitVRLittleEndian,
    extended: bytes = b"",
    cancel_after: int = 0,
) -> tuple[list[tuple[int, Dataset]], int]:
    """Pending statuses with identifiers, and the final status."""
    ae = AE("TESTER")
    ae.add_requested_context(model, syntax)
    more = []
    if extended:
        item = SOPClassExtendedNegotiation()
        item.sop_class_uid, item.service_class_application_information = model, extended
        more.append(item)
    assoc = ae.associate(*address(server), ae_title="VOXCAST", ext_neg=more)
    assert assoc.is_established
    found, final = [], -1
    try:
        for status, ds in assoc.send_c_find(identifier, model, msg_id=7):
            if status.Status in (0xFF00, 0xFF01):
                assert ds is not None
                found.append((status.Status, ds))
                if cancel_after and len(found) == cancel_after:
                    assoc.send_c_cancel(7, None, query_model=model)
            else:
                final = status.Status
    finally:
        assoc.release()
    return found, final


def uids(found: list[tuple[int, Dataset]], keyword: str = "StudyInstanceUID") -> list[str]:
    return [str(ds[keyword].value) for _, ds in found]


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
@pytest.mark.parametrize("model", [PATIENT_ROOT, STUDY_ROOT])
def test_studies_of_a_patient(server: Serving, model: str, syntax: str) -> None:
    asked = keys(
        "STUDY", PatientID="P1", StudyInstanceUID="", PatientName="", NumberOfStudyRelatedInstances="", StudyID=""
    )
    found, final = find(server, asked, model, syntax)
    assert final == 0
    assert uids(found) == ["1.2.2", "1.2.1"], "the newest first, as everywhere"
    for status, ds in found:
        assert status == 0xFF00
        assert (ds.QueryRetrieveLevel, str(ds.PatientName), ds.StudyID or "") == ("STUDY", "DOE^JANE", "")
        assert ds["StudyID"].is_empty, "asked for, not there: empty, but returned"
        assert "Modality" not in ds
    assert [ds.NumberOfStudyRelatedInstances for _, ds in found] == [1, 3]


@pytest.mark.parametrize(
    ("level", "asked", "query"),
    [
        ("STUDY", {"PatientName": "doe*"}, "studies?PatientName=doe*"),
        ("STUDY", {"StudyDate": "20200101-20211231"}, "studies?StudyDate=20200101-20211231"),
        ("STUDY", {"StudyDate": "20210601-"}, "studies?StudyDate=20210601-"),
        ("STUDY", {"StudyInstanceUID": ["1.2.1", "1.2.3"]}, "studies?StudyInstanceUID=1.2.1,1.2.3"),
        ("STUDY", {"ModalitiesInStudy": "MR"}, "studies?ModalitiesInStudy=MR"),
        ("STUDY", {"PatientName": "D?E^JANE"}, "studies?PatientName=D?E^JANE"),
        ("STUDY", {"PatientName": "*"}, "studies"),
        ("SERIES", {"StudyInstanceUID": "1.2.1"}, "studies/1.2.1/series"),
        ("SERIES", {"Modality": "CT"}, "series?Modality=CT"),
        (
            "IMAGE",
            {"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "1.2.1.1"},
            "studies/1.2.1/series/1.2.1.1/instances",
        ),
        ("IMAGE", {"SOPInstanceUID": "1.2.2.1.1"}, "instances?SOPInstanceUID=1.2.2.1.1"),
    ],
)
def test_the_same_as_a_search_of_the_web(server: Serving, level: str, asked: dict[str, object], query: str) -> None:
    keyword, tag = {
        "STUDY": ("StudyInstanceUID", "0020000D"),
        "SERIES": ("SeriesInstanceUID", "0020000E"),
        "IMAGE": ("SOPInstanceUID", "00080018"),
    }[level]
    found, final = find(server, keys(level, **{keyword: "", **asked}))
    assert final == 0
    rows = server.get("/dicom-web/" + query).json()
    assert uids(found, keyword) == [row[tag]["Value"][0] for row in rows]
    assert found


def test_patients(server: Serving) -> None:
    asked = keys(
        "PATIENT", PatientID="", PatientName="", NumberOfPatientRelatedStudies="", NumberOfPatientRelatedSeries="",
        NumberOfPatientRelatedInstances="",
    )  # fmt: skip
    found, final = find(server, asked, PATIENT_ROOT)
    assert final == 0
    counted = {
        ds.PatientID: tuple(
            int(ds[f"NumberOfPatientRelated{what}"].value) for what in ("Studies", "Series", "Instances")
        )
        for _, ds in found
    }
    assert counted == {"P1": (2, 3, 4), "P2": (1, 1, 1), "P4": (1, 1, 1)}
    assert len(found) == 3
    assert find(server, keys("PATIENT", PatientID="P2"), PATIENT_ROOT)[0][0][1].PatientID == "P2"


def test_names_in_the_requestors_characters(server: Serving) -> None:
    asked = keys("STUDY", PatientID="P4", PatientName="")
    asked.SpecificCharacterSet = "ISO_IR 126"
    [(_, greek)], _ = find(server, asked)
    assert (greek.SpecificCharacterSet, str(greek.PatientName)) == ("ISO_IR 126", "Διονυσιος")
    for sent in ("", "ISO_IR 100"):  # what cannot say it gets UTF-8
        asked.SpecificCharacterSet = sent
        [(_, utf8)], _ = find(server, asked)
        assert (utf8.SpecificCharacterSet, str(utf8.PatientName)) == ("ISO_IR 192", "Διονυσιος")
    asked = keys("STUDY", PatientName="Διον*", StudyInstanceUID="")
    asked.SpecificCharacterSet = "ISO_IR 126"
    assert uids(find(server, asked)[0]) == ["1.2.4"]


def test_fuzzy_names_where_the_association_has_agreed(server: Serving) -> None:
    asked = keys("STUDY", PatientName="jane doe", StudyInstanceUID="")
    assert uids(find(server, asked)[0]) == []
    assert uids(find(server, asked, extended=b"\1\0\1")[0]) == ["1.2.2", "1.2.1"]


def test_what_is_agreed_is_what_can_be_done(server: Serving) -> None:
    agreed: dict[str, bytes] = {}
    ae = AE("TESTER")
    ae.add_requested_context(STUDY_ROOT)
    item = SOPClassExtendedNegotiation()
    item.sop_class_uid, item.service_class_application_information = STUDY_ROOT, b"\1\1\1"
    assoc = ae.associate(*address(server), ext_neg=[item], evt_handlers=[(evt.EVT_ACSE_RECV, lambda event: None)])
    agreed.update(assoc.acceptor.sop_class_extended)
    assoc.release()
    assert agreed == {STUDY_ROOT: b"\1\0\1"}


def test_keys_inside_a_sequence(server: Serving) -> None:
    item = Dataset()
    item.ScheduledProcedureStepID = "NOBODY-HAS-THIS"
    asked = keys("SERIES", StudyInstanceUID="1.2.1", RequestAttributesSequence=Sequence([item]))
    assert find(server, asked) == ([], 0)


def test_attributes_that_only_headers_have(server: Serving) -> None:
    found, _ = find(server, keys("IMAGE", SOPInstanceUID="1.2.2.1.1", PhotometricInterpretation="", BitsStored=""))
    assert (found[0][1].PhotometricInterpretation, found[0][1].BitsStored) == ("MONOCHROME2", 12)


def test_a_number_that_is_none_does_not_hide_the_study(server: Serving) -> None:
    odd = make_instance("1.2.9.1.1", study="1.2.9", series="1.2.9.1", patient_id="P9")
    patient = element(0x00100020, "LO", b"P9")
    assert server.store(odd.replace(patient, patient + element(0x00101030, "DS", b"heavy"))).status_code == 200
    found, final = find(server, keys("STUDY", StudyInstanceUID="1.2.9", PatientWeight="", PatientID=""))
    assert final == 0
    assert [(ds.PatientID, ds["PatientWeight"].is_empty) for _, ds in found] == [("P9", True)]


def test_a_key_that_is_none_is_said_to_be_ignored(server: Serving) -> None:
    found, final = find(server, keys("STUDY", StudyInstanceUID="1.2.3", BodyPartExamined="HEAD"))
    assert final == 0
    assert [status for status, _ in found] == [0xFF01]


@pytest.mark.parametrize(
    ("identifier", "model", "status"),
    [
        (keys("PATIENT", PatientID="P1"), STUDY_ROOT, 0xA900),
        (keys("NOWHERE", PatientID="P1"), PATIENT_ROOT, 0xA900),
        (keys("", PatientID="P1"), PATIENT_ROOT, 0xA900),
        (keys("STUDY", StudyInstanceUID="1.2.*"), STUDY_ROOT, 0xC000),
    ],
)
def test_what_is_refused(server: Serving, identifier: Dataset, model: str, status: int) -> None:
    assert find(server, identifier, model) == ([], status)


def test_a_date_that_is_none(server: Serving) -> None:
    from pydicom import config

    with config.disable_value_validation():
        assert find(server, keys("STUDY", StudyDate="yesterday")) == ([], 0xC000)


def test_cancel(server: Serving, tmp_path: Path) -> None:
    for start in range(0, 3000, 500):
        instances = [
            make_instance(f"1.9.{n}.1.1", study=f"1.9.{n}", series=f"1.9.{n}.1", patient_id="CANCEL")
            for n in range(start + 1, start + 501)
        ]
        assert server.store(*instances).status_code == 200
    asked = keys("STUDY", PatientID="CANCEL", StudyInstanceUID="")
    found, final = find(server, asked)
    assert (len(set(uids(found))), len(found), final) == (3000, 3000, 0), "over several pages, each once"
    some, final = find(server, asked, cancel_after=5)
    assert final == 0xFE00
    assert 5 <= len(some) < 3000


@pytest.mark.peer
def test_findscu(server: Serving, tmp_path: Path) -> None:
    if which("findscu") is None:
        pytest.skip("DCMTK is not installed")
    host, port = address(server)
    command = ["findscu", "-v", "-S", "-aec", "VOXCAST", host, str(port), "-k", "QueryRetrieveLevel=STUDY"]
    run = subprocess.run(
        [*command, "-k", "PatientName=ROE*", "-k", "StudyInstanceUID"], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0
    assert re.findall(r"\(0020,000d\) UI \[([\d.]+)[^\]]*\]", run.stdout + run.stderr)[-1] == "1.2.3"
