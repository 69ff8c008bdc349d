"""DCMTK's dcmqrscp beside us: we send to it, it moves to us, and DCMTK's movescu moves from us to it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest
from data import make_instance, pydicom_files
from pydicom import FileDataset, dcmread
from receiving import DcmQrScp, free_port, needs_dcmqrscp, wait_until
from retrieving import address, data_set
from serving import Serving

pytestmark = [needs_dcmqrscp, pytest.mark.peer]

MR = next(path for path in pydicom_files() if path.name == "MR_small.dcm").read_bytes()
STORED = {
    uid: make_instance(uid, study=uid.rsplit(".", 2)[0], series=uid.rsplit(".", 1)[0], number=n, rows=64, columns=64)
    for n, uid in enumerate(("1.2.1.1.1", "1.2.1.1.2", "1.2.1.2.1", "1.2.2.1.1"))
}


@dataclass(frozen=True, slots=True)
class Both:
    server: Serving
    there: DcmQrScp
    config: Path


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder, port = tmp_path_factory.mktemp("qrscp"), free_port()
    config = folder / "voxcast.toml"
    config.write_text(f'[peers.there]\naet = "QRSCP"\nhost = "127.0.0.1"\nport = {port}\n')
    with Serving(folder / "archive", "--config", str(config), dicom="127.0.0.1:0") as server:
        assert server.store(*STORED.values()).status_code == 200
        with DcmQrScp(folder / "there", {"VOXCAST": address(server)}, port) as there:
            yield Both(server, there, config)


def header(content: bytes) -> FileDataset:
    return dcmread(BytesIO(content))


def run(*command: object) -> str:
    ended = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def held(there: DcmQrScp) -> dict[str, bytes]:
    return {str(dcmread(path, stop_before_pixels=True).SOPInstanceUID): path.read_bytes() for path in there.files()}


def test_movescu_moves_from_us_to_it(both: Both) -> None:
    host, port = address(both.server)
    query = ("-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=1.2.1")
    run("movescu", "-v", "-S", "-aec", "VOXCAST", "-aem", "QRSCP", *query, host, port)
    got = held(both.there)
    assert sorted(uid for uid in got if uid.startswith("1.2.1.")) == ["1.2.1.1.1", "1.2.1.1.2", "1.2.1.2.1"]
    for uid in ("1.2.1.1.1", "1.2.1.1.2", "1.2.1.2.1"):
        stored, came = header(STORED[uid]), header(got[uid])
        assert came.to_json_dict() == stored.to_json_dict()


def test_voxcast_send_stores_to_it(both: Both) -> None:
    command = (sys.executable, "-P", "-m", "engine.cli", "send", "there", "1.2.2", "--archive", both.server.archive)
    run(*command, "--config", both.config)
    assert header(held(both.there)["1.2.2.1.1"]).pixel_array.tobytes() == data_set(STORED["1.2.2.1.1"])[-8192:]


def test_it_moves_to_us(both: Both, tmp_path: Path) -> None:
    (tmp_path / "one.dcm").write_bytes(MR)
    there = ("127.0.0.1", both.there.port)
    run("storescu", "-aec", "QRSCP", *there, tmp_path / "one.dcm")
    ds = header(MR)
    query = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={ds.StudyInstanceUID}")
    run("movescu", "-v", "-S", "-aec", "QRSCP", "-aem", "VOXCAST", *query, *there)
    at = f"/dicom-web/studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"
    wait_until(lambda: both.server.get(at + "/metadata").status_code == 200, "the instance that was moved to us")
    came = header(both.server.get(at, "application/dicom; transfer-syntax=*").content)
    assert came.SOPInstanceUID == ds.SOPInstanceUID
    assert came.pixel_array.tobytes() == ds.pixel_array.tobytes()
