"""The way out to files, in a folder, a zip file, or a folder with a DICOMDIR (PS3.10): instances as they came in, or converted."""

from __future__ import annotations

import os
import time
import zipfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Protocol
from uuid import uuid4

from engine.archive.archive import Archive
from engine.archive.documents import instance_document
from engine.archive.outgoing import AsStored, Convert, Outgoing
from engine.archive.records import InstanceRecord
from engine.dicom.query import Level, Match, Query
from engine.errors import EngineError, InstanceNotFound, InvalidParameter, StudyNotFound

Form = Literal["folder", "zip", "dicomdir"]
_SERIES_UID = 0x0020000E
_ZIP64_FROM = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportEvent:
    """What became of one instance, or of a UID that names none.

    Attributes
    ----------
    name : str
        The file that was written (behind ``zip!`` inside a zip file), or the UID that was asked for.
    skipped : str
        Why nothing was written although all is well: the same file was there.
    """

    name: str
    sop_instance_uid: str = ""
    length: int = 0
    failure: str = ""
    skipped: str = ""


def export(
    archive: Archive, uids: Sequence[str], to: Path, form: Form = "folder", convert: Convert | None = None
) -> Generator[ExportEvent, None, None]:
    """Write the served version of every instance of these studies, series and instances, each once.

    Bytes are those that came in: they are hashed on the way and compared with what was acknowledged. No instance is in
    memory as a whole, no file that is there is overwritten, and a file is under its name only once it is complete.

    Parameters
    ----------
    uids : Study, Series and SOP Instance UIDs in any mixture; one that names nothing is an event with a `failure`.
    to : a folder, made when it is not there; for ``"zip"`` the file, which must not be there.
    convert : makes the files of something else than the bytes that came in; these are compared with their hash first.

    Raises
    ------
    InvalidParameter
        `to` cannot be written to, or holds a zip file or DICOMDIR already.
    """
    target: _Target
    try:
        match form:
            case "folder":
                target = _Folder(to)
            case "zip":
                target = _Zip(to)
            case "dicomdir":
                target = _FileSet(archive, to)
            case _:
                raise InvalidParameter("form", form, "folder, zip or dicomdir")
    except OSError as error:
        raise InvalidParameter("to", str(to), f"a place to write to ({error.strerror})") from error
    is_complete = False
    try:
        done: set[str] = set()
        for found in chosen(archive, uids):
            if isinstance(found, ExportEvent):
                yield found
            elif found.sop_instance_uid not in done:
                done.add(found.sop_instance_uid)
                yield _one(archive, found, target, convert)
        is_complete = True
    finally:
        if not is_complete:
            target.abort()
    try:
        target.finish()
    except (OSError, EngineError) as error:
        target.abort()
        yield ExportEvent(name=str(to), failure=(isinstance(error, OSError) and error.strerror) or str(error))


class _Target(Protocol):
    def put(self, content: Outgoing) -> tuple[str, bool]:
        """Name of the instance's file, and whether it had to be written. Raises OSError, EngineError, _Other."""
        ...

    def finish(self) -> None: ...

    def abort(self) -> None: ...


class _Other(Exception):
    """A file of this name with other bytes is there."""


