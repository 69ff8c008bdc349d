"""Zip and tar files: what is in them, and what they claim to be, before the standard library believes it."""

from __future__ import annotations

import io
import lzma
import struct
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from engine.ingest.entry import Entry
from engine.ingest.packed import Kind, kind_of, tar_members, zip_members
from engine.limits import MIB, Limits

LIMITS = Limits()


def read_all(entries: object) -> dict[str, bytes | str]:
    """Each member's bytes, read when it is its turn, or why it has none."""
    found: dict[str, bytes | str] = {}
    for entry in entries:  # type: ignore[attr-defined]
        assert isinstance(entry, Entry)
        name = entry.name.rpartition("!")[2] if "!" in entry.name else "-"
        if entry.open_stream is None:
            found[name] = entry.failure or entry.skipped
        else:
            with entry.open_stream() as stream:
                found[name] = stream.read()
    return found


def make_zip(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return path


def make_tar(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as made:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return path


MEMBERS = {"a": b"first", "folder/b": bytes(100_000), "ü \n": b"", "last": b"x" * 513}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_of_a_zip_file(tmp_path: Path, method: int) -> None:
    assert read_all(zip_members(make_zip(tmp_path / "z", MEMBERS, method), LIMITS)) == MEMBERS


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_members_of_a_tar_file(tmp_path: Path, mode: str) -> None:
    assert read_all(tar_members(make_tar(tmp_path / "t", MEMBERS, mode), LIMITS)) == MEMBERS


def test_links_in_a_tar_file_are_named_not_followed(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "t", {"a": b"1"})
    with tarfile.open(path, "a") as made:
        for name, kind in (("hard", tarfile.LNKTYPE), ("soft", tarfile.SYMTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            made.addfile(info)
    found = read_all(tar_members(path, LIMITS))
    assert found["a"] == b"1"
    assert "link" in str(found["hard"]) and "link" in str(found["soft"])


def test_what_a_file_is_is_told_by_its_first_bytes(tmp_path: Path) -> None:
    assert kind_of(make_zip(tmp_path / "z", MEMBERS).read_bytes()[:1024]) is Kind.ZIP
    assert kind_of(make_zip(tmp_path / "e", {}).read_bytes()[:1024]) is Kind.ZIP
    for mode in ("w", "w:gz", "w:bz2", "w:xz"):
        assert kind_of(make_tar(tmp_path / "t", MEMBERS, mode).read_bytes()[:1024]) is Kind.TAR
    dual = bytearray(make_tar(tmp_path / "t", MEMBERS).read_bytes()[:1024])
    dual[128:132] = b"DICM"
    assert kind_of(bytes(dual)) is None
    assert kind_of(b"") is None
    assert kind_of(bytes(1024)) is None


# -- zip files that lie


def test_a_bomb_is_named_and_its_neighbours_are_read(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "z", {"before": b"1" * 100_000, "bomb": bytes(100 * MIB), "after": b"2"})
    found = read_all(zip_members(path, LIMITS))
    assert "bomb" in str(found["bomb"])
    assert found["before"] == b"1" * 100_000
    assert found["after"] == b"2"


def test_members_that_overlap_are_a_bomb_together(tmp_path: Path) -> None:
    """One packed 60 MiB, named a thousand times by the directory: each of them alone is innocent."""
    path = make_zip(tmp_path / "z", {"a": bytes(60 * MIB)})
    data = path.read_bytes()
    at = data.rfind(b"PK\x01\x02")
    end = data.rfind(b"PK\x05\x06")
    directory = b"".join(data[at : at + 46] + b"%c" % (97 + i % 26) for i in range(1000))
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 1000, 1000, len(directory), at, 0)
    assert end > at
    path.write_bytes(data[:at] + directory + tail)
    entries = list(zip_members(path, LIMITS))
    assert len(entries) < 20
    assert "bomb" in entries[-1].failure


def test_too_many_members_are_refused_before_the_directory_is_read(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "z", {f"{i}": b"" for i in range(50)})
    few = replace(LIMITS, archive_entries_max=49)
    [entry] = zip_members(path, few)
    assert "archive_entries_max" in entry.failure


def test_a_directory_larger_than_its_count_allows_is_not_read(tmp_path: Path) -> None:
    """`zipfile` reads as many members as there are bytes of directory, whatever the count says: gigabytes of objects."""
    path = make_zip(tmp_path / "z", {f"{i:0200}": b"" for i in range(2000)})
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x05\x06")
    struct.pack_into("<HH", data, at + 8, 3, 3)
    path.write_bytes(data)
    [entry] = zip_members(path, LIMITS)
    assert "damaged" in entry.failure


def test_encrypted_members_are_named(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "z", {"secret": b"1", "open": b"2"})
    data = bytearray(path.read_bytes())
    data[data.find(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    found = read_all(zip_members(path, LIMITS))
    assert found == {"secret": "encrypted", "open": b"2"}


def test_more_than_65535_members_are_counted_by_zip64(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "z", {f"{i}": b"" for i in range(65_600)}, zipfile.ZIP_STORED)
    assert sum(1 for _ in zip_members(path, LIMITS)) == 65_600
    [entry] = zip_members(path, replace(LIMITS, archive_entries_max=65_599))
    assert "65600" in entry.failure


@pytest.mark.parametrize("cut", [1, 30, 60, 120])
def test_a_cut_zip_file_is_damaged(tmp_path: Path, cut: int) -> None:
    path = make_zip(tmp_path / "z", {"a": b"x" * 10})
    path.write_bytes(path.read_bytes()[:-cut])
    [entry] = zip_members(path, LIMITS)
    assert "damaged zip file" in entry.failure


# -- tar files that lie


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_damage_in_the_middle_of_a_tar_file_is_not_taken_for_its_end(tmp_path: Path, mode: str) -> None:
    """`tarfile` ends quietly at a header that it cannot read: half of a study would be missing, and nobody told."""
    path = make_tar(tmp_path / "t", {"a": b"1" * 600, "b": b"2" * 600, "c": b"3"})
    data = bytearray(path.read_bytes())
    data[1536 + 20 : 1536 + 40] = b"\xff" * 20
    path.write_bytes(data)
    if mode == "w:gz":
        import gzip

        path.write_bytes(gzip.compress(bytes(data)))
    found = read_all(tar_members(path, LIMITS))
    assert found["a"] == b"1" * 600
    assert "damaged tar file" in str(found["-"])


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_cut_tar_file_is_damaged(tmp_path: Path, mode: str) -> None:
    import random

    noise = random.Random(1).randbytes
    path = make_tar(tmp_path / "t", {"a": noise(30_000), "b": noise(30_000)}, mode)
    data = path.read_bytes()
    path.write_bytes(data[: 30_512 + 512 + 300] if mode == "w" else data[: len(data) * 2 // 3])
    failures = []
    for entry in tar_members(path, LIMITS):
        if entry.open_stream is None:
            failures.append(entry.failure)
            continue
        try:
            with entry.open_stream() as stream:
                stream.read()
        except (tarfile.ReadError, EOFError, lzma.LZMAError, OSError) as error:
            failures.append(str(error))
    assert failures


def test_a_packed_tar_bomb_is_named(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "t", {"before": b"1", "bomb": bytes(80 * MIB), "after": b"2"}, "w:bz2")
    found = read_all(tar_members(path, replace(LIMITS, archive_expansion_max=2)))
    assert found["before"] == b"1"
    assert "bomb" in str(found["bomb"])
    assert "after" not in found


def test_pax_records_of_gigabytes_are_not_read(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 2**33
    path = tmp_path / "t"
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(4096))
    [entry] = tar_members(path, LIMITS)
    assert "damaged tar file" in entry.failure


def test_too_many_members_of_a_tar_file_end_it(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "t", {f"{i}": b"" for i in range(50)})
    entries = list(tar_members(path, replace(LIMITS, archive_entries_max=20)))
    assert len(entries) == 21
    assert "archive_entries_max" in entries[-1].failure


def test_the_list_of_a_tar_files_members_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tarfile.TarFile] = []
    open_tar = tarfile.open

    def opened(*args: object, **more: object) -> tarfile.TarFile:
        made.append(open_tar(*args, **more))  # type: ignore[call-overload]
        return made[-1]

    path = make_tar(tmp_path / "t", {f"{i}": b"x" for i in range(500)})
    monkeypatch.setattr(tarfile, "open", opened)
    for _ in tar_members(path, LIMITS):
        assert len(made[0].members) <= 1  # type: ignore[attr-defined]
