"""Zip files as other programs read them: small ones, ones that need Zip64, and ones whose CRC is known late."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.archive.zip_layout import ZipMember, directory, head, tail

NS = 10**9
NEW_YEARS_EVE = 1767225595 * NS  # 2025-12-31 23:59:55 UTC
GIB = 1024**3


def made(files: list[tuple[str, bytes]], *, is_late: bool = False, modified_ns: int = NEW_YEARS_EVE) -> bytes:
    out, members = b"", []
    for name, content in files:
        member, crc32 = ZipMember(name, len(content), modified_ns, is_late), zlib.crc32(content)
        out += head(member, crc32) + content + tail(member, crc32)
        members.append((member, crc32))
    return out + directory(members)


def unzip(*arguments: str | Path) -> None:
    """Info-ZIP's, which must have nothing to say against the file."""
    program = shutil.which("unzip")
    if program is None:
        pytest.skip("unzip is not installed")
    run = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "warning" not in run.stdout + run.stderr


@pytest.mark.parametrize("is_late", [False, True])
def test_others_read_every_member(tmp_path: Path, is_late: bool) -> None:
    files = [("DICOMDIR", os.urandom(5000)), ("A/B/C", b""), ("A/B/D.dcm", os.urandom(70_000))]
    path = tmp_path / "a.zip"
    path.write_bytes(made(files, is_late=is_late))
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        assert [(info.filename, file.read(info)) for info in file.infolist()] == files
        assert {info.date_time for info in file.infolist()} == {(2025, 12, 31, 23, 59, 54)}
        assert {info.compress_type for info in file.infolist()} == {zipfile.ZIP_STORED}
    unzip("-t", path)
    unzip("-q", path, "-d", tmp_path / "out")
    assert (tmp_path / "out" / "A" / "B" / "D.dcm").read_bytes() == files[2][1]
    assert (tmp_path / "out" / "A" / "B" / "D.dcm").stat().st_mode & 0o777 == 0o644


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_the_length_is_known_before(contents: list[bytes]) -> None:
    files = [(f"F{i}/X", content) for i, content in enumerate(contents)]
    members = [(ZipMember(name, len(content), NEW_YEARS_EVE), 0) for name, content in files]
    around = sum(len(head(member, 0)) + member.length for member, _ in members) + len(directory(members))
    assert len(made(files)) == around


@pytest.mark.parametrize("unix_s", [-1, 0, 315532799, 4354819200, 2**62 // NS])
def test_times_that_the_format_does_not_have(tmp_path: Path, unix_s: int) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(made([("A", b"x")], modified_ns=unix_s * NS))
    with zipfile.ZipFile(path) as file:
        assert file.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("length", [0xFFFF_FFFE, 0xFFFF_FFFF, 5 * GIB])
def test_members_and_offsets_beyond_32_bits(tmp_path: Path, length: int, is_late: bool) -> None:
    """The large member is a hole in a sparse file; its CRC is not looked at."""
    large, small = ZipMember("LARGE", length, NEW_YEARS_EVE, is_late), ZipMember("SMALL", 5, NEW_YEARS_EVE)
    path, crc32 = tmp_path / "large.zip", zlib.crc32(b"small")
    with path.open("wb") as file:
        file.write(head(large, 7))
        file.seek(length, os.SEEK_CUR)
        file.write(tail(large, 7) + head(small, crc32) + b"small" + directory([(large, 7), (small, crc32)]))
    with zipfile.ZipFile(path) as read:
        assert [(i.filename, i.file_size, i.compress_size) for i in read.infolist()] == [
            ("LARGE", length, length),
            ("SMALL", 5, 5),
        ]
        assert read.read("SMALL") == b"small"
        with read.open("LARGE") as member:
            assert member.read(10) == bytes(10)
    if length != 0xFFFF_FFFF:  # Info-ZIP 6.0 takes this very size for a mark that it has resolved already
        unzip("-tq", path, "SMALL")


def test_more_members_than_16_bits_count(tmp_path: Path) -> None:
    members = [ZipMember(f"F/{i:06d}", 1, NEW_YEARS_EVE) for i in range(65_535)]
    path, crc32 = tmp_path / "many.zip", zlib.crc32(b"x")
    with path.open("wb") as file:
        file.writelines(head(member, crc32) + b"x" for member in members)
        file.write(directory([(member, crc32) for member in members]))
    with zipfile.ZipFile(path) as read:
        assert len(read.infolist()) == 65_535
        assert read.read(members[-1].name) == b"x"
    unzip("-tqq", path)
