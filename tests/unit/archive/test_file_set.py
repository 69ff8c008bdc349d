"""Names of files in a file-set: of eight characters and listed, or of UIDs; what cannot be listed is there all the same."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from archives import LIMITS, incoming
from data import EXPLICIT, make_instance

from engine.archive.archive import Archive
from engine.archive.file_set import FileSet
from engine.dicom import dicomdir
from engine.errors import MalformedDataSet


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    archive = Archive.open(tmp_path / "archive", LIMITS)
    for series, count in (("1.2.3.4", 3), ("1.2.3.5", 1)):
        for i in range(1, count + 1):
            archive.store([incoming(make_instance(f"{series}.{i}", series=series, number=i), i)])
    yield archive
    archive.close()


def names(archive: Archive, files: FileSet) -> list[str]:
    records = [*archive.members("1.2.3", "1.2.3.4"), *archive.members("1.2.3", "1.2.3.5")]
    return [files.name(record, EXPLICIT) for record in records]


def test_listed_names_and_their_directory(archive: Archive) -> None:
    files = FileSet(archive, is_listed=True)
    found = names(archive, files)
    at = "PT000001/ST000001"
    assert found == [*(f"{at}/SE000001/IM00000{i}" for i in (1, 2, 3)), f"{at}/SE000002/IM000001"]
    ds = pydicom.dcmread(io.BytesIO(files.dicomdir()))
    assert ["/".join(r.ReferencedFileID) for r in ds.DirectoryRecordSequence if "ReferencedFileID" in r] == found
    again = FileSet(archive, is_listed=True)
    assert names(archive, again) == found
    assert again.dicomdir() == files.dicomdir()  # the same bytes, for whoever fetches the rest of them


def test_names_without_a_directory(archive: Archive) -> None:
    files = FileSet(archive, is_listed=False)
    assert names(archive, files)[::3] == ["1.2.3/1.2.3.4/1.2.3.4.1.dcm", "1.2.3/1.2.3.5/1.2.3.5.1.dcm"]
    assert files.dicomdir() == b""


def test_what_cannot_be_listed_has_a_name_too(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    encode = dicomdir._encode

    def refuse(kind: str, attributes: Any, given: Any, extra: Any) -> bytearray:
        if extra.get("ReferencedSOPInstanceUIDInFile", "") in ("1.2.3.4.2", "1.2.3.5.1"):
            raise MalformedDataSet("no record can be made of it")
        return encode(kind, attributes, given, extra)

    monkeypatch.setattr(dicomdir, "_encode", refuse)
    files = FileSet(archive, is_listed=True)
    found = names(archive, files)
    assert (found[1], found[3], files.unlisted) == ("UNLISTED/UL000001", "UNLISTED/UL000002", 2)
    assert len(set(found)) == 4
    records = pydicom.dcmread(io.BytesIO(files.dicomdir())).DirectoryRecordSequence
    assert [r.DirectoryRecordType for r in records] == ["PATIENT", "STUDY", "SERIES", "IMAGE", "IMAGE"]
