"""Folders as they come from the world: a clear line for each thing that is no image, and the rest is imported."""

from __future__ import annotations

import io
import os
import socket
import struct
import subprocess
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from archives import LIMITS, problems
from data import make_instance

from engine.archive.archive import Archive
from engine.ingest import importer
from engine.ingest.accept import Acceptor
from engine.ingest.importer import ImportEvent, import_paths
from engine.limits import MIB, Limits

Run = Callable[..., dict[str, ImportEvent]]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    archive = Archive.open(tmp_path / "archive", LIMITS)
    yield archive
    assert problems(archive) == []
    archive.close()


@pytest.fixture(name="run")
def _run(archive: Archive, tmp_path: Path) -> Run:
    def run(*paths: Path, limits: Limits = LIMITS) -> dict[str, ImportEvent]:
        acceptor = Acceptor(archive, limits)
        try:
            events = list(import_paths(list(paths) or [tmp_path / "in"], acceptor, limits))
        finally:
            acceptor.close()
        names = [e.name.replace(f"{tmp_path}/", "") for e in events]
        assert len(set(names)) == len(names) or any("DICOMDIR" in n for n in names)
        for name in names:
            name.encode()  # whatever the file system holds, the name can be printed
        return dict(zip(names, events, strict=True))

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two good images around whatever the test puts in between."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "aa.dcm").write_bytes(make_instance("1.2.3.4.1", number=1))
    (folder / "zz.dcm").write_bytes(make_instance("1.2.3.4.2", number=2))
    return folder


def assert_only_failure(events: dict[str, ImportEvent], name: str, *words: str) -> None:
    """The one bad thing is named with its reason, the two good images are in."""
    failures = {n: e.failure for n, e in events.items() if e.failure}
    assert list(failures) == [name], failures
    for word in words:
        assert word in failures[name]
    assert "\n" not in failures[name]
    assert [n for n, e in events.items() if e.accepted] == ["in/aa.dcm", "in/zz.dcm"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["not DICOM"]),
        (b"%PDF-1.7 " + bytes(1000), ["not DICOM"]),
        (b"just a text file\n" * 100, ["not DICOM"]),
        (make_instance()[:200], ["truncated"]),
        (make_instance(rows=64)[:-7], ["truncated"]),
        (b"\x7fELF" + os.urandom(4000), ["not DICOM"]),
        (bytes(100_000), ["not DICOM"]),  # through a spool
    ],
)
def test_what_is_no_image(run: Run, folder: Path, content: bytes, words: list[str]) -> None:
    (folder / "bad").write_bytes(content)
    events = run()
    if events["in/bad"].accepted:
        # Pixel data that was cut is kept with a defect where its header says enough; a cut header never is.
        assert events["in/bad"].accepted.defects
        return
    assert_only_failure(events, "in/bad", *words)


