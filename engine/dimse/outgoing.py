"""Instances on their way to another Application Entity: their data sets as stored, or converted for who does not take that."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Protocol

from engine.archive.archive import Archive
from engine.archive.records import InstanceRecord
from engine.codec.transcode import Transcoding
from engine.dicom.instance import Described, StoredInstance
from engine.dicom.scan import scan_file
from engine.dicom.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from engine.errors import CorruptInstance, NotDicom
from engine.limits import MIB, Limits
from engine.types import Buffer

WHOLE_BYTES_MAX = 16 * MIB  # larger ones are read while they are sent


class Outgoing(Protocol):
    """One instance; one thread.

    Attributes
    ----------
    length : bytes of the data set as stored.
    """

    @property
    def sop_class_uid(self) -> str: ...
    @property
    def sop_instance_uid(self) -> str: ...
    @property
    def transfer_syntax_uid(self) -> str: ...
    @property
    def length(self) -> int: ...

    def data_set(self) -> Iterator[Buffer]:
        """As stored. Raises `CorruptInstance` before its last piece when these are not the bytes that were acknowledged."""
        ...

    def opened(self) -> StoredInstance:
        """Taken apart, for who converts it."""
        ...


class FromArchive:
    """See `Outgoing`."""

    def __init__(self, archive: Archive, record: InstanceRecord, limits: Limits) -> None:
        self.record, self._archive, self._limits = record, archive, limits
        self.sop_class_uid, self.sop_instance_uid = record.sop_class_uid, record.sop_instance_uid
        self.transfer_syntax_uid = record.transfer_syntax_uid
        self.length = record.location.length - record.data_set_offset

    def data_set(self) -> Iterator[Buffer]:
        # One piece is held back: once the last has gone the peer has the instance, whatever it is.
        record, digest = self.record, hashlib.sha256()
        last: Buffer = b""
        at, end = record.data_set_offset, record.location.length
        step = self.length if self.length <= WHOLE_BYTES_MAX else MIB
        while at < end:
            if last:
                yield last
            last = self._archive.read(record, at, min(step, end - at))
            digest.update(last)
            at += len(last)
        if digest.digest() != record.data_set_sha256:
            where = f"segment {record.location.segment} at {record.location.offset}"
            raise CorruptInstance(record.sop_instance_uid, where)
        if last:
            yield last

    def opened(self) -> StoredInstance:
        for _ in self.data_set():  # what is converted is not worse than what is sent as it is
            pass
        record = self.record
        return StoredInstance(record, record.location.length, partial(self._archive.read, record), self._limits)


class FromFile:
    """See `Outgoing`: a Part 10 file that is not in the archive.

    Raises
    ------
    NotDicom, TruncatedDataSet, MalformedDataSet, OSError
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path, self._limits = path, limits
        with path.open("rb", buffering=0) as file:
            self._file_length = os.fstat(file.fileno()).st_size
            about = scan_file(file.fileno(), 0, self._file_length, limits)
        self._about: Described = about
        self.sop_class_uid, self.sop_instance_uid = about.sop_class_uid, about.sop_instance_uid
        self.transfer_syntax_uid, self._start = about.transfer_syntax_uid, about.data_set_offset
        self.length = self._file_length - self._start

    def data_set(self) -> Iterator[Buffer]:
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(self._start)
                while piece := file.read(MIB):
                    yield piece
        except OSError as error:
            raise NotDicom(f"it can no longer be read ({error.strerror})") from error

    def opened(self) -> StoredInstance:
        return StoredInstance(self._about, self._file_length, self._read, self._limits)

    def _read(self, start: int, length: int) -> bytes:
        with self.path.open("rb", buffering=0) as file:
            return os.pread(file.fileno(), length, start)


class Converted:
    """The data set of an instance in another transfer syntax, without loss; `close` gives its temporary file up.

    Raises
    ------
    UnsupportedTransferSyntax, UnsupportedPixels, BadFrame, MalformedDataSet, TruncatedDataSet, TooLarge, CorruptInstance
    """

    def __init__(self, source: Outgoing, transfer_syntax_uid: str, limits: Limits) -> None:
        self._is_implicit = transfer_syntax_uid == IMPLICIT_VR_LITTLE_ENDIAN
        explicit = EXPLICIT_VR_LITTLE_ENDIAN if self._is_implicit else transfer_syntax_uid
        self._work = Transcoding(source.opened(), explicit, limits)
        try:
            for _ in self._work.steps():
                pass
        except BaseException:
            self._work.close()
            raise
        self.length = self._work.length

    def data_set(self) -> Iterator[Buffer]:
        return self._work.data_set(is_implicit=self._is_implicit)

    def pieces(self) -> Iterator[Buffer]:
        """With File Meta Information."""
        return self._work.pieces()

    def close(self) -> None:
        self._work.close()
