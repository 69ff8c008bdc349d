"""C-GET by pynetdicom and by DCMTK's getscu: levels, lists, transfer syntaxes, counts, failures, cancel (PS3.4 C.4.3)."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from data import CT, make_instance, pydicom_files
from pydicom import Dataset, dcmread
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    MRImageStorage,
    UltrasoundImageStorage,
)
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelGet as PATIENT_ROOT,
)
from pynetdicom.sop_class import (
    PatientStudyOnlyQueryRetrieveInformationModelGet as PATIENT_STUDY,
)
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelGet as STUDY_ROOT,
)
from retrieving import Responses, address, counts, data_set, keys
from serving import Serving

JANE = {"patient": "DOE^JANE", "patient_id": "P1"}
STORED = {
    uid: make_instance(uid, study=uid.rsplit(".", 2)[0], series=uid.rsplit(".", 1)[0], number=n, **JANE)
    for n, uid in enumerate(("1.2.1.1.1", "1.2.1.1.2", "1.2.1.1.3", "1.2.1.2.1", "1.2.2.1.1"))
}
STORED["1.2.3.1.1"] = make_instance("1.2.3.1.1", study="1.2.3", series="1.2.3.1", patient_id="P2")
COMPRESSED = next(path for path in pydicom_files() if path.name == "MR_small_jp2klossless.dcm").read_bytes()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive"), dicom="127.0.0.1:0") as running:
        assert running.store(*STORED.values(), COMPRESSED).status_code == 200
        yield running


def get(
    server: Serving,
    identifier: Dataset,
    model: str = STUDY_ROOT,
    *,
    classes: Sequence[str] = (CT, MRImageStorage),
    syntaxes: Sequence[str] = (ExplicitVRLittleEndian,),
    answers: dict[str, int] | None = None,
    cancel_at: int = 0,
) -> tuple[dict[str, tuple[str, bytes]], Responses]:
    """Transfer syntax and data set of each instance that came, and every response."""
    got: dict[str, tuple[str, bytes]] = {}

    def take(event: Any) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        assert uid not in got
        got[uid] = str(event.context.transfer_syntax), event.request.DataSet.getvalue()
        if cancel_at and len(got) == cancel_at:
            assoc.send_c_cancel(7, None, query_model=model)
        return (answers or {}).get(uid, 0)

    ae = AE("GETTER")
    ae.add_requested_context(model)
    roles = []
    for one in classes:
        ae.add_requested_context(one, list(syntaxes))
        roles.append(build_role(one, scp_role=True))
    assoc = ae.associate(*address(server), ae_title="VOXCAST", ext_neg=roles, evt_handlers=[(evt.EVT_C_STORE, take)])
    assert assoc.is_established
    try:
        responses = list(assoc.send_c_get(identifier, model, msg_id=7))
    finally:
        assoc.release()
    return got, responses


@pytest.mark.parametrize(
    ("model", "level", "asked", "expected"),
    [
        (PATIENT_ROOT, "PATIENT", {"PatientID": "P1"}, [uid for uid in STORED if uid != "1.2.3.1.1"]),
        (PATIENT_ROOT, "STUDY", {"PatientID": "P1", "StudyInstanceUID": "1.2.2"}, ["1.2.2.1.1"]),
        (PATIENT_ROOT, "STUDY", {"PatientID": "P2", "StudyInstanceUID": "1.2.2"}, []),
        (PATIENT_ROOT, "SERIES", {"PatientID": "P2", "SeriesInstanceUID": "1.2.2.1"}, []),
        (PATIENT_ROOT, "IMAGE", {"PatientID": "P2", "SOPInstanceUID": "1.2.2.1.1"}, []),
        (STUDY_ROOT, "STUDY", {"StudyInstanceUID": "1.2.1"}, [u for u in STORED if u.startswith("1.2.1.")]),
        (STUDY_ROOT, "STUDY", {"StudyInstanceUID": ["1.2.3", "1.2.2"]}, ["1.2.3.1.1", "1.2.2.1.1"]),
        (STUDY_ROOT, "SERIES", {"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "1.2.1.2"}, ["1.2.1.2.1"]),
        (STUDY_ROOT, "SERIES", {"SeriesInstanceUID": ["1.2.1.2", "1.2.3.1"]}, ["1.2.3.1.1", "1.2.1.2.1"]),
        (STUDY_ROOT, "SERIES", {"StudyInstanceUID": "1.2.2", "SeriesInstanceUID": "1.2.1.2"}, []),
        (
            STUDY_ROOT,
            "IMAGE",
            {
                "StudyInstanceUID": "1.2.1",
                "SeriesInstanceUID": "1.2.1.1",
                "SOPInstanceUID": ["1.2.1.1.3", "1.2.1.1.1", "1.2.1.1.3", "1.2.9"],
            },
            ["1.2.1.1.1", "1.2.1.1.3"],
        ),
        (STUDY_ROOT, "IMAGE", {"SOPInstanceUID": ["1.2.1.1.1", "1.2.3.1.1"]}, ["1.2.1.1.1", "1.2.3.1.1"]),
        (PATIENT_STUDY, "STUDY", {"StudyInstanceUID": "1.2.2"}, ["1.2.2.1.1"]),
        (STUDY_ROOT, "STUDY", {"StudyInstanceUID": "1.2.9"}, []),
    ],
)
def test_what_is_named_comes_as_it_is_stored(
    server: Serving, model: str, level: str, asked: dict[str, object], expected: list[str]
) -> None:
    got, responses = get(server, keys(level, **asked), model)
    assert sorted(got) == sorted(expected)
    assert got == {uid: (ExplicitVRLittleEndian, data_set(STORED[uid])) for uid in got}
    *pending, (final, identifier) = responses
    assert (final.Status, identifier, counts(final)) == (0, None, (len(expected), 0, 0))
    assert "NumberOfRemainingSuboperations" not in final
    assert len(pending) <= len(expected)
    for status, nothing in pending:
        assert (status.Status, nothing) == (0xFF00, None)
        assert sum(counts(status)) + status.NumberOfRemainingSuboperations == len(expected)


@pytest.mark.parametrize(
    ("model", "identifier", "status"),
    [
        (STUDY_ROOT, keys("PATIENT", PatientID="P1"), 0xA900),
        (STUDY_ROOT, keys("STUDY", PatientID="P1"), 0xA900),
        (STUDY_ROOT, keys("IMAGE", StudyInstanceUID="1.2.1"), 0xA900),
        (PATIENT_STUDY, keys("SERIES", SeriesInstanceUID="1.2.1.1"), 0xA900),
        (PATIENT_ROOT, keys("PATIENT", PatientID="*"), 0xC000),
        (PATIENT_ROOT, keys("PATIENT", PatientID=["P1", "P2"]), 0xC000),
    ],
)
def test_what_is_refused(server: Serving, model: str, identifier: Dataset, status: int) -> None:
    got, responses = get(server, identifier, model)
    assert got == {}
    assert [one.Status for one, _ in responses] == [status]


def test_a_receivers_refusals_and_warnings(server: Serving) -> None:
    got, responses = get(
        server,
        keys("SERIES", SeriesInstanceUID="1.2.1.1"),
        answers={"1.2.1.1.1": 0xA700, "1.2.1.1.2": 0xB007},
    )
    assert len(got) == 3
    final, identifier = responses[-1]
    assert (final.Status, counts(final)) == (0xB000, (1, 1, 1))
    assert identifier is not None
    assert identifier.FailedSOPInstanceUIDList == "1.2.1.1.1"


def test_all_have_failed(server: Serving) -> None:
    asked = keys("IMAGE", SOPInstanceUID=["1.2.1.1.1", "1.2.1.1.2"])
    _, responses = get(server, asked, answers={"1.2.1.1.1": 0xC000, "1.2.1.1.2": 0x0122})
    final, identifier = responses[-1]
    assert (final.Status, counts(final)) == (0xA702, (0, 2, 0))
    assert identifier is not None
    assert sorted(identifier.FailedSOPInstanceUIDList) == ["1.2.1.1.1", "1.2.1.1.2"]


def test_a_class_without_a_context(server: Serving) -> None:
    got, responses = get(server, keys("IMAGE", SOPInstanceUID="1.2.1.1.1"), classes=(UltrasoundImageStorage,))
    final, identifier = responses[-1]
    assert got == {}
    assert (final.Status, counts(final)) == (0xA702, (0, 1, 0))
    assert identifier is not None
    assert identifier.FailedSOPInstanceUIDList == "1.2.1.1.1"


def compressed_uid() -> str:
    return str(dcmread(BytesIO(COMPRESSED), stop_before_pixels=True).SOPInstanceUID)


@pytest.mark.parametrize(
    "syntaxes",
    [
        (JPEG2000Lossless, ImplicitVRLittleEndian),
        (ExplicitVRLittleEndian,),
        (ImplicitVRLittleEndian,),
        (JPEGLosslessSV1,),
    ],
)
def test_converted_only_where_the_stored_syntax_is_not_taken(server: Serving, syntaxes: tuple[str, ...]) -> None:
    uid = compressed_uid()
    got, responses = get(server, keys("IMAGE", SOPInstanceUID=uid), syntaxes=syntaxes)
    assert (responses[-1][0].Status, counts(responses[-1][0])) == (0, (1, 0, 0))
    syntax, raw = got[uid]
    assert syntax == syntaxes[0]
    if syntax == JPEG2000Lossless:
        assert raw == data_set(COMPRESSED)
        return
    ds = dcmread(BytesIO(raw), force=True) if syntax == ImplicitVRLittleEndian else _read(raw, syntax)
    ds.ensure_file_meta()
    ds.file_meta.TransferSyntaxUID = syntax
    stored = dcmread(BytesIO(COMPRESSED))
    assert (ds.pixel_array == stored.pixel_array).all()
    assert str(ds.PatientName) == str(stored.PatientName)


def _read(raw: bytes, syntax: str) -> Dataset:
    from engine.dicom.part10 import file_meta

    return dcmread(
        BytesIO(file_meta(sop_class_uid=MRImageStorage, sop_instance_uid="1.2", transfer_syntax_uid=syntax) + raw)
    )


def test_cancel(server: Serving) -> None:
    instances = [make_instance(f"1.9.1.1.{n}", study="1.9.1", series="1.9.1.1", patient_id="C") for n in range(1, 101)]
    assert server.store(*instances).status_code == 200
    got, responses = get(server, keys("STUDY", StudyInstanceUID="1.9.1"), cancel_at=3)
    final, _ = responses[-1]
    assert final.Status == 0xFE00
    assert 3 <= len(got) < 100
    assert counts(final)[0] == len(got)
    assert final.NumberOfRemainingSuboperations == 100 - len(got)


@pytest.mark.peer
def test_getscu(server: Serving, tmp_path: Path) -> None:
    if which("getscu") is None:
        pytest.skip("DCMTK is not installed")
    host, port = address(server)
    command = ["getscu", "-v", "-S", "-B", "-aec", "VOXCAST", "-od", str(tmp_path), host, str(port)]
    query = ["-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=1.2.1"]
    run = subprocess.run([*command, *query], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    files = {str(dcmread(path).SOPInstanceUID): path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(files) == sorted(uid for uid in STORED if uid.startswith("1.2.1."))
    for uid, content in files.items():
        assert content.endswith(data_set(STORED[uid])), "DCMTK's -B writes what it has received"
