"""Metadata documents: made once, made again when the series changes, gone when it is; never half of one."""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from archives import LIMITS, incoming
from data import make_instance

from engine.archive import documents as documents_module
from engine.archive.archive import Archive
from engine.archive.documents import SeriesDocuments
from engine.errors import SeriesNotFound


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    archive = Archive.open(tmp_path, LIMITS)
    for i in range(1, 6):
        archive.store([incoming(make_instance(f"1.2.3.4.{i}", number=i), i)])
    archive.store([incoming(make_instance("1.2.3.5.1", series="1.2.3.5"), 10)])
    yield archive
    archive.close()


def files(archive: Archive) -> list[Path]:
    assert archive.path is not None
    return sorted((archive.path / "renditions" / "metadata").rglob("*.*"))


def test_a_document_is_made_once_and_anew_when_the_series_changes(archive: Archive) -> None:
    documents = SeriesDocuments(archive)
    first = documents.get("1.2.3", "1.2.3.4")
    rows = json.loads(gzip.decompress(first.body_gzip))
    assert [row["00200013"]["Value"] for row in rows] == [[i] for i in range(1, 6)]
    assert documents.get("1.2.3", "1.2.3.4") == first
    assert documents.built == 1
    archive.delete(sop_uid="1.2.3.4.3")
    second = documents.get("1.2.3", "1.2.3.4")
    assert second.etag != first.etag
    assert len(json.loads(gzip.decompress(second.body_gzip))) == 4
    assert len(files(archive)) == 1  # the older one has gone


def test_what_is_pending_is_built_and_what_was_deleted_is_removed(archive: Archive) -> None:
    documents = SeriesDocuments(archive)
    assert documents.build_pending(0, 0) == 2
    assert documents.build_pending(0, 0) == 0
    assert len(files(archive)) == 2
    archive.delete(series_uid="1.2.3.4", study_uid="1.2.3")
    assert documents.build_pending(0, 0) == 0
    assert len(files(archive)) == 1
    assert archive.gone_series() == []
    with pytest.raises(SeriesNotFound):
        documents.get("1.2.3", "1.2.3.4")


def test_a_series_that_cannot_be_read_does_not_hold_up_the_others(archive: Archive) -> None:
    location = archive.instance("1.2.3.4.2").location
    assert archive.path is not None
    with (archive.path / "segments" / f"{location.segment:06d}.tar").open("r+b") as file:
        file.seek(location.offset + 100)
        file.write(os.urandom(200))
    documents = SeriesDocuments(archive)
    assert documents.build_pending(0, 0) == 1
    assert archive.pending_series() == []


def test_what_a_killed_process_left_is_removed_when_it_is_old(archive: Archive) -> None:
    documents = SeriesDocuments(archive)
    documents.get("1.2.3", "1.2.3.4")
    folder = files(archive)[0].parent
    old, young = folder / "aaaa.part", folder / "bbbb.part"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    documents.build_pending(0, 0)
    assert not old.exists()
    assert young.exists()


def test_a_full_disk_costs_the_document_not_the_answer(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> None:
        with self.open("wb") as file:
            file.write(data[:10])
        raise OSError(28, os.strerror(28))

    documents = SeriesDocuments(archive)
    monkeypatch.setattr(Path, "write_bytes", full)
    assert len(json.loads(gzip.decompress(documents.get("1.2.3", "1.2.3.4").body_gzip))) == 5
    assert files(archive) == []


def test_documents_of_two_public_addresses_are_not_taken_for_each_other(archive: Archive) -> None:
    archive.store([incoming(make_instance("1.2.3.5.2", series="1.2.3.5", rows=200, columns=200), 11)])
    plain, public = SeriesDocuments(archive), SeriesDocuments(archive, "https://pacs.example")
    one, other = plain.get("1.2.3", "1.2.3.5"), public.get("1.2.3", "1.2.3.5")
    assert one.etag != other.etag
    urls = [json.loads(gzip.decompress(d.body_gzip))[1]["7FE00010"]["BulkDataURI"] for d in (one, other)]
    assert urls[0].startswith("/dicom-web/")
    assert urls[1] == "https://pacs.example" + urls[0]
    assert len(files(archive)) == 1  # only the newest is kept
    archive.delete(study_uid="1.2.3", series_uid="1.2.3.5")
    plain.build_pending(0, 0)
    assert [path.stat().st_size for path in files(archive)] == [len(plain.get("1.2.3", "1.2.3.4").body_gzip)]


def test_many_series_are_one_commit_and_no_folder_is_read_whole(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit for each would be an fsync for each; a look at all documents for each would be work that grows with the archive."""
    monkeypatch.setattr(documents_module, "_AT_ONCE", 50)
    documents = SeriesDocuments(archive)
    assert documents.build_pending(0, 0) == 2
    archive.store(
        [incoming(make_instance(f"1.2.5.{i}.1", study="1.2.5", series=f"1.2.5.{i}"), 100 + i) for i in range(1, 121)]
    )
    looked: list[int] = []
    names_of = documents_module._names
    monkeypatch.setattr(documents_module, "_names", lambda at: (names := names_of(at), looked.append(len(names)))[0])
    commits, waiting = archive.commits, len(archive.pending_series())
    assert len(archive.pending_series(most=50)) == 50
    assert documents.build_pending(0, 0) == waiting == 120
    assert archive.commits - commits == 3
    assert len(looked) == 120 and max(looked) < 20, "one folder for each, and not the one of all"
    assert archive.pending_series() == []
    assert len(files(archive)) == 122


def test_documents_of_the_time_when_there_was_one_folder_go(archive: Archive) -> None:
    documents = SeriesDocuments(archive)
    assert archive.path is not None
    old = archive.path / "renditions" / "metadata" / "0123-0000-1.json.gz"
    old.parent.mkdir(parents=True, exist_ok=True)
    old.write_bytes(b"")
    documents.build_pending(0, 0)
    assert not old.exists()
    assert len(files(archive)) == 2
