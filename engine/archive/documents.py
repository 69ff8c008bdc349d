"""The metadata document of a series: every instance's DICOM JSON, gzipped once, kept until the series changes (PS3.18 10.4).

Opening a study waits for this, so it is one file read when it is there, and one pass over the headers when not.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from engine.archive.archive import Archive
from engine.archive.index import series_key
from engine.archive.records import InstanceRecord, SeriesSummary
from engine.archive.rows import merged, resource
from engine.dicom.scan import dicom_json
from engine.errors import EngineError

_LOG = logging.getLogger(__name__)
_PART = ".part"
_STALE_S = 3600.0
_AT_ONCE = 256  # series between two commits of the index
_GZIP_LEVEL = 4  # 300 CT headers: 0.5 MB become 25 KB in some 6 ms; level 9 saves a tenth and costs four times that


_UIDS_MADE = frozenset({"no-sop-instance-uid", "no-series-uid", "no-study-uid"})


@dataclass(frozen=True, slots=True)
class Document:
    """``application/dicom+json`` of a series, in slice order.

    Attributes
    ----------
    etag : str
        Strong; changes when the members change.
    """

    body_gzip: bytes
    etag: str


class SeriesDocuments:
    """Documents by series and version; thread-safe. Files live in ``renditions/metadata`` and may be deleted at any time.

    Parameters
    ----------
    root : what ``BulkDataURI`` begins with; empty: paths, which a client joins with the address that it asked.
    """

    def __init__(self, archive: Archive, root: str = "") -> None:
        self._archive, self.root = archive, root
        self._mark = f"-{hashlib.sha256(root.encode()).hexdigest()[:12]}" if root else ""
        self._folder = None if archive.path is None else archive.path / "renditions" / "metadata"
        self._building = threading.Lock()
        self.built = 0
        self._stale_at = 0.0  # of the monotonic clock

    def get(self, study_uid: str, series_uid: str) -> Document:
        """The document of a series; `SeriesNotFound` when there is none."""
        series = self._archive.series(study_uid, series_uid)
        etag = self._etag(series)
        ready = self._load(series)
        if ready is not None:
            return Document(ready, etag)
        with self._building:  # the second of two who ask at once finds it made
            ready = self._load(series)
            if ready is None:
                ready = self._build(series)
        return Document(ready, etag)

    def etag(self, study_uid: str, series_uid: str) -> str:
        """The entity tag alone, without building anything."""
        return self._etag(self._archive.series(study_uid, series_uid))

    def instance_etag(self, record: InstanceRecord) -> str:
        """Of one instance's document."""
        return f'"{record.data_set_sha256.hex()[:32]}{self._mark}"'

    def _etag(self, series: SeriesSummary) -> str:
        return f'"{series.version:016x}-{series.instance_count}{self._mark}"'

    def build_pending(self, quiet_s: float, now_ns: int) -> int:
        """Make the documents of series that changed and have been quiet since, remove those of deleted ones; returns how many."""
        built = 0
        gone = self._archive.gone_series()
        for key, _ in gone:
            self._remove(key)  # what was deleted is to be found nowhere any more
        self._archive.series_done(*gone)
        while True:
            # Some hundreds, then one commit: one for each would be one fsync for each, beside those of who stores.
            pending = self._archive.pending_series(quiet_s, now_ns, _AT_ONCE)
            for study, series, _ in pending:
                try:
                    self.get(study, series)
                    built += 1
                except EngineError as error:  # said once; whoever asks for the series hears it again
                    _LOG.error("no metadata document of series %s: %s", series, error)
            self._archive.series_done(*((series_key(study, series), token) for study, series, token in pending))
            if len(pending) < _AT_ONCE:
                break
        if time.monotonic() >= self._stale_at:
            self._stale_at = time.monotonic() + _STALE_S / 4
            self._remove_stale()
        return built

    def _build(self, series: SeriesSummary) -> bytes:
        pieces = b",".join(
            instance_document(self._archive, record, self.root)
            for record in self._archive.members(series.study_instance_uid, series.series_instance_uid)
        )
        body = gzip.compress(b"[" + pieces + b"]", _GZIP_LEVEL, mtime=0)
        self.built += 1
        self._save(series, body)
        return body

    def _path(self, series: SeriesSummary) -> Path | None:
        if self._folder is None:
            return None
        stem = _stem(series_key(series.study_instance_uid, series.series_instance_uid))
        return self._folder / stem[:2] / f"{stem}-{series.version:016x}-{series.instance_count}{self._mark}.json.gz"

    def _load(self, series: SeriesSummary) -> bytes | None:
        path = self._path(series)
        try:
            return None if path is None else path.read_bytes()
        except FileNotFoundError:
            return None

    def _save(self, series: SeriesSummary, body: bytes) -> None:
        """Written beside and renamed, so nobody reads half of one; the documents of older versions go."""
        path = self._path(series)
        if path is None:
            return
        part = path.with_name(f"{uuid4().hex}{_PART}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(body)
            part.replace(path)
        except OSError:
            # Derived data: a full or read-only disk costs the next reader the building, nothing else.
            with suppress(OSError):
                part.unlink(missing_ok=True)
            return
        with suppress(OSError):
            self._remove(series_key(series.study_instance_uid, series.series_instance_uid), but=path)

    def _remove(self, key: bytes, but: Path | None = None) -> None:
        if self._folder is None:
            return
        stem = f"{_stem(key)}-"
        # Names are looked at in one folder of 256, and not by `glob`, which makes a regular expression of each: 0.2 ms.
        for name in _names(self._folder / stem[:2]):
            if name.startswith(stem) and (but is None or name != but.name):
                (self._folder / stem[:2] / name).unlink(missing_ok=True)

    def _remove_stale(self) -> None:
        """What processes that died while they wrote have left, and documents that lay in one folder once."""
        if self._folder is None:
            return
        for name in _names(self._folder):
            if name.endswith(".json.gz"):
                (self._folder / name).unlink(missing_ok=True)
        for folder in (self._folder, *(self._folder / f"{part:02x}" for part in range(256))):
            for name in _names(folder):
                if name.endswith(_PART):
                    with suppress(FileNotFoundError):
                        if time.time() - (folder / name).stat().st_mtime > _STALE_S:
                            (folder / name).unlink()


def _names(folder: Path) -> list[str]:
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        return [entry.name for entry in entries]
    return []


def instance_document(archive: Archive, record: InstanceRecord, root: str = "") -> bytes:
    """One instance's DICOM JSON object; long values as ``BulkDataURI``: behind `root`, or an absolute path on this server."""
    is_deflated = record.frame_table is not None and record.frame_table.kind.name == "DEFLATED"
    data = archive.read(record, 0, None if is_deflated else record.header_length)
    where = root + resource(record.study_instance_uid, record.series_instance_uid, record.sop_instance_uid)
    document = dicom_json(data, archive.limits, f"{where}/bulkdata")
    if any(defect.code in _UIDS_MADE for defect in record.defects):
        # Filed under a UID that is not in the bytes: who reads the document must be able to ask for the instance.
        return merged(
            document,
            {
                "00080018": {"vr": "UI", "Value": [record.sop_instance_uid]},
                "0020000D": {"vr": "UI", "Value": [record.study_instance_uid]},
                "0020000E": {"vr": "UI", "Value": [record.series_instance_uid]},
            },
        )
    return document


def documents_of(archive: Archive, records: Iterator[InstanceRecord], root: str = "") -> bytes:
    """A JSON array of several instances' objects."""
    return b"[" + b",".join(instance_document(archive, record, root) for record in records) + b"]"


def _stem(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()[:40]
