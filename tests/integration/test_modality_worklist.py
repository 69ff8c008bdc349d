"""The Modality Worklist over DICOM: DCMTK's findscu gets from us what it gets from DCMTK's wlmscpfs on the same files (PS3.4 K)."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest
from pydicom import DataElement, Dataset, dcmread
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from pynetdicom.sop_class import ModalityWorklistInformationFind as MWL
from serving import Serving
from worklists import item

from engine.archive.worklist.worklist import Worklist
from engine.dicom.dictionary import keyword_of
from engine.limits import Limits

STEP = "ScheduledProcedureStepSequence"
needs_dcmtk = pytest.mark.skipif(which("wlmscpfs") is None, reason="DCMTK is needed: apt install dcmtk")
FILES = 8
PHYSICIANS = ("HOUSE^GREGORY", "WILSON^JAMES")


def _dump(n: int) -> str:
    return f"""
(0008,0005) CS ISO_IR 100
(0008,0050) SH A{n % 3}
(0008,0090) PN REFERRER^ROY
(0008,1110) SQ
(fffe,e0dd) -
(0010,0010) PN {("DOE^JANE", "DOE^JOHN", "ROE^RICHARD", "Smith^Anna")[n % 4]}
(0010,0020) LO P{n % 4}
(0010,0030) DA 197{n % 4}0101
(0010,0040) SH F
(0010,1030) DS 70.5
(0010,21c0) US 4
(0010,2000) LO
(0020,000d) UI 1.7.{n}
(0032,1032) PN HOUSE^GREGORY
(0032,1060) LO PROCEDURE {n}
(0032,1064) SQ
(fffe,e000) -
(0008,0100) SH C{n}
(0008,0102) SH 99X
(0008,0104) LO CODE {n}
(fffe,e00d) -
(fffe,e0dd) -
(0040,1001) SH R{n % 5}
(0040,1003) SH LOW
(0040,0100) SQ
(fffe,e000) -
(0008,0060) CS {("CT", "MR")[n % 2]}
(0040,0001) AE {("CT1", "MR1", "CT2")[n % 3]}
(0040,0002) DA 2026013{n % 2}
(0040,0003) TM {8 + n:02}3000
(0040,0006) PN {PHYSICIANS[n % 2]}
(0040,0007) LO STEP {n}
(0040,0009) SH S{n}
(0040,0010) SH STATION
(0040,0020) CS SCHEDULED
(0040,0400) LT COMMENT
(fffe,e00d) -
(fffe,e0dd) -
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if which("dump2dcm") is None:
        pytest.skip("DCMTK is needed: apt install dcmtk")
    made = tmp_path_factory.mktemp("files")
    (made / "VOXCAST").mkdir()
    (made / "VOXCAST" / "lockfile").write_bytes(b"")
    for n in range(FILES):
        (made / "dump").write_text(_dump(n))
        subprocess.run(["dump2dcm", made / "dump", made / "VOXCAST" / f"{n}.wl"], check=True, capture_output=True)
    return made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Serving]:
    archive = tmp_path_factory.mktemp("archive")
    command = [sys.executable, "-P", "-m", "engine.cli", "worklist", "import", str(folder), "--archive", str(archive)]
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == 0
    with Serving(archive, dicom="127.0.0.1:0") as running:
        yield running


