"""MPPS by pynetdicom's SCU: states and statuses of PS3.4 F.7, images against what was announced, nothing lost by kill -9."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from data import make_instance
from pydicom import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom import AE, Association, evt
from pynetdicom.sop_class import ModalityPerformedProcedureStep as MPPS
from pynetdicom.sop_class import ModalityPerformedProcedureStepRetrieve as RETRIEVE
from pynetdicom.sop_class import ModalityWorklistInformationFind as MWL
from requesting import settled
from serving import Serving
from worklists import attributes, created, ended, item

from engine.dicom.scheduled_step import identity


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive"), dicom="127.0.0.1:0") as running:
        yield running


def associate(server: Serving, syntax: str = ExplicitVRLittleEndian) -> Association:
    ae = AE("CT1")
    for model in (MPPS, RETRIEVE, MWL):
        ae.add_requested_context(model, syntax)
    assoc = ae.associate("127.0.0.1", int(server.dicom.rpartition(":")[2]), ae_title="VOXCAST")
    assert assoc.is_established
    assert len(assoc.accepted_contexts) == 3
    return assoc


@pytest.fixture
def assoc(server: Serving) -> Iterator[Association]:
    made = associate(server)
    yield made
    made.release()


def commands(assoc: Association) -> list[Dataset]:
    """Every command set that comes from now on; pynetdicom's statuses leave out much of it."""
    told: list[Dataset] = []
    assoc.bind(evt.EVT_DIMSE_RECV, lambda event: told.append(event.message.command_set))
    return told


def data_set(json: dict[str, object], charset: str = "ISO_IR 192") -> Dataset:
    ds = Dataset.from_json(json)
    ds.SpecificCharacterSet = charset
    return ds


def create(assoc: Association, uid: str | None, json: dict[str, object], **more: str) -> Dataset:
    status, _ = settled(assoc).send_n_create(data_set(json, **more), MPPS, uid)
    return status


def change(assoc: Association, uid: str, json: dict[str, object]) -> Dataset:
    status, _ = settled(assoc).send_n_set(data_set(json), MPPS, uid)
    return status


def plan(server: Serving, step_id: str, study: str) -> str:
    answer = server.session.post(server.url + "/api/worklist", json=item(step_id, study=study))
    assert answer.status_code == 201, answer.text
    return f"/api/worklist/{identity(study, step_id)}"


def test_a_step_from_its_start_to_its_last_image(server: Serving, assoc: Association) -> None:
    path = plan(server, "S1", "1.2.3")
    assert create(assoc, "1.9.1", created("S1", "1.2.3")).Status == 0
    seen = server.get(path).json()
    assert seen["state"] == "IN PROGRESS"
    assert [(one["sopInstanceUID"], one["state"], one["peer"], one["series"]) for one in seen["performed"]] == [
        ("1.9.1", "IN PROGRESS", "CT1", [])
    ]
    assert change(assoc, "1.9.1", attributes(PerformedProcedureStepDescription="THORAX")).Status == 0
    assert change(assoc, "1.9.1", ended("1.2.3.4.1", "1.2.3.4.2", "1.2.3.4.3")).Status == 0
    assert server.store(make_instance("1.2.3.4.1"), make_instance("1.2.3.4.3")).status_code == 200
    seen = server.get(path).json()
    assert seen["state"] == "COMPLETED"
    [series] = seen["performed"][0]["series"]
    assert series == {
        "seriesInstanceUID": "1.2.3.4", "protocolName": "THORAX", "instances": 3, "stored": 2, "missing": ["1.2.3.4.2"],
    }  # fmt: skip
    assert [(one["seriesInstanceUID"], one["instances"]) for one in seen["series"]] == [("1.2.3.4", 2)]
    assert server.store(make_instance("1.2.3.4.2")).status_code == 200
    performed = server.get("/api/performed/1.9.1").json()
    assert performed["series"][0]["missing"] == []
    assert performed["steps"] == [identity("1.2.3", "S1")]
    assert performed["attributes"]["00400254"]["Value"] == ["THORAX"]
    asked = Dataset()
    asked.StudyInstanceUID = "1.2.3"
    assert [one.Status for one, _ in settled(assoc).send_c_find(asked, MWL)] == [0], "done is no more work"

    status, found = settled(assoc).send_n_get([], RETRIEVE, "1.9.1")
    assert (status.Status, found.PerformedProcedureStepStatus, found.PatientName) == (0, "COMPLETED", "DOE^JANE")
    assert found.PerformedSeriesSequence[0].ReferencedImageSequence[1].ReferencedSOPInstanceUID == "1.2.3.4.2"
    status, found = settled(assoc).send_n_get([0x00400252, 0x00400244], RETRIEVE, "1.9.1")
    assert status.Status == 0
    assert [one.keyword for one in found] == ["PerformedProcedureStepStartDate", "PerformedProcedureStepStatus"]
    status, found = settled(assoc).send_n_get([0x00400252, 0x00104000], RETRIEVE, "1.9.1")
    assert (status.Status, [one.keyword for one in found]) == (0x0001, ["PerformedProcedureStepStatus"])