def test_a_file_that_the_disk_cannot_read(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = folder / "bad"
    bad.write_bytes(make_instance("1.2.3.4.9"))
    opened = Path.open

    def failing(self: Path, *args: object, **more: object) -> object:
        if self == bad:
            raise OSError(5, os.strerror(5))
        return opened(self, *args, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", failing)
    assert_only_failure(run(), "in/bad", "Input/output error")


def test_a_file_that_fails_while_it_is_read(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "bad").write_bytes(make_instance("1.2.3.4.9", rows=300, columns=300))
    load = importer._load_stream

    def failing(stream: io.RawIOBase, *args: object) -> object:
        class Failing(io.RawIOBase):
            def read(self, size: int = -1) -> bytes:
                if stream.tell() > 0:
                    raise OSError(5, os.strerror(5))
                return stream.read(100_000) or b""

        return load(Failing(), *args)  # type: ignore[arg-type]

    monkeypatch.setattr(importer, "_load_stream", failing)
    assert_only_failure(run(), "in/bad", "Input/output error")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads whatever the mode says; the test above injects the failure")
def test_a_file_without_permission(run: Run, folder: Path) -> None:
    (folder / "bad").write_bytes(make_instance("1.2.3.4.9"))
    (folder / "bad").chmod(0)
    (folder / "closed").mkdir()
    (folder / "closed").chmod(0)
    events = run()
    (folder / "closed").chmod(0o700)
    assert {n for n, e in events.items() if "Permission denied" in e.failure} == {"in/bad", "in/closed"}


def test_links_that_lead_to_themselves_to_nothing_and_back_up(run: Run, folder: Path) -> None:
    (folder / "itself").symlink_to("itself")
    (folder / "nothing").symlink_to("not there")
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "up").symlink_to("../..")
    (folder / "deep" / "er" / "here").symlink_to(".")
    (folder / "deep" / "image").write_bytes(make_instance("1.2.3.4.3", number=3))
    (folder / "link").symlink_to("deep")
    started = time.monotonic()
    events = run()
    assert time.monotonic() - started < 60
    failures = {n: e.failure for n, e in events.items() if e.failure}
    assert failures.pop("in/itself") == "a symbolic link that leads to itself"
    assert "to nothing" in failures.pop("in/nothing")
    assert all("leads back" in reason for reason in failures.values())
    assert {"in/deep/er/up", "in/deep/er/here"} <= set(failures)
    assert events["in/deep/image"].accepted
    assert events["in/link/image"].accepted  # a link to a folder beside it is followed; the same bytes store nothing
    statuses = [str(events[n].accepted and events[n].accepted.status) for n in ("in/deep/image", "in/link/image")]
    assert sorted(statuses) == ["duplicate", "stored"]


@pytest.mark.parametrize("is_named", [False, True])
def test_pipes_and_sockets_are_not_waited_for(run: Run, folder: Path, is_named: bool) -> None:
    os.mkfifo(folder / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket"))
        events = run(*sorted(folder.iterdir())) if is_named else run()
    if is_named:
        assert {n for n, e in events.items() if e.failure} == {"in/fifo", "in/socket"}
    else:
        assert {n for n, e in events.items() if e.skipped} == {"in/fifo", "in/socket"}
    assert sum(e.accepted is not None for e in events.values()) == 2


def test_a_path_that_is_not_there(run: Run, folder: Path) -> None:
    events = run(folder / "missing", folder)
    assert_only_failure(events, "in/missing", "no such file or folder")


def test_folders_deeper_than_pythons_stack(run: Run, folder: Path) -> None:
    os.chdir(folder)
    try:
        for _ in range(1500):
            Path("d").mkdir()
            os.chdir("d")
        Path("image.dcm").write_bytes(make_instance("1.2.3.4.3", number=3))
    finally:
        os.chdir("/")
    try:
        events = run()
    finally:  # deeper than pytest's own clean-up gets too
        subprocess.run(["rm", "-rf", folder / "d"], check=True)
    assert sum(e.accepted is not None for e in events.values()) in (2, 3)  # 3 where the system takes so long a path
    assert sum(bool(e.failure) for e in events.values()) == 3 - sum(e.accepted is not None for e in events.values())


def test_names_of_any_bytes(run: Run, folder: Path) -> None:
    (folder / os.fsdecode(b"\xff\xfe image")).write_bytes(make_instance("1.2.3.4.3", number=3))
    (folder / "new\nline \x1b[31m").write_bytes(b"no image")
    events = run()
    assert sum(e.accepted is not None for e in events.values()) == 3
    assert sum(bool(e.failure) for e in events.values()) == 1


# -- DICOMDIR


def dicomdir(folder: Path, *file_ids: list[str]) -> Path:
    from pydicom import config
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset(folder / "DICOMDIR", {}, file_meta=meta, preamble=bytes(128))
    records = []
    with config.disable_value_validation():
        for file_id in file_ids:
            record = Dataset()
            record.DirectoryRecordType = "IMAGE"
            record.ReferencedFileID = file_id
            records.append(record)
        ds.DirectoryRecordSequence = records
        ds.save_as(folder / "DICOMDIR", enforce_file_format=True)
    return folder / "DICOMDIR"


def test_a_dicomdir_names_its_files_and_none_outside(run: Run, folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.dcm"
    secret.write_bytes(make_instance("9.9.9"))
    (folder / "LINK").symlink_to(secret)
    (folder / "SUB").mkdir()
    (folder / "SUB" / "IM1").write_bytes(make_instance("1.2.3.4.3", number=3))
    path = dicomdir(
        folder, ["aa.dcm"], ["SUB", "IM1"], ["..", "secret.dcm"], ["LINK"], ["/", "etc", "passwd"],
        ["SUB/../../secret.dcm"], ["GONE"], ["x" * 300],
    )  # fmt: skip
    acceptor_events = run(path)
    accepted = {n for n, e in acceptor_events.items() if e.accepted}
    assert accepted == {"in/aa.dcm", "in/SUB/IM1"}
    assert "not there" in acceptor_events["in/GONE"].failure
    assert not any(e.accepted and e.accepted.sop_instance_uid == "9.9.9" for e in acceptor_events.values())
    assert acceptor_events["in/DICOMDIR"].failure


def test_every_file_outside_is_a_line_of_its_own(archive: Archive, folder: Path) -> None:
    path = dicomdir(folder, ["..", "a"], ["..", "b"], ["aa.dcm"])
    acceptor = Acceptor(archive, LIMITS)
    events = list(import_paths([path], acceptor, LIMITS))
    acceptor.close()
    assert [bool(e.failure) for e in events] == [True, True, False]
    assert all("outside" in e.failure for e in events[:2])


def test_a_dicomdir_in_a_folder_is_passed_over(run: Run, folder: Path) -> None:
    dicomdir(folder, ["aa.dcm"])
    events = run()
    assert events["in/DICOMDIR"].skipped
    assert sum(e.accepted is not None for e in events.values()) == 2


def test_a_damaged_dicomdir(run: Run, folder: Path) -> None:
    path = dicomdir(folder, ["aa.dcm"] * 3)
    data = bytearray(path.read_bytes())
    at = data.find(struct.pack("<HH", 4, 0x1220))
    data[at + 12 :] = os.urandom(len(data) - at - 12)
    path.write_bytes(data)
    events = run(path, folder)
    assert sum(e.accepted is not None for e in events.values()) == 2


# -- zip and tar


def test_a_zip_file_with_bombs_and_images(run: Run, folder: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as nested:
        nested.writestr("bomb", bytes(20 * MIB))
    with zipfile.ZipFile(folder / "mixed.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("1.dcm", make_instance("1.2.3.4.3", number=3))
        made.writestr("bomb", bytes(100 * MIB))
        made.writestr("nested.zip", inner.getvalue())
        made.writestr("notes.txt", b"hello")
        made.writestr("2.dcm", make_instance("1.2.3.4.4", number=4))
    events = run()
    assert "bomb" in events["in/mixed.zip!bomb"].failure
    failures = {n.rpartition("!")[2] for n, e in events.items() if e.failure}
    assert failures == {"bomb", "nested.zip", "notes.txt"}
    assert sum(e.accepted is not None for e in events.values()) == 4


def test_a_zip_bomb_by_count(run: Run, folder: Path) -> None:
    with zipfile.ZipFile(folder / "bomb.zip", "w") as made:
        for i in range(200):
            made.writestr(f"{i}.dcm", make_instance(f"1.9.{i}"))
    assert_only_failure(run(limits=replace(LIMITS, archive_entries_max=199)), "in/bomb.zip", "archive_entries_max")


def test_a_member_that_is_more_than_it_says(run: Run, folder: Path) -> None:
    with zipfile.ZipFile(folder / "liar.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("big", bytes(MIB))
        made.writestr("good.dcm", make_instance("1.2.3.4.3", number=3))
    data = bytearray((folder / "liar.zip").read_bytes())
    at = data.find(b"PK\x01\x02")
    struct.pack_into("<I", data, at + 24, 500)
    (folder / "liar.zip").write_bytes(data)
    events = run()
    assert events["in/liar.zip!big"].failure
    assert events["in/liar.zip!good.dcm"].accepted


def test_encrypted_and_damaged_members(run: Run, folder: Path) -> None:
    with zipfile.ZipFile(folder / "bad.zip", "w", zipfile.ZIP_DEFLATED) as made:
        for i in range(4):
            made.writestr(f"{i}.dcm", make_instance(f"1.9.{i}", study="1.9", series="1.9.9", rows=64, columns=64))
    data = bytearray((folder / "bad.zip").read_bytes())
    first = data.find(b"PK\x01\x02")
    data[first + 8] |= 1
    second = data.find(b"PK\x03\x04", 10)
    data[second + 60 : second + 90] = b"\xff" * 30
    (folder / "bad.zip").write_bytes(data)
    events = run()
    assert events["in/bad.zip!0.dcm"].failure == "encrypted"
    assert "cannot be unpacked" in events["in/bad.zip!1.dcm"].failure
    assert events["in/bad.zip!2.dcm"].accepted and events["in/bad.zip!3.dcm"].accepted


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_in_other_methods(run: Run, folder: Path, method: int) -> None:
    with zipfile.ZipFile(folder / "bad.zip", "w", method) as made:
        made.writestr("0.dcm", os.urandom(5000))
    data = bytearray((folder / "bad.zip").read_bytes())
    data[60:2000] = os.urandom(1940)
    (folder / "bad.zip").write_bytes(data)
    assert_only_failure(run(), "in/bad.zip!0.dcm")


def test_damaged_and_cut_packed_files(run: Run, folder: Path) -> None:
    (folder / "cut.zip").write_bytes(b"PK\x03\x04" + bytes(300))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as made:
        for i in range(20):
            info = tarfile.TarInfo(f"{i}.dcm")
            content = make_instance(
                f"1.9.{i}", study="1.9", series="1.9.9", pixels=os.urandom(20_000), rows=100, columns=100
            )
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
    (folder / "cut.tar.gz").write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    (folder / "noise.tgz").write_bytes(b"\x1f\x8b" + os.urandom(2000))
    events = run()
    failures = {n for n, e in events.items() if e.failure}
    assert {"in/cut.zip", "in/noise.tgz"} <= failures
    assert any(n.startswith("in/cut.tar.gz") for n in failures)
    accepted = [n for n, e in events.items() if e.accepted]
    assert {"in/aa.dcm", "in/zz.dcm"} <= set(accepted)
    assert len(accepted) > 5


def test_a_packed_file_is_imported_as_its_files_are(run: Run, archive: Archive, folder: Path) -> None:
    large = make_instance("1.2.3.4.50", rows=300, columns=300)
    with tarfile.open(folder / "ok.tar.xz", "w:xz") as made:
        for name, content in (("s/1", make_instance("1.2.3.4.3", number=3)), ("s/large", large)):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
    events = run()
    assert {n for n, e in events.items() if e.accepted} == {
        "in/aa.dcm", "in/ok.tar.xz!s/1", "in/ok.tar.xz!s/large", "in/zz.dcm",
    }  # fmt: skip
    assert archive.read(archive.instance("1.2.3.4.50")) == large


def test_a_segment_of_another_archive_can_be_imported(run: Run, archive: Archive, folder: Path) -> None:
    run()
    archive.delete(sop_uid="1.2.3.4.1")
    assert archive.path is not None
    with closing(Archive.open(folder.parent / "other", LIMITS)) as other:
        acceptor = Acceptor(other, LIMITS)
        events = list(import_paths(sorted((archive.path / "segments").glob("*.tar")), acceptor, LIMITS))
        acceptor.close()
        assert [e.failure for e in events] == ["", ""]
        assert other.read(other.instance("1.2.3.4.2")) == make_instance("1.2.3.4.2", number=2)


def test_importing_again_stores_nothing(run: Run, archive: Archive, folder: Path) -> None:
    run()
    syncs = archive.syncs
    events = run()
    assert {str(e.accepted and e.accepted.status) for e in events.values()} == {"duplicate"}
    assert archive.syncs == syncs