@pytest.fixture(scope="module")
def peer(folder: Path) -> Iterator[int]:
    """The port of a wlmscpfs on the same files."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    process = subprocess.Popen(
        ["wlmscpfs", "-s", "-csk", "-dfp", str(folder), str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait(10)


def port_of(server: Serving) -> int:
    return int(server.dicom.rpartition(":")[2])


def findscu(port: int, keys: list[str], folder: Path) -> dict[str, object]:
    """Step ID → everything in the answer but its character set."""
    folder.mkdir()
    words = [word for key in keys for word in ("-k", key)]
    command = ["findscu", "-W", "-aec", "VOXCAST", "-X", "-od", str(folder), *words, "127.0.0.1", str(port)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    found = {}
    for file in folder.glob("rsp*.dcm"):
        ds = dcmread(file, force=True)
        found[str(ds[STEP].value[0].ScheduledProcedureStepID)] = plain(ds)
    return found


def plain(ds: Dataset) -> dict[str, object]:
    def value(element: DataElement) -> object:
        return [plain(one) for one in element.value or ()] if element.VR == "SQ" else str(element.value or "")

    about_the_file = (0x00080005, 0x00080016, 0x00080018)
    return {keyword_of(int(one.tag)): value(one) for one in ds if one.tag.group != 2 and one.tag not in about_the_file}


S = f"{STEP}[0]."
RETURNED = [
    f"{S}ScheduledProcedureStepID", f"{S}ScheduledProcedureStepDescription", f"{S}ScheduledStationName",
    f"{S}ScheduledProcedureStepLocation", f"{S}PreMedication", f"{S}CommentsOnTheScheduledProcedureStep",
    "PatientBirthDate", "PatientSex", "PatientWeight", "PregnancyStatus", "MedicalAlerts", "Allergies", "StudyInstanceUID",
    "RequestingPhysician", "ReferringPhysicianName", "RequestedProcedureDescription", "RequestedProcedurePriority",
    "RequestedProcedureCodeSequence[0].CodeValue", "RequestedProcedureCodeSequence[0].CodeMeaning", "ReferencedStudySequence",
]  # fmt: skip
QUERIES = [
    [],
    [f"{S}ScheduledStationAETitle=CT1"],
    [f"{S}ScheduledStationAETitle=CT2", f"{S}ScheduledProcedureStepStartDate=20260130"],
    [f"{S}Modality=MR", f"{S}ScheduledProcedureStepStartDate=20260131-"],
    [f"{S}ScheduledProcedureStepStartDate=20260130-20260131", f"{S}ScheduledProcedureStepStartTime=120000-113000"],
    [f"{S}ScheduledProcedureStepStartDate=20260130", f"{S}ScheduledProcedureStepStartTime=090000-130000"],
    [f"{S}ScheduledPerformingPhysicianName=HOUSE*", f"{S}Modality=CT"],
    ["PatientName=DOE*"],
    ["PatientName=*J?NE"],
    ["PatientName=ROE^RICHARD"],
    ["PatientID=P2", f"{S}Modality"],
    ["AccessionNumber=A1", "RequestedProcedureID"],
    ["RequestedProcedureID=R3"],
    ["PatientID=NOBODY"],
    [f"{S}ScheduledStationAETitle", f"{S}ScheduledProcedureStepStartDate", f"{S}ScheduledProcedureStepStartTime", f"{S}Modality"],
]  # fmt: skip


@needs_dcmtk
@pytest.mark.parametrize("number", range(len(QUERIES)))
def test_the_answers_are_those_of_wlmscpfs(server: Serving, peer: int, tmp_path: Path, number: int) -> None:
    asked = [*QUERIES[number], *RETURNED]
    ours, theirs = findscu(port_of(server), asked, tmp_path / "ours"), findscu(peer, asked, tmp_path / "theirs")
    assert ours == theirs
    assert bool(ours) == ("PatientID=NOBODY" not in asked)
    if number == 0:
        assert len(ours) == FILES


# -- by pynetdicom


def find(
    server: Serving,
    identifier: Dataset,
    syntax: str = ImplicitVRLittleEndian,
    *,
    is_fuzzy: bool = False,
    cancel_after: int = 0,
) -> tuple[list[Dataset], int]:
    ae = AE("CT1")
    ae.add_requested_context(MWL, syntax)
    more = []
    if is_fuzzy:
        negotiation = SOPClassExtendedNegotiation()
        negotiation.sop_class_uid, negotiation.service_class_application_information = MWL, b"\1\1\1"
        more.append(negotiation)
    assoc = ae.associate("127.0.0.1", port_of(server), ae_title="VOXCAST", ext_neg=more)
    assert assoc.is_established
    if is_fuzzy:
        assert assoc.acceptor.sop_class_extended == {MWL: b"\1\1\1"}
    found, final = [], -1
    try:
        for status, ds in assoc.send_c_find(identifier, MWL, msg_id=7):
            if status.Status in (0xFF00, 0xFF01):
                assert ds is not None
                found.append(ds)
                if cancel_after and len(found) == cancel_after:
                    assoc.send_c_cancel(7, None, query_model=MWL)
            else:
                final = status.Status
    finally:
        assoc.release()
    return found, final


def keys(step: dict[str, object] | None = None, **values: object) -> Dataset:
    ds, inner = Dataset(), Dataset()
    for keyword, value in (step or {}).items():
        setattr(inner, keyword, value)
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    setattr(ds, STEP, Sequence([inner]))
    return ds


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive"), dicom="127.0.0.1:0") as running:
        animal = {
            "PatientSpeciesDescription": "CANINE",
            "PatientSpeciesCodeSequence": [
                {"CodeValue": "448771007", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Canis lupus subspecies familiaris"}
            ],
            "PatientBreedDescription": "Bull terrier",
            "PatientBreedCodeSequence": [
                {"CodeValue": "58108001", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Dog breed"}
            ],
            "ResponsiblePerson": "Müller^Jörg",
            "ResponsiblePersonRole": "OWNER",
            "ResponsibleOrganization": "Kennel",
            "PatientSexNeutered": "ALTERED",
        }  # fmt: skip
        steps = [
            item("S1", PatientName="Rex", **animal),
            item("S2", study="1.2.4", PatientName="Διονυσιος", PatientID="P2"),
            item("S3", study="1.2.5", PatientID="P3", ScheduledProcedureStepStatus="COMPLETED"),
            *(item(f"M{i}", study=f"1.3.{i}", ScheduledStationAETitle="MANY") for i in range(700)),
        ]
        assert running.session.post(running.url + "/api/worklist", json=steps).status_code == 201
        yield running


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_what_animals_have_is_carried_in_the_character_set_of_who_asks(planned: Serving, syntax: str) -> None:
    asked = keys(
        {"ScheduledProcedureStepID": ""}, SpecificCharacterSet="ISO_IR 100", PatientID="P1", StudyInstanceUID="1.2.3",
        PatientSpeciesDescription="", PatientSpeciesCodeSequence=Sequence([]), PatientBreedDescription="",
        PatientBreedCodeSequence=Sequence([Dataset()]), ResponsiblePerson="", ResponsiblePersonRole="",
        ResponsibleOrganization="", PatientSexNeutered="", PatientAge="", BreedRegistrationSequence=Sequence([]),
    )  # fmt: skip
    [ds], final = find(planned, asked, syntax)
    assert final == 0
    assert ds.SpecificCharacterSet == "ISO_IR 100"
    assert str(ds.ResponsiblePerson) == "Müller^Jörg"
    assert (ds.PatientSpeciesDescription, ds.PatientBreedDescription) == ("CANINE", "Bull terrier")
    assert ds.PatientSpeciesCodeSequence[0].CodeValue == "448771007"
    assert ds.PatientBreedCodeSequence[0].CodeMeaning == "Dog breed"
    assert (ds.ResponsiblePersonRole, ds.ResponsibleOrganization, ds.PatientSexNeutered) == (
        "OWNER",
        "Kennel",
        "ALTERED",
    )
    assert ds["PatientAge"].is_empty, "asked for, not there: empty, but returned"
    assert len(ds.BreedRegistrationSequence) == 0
    assert "PatientName" not in ds
    assert [one.keyword for one in ds[STEP].value[0]] == ["ScheduledProcedureStepID"]


def test_a_name_that_the_requestor_cannot_write_comes_in_utf_8(planned: Serving) -> None:
    [ds], _ = find(planned, keys(PatientID="P2", PatientName="", SpecificCharacterSet="ISO_IR 100"))
    assert (ds.SpecificCharacterSet, str(ds.PatientName)) == ("ISO_IR 192", "Διονυσιος")
    asked = keys(SpecificCharacterSet="ISO_IR 126", PatientName="Διον*")
    [ds], _ = find(planned, asked)
    assert (ds.SpecificCharacterSet, str(ds.PatientName)) == ("ISO_IR 126", "Διονυσιος")


def test_an_empty_sequence_asks_for_all_of_it(planned: Serving) -> None:
    asked = Dataset()
    asked.StudyInstanceUID = "1.2.4"
    setattr(asked, STEP, Sequence([]))
    [ds], _ = find(planned, asked)
    step = ds[STEP].value[0]
    assert (step.ScheduledStationAETitle, step.Modality, step.ScheduledProcedureStepStatus) == (
        "CT1",
        "CT",
        "SCHEDULED",
    )


def test_what_has_ended_comes_to_those_who_ask_for_it(planned: Serving) -> None:
    assert find(planned, keys(PatientID="P3")) == ([], 0)
    [ds], _ = find(planned, keys({"ScheduledProcedureStepStatus": "COMPLETED"}, PatientID="P3"))
    assert ds[STEP].value[0].ScheduledProcedureStepStatus == "COMPLETED"
    assert find(planned, keys({"ScheduledProcedureStepStatus": "STARTED"})) == ([], 0)


def test_more_than_a_page_and_a_cancel(planned: Serving) -> None:
    asked = keys({"ScheduledStationAETitle": "MANY", "ScheduledProcedureStepID": ""})
    found, final = find(planned, asked)
    assert final == 0
    assert sorted(ds[STEP].value[0].ScheduledProcedureStepID for ds in found) == sorted(f"M{i}" for i in range(700))
    found, final = find(planned, asked, cancel_after=3)
    assert final == 0xFE00
    assert 3 <= len(found) < 700


def test_fuzzy_names_where_that_was_agreed(planned: Serving) -> None:
    asked = keys(PatientName="dion", PatientID="P2")
    assert find(planned, asked) == ([], 0)
    asked = keys(PatientName="διο", PatientID="P2", SpecificCharacterSet="ISO_IR 192")
    assert len(find(planned, asked, is_fuzzy=True)[0]) == 1


def test_a_number_that_is_none_does_not_hide_the_step(planned: Serving) -> None:
    """Files from elsewhere hold such things; what cannot be said again is left out of the answer, the rest comes."""
    beside = Worklist(planned.archive, Limits(), True)
    odd = item("ODD", study="1.2.6", PatientID="ODD", PatientComments="x")
    beside.take({**odd, "00101030": {"vr": "DS", "Value": ["heavy"]}}, "import")
    beside.close()
    [ds], final = find(planned, keys(PatientID="ODD", PatientWeight="", PatientComments=""))
    assert final == 0
    assert (ds["PatientWeight"].is_empty, ds.PatientComments) == (True, "x")


def test_keys_of_query_retrieve_are_passed_over_and_nonsense_is_refused(planned: Serving) -> None:
    found, final = find(planned, keys(PatientID="P2", QueryRetrieveLevel="WORKLIST", RetrieveAETitle="X"))
    assert (len(found), final) == (1, 0)
    for wrong in (
        keys({"ScheduledProcedureStepStartDate": "20269999X"}),
        keys(PatientID="P1", ReferencedStudySequence=Sequence([Dataset(), Dataset()])),
    ):
        assert find(planned, wrong) == ([], 0xC000)
    assert find(planned, keys(PatientID="P2"))[1] == 0, "the server goes on"
