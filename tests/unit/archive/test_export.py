"""The way out: bytes as they came in, in a folder, a zip file and a file-set that others read (PS3.10)."""

from __future__ import annotations

import os
import shutil
import subprocess
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from archives import LIMITS, incoming
from data import data_files, make_instance, needs_data, pydicom_files

from engine.archive.archive import Archive
from engine.archive.export import ExportEvent, export
from engine.errors import EngineError, InvalidParameter, MalformedDataSet
from engine.ingest.accept import Acceptor
from engine.ingest.importer import import_paths
from engine.limits import MIB, Limits


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    archive = Archive.open(tmp_path / "archive", LIMITS)
    yield archive
    archive.close()


def fill(archive: Archive) -> dict[str, bytes]:
    """Two studies, the first with two series."""
    contents = {}
    for study, series, count in (("1.2.3", "1.2.3.4", 5), ("1.2.3", "1.2.3.5", 3), ("1.2.9", "1.2.9.1", 2)):
        for i in range(1, count + 1):
            uid = f"{series}.{i}"
            contents[uid] = make_instance(uid, study=study, series=series, number=i, patient_id=study)
            archive.store([incoming(contents[uid], len(contents))])
    return contents


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_folder_gets_the_bytes_that_came_in(archive: Archive, tmp_path: Path) -> None:
    contents = fill(archive)
    events = list(export(archive, ["1.2.3"], tmp_path / "out" / "deep"))
    assert [e.failure or e.skipped for e in events] == [""] * 8
    found = files_below(tmp_path / "out" / "deep")
    assert found == {f"1.2.3/{u.rpartition('.')[0]}/{u}.dcm": c for u, c in contents.items() if u.startswith("1.2.3")}
    assert {e.sop_instance_uid: e.length for e in events} == {
        u: len(c) for u, c in contents.items() if "1.2.9" not in u
    }
    assert {Path(e.name).name for e in events} == {f"{e.sop_instance_uid}.dcm" for e in events}


def test_uids_of_every_level_in_any_mixture_each_instance_once(archive: Archive, tmp_path: Path) -> None:
    fill(archive)
    uids = ["1.2.9.1.2", "1.2.3.5", "1.2.3.4.1", "1.2.3.5.1", "1.2.9", "1.2.9.1.2"]
    events = list(export(archive, uids, tmp_path / "out"))
    assert [e.sop_instance_uid for e in events] == [
        "1.2.9.1.2", "1.2.3.5.1", "1.2.3.5.2", "1.2.3.5.3", "1.2.3.4.1", "1.2.9.1.1",
    ]  # fmt: skip


@pytest.mark.parametrize("form", ["folder", "zip", "dicomdir"])
def test_an_unknown_uid_is_named_and_the_rest_is_done(archive: Archive, tmp_path: Path, form: str) -> None:
    fill(archive)
    events = list(export(archive, ["9.9.9", "1.2.3.5", "no uid/.."], tmp_path / "out", form))  # type: ignore[arg-type]
    assert [(e.name, bool(e.failure)) for e in events if e.failure] == [("9.9.9", True), ("no uid/..", True)]
    assert sum(not e.failure for e in events) == 3


def test_nothing_that_is_there_is_overwritten(archive: Archive, tmp_path: Path) -> None:
    contents = fill(archive)
    list(export(archive, ["1.2.3.4"], tmp_path))
    other = tmp_path / "1.2.3" / "1.2.3.4" / "1.2.3.4.2.dcm"
    same = tmp_path / "1.2.3" / "1.2.3.4" / "1.2.3.4.3.dcm"
    other.write_bytes(contents["1.2.3.4.2"][:-1] + b"!")
    times = other.stat().st_mtime_ns, same.stat().st_mtime_ns
    events = {e.sop_instance_uid: e for e in export(archive, ["1.2.3.4"], tmp_path)}
    assert "other bytes" in events["1.2.3.4.2"].failure
    assert "there already" in events["1.2.3.4.3"].skipped
    assert (other.stat().st_mtime_ns, same.stat().st_mtime_ns) == times
    assert other.read_bytes()[-1:] == b"!"


