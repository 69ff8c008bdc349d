"""What is written of one instance when it leaves the archive as a file: its own bytes, or what they were converted to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Protocol

from engine.archive.archive import Archive
from engine.archive.member import member_name
from engine.archive.records import InstanceRecord
from engine.errors import CorruptInstance
from engine.limits import MIB
from engine.types import Buffer


class Outgoing(Protocol):
    """One Part 10 file.

    Attributes
    ----------
    record : of the instance that it is made of.
    name : ``Study/Series/SOP.dcm``
    length, sop_instance_uid, transfer_syntax_uid : of the file.
    """

    @property
    def record(self) -> InstanceRecord: ...
    @property
    def name(self) -> str: ...
    @property
    def length(self) -> int: ...
    @property
    def sop_instance_uid(self) -> str: ...
    @property
    def transfer_syntax_uid(self) -> str: ...

    def check(self) -> None:
        """Whatever can be known to be wrong before the first byte is; `CorruptInstance`."""
        ...

    def pieces(self) -> Iterator[Buffer]:
        """The file from its start, also a second time; never much of it in memory. Raises EngineError, then it is no file."""
        ...

    def close(self) -> None: ...


Convert = Callable[[Archive, InstanceRecord], Outgoing]


class AsStored:
    """See `Outgoing`. The bytes that came in, hashed on the way and compared with what was acknowledged."""

    def __init__(self, archive: Archive, record: InstanceRecord) -> None:
        self.record, self._archive = record, archive
        self.length = record.location.length
        self.sop_instance_uid, self.transfer_syntax_uid = record.sop_instance_uid, record.transfer_syntax_uid
        self.name = file_name(record, record.sop_instance_uid)

    def check(self) -> None:
        for _ in self.pieces():
            pass

    def pieces(self) -> Iterator[Buffer]:
        digest, at, record = hashlib.sha256(), 0, self.record
        while at < self.length:
            piece = self._archive.read(record, at, MIB)
            digest.update(piece[max(0, record.data_set_offset - at) :])
            at += len(piece)
            yield piece
        if digest.digest() != record.data_set_sha256:
            location = record.location
            raise CorruptInstance(record.sop_instance_uid, f"segment {location.segment} at {location.offset}")

    def close(self) -> None:
        pass


def file_name(record: InstanceRecord, sop_instance_uid: str) -> str:
    """``Study/Series/SOP.dcm`` of an instance, or of another one that was made of it."""
    return member_name(
        record.study_instance_uid, record.series_instance_uid, sop_instance_uid, record.data_set_sha256, True
    )