def test_what_has_ended_may_no_longer_be_updated(assoc: Association) -> None:
    for uid, status in (("1.9.2", "COMPLETED"), ("1.9.3", "DISCONTINUED")):
        assert create(assoc, uid, created("", "1.4")).Status == 0
        assert change(assoc, uid, ended("1.4.1.1", status=status)).Status == 0
        answer = change(assoc, uid, attributes(PerformedProcedureStepDescription="X"))
        assert (answer.Status, answer.ErrorID) == (0x0110, 0xA710)
        assert answer.ErrorComment == "Performed Procedure Step Object may no longer be updated"


def test_statuses_of_what_is_refused(assoc: Association) -> None:
    assert create(assoc, "1.9.4", created("", "1.5")).Status == 0
    answer = create(assoc, "1.9.4", created("", "1.5"))
    assert answer.Status == 0x0111
    assert change(assoc, "1.9.404", ended("1.5.1")).Status == 0x0112
    status, _ = settled(assoc).send_n_get([], RETRIEVE, "1.9.404")
    assert status.Status == 0x0112
    told = commands(assoc)
    for wrong, status, tag in (
        ({"PatientBirthDate": ...}, 0x0120, 0x00100030),
        ({"Modality": ""}, 0x0121, 0x00080060),
        ({"PerformedProcedureStepStatus": "COMPLETED"}, 0x0106, 0x00400252),
    ):
        assert create(assoc, "1.9.5", created("", "1.5", **wrong)).Status == status
        assert told[-1].AttributeIdentifierList == tag
    assert create(assoc, "1.9.5", created("", "1.5", StudyID=...)).ErrorComment == "StudyID is missing"
    assert create(assoc, "1.09", created("", "1.5")).Status == 0x0117
    assert change(assoc, "1.9.4", attributes(PatientID="P2")).Status == 0x0105
    assert change(assoc, "1.9.4", ended("1.5.1", PerformedProcedureStepEndDate=...)).Status == 0x0121
    assert change(assoc, "1.9.4", ended("1.5.1", PerformedSeriesSequence="")).Status == 0x0121
    assert change(assoc, "1.9.4", attributes(PerformedProcedureStepStatus="LOST")).Status == 0x0106
    assert change(assoc, "1.9.4", ended("1.5.1")).Status == 0, "nothing of that has changed the step"


def test_an_instance_without_a_uid_is_given_one(server: Serving, assoc: Association) -> None:
    told = commands(assoc)
    assert create(assoc, None, created("", "1.6")).Status == 0
    uid = str(told[0].AffectedSOPInstanceUID)
    assert uid.startswith("2.25.")
    assert server.get(f"/api/performed/{uid}").json()["state"] == "IN PROGRESS"
    assert server.get("/api/performed?limit=1").json()["performed"][0]["sopInstanceUID"] == uid


@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian],
)
def test_every_transfer_syntax_and_character_set(server: Serving, syntax: str) -> None:
    assoc = associate(server, syntax)
    uid = f"1.9.7.{syntax}"
    try:
        assert create(assoc, uid, created("", "1.7", PatientName="Müller^Jörg"), charset="ISO_IR 100").Status == 0
        status, found = settled(assoc).send_n_get([0x00100010], RETRIEVE, uid)
        assert (status.Status, str(found.PatientName)) == (0, "Müller^Jörg")
    finally:
        assoc.release()


def test_a_number_that_is_none_costs_only_itself(server: Serving) -> None:
    """What a modality sends is kept as it is; what cannot be said again is left out of the answer."""
    made = associate(server, ImplicitVRLittleEndian)
    try:
        json = created("", "1.7")
        json["00101030"] = {"vr": "LO", "Value": ["heavy"]}  # in implicit VR nobody sees which
        assert create(made, "1.9.11", json).Status == 0
        status, found = settled(made).send_n_get([0x00101030, 0x00080060], RETRIEVE, "1.9.11")
        assert (status.Status, found.Modality, found["PatientWeight"].is_empty) == (0, "CT", True)
    finally:
        made.release()