def test_only_the_served_version_goes_out(archive: Archive, tmp_path: Path) -> None:
    archive.store([incoming(make_instance(patient="FIRST"), 1)])
    archive.store([incoming(make_instance(patient="SECOND"), 2)])
    list(export(archive, ["1.2.3"], tmp_path / "out"))
    assert files_below(tmp_path / "out") == {"1.2.3/1.2.3.4/1.2.3.4.1.dcm": make_instance(patient="FIRST")}


def test_odd_uids_never_lead_out_of_the_folder(archive: Archive, tmp_path: Path) -> None:
    content = make_instance("../../../evil", study="/etc", series="a b\\c")
    archive.store([incoming(content)])
    events = list(export(archive, ["/etc"], tmp_path / "out"))
    assert [e.failure for e in events] == [""]
    assert list(files_below(tmp_path / "out").values()) == [content]
    assert {p.name for p in tmp_path.iterdir()} == {"archive", "out"}


def test_damage_is_named_and_leaves_no_file(archive: Archive, tmp_path: Path) -> None:
    fill(archive)
    location = archive.instance("1.2.3.4.2").location
    assert archive.path is not None
    with (archive.path / "segments" / f"{location.segment:06d}.tar").open("r+b") as file:
        file.seek(location.offset + location.length - 2)
        file.write(b"\xff\xff")
    for form in ("folder", "zip", "dicomdir"):
        events = list(export(archive, ["1.2.3.4"], tmp_path / form, form))  # type: ignore[arg-type]
        assert [e.sop_instance_uid for e in events if e.failure] == ["1.2.3.4.2"]
        assert "acknowledged" in next(e.failure for e in events if e.failure)
    assert len(files_below(tmp_path / "folder")) == 4
    assert len(zipfile.ZipFile(tmp_path / "zip").namelist()) == 4
    assert len(files_below(tmp_path / "dicomdir")) == 5
    from pydicom.fileset import FileSet

    assert len(FileSet(tmp_path / "dicomdir" / "DICOMDIR")) == 4


def test_a_full_target_is_named_for_each_instance(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(archive)
    monkeypatch.setattr(
        Path, "hardlink_to", lambda *_: (_ for _ in ()).throw(OSError(28, os.strerror(28)))
    )  # fmt: skip
    monkeypatch.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(OSError(28, os.strerror(28))))
    events = list(export(archive, ["1.2.3.5"], tmp_path / "out"))
    assert [e.failure for e in events] == ["No space left on device"] * 3
    assert files_below(tmp_path / "out") == {}


