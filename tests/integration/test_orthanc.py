"""Orthanc beside us: it asks us, finds and moves from us, and stores to us; what comes is what was stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pytest
from data import CT, make_instance, pydicom_files
from pydicom import Dataset, dcmread
from receiving import Orthanc, free_port, needs_orthanc, wait_until
from retrieving import address, data_set
from serving import Serving

pytestmark = [needs_orthanc, pytest.mark.peer]

JPEG2000 = next(path for path in pydicom_files() if path.name == "MR_small_jp2klossless.dcm").read_bytes()
STORED = {
    uid: make_instance(uid, study="1.2.1", series=uid.rsplit(".", 1)[0], number=n, patient="DOE^JANE", patient_id="P1")
    for n, uid in enumerate(("1.2.1.1.1", "1.2.1.1.2", "1.2.1.2.1"))
}


@dataclass(frozen=True, slots=True)
class Both:
    server: Serving
    orthanc: Orthanc


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder, port = tmp_path_factory.mktemp("orthanc"), free_port()
    config = folder / "voxcast.toml"
    config.write_text(f'[peers.orthanc]\naet = "ORTHANC"\nhost = "127.0.0.1"\nport = {port}\n')
    with Serving(folder / "archive", "--config", str(config), dicom="127.0.0.1:0") as server:
        assert server.store(*STORED.values(), JPEG2000).status_code == 200
        with Orthanc(folder / "there", {"us": ("VOXCAST", *address(server))}, port) as orthanc:
            yield Both(server, orthanc)


def header(content: bytes) -> Dataset:
    return dcmread(BytesIO(content))


def test_it_asks_whether_we_are_there(both: Both) -> None:
    both.orthanc.post("/modalities/us/echo", {})


@pytest.mark.parametrize(
    ("level", "query", "expected"),
    [
        ("Study", {"PatientID": "P1"}, sorted(STORED)),
        ("Series", {"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "1.2.1.2"}, ["1.2.1.2.1"]),
        ("Study", {"PatientName": "DOE*"}, sorted(STORED)),
        (
            "Instance",
            {"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "1.2.1.1", "SOPInstanceUID": "1.2.1.1.2"},
            ["1.2.1.1.2"],
        ),
    ],
)
def test_it_finds_and_moves_to_itself(both: Both, level: str, query: dict[str, str], expected: list[str]) -> None:
    both.orthanc.delete_all()
    found = both.orthanc.post("/modalities/us/query", {"Level": level, "Query": query})
    assert len(both.orthanc.get(f"/queries/{found['ID']}/answers").json()) == 1
    both.orthanc.post(f"/queries/{found['ID']}/retrieve", {"TargetAet": "ORTHANC", "Synchronous": True})
    files = both.orthanc.files()
    assert sorted(files) == expected
    for uid, content in files.items():
        assert header(content).to_json_dict() == header(STORED[uid]).to_json_dict()


def test_what_is_compressed_comes_as_it_is_stored(both: Both) -> None:
    ds = header(JPEG2000)
    found = both.orthanc.post(
        "/modalities/us/query", {"Level": "Study", "Query": {"StudyInstanceUID": ds.StudyInstanceUID}}
    )
    both.orthanc.post(f"/queries/{found['ID']}/retrieve", {"TargetAet": "ORTHANC", "Synchronous": True})
    got = header(both.orthanc.files()[ds.SOPInstanceUID])
    assert got.file_meta.TransferSyntaxUID == ds.file_meta.TransferSyntaxUID
    assert got.PixelData == ds.PixelData


def test_it_stores_to_us(both: Both) -> None:
    content = make_instance("1.2.7.1.1", study="1.2.7", series="1.2.7.1", rows=300, columns=300)
    kept = both.orthanc.post("/instances", content)
    said = both.orthanc.post("/modalities/us/store", {"Resources": [kept["ID"]], "Synchronous": True})
    assert (said["InstancesCount"], said["FailedInstancesCount"]) == (1, 0)
    answer = both.server.get(
        "/dicom-web/studies/1.2.7/series/1.2.7.1/instances/1.2.7.1.1", "application/dicom; transfer-syntax=*"
    )
    assert answer.content.endswith(data_set(content))


def test_it_is_promised_what_it_has_stored(both: Both) -> None:
    """Storage commitment by it, reported back over an association of ours."""
    reference = {"SOPClassUID": CT, "SOPInstanceUID": "1.2.1.1.1"}
    missing = {"SOPClassUID": CT, "SOPInstanceUID": "1.2.9.9.9"}
    asked = both.orthanc.post("/modalities/us/storage-commitment", {"DicomInstances": [reference, missing]})

    def report() -> dict[str, Any]:
        return dict(both.orthanc.get(asked["Path"]).json())

    wait_until(lambda: report()["Status"] != "Pending", "the report of the storage commitment")
    said = report()
    assert said["Status"] == "Failure"
    assert [one["SOPInstanceUID"] for one in said["Success"]] == ["1.2.1.1.1"]
    assert [one["SOPInstanceUID"] for one in said["Failures"]] == ["1.2.9.9.9"]
