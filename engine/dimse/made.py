"""Instances that are made for one receiver and kept nowhere: frames of another instance, or one without its bulk data."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator

from engine.dicom.bulk_data import without_bulk_data
from engine.dicom.frame_extraction import FrameExtraction
from engine.dicom.frame_list import FrameList
from engine.dicom.instance import Described, StoredInstance
from engine.dicom.scan import scan_file
from engine.dicom.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN
from engine.dimse.outgoing import Converted, Outgoing
from engine.limits import MIB, Limits
from engine.types import Buffer


class Made:
    """See `Outgoing`; a file without a name holds it until `close`.

    Parameters
    ----------
    pieces : the Part 10 stream; what it raises passes through.

    Attributes
    ----------
    end : length of the Part 10 stream.

    Raises
    ------
    NotDicom, TruncatedDataSet, MalformedDataSet, TooLarge, OSError
    """

    def __init__(self, pieces: Iterable[Buffer], limits: Limits) -> None:
        self._limits, self._file = limits, tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - `close` does
        try:
            for piece in pieces:
                view = memoryview(piece).cast("B")
                while view:
                    view = view[self._file.write(view) :]
            self.end = os.fstat(self._file.fileno()).st_size
            about = scan_file(self._file.fileno(), 0, self.end, limits)
        except BaseException:
            self._file.close()
            raise
        self._about: Described = about
        self.sop_class_uid, self.sop_instance_uid = about.sop_class_uid, about.sop_instance_uid
        self.study_instance_uid, self.series_instance_uid = about.study_instance_uid, about.series_instance_uid
        self.transfer_syntax_uid = about.transfer_syntax_uid
        self.length = self.end - about.data_set_offset

    def data_set(self) -> Iterator[Buffer]:
        for at in range(self._about.data_set_offset, self.end, MIB):
            yield self._read(at, min(MIB, self.end - at))

    def opened(self) -> StoredInstance:
        return StoredInstance(self._about, self.end, self._read, self._limits)

    def close(self) -> None:
        self._file.close()

    def _read(self, start: int, length: int) -> bytes:
        return os.pread(self._file.fileno(), length, start)


def extracted(source: Outgoing, asked: FrameList, limits: Limits) -> Made:
    """The frames of `source` that were asked for, as an instance of their own (PS3.4 Y.3.3).

    Raises
    ------
    See `FrameExtraction`; what `source.opened` and `Made` raise.
    """
    opened = source.opened()
    if opened.header.encoding.is_big_endian:
        converted = Converted(source, EXPLICIT_VR_LITTLE_ENDIAN, limits)
        try:
            little = Made(converted.pieces(), limits)
        finally:
            converted.close()
        try:
            return extracted(little, asked, limits)
        finally:
            little.close()
    return Made(FrameExtraction(opened, asked).pieces(), limits)


def without_bulk(source: Outgoing, limits: Limits) -> Made:
    """Raises what `source.opened`, `without_bulk_data` and `Made` raise."""
    return Made(without_bulk_data(source.opened()), limits)
