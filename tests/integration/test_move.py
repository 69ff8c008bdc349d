"""C-MOVE by pynetdicom and by DCMTK: destinations, what is sent how, counts, cancel, what waits in the outbox (PS3.4 C.4.2)."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from data import make_instance, pydicom_files
from pydicom import Dataset, dcmread
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)
from pynetdicom import AE
from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelMove as PATIENT_ROOT,
)
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelMove as STUDY_ROOT,
)
from receiving import Orthanc, Receiver, Storescp, free_port, needs_orthanc, needs_storescp
from retrieving import Responses, address, counts, data_set, keys
from serving import Serving

from engine.archive.outbox import Outbox
from engine.limits import Limits

STORED = {
    uid: make_instance(uid, study="1.2.1", series=uid.rsplit(".", 1)[0], number=n)
    for n, uid in enumerate(("1.2.1.1.1", "1.2.1.1.2", "1.2.1.1.3", "1.2.1.2.1"))
}
MANY = {
    f"1.9.1.1.{n}": make_instance(f"1.9.1.1.{n}", study="1.9.1", series="1.9.1.1", patient_id="M", number=n)
    for n in range(1, 101)
}
COMPRESSED = next(path for path in pydicom_files() if path.name == "MR_small_jp2klossless.dcm").read_bytes()
COMPRESSED_UID = str(dcmread(BytesIO(COMPRESSED), stop_before_pixels=True).SOPInstanceUID)


PORTS = {"DEST": 0, "STRICT": 0, "GONE": 0}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("moving")
    config = folder / "voxcast.toml"
    lines = []
    for title in PORTS:
        PORTS[title] = free_port()
        lines += [f"[peers.{title.lower()}]", f'aet = "{title}"', 'host = "127.0.0.1"', f"port = {PORTS[title]}"]
        lines += ["transcode = false"] if title == "STRICT" else []
    config.write_text("\n".join([*lines, "[peers.caller]", 'aet = "CALLER"']))
    with Serving(folder / "archive", "--config", str(config), dicom="127.0.0.1:0") as running:
        assert running.store(*STORED.values(), *MANY.values(), COMPRESSED).status_code == 200
        yield running


def move(
    server: Serving, identifier: Dataset, destination: str = "DEST", model: str = STUDY_ROOT, *, cancel_at: int = 0
) -> Responses:
    ae = AE("MOVER")
    ae.add_requested_context(model)
    assoc = ae.associate(*address(server), ae_title="VOXCAST")
    assert assoc.is_established
    responses: Responses = []
    try:
        for status, found in assoc.send_c_move(identifier, destination, model, msg_id=7):
            responses.append((status, found))
            if cancel_at and len(responses) == cancel_at:
                assoc.send_c_cancel(7, None, query_model=model)
    finally:
        assoc.release()
    return responses


def slowly(event: Any) -> int:
    time.sleep(0.02)
    return 0


@contextmanager
def waiting_in(server: Serving) -> Iterator[Outbox]:
    outbox = Outbox.open(server.archive, Limits())
    try:
        yield outbox
    finally:
        outbox.close()


@pytest.mark.parametrize(
    ("model", "level", "asked", "expected"),
    [
        (PATIENT_ROOT, "PATIENT", {"PatientID": "P1"}, list(STORED)),
        (STUDY_ROOT, "STUDY", {"StudyInstanceUID": "1.2.1"}, list(STORED)),
        (STUDY_ROOT, "SERIES", {"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "1.2.1.2"}, ["1.2.1.2.1"]),
        (STUDY_ROOT, "IMAGE", {"SOPInstanceUID": ["1.2.1.1.3", "1.2.1.2.1"]}, ["1.2.1.1.3", "1.2.1.2.1"]),
        (STUDY_ROOT, "STUDY", {"StudyInstanceUID": "1.2.9"}, []),
    ],
)
def test_what_is_named_goes_to_the_destination_as_it_is_stored(
    server: Serving, model: str, level: str, asked: dict[str, object], expected: list[str]
) -> None:
    with Receiver([ExplicitVRLittleEndian], port=PORTS["DEST"]) as receiver:
        *pending, (final, nothing) = move(server, keys(level, **asked), model=model)
    assert sorted(receiver.uids()) == sorted(expected)
    for uid, content in receiver.taken:
        assert content == data_set(STORED[uid])
    for one in receiver.requests:
        assert (one.MoveOriginatorApplicationEntityTitle, one.MoveOriginatorMessageID) == ("MOVER", 7)
    assert receiver.associations == bool(expected)
    assert (final.Status, counts(final), nothing) == (0, (len(expected), 0, 0), None)
    for status, _ in pending:
        assert status.Status == 0xFF00
        assert sum(counts(status)) + status.NumberOfRemainingSuboperations == len(expected)


@pytest.mark.parametrize("destination", ["NOBODY", "CALLER", "VOXCAST"])
def test_a_destination_that_is_not_known(server: Serving, destination: str) -> None:
    [(final, _)] = move(server, keys("STUDY", StudyInstanceUID="1.2.1"), destination)
    assert final.Status == 0xA801


@pytest.mark.parametrize(
    ("identifier", "status"),
    [(keys("PATIENT", PatientID="P1"), 0xA900), (keys("STUDY"), 0xA900), (keys("STUDY", StudyInstanceUID="?"), 0xC000)],
)
def test_what_is_refused(server: Serving, identifier: Dataset, status: int) -> None:
    [(final, _)] = move(server, identifier)
    assert final.Status == status


@pytest.mark.parametrize("taken", [JPEG2000Lossless, ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_converted_only_where_the_stored_syntax_is_not_taken(server: Serving, taken: str) -> None:
    with Receiver([taken], port=PORTS["DEST"]) as receiver:
        responses = move(server, keys("IMAGE", SOPInstanceUID=COMPRESSED_UID))
    assert responses[-1][0].Status == 0
    [(_, content)] = receiver.taken
    assert receiver.transfer_syntaxes == [taken]
    if taken == JPEG2000Lossless:
        assert content == data_set(COMPRESSED)
    else:
        assert len(content) > len(data_set(COMPRESSED))


def test_nothing_is_converted_for_a_peer_that_wants_it_as_it_is(server: Serving) -> None:
    with Receiver([ExplicitVRLittleEndian], port=PORTS["STRICT"]) as receiver:
        final, identifier = move(server, keys("IMAGE", SOPInstanceUID=COMPRESSED_UID), "STRICT")[-1]
    assert receiver.asked == []
    assert (final.Status, counts(final)) == (0xA702, (0, 1, 0))
    assert identifier is not None
    assert identifier.FailedSOPInstanceUIDList == COMPRESSED_UID


def test_refusals_warnings_and_what_is_tried_again(server: Serving) -> None:
    statuses = {"1.2.1.1.1": 0xC000, "1.2.1.1.2": 0xB000, "1.2.1.1.3": 0xA700}
    with Receiver([ExplicitVRLittleEndian], port=PORTS["DEST"]) as receiver:
        receiver.answer = lambda event: statuses.get(str(event.request.AffectedSOPInstanceUID), 0)
        final, identifier = move(server, keys("STUDY", StudyInstanceUID="1.2.1"))[-1]
        assert len(receiver.asked) == 4
    assert (final.Status, counts(final)) == (0xB000, (1, 2, 1))
    assert identifier is not None
    assert sorted(identifier.FailedSOPInstanceUIDList) == ["1.2.1.1.1", "1.2.1.1.3"]
    with waiting_in(server) as outbox:
        [entry] = outbox.entries("dest")
        assert [one.sop_instance_uid for one in outbox.items(entry.id, 10)] == ["1.2.1.1.3"]
        assert entry.reason == "C-MOVE for MOVER"
        outbox.cancel(peer="dest")


def test_a_destination_that_cannot_be_reached_gets_it_later(server: Serving) -> None:
    final, identifier = move(server, keys("STUDY", StudyInstanceUID="1.2.1"), "GONE")[-1]
    assert (final.Status, counts(final)) == (0xA702, (0, 4, 0))
    assert "later" in final.ErrorComment
    assert identifier is not None
    assert sorted(identifier.FailedSOPInstanceUIDList) == sorted(STORED)
    with waiting_in(server) as outbox:
        [entry] = outbox.entries("gone")
        assert entry.waiting == 4
        outbox.cancel(peer="gone")


def test_a_destination_that_goes_away_in_the_middle(server: Serving) -> None:
    def answer(event: Any) -> int:
        if len(receiver.asked) == 10:
            event.assoc.abort()
        return 0 if len(receiver.asked) <= 10 else 0xA700  # the outbox may be here before the receiver is gone

    with Receiver([ExplicitVRLittleEndian], port=PORTS["DEST"]) as receiver:
        receiver.answer = answer
        final, identifier = move(server, keys("STUDY", StudyInstanceUID="1.9.1"))[-1]
    completed, failed, _ = counts(final)
    assert final.Status == 0xB000
    assert completed in (9, 10)
    assert completed + failed == 100
    assert identifier is not None
    assert len(identifier.FailedSOPInstanceUIDList) == failed
    with waiting_in(server) as outbox:
        assert sum(one.waiting for one in outbox.entries("dest")) == failed
        outbox.cancel(peer="dest")


def test_cancel(server: Serving) -> None:
    with Receiver([ExplicitVRLittleEndian], port=PORTS["DEST"]) as receiver:
        receiver.answer = slowly
        final, _ = move(server, keys("STUDY", StudyInstanceUID="1.9.1"), cancel_at=2)[-1]
        sent = len(receiver.asked)
    assert final.Status == 0xFE00
    assert 1 <= sent < 100
    assert counts(final) == (sent, 0, 0)
    assert final.NumberOfRemainingSuboperations == 100 - sent
    with waiting_in(server) as outbox:
        assert outbox.entries("dest") == []


def test_a_requestor_that_goes_away_ends_it(server: Serving) -> None:
    with Receiver([ExplicitVRLittleEndian], port=PORTS["DEST"]) as receiver:
        receiver.answer = slowly
        ae = AE("MOVER")
        ae.add_requested_context(STUDY_ROOT)
        assoc = ae.associate(*address(server), ae_title="VOXCAST")
        responses = assoc.send_c_move(keys("STUDY", StudyInstanceUID="1.9.1"), "DEST", STUDY_ROOT)
        next(responses)
        assoc.abort()
        time.sleep(0.5)
        soon = len(receiver.asked)
        time.sleep(0.5)
        assert len(receiver.asked) == soon < 100


def test_a_slow_destination_is_heard_of(server: Serving) -> None:
    """Who asks hears that something is done at all, while one instance takes its time."""
    released = threading.Event()
    with Receiver([ExplicitVRLittleEndian], port=PORTS["DEST"]) as receiver:
        receiver.answer = lambda event: 0 if released.wait(30) else 1
        ae = AE("MOVER")
        ae.add_requested_context(STUDY_ROOT)
        assoc = ae.associate(*address(server), ae_title="VOXCAST")
        responses = assoc.send_c_move(keys("IMAGE", SOPInstanceUID="1.2.1.1.1"), "DEST", STUDY_ROOT)
        for _ in range(3):
            status, _ = next(responses)
            assert (status.Status, status.NumberOfRemainingSuboperations) == (0xFF00, 1)
        released.set()
        assert [status.Status for status, _ in responses][-1] == 0
        assoc.release()


@pytest.mark.peer
@needs_storescp
def test_movescu_to_storescp(server: Serving, tmp_path: Path) -> None:
    host, port = address(server)
    receiver = Storescp(tmp_path, "-B", "+xa")
    receiver.port, receiver.aet = PORTS["DEST"], "DEST"
    with receiver:
        command = ["movescu", "-v", "-S", "-aec", "VOXCAST", "-aem", "DEST", host, str(port)]
        query = ["-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=1.9.1"]
        run = subprocess.run([*command, *query], capture_output=True, text=True, timeout=60)
        assert run.returncode == 0, run.stderr
    files = {str(dcmread(path).SOPInstanceUID): path.read_bytes() for path in receiver.files()}
    assert sorted(files) == sorted(MANY)
    for uid, content in files.items():
        assert content.endswith(data_set(MANY[uid])), "DCMTK's -B writes what it has received"


@pytest.mark.peer
@needs_orthanc
def test_to_orthanc(tmp_path: Path) -> None:
    with Orthanc(tmp_path / "orthanc") as orthanc:
        config = tmp_path / "voxcast.toml"
        config.write_text(f'[peers.orthanc]\naet = "ORTHANC"\nhost = "127.0.0.1"\nport = {orthanc.port}\n')
        with Serving(tmp_path / "archive", "--config", str(config), dicom="127.0.0.1:0") as server:
            assert server.store(*STORED.values(), COMPRESSED).status_code == 200
            for identifier in (keys("STUDY", StudyInstanceUID="1.2.1"), keys("IMAGE", SOPInstanceUID=COMPRESSED_UID)):
                assert move(server, identifier, "ORTHANC")[-1][0].Status == 0
        assert orthanc.uids() == sorted([*STORED, COMPRESSED_UID])