def test_kill_after_success_loses_nothing(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    server = Serving(archive, dicom="127.0.0.1:0").start()
    try:
        for number in range(4):
            plan(server, f"S{number}", "1.2.3")
        assoc = associate(server)
        for number in range(4):
            assert create(assoc, f"1.9.{number}", created(f"S{number}", "1.2.3")).Status == 0
            if number % 2:
                assert change(assoc, f"1.9.{number}", ended(f"1.2.3.4.{number}")).Status == 0
    finally:
        server.kill()
    with Serving(archive, dicom="127.0.0.1:0") as server:
        steps = server.get("/api/worklist").json()["steps"]
        states = {one["attributes"]["00400100"]["Value"][0]["00400009"]["Value"][0]: one["state"] for one in steps}
        assert states == {f"S{n}": "COMPLETED" if n % 2 else "IN PROGRESS" for n in range(4)}
        assoc = associate(server)
        assert create(assoc, "1.9.0", created("S0", "1.2.3")).Status == 0x0111
        assert change(assoc, "1.9.1", ended("1.2.3.4.1")).Status == 0x0110
        assert change(assoc, "1.9.0", ended("1.2.3.4.0")).Status == 0
        assoc.release()


def test_kill_while_four_modalities_report(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    server = Serving(archive, dicom="127.0.0.1:0").start()
    said: list[tuple[str, str]] = []

    def report(modality: int) -> None:
        assoc = associate(server)
        assoc.dimse_timeout = 5
        for number in range(10_000):
            uid = f"1.9.{modality}.{number}"
            for json, state in ((created("", "1.2.3"), "IN PROGRESS"), (ended("1.2.3.4.1"), "COMPLETED")):
                if not settled(assoc).is_established:
                    return
                try:
                    answer = create(assoc, uid, json) if state == "IN PROGRESS" else change(assoc, uid, json)
                except RuntimeError:  # it was killed just now
                    return
                if "Status" not in answer:
                    return
                assert answer.Status == 0
                said.append((uid, state))

    threads = [threading.Thread(target=report, args=(modality,)) for modality in range(4)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 20
    while len(said) < 40 and time.monotonic() < deadline:
        time.sleep(0.01)
    server.kill()
    for thread in threads:
        thread.join(20)
    assert len(said) >= 40
    with Serving(archive) as server:
        found = {
            one["sopInstanceUID"]: one["state"] for one in server.get("/api/performed?limit=1000").json()["performed"]
        }
    for uid, state in dict(said).items():  # the last that was said of each
        assert found[uid] in (state, "COMPLETED")


def test_permissions_of_a_peer(tmp_path: Path) -> None:
    config = tmp_path / "v.toml"
    config.write_text(
        'unknown_callers = ["echo"]\n'
        '[peers.ct]\naet = "CT1"\npermissions = ["worklist"]\n'
        '[peers.mr]\naet = "MR1"\npermissions = ["mpps"]\n'
    )
    accepted = {}
    with Serving(tmp_path / "archive", "--config", str(config), dicom="127.0.0.1:0") as server:
        for title in ("CT1", "MR1", "XX1"):
            ae = AE(title)
            for model in (MPPS, RETRIEVE, MWL):
                ae.add_requested_context(model, ExplicitVRLittleEndian)
            made = ae.associate("127.0.0.1", int(server.dicom.rpartition(":")[2]), ae_title="VOXCAST")
            accepted[title] = {one.abstract_syntax for one in made.accepted_contexts}
            made.release()
    assert accepted == {"CT1": {MWL}, "MR1": {MPPS, RETRIEVE}, "XX1": set()}


def test_what_is_too_large_costs_its_sender_an_answer_and_nobody_else_anything(assoc: Association) -> None:
    assert create(assoc, "1.9.8", created("", "1.8")).Status == 0
    large = {"CommentsOnThePerformedProcedureStep": "x" * 17_000_000}
    assert change(assoc, "1.9.8", attributes(**large)).Status == 0x0213
    assert create(assoc, "1.9.9", created("", "1.8", **large)).Status == 0x0213
    assert change(assoc, "1.9.8", ended("1.8.1.1")).Status == 0
