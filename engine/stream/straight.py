"""Grey pictures in one pass over stored cells, from the page cache to JPEG (`imaging.straight`): no array in between."""

from __future__ import annotations

from engine.archive.archive import Archive
from engine.archive.records import InstanceRecord
from engine.codec.base import check_size
from engine.codec.encode import has_jpeg_grey, jpeg_of_cells
from engine.dicom.frame import FrameDescriptor
from engine.dicom.frame_table import FrameTableKind
from engine.dicom.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from engine.imaging.plan import needs_header, plan
from engine.imaging.spec import RenderSpec
from engine.imaging.straight import Line, straight_line
from engine.limits import Limits
from engine.metrics import Metrics

_LITTLE_ENDIAN = (IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN)
_KNOWN_MAX = 256  # lines; the slices of a series share one


class StraightPictures:
    """Any thread."""

    def __init__(self, archive: Archive, limits: Limits, metrics: Metrics) -> None:
        self._archive, self._limits, self._metrics = archive, limits, metrics
        self._lines: dict[tuple[RenderSpec, int], tuple[FrameDescriptor, Line | None]] = {}

    def jpeg(self, record: InstanceRecord, frame_index: int, spec: RenderSpec, quality: int) -> bytes | None:
        """The picture; None where it takes more than that, or a disk.

        Raises
        ------
        UnsupportedPixels, InvalidParameter, TooLarge
        """
        table, descriptor = record.frame_table, record.frame_descriptor
        if table is None or descriptor is None or table.kind is not FrameTableKind.NATIVE:
            return None
        if record.transfer_syntax_uid not in _LITTLE_ENDIAN or not has_jpeg_grey():
            return None
        line = self._line(descriptor, frame_index, spec)
        if line is None:
            return None
        span = table[frame_index]
        if span.length < 2 * descriptor.rows * descriptor.columns:
            return None  # said by who decodes it
        rows, columns = descriptor.rows, descriptor.columns
        made = self._archive.read_by(
            record,
            span.offset,
            span.length,
            lambda file, offset: jpeg_of_cells(file, offset, rows, columns, quality, line),
        )
        if made is not None:
            self._metrics.add("frames_decoded")
        return made

    def _line(self, descriptor: FrameDescriptor, frame_index: int, spec: RenderSpec) -> Line | None:
        key = spec, frame_index if descriptor.number_of_frames > 1 else 0
        known = self._lines.get(key)
        if known is not None and known[0] == descriptor:
            return known[1]
        line = None
        if descriptor.is_monochrome and not needs_header(descriptor, spec):
            check_size(descriptor, self._limits.frame_bytes_max)
            name = descriptor.photometric_interpretation
            line = straight_line(descriptor, plan(descriptor, frame_index, name, spec, self._limits))
        if len(self._lines) >= _KNOWN_MAX:
            self._lines.clear()
        self._lines[key] = descriptor, line
        return line