def test_a_target_without_links_works(archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FAT, as on the memory stick that the export is for."""
    contents = fill(archive)
    monkeypatch.setattr(Path, "hardlink_to", lambda *_: (_ for _ in ()).throw(PermissionError(1, "no links")))
    assert [e.failure for e in export(archive, ["1.2.3.5"], tmp_path / "out")] == [""] * 3
    assert sorted(files_below(tmp_path / "out").values()) == sorted(c for u, c in contents.items() if "1.2.3.5" in u)


# -- zip


def test_a_zip_file_gets_the_bytes_that_came_in(archive: Archive, tmp_path: Path) -> None:
    contents = fill(archive)
    events = list(export(archive, ["1.2.3", "1.2.9"], tmp_path / "out.zip", "zip"))
    assert [e.failure for e in events] == [""] * 10
    with zipfile.ZipFile(tmp_path / "out.zip") as made:
        assert made.testzip() is None
        assert {Path(n).stem: made.read(n) for n in made.namelist()} == contents
    assert {p.name for p in tmp_path.iterdir()} == {"archive", "out.zip"}
    if shutil.which("unzip"):
        subprocess.run(["unzip", "-tq", tmp_path / "out.zip"], check=True, capture_output=True)


def test_a_zip_file_that_is_there_stays(archive: Archive, tmp_path: Path) -> None:
    fill(archive)
    (tmp_path / "out.zip").write_bytes(b"mine")
    with pytest.raises(InvalidParameter):
        list(export(archive, ["1.2.3"], tmp_path / "out.zip", "zip"))
    assert (tmp_path / "out.zip").read_bytes() == b"mine"


def test_a_zip_file_that_comes_up_meanwhile_stays(archive: Archive, tmp_path: Path) -> None:
    fill(archive)
    run = export(archive, ["1.2.3"], tmp_path / "out.zip", "zip")
    next(run)
    (tmp_path / "out.zip").write_bytes(b"mine")
    assert [e.name for e in run if e.failure] == [str(tmp_path / "out.zip")]
    assert (tmp_path / "out.zip").read_bytes() == b"mine"
    assert {p.name for p in tmp_path.iterdir()} == {"archive", "out.zip"}


@pytest.mark.parametrize("form", ["folder", "zip", "dicomdir"])
def test_an_export_that_is_broken_off_leaves_no_half_file(archive: Archive, tmp_path: Path, form: str) -> None:
    fill(archive)
    run = export(archive, ["1.2.3"], tmp_path / "out", form)  # type: ignore[arg-type]
    next(run)
    run.close()  # type: ignore[attr-defined]
    assert not (tmp_path / "out").is_file()
    assert [p for p in tmp_path.rglob("*") if p.name.endswith(".part")] == []
    assert not (tmp_path / "out" / "DICOMDIR").exists()


def test_a_place_that_cannot_be_written_to_is_said(archive: Archive, tmp_path: Path) -> None:
    fill(archive)
    (tmp_path / "file").touch()
    for form in ("folder", "zip", "dicomdir"):
        with pytest.raises(InvalidParameter):
            list(export(archive, ["1.2.3"], tmp_path / "file" / "below", form))  # type: ignore[arg-type]
    with pytest.raises(InvalidParameter):
        list(export(archive, ["1.2.3"], tmp_path / "x", "rar"))  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["folder", "zip", "dicomdir"])
def test_no_instance_goes_through_memory_whole(tmp_path: Path, form: str) -> None:
    limits = Limits(disk_reserve_bytes=0)
    archive = Archive.open(tmp_path / "archive", limits)
    content = make_instance(rows=4000, columns=4000, pixels=bytes(4000 * 4000 * 2))
    archive.store([incoming(content, limits=limits)])
    tracemalloc.start()
    events = list(export(archive, ["1.2.3"], tmp_path / "out", form))  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    archive.close()
    assert [(e.failure, e.length) for e in events] == [("", len(content))]
    assert peak < 12 * MIB < len(content)


# -- file-sets


def test_a_file_set_is_read_by_pydicom(archive: Archive, tmp_path: Path) -> None:
    from pydicom.fileset import FileSet

    contents = fill(archive)
    events = list(export(archive, ["1.2.3", "1.2.9"], tmp_path / "out", "dicomdir"))
    assert [e.failure for e in events] == [""] * 10
    names = files_below(tmp_path / "out")
    assert all(len(part) <= 8 and part.isalnum() and part.isupper() for name in names for part in name.split("/"))
    made = FileSet(tmp_path / "out" / "DICOMDIR")
    assert made.find_values("PatientID") == ["1.2.3", "1.2.9"]
    assert made.find_values("StudyInstanceUID") == ["1.2.3", "1.2.9"]
    assert sorted(made.find_values("SeriesInstanceUID")) == ["1.2.3.4", "1.2.3.5", "1.2.9.1"]
    found = {str(one.SOPInstanceUID): Path(one.path).read_bytes() for one in made}
    assert found == contents


def test_what_cannot_be_listed_leaves_no_empty_folder_in_the_dicomdir(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pydicom import dcmread

    from engine.dicom import dicomdir

    fill(archive)
    encode = dicomdir._encode

    def refuse(kind: str, attributes: Any, given: Any, extra: Any) -> bytearray:
        if extra.get("ReferencedSOPInstanceUIDInFile", "").startswith("1.2.3.5."):
            raise MalformedDataSet("no record can be made of it")
        return encode(kind, attributes, given, extra)

    monkeypatch.setattr(dicomdir, "_encode", refuse)
    events = list(export(archive, ["1.2.3"], tmp_path / "out", "dicomdir"))
    assert sum(bool(e.failure) for e in events) == 3
    records = dcmread(tmp_path / "out" / "DICOMDIR").DirectoryRecordSequence
    kinds = [record.DirectoryRecordType for record in records]
    assert kinds == ["PATIENT", "STUDY", "SERIES", *["IMAGE"] * 5]


@pytest.mark.skipif(shutil.which("dcmdump") is None, reason="DCMTK's dcmdump is not installed")
def test_a_file_set_is_read_by_dcmtk(archive: Archive, tmp_path: Path) -> None:
    fill(archive)
    list(export(archive, ["1.2.3"], tmp_path / "out", "dicomdir"))
    run = subprocess.run(["dcmdump", tmp_path / "out" / "DICOMDIR"], capture_output=True, text=True, errors="replace")
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("DirectoryRecordType") == 1 + 1 + 2 + 8
    assert "IM000003" in run.stdout
    assert "W: " not in run.stderr and "E: " not in run.stderr


def test_a_file_set_can_be_imported_again(archive: Archive, tmp_path: Path) -> None:
    contents = fill(archive)
    list(export(archive, ["1.2.3", "1.2.9"], tmp_path / "out", "dicomdir"))
    again = Archive.open(tmp_path / "again", LIMITS)
    acceptor = Acceptor(again, LIMITS)
    events = list(import_paths([tmp_path / "out" / "DICOMDIR"], acceptor, LIMITS))
    acceptor.close()
    assert [e.failure for e in events] == [""] * 10
    assert {uid: again.read(again.instance(uid)) for uid in contents} == contents
    again.close()


def test_a_folder_that_has_a_dicomdir_is_left_alone(archive: Archive, tmp_path: Path) -> None:
    fill(archive)
    (tmp_path / "DICOMDIR").write_bytes(b"mine")
    with pytest.raises(InvalidParameter):
        list(export(archive, ["1.2.3"], tmp_path, "dicomdir"))
    assert (tmp_path / "DICOMDIR").read_bytes() == b"mine"


@needs_data
def test_real_files_of_many_kinds_go_out_as_they_came_and_are_all_listed(tmp_path: Path) -> None:
    """Every kind of object in the test data: reports, presentation states, plans, waveforms, images."""
    from pydicom.fileset import FileSet

    limits = Limits(disk_reserve_bytes=0)
    archive = Archive.open(tmp_path / "archive", limits)
    contents: dict[str, bytes] = {}
    files = [p for p in (*data_files("."), *pydicom_files()) if p.stat().st_size < 4 * MIB and p.suffix != ".zip"]
    for i, path in enumerate(files[:: max(1, len(files) // 250)]):
        content = path.read_bytes()
        try:
            one = incoming(content, i, limits)
        except EngineError:
            continue
        archive.store([one])
        contents.setdefault(one.scanned.sop_instance_uid, content)
    assert len(contents) > 100
    uids = list(contents)
    events: list[ExportEvent] = list(export(archive, uids, tmp_path / "set", "dicomdir"))
    assert [(e.name, e.failure) for e in events if e.failure] == []
    made = FileSet(tmp_path / "set" / "DICOMDIR")
    assert {str(one.SOPInstanceUID): Path(one.path).read_bytes() for one in made} == contents
    list(export(archive, uids, tmp_path / "files"))
    assert sorted(files_below(tmp_path / "files").values()) == sorted(contents.values())
    archive.close()
