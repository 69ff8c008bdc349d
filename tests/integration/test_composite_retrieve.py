"""Composite Instance Root retrieval and retrieval without bulk data, by pynetdicom (PS3.4 annexes Y and Z)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from data import CT, make_instance, pydicom_files
from pydicom import Dataset, dcmread
from pydicom.filewriter import dcmwrite
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
    SecondaryCaptureImageStorage,
    TwelveLeadECGWaveformStorage,
)
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import CompositeInstanceRetrieveWithoutBulkDataGet as WITHOUT_BULK
from pynetdicom.sop_class import CompositeInstanceRootRetrieveGet as ROOT_GET
from pynetdicom.sop_class import CompositeInstanceRootRetrieveMove as ROOT_MOVE
from receiving import Receiver, free_port
from retrieving import Responses, address, counts, data_set, keys
from serving import Serving

LONG = make_instance("1.2.3.4.1", frames=5, rows=6, columns=7)
SINGLE = make_instance("1.2.3.4.2")
RLE = next(path for path in pydicom_files() if path.name == "SC_rgb_rle_2frame.dcm").read_bytes()
RLE_UID = str(dcmread(BytesIO(RLE), stop_before_pixels=True).SOPInstanceUID)
PORT = 0


def ecg() -> bytes:
    source = next(path for path in pydicom_files() if path.name == "waveform_ecg.dcm")
    ds = dcmread(source)
    ds.add_new(0x60000010, "US", 2)
    ds.add_new(0x60003000, "OW", bytes(2))
    out = BytesIO()
    dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue()


ECG = ecg()
ECG_UID = str(dcmread(BytesIO(ECG), stop_before_pixels=True).SOPInstanceUID)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    global PORT
    PORT = free_port()
    folder = tmp_path_factory.mktemp("composite")
    config = folder / "voxcast.toml"
    config.write_text(
        f'[peers.dest]\naet = "DEST"\nhost = "127.0.0.1"\nport = {PORT}\n[peers.caller]\naet = "GETTER"\n'
    )
    with Serving(folder / "archive", "--config", str(config), dicom="127.0.0.1:0") as running:
        assert running.store(LONG, SINGLE, RLE, ECG).status_code == 200
        yield running


def get(
    server: Serving, identifier: Dataset, model: str = ROOT_GET, syntaxes: Sequence[str] = (ExplicitVRLittleEndian,)
) -> tuple[list[Dataset], Responses]:
    """The instances that came, as pydicom reads them, and the responses."""
    got: list[Dataset] = []

    def take(event: Any) -> int:
        ds = event.dataset
        ds.file_meta = event.file_meta
        assert ds.SOPInstanceUID == event.request.AffectedSOPInstanceUID
        got.append(ds)
        return 0

    ae = AE("GETTER")
    ae.add_requested_context(model, ExplicitVRLittleEndian)
    roles = []
    for one in (CT, SecondaryCaptureImageStorage, TwelveLeadECGWaveformStorage):
        ae.add_requested_context(one, list(syntaxes))
        roles.append(build_role(one, scp_role=True))
    assoc = ae.associate(*address(server), ae_title="VOXCAST", ext_neg=roles, evt_handlers=[(evt.EVT_C_STORE, take)])
    assert assoc.is_established
    try:
        return got, list(assoc.send_c_get(identifier, model, msg_id=7))
    finally:
        assoc.release()


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ({"SimpleFrameList": [2, 5]}, [2, 5]),
        ({"SimpleFrameList": 3}, [3]),
        ({"CalculatedFrameList": [1, 0xFFFFFFFF, 2]}, [1, 3, 5]),
    ],
)
def test_frames_come_as_an_instance_of_their_own(server: Serving, asked: dict[str, object], numbers: list[int]) -> None:
    [made], responses = get(server, keys("FRAME", SOPInstanceUID="1.2.3.4.1", **asked))
    assert (responses[-1][0].Status, counts(responses[-1][0])) == (0, (1, 0, 0))
    source = dcmread(BytesIO(LONG))
    expected = source.pixel_array[[number - 1 for number in numbers]]
    assert np.array_equal(made.pixel_array.reshape(expected.shape), expected)
    assert (made.SOPClassUID, int(made.NumberOfFrames)) == (CT, len(numbers))
    assert made.SOPInstanceUID != "1.2.3.4.1"
    assert made.StudyInstanceUID == source.StudyInstanceUID
    item = made.FrameExtractionSequence[0]
    assert item.MultiFrameSourceSOPInstanceUID == "1.2.3.4.1"
    assert [keyword for keyword in asked if keyword in item] == list(asked)
    assert server.get(f"/dicom-web/instances?SOPInstanceUID={made.SOPInstanceUID}").status_code == 204, "it is not kept"


@pytest.mark.parametrize("syntax", [RLELossless, ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_compressed_frames_as_the_receiver_takes_them(server: Serving, syntax: str) -> None:
    [made], _ = get(server, keys("FRAME", SOPInstanceUID=RLE_UID, SimpleFrameList=[2]), syntaxes=(syntax,))
    assert made.file_meta.TransferSyntaxUID == syntax
    assert np.array_equal(made.pixel_array, dcmread(BytesIO(RLE)).pixel_array[1])


def test_whole_instances_come_as_they_are_stored(server: Serving) -> None:
    got, responses = get(server, keys("IMAGE", SOPInstanceUID=["1.2.3.4.1", "1.2.3.4.2", "1.9"]))
    assert sorted(one.SOPInstanceUID for one in got) == ["1.2.3.4.1", "1.2.3.4.2"]
    assert (responses[-1][0].Status, counts(responses[-1][0])) == (0, (2, 0, 0))


def test_values_of_another_vr_are_an_invalid_request(server: Serving) -> None:
    for vr, value in (("FD", float("nan")), ("FD", float("inf")), ("UV", 1 << 40), ("LO", "one"), ("SQ", [Dataset()])):
        identifier = keys("FRAME", SOPInstanceUID="1.2.3.4.1")
        identifier.add_new(0x00081161, vr, value)
        _, responses = get(server, identifier)
        assert [one.Status for one, _ in responses] == [0xAA04]


@pytest.mark.parametrize(
    ("level", "asked", "status"),
    [
        ("FRAME", {"SOPInstanceUID": "1.2.3.4.1", "SimpleFrameList": [6, 7]}, 0xAA00),
        ("FRAME", {"SOPInstanceUID": "1.9.9", "SimpleFrameList": [1]}, 0xAA00),
        ("FRAME", {"SOPInstanceUID": "1.2.3.4.2", "SimpleFrameList": [1]}, 0xAA01),
        ("FRAME", {"SOPInstanceUID": "1.2.3.4.1", "TimeRange": [0.0, 1.0]}, 0xAA03),
        ("FRAME", {"SOPInstanceUID": "1.2.3.4.1", "SimpleFrameList": [2, 1]}, 0xAA04),
        ("FRAME", {"SOPInstanceUID": "1.2.3.4.1"}, 0xAA04),
        ("FRAME", {"SOPInstanceUID": "1.2.3.4.1", "SimpleFrameList": [1], "CalculatedFrameList": [1, 1, 1]}, 0xAA04),
        ("FRAME", {"SOPInstanceUID": ["1.2.3.4.1", "1.2.3.4.2"], "SimpleFrameList": [1]}, 0xAA04),
        ("FRAME", {"SimpleFrameList": [1]}, 0xA900),
        ("STUDY", {"StudyInstanceUID": "1.2.3"}, 0xA900),
        ("IMAGE", {}, 0xA900),
    ],
)
def test_what_is_refused(server: Serving, level: str, asked: dict[str, object], status: int) -> None:
    got, responses = get(server, keys(level, **asked))
    assert got == []
    assert [one.Status for one, _ in responses] == [status]


def move(server: Serving, identifier: Dataset, destination: str = "DEST") -> Responses:
    ae = AE("MOVER")
    ae.add_requested_context(ROOT_MOVE)
    assoc = ae.associate(*address(server), ae_title="VOXCAST")
    assert assoc.is_established
    try:
        return list(assoc.send_c_move(identifier, destination, ROOT_MOVE, msg_id=7))
    finally:
        assoc.release()


def test_frames_and_instances_go_to_a_destination(server: Serving) -> None:
    with Receiver([ExplicitVRLittleEndian], port=PORT) as receiver:
        responses = move(server, keys("FRAME", SOPInstanceUID="1.2.3.4.1", SimpleFrameList=[4]))
        assert (responses[-1][0].Status, counts(responses[-1][0])) == (0, (1, 0, 0))
        responses = move(server, keys("IMAGE", SOPInstanceUID="1.2.3.4.2"))
        assert responses[-1][0].Status == 0
    (uid, made), (other, stored) = receiver.taken
    assert uid not in ("1.2.3.4.1", "1.2.3.4.2")
    pixels = dcmread(BytesIO(LONG)).pixel_array[3].tobytes()
    assert made.endswith(pixels)
    assert len(made) < len(data_set(LONG))
    assert (other, stored) == ("1.2.3.4.2", data_set(SINGLE))


def test_what_a_destination_does_not_take_waits_nowhere(server: Serving) -> None:
    """It is in no archive: there would be nothing to send."""
    [*_, (final, _)] = move(server, keys("FRAME", SOPInstanceUID="1.2.3.4.1", SimpleFrameList=[4]))
    assert (final.Status, counts(final)) == (0xA702, (0, 1, 0))
    assert server.get("/api/outbox").json()["entries"] == []
    [(final, _)] = move(server, keys("IMAGE", SOPInstanceUID="1.2.3.4.2"), "NOBODY")
    assert final.Status == 0xA801


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_without_bulk_data(server: Serving, syntax: str) -> None:
    asked = keys("IMAGE", SOPInstanceUID=["1.2.3.4.1", ECG_UID, RLE_UID])
    got, responses = get(server, asked, WITHOUT_BULK, (syntax,))
    assert (responses[-1][0].Status, counts(responses[-1][0])) == (0, (3, 0, 0))
    made = {str(one.SOPInstanceUID): one for one in got}
    for content in (LONG, ECG, RLE):
        expected = dcmread(BytesIO(content))
        for tag in (0x7FE00010, 0x60003000):
            if tag in expected:
                del expected[tag]
        for item in expected.get("WaveformSequence", ()):
            del item.WaveformData
        got_one = made[str(expected.SOPInstanceUID)]
        if syntax == ImplicitVRLittleEndian:  # nobody knows the VR of a private attribute there
            got_one.remove_private_tags()
            expected.remove_private_tags()
        assert got_one.to_json_dict() == expected.to_json_dict()


@pytest.mark.parametrize("level", ["FRAME", "STUDY", "PATIENT"])
def test_levels_without_bulk_data(server: Serving, level: str) -> None:
    got, responses = get(server, keys(level, SOPInstanceUID="1.2.3.4.1"), WITHOUT_BULK)
    assert (got, [one.Status for one, _ in responses]) == ([], [0xA900])
