"""What the archive knows of a series, asked of a real server: from two doors, in two transfer syntaxes, one of which loses."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pydicom
from pictures import part10
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit
from serving import Serving
from viewing import CT_SERIES, STUDY, ct_slice

PATH = f"/api/studies/{STUDY}/series/{CT_SERIES}"


def _lossy() -> bytes:
    ds = dcmread(Path(pydicom.__file__).parent / "data" / "test_files" / "SC_rgb_jpeg_dcmtk.dcm")
    assert ds.file_meta.TransferSyntaxUID == JPEGBaseline8Bit
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = STUDY, CT_SERIES, f"{CT_SERIES}.90"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    buffer = io.BytesIO()
    ds.save_as(buffer)
    return buffer.getvalue()


def test_the_account_of_a_series(tmp_path: Path) -> None:
    before = time.time()
    sent = [part10(ct_slice(n)) for n in range(3)]
    imported = tmp_path / "in" / "odd.dcm"
    imported.parent.mkdir()
    # Without its preamble and prefix: kept as it is, and odd.
    imported.write_bytes(_lossy()[132:])
    with Serving(tmp_path / "archive") as server:
        assert server.store(*sent).status_code == 200
        command = [sys.executable, "-P", "-m", "engine.cli", "import", str(imported), "--archive", str(server.archive)]
        assert subprocess.run(command, capture_output=True, timeout=60).returncode == 0
        answer = server.get(PATH)
        assert answer.headers["Cache-Control"] == "private, no-store"
        account = answer.json()
        assert server.get(f"/api/studies/{STUDY}/series/1.2.3.4.5").status_code == 404
        named = set(server.get("/api/openapi.json").json()["components"]["schemas"]["SeriesAccount"]["required"])
    assert set(account) == named
    assert (account["instances"], account["isWhole"], account["replacing"]) == (4, True, 0)
    assert account["bytes"] == sum(map(len, sent)) + imported.stat().st_size
    assert account["transferSyntaxes"] == [
        {"uid": ExplicitVRLittleEndian, "name": ExplicitVRLittleEndian.name, "isLossless": True, "instances": 3},
        {"uid": JPEGBaseline8Bit, "name": "JPEG Baseline (Process 1)", "isLossless": False, "instances": 1},
    ]
    assert [(one["door"], one["instances"]) for one in account["sources"]] == [("stow", 3), ("import", 1)]
    assert account["sources"][0]["peer"] == "127.0.0.1"
    assert {one["code"]: one["instances"] for one in account["defects"]}["no-preamble"] == 1
    assert sum(one["instances"] for one in account["sopClasses"]) == 4
    first, last = (datetime.fromisoformat(account[name]).timestamp() for name in ("firstReceived", "lastReceived"))
    assert before - 1 <= first <= last <= time.time() + 1
    # Nothing of the patient.
    assert "Nightingale" not in answer.text
