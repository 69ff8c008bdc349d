"""`voxcast export --transfer-syntax`: what is written, in each form, and what is said of an instance that cannot be converted."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from data import EXPLICIT, make_instance
from pydicom.fileset import FileSet
from pydicom.pixels import pixel_array
from transcoding import ROOT, converted

RLE, JLS, J2K, J2K_LOSSY, BASELINE = (ROOT + end for end in (".5", ".4.80", ".4.90", ".4.91", ".4.50"))
SERIES, NEXT, FLOAT = "1.2.3.4", "1.2.3.5", "1.2.3.5.2"


def voxcast(*arguments: object) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("VOXCAST_")}
    command = [sys.executable, "-P", "-m", "engine.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=clean, check=False)


def floats() -> bytes:
    """An instance that only native pixels can hold."""
    ds = pydicom.dcmread(io.BytesIO(make_instance(FLOAT, series=NEXT, number=2)))
    del ds.PixelData, ds.BitsStored, ds.HighBit, ds.PixelRepresentation
    ds.BitsAllocated = 32
    ds.FloatPixelData = np.linspace(-1, 1, 16, dtype=np.float32).tobytes()
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


SOURCES = {
    f"{SERIES}.{i}": make_instance(f"{SERIES}.{i}", number=i, z=float(i), rows=32, columns=40) for i in range(1, 4)
}
SOURCES[f"{NEXT}.1"] = make_instance(f"{NEXT}.1", series=NEXT, rows=16, columns=16, frames=3)
STORED = {**SOURCES, f"{NEXT}.1": converted(SOURCES[f"{NEXT}.1"], JLS)[0], FLOAT: floats()}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    (folder / "in").mkdir()
    for uid, content in STORED.items():
        (folder / "in" / uid).write_bytes(content)
    assert voxcast("import", folder / "in", "--archive", folder / "archive").returncode == 0
    return folder / "archive"


def export(archive: Path, to: Path, *arguments: object) -> tuple[int, list[dict[str, Any]], dict[str, Any], str]:
    """Exit code, a record for each instance, the summary, stderr."""
    run = voxcast("export", *arguments, "--archive", archive, "--to", to, "--json")
    *before, last = [json.loads(line) for line in run.stdout.splitlines()]
    return run.returncode, before, last["summary"], run.stderr


def state(archive: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted((archive / "segments").iterdir())}


def check(content: bytes, uid: str) -> str:
    """One file holds what its source does; its SOP Instance UID."""
    ds = pydicom.dcmread(io.BytesIO(content))
    assert ds.file_meta.TransferSyntaxUID == uid
    source = pydicom.dcmread(io.BytesIO(SOURCES[ds.SOPInstanceUID]))
    assert np.array_equal(pixel_array(ds, raw=True), pixel_array(source, raw=True))
    return str(ds.SOPInstanceUID)


@pytest.mark.parametrize("keyword", ["JPEG2000Lossless", J2K])
def test_a_folder_and_the_one_that_cannot_be(archive: Path, tmp_path: Path, keyword: str) -> None:
    before = state(archive)
    code, records, summary, stderr = export(archive, tmp_path / "out", "1.2.3", "--transfer-syntax", keyword)
    assert code == 1
    assert (summary["written"], summary["failed"]) == (4, 1)
    outcomes = {r["sop_instance_uid"]: r for r in records}
    assert set(outcomes) == set(STORED)
    assert outcomes[FLOAT]["outcome"] == "failed"
    assert "floating point" in outcomes[FLOAT]["reason"]
    assert f"failed: {FLOAT}: " in stderr
    files = [p for p in (tmp_path / "out").rglob("*") if p.is_file()]
    assert {check(p.read_bytes(), J2K) for p in files} == set(SOURCES)
    for uid in SOURCES:
        path = Path(outcomes[uid]["file"])
        assert (path.name, outcomes[uid]["bytes"]) == (f"{uid}.dcm", path.stat().st_size)
    assert state(archive) == before, "what is stored stays as it is"
    code, _, again, _ = export(archive, tmp_path / "out", "1.2.3", "--transfer-syntax", keyword)
    assert (code, again["written"], again["skipped"], again["failed"]) == (1, 0, 4, 1)


def test_what_has_the_syntax_already_goes_as_it_is(archive: Path, tmp_path: Path) -> None:
    code, records, _, _ = export(archive, tmp_path / "jls", NEXT + ".1", "--transfer-syntax", "JPEGLSLossless")
    assert code == 0
    assert Path(records[0]["file"]).read_bytes() == STORED[NEXT + ".1"]
    code, _, summary, _ = export(archive, tmp_path / "native", "1.2.3", "--transfer-syntax", EXPLICIT)
    assert (code, summary["written"]) == (0, 5), "native pixels hold floats too"
    assert (tmp_path / "native" / "1.2.3" / NEXT / f"{FLOAT}.dcm").read_bytes() == STORED[FLOAT]


def test_a_zip_file(archive: Path, tmp_path: Path) -> None:
    code, records, summary, _ = export(archive, tmp_path / "s.zip", "1.2.3", "--transfer-syntax", "RLELossless")
    assert (code, summary["written"], summary["failed"]) == (1, 4, 1)
    with zipfile.ZipFile(tmp_path / "s.zip") as packed:
        assert packed.testzip() is None
        assert {check(packed.read(name), RLE) for name in packed.namelist()} == set(SOURCES)
        assert {r["file"].partition("!")[2] for r in records if r["outcome"] == "written"} == set(packed.namelist())


def test_a_file_set_says_what_is_in_its_files(archive: Path, tmp_path: Path) -> None:
    options = ("--form", "dicomdir", "--transfer-syntax", "JPEGLSLossless")
    code, _, summary, _ = export(archive, tmp_path / "out", "1.2.3", *options)
    assert (code, summary["written"], summary["failed"]) == (1, 4, 1)
    found = FileSet(pydicom.dcmread(tmp_path / "out" / "DICOMDIR"))
    assert {one.SOPInstanceUID for one in found} == set(SOURCES)
    for one in found:
        assert one.ReferencedTransferSyntaxUIDInFile == JLS
        assert check(Path(one.path).read_bytes(), JLS) == one.ReferencedSOPInstanceUIDInFile
    if shutil.which("dcmdump"):
        dumped = subprocess.run(["dcmdump", tmp_path / "out" / "DICOMDIR"], capture_output=True, text=True, check=True)
        assert dumped.stdout.count("JPEGLSLossless") == len(SOURCES)


@pytest.mark.parametrize("form", ["folder", "dicomdir"])
def test_with_a_loss_it_is_another_instance(archive: Path, tmp_path: Path, form: str) -> None:
    options = ("--form", form, "--transfer-syntax", "JPEG2000", "--quality", "70")
    code, records, _, _ = export(archive, tmp_path / "out", SERIES, *options)
    assert code == 0
    files = {r["sop_instance_uid"]: pydicom.dcmread(r["file"]) for r in records}
    assert set(files) == {uid for uid in SOURCES if uid.startswith(SERIES + ".")}
    for uid, ds in files.items():
        assert ds.SOPInstanceUID == ds.file_meta.MediaStorageSOPInstanceUID != uid
        assert ds.SourceImageSequence[0].ReferencedSOPInstanceUID == uid
        assert (ds.LossyImageCompression, ds.ImageType[0]) == ("01", "DERIVED")
    if form == "dicomdir":
        entries = FileSet(pydicom.dcmread(tmp_path / "out" / "DICOMDIR"))
        assert {e.ReferencedSOPInstanceUIDInFile for e in entries} == {ds.SOPInstanceUID for ds in files.values()}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--transfer-syntax", "JPEGLS"), "JPEGLSLossless"),
        (("--transfer-syntax", ROOT), "a UID, or one of"),
        (("--transfer-syntax", ROOT + ".4.102"), "JPEGXLLossless"),
        (("--quality", 80), "--transfer-syntax"),
        (("--near", 1), "--transfer-syntax"),
        (("--transfer-syntax", "JPEG2000Lossless", "--quality", 80), J2K),
        (("--transfer-syntax", "JPEGLSLossless", "--near", 2), JLS),
        (("--transfer-syntax", "JPEG2000", "--near", 2), J2K_LOSSY),
        (("--transfer-syntax", "JPEG2000", "--quality", 101), "1 to 100"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_done(
    archive: Path, tmp_path: Path, options: tuple[object, ...], says: str
) -> None:
    run = voxcast("export", "1.2.3", "--archive", archive, "--to", tmp_path / "out", *options)
    assert (run.returncode, run.stdout) == (2, "")
    assert says in run.stderr
    assert not (tmp_path / "out").exists()


def test_more_bits_than_the_coder_has_are_refused_one_by_one(archive: Path, tmp_path: Path) -> None:
    code, records, summary, _ = export(archive, tmp_path / "out", SERIES, "--transfer-syntax", "JPEGBaseline8Bit")
    assert (code, summary["written"], summary["failed"]) == (1, 0, 3)
    assert all("12 bits" in r["reason"] and BASELINE in r["reason"] for r in records)
    assert not [p for p in (tmp_path / "out").rglob("*") if p.is_file()]