class _Folder:
    """``Study/Series/SOP.dcm`` below a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def put(self, content: Outgoing) -> tuple[str, bool]:
        path = self._folder / content.name
        return str(path), _write_new(content, path)

    def finish(self) -> None:
        pass

    def abort(self) -> None:
        pass


class _Zip:
    """One zip file, its members stored as they are: most pixels are compressed already."""

    def __init__(self, path: Path) -> None:
        if path.exists():
            raise InvalidParameter("to", str(path), "a file that is not there yet")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._part = path.with_name(f".{path.name[:200]}.{uuid4().hex[:8]}.part")
        self._file = self._part.open("xb")
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_STORED, allowZip64=True)

    def put(self, content: Outgoing) -> tuple[str, bool]:
        content.check()  # what is in a zip file cannot be taken back
        name = content.name
        received = time.gmtime(content.record.received_ns / 1e9)
        info = zipfile.ZipInfo(name, (max(1980, min(2107, received.tm_year)), *received[1:6]))
        info.external_attr = 0o644 << 16
        with self._zip.open(info, "w", force_zip64=content.length > _ZIP64_FROM) as member:
            for piece in content.pieces():
                member.write(piece)
        return f"{self._path}!{name}", True

    def finish(self) -> None:
        self._zip.close()
        self._file.close()
        _publish(self._part, self._path)

    def abort(self) -> None:
        with suppress(OSError, ValueError):
            self._zip.close()
        self._file.close()
        self._part.unlink(missing_ok=True)


class _FileSet:
    """A folder with a DICOMDIR at its top (PS3.10 section 8): names of eight characters, one record for each instance."""

    def __init__(self, archive: Archive, folder: Path) -> None:
        from engine.dicom.dicomdir import DirectoryWriter

        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "DICOMDIR"
        if self._path.exists():
            raise InvalidParameter("to", str(folder), "a folder without a DICOMDIR")
        self._archive, self._folder, self._records = archive, folder, DirectoryWriter()

    def put(self, content: Outgoing) -> tuple[str, bool]:
        record = content.record
        file_id = self._records.file_id(
            instance_document(self._archive, record),
            record.study_instance_uid,
            record.series_instance_uid,
            content.sop_instance_uid,
            content.transfer_syntax_uid,
        )
        path = self._folder.joinpath(*file_id)
        try:
            return str(path), _write_new(content, path)
        except BaseException:
            self._records.drop(file_id)
            raise

    def finish(self) -> None:
        with _part(self._path) as file:
            self._records.write(file)

    def abort(self) -> None:
        pass


def _write_new(content: Outgoing, path: Path) -> bool:
    """Write one instance to a file that must not be there; False when it is there with the same bytes."""
    if path.exists():
        if not _is_same(content, path):
            raise _Other
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    with _part(path) as file:
        for piece in content.pieces():
            file.write(piece)
    return True


def _one(archive: Archive, record: InstanceRecord, target: _Target, convert: Convert | None) -> ExportEvent:
    uid = record.sop_instance_uid
    try:
        stored = AsStored(archive, record)
        if convert is not None:
            stored.check()
        with closing(convert(archive, record) if convert is not None else stored) as content:
            name, is_new = target.put(content)
            length = content.length
    except _Other:
        return ExportEvent(name=uid, sop_instance_uid=uid, failure="a file of this name with other bytes is there")
    except EngineError as error:
        return ExportEvent(name=uid, sop_instance_uid=uid, failure=str(error))
    except OSError as error:
        return ExportEvent(name=uid, sop_instance_uid=uid, failure=error.strerror or str(error))
    skipped = "" if is_new else "the same file is there already"
    return ExportEvent(name=name, sop_instance_uid=uid, length=length, skipped=skipped)


def chosen(archive: Archive, uids: Sequence[str]) -> Iterator[InstanceRecord | ExportEvent]:
    """What the UIDs name, in their order; nothing is kept of a series once it has been walked through."""
    others = [uid for uid in dict.fromkeys(uids) if not _is_instance(archive, uid) and not _is_study(archive, uid)]
    series: dict[str, list[str]] = {uid: [] for uid in others}
    if others:
        # One pass over the studies finds them all: the index has no key for a series without its study.
        query = Query(
            level=Level.SERIES,
            matches=(Match(_SERIES_UID, "UI", "\\".join(others)),),
            limit=max(1000, 10 * len(others)),
        )
        for row in archive.search(query).rows:
            series[row.series_instance_uid].append(row.study_instance_uid)
    for uid in dict.fromkeys(uids):
        try:
            if uid not in series:
                yield from _instance_or_study(archive, uid)
                continue
            for study in series[uid]:
                yield from archive.members(study, uid)
        except EngineError as error:  # deleted in the meantime
            yield ExportEvent(name=uid, failure=str(error))
            continue
        if not series[uid]:
            yield ExportEvent(name=uid, failure="no study, series or instance has this UID")


def _instance_or_study(archive: Archive, uid: str) -> Iterator[InstanceRecord]:
    if _is_instance(archive, uid):
        yield archive.instance(uid)
        return
    for one in archive.series_of(uid):
        yield from archive.members(uid, one.series_instance_uid)


def _is_instance(archive: Archive, uid: str) -> bool:
    try:
        archive.instance(uid)
    except InstanceNotFound:
        return False
    return True


def _is_study(archive: Archive, uid: str) -> bool:
    try:
        archive.series_of(uid)
    except StudyNotFound:
        return False
    return True


def _is_same(content: Outgoing, path: Path) -> bool:
    with path.open("rb") as file:
        return os.fstat(file.fileno()).st_size == content.length and all(
            file.read(len(piece)) == piece for piece in content.pieces()
        )


@contextmanager
def _part(path: Path) -> Iterator[BinaryIO]:
    """A file that has its name once the block has ended without an error, and is gone otherwise."""
    part = path.with_name(f".{uuid4().hex[:12]}.part")
    try:
        with part.open("xb") as file:
            yield file
        _publish(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _publish(part: Path, path: Path) -> None:
    """Give a complete file its name, never one that is taken."""
    try:
        path.hardlink_to(part)
    except FileExistsError:
        raise _taken(path) from None
    except OSError:  # FAT, as on a memory stick, has no links
        if path.exists():
            raise _taken(path) from None
        part.rename(path)
        return
    part.unlink()


def _taken(path: Path) -> InvalidParameter:
    return InvalidParameter("to", str(path), "a name that nobody else takes in the meantime")
